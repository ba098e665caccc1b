package campaign

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/internal/domains"
	"sluice/internal/table"
)

// Config sets up a Memory. Zero fields take the default.
type Config struct {
	// Fingerprints is how many bands are kept, 24 octets each, twelve for a text:
	// default 1 million (24 MB), at most 100 million.
	Fingerprints int
	// Clusters is how many clusters are kept, 168 octets each, default a twelfth of
	// Fingerprints, at most 16 million.
	Clusters int
	// Wanted is how many authenticated campaigns are kept, about 200 octets each,
	// default an eighth of Clusters.
	Wanted int
	// Key makes the hashes ours; nodes of a fleet share it. A snapshot belongs to
	// one key.
	Key uint64

	HalfLife      time.Duration // of counts, default 14 days
	LabelHalfLife time.Duration // of reports about what isn't seen any more, default 180 days
	Forget        time.Duration // what wasn't seen for so long is forgotten first, default 400 days

	Outbreak time.Duration // default an hour
	Networks int           // unrelated ones that make an outbreak, default 4
	// Recipients of a campaign without complaint that prove it wanted, default 10.
	Recipients float64
}

// mostClusters is what a ref can name.
const mostClusters = 1<<24 - 2

func (c *Config) defaults() {
	if c.Fingerprints <= 0 {
		c.Fingerprints = 1_000_000
	}
	c.Fingerprints = min(c.Fingerprints, 100_000_000)
	if c.Clusters <= 0 {
		c.Clusters = c.Fingerprints / bands
	}
	c.Clusters = min(max(c.Clusters, 16), mostClusters)
	if c.Wanted <= 0 {
		c.Wanted = c.Clusters / 8
	}
	c.Wanted = max(c.Wanted, 16)
	for _, d := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.HalfLife, 14 * day}, {&c.LabelHalfLife, 180 * day}, {&c.Forget, 400 * day}, {&c.Outbreak, time.Hour}} {
		if *d.to < time.Second {
			*d.to = d.def
		}
	}
	if c.Networks <= 0 {
		c.Networks = 4
	}
	if c.Recipients <= 0 {
		c.Recipients = 10
	}
}

const day = 24 * time.Hour

// Memory remembers campaigns. Its methods are safe for concurrent use; all but Save
// and Load take a few microseconds.
type Memory struct {
	cfg      Config
	sketcher *sketcher
	wanted   *table.Table[wantedKey, wanted]

	mu      sync.RWMutex
	index   index
	records []record // 0 is unused
	next    int      // records that were ever used
	refused uint64
}

// New makes an empty Memory. It takes all of its memory at once, but for the wanted.
func New(cfg Config) *Memory {
	cfg.defaults()
	m := &Memory{cfg: cfg, sketcher: newSketcher(cfg.Key)}
	m.reset()
	return m
}

func (m *Memory) reset() {
	forget := uint32(m.cfg.Forget / time.Second)
	m.index = newIndex(m.cfg.Fingerprints, m.cfg.Forget)
	m.records = make([]record, m.cfg.Clusters+1)
	m.next = 1
	m.wanted = table.New[wantedKey](table.Config[wanted]{Capacity: m.cfg.Wanted, Worth: func(w *wanted, now time.Time) float64 {
		return w.worth(seconds(now), forget)
	}})
}

// Stats counts what is kept.
type Stats struct {
	Fingerprints, Clusters, Wanted int
	Lost                           uint64 // fingerprints that gave way to others
	Refused                        uint64 // messages for which no cluster could be made
}

// Stats counts what is kept.
func (m *Memory) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Stats{Fingerprints: m.index.used, Clusters: m.next - 1, Wanted: m.wanted.Len(), Lost: m.index.lost, Refused: m.refused}
}

// Sighting is how a message came.
type Sighting struct {
	Time       time.Time
	Client     netip.Addr
	ASN        uint32 // of the client; 0: not known
	Recipients []string
	// Domain is the author's registrable domain where the message authenticated as
	// that (DMARC aligned), "" else.
	Domain string
	// History says that mail of Domain was wanted here before.
	History bool
}

// named says whether the message comes from somebody whose good name is at stake.
func (s *Sighting) named() bool { return s.Domain != "" && s.History && !domains.FreeMail(s.Domain) }

// Likeness of a message and a cluster.
const (
	alike     = 0.5 // estimated Jaccard similarity with a message of the cluster
	alikeRoot = 0.2 // and with its first one
	same      = 0.8 // from here on a message teaches the index nothing new
	alikeTags = 0.85
)

// probe is one way to find the clusters of a message.
type probe struct {
	kind  byte
	bands []uint64
	bits  [2]uint64
	alike float64
}

// probes lists the ways: the text; the layout where there is hardly a text and links
// lead somewhere; each file.
func (m *Memory) probes(p *Print) []probe {
	var out []probe
	if p.Text.N > 0 {
		out = append(out, probe{kindText, p.Text.Bands[:], p.Text.Bits, alike})
	}
	if p.Text.N == 0 && p.Layout.N > 0 && len(p.Domains) > 0 {
		out = append(out, probe{kindLayout, p.Layout.Bands[:], p.Layout.Bits, alikeTags})
	}
	for i := range p.Files {
		h := m.sketcher.name(kindFile, string(p.Files[i][:]))
		out = append(out, probe{kindFile, []uint64{h}, [2]uint64{h, mix(h)}, 1})
	}
	return out
}

// hit is a cluster that a probe found.
type hit struct {
	r     ref
	score float64 // similarity
	bands int     // that led to it
}

// find looks a probe up: the most alike cluster, and another one that is alike too.
// It reads one bucket a band.
func (m *Memory) find(p *probe) (best, second hit) {
	var hits [bands]hit
	n := 0
	for _, band := range p.bands {
		b := m.index.bucket(band)
		for i := range ways {
			if b.tag[i]>>16 != uint32(band&0xffff) || b.cluster[i] == 0 {
				continue
			}
			score := Similarity(&b.bits[i], &p.bits)
			if score < p.alike {
				continue
			}
			r, ok := m.resolve(b.cluster[i], b.tag[i])
			if !ok || m.records[r.id()].kind != p.kind || Similarity(&m.records[r.id()].root, &p.bits) < alikeRoot {
				continue
			}
			k := 0
			for k < n && hits[k].r != r {
				k++
			}
			if k == len(hits) {
				continue
			}
			if k == n {
				hits[n] = hit{r: r}
				n++
			}
			hits[k].bands++
			hits[k].score = max(hits[k].score, score)
		}
	}
	for _, h := range hits[:n] {
		if m.better(h, best) {
			best, second = h, best
		} else if m.better(h, second) {
			second = h
		}
	}
	return best, second
}

// better orders hits: by likeness; of two as alike the older cluster.
func (m *Memory) better(a, b hit) bool {
	return b.r == 0 || cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(m.records[b.r.id()].first, m.records[a.r.id()].first), cmp.Compare(b.r, a.r)) > 0
}

// resolve follows an entry to its cluster, through those that were joined; false
// where it has been forgotten.
func (m *Memory) resolve(r ref, tag uint32) (ref, bool) {
	for hops := 0; hops < 8; hops++ {
		if r.id() >= len(m.records) {
			return 0, false
		}
		c := &m.records[r.id()]
		if c.generation != r.generation() || c.first == 0 {
			return 0, false
		}
		if old := age(tag, c.first); hops == 0 && old > 0 && old < 0x2000*tick {
			return 0, false // seen last before this cluster was: its predecessor's
		}
		if c.parent == 0 {
			return r, true
		}
		r = c.parent
	}
	return 0, false
}

// Observe remembers a message, once, after it was judged.
func (m *Memory) Observe(p *Print, s Sighting) {
	if p.Empty() {
		return
	}
	probes := m.probes(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range probes {
		if h := m.place(&probes[i], seconds(s.Time)); h.r != 0 {
			m.count(h.r, p, &s)
			m.remember(&probes[i], h, seconds(s.Time))
		}
	}
}

// place finds or makes the cluster of a probe, and joins two that it belongs to.
func (m *Memory) place(p *probe, now uint32) hit {
	best, second := m.find(p)
	switch {
	case best.r == 0:
		return hit{r: m.make(p, now)}
	case second.r != 0:
		return hit{r: m.join(best.r, second.r)}
	}
	return best
}

// make starts a cluster in a free record, or in that of the least worthy of eight:
// one that was judged gives way to none.
func (m *Memory) make(p *probe, now uint32) ref {
	id := m.next
	if id < len(m.records) {
		m.next++
	} else if id = m.victim(p.bits[0], now); id == 0 {
		m.refused++
		return 0
	}
	c := &m.records[id]
	*c = record{root: p.bits, first: now, last: now, faded: now, kind: p.kind, generation: c.generation + 1}
	return makeRef(id, c.generation)
}

func (m *Memory) victim(h uint64, now uint32) int {
	forget := uint32(m.cfg.Forget / time.Second)
	id, worst := 0, uint64(1)<<40
	for i := range uint64(8) {
		at := int(mix(h+i)%uint64(len(m.records)-1)) + 1
		c := &m.records[at]
		class := c.class()
		if c.last+forget < now || c.parent != 0 && c.last+forget/4 < now {
			class = once
		}
		if class == judged {
			continue
		}
		if worth := uint64(class)<<32 | uint64(c.last); worth < worst {
			id, worst = at, worth
		}
	}
	return id
}

// join makes one cluster of two where neither is a domain's own and their first
// messages are alike; else the first stays alone.
func (m *Memory) join(a, b ref) ref {
	ca, cb := &m.records[a.id()], &m.records[b.id()]
	if ca.owners[0] != 0 || cb.owners[0] != 0 || Similarity(&ca.root, &cb.root) < alikeRoot {
		return a
	}
	if cb.first < ca.first {
		a, ca, cb = b, cb, ca
	}
	halfLife := uint32(m.cfg.HalfLife / time.Second)
	ca.fade(max(ca.last, cb.last), halfLife)
	cb.fade(max(ca.last, cb.last), halfLife)
	if ca.threat == sluice.ThreatNone {
		ca.threat = cb.threat
	}
	if at := max(ca.labelAt, cb.labelAt); at != 0 {
		b1, g1 := ca.labels(at, m.cfg.LabelHalfLife)
		b2, g2 := cb.labels(at, m.cfg.LabelHalfLife)
		ca.bad, ca.good, ca.labelAt = float32(b1+b2), float32(g1+g2), at
	}
	ca.messages += cb.messages
	ca.flags |= cb.flags
	ca.last = max(ca.last, cb.last)
	if cb.burstAt > ca.burstAt {
		ca.burst, ca.burstAt = cb.burst, cb.burstAt
	}
	ca.recipients.merge(&cb.recipients)
	ca.sources.merge(&cb.sources)
	ca.networks.merge(&cb.networks)
	ca.domains.merge(&cb.domains)
	cb.parent = a
	return a
}

// remember puts what led here into the index: all bands where the message taught
// something, else only those that are there are renewed.
func (m *Memory) remember(p *probe, h hit, now uint32) {
	class := m.records[h.r.id()].class()
	add := h.score < same || h.bands < len(p.bands)/4
	for _, band := range p.bands {
		m.index.put(band, h.r, &p.bits, class, now, add)
	}
}

// count adds a message to its cluster.
func (m *Memory) count(r ref, p *Print, s *Sighting) {
	now := seconds(s.Time)
	c := &m.records[r.id()]
	c.fade(now, uint32(m.cfg.HalfLife/time.Second))
	m.burst(c, s, now)
	c.messages++
	c.last = max(c.last, now)
	for _, to := range s.Recipients {
		c.recipients.add(m.recipient(to))
	}
	if s.Client.IsValid() {
		c.sources.add(m.sketcher.name('a', s.Client.Unmap().String()))
		c.networks.add(m.sketcher.name('n', neighbourhood(s.Client).String()))
	}
	if bad, good := c.labels(now, m.cfg.LabelHalfLife); bad-good >= 0.5 && !s.named() {
		c.labelAt = max(c.labelAt, now) // reports fade with silence, not while the campaign goes on
	}
	if s.named() {
		c.domains.add(m.sketcher.name('d', s.Domain))
		m.own(r, c, p, s, now)
	}
}

func (m *Memory) recipient(address string) uint64 {
	return m.sketcher.name('r', strings.ToLower(address))
}

// unrelated hashes what makes two clients strangers to each other: the operator of
// their networks where it is known, else the wide network.
func (m *Memory) unrelated(s *Sighting) uint64 {
	if s.ASN != 0 {
		return m.sketcher.name('o', strconv.FormatUint(uint64(s.ASN), 10))
	}
	return m.sketcher.name('o', region(s.Client).String())
}

// burst counts networks since the cluster woke up: it has been quiet, or is new.
func (m *Memory) burst(c *record, s *Sighting, now uint32) {
	if !s.Client.IsValid() || s.named() {
		return
	}
	if quiet := uint32(m.cfg.Outbreak / time.Second); c.burstAt == 0 || now > c.last+24*quiet || now > c.burstAt+quiet && c.messages < 3 {
		c.burst, c.burstAt = 0, now
	}
	if now <= c.burstAt+uint32(m.cfg.Outbreak/time.Second) {
		c.burst.add(m.unrelated(s))
	}
}

// own counts a message for the domain that authenticated it.
func (m *Memory) own(r ref, c *record, p *Print, s *Sighting, now uint32) {
	k := wantedKey{r, m.sketcher.name('d', s.Domain)}
	place := -1
	for i, o := range c.owners {
		if o == k.domain || o == 0 {
			place = i
			break
		}
	}
	if place < 0 {
		return
	}
	c.owners[place] = k.domain
	m.wanted.Update(k, s.Time, func(w *wanted) {
		if w.born != c.first {
			*w = wanted{domain: strings.Clone(s.Domain), born: c.first, first: now}
		}
		w.messages++
		w.last = max(w.last, now)
		for _, to := range s.Recipients {
			w.recipients.add(m.recipient(to))
		}
		if now <= w.first+learnsLinks {
			for _, d := range p.Domains {
				if !w.links.full() {
					w.links.add(m.sketcher.name('l', d))
				}
			}
		}
	})
}
