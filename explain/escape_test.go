package explain

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, in, want, ascii string }{
		{"plain", "Dear customer, 50% off!", "", ""},
		{"empty", "", "", ""},
		{"line ends", "a\r\n250 OK\tb", `a\r\n250 OK\tb`, `a\r\n250 OK\tb`},
		{"escape sequence", "\x1b[31mred\x1b]0;title\a", `\x1b[31mred\x1b]0;title\x07`, `\x1b[31mred\x1b]0;title\x07`},
		{"C1", "a\u009b31m\u0085b", `a\u{009b}31m\u{0085}b`, `a\u{009b}31m\u{0085}b`},
		{"raw C1 byte", "a\x9b31m", `a\x9b31m`, `a\x9b31m`},
		{"NUL and DEL", "\x00\x7f", `\x00\x7f`, `\x00\x7f`},
		{"backslash", `C:\new`, `C:\\new`, `C:\\new`},
		{"umlaut", "Grüße", "Grüße", `Gr\u{00fc}\u{00df}e`},
		{"CJK with its space", "日本\u3000語", "日本\u3000語", `\u{65e5}\u{672c}\u{3000}\u{8a9e}`},
		{"bidi override", "invoice\u202Efdp.exe", `invoice\u{202e}fdp.exe`, `invoice\u{202e}fdp.exe`},
		{"bidi isolates", "\u2066a\u2069\u200f\u061c", `\u{2066}a\u{2069}\u{200f}\u{061c}`, `\u{2066}a\u{2069}\u{200f}\u{061c}`},
		{"zero width", "pay\u200bpal\ufeff\u2060\u00ad", `pay\u{200b}pal\u{feff}\u{2060}\u{00ad}`, `pay\u{200b}pal\u{feff}\u{2060}\u{00ad}`},
		{"line separator", "a\u2028b\u2029c", `a\u{2028}b\u{2029}c`, `a\u{2028}b\u{2029}c`},
		{"no-break space", "a\u00a0b", `a\u{00a0}b`, `a\u{00a0}b`},
		{"tags", "\U000e0041\U000e007f", `\u{e0041}\u{e007f}`, `\u{e0041}\u{e007f}`},
		{"fillers", "\u3164\uffa0\u115f\u2800\u034f\u17b4\u180e", `\u{3164}\u{ffa0}\u{115f}\u{2800}\u{034f}\u{17b4}\u{180e}`, `\u{3164}\u{ffa0}\u{115f}\u{2800}\u{034f}\u{17b4}\u{180e}`},
		{"private use and unassigned", "\ue000\U0010ffff\u0378", `\u{e000}\u{10ffff}\u{0378}`, `\u{e000}\u{10ffff}\u{0378}`},
		{"emoji", "❤\ufe0f", "❤\ufe0f", `\u{2764}\u{fe0f}`},
		{"smuggled variation selectors", "a\ufe0f\U000e0100", `a\u{fe0f}\u{e0100}`, `a\u{fe0f}\u{e0100}`},
		{"invalid UTF-8", "a\xff\xc3(\xed\xa0\x80", `a\xff\xc3(\xed\xa0\x80`, `a\xff\xc3(\xed\xa0\x80`},
		{"replacement character", "\ufffd", "\ufffd", `\u{fffd}`},
		{"some marks", "e\u0301\u0302", "e\u0301\u0302", `e\u{0301}\u{0302}`},
		{"a heap of marks", "z\u0301\u0301\u0301\u0301\u0301\u0301", "z\u0301\u0301\u0301\u0301" + `\u{0301}\u{0301}`, `z` + strings.Repeat(`\u{0301}`, 6)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, ascii := tt.want, tt.ascii
			if want == "" {
				want, ascii = tt.in, tt.in
			}
			if got := Escape(tt.in, 1000); got != want {
				t.Errorf("Escape = %q, want %q", got, want)
			}
			if got := ASCII(tt.in, 1000); got != ascii {
				t.Errorf("ASCII = %q, want %q", got, ascii)
			}
		})
	}
}

func TestEscapeCut(t *testing.T) {
	tests := []struct {
		in   string
		max  int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"abc", 0, ""},
		{"abc", -1, ""},
		{"\n\n\n", 6, `\n\n\n`},
		{"\n\n\n\n", 6, `\n…`},
		{"üüüü", 7, "üü…"},
		{"\u202e\u202e", 9, "…"},
		{"\u202e", 8, `\u{202e}`},
		{"\u202e", 7, `…`},
		{"\x1b", 3, "…"},
		{"\x1b", 2, ".."},
		{strings.Repeat("a", 1<<20), 10, "aaaaaaa…"},
	}
	for _, tt := range tests {
		if got := Escape(tt.in, tt.max); got != tt.want {
			t.Errorf("Escape(%.20q, %d) = %q, want %q", tt.in, tt.max, got, tt.want)
		}
	}
	if got := ASCII("abcdefg", 6); got != "abc..." {
		t.Errorf("ASCII cuts to %q", got)
	}
	if got := ASCII("abcdefg", 2); got != ".." {
		t.Errorf("ASCII cuts to %q", got)
	}
}

// TestEscapeUnambiguous: what differs stays different.
func TestEscapeUnambiguous(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\nxu{}0-9a-f\n\x1b]*`))
		a, b := text.Draw(rt, "a"), text.Draw(rt, "b")
		if a != b && Escape(a, 1<<20) == Escape(b, 1<<20) {
			rt.Fatalf("%q and %q look alike: %q", a, b, Escape(a, 1<<20))
		}
	})
}

// checkSafe fails where text could do more than show itself.
func checkSafe(t *testing.T, in, out string, max int, ascii bool) {
	t.Helper()
	if len(out) > max {
		t.Fatalf("%d bytes of %q, want at most %d", len(out), out, max)
	}
	if !utf8.ValidString(out) {
		t.Fatalf("%q from %q is not UTF-8", out, in)
	}
	for _, r := range out {
		if r < ' ' || r == 0x7f || ascii && r > '~' {
			t.Fatalf("%q from %q holds %U", out, in, r)
		}
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) {
			t.Fatalf("%q from %q holds %U", out, in, r)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "a\r\nb", "\x1b[2J\x9b", "\u202e\u2066", "\u200b\ufeff", "\U000e0041", "\xff\xfe", "z\u0301\u0301\u0301\u0301\u0301", "❤\ufe0f", `\u{202e}`} {
		f.Add(s, 100)
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(limit, 1<<16)
		checkSafe(t, s, Escape(s, limit), max(limit, 0), false)
		checkSafe(t, s, ASCII(s, limit), max(limit, 0), true)
	})
}

func BenchmarkEscape(b *testing.B) {
	s := strings.Repeat("Sehr geehrte Damen und Herren, \u202e ", 8)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Escape(s, 1000)
	}
}
