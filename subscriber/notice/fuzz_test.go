package notice

import (
	"bytes"
	"testing"

	"sluice"
)

// FuzzReversePath: only what we made is read as the reverse-path of a notice, in any case
// of letters.
func FuzzReversePath(f *testing.F) {
	m := &Mail{Bounces: "a.example", Key: bytes.Repeat([]byte{5}, 32)}
	n := &message{c: &sluice.Case{ID: "C7K3FQ2M9XW4T"}, try: "mail-3"}
	own := m.returns(n)
	if id, try, ok := m.notice(own); !ok || id != n.c.ID || try != n.try || own == "" {
		f.Fatalf("%q: %q %q %v", own, id, try, ok)
	}
	f.Add(own)
	f.Add("notice-@a.example")
	f.Add("notice-aaaaaaaaaaaaaaaaaaaaaaaa@a.example")
	f.Fuzz(func(t *testing.T, addr string) {
		id, try, ok := m.notice(addr)
		if ok && m.returns(&message{c: &sluice.Case{ID: id}, try: try}) == "" {
			t.Fatalf("%q: %q %q", addr, id, try)
		}
		if ok && (id != n.c.ID || try != n.try) {
			t.Fatalf("%q: a forgery is read", addr)
		}
	})
}
