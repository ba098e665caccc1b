package banner

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/message"
	"sluice/reason"
)

var update = flag.Bool("update", false, "rewrite golden files")

func writer(t testing.TB) *Writer {
	t.Helper()
	w, err := New(Config{Key: []byte("0123456789abcdef"), OldKeys: [][]byte{[]byte("fedcba9876543210")}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func items(t testing.TB, reasons ...sluice.Reason) (out []Item) {
	t.Helper()
	for _, r := range reasons {
		i, ok := Of(r)
		if !ok {
			t.Fatalf("no words for %s", r)
		}
		out = append(out, i)
	}
	return out
}

func parse(raw string) *message.Message {
	return message.Parse([]byte(raw), message.DefaultLimits())
}

func add(t testing.TB, raw, lang string) (string, Plan) {
	t.Helper()
	p := writer(t).Add(parse(raw), items(t, reason.FirstContact, reason.NameOfCorrespondent), lang)
	return string(rewrite.Apply([]byte(raw), p.Changes)), p
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// messages are one of each structure.
var messages = []struct{ name, raw string }{
	{"plain", "Subject: x\n\nHello\n"},
	{"plain-flowed", "Content-Type: text/plain; charset=us-ascii; format=flowed; delsp=yes\n\nHello \nall\n"},
	{"plain-latin1-8bit", "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\nSch\xf6n\n"},
	{"plain-latin1-qp", "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nSch=F6n =2D=\n-no\n"},
	{"plain-base64", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSGVsbG8gdGhlcmUNCkFubg==\n"},
	{"plain-utf16", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n\nSABlAGwAbABvAA==\n"},
	{"plain-iso2022", "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$3$s$K$A$O\x1b(B\n"},
	{"html", "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<!DOCTYPE html><html><head><title><body></title></head>\n<body class=x><p>Hello</p></body></html>\n"},
	{"html-fragment", "MIME-Version: 1.0\nContent-Type: text/html\n\n<p>Hello</p>\n"},
	{"html-qp", "MIME-Version: 1.0\nContent-Type: text/html; charset=koi8-r\nContent-Transfer-Encoding: quoted-printable\n\n<html><body bgcolor=3Dwhite><p>=F0=D2=C9</p></body></html>\n"},
	{"alternative", "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nHello\n--b\nContent-Type: text/html\n\n<p>Hello</p>\n--b--\n"},
	{"mixed", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nAAAA\n--b\n\nmore text\n--b--\n"},
	{"related", "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b; start=\"<2@x>\"\n\n--b\nContent-Type: image/png\nContent-ID: <1@x>\nContent-Transfer-Encoding: base64\n\nAAAA\n--b\nContent-Type: text/html\nContent-ID: <2@x>\n\n<p>Hello</p>\n--b--\n"},
	{"empty", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n--b\nContent-Type: application/pdf\n\n%PDF\n--b--\n"},
	{"nested", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nHi\n--c\nContent-Type: text/html\n\n<body>Hi\n--c--\n--b\nContent-Type: image/gif\nContent-ID: <i>\n\nGIF\n--b--\n--a\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner text\n--a--\n"},
}

// left are messages that carry none.
var left = []struct{ name, raw, why string }{
	{"smime", "Content-Type: multipart/signed; boundary=b; protocol=\"application/pkcs7-signature\"\n\n--b\n\nHello\n--b\nContent-Type: application/pkcs7-signature\n\nAAAA\n--b--\n", LeftSigned},
	{"signed inside", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nHello\n--b\nContent-Type: application/pgp-signature\n\nAAAA\n--b--\n--a\n\nlist footer\n--a--\n", LeftSigned},
	{"pkcs7", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAAA\n", LeftEncrypted},
	{"pgp/mime", "Content-Type: multipart/encrypted; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\nAAAA\n--b--\n", LeftEncrypted},
	{"pgp in place", "Subject: x\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n-----BEGIN PGP SIGNATURE-----\n", LeftSigned},
	{"file", "Content-Type: application/pdf\n\n%PDF\n", LeftNoText},
	{"report", "Content-Type: multipart/report; boundary=b; report-type=delivery-status\n\n--b\n\nFailed\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;x\n--b--\n", LeftNoText},
	{"two encodings", "Content-Type: text/plain\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nSGVsbG8=\n", LeftAmbiguous},
}

func TestGolden(t *testing.T) {
	for _, c := range messages {
		for _, lang := range []string{"en", "de"} {
			t.Run(c.name+"-"+lang, func(t *testing.T) {
				got, p := add(t, crlf(c.raw), lang)
				if p.Left != "" || p.Parts == 0 {
					t.Fatalf("left: %q", p.Left)
				}
				file := filepath.Join("testdata", c.name+"-"+lang+".eml")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestLeftAlone(t *testing.T) {
	for _, c := range left {
		if got, p := add(t, crlf(c.raw), "en"); p.Left != c.why || got != crlf(c.raw) {
			t.Errorf("%s: left %q, want %q", c.name, p.Left, c.why)
		}
	}
}

// hold checks what must be true of any message with and without a banner.
func hold(t testing.TB, raw []byte, lang string) {
	t.Helper()
	w := writer(t)
	m := message.Parse(raw, message.DefaultLimits())
	first := items(t, reason.FirstContact, reason.NameOfCorrespondent)
	p := w.Add(m, first, lang)
	if p.Left != "" {
		if len(p.Changes) > 0 {
			t.Fatalf("left %q and changed", p.Left)
		}
		return
	}
	out := rewrite.Apply(raw, p.Changes)
	m2 := message.Parse(out, message.DefaultLimits())
	same(t, m, m2, p)
	if v := m2.View(); !strings.Contains(v.Text, w.token) {
		t.Fatalf("nobody sees the banner in\n%s", out)
	}
	p2 := w.Add(m2, first, lang)
	if again := rewrite.Apply(out, p2.Changes); !bytes.Equal(again, out) {
		t.Fatalf("not idempotent (%q): %s", p2.Left, cmp.Diff(string(out), string(again)))
	}
	// Off again: the same text as it came, but for the encoding.
	p3 := w.Remove(m2)
	m3 := message.Parse(rewrite.Apply(out, p3.Changes), message.DefaultLimits())
	same(t, m, m3, p)
	if Present(m) {
		return
	}
	for i, part := range m.Parts {
		if part.Type == "text/plain" || part.Type == "text/html" {
			if a, b := m.Text(part), m3.Text(m3.Parts[i]); strings.TrimLeft(a, "\ufeff") != strings.TrimLeft(b, "\ufeff") {
				t.Fatalf("part %d isn't as it was: %s", i, cmp.Diff(a, b))
			}
		}
	}
}

// same compares trees: only as many texts as the plan says may differ.
func same(t testing.TB, m, m2 *message.Message, p Plan) {
	t.Helper()
	if len(m.Parts) != len(m2.Parts) {
		t.Fatalf("%d parts, had %d", len(m2.Parts), len(m.Parts))
	}
	differ := 0
	for i, a := range m.Parts {
		b := m2.Parts[i]
		if a.Type != b.Type || a.Path != b.Path || a.Filename != b.Filename || a.Disposition != b.Disposition || a.Ghost != b.Ghost {
			t.Fatalf("part %d: %s %s %q became %s %s %q", i, a.Path, a.Type, a.Filename, b.Path, b.Type, b.Filename)
		}
		if a.IsMultipart() || a.IsMessage() {
			continue
		}
		if !bytes.Equal(m.Decoded(a), m2.Decoded(b)) {
			differ++
			if a.Type != "text/plain" && a.Type != "text/html" {
				t.Fatalf("part %d, %s, differs", i, a.Type)
			}
		}
	}
	if differ > p.Parts {
		t.Fatalf("%d parts differ, planned %d", differ, p.Parts)
	}
}

func TestHold(t *testing.T) {
	for _, c := range messages {
		for _, lang := range []string{"en", "de", "fr", "es", "xx", ""} {
			t.Run(c.name+"-"+lang, func(t *testing.T) {
				hold(t, []byte(crlf(c.raw)), lang)
				hold(t, []byte(c.raw), lang)
			})
		}
	}
}

func FuzzAdd(f *testing.F) {
	for _, c := range messages {
		f.Add([]byte(crlf(c.raw)), "de")
		f.Add([]byte(c.raw), "en")
	}
	for _, c := range left {
		f.Add([]byte(crlf(c.raw)), "fr")
	}
	f.Fuzz(func(t *testing.T, raw []byte, lang string) {
		w := writer(t)
		m := message.Parse(raw, message.DefaultLimits())
		p := w.Add(m, items(t, reason.FirstContact), lang)
		out := rewrite.Apply(raw, p.Changes)
		m2 := message.Parse(out, message.DefaultLimits())
		same(t, m, m2, p)
		q := w.Remove(m2)
		same(t, m2, message.Parse(rewrite.Apply(out, q.Changes), message.DefaultLimits()), Plan{Parts: len(m2.Parts)})
	})
}

// hidden are pages that try to keep the banner from being seen.
var hidden = []string{
	"<!-- <body> --><p>text",
	"<div style='display:none'><body><p>text</p>",
	"<template><body></template><p>text",
	"<style><body></style><p>text",
	"<title><body></title>text",
	"<script>'<body>'</script>text",
	"<style>div,table,td,tr{display:none!important}</style><body><p>text",
	"<style>table{display:none!important;visibility:hidden!important}</style><p>text",
	"<style>unclosed <body> text",
	"<noscript><body></noscript>text",
	"<svg><body></svg>text",
	"<textarea><body></textarea>text",
	"<body",
	"",
	"<head><p>text<body>",
	"<p hidden><body>text",
}

func TestHidden(t *testing.T) {
	w := writer(t)
	for _, h := range hidden {
		raw := crlf("Content-Type: text/html\n\n" + h + "\n")
		out, _ := add(t, raw, "en")
		if v := parse(out).View(); !strings.Contains(v.Text, w.token) || strings.Contains(v.Hidden, w.token) {
			t.Errorf("%s: hidden:\n%s", h, v.Text)
		}
	}
}

// What is forged goes, whatever its token; what quotes another site's stays in our
// users' mail.
func TestForged(t *testing.T) {
	w := writer(t)
	const other = "[sluice:00112233]"
	html := "<body><table><tr><td>This message is safe. " + other + "</td></tr></table><p>Hello</p> " + other + "</body>"
	text := "> *** Vorsicht: ein Hinweis Ihres Mailservers ***\n> | - all is fine\n> *** " + other + "\n\nHello " + other + "\n"
	for _, raw := range []string{"Content-Type: text/html\n\n" + html, "Subject: x\n\n" + text} {
		raw = crlf(raw)
		out, _ := add(t, raw, "en")
		if strings.Contains(out, other) || strings.Contains(out, "safe") || strings.Contains(out, "all is fine") || !strings.Contains(out, "Hello") || strings.Count(out, w.token) != 1 {
			t.Errorf("forged:\n%s", out)
		}
		if p := w.Remove(parse(raw)); len(p.Changes) != 0 {
			t.Error("another site's banner was taken out of our user's mail")
		}
		if !Present(parse(raw)) {
			t.Error("not seen")
		}
	}
}

// A reply quotes the banner in its own way.
func TestRemoveFromReplies(t *testing.T) {
	w := writer(t)
	b := &block{lang: "en", title: w.words.languages["en"].Title, lines: []string{"You have not exchanged mail with this sender before."}, token: w.token}
	old := token([]byte("fedcba9876543210"))
	quotedText := "> " + strings.ReplaceAll(strings.TrimSpace(b.text("\n")), "\n", "\n> ") + "\n"
	for name, raw := range map[string]string{
		"plain":    "Subject: x\n\nThanks\n\nBob wrote:\n" + quotedText + "> Hello\n",
		"twice":    "Subject: x\n\nThanks\n\nBob wrote:\n> " + strings.ReplaceAll(quotedText, "\n", "\n> ") + "\n> Hello\n",
		"html":     "Content-Type: text/html\n\n<p>Thanks</p><blockquote>" + b.html("\n") + "<p>Hello</p></blockquote>\n",
		"old key":  "Content-Type: text/html\n\n<p>Thanks</p><blockquote>" + strings.ReplaceAll(b.html("\n"), w.token, old) + "<p>Hello</p></blockquote>\n",
		"stripped": "Content-Type: text/html\n\n<p>Thanks</p><table class=\"x_a\"><tr><td><div>Caution</div><div>[sluice" + w.token[7:] + "</div></td></tr></table><p>Hello</p>\n",
		"no table": "Content-Type: text/html\n\n<p>Thanks</p><p>Hello</p>" + w.token + "\n",
	} {
		m := parse(crlf(raw))
		out := string(rewrite.Apply(m.Raw, w.Remove(m).Changes))
		if strings.Contains(out, "sluice") || strings.Contains(out, "exchanged") || strings.Contains(out, "Caution") || !strings.Contains(out, "Thanks") || !strings.Contains(out, "Hello") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

// Text that an encoder would put at the start of a line must not become a boundary.
func TestBoundary(t *testing.T) {
	long := strings.Repeat("x", 74)
	raw := crlf("Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" +
		"=2D-b\n" + long + "=\n=2D-b\n--b--\n")
	hold(t, []byte(raw), "en")
}

func TestWords(t *testing.T) {
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	en := c.languages["en"]
	for code, l := range c.languages {
		if l.Title == "" || len(l.Title) > 60 {
			t.Errorf("%s: title %q", code, l.Title)
		}
		for k := range en.Kind {
			s := l.Kind[k]
			if s == "" || strings.ContainsAny(s, "<>\n") {
				t.Errorf("%s: %s: %q", code, k, s)
			}
			if strings.ContainsRune(fold(s), '?') && !strings.Contains(s, "?") {
				t.Errorf("%s: %s: a letter without ASCII: %s", code, k, fold(s))
			}
		}
		if len(l.Kind) != len(en.Kind) {
			t.Errorf("%s: %d kinds, English %d", code, len(l.Kind), len(en.Kind))
		}
	}
	for _, k := range c.kinds {
		if en.Kind[k.Name] == "" {
			t.Errorf("no words for kind %s", k.Name)
		}
		for _, r := range k.Reasons {
			if _, ok := reason.Lookup(string(r)); !ok {
				t.Errorf("%s: no reason %s", k.Name, r)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	ev := func(points float64, r sluice.Reason) sluice.Contribution {
		return sluice.Contribution{Evidence: sluice.Evidence{Reason: r}, Points: points}
	}
	for _, c := range []struct {
		name  string
		v     sluice.Verdict
		alone bool
		kinds string
	}{
		{"nothing", sluice.Verdict{}, false, ""},
		{"first contact", sluice.Verdict{Points: -5, Ledger: []sluice.Contribution{ev(0, reason.FirstContact)}}, false, ""},
		{"first contact, wanted", sluice.Verdict{Points: -5, Ledger: []sluice.Contribution{ev(0, reason.FirstContact)}}, true, "first_contact"},
		{"most telling first", sluice.Verdict{Points: 5, Ledger: []sluice.Contribution{ev(0, reason.FirstContact), ev(1, reason.ThreadFaked), ev(3, reason.ThreadTextTaken), ev(2, reason.ThreadStranger), ev(4, reason.NameOfCorrespondent)}},
			false, "namesake thread_text thread_stranger"},
		{"what speaks for it", sluice.Verdict{Points: -3, Ledger: []sluice.Contribution{ev(-2, reason.ThreadStranger)}}, false, ""},
		{"only a threat", sluice.Verdict{Points: 8, Threat: sluice.ThreatPhish}, false, "phish"},
		{"only points", sluice.Verdict{Points: 8, Threat: sluice.ThreatSpam, Ledger: []sluice.Contribution{ev(0, reason.FirstContact)}}, false, "other first_contact"},
	} {
		var got []string
		for _, i := range Choose(&c.v, c.alone) {
			got = append(got, i.kind)
		}
		if s := strings.Join(got, " "); s != c.kinds {
			t.Errorf("%s: %q, want %q", c.name, s, c.kinds)
		}
	}
	if Choose(nil, true) != nil {
		t.Error("no verdict, but words")
	}
}

func TestNew(t *testing.T) {
	if _, err := New(Config{Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
	if _, err := New(Config{Key: make([]byte, 16), Language: "tlh"}); err == nil {
		t.Error("a language without words is taken")
	}
	if w, err := New(Config{Key: make([]byte, 16), Language: "de-AT"}); err != nil || w.language != "de" {
		t.Error(err)
	}
}

func BenchmarkAdd(b *testing.B) {
	body := strings.Repeat("<p>A paragraph of an ordinary message, with a <a href=\"https://example.org/\">link</a>.</p>\n", 100)
	raw := crlf("MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n" + strings.Repeat("Hello there, all of you.\n", 100) +
		"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.ReplaceAll(body, "=", "=3D") + "--b--\n")
	m := parse(raw)
	w, list := writer(b), items(b, reason.FirstContact, reason.NameOfCorrespondent)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		p := w.Add(m, list, "de")
		_ = rewrite.Apply(m.Raw, p.Changes)
	}
}

func ExampleChoose() {
	v := &sluice.Verdict{Points: 4, Ledger: []sluice.Contribution{{Evidence: sluice.Evidence{Reason: reason.NameOfCorrespondent}, Points: 4}}}
	for _, i := range Choose(v, false) {
		fmt.Println(i.Reason)
	}
	// Output: NAME_OF_CORRESPONDENT
}
