package campaign

import (
	"slices"
	"strings"
	"time"

	"sluice"
)

// Match is what is known of a cluster that a message belongs to.
type Match struct {
	Kind        string    // what is alike: "text", "layout", "file"
	Similarity  float64   // estimated, of the nearest message
	First, Last time.Time // of the messages before this one
	// Faded counts of the messages before: all, their recipients, the addresses
	// and the networks that they came from.
	Messages, Recipients, Sources, Networks float64
	// Domains counts those with a good name that authenticated such messages.
	Domains float64

	// Bad and Good are what trusted reports weigh by now; one is 1 at first.
	Bad, Good float64
	Reported  bool          // the reports speak against this message
	Threat    sluice.Threat // what the last bad report called it; ThreatNone: it didn't
	// Unrelated is the number of unrelated networks, this message's included, that
	// the cluster came from since Since, if that is less than Config.Outbreak ago.
	Unrelated int
	Since     time.Time
	Outbreak  bool
	// Wanted: the message is one of a wanted campaign, by its own domain.
	Wanted bool
	// Twins are the campaigns of domains with a good name in this cluster.
	Twins []Twin
}

// Twin is a campaign that a domain with a good name authenticated. A message near it
// that isn't the domain's, and leads elsewhere, is a copy of it.
type Twin struct {
	Domain      string
	First, Last time.Time
	Messages    float64
	Recipients  float64 // faded
	Proven      bool    // wanted: by good reports, or by silence of many recipients
	Own         bool    // the message looked up is authenticated by the domain
	// Strange are the sites that the message leads to and the campaign doesn't.
	Strange []string
}

// Common is how many domains with a good name must have sent a text until it is
// nobody's: a notice, a form, an invitation.
const Common = 8

// Look says what is known of a message before it is observed, best first. It changes
// nothing.
func (m *Memory) Look(p *Print, s Sighting) []Match {
	if p.Empty() {
		return nil
	}
	var out []Match
	probes := m.probes(p)
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i := range probes {
		if h, _ := m.find(&probes[i]); h.r != 0 {
			out = append(out, m.match(h, p, &s))
		}
	}
	return out
}

var kindNames = [...]string{kindText: "text", kindLayout: "layout", kindFile: "file"}

func (m *Memory) match(h hit, p *Print, s *Sighting) Match {
	now := seconds(s.Time)
	c := m.records[h.r.id()] // a copy: fading it is our own affair
	c.fade(now, uint32(m.cfg.HalfLife/time.Second))
	out := Match{Kind: kindNames[c.kind], Similarity: h.score, First: moment(c.first), Last: moment(c.last),
		Messages: float64(c.messages), Recipients: c.recipients.count(), Sources: c.sources.count(), Networks: c.networks.count(), Domains: c.domains.count()}
	out.Bad, out.Good = c.labels(now, m.cfg.LabelHalfLife)
	own, inside := m.twins(&out, h.r, &c, p, s)
	against := out.Bad - out.Good
	switch {
	case own != nil:
		// What others did with its text is not held against the owner.
		f := fade(own.last, now, m.cfg.LabelHalfLife)
		out.Bad, out.Good = float64(own.bad)*f, float64(own.good)*f
		out.Wanted = own.protects(now, m.cfg.Recipients) && inside
		against = out.Bad - out.Good
		if own.protects(now, m.cfg.Recipients) {
			against = 0
		}
	case inside && c.flags&badInside == 0:
		against = 0 // leads to the owner's sites alone: forwarded, or through a list
	}
	out.Reported, out.Threat = against >= leastReport, c.threat
	m.burst(&c, s, now)
	if c.burstAt != 0 && now <= c.burstAt+uint32(m.cfg.Outbreak/time.Second) {
		out.Unrelated, out.Since = c.burst.count(), moment(c.burstAt)
		out.Outbreak = out.Unrelated >= m.cfg.Networks && !s.named() && !inside && out.Domains < Common
	}
	return out
}

// leastReport is what reports must weigh to count: 1 is one trusted report today.
const leastReport = 0.05

// twins lists the owners' campaigns of a cluster; the message's own among them, and
// whether the message leads to sites of one of them alone.
func (m *Memory) twins(out *Match, r ref, c *record, p *Print, s *Sighting) (own *wanted, inside bool) {
	now := seconds(s.Time)
	for _, o := range c.owners {
		if o == 0 {
			break
		}
		w, ok := m.wanted.Get(wantedKey{r, o})
		if !ok || w.born != c.first {
			continue
		}
		t := Twin{Domain: w.domain, First: moment(w.first), Last: moment(w.last), Messages: float64(w.messages), Recipients: w.recipients.count(),
			Proven: w.protects(now, m.cfg.Recipients), Own: s.named() && s.Domain == w.domain}
		for _, d := range p.Domains {
			if d != w.domain && !w.links.has(m.sketcher.name('l', d)) {
				t.Strange = append(t.Strange, d)
			}
		}
		if t.Own {
			own = &w
			inside = len(t.Strange) == 0
		}
		inside = inside || own == nil && len(t.Strange) == 0 && len(p.Domains) > 0
		out.Twins = append(out.Twins, t)
	}
	slices.SortStableFunc(out.Twins, func(a, b Twin) int { return strings.Compare(bit(b.Own), bit(a.Own)) })
	return own, inside
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// Label is what somebody trusted says of a message.
type Label struct {
	Time   time.Time
	Bad    bool
	Trust  float64       // 0…1: an admin and a trap have 1, a user what their reports were worth
	By     string        // who: labels of one source don't add up to protection
	Threat sluice.Threat // what a bad message is, if that is known
	Undo   bool          // takes an earlier label back
	Domain string        // authenticated author domain with a good name, as in [Sighting]; "" else
}

// Label applies a label to the clusters of a message, making them where it wasn't
// observed. It says whether it did: a text that many domains with a good name have
// sent for a day isn't blocked by a report about one of its messages.
func (m *Memory) Label(p *Print, l Label) bool {
	l.Trust = min(max(l.Trust, 0), 1)
	if p.Empty() || !(l.Trust > 0) {
		return false
	}
	now, done := seconds(l.Time), false
	s := Sighting{Time: l.Time, Domain: l.Domain, History: l.Domain != ""}
	probes := m.probes(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range probes {
		best, _ := m.find(&probes[i])
		if best.r == 0 {
			if l.Undo {
				continue
			}
			if best.r = m.make(&probes[i], now); best.r == 0 {
				continue
			}
		}
		c := &m.records[best.r.id()]
		if l.Bad && !l.Undo && c.domains.count() >= Common && now > c.first+uint32(day/time.Second) && c.flags&badBefore == 0 {
			continue
		}
		m.label(best.r, c, p, &s, &l)
		m.remember(&probes[i], best, now)
		done = true
	}
	return done
}

// mostLabel bounds what labels of a cluster weigh, so that it can be turned.
const mostLabel = 3

func (m *Memory) label(r ref, c *record, p *Print, s *Sighting, l *Label) {
	now := seconds(l.Time)
	delta := float32(l.Trust)
	if l.Undo {
		delta = -delta
	}
	var seen Match
	own, inside := m.twins(&seen, r, c, p, s)
	if own != nil {
		// About the owner's own message: that stays between them.
		m.wanted.Amend(wantedKey{r, m.sketcher.name('d', s.Domain)}, l.Time, func(w *wanted) {
			f := float32(fade(w.last, now, m.cfg.LabelHalfLife))
			w.bad, w.good, w.last = w.bad*f, w.good*f, max(w.last, now)
			if l.Bad {
				w.bad = min(max(w.bad+delta, 0), mostComplaint)
				return
			}
			w.good = min(max(w.good+delta, 0), mostLabel)
			voice := uint16(1) << (m.sketcher.name('v', l.By) % 16)
			if w.goodBy |= voice; l.Undo {
				w.goodBy &^= voice
			}
		})
		return
	}
	bad, good := c.labels(now, m.cfg.LabelHalfLife)
	if l.Bad {
		bad = min(max(bad+float64(delta), 0), mostLabel)
		c.flags |= badBefore
		if !l.Undo && l.Threat != sluice.ThreatNone {
			c.threat = l.Threat
		}
		if inside {
			c.flags |= badInside
		}
		if bad == 0 {
			c.flags &^= badBefore | badInside
			c.threat = sluice.ThreatNone
		}
	} else {
		good = min(max(good+float64(delta), 0), mostLabel)
	}
	c.bad, c.good, c.labelAt = float32(bad), float32(good), now
}

// mostComplaint bounds the complaints about an owner's campaign that are kept.
const mostComplaint = 1e6
