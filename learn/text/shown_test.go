package text

import (
	"bytes"
	"strings"
	"testing"

	"sluice/message"
)

// FuzzShown: what was made plain before is what would be made anew, whatever the limit,
// and for another text it isn't used.
func FuzzShown(f *testing.F) {
	f.Add("Please see v i a g r a and p\u0430y\u200bpal, 𝐏𝐚𝐲 50", 40)
	f.Add(strings.Repeat("\ufdfa ", 50), 300)
	f.Add("a b c d  e f g", 5)
	f.Add("", 0)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		m := message.Parse([]byte("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"+s), message.DefaultLimits())
		text := m.View().Text
		limit = max(0, min(limit, 1<<16))
		p := Show(m)
		for _, s := range []string{text, text + "more", s} {
			var want, got Effort
			plain := want.Append(nil, s, limit)
			if b := p.Append([]byte("x "), s, limit); !bytes.Equal(b[2:], plain) {
				t.Errorf("%q within %d is %q, want %q", s, limit, b[2:], plain)
			}
			if b := p.Effort(&got, nil, s, limit); !bytes.Equal(b, plain) || got != want {
				t.Errorf("%q within %d is %q, %+v; want %q, %+v", s, limit, b, got, plain, want)
			}
		}
		d := Document{Text: text}
		var plain, kept features
		plain.extract(&d)
		d.Shown = p
		kept.extract(&d)
		if !bytes.Equal(plain.text, kept.text) || len(plain.index) != len(kept.index) {
			t.Errorf("%q is read as %q, want %q", text, kept.text, plain.text)
		}
	})
}

func TestShownLong(t *testing.T) {
	m := message.Parse([]byte("\r\n"+strings.Repeat("word ", mostShown)), message.DefaultLimits())
	p := Show(m)
	if p != nil || string(p.Append(nil, "A B", 10)) != "a b" {
		t.Error("a long text is kept")
	}
}
