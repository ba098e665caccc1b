package copycat

import (
	"iter"
	"math/bits"
	"sync"
	"time"

	"sluice/internal/domains"
	"sluice/learn/campaign"
)

// Config sets up a Memory. Zero fields take the default.
type Config struct {
	// Prints makes the prints of messages and hashes names; nodes of a fleet share
	// its key. Needed.
	Prints *campaign.Memory
	// Campaigns is how many are kept, about 600 octets each: default 100,000, at most
	// 16 million.
	Campaigns int
	// Recipients is how many a campaign must have reached, default 3. Copies of what
	// fewer got aren't looked for.
	Recipients int
	// Forget is after how long without mail a campaign gives way to any other,
	// default 400 days.
	Forget time.Duration
	// Related says whether a domain may send in the name of an owner: an admin's list,
	// a brand's other domains. nil: only the owner itself.
	Related func(owner, domain string) bool
	// Tracker names the service that counts clicks at a host for its customers; nil:
	// the ones that are well known.
	Tracker func(host string) (service string, ok bool)
}

func (c *Config) defaults() {
	if c.Campaigns <= 0 {
		c.Campaigns = 100_000
	}
	c.Campaigns = min(max(c.Campaigns, 2*window), 1<<24-2)
	if c.Recipients <= 0 {
		c.Recipients = 3
	}
	if c.Forget < time.Hour {
		c.Forget = 400 * 24 * time.Hour
	}
	if c.Related == nil {
		c.Related = func(string, string) bool { return false }
	}
	if c.Tracker == nil {
		c.Tracker = wellKnown
	}
}

func wellKnown(host string) (string, bool) {
	if !domains.Counter(host) {
		return "", false
	}
	return org(host), true
}

// record is a campaign, 256 octets.
type record struct {
	owner   uint64
	to      uint64 // recipients, a bit each
	logo    uint64 // perceptual hash of the enclosed one, 0 for none
	text    [2]uint64
	layout  [2]uint64
	sites   [4]uint64 // Bloom filter
	calls   [mostAsked]uint32
	wording [mostAsked]uint32
	waiting [2]waiting
	first   uint32
	last    uint32
	titled  uint32 // hash of the latest subject

	runs, layouts, pictures uint8 // features in the index
	generation              uint8
	flags                   uint8
	domainLen, subjectLen   uint8
	domain                  [maxDomain]byte
	subject                 [36]byte
}

// waiting is a site that came after the first day: it is believed when it came again.
type waiting struct {
	site uint32
	n    uint32
}

const flagNamed = 1

// maxDomain is the longest domain of an owner: longer ones own nothing.
const maxDomain = 48

// window is how many places an owner's campaigns can take. They overlap with those of
// others.
const window = 64

// Memory remembers campaigns. Its methods are safe for concurrent use.
type Memory struct {
	cfg Config

	mu      sync.RWMutex
	index   index
	records []record // 0 is unused
	used    int
}

// New makes an empty Memory, which takes all of its memory at once.
func New(cfg Config) *Memory {
	cfg.defaults()
	m := &Memory{cfg: cfg}
	m.reset()
	return m
}

func (m *Memory) reset() {
	const features = 32 // of a campaign, with a fifth of the places left free
	m.index = newIndex(m.cfg.Campaigns * features)
	m.records = make([]record, m.cfg.Campaigns+1)
	m.used = 0
}

// Stats counts what is kept.
type Stats struct {
	Campaigns int
	Features  int
	Octets    int // of memory
}

// Stats counts what is kept.
func (m *Memory) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Stats{Campaigns: m.used, Features: m.index.used, Octets: 256*len(m.records) + 64*len(m.index.buckets)}
}

// at returns the campaign that a ref names, nil where it is gone.
func (m *Memory) at(r ref) *record {
	if r.id() == 0 || r.id() >= len(m.records) {
		return nil
	}
	if c := &m.records[r.id()]; c.first != 0 && c.generation == r.generation() {
		return c
	}
	return nil
}

// proven says whether a campaign reached enough people.
func (m *Memory) proven(c *record) bool { return bits.OnesCount64(c.to) >= m.cfg.Recipients }

// Observe remembers a message, after it was judged, where its sender has a good name
// at stake. It returns what it learned, for the other nodes of a fleet, or nil where
// that was nothing new. Copies teach nothing; what is near the campaign of another
// domain doesn't get what that has already.
func (m *Memory) Observe(p *Print, s campaign.Sighting) *Entry {
	if p.Empty() || s.Domain == "" || !s.History || domains.FreeMail(s.Domain) || len(s.Domain) > maxDomain {
		return nil
	}
	f := m.Look(p, s)
	if f.Verdict >= Posing {
		return nil
	}
	e := m.entry(p, &s, f.Verdict == Foreign)
	if !m.Apply(e) {
		return nil
	}
	return e
}

// Apply takes an entry in, of this node or another. It says whether it taught anything.
func (m *Memory) Apply(e *Entry) bool {
	if e.Domain == "" || len(e.Domain) > maxDomain || len(e.Runs) == 0 && len(e.Layouts) == 0 && len(e.Pictures) == 0 || len(e.Calls) == 0 {
		return false
	}
	owner := m.cfg.Prints.Hash(hashDomain, e.Domain)
	m.mu.Lock()
	defer m.mu.Unlock()
	id, known := m.place(owner, e)
	if id == 0 {
		return false
	}
	c := &m.records[id]
	if !known {
		if c.first == 0 {
			m.used++
		}
		*c = record{owner: owner, text: e.Text, layout: e.Layout, first: e.At, generation: c.generation + 1}
		c.domainLen = uint8(copy(c.domain[:], e.Domain))
	}
	news := c.take(e) || !known
	if !known || c.first > e.At {
		c.first = min(c.first, e.At)
	}
	if e.At >= c.last {
		c.last = e.At
		c.titled = uint32(m.subject(e.Subject))
		if e.Logo != 0 {
			c.logo = e.Logo
		}
		c.subjectLen = uint8(copy(c.subject[:], clip(e.Subject, len(c.subject))))
	}
	of := makeRef(id, c.generation)
	dead := func(r ref) bool { o := m.at(r); return o == nil }
	for _, f := range []struct {
		have *uint8
		of   []uint64
		most int
	}{{&c.runs, e.Runs, mostRuns}, {&c.layouts, e.Layouts, mostLayouts}, {&c.pictures, e.Pictures, mostShown}} {
		if int(*f.have) >= len(f.of) {
			continue // what copies of one campaign have in common is there
		}
		for _, h := range f.of[:min(len(f.of), f.most)] {
			m.index.put(h, owner, of, dead)
		}
		*f.have = uint8(min(len(f.of), f.most))
	}
	m.index.put(m.name(squeeze(normal(label(e.Domain), maxDomain))), owner, of, dead)
	return news
}

// take adds an entry to its campaign.
func (c *record) take(e *Entry) bool {
	const day = 24 * 60 * 60
	news := c.to|e.To != c.to || e.Named && c.flags&flagNamed == 0
	c.to |= e.To
	if e.Named {
		c.flags |= flagNamed
	}
	young := e.At < c.first+day
	for _, s := range e.Sites {
		if !c.leads(s) && (young || c.again(uint32(s))) && !full(&c.sites) {
			c.add(s)
			news = true
		}
	}
	for _, s := range e.Calls {
		if c.leads(s) {
			news = keep(&c.calls, s) || news
		}
	}
	for _, w := range e.Wording {
		news = keep(&c.wording, w) || news
	}
	return news
}

// again counts a site that came late; two more messages with it make it known.
func (c *record) again(site uint32) bool {
	for i := range c.waiting {
		if c.waiting[i].site == site {
			c.waiting[i].n++
			return c.waiting[i].n >= 2
		}
	}
	c.waiting[1] = c.waiting[0]
	c.waiting[0] = waiting{site: site}
	return false
}

// keep adds a hash to a small set; the oldest gives way.
func keep(set *[mostAsked]uint32, h uint64) bool {
	for _, o := range set {
		if o == uint32(h) {
			return false
		}
	}
	copy(set[1:], set[:mostAsked-1])
	set[0] = uint32(h)
	return true
}

func has(set *[mostAsked]uint32, h uint64) bool {
	for _, o := range set {
		if o == uint32(h) && o != 0 {
			return true
		}
	}
	return false
}

// The sites of a campaign are a Bloom filter of 256 bits, four bits a site: a stranger
// among ten passes with one in two thousand.
func (c *record) add(h uint64) {
	for i := range 4 {
		n := h >> (8 * i) & 255
		c.sites[n/64] |= 1 << (n % 64)
	}
}

func (c *record) leads(h uint64) bool {
	for i := range 4 {
		if n := h >> (8 * i) & 255; c.sites[n/64]>>(n%64)&1 == 0 {
			return false
		}
	}
	return true
}

// full says that more sites would let every stranger pass.
func full(b *[4]uint64) bool {
	return bits.OnesCount64(b[0])+bits.OnesCount64(b[1])+bits.OnesCount64(b[2])+bits.OnesCount64(b[3]) > 112
}

// place finds the campaign that an entry belongs to, or a place for a new one: a free
// one of the owner's window, else that of the least worthy. An owner who has three
// quarters of it gives up one of its own.
func (m *Memory) place(owner uint64, e *Entry) (id int, known bool) {
	free, mine := 0, 0
	best, like := 0, 0.0
	var victim, own struct {
		id    int
		worth uint64
	}
	victim.worth, own.worth = ^uint64(0), ^uint64(0)
	for at := range m.places(owner) {
		c := &m.records[at]
		if c.first == 0 {
			if free == 0 {
				free = at
			}
			continue
		}
		worth := uint64(c.last)
		if m.proven(c) && c.last+uint32(m.cfg.Forget/time.Second) >= e.At {
			worth |= 1 << 32
		}
		if worth < victim.worth {
			victim.id, victim.worth = at, worth
		}
		if c.owner != owner {
			continue
		}
		mine++
		if worth < own.worth {
			own.id, own.worth = at, worth
		}
		if l := c.like(e); l > like {
			best, like = at, l
		}
	}
	switch {
	case like >= same:
		return best, true
	case free != 0 && mine < window*3/4:
		return free, false
	case mine >= window*3/4:
		return own.id, false
	case victim.worth>>32 != 0 && victim.worth&0xffffffff+30*24*60*60 > uint64(e.At):
		return 0, false // all were seen of late
	}
	return victim.id, false
}

// places yields the places of an owner's window.
func (m *Memory) places(owner uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		n := len(m.records) - 1
		hi, _ := bits.Mul64(mix(owner), uint64(n))
		for i := range min(window, n) {
			if !yield((int(hi)+i)%n + 1) {
				return
			}
		}
	}
}

// same is how alike messages of one campaign are.
const same = 0.75

// like says how alike an entry is to a campaign of its owner.
func (c *record) like(e *Entry) float64 {
	text, layout := e.Text != [2]uint64{}, e.Layout != [2]uint64{}
	switch {
	case text && c.text != [2]uint64{}:
		return campaign.Similarity(&c.text, &e.Text)
	case !text && c.text == [2]uint64{} && layout && c.layout != [2]uint64{}:
		return campaign.Similarity(&c.layout, &e.Layout)
	}
	return 0
}
