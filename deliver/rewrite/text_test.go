package rewrite

import (
	"strings"
	"testing"

	"sluice/message"
)

func TestEditTexts(t *testing.T) {
	add := func(s string) func(*Text) bool {
		return func(t *Text) bool { t.S += s; return true }
	}
	long := strings.Repeat("x", 1200)
	for _, c := range []struct{ name, raw, add, want string }{
		{"in place", "Subject: x\n\nHello\n", "all\n", "Subject: x\n\nHello\nall\n"},
		{"too long a line", "Subject: x\n\nHello\n", long, "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\nSubject: x\n\nHello\nxxx"},
		{"encoding replaced", "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\nContent-Type: text/plain; charset=koi8-r\n\n\xf0\n", long,
			"MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=koi8-r\n\n=F0\nxxx"},
		{"a boundary", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n\n--b--\n", "--b--\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: quoted-printable\n\nHello\n=2D-b--\n\n--b--\n"},
		{"base64", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nSGk=\n", "!", "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nSGkh\n"},
		{"a file", "Content-Type: text/plain; name=a.txt\n\nHello\n", "all\n", "Content-Type: text/plain; name=a.txt\n\nHello\n"},
		{"signed", "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHello\n\n--b--\n", "all", "Content-Type: multipart/signed; boundary=b\n\n--b\n\nHello\n\n--b--\n"},
	} {
		raw := strings.ReplaceAll(c.raw, "\n", "\r\n")
		m := message.Parse([]byte(raw), message.DefaultLimits())
		changes, _ := EditTexts(m, TextEdit{Parts: Texts(m), Edit: add(strings.ReplaceAll(c.add, "\n", "\r\n"))})
		got := strings.ReplaceAll(string(Apply(m.Raw, changes)), "\r\n", "\n")
		if got != c.want && (c.add != long || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
		if l := longest(got); l > 998 {
			t.Errorf("%s: a line of %d", c.name, l)
		}
	}
}

// Two edits of one part are one change, the first first.
func TestEditTextsTogether(t *testing.T) {
	m := message.Parse([]byte("Subject: x\r\n\r\nHello\r\n"), message.DefaultLimits())
	parts := Texts(m)
	one := TextEdit{Parts: parts, Edit: func(t *Text) bool { t.S = strings.ReplaceAll(t.S, "Hello", "Bonjour"); return true }}
	two := TextEdit{Parts: parts, Edit: func(t *Text) bool { t.S = "Caution\r\n" + t.S; return true }}
	changes, written := EditTexts(m, one, two)
	if got := string(Apply(m.Raw, changes)); got != "Subject: x\r\n\r\nCaution\r\nBonjour\r\n" || len(changes) != 1 || len(written) != 1 {
		t.Errorf("%q", got)
	}
	if c, w := EditTexts(m, TextEdit{Parts: parts, Edit: func(*Text) bool { return false }}); c != nil || w != nil {
		t.Error("nothing changed, but written")
	}
}

// What a charset can't hold is said, and a text that became UTF-8 says so in its fields.
func TestTextCharsets(t *testing.T) {
	raw := "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSch\xf6n\r\n"
	m := message.Parse([]byte(raw), message.DefaultLimits())
	changes, _ := EditTexts(m, TextEdit{Parts: Texts(m), Edit: func(x *Text) bool {
		if s, ok := x.Encode("ü"); !ok || s != "\xfc" {
			t.Errorf("%q %v", s, ok)
		}
		if _, ok := x.Encode("Ж"); ok {
			t.Error("ISO 8859-1 has no Ж")
		}
		if s := x.Decode("\xf6"); s != "ö" {
			t.Errorf("%q", s)
		}
		if !x.Unicode() || !strings.HasPrefix(x.S, "Schön") {
			t.Errorf("%q", x.S)
		}
		x.S += "Ж"
		return true
	}})
	m = message.Parse(Apply(m.Raw, changes), message.DefaultLimits())
	if s := m.Text(m.Parts[0]); s != "Schön\r\nЖ" || m.Parts[0].Charset != "utf-8" {
		t.Errorf("%s: %q", m.Parts[0].Charset, s)
	}
}
