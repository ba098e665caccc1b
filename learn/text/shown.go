package text

import (
	"sluice/internal/disguise"
	"sluice/message"
)

// Shown is the visible text of a message made plain, for all who read it: making it is
// a good part of their time. It never changes. A nil one is of no text, and works.
type Shown struct {
	of    string // as written
	plain []byte
	most  int // octets that it had while it was made; a limit below cuts it
	apart int // words whose letters stood apart
	marks disguise.Marks
}

// mostShown is the longest text, in octets, that is kept: of a longer one each reader
// looks at other parts.
const mostShown = 32 << 10

// Show makes the visible text of m plain, nil where it is long.
func Show(m *message.Message) *Shown {
	s := m.View().Text
	if len(s) > mostShown {
		return nil
	}
	p := &Shown{of: s, marks: disguise.Scan(s)}
	b := appendNormal(make([]byte, 0, len(s)+16), s, 4*mostShown)
	p.most = len(b)
	p.plain, p.apart = closeLetterspacing(b)
	return p
}

// is says whether p is what becomes of s within limit octets.
func (p *Shown) is(s string, limit int) bool {
	return p != nil && p.most <= min(limit, 4*mostShown-1) && p.of == s
}

// Append is [AppendNormal].
func (p *Shown) Append(dst []byte, s string, limit int) []byte {
	if p.is(s, limit) {
		return append(dst, p.plain...)
	}
	return AppendNormal(dst, s, limit)
}

// Effort is [Effort.Append].
func (p *Shown) Effort(e *Effort, dst []byte, s string, limit int) []byte {
	if !p.is(s, limit) {
		return e.Append(dst, s, limit)
	}
	e.mark(p.marks)
	e.Apart += p.apart
	return append(dst, p.plain...)
}

// Marks is [disguise.Scan].
func (p *Shown) Marks(s string) disguise.Marks {
	if p != nil && p.of == s {
		return p.marks
	}
	return disguise.Scan(s)
}
