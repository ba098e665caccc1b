package charset

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode(t *testing.T) {
	cases := []struct {
		label, in, want string
		ok              bool
	}{
		{"utf-8", "ä", "ä", true},
		{"UTF8", "\xef\xbb\xbfä", "ä", true},
		{"utf-8", "\xe4", "ä", false},            // windows-1252 under a wrong label
		{"utf-8", "äöü\xff", "äöü\uFFFD", false}, // one broken byte
		{"", "abc", "abc", true},
		{"us-ascii", "\xe4", "ä", false},
		{"us-ascii", "ä", "ä", false},
		{"iso-8859-1", "\x80\xe4", "€ä", true}, // as browsers read it
		{"\"ISO-8859-15\"", "\xa4", "€", true},
		{"iso-8859-5", "\xbf", "П", true},
		{"koi8-r", "\xf0\xd2\xc9", "При", true},
		{"windows-1251", "\xcf", "П", true},
		{"cp1251", "\xcf", "П", true},
		{"gb2312", "\xc4\xe3", "你", true},
		{"gb18030", "\x81\x30\x84\x36", "¥", true},
		{"big5", "\xa7\x41", "你", true},
		{"euc-kr", "\xb0\xa1", "가", true},
		{"ks_c_5601-1987", "\xb0\xa1", "가", true},
		{"iso-2022-jp", "\x1b$B$3\x1b(B", "こ", true},
		{"iso-2022-kr", "\x1b$)C\x0e0!\x0f", "가", true},
		{"shift_jis", "\x82\xb1", "こ", true},
		{"euc-jp", "\xa4\xb3", "こ", true},
		{"utf-16", "\xfe\xff\x00a", "a", true},
		{"utf-16le", "a\x00", "a", true},
		{"utf-7", "a+AOQ-b+-", "aäb+", true},
		{"utf-7", "+2D3eAA-", "😀", true},
		{"utf-7", "\xe4", "ä", false},
		{"hz-gb-2312", "~{Dc~}", "你", true},
		{"x-user-defined-nonsense", "a\xe4", "aä", false},
		{"ibm850", "\x84", "ä", true},
		{"macintosh", "\x8a", "ä", true},
	}
	for _, c := range cases {
		got, ok := Decode(c.label, []byte(c.in))
		if got != c.want || ok != c.ok {
			t.Errorf("Decode(%q, %q) = %q, %v; want %q, %v", c.label, c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestKnown(t *testing.T) {
	for _, l := range []string{"utf-8", "", "ISO_8859-2", "iso8859-7", "windows1252", "x-sjis", "cp932", "tis-620", "latin1", "x-mac-cyrillic"} {
		if !Known(l) {
			t.Errorf("%q isn't known", l)
		}
	}
	for _, l := range []string{"nonsense", "replacement", strings.Repeat("a", 1000)} {
		if Known(l) {
			t.Errorf("%q is known", l)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, l := range []string{"utf-8", "utf-7", "iso-2022-jp", "iso-2022-kr", "gb18030", "utf-16", "utf-32", "big5", "hz", "shift_jis", "nonsense", ""} {
		f.Add(l, []byte("a\xe4\x1b$B$3+AOQ-~{"))
	}
	f.Fuzz(func(t *testing.T, label string, b []byte) {
		s, _ := Decode(label, b)
		if !utf8.ValidString(s) {
			t.Errorf("%q %q: invalid UTF-8", label, b)
		}
		if len(s) > 4*len(b)+4 {
			t.Errorf("%q: %d bytes from %d", label, len(s), len(b))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for label, text := range map[string]string{"utf-8": "Grüße aus Köln. ", "windows-1252": "Gr\xfc\xdfe aus K\xf6ln. ", "iso-2022-jp": "\x1b$B$3$s$K$A$O\x1b(B. "} {
		src := []byte(strings.Repeat(text, 500))
		b.Run(label, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				Decode(label, src)
			}
		})
	}
}
