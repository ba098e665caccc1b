package copycat

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"sluice/learn/campaign"
	"sluice/message/links"
)

// Bounds of an Entry.
const (
	mostRuns    = 20
	mostLayouts = 6 // half of the text's, half of the tags'
	mostShown   = 4 // pictures
	mostPlaces  = 32
	mostAsked   = 6 // calls and their words
	maxSubject  = 96
	leastLayout = 12
)

// Entry is what one authenticated message teaches. Entries are the unit of a fleet:
// each node applies those of the others, in any order and as often as it likes, and
// all come to the same memory but for what there was no room for.
type Entry struct {
	Domain  string // the owner
	Subject string
	At      uint32 // seconds since 1970
	Named   bool   // the message names the owner in its text
	To      uint64 // its recipients, a bit each

	Logo uint64 // perceptual hash of the logo that it encloses; 0 for none

	Text, Layout   [2]uint64 // folded sketches
	Runs           []uint64  // features: a sample of runs of words,
	Layouts        []uint64  // text and layout as a whole, with the owner's name,
	Pictures       []uint64  // pictures
	Sites          []uint64  // where its links and pictures lead, hashed
	Calls, Wording []uint64  // where the prominent ones lead, and the words on them
}

// ErrEntry is what octets yield that are no stored Entry.
var ErrEntry = errors.New("copycat: no stored entry")

const entryVersion = 2

// lists are the hashes of an entry and how many there may be.
func (e *Entry) lists() [6]struct {
	of   *[]uint64
	most int
} {
	type list = struct {
		of   *[]uint64
		most int
	}
	return [6]list{{&e.Runs, mostRuns}, {&e.Layouts, mostLayouts}, {&e.Pictures, mostShown}, {&e.Sites, mostPlaces}, {&e.Calls, mostAsked}, {&e.Wording, mostAsked}}
}

// MarshalBinary writes the entry, at most about a kilobyte.
func (e *Entry) MarshalBinary() ([]byte, error) {
	le := binary.LittleEndian
	b := []byte{entryVersion, 0}
	if e.Named {
		b[1] = 1
	}
	b = le.AppendUint64(le.AppendUint32(b, e.At), e.To)
	for _, s := range []string{clip(e.Domain, maxDomain), clip(e.Subject, maxSubject)} {
		b = append(append(b, byte(len(s))), s...)
	}
	for _, n := range []uint64{e.Logo, e.Text[0], e.Text[1], e.Layout[0], e.Layout[1]} {
		b = le.AppendUint64(b, n)
	}
	for _, l := range e.lists() {
		n := min(len(*l.of), l.most)
		b = append(b, byte(n))
		for _, h := range (*l.of)[:n] {
			b = le.AppendUint64(b, h)
		}
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (e *Entry) UnmarshalBinary(b []byte) error {
	f := fields{b: b}
	var out Entry
	version, flags := f.take(1)[0], f.take(1)[0]
	if version != entryVersion || flags > 1 {
		return ErrEntry
	}
	out.Named = flags == 1
	out.At, out.To = f.u32(), f.u64()
	out.Domain = string(f.take(int(f.take(1)[0])))
	out.Subject = string(f.take(int(f.take(1)[0])))
	for _, n := range []*uint64{&out.Logo, &out.Text[0], &out.Text[1], &out.Layout[0], &out.Layout[1]} {
		*n = f.u64()
	}
	for _, l := range out.lists() {
		n := int(f.take(1)[0])
		if n > l.most {
			return ErrEntry
		}
		for range n {
			*l.of = append(*l.of, f.u64())
		}
	}
	if f.short || len(f.b) > 0 || out.Domain == "" || len(out.Domain) > maxDomain || out.Domain != strings.ToLower(out.Domain) || len(out.Subject) > maxSubject {
		return ErrEntry
	}
	*e = out
	return nil
}

// fields takes numbers off octets; past their end they are 0 and short is set.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.short, f.b = true, nil
		return make([]byte, min(max(n, 1), 255))
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) u32() uint32 { return binary.LittleEndian.Uint32(f.take(4)) }
func (f *fields) u64() uint64 { return binary.LittleEndian.Uint64(f.take(8)) }

func clip(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 1), math.MaxUint32)) }

func moment(s uint32) time.Time { return time.Unix(int64(s), 0).UTC() }

// entry is what a message teaches. Of one that is beside another's campaign only what
// nobody has yet counts.
func (m *Memory) entry(p *Print, s *campaign.Sighting, beside bool) *Entry {
	h := m.cfg.Prints.Hash
	e := &Entry{Domain: s.Domain, Subject: clip(p.Subject, maxSubject), At: seconds(s.Time), Named: p.names(s.Domain), Text: p.Text.Bits, Layout: p.Layout.Bits}
	if len(p.logos) > 0 {
		e.Logo = p.logos[0]
	}
	for _, to := range s.Recipients {
		e.To |= 1 << (h(hashTo, strings.ToLower(to)) % 64)
	}
	m.mu.RLock()
	owner := h(hashDomain, s.Domain)
	for _, r := range p.Runs { // the least that aren't everybody's
		tag, by := tags(r, owner)
		b := m.index.bucket(r)
		if len(e.Runs) < mostRuns && b.owners(tag) < common && !(beside && b.others(tag, by)) {
			e.Runs = append(e.Runs, r)
		}
	}
	m.mu.RUnlock()
	if p.Text.N == 0 {
		e.Text = [2]uint64{}
	}
	e.Layouts = m.frames(p, []string{squeeze(normal(label(s.Domain), maxDomain))})
	if p.Layout.N < leastLayout {
		e.Layout = [2]uint64{}
	}
	e.Pictures = slices.Clone(p.Pictures[:min(len(p.Pictures), mostShown)])
	for _, d := range p.Sites {
		e.Sites = append(e.Sites, h(hashSite, d))
	}
	rotates := rotating(p.Calls)
	for i := range p.Calls {
		c := &p.Calls[i]
		at := c.site
		if rotates[c.shape] { // another host of it each time
			at = c.shape
		} else if k := mix(c.shape); c.shape != 0 && !slices.Contains(e.Sites, k) && len(e.Sites) < mostPlaces {
			e.Sites = append(e.Sites, k) // perhaps another one in each mailing
		}
		if !slices.Contains(e.Sites, at) && len(e.Sites) < mostPlaces {
			e.Sites = append(e.Sites, at)
		}
		if c.Weight < 0.5*p.Calls[0].Weight || c.Weight < leastWeight {
			continue
		}
		if !slices.Contains(e.Calls, at) && len(e.Calls) < mostAsked {
			e.Calls = append(e.Calls, at)
		}
		if c.Words != "" && len(e.Wording) < mostAsked {
			if k := c.said; !slices.Contains(e.Wording, k) {
				e.Wording = append(e.Wording, k)
			}
		}
	}
	return e
}

// leastWeight is below what nobody is asked to follow a link.
const leastWeight = 1.5

// frames are features of a text and a layout as a whole, together with a name: what
// many senders have is told apart by whose name, or whose links, stand with it.
func (m *Memory) frames(p *Print, labels []string) []uint64 {
	var out []uint64
	for _, l := range labels {
		k := m.cfg.Prints.Hash(hashLabel, l)
		for b := range mostLayouts / 2 {
			if p.Layout.N >= leastLayout {
				out = append(out, mix(k^p.Layout.Bands[b]))
			}
			if p.Text.N > 0 {
				out = append(out, mix(k^p.Text.Bands[b]))
			}
		}
	}
	return out
}

// name is the feature by which the owner of a domain is found by name.
func (m *Memory) name(label string) uint64 { return m.cfg.Prints.Hash(hashName, label) }

// subject hashes a subject without digits, spaces and marks; 0 for one that says
// little.
func (m *Memory) subject(s string) uint64 {
	const least = 8
	if s = strings.ReplaceAll(squeeze(normal(clip(s, maxSubject), 4*maxSubject)), "0", ""); len(s) < least {
		return 0
	}
	return m.cfg.Prints.Hash(hashSubject, s)
}

// labels are the names that a message uses: those of the sites that it leads to, and
// what its author's name may stand for, each word of it and each two.
func (p *Print) labels() []string {
	const most = 40
	var out []string
	add := func(s string) {
		if len(s) >= 3 && len(s) <= maxDomain && len(out) < most && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	last := ""
	for w := range strings.FieldsSeq(p.named) {
		w = squeeze(w)
		add(w)
		add(last + w)
		last = w
	}
	for _, s := range p.Sites {
		l := label(s)
		if strings.Contains(l, "-") || strings.ContainsAny(l, "0123456789") {
			l = squeeze(normal(l, maxDomain))
		}
		add(l)
	}
	return out
}

// org is the registrable domain of a host in lower case.
func org(host string) string { return links.OrgDomain(strings.ToLower(host)) }
