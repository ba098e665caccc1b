package letter

import (
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

const mail = "From: a@one.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n" +
	"--b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n" +
	"--b\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: b@two.example\r\nSubject: in\r\nContent-Type: application/octet-stream; name=in.exe\r\n\r\ninert\r\n" +
	"--b--\r\n"

func TestLetters(t *testing.T) {
	box := "From a@b Thu Jan  1 00:00:00 2026\nSubject: one\n\nFrom now on: all\n\nFrom c@d Thu Jan  1 00:00:01 2026\nSubject: two\n\nx\n"
	for _, c := range []struct {
		name, typ, in, want string
	}{
		{"mail", "mail", mail, "part 1.txt, part 2.html, a.zip, in.exe"},
		{"plain", "mail", "From: a@one.example\r\nSubject: x\r\n\r\nHello\r\n", "part 1.txt"},
		{"emlx", "mail", "120\nFrom: a@one.example\nSubject: x\n\nHello\n", "part 1.txt"},
		{"mailbox", "mail", box, "message 1.eml, message 2.eml, part 1.txt, part 1.txt"},
		{"web page", "mhtml", "From: <Saved by Blink>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<script>\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n", "part 1.html, part 2.png"},
	} {
		r := childtest.One(t, New(), "x.eml", inspect.Type(c.typ), []byte(c.in))
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name)
		}
		if s := strings.Join(got, ", "); s != c.want || len(r.Facts) > 0 {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
	}
}

func FuzzLetter(f *testing.F) {
	f.Add([]byte(mail))
	f.Add([]byte("From a@b Thu Jan  1 00:00:00 2026\n\n\nFrom c@d Thu Jan  1 00:00:01 2026\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.Mail, b) })
}

func BenchmarkLetter(b *testing.B) {
	body := []byte(strings.Replace(mail, "inert\r\n", strings.Repeat("inert line of text\r\n", 50_000), 1))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.Mail, body)
	}
}
