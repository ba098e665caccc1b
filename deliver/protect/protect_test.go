package protect

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/deliver/banner"
	"sluice/deliver/rewrite"
	"sluice/message"
	"sluice/reason"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const ref = "7K3FQ2M9XW4T0021"

func sealer(t testing.TB, keys ...byte) *Sealer {
	t.Helper()
	var ring [][]byte
	for _, k := range keys {
		ring = append(ring, bytes.Repeat([]byte{k}, KeySize))
	}
	s, err := NewSealer(ring)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func writer(t testing.TB) *Writer {
	t.Helper()
	w, err := New(Config{PublicURL: "https://mx.acme.example/", OldURLs: []string{"https://old.acme.example"}, Sealer: sealer(t, 1),
		Allow: func(h string) bool { return h == "acme.example" || strings.HasSuffix(h, ".acme.example") }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func parse(raw []byte) *message.Message { return message.Parse(raw, message.DefaultLimits()) }

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// shownAs rewrites a message of one part and returns its text with each of our links as
// {where it leads to}.
func shownAs(t testing.TB, w *Writer, raw []byte) (string, Plan) {
	t.Helper()
	m := parse(raw)
	p := w.Protect(m, ref, noon)
	m = parse(rewrite.Apply(raw, p.Changes))
	return unsealed(t, w, m.Text(m.Parts[0])), p
}

func unsealed(t testing.TB, w *Writer, s string) string {
	var out strings.Builder
	at := 0
	for {
		i := strings.Index(s[at:], w.ours[0])
		if i < 0 {
			break
		}
		i += at
		l, end, ok := w.read(s, i)
		if !ok {
			out.WriteString(s[at : i+1])
			at = i + 1
			continue
		}
		if l.Ref != ref || !l.Time.Equal(noon) {
			t.Errorf("sealed %+v", l)
		}
		if end-i > MaxLink {
			t.Errorf("a link of %d", end-i)
		}
		out.WriteString(s[at:i] + "{" + l.URL + "}")
		at = end
	}
	return strings.ReplaceAll(out.String()+s[at:], "\r\n", "\n")
}

func TestProtectText(t *testing.T) {
	w := writer(t)
	for _, c := range []struct{ name, in, want string }{
		{"plain", "See https://shop.example/a?b=1&c=2.\n", "See {https://shop.example/a?b=1&c=2}.\n"},
		{"in brackets", "<https://shop.example/(a)> (http://b.example/)\n", "<{https://shop.example/(a)}> ({http://b.example/})\n"},
		{"without a scheme", "www.shop.example and shop.org/login and shop.org\n", "{http://www.shop.example} and {http://shop.org/login} and shop.org\n"},
		{"no links", "mailto:a@b.example a@b.example tel:+1234 ftp://f.example/ cid:1@x a@b.example/x\n", ""},
		{"allowed", "https://acme.example/ https://www.acme.example/x https://notacme.example/\n", "https://acme.example/ https://www.acme.example/x {https://notacme.example/}\n"},
		{"disguised", "https://acme.example@evil.example/ http://0x7f000001/\n", "{https://acme.example@evil.example/} {http://0x7f000001/}\n"},
		{"ours", "https://mx.acme.example/c/a/b https://mx.acme.example.evil.example/c/x\n", "https://mx.acme.example/c/a/b {https://mx.acme.example.evil.example/c/x}\n"},
		{"unsubscribe", "To unsubscribe: https://news.example/unsubscribe?u=1\n", ""},
		{"no words", "Log in: https://news.example/unsubscribe?u=1\n", "Log in: {https://news.example/unsubscribe?u=1}\n"},
		{"only words", "To unsubscribe: https://news.example/u?u=1\n", "To unsubscribe: {https://news.example/u?u=1}\n"},
		{"too long", "https://news.example/" + strings.Repeat("%F0%9F", 700) + "x\nhttps://a.example/" + strings.Repeat("0123456789abcdef", 120) + " https://b.example/\n",
			"https://news.example/" + strings.Repeat("%F0%9F", 700) + "x\n{https://a.example/" + strings.Repeat("0123456789abcdef", 120) + "} {https://b.example/}\n"},
		{"pgp", "https://a.example/\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhttps://b.example/\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\nhttps://c.example/\n",
			"{https://a.example/}\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhttps://b.example/\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n{https://c.example/}\n"},
		{"half a pgp", "-----BEGIN PGP SIGNED MESSAGE-----\n\nhttps://b.example/\n", "-----BEGIN PGP SIGNED MESSAGE-----\n\n{https://b.example/}\n"},
	} {
		want := c.want
		if want == "" {
			want = c.in
		}
		got, p := shownAs(t, w, crlf("Subject: x\nMIME-Version: 1.0\n\n"+c.in))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (%+v): (-want +got)\n%s", c.name, p.Report, d)
		}
		if n := strings.Count(want, "{"); n != p.Links {
			t.Errorf("%s: %d links counted, want %d", c.name, p.Links, n)
		}
	}
}

func TestProtectHTML(t *testing.T) {
	w := writer(t)
	for _, c := range []struct{ name, in, want string }{
		{"anchor", `<a href="https://shop.example/?a=1&amp;b=2">Shop</a>`, `<a href="{https://shop.example/?a=1&b=2}">Shop</a>`},
		{"its text", `<a href='https://shop.example/'>https://other.example/</a>`, `<a href='{https://shop.example/}'>https://other.example/</a>`},
		{"without quotes", `<A HREF=https://shop.example/x>Shop</A>`, `<A HREF={https://shop.example/x}>Shop</A>`},
		{"odd spelling", `<a/href = " https&#58;//shop.exa
mple/&copy=1">Shop</a>`, `<a/href = "{ https://shop.exa
mple/&copy=1}">Shop</a>`},
		{"twice", `<a href="https://a.example/" href="https://b.example/">x</a>`, `<a href="{https://a.example/}" href="{https://b.example/}">x</a>`},
		{"no links", `<a href="mailto:a@b.example">x</a><a href="tel:1">x</a><a href="cid:1">x</a><a href="#top">x</a><a href="javascript:x()">x</a><a href="page">x</a><a href="">x</a><a name=x>`, ""},
		{"pictures", `<img src="https://a.example/x.png"><link href="https://b.example/x.css"><base target=x>`, ""},
		{"relative scheme", `<a href="//a.example/x">x</a>`, `<a href="{https://a.example/x}">x</a>`},
		{"base", `<base href="https://a.example/b/"><a href="c?d">x</a><a href="/e">x</a><a href="mailto:x@y">`, `<base href="https://a.example/b/"><a href="{https://a.example/b/c?d}">x</a><a href="{https://a.example/e}">x</a><a href="mailto:x@y">`},
		{"areas and forms", `<area href="https://a.example/"><form action="https://b.example/"><button formaction="https://c.example/">`, `<area href="{https://a.example/}"><form action="{https://b.example/}"><button formaction="{https://c.example/}">`},
		{"for Outlook", `<!--[if mso]><v:rect href="https://a.example/" style="x"><![endif]--><!-- <a href="https://b.example/"> --><!--[if !mso]><!--><a href="https://c.example/">x</a><!--<![endif]-->`,
			`<!--[if mso]><v:rect href="{https://a.example/}" style="x"><![endif]--><!-- <a href="https://b.example/"> --><!--[if !mso]><!--><a href="{https://c.example/}">x</a><!--<![endif]-->`},
		{"in text", `<p>Go to https://a.example/?x=1&amp;y=2&nbsp;now, or www.b.example.</p>`,
			`<p>Go to <a href="{https://a.example/?x=1&y=2}">https://a.example/?x=1&amp;y=2</a>&nbsp;now, or <a href="{http://www.b.example}">www.b.example</a>.</p>`},
		{"not text", `<title>https://a.example/</title><style>@import "https://a.example/";</style><script>"https://a.example/"</script>`, ""},
		{"unsubscribe", `<a href="https://a.example/u">Unsubscribe</a> or to opt out <a href="https://a.example/optout">here</a>`, ""},
		{"only the address", `<a href="https://a.example/unsubscribe">Log in</a>`, `<a href="{https://a.example/unsubscribe}">Log in</a>`},
		{"from the header", `<a href="https://l.example/x">Log in</a>, or to unsubscribe, <a href="https://l.example/x">here</a>`, `<a href="{https://l.example/x}">Log in</a>, or to unsubscribe, <a href="https://l.example/x">here</a>`},
		{"without scripts", `<noscript><a href="https://a.example/">x</a></noscript>`, `<noscript><a href="{https://a.example/}">x</a></noscript>`},
		{"broken", `<a href="https://a.example/`, ""},
		{"a tag in an attribute", `<a title="<a href='https://a.example/'>" href=https://b.example/>`, `<a title="<a href='https://a.example/'>" href={https://b.example/}>`},
		{"foreign letters", `<a href="https://münchen.example/ü">x</a>`, `<a href="{https://münchen.example/ü}">x</a>`},
	} {
		want := c.want
		if want == "" {
			want = c.in
		}
		raw := crlf("List-Unsubscribe: <mailto:x@l.example>,\n <https://l.example/x>\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n" + c.in)
		got, p := shownAs(t, w, raw)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (%+v): (-want +got)\n%s", c.name, p.Report, d)
		}
		hold(t, w, raw)
	}
}

// messages are of each structure.
var messages = []struct{ name, raw string }{
	{"plain", "Subject: x\n\nSee https://shop.example/a\n"},
	{"long line", "Subject: x\n\n" + strings.Repeat("https://shop.example/0123456789012345678901234567890123456789 ", 14) + "\n"},
	{"koi8 8bit", "MIME-Version: 1.0\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: 8bit\n\n\xf0\xd2\xc9 https://shop.example/\xf0?a\n"},
	{"shift_jis", "MIME-Version: 1.0\nContent-Type: text/plain; charset=shift_jis\nContent-Transfer-Encoding: 8bit\n\n\x83\x5c\x83\x5chttps://shop.example/a \x83\x41https://b.example/\x83\x5c\n"},
	{"iso-2022-jp", "MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B$3$s$K$A$O\x1b(B https://shop.example/a\n"},
	{"utf-16", "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-16le\nContent-Transfer-Encoding: base64\n\nPABhACAAaAByAGUAZgA9ACIAaAB0AHQAcAA6AC8ALwBhAC4AYgAvACIAPgA=\n"},
	{"flowed", "Content-Type: text/plain; charset=us-ascii; format=flowed; delsp=yes\n\nHello \nhttps://shop.example/a\n"},
	{"base64", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\naHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ0K\n"},
	{"quoted-printable", "MIME-Version: 1.0\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>Sch=F6n</p><a hr=\nef=3D\"https://shop.example/?a=3D1&amp;b=3D=F6\">x</a> =\n\n"},
	{"alternative", "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nhttps://a.example/\n--b\nContent-Type: text/html\n\n<a href=https://a.example/>Hello</a>\n--b--\n"},
	{"calendar and file", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhttps://a.example/\n--b\nContent-Type: text/calendar\n\nURL:https://a.example/\n--b\nContent-Type: text/plain; name=a.txt\n\nhttps://a.example/\n--b\nContent-Type: text/html; name=a.html\n\n<a href=https://a.example/>x</a>\n--b--\n"},
	{"attached message", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nHi https://a.example/\n--a\nContent-Type: message/rfc822\n\nSubject: inner\n\nhttps://a.example/\n--a--\n"},
	{"s/mime", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nhttps://a.example/\n--b\nContent-Type: application/pkcs7-signature\n\nAAAA\n--b--\n--a\n\nfooter https://list.example/\n--a--\n"},
	{"pgp", "Content-Type: text/plain; charset=iso-2022-jp\n\n-----BEGIN PGP MESSAGE-----\nhttps://a.example/\n-----END PGP MESSAGE-----\n"},
	{"ours broken", "Subject: x\n\nhttps://mx.acme.example/c/a.example/AAAAAA\n> AAAA https://mx.acme.example/c/\n"},
	{"no header", "0\n " + strings.Repeat("http://a.example/0123456789 ", 10) + "\n"},
	{"no empty line", "0:\nno field https://a.example/ " + strings.Repeat("http://a.example/0123456789 ", 10) + "\n"},
	{"ends in a link", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhttps://a.example/\n--b--\n"},
}

// hold checks what must be true of any message, protected and restored.
func hold(t testing.TB, w *Writer, raw []byte) Plan {
	t.Helper()
	m := parse(raw)
	p := w.Protect(m, ref, noon)
	out := rewrite.Apply(raw, p.Changes)
	if len(p.Changes) > 0 != (p.Parts > 0) || p.Parts > 0 && p.Links == 0 {
		t.Fatalf("%d changes, %+v", len(p.Changes), p)
	}
	m2 := parse(out)
	same(t, m, m2, p.Parts)
	if again := w.Protect(m2, ref, noon); len(again.Changes) > 0 {
		t.Fatalf("not idempotent: %+v\n%s", again.Report, rewrite.Apply(out, again.Changes))
	}
	r := w.Restore(m2)
	m3 := parse(rewrite.Apply(out, r.Changes))
	same(t, m2, m3, r.Parts)
	if w.mentions(string(raw)) {
		return p // it had links of ours
	}
	if r.Links != p.Links {
		t.Fatalf("%d links restored of %d", r.Links, p.Links)
	}
	for i, part := range m.Parts {
		if part.Type != "text/plain" && part.Type != "text/html" || p.Changed > 0 {
			continue
		}
		if a, b := m.Text(part), m3.Text(m3.Parts[i]); strings.TrimLeft(a, "\ufeff") != strings.TrimLeft(b, "\ufeff") {
			t.Fatalf("part %d isn't as it was (%+v): %s", i, p.Report, cmp.Diff(a, b))
		}
	}
	return p
}

// same compares trees: only so many texts may differ.
func same(t testing.TB, m, m2 *message.Message, parts int) {
	t.Helper()
	if len(m.Parts) != len(m2.Parts) {
		t.Fatalf("%d parts, had %d", len(m2.Parts), len(m.Parts))
	}
	differ := 0
	for i, a := range m.Parts {
		b := m2.Parts[i]
		if a.Type != b.Type || a.Path != b.Path || a.Filename != b.Filename || a.Disposition != b.Disposition || a.Ghost != b.Ghost {
			t.Fatalf("part %d is %s %q, was %s %q", i, b.Type, b.Filename, a.Type, a.Filename)
		}
		if len(a.Children) == 0 && !bytes.Equal(m.Decoded(a), m2.Decoded(b)) && !a.Ghost && !a.IsMessage() {
			if differ++; differ > parts {
				t.Fatalf("part %d (%s) differs", i, a.Type)
			}
		}
	}
}

func TestMessages(t *testing.T) {
	w := writer(t)
	for _, c := range messages {
		t.Run(c.name, func(t *testing.T) {
			p := hold(t, w, crlf(c.raw))
			if c.name != "pgp" && c.name != "ours broken" && p.Links == 0 {
				t.Errorf("no link rewritten: %+v", p.Report)
			}
			hold(t, w, []byte(c.raw))
		})
	}
}

func TestLeft(t *testing.T) {
	w := writer(t)
	for name, want := range map[string]map[string]int{
		"s/mime": {LeftSigned: 1}, "pgp": {LeftArmour: 1}, "plain": nil,
	} {
		for _, c := range messages {
			if c.name == name {
				p := w.Protect(parse(crlf(c.raw)), ref, noon)
				if d := cmp.Diff(want, p.Left); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
		}
	}
}

// What our users' programs make of a link, when they quote it.
func TestRestoreFromReplies(t *testing.T) {
	w := writer(t)
	ours := w.ours[0] + w.cfg.Sealer.Seal(Link{URL: "https://shop.example/?a=1&b=" + strings.Repeat("x", 60), Ref: ref, Time: noon})
	bare := w.ours[0] + w.cfg.Sealer.Seal(Link{URL: "http://www.shop.example", form: formBare})
	wrapped := w.ours[0] + w.cfg.Sealer.Seal(Link{URL: "https://shop.example/", form: formWrapped})
	old := strings.Replace(ours, w.ours[0], w.ours[1], 1)
	umlaut := w.ours[0] + w.cfg.Sealer.Seal(Link{URL: "https://shöp.example/ж", Time: noon})
	plain := "https://shop.example/?a=1&b=" + strings.Repeat("x", 60)
	escaped := strings.ReplaceAll(plain, "&", "&amp;")
	for _, c := range []struct{ name, kind, in, want string }{
		{"quoted", "text/plain", "> " + ours + "\n", "> " + plain + "\n"},
		{"beside its text", "text/plain", "> Shop <" + ours + ">\n", "> Shop <" + plain + ">\n"},
		{"broken over lines", "text/plain", "> " + ours[:70] + "\n> " + ours[70:100] + " \n>> " + ours[100:] + ".\n> more\n", "> " + plain + ".\n> more\n"},
		{"glued", "text/plain", ours + "and more", plain + "and more"},
		{"bare", "text/plain", bare, "www.shop.example"},
		{"bare, made a link", "text/html", `<a href="` + bare + `">` + bare + `</a>`, `<a href="http://www.shop.example">www.shop.example</a>`},
		{"html", "text/html", `<a class="x_a" href='` + ours + `'>Shop</a>`, `<a class="x_a" href='` + escaped + `'>Shop</a>`},
		{"html text", "text/html", "<p>" + ours + "</p>", "<p>" + escaped + "</p>"},
		{"our anchor", "text/html", `<p>Go: <a href="` + wrapped + `" target="_blank">shop.example</a> <a href=x>y</a></p>`, `<p>Go: shop.example <a href=x>y</a></p>`},
		{"our anchor in text", "text/plain", "shop.example <" + wrapped + ">", "shop.example <https://shop.example/>"},
		{"old address", "text/plain", old, plain},
		{"without quotes", "text/html", "<a href=" + ours + ">x</a>", "<a href=" + escaped + ">x</a>"},
		{"letters that the charset hasn't", "text/plain", umlaut, "https://xn--shp-tna.example/%D0%B6"},
		{"letters as numbers", "text/html", `<a href="` + umlaut + `">x</a>`, `<a href="https://sh&#246;p.example/&#1078;">x</a>`},
		{"others'", "text/plain", strings.Replace(ours, "shop.example", "bank.example", 1) + " " + ours[:80] + " https://mx.acme.example/c/", ""},
	} {
		if c.want == "" {
			c.want = c.in
		}
		for _, enc := range []string{"7bit", "quoted-printable"} {
			m := parse(crlf("MIME-Version: 1.0\nContent-Type: " + c.kind + "; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n" + c.in))
			if enc != "7bit" {
				// As mail programs wrap it.
				var b strings.Builder
				for line := range strings.Lines(string(m.Decoded(m.Parts[0]))) {
					line = strings.ReplaceAll(line, "=", "=3D")
					for len(line) > 70 {
						cut := 70 - strings.Count(line[68:70], "=")*2
						b.WriteString(line[:cut] + "=\r\n")
						line = line[cut:]
					}
					b.WriteString(line)
				}
				m = parse([]byte("MIME-Version: 1.0\r\nContent-Type: " + c.kind + "; charset=us-ascii\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b.String()))
			}
			m = parse(rewrite.Apply(m.Raw, w.Restore(m).Changes))
			if d := cmp.Diff(c.want, strings.ReplaceAll(m.Text(m.Parts[0]), "\r\n", "\n")); d != "" {
				t.Errorf("%s, %s: (-want +got)\n%s", c.name, enc, d)
			}
		}
	}
}

// A forward as an attachment has our links inside of the attached message.
func TestRestoreAttached(t *testing.T) {
	w := writer(t)
	ours := w.ours[0] + w.cfg.Sealer.Seal(Link{URL: "https://shop.example/", Time: noon})
	raw := crlf("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nSee below\n--a\nContent-Type: message/rfc822\n\nSubject: inner\n\nLook: " + ours + "\n--a--\n")
	p := w.Restore(parse(raw))
	if out := string(rewrite.Apply(raw, p.Changes)); p.Links != 1 || !strings.Contains(out, "Look: https://shop.example/\r\n") {
		t.Errorf("%+v\n%s", p.Report, out)
	}
}

// A banner and our links come into a message together, and go together.
func TestWithBanner(t *testing.T) {
	w := writer(t)
	b, err := banner.New(banner.Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := banner.Of(reason.FirstContact)
	for _, c := range messages {
		raw := crlf(c.raw)
		m := parse(raw)
		links, report := w.Edit(m, ref, noon)
		words, left := b.Edit(m, []banner.Item{first}, "de")
		changes, written := rewrite.EditTexts(m, links, words)
		m2 := parse(rewrite.Apply(raw, changes))
		same(t, m, m2, len(written))
		if left == "" && !banner.Present(m2) {
			t.Errorf("%s: no banner", c.name)
		}
		if report.Links > 0 && !w.mentions(m2.View().Text+m2.View().Plain+string(m2.Raw)) && c.name != "base64" && c.name != "utf-16" {
			t.Errorf("%s: no link of ours", c.name)
		}
		links, back := w.RestoreEdit(m2)
		words, _ = b.RemoveEdit(m2)
		changes, _ = rewrite.EditTexts(m2, links, words)
		m3 := parse(rewrite.Apply(m2.Raw, changes))
		if back.Links != report.Links {
			t.Errorf("%s: %d links back of %d", c.name, back.Links, report.Links)
		}
		for i, part := range m.Parts {
			if strings.HasPrefix(part.Type, "text/") && strings.TrimLeft(m.Text(part), "\ufeff") != strings.TrimLeft(m3.Text(m3.Parts[i]), "\ufeff") && c.name != "ours broken" {
				t.Errorf("%s: part %d: %s", c.name, i, cmp.Diff(m.Text(part), m3.Text(m3.Parts[i])))
			}
		}
	}
}

func TestArmours(t *testing.T) {
	signed, end := "-----BEGIN PGP SIGNED MESSAGE-----\nx\n", "-----END PGP SIGNATURE-----"
	other := "-----BEGIN PGP MESSAGE-----\nx\n-----END PGP MESSAGE-----"
	for _, c := range []struct {
		in   string
		want [][2]int
	}{
		{"", nil}, {signed, nil}, {"x" + signed + end, nil}, {signed + signed + end, [][2]int{{0, 2*len(signed) + len(end)}}},
		{signed + "\n" + other, [][2]int{{len(signed) + 1, len(signed) + 1 + len(other)}}},
		{other + "\n" + signed + end, [][2]int{{0, len(other)}, {len(other) + 1, len(other) + 1 + len(signed) + len(end)}}},
		{other + "\n-----BEGIN PGP MESSAGE-----\n" + signed, [][2]int{{0, len(other)}}},
	} {
		if d := cmp.Diff(c.want, armours(c.in)); d != "" {
			t.Errorf("%q: %s", c.in, d)
		}
	}
	// Hostile mail is full of beginnings: this has to end.
	if a := armours(strings.Repeat("-----BEGIN PGP MESSAGE-----\n"+signed, 100_000)); a != nil {
		t.Errorf("%v", a)
	}
}

func TestNew(t *testing.T) {
	for _, u := range []string{"", "mx.acme.example", "ftp://x", "https://", "https://x/?q", "https://u@x/", "javascript:x"} {
		if _, err := New(Config{PublicURL: u, Sealer: sealer(t, 1)}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
	if _, err := New(Config{PublicURL: "https://x.example"}); err == nil {
		t.Error("made without a sealer")
	}
}

func FuzzProtect(f *testing.F) {
	for _, c := range messages {
		f.Add(crlf(c.raw))
		f.Add([]byte(c.raw))
	}
	w := writer(f)
	f.Fuzz(func(t *testing.T, raw []byte) { hold(t, w, raw) })
}

func FuzzProtectHTML(f *testing.F) {
	f.Add(`<a href="https://shop.example/?a=1&amp;b=2">Shop</a> https://b.example/&nbsp;<!--[if mso]><v:rect href='http://c.example'><![endif]-->`, "utf-8")
	f.Add("<base href=//a.example><a/href=x&lt;><form action='http://\xf6'>", "iso-8859-1")
	f.Add("<a href=\"https://\x83\x5c.example/\">www.a.example/\x83\x5c</a>", "shift_jis")
	w := writer(f)
	f.Fuzz(func(t *testing.T, body, label string) {
		if strings.ContainsAny(label, "\r\n\x00;\"") {
			return
		}
		hold(t, w, []byte("MIME-Version: 1.0\r\nContent-Type: text/html; charset="+label+"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"+body))
	})
}

func FuzzRestore(f *testing.F) {
	w := writer(f)
	ours := w.ours[0] + w.cfg.Sealer.Seal(Link{URL: "https://shop.example/?a=1&b=2", Ref: ref, Time: noon})
	f.Add(ours[:50]+"\r\n> "+ours[50:], false)
	f.Add(`<a href="`+ours+`">`+ours+"</a>", true)
	f.Fuzz(func(t *testing.T, body string, html bool) {
		kind := "text/plain"
		if html {
			kind = "text/html"
		}
		m := parse([]byte("MIME-Version: 1.0\r\nContent-Type: " + kind + "\r\n\r\n" + body))
		p := w.Restore(m)
		same(t, m, parse(rewrite.Apply(m.Raw, p.Changes)), p.Parts)
	})
}

func BenchmarkProtect(b *testing.B) {
	body := strings.Repeat("<p>A paragraph of an ordinary message, with a <a href=\"https://example.org/click?id=0123456789abcdef&amp;u=0123456789\">link</a>.</p>\n", 30)
	raw := crlf("MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n" + strings.Repeat("Hello there, all of you.\n", 100) +
		"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.ReplaceAll(body, "=", "=3D") + "--b--\n")
	m := parse(raw)
	w := writer(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		p := w.Protect(m, ref, noon)
		_ = rewrite.Apply(m.Raw, p.Changes)
	}
}
