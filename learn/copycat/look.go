package copycat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/domains"
	"sluice/learn/campaign"
)

// Verdict is what a message is to the campaigns that are remembered.
type Verdict uint8

// The verdicts, by what they say against the message.
const (
	Unlike  Verdict = iota // near none of them
	Genuine                // near one, and leads where that does: passed on, or through a list
	Own                    // its sender has the right
	Foreign                // near the campaign of another, and no copy of it: a form that several use
	Posing                 // no copy, but shows the logo of another's mail, names the other and leads elsewhere
	Hint                   // a copy by what can be told
	Copy                   // a copy
)

// Twin is the campaign that a message is near.
type Twin struct {
	Domain      string // whose it is
	Subject     string // of its latest mail; for the admin
	First, Last time.Time
}

// Finding is what Look found.
type Finding struct {
	Verdict Verdict
	Twin    Twin
	Near    string // in words: what is alike, and how much
	Call    Call   // where it leads that the twin doesn't
	Why     string // what a hint lacks
}

// hit counts what a message shares with a campaign.
type hit struct {
	of                      ref
	runs, layouts, pictures int
	nobodys                 int // runs of it that are anybody's by now
	named                   bool
	owner                   uint16
	ofOwner                 int // runs that it or another campaign of its owner has
	probe                   int // in which ofOwner was counted last
}

// Bounds of the campaigns that are counted for one message, and of the owners that it
// is held against.
const (
	mostHits   = 64
	mostOwners = 4
	leastSum   = 4
)

// likeness says how a message is near a campaign.
type likeness struct {
	near     int     // see nearness
	text     float64 // share of the campaign's runs that the message has, of those that are its own
	all      float64 // of all of them
	runs     int
	alike    float64 // estimated similarity of the texts
	layout   float64
	pictures int
	of       int  // pictures of the campaign
	links    bool // to the owner
	keeps    bool // links or pictures lead to the owner
	tied     bool // links lead to the author's domain, which isn't the owner's
	certain  bool // the button is known by its words
	titled   bool // the subject is the same
	named    bool // the text names the owner
	claims   bool // the author's name or address does
	forged   bool // the address is the owner's, not authenticated: genuine mail whose signature broke looks so too
}

// Look compares a message with what is remembered. It changes nothing.
func (m *Memory) Look(p *Print, s campaign.Sighting) Finding {
	if p.Empty() || len(p.Calls) == 0 {
		return Finding{}
	}
	var hits [mostHits]hit
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := hits[:m.hits(p, &hits)]
	slices.SortFunc(found, func(a, b hit) int { return b.sum() - a.sum() })
	var best Finding
	var seen []uint64
	own := false
	for i := range found {
		c := m.at(found[i].of)
		if found[i].sum() < leastSum || len(seen) == mostOwners {
			break
		}
		if c == nil || slices.Contains(seen, c.owner) {
			continue
		}
		seen = append(seen, c.owner)
		f, named := m.against(p, &s, c, found)
		own = own || f.Verdict == Own && named
		if f.Verdict > best.Verdict {
			best = f
		}
	}
	if own && best.Verdict > Own { // of two who own it, one is the sender
		best.Verdict = Own
	}
	return best
}

// against holds a message against all campaigns of the owner of one that it shares
// something with: those have features in common, of which the index keeps few.
func (m *Memory) against(p *Print, s *campaign.Sighting, one *record, found []hit) (f Finding, named bool) {
	var all [window]*record
	n := 0
	shared := hit{owner: uint16(one.owner >> 48)} // what the message shares with any of them
	for i := range found {
		if c := m.at(found[i].of); c != nil && c.owner == one.owner {
			shared.ofOwner, shared.pictures = max(shared.ofOwner, found[i].ofOwner), max(shared.pictures, found[i].pictures)
		}
	}
	for id := range m.places(one.owner) {
		if c := &m.records[id]; c.first != 0 && c.owner == one.owner && m.proven(c) {
			all[n] = c
			n++
		}
	}
	if n == 0 {
		return Finding{}, false
	}
	var likes [window]likeness
	near := 0 // at best
	for i, c := range all[:n] {
		h := shared
		for j := range found {
			if k := &found[j]; k.owner == shared.owner && m.at(k.of) == c {
				h = *k
				h.ofOwner, h.pictures = shared.ofOwner, max(k.pictures, shared.pictures)
			}
		}
		likes[i] = m.liken(p, c, &h)
		l := likes[i]
		l.certain, l.claims = true, true
		near = max(near, l.nearness())
	}
	logo := p.shows(all[:n])
	if near == 0 && !logo {
		return Finding{}, false
	}
	claims := p.claims(one.name())
	forged := s.Domain == "" && p.author == one.name()
	var call astray
	if s.Domain != one.name() {
		call = m.strange(p, all[:n])
	}
	var twin *record
	var like likeness
	for i, c := range all[:n] {
		l := &likes[i]
		l.certain, l.claims, l.forged = call.certain, claims, forged
		l.near = l.nearness()
		if twin == nil || l.better(&like) {
			twin, like = c, *l
		}
	}
	f = m.judge(p, s, twin, &like, &call)
	if logo && f.Verdict < Posing && m.poses(p, s, twin, &call) {
		f = Finding{Posing, twin.twin(), "shows its logo", *call.Call, ""}
	}
	return f, twin.flags&flagNamed != 0
}

// better orders likenesses of one owner's campaigns.
func (l *likeness) better(o *likeness) bool {
	if l.near != o.near {
		return l.near > o.near
	}
	return l.alike+l.all+l.layout/2 > o.alike+o.all+o.layout/2
}

func (h *hit) sum() int {
	n := 4*h.runs + h.nobodys + 8*h.layouts + 8*h.pictures
	if h.named {
		n += leastSum
	}
	return n
}

// hits collects the campaigns that share features with a message.
func (m *Memory) hits(p *Print, out *[mostHits]hit) int {
	n, probes := 0, 0
	probe := func(feature uint64, add func(h *hit, nobodys bool)) {
		probes++
		b := m.index.bucket(feature)
		tag, _ := tags(feature, 0)
		nobodys := false
		first := true
		for i := range b {
			if b[i].of == 0 || b[i].tag != tag {
				continue
			}
			if first {
				nobodys, first = b.owners(tag) >= common, false
			}
			k := 0
			for k < n && out[k].of != b[i].of {
				k++
			}
			if k == n {
				if n == mostHits {
					continue
				}
				out[n] = hit{of: b[i].of, owner: b[i].owner}
				n++
			}
			add(&out[k], nobodys)
		}
	}
	// What is told apart by a name stands first: common runs would take all the room.
	labels := p.labels()
	named := func(l string) { probe(m.name(l), func(h *hit, _ bool) { h.named = true }) }
	for _, l := range labels {
		named(l)
	}
	p.captions(named)
	for _, f := range m.frames(p, labels) {
		probe(f, func(h *hit, nobodys bool) {
			if !nobodys {
				h.layouts++
			}
		})
	}
	for _, f := range p.Pictures {
		probe(f, func(h *hit, nobodys bool) {
			if !nobodys {
				h.pictures++
			}
		})
	}
	for _, r := range p.Runs {
		probe(r, func(h *hit, nobodys bool) {
			if nobodys {
				h.nobodys++
				return
			}
			h.runs++
			for i := range out[:n] { // an owner's campaigns share runs, of which the index keeps three
				if o := &out[i]; o.owner == h.owner && o.probe != probes {
					o.ofOwner, o.probe = o.ofOwner+1, probes
				}
			}
		})
	}
	return n
}

func (c *record) twin() Twin {
	return Twin{c.name(), string(c.subject[:c.subjectLen]), moment(c.first), moment(c.last)}
}

func (c *record) name() string { return string(c.domain[:c.domainLen]) }

// liken measures.
func (m *Memory) liken(p *Print, c *record, h *hit) likeness {
	l := likeness{runs: h.runs, pictures: h.pictures, of: int(c.pictures)}
	if n := int(c.runs) - h.nobodys; n > 0 {
		l.text = min(1, float64(h.runs)/float64(n))
	}
	if h.ofOwner > l.runs {
		l.runs, l.text = h.ofOwner, max(l.text, min(1, float64(h.ofOwner)/mostRuns))
	}
	if c.runs > 0 {
		l.all = min(1, float64(h.runs+h.nobodys)/float64(c.runs))
	}
	if p.Text.N > 0 && c.text != [2]uint64{} {
		l.alike = campaign.Similarity(&p.Text.Bits, &c.text)
	}
	if p.Layout.N >= leastLayout && c.layout != [2]uint64{} {
		l.layout = campaign.Similarity(&p.Layout.Bits, &c.layout)
	}
	l.titled = c.titled != 0 && c.titled == uint32(p.titled)
	owner := c.name()
	l.links = slices.Contains(p.Sites, owner)
	l.tied = p.tied(owner)
	// Whoever was first with a picture needn't be the one whose it is.
	l.keeps = l.links || h.pictures > 0 && !l.tied
	return l
}

// nearness is 2 for a copy, 1 for what resembles the campaign.
func (l *likeness) nearness() int {
	switch {
	case l.text >= 0.5 && l.runs >= 5,
		l.text >= 0.3 && l.runs >= 4 && (l.layout >= 0.6 || l.keeps),
		l.all >= 0.7 && l.text >= 0.3 && l.runs >= 2 && l.keeps,
		l.text >= 0.15 && l.runs >= 2 && l.layout >= 0.75 && l.keeps,
		l.layout >= 0.85 && l.keeps && (l.certain || l.pictures >= 2),
		l.titled && l.certain && l.keeps:
		return 2
	case !l.claims:
	case l.alike >= 0.5 && (l.keeps || l.certain),
		l.certain && l.keeps && (l.runs >= 2 || l.pictures > 0 || l.all >= 0.3 || l.layout >= 0.7),
		l.layout >= 0.8 && l.keeps && !l.forged,
		l.certain && l.all >= 0.5,
		l.certain && l.titled,
		l.all >= 0.7 && l.runs >= 2:
		return 2 // who says that it is the owner's, and shows the owner's button
	}
	switch {
	case l.text >= 0.3 && l.runs >= 4,
		l.text >= 0.1 && l.runs >= 2 && l.keeps,
		l.layout >= 0.8 && l.keeps:
		return 1
	}
	return 0
}

// whole says whether the message is the campaign's text from one end to the other, not
// only by what all of its owner's mail has in common.
func (l *likeness) whole() bool {
	return l.alike >= same || l.text >= 0.6 && l.runs >= 6 && l.alike >= 0.4 || l.all >= 0.9 && l.runs >= 4
}

// String says it in words.
func (l *likeness) String() string {
	var out []string
	if l.runs > 0 {
		out = append(out, fmt.Sprintf("%.0f %% of its text", 100*l.text))
	}
	if l.layout >= 0.5 {
		out = append(out, fmt.Sprintf("layout alike by %.0f %%", 100*l.layout))
	}
	if l.pictures > 0 {
		out = append(out, fmt.Sprintf("%d of its pictures", l.pictures))
	}
	return strings.Join(out, ", ")
}

// judge decides what a message is to one campaign.
func (m *Memory) judge(p *Print, s *campaign.Sighting, c *record, l *likeness, call *astray) Finding {
	if l.near == 0 {
		return Finding{}
	}
	owner := c.name()
	f := Finding{Twin: c.twin(), Near: l.String()}
	if s.Domain != "" && (s.Domain == owner || m.cfg.Related(owner, s.Domain)) {
		f.Verdict = Own
		return f
	}
	if call.Call == nil {
		f.Verdict = Genuine
		return f
	}
	f.Call = *call.Call
	l.named = p.names(owner)
	f.Verdict, f.Why = m.weigh(p, s, c, l, call)
	return f
}

// astray is the call of a message that leads neither to the owner nor where the
// campaign does.
type astray struct {
	*Call
	certain bool // it is the campaign's own button, by its words
	beside  bool // the campaign's button is there as well, as it was
	unknown bool // nobody knows where it leads: another host of the service that the campaign uses
	within  bool // it stands among the links that lead where they should, or there are none
}

// mostWeighed bounds the calls of a message that are held against campaigns.
const mostWeighed = 60

// strange finds what a message asks to be followed that leads astray. What people
// write in front of and behind a message that they pass on doesn't change its button,
// and stands outside of its links.
func (m *Memory) strange(p *Print, all []*record) (out astray) {
	owner := all[0].name()
	rotates := map[uint64]bool{}
	top := p.Calls[0].Weight
	var intact *Call
	var unknown astray
	first, last := len(p.msg.View().Links), -1 // of those that lead where they should
	for i := range p.Calls[:min(len(p.Calls), mostWeighed)] {
		k := &p.Calls[i]
		words, inside, asked := false, k.org == owner, false
		for _, c := range all {
			words = words || k.Words != "" && has(&c.wording, k.said)
			inside = inside || c.inside(k)
			asked = asked || has(&c.calls, k.site)
		}
		counted := false
		if k.service != "" && !inside {
			r, ok := rotates[k.shape]
			if !ok {
				r = m.rotates(all, k)
				rotates[k.shape] = r
			}
			counted = r
		}
		if inside || counted {
			first, last = min(first, k.first), max(last, k.last)
		}
		switch {
		case inside && intact == nil && (words || k.Words == "" && asked):
			intact = k
		case inside, domains.Rewriter(k.Host):
		case counted:
			if k.Weight >= max(0.5*top, leastWeight) && (unknown.Call == nil || words && !unknown.certain) {
				unknown = astray{Call: k, unknown: true, certain: words}
			}
		case words && !out.certain:
			out.Call, out.certain = k, true
		case out.Call == nil && k.Weight >= max(0.5*top, leastWeight):
			out.Call = k
		}
	}
	if out.Call == nil {
		return unknown
	}
	out.within = last < 0 || first < out.Index && out.Index < last
	if intact == nil || out.certain {
		return out
	}
	out.beside = true
	if !out.within && (p.Marks != 0 || !out.Button && out.Weight <= intact.Weight) {
		return astray{}
	}
	return out
}

// inside says whether a link leads where a campaign's do. Where anybody can have a
// place, only the campaign's own calls count.
func (c *record) inside(k *Call) bool {
	return has(&c.calls, k.site) || k.Site == k.org && c.leads(k.site)
}

// weigh decides about a near message that leads astray.
func (m *Memory) weigh(p *Print, s *campaign.Sighting, c *record, l *likeness, call *astray) (Verdict, string) {
	owner := c.name()
	leads := call.org
	speaks := !strings.Contains(label(leads), label(owner)) && p.names(leads) // of where it leads
	aligned := s.Domain != ""
	known := aligned && s.History && !domains.FreeMail(s.Domain)
	home := aligned && leads == s.Domain && !domains.FreeMail(s.Domain)
	switch {
	case l.tied && !l.links && !(l.named && l.claims):
		return Foreign, "it leads to its author, who goes by another name"
	case aligned && c.leads(m.cfg.Prints.Hash(hashSite, s.Domain)) && home:
		return Foreign, "the campaign led there" // the campaign led to the sender, who comes second: a stolen text
	case home && known:
		// A domain with a good name that leads to itself: a text that both use, unless
		// it keeps the other's links.
		if l.keeps && l.near == 2 && l.claims {
			return Hint, "the sender has a history of its own"
		}
		return Foreign, "a text that both use"
	case home && !l.keeps && !(l.named && c.flags&flagNamed != 0):
		return Foreign, "it leads home"
	case !l.links && p.namesake(owner, call.org, !l.claims || p.Marks != 0):
		// Of two of one name nobody knows which is the other's copy.
		return Foreign, "another one of that name"
	case home && label(s.Domain) == label(owner):
		return Hint, "the sender has the same name"
	}
	// Another link in the place of the button, which is gone, with the rest as it was.
	usurped := p.Marks == 0 && call.within && call.Button && (!call.beside || l.titled) && !call.unknown && l.whole()
	if call.unknown && (!l.claims || p.author == owner || p.Marks != 0) {
		return Foreign, "the service's other host" // as genuine mail that was passed on
	}
	if !l.claims {
		// Who passes a mail on, or writes of the owner, does it in a name of their own.
		strong := l.text >= 0.5 && l.runs >= 5 || l.all >= 0.7 && l.runs >= 2 || l.alike >= 0.5 || l.keeps && (l.layout >= 0.7 || l.titled) && p.Marks == 0
		if aligned && !domains.FreeMail(s.Domain) && p.names(s.Domain) {
			return Foreign, "a partner" // a partner
		}
		if !call.certain && !usurped || !strong || !l.links {
			return Foreign, "in a name of its own"
		}
	}
	if !l.keeps && !l.named {
		// Nothing of it says that it is the owner's.
		if p.author != owner || c.flags&flagNamed != 0 || l.near < 2 || l.text < 0.7 || speaks {
			return Foreign, "nothing says whose it is"
		}
		return Hint, "it names nobody"
	}
	if !l.keeps && c.flags&flagNamed == 0 && speaks {
		return Foreign, "it names where it leads" // it names where it leads, and the campaign doesn't name its owner
	}
	switch {
	case (l.near < 2 || p.Marks != 0) && !call.certain && (p.Marks != 0 && !call.within || l.near < 2 && !call.Button):
		return Foreign, "its own words lead elsewhere"
	case l.near < 2:
		return Hint, "it resembles the mail"
	case p.Marks != 0 && !call.certain:
		return Hint, "it was passed on"
	case call.unknown && !call.certain:
		return Hint, "the link is of the service that the campaign used"
	case l.forged && !call.certain && !usurped:
		// Letters that link all over the world look so once their signature broke.
		if !call.Button {
			return Foreign, "the address is the owner's"
		}
		return Hint, "the address is the owner's, and the button another one"
	}
	return Copy, ""
}

// tied says whether a message leads to its author's domain, which isn't the owner's.
func (p *Print) tied(owner string) bool {
	return p.author != owner && slices.Contains(p.Sites, p.author) && !domains.FreeMail(p.author)
}

// namesake says whether a message is of, or leads to, another domain of the owner's
// name, or of a part of it: copies add to a name. Where its call leads counts only if
// it was passed on, since copies lead there as well.
func (p *Print) namesake(owner, call string, passed bool) bool {
	is := func(d string) bool {
		l := label(d)
		return d != owner && (l == label(owner) || len(l) >= 4 && strings.Contains(label(owner), l))
	}
	return is(p.author) || slices.ContainsFunc(p.Sites, func(d string) bool { return is(d) && (d != call || passed) })
}

// rotates says whether campaigns' links ran through hosts of a service that change,
// and that look like this one: another one of them says nothing. A service that gives
// its customer one host says with another that it is another customer's.
func (m *Memory) rotates(all []*record, k *Call) bool {
	for _, c := range all {
		// Several in one message; or one of many, of one mailing each. What is free
		// stands behind the calls.
		if c.leads(k.shape) || c.calls[leastRotating-1] != 0 && c.leads(mix(k.shape)) {
			return true
		}
	}
	return false
}

// label is the name that was registered.
func label(domain string) string {
	l, _, _ := strings.Cut(domain, ".")
	return l
}
