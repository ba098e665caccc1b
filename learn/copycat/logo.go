package copycat

import (
	"math/bits"
	"slices"
	"strings"

	"sluice/internal/domains"
	"sluice/learn/campaign"
	"sluice/learn/text"
)

// Picture is an enclosed picture as whoever decoded it saw it.
type Picture struct {
	Hash          uint64 // perceptual, by discrete cosine transform; 0 where there is none
	Width, Height int    // pixels
}

// Bounds of what may be a logo. Smaller pictures are icons, larger ones photographs.
const (
	mostLogos   = 4
	leastWide   = 48
	leastHigh   = 16
	mostLogo    = 1000 * 600
	mostAlike   = 10 // bits in which two pictures of one logo differ
	leastDetail = 8  // bits that are set, and that aren't
)

// Shows returns the print with what was seen of the enclosed pictures.
func (p *Print) Shows(pictures []Picture) *Print {
	if p == nil || len(pictures) == 0 {
		return p
	}
	out := *p
	out.logos = nil
	for _, k := range pictures {
		n := bits.OnesCount64(k.Hash)
		if k.Width < leastWide || k.Height < leastHigh || k.Width > mostLogo/k.Height || n < leastDetail || n > 64-leastDetail || slices.Contains(out.logos, k.Hash) {
			continue
		}
		if out.logos = append(out.logos, k.Hash); len(out.logos) == mostLogos {
			break
		}
	}
	return &out
}

// shows says whether the message encloses an owner's logo. Of pairs of different logos one
// in a few hundred is as alike, so it is asked of those owners only whom something else
// speaks of.
func (p *Print) shows(all []*record) bool {
	for _, c := range all {
		for _, l := range p.logos {
			if c.logo != 0 && bits.OnesCount64(l^c.logo) <= mostAlike {
				return true
			}
		}
	}
	return false
}

// captions are the names that a message with pictures may use beside its author's: words of
// its subject and of what is written in place of its pictures, and each two.
func (p *Print) captions(add func(string)) {
	if len(p.logos) == 0 {
		return
	}
	v := p.msg.View()
	b := text.AppendNormal(make([]byte, 0, 400), v.Subject, 200)
	b = text.AppendNormal(append(b, ' '), v.Alt, 200)
	last := ""
	for w := range strings.FieldsSeq(string(b)) {
		w = squeeze(w)
		add(w)
		add(last + w)
		last = w
	}
}

// poses says whether a message that shows an owner's logo passes for the owner's: it
// goes by the owner's name, or names the owner above a button, has no right to, and what
// it asks to be followed leads neither to the owner nor to the sender. Who passes mail on
// keeps the button.
func (m *Memory) poses(p *Print, s *campaign.Sighting, c *record, call *astray) bool {
	owner := c.name()
	switch {
	case call.Call == nil || call.unknown || call.beside || !call.within || p.Marks != 0:
		return false
	case s.Domain != "" && (s.Domain == owner || m.cfg.Related(owner, s.Domain)):
		return false
	case s.Domain != "" && call.org == s.Domain && !domains.FreeMail(s.Domain), label(p.author) == label(owner):
		// The owner's own address, not authenticated, is also what genuine mail with a
		// broken signature looks like.
		return false
	}
	return !p.tied(owner) && p.names(owner) && (call.Button || p.claims(owner))
}
