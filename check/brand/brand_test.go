package brand_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/check"
	"sluice/check/brand"
	"sluice/check/checktest"
	"sluice/dns/dnstest"
	learn "sluice/learn/brand"
	"sluice/mailauth"
	"sluice/message"
)

const zone = `{
"paypal.com":   {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]},
"_dmarc.paypal.com": {"TXT": ["v=DMARC1; p=reject"]},
"_dmarc.example.org": {"TXT": ["v=DMARC1; p=none"]},
"fedex.com":    {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]},
"example.org":  {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]},
"docusign.net": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]},
"disneystore.com": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
"post.card.apple": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
"disney-gifts.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
"sky.com":      {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}
}`

func verifier(t testing.TB) *mailauth.Verifier {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	return mailauth.New(mailauth.Config{Resolver: z, Hostname: "mx.example.net"})
}

const good, bad = "192.0.2.7", "198.51.100.1"

// live is a message that arrives from a client; from 192.0.2.7 it authenticates.
func live(v *mailauth.Verifier, client, fields, body string) *check.Input {
	in := checktest.Input(checktest.Mail(fields, body))
	in.Conn.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4711)
	a, _ := in.Message.From()
	in.Envelope.From, in.Notes = a.String(), &check.Notes{}
	in.Auth = v.Open(in.Conn).Begin(in.Envelope)
	return in
}

const html = "\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8"

// page is a message of a program: a picture from the web, a text, a button.
func page(text, link string) string {
	return "<img src=\"https://img.example/a.png\"><p>" + text + "</p><a style=\"background:#00f\" href=\"" + link + "\">Go on</a>"
}

func TestClaims(t *testing.T) {
	list := brand.Checks(brand.Config{})
	for _, c := range []struct{ name, from, subject, body, want string }{
		// Claims.
		{"name", "PayPal <a@example.org>", "x", page("Hello", "https://evil.example/"), "BRAND_LINKS_AWAY BRAND_NAME"},
		{"name and role", "\"PayPal Service Team\" <a@example.org>", "x", page("Hello", "https://evil.example/"), "BRAND_LINKS_AWAY BRAND_NAME"},
		{"plain text, no link", "PayPal <a@example.org>", "x", "Call us at +1 555 0100", "BRAND_NAME"},
		{"Cyrillic", "PаyPаl <a@example.org>", "x", "Hello", "BRAND_DISGUISED BRAND_NAME"},
		{"apart", "\"P a y P a l\" <a@example.org>", "x", "Hello", "BRAND_DISGUISED BRAND_NAME"},
		{"digit", "Paypa1 <a@example.org>", "x", "Hello", "BRAND_DISGUISED BRAND_NAME"},
		{"glued", "NetflixSupport <a@example.org>", "x", "Hello", "BRAND_NAME"},
		{"no name", "netflix-support@example.org", "x", "Hello", "BRAND_NAME"},
		{"address without domain", "<Netflix>", "x", "Hello", "BRAND_NAME"},
		{"German", "Sparkasse Kundenservice <a@example.org>", "x", page("Ihr Sparkasse Konto", "https://evil.example/"), "BRAND_LINKS_AWAY BRAND_NAME BRAND_TEXT"},
		{"French", "L'Assurance Maladie <a@example.org>", "x", "Bonjour", "BRAND_NAME"},
		{"Spanish", "Agencia Tributaria <a@example.org>", "x", "Hola", "BRAND_NAME"},
		{"Italian", "Poste Italiane <a@example.org>", "x", "Ciao", "BRAND_NAME"},
		{"Dutch", "Belastingdienst <a@example.org>", "x", "Geachte", "BRAND_NAME"},
		{"Swedish", "PostNord Kundtjänst <a@example.org>", "x", "Hej", "BRAND_NAME"},
		{"Portuguese", "Itaú Unibanco <a@example.org>", "x", "Olá", "BRAND_NAME"},
		{"Japanese", "=?utf-8?B?5LiJ5LqV5L2P5Y+L44Kr44O844OJ?= <a@example.org>", "x", "x", "BRAND_NAME"},
		{"Hindi bank", "State Bank of India <a@example.org>", "x", "Dear", "BRAND_NAME"},
		{"Russian", "Сбербанк <a@example.org>", "x", "x", "BRAND_NAME"},
		{"subject", "Customer Care <a@example.org>", "Your Netflix account is on hold", page("Hello", "https://evil.example/"), "BRAND_SUBJECT"},
		{"subject in front", "Customer Care <a@example.org>", "DHL: 1 parcel", page("Hello", "https://evil.example/"), "BRAND_SUBJECT"},
		{"prize", "Customer Care <a@example.org>", "500€ IKEA Gutschein", page("Hello", "https://evil.example/"), "BRAND_SUBJECT"},
		{"a bank's kind before its name", "Banco Bradesco <a@example.org>", "x", "Olá", "BRAND_NAME"},
		{"a word", "Customer Care <a@example.org>", "Your Next Order", page("your FREE account at your next order", "https://example.org/"), ""},
		{"signature", "Customer Care <a@example.org>", "x", page("Hello<br>The PayPal Team", "https://evil.example/"), "BRAND_TEXT"},
		{"footer", "Customer Care <a@example.org>", "x", page("Hello<br>Copyright © 2024-2026 Netflix, Inc. All rights reserved", "https://evil.example/"), "BRAND_FOOTER"},
		{"logo", "Customer Care <a@example.org>", "x", "<img src=\"https://img.example/a.png\" alt=\"FedEx logo\"><p>Hi</p><a href=\"https://evil.example/\">Go</a>", "BRAND_LOGO_ALT"},
		{"several weak ones", "Customer Care <a@example.org>", "Your Netflix account", page("Hello<br>© 2026 Netflix", "https://evil.example/"), "BRAND_FOOTER BRAND_LINKS_AWAY BRAND_SUBJECT"},
		{"common word and a role", "Apple Support <a@example.org>", "x", "Hello", "BRAND_NAME"},
		{"common word and more", "Apple <a@example.org>", "x", page("Hello<br>© 2026 Apple Inc", "https://evil.example/"), "BRAND_FOOTER BRAND_LINKS_AWAY BRAND_NAME"},
		{"common words alone", "Chase <a@example.org>", "x", "Hi", ""},
		{"leads home", "Netflix <a@example.org>", "x", page("Hello", "https://www.netflix.com/"), "BRAND_NAME_PART"},
		{"writes to a mailbox", "PayPal <a@example.org>", "x", "<p>Hello</p><a href=\"mailto:x@gmail.com?subject=Report\">Report</a>", "BRAND_NAME BRAND_WRITES_AWAY"},
		{"writes to itself", "PayPal <a@example.org>", "x", "<p>Hello</p><a href=\"mailto:x@example.org\">Report</a>", "BRAND_NAME"},
		{"another country's domain", "Vodafone <a@vodafone.al>", "x", page("Hello", "https://www.vodafone.al/"), "BRAND_NAME_PART"},
		// No claims.
		{"own domain, unknown authentication", "PayPal <service@paypal.com>", "x", "Hello", ""},
		{"own subdomain", "PayPal <service@mail.paypal.com>", "x", "Hello", ""},
		{"person", "Ann Archer <a@example.org>", "PayPal", "Did PayPal ask you for that too?", ""},
		{"person at a firm", "\"Ann Archer (Google)\" <a@example.org>", "x", "Hi", ""},
		{"people's names", "Chase Orange <a@example.org>", "x", page("Hello", "https://example.org/"), ""},
		{"a fruit", "Orange Marmalade <a@example.org>", "x", page("Hello", "https://example.org/"), ""},
		{"club", "Tesla Owners Club <a@example.org>", "x", page("Hello", "https://example.org/"), ""},
		{"news", "The Daily News <a@example.org>", "Amazon buys a shipping company", page("Amazon, Netflix and Apple rose. PayPal fell.", "https://example.org/"), ""},
		{"receipt", "Corner Shop <a@example.org>", "Your order 12", page("Paid with your PayPal account. Sent with DHL.", "https://example.org/"), ""},
		{"app stores", "Corner Shop <a@example.org>", "News", page("Download on the App Store. Get it on Google Play.<br>Google Play and the Google Play logo are trademarks of Google LLC.<br>© 2026 Corner Shop", "https://example.org/"), ""},
		{"icons", "Corner Shop <a@example.org>", "News", "<img src=\"https://i.example/f.png\" alt=\"Facebook\"><img src=\"https://i.example/x.png\" alt=\"Instagram\"><a href=\"https://example.org/\">Go</a>", ""},
		{"a relative word", "Turnover Team <a@example.org>", "The next target", page("A free discover square, a steam of slack", "https://example.org/"), ""},
	} {
		in := checktest.Input(checktest.Mail("From: "+c.from+"\nSubject: "+c.subject+html, c.body))
		if got := strings.Join(checktest.Reasons(checktest.Run(t, list, in)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRights(t *testing.T) {
	v := verifier(t)
	list := brand.Checks(brand.Config{})
	for _, c := range []struct{ name, client, fields, want string }{
		{"proved", good, "From: FedEx <service@fedex.com>", "BRAND_RIGHT"},
		{"proved, and anybody may have an invoice sent", good, "From: PayPal <service@paypal.com>", ""},
		{"forged", bad, "From: PayPal <service@paypal.com>", "BRAND_UNPROVED"},
		{"stranger who authenticates", good, "From: PayPal <service@example.org>", "BRAND_NAME"},
		{"stranger who doesn't", bad, "From: PayPal <service@example.org>", "BRAND_NAME"},
		{"another brand's domain", good, "From: PayPal <service@fedex.com>", "BRAND_NAME"},
		{"a sister domain", good, "From: Disney Store <news@disneystore.com>", "BRAND_RIGHT"},
		{"a sister domain, forged", bad, "From: Disney Store <news@disneystore.com>", "BRAND_UNPROVED"},
		{"no sister", good, "From: Disney Store <news@disney-gifts.example>", "BRAND_NAME"},
		{"a top-level domain of its own", good, "From: Apple Card Support <no_reply@post.card.apple>", "BRAND_RIGHT"},
		{"a mailbox that it gives to anybody", good, "From: Sky Customer Service <x@sky.com>", ""},
		{"anybody may send from there", good, "From: DocuSign <dse@docusign.net>", ""},
		{"somebody of the firm on a list", good, "From: \"Ann Archer, PayPal\" <ann@example.org>\nList-Id: <l.example.org>\nList-Post: <mailto:l@example.org>\nPrecedence: list", ""},
		{"a list of a platform", good, "From: GitHub <g@example.org>\nList-Id: <l.example.org>\nList-Post: <mailto:l@example.org>\nPrecedence: list", ""},
		{"a list as a veil", good, "From: PayPal <service@example.org>\nList-Id: <l.example.org>\nList-Post: <mailto:l@example.org>\nPrecedence: list", "BRAND_NAME"},
		{"a bounce", good, "From: PayPal <service@example.org>\nContent-Type: multipart/report; boundary=b", ""},
	} {
		in := live(v, c.client, c.fields, "Hello")
		if got := strings.Join(checktest.Reasons(checktest.Run(t, list, in)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	own := live(v, bad, "From: PayPal <a@example.org>", "Hello")
	own.Conn.Auth = "ann"
	if ev := checktest.Run(t, list, own); ev != nil {
		t.Errorf("own users are judged: %v", ev)
	}
}

// The admin's list gives a domain to a brand, and makes brands of its own.
func TestAdminsList(t *testing.T) {
	mine, err := learn.Shipped().With([]learn.Brand{
		{Names: []learn.Name{{Text: "PayPal"}}, Domains: []string{"example.org"}, Kind: learn.Admins},
		{Names: []learn.Name{{Text: "Archer Bows"}}, Domains: []string{"archer.example"}, Kind: learn.Admins},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t)
	list := brand.Checks(brand.Config{List: func() *learn.List { return mine }})
	for from, want := range map[string]string{"PayPal <a@example.org>": "BRAND_RIGHT", "Archer Bows <a@example.org>": "BRAND_NAME", "FedEx <service@fedex.com>": "BRAND_RIGHT"} {
		if got := strings.Join(checktest.Reasons(checktest.Run(t, list, live(v, good, "From: "+from, "Hello"))), " "); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
}

// A name that only one firm has used here, and that our people write to, is guarded;
// the memory learns it from mail as it arrives.
func TestLearned(t *testing.T) {
	mem, err := learn.New(learn.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t)
	cfg := brand.Config{Memory: mem}
	start := checktest.Now.Add(-60 * 24 * time.Hour)
	for d := range 12 {
		at := start.Add(time.Duration(d) * 4 * 24 * time.Hour)
		in := live(v, good, "From: Example Fittings <info@example.org>", "Hello")
		in.Auth.DMARC(t.Context(), in.Message, at)
		got, ok := cfg.Incoming(in.Conn, in.Envelope, in.Message, in.Auth.Known())
		if !ok {
			t.Fatal("nothing to learn")
		}
		mem.Received(at, got)
		mem.Sent(at, in.Envelope.Tenant, "info@example.org")
	}
	list := brand.Checks(cfg)
	for from, want := range map[string]string{
		"Example Fittings <info@example.org>":        "",
		"Example Fittings Team <x@fittings.example>": "BRAND_TAKEN",
		"Other Fittings <x@fittings.example>":        "",
	} {
		if got := strings.Join(checktest.Reasons(checktest.Run(t, list, live(v, bad, "From: "+from, "Hello"))), " "); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
	forged := live(v, bad, "From: Example Fittings <info@example.org>", "Hello")
	forged.Auth.DMARC(t.Context(), forged.Message, forged.Now)
	if _, ok := cfg.Incoming(forged.Conn, forged.Envelope, forged.Message, forged.Auth.Known()); ok {
		t.Error("mail that isn't authenticated is learned")
	}
}

// However a name is dressed up, it stays a claim, and the costume is evidence too.
func TestDisguises(t *testing.T) {
	list := brand.Checks(brand.Config{})
	swaps := []struct{ from, to string }{{"a", "а"}, {"e", "е"}, {"o", "о"}, {"p", "р"}, {"c", "с"}, {"i", "і"}, {"x", "х"}, {"y", "у"}}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"paypal", "netflix", "microsoft", "coinbase", "sparkasse", "commerzbank", "instagram"}).Draw(t, "name")
		dressed := name
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			for _, s := range swaps {
				if rapid.Bool().Draw(t, s.from) {
					dressed = strings.ReplaceAll(dressed, s.from, s.to)
				}
			}
		case 1:
			at := rapid.IntRange(1, len(name)-1).Draw(t, "at")
			dressed = name[:at] + "\u200b" + name[at:]
		case 2:
			dressed = strings.Join(strings.Split(name, ""), rapid.SampledFrom([]string{" ", ".", "-", "_"}).Draw(t, "gap"))
		case 3:
			dressed = strings.Map(func(r rune) rune { return r - 'a' + 0x1d41a }, name)
		}
		in := &check.Input{Message: message.Parse([]byte("From: \""+dressed+" Team\" <a@example.org>\r\n\r\nHello\r\n"), message.DefaultLimits())}
		ev, err := list[0].Check(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(checktest.Reasons(ev), " ")
		want := "BRAND_NAME"
		if dressed != name {
			want = "BRAND_DISGUISED BRAND_NAME"
		}
		if got != want {
			t.Fatalf("%q: %q, want %q", dressed, got, want)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(checktest.Mail("From: PаyPal <a@example.org>\nSubject: Your Netflix account"+html, page("© Amazon", "https://evil.example/"))))
	f.Add([]byte("From: <Netflix>\r\n\r\n\xff\xfe三井住友"))
	list := brand.Checks(brand.Config{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := checktest.Input("")
		in.Message, in.Notes = message.Parse(raw, message.DefaultLimits()), &check.Notes{}
		checktest.Run(t, list, in)
	})
}

// BenchmarkCheck judges a campaign of 10 kB.
func BenchmarkCheck(b *testing.B) {
	words := strings.Repeat("The quick brown fox jumps over the lazy dog, pays with PayPal, and returns in the morning. ", 110)
	raw := []byte(strings.ReplaceAll(checktest.Mail("From: PayPal <a@example.org>\nSubject: Your account"+html, page(words, "https://evil.example/")), "\n", "\r\n"))
	list := brand.Checks(brand.Config{})
	m := message.Parse(raw, message.DefaultLimits())
	m.View()
	in := &check.Input{Conn: &sluice.Conn{Stored: true}, Message: m}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		list[0].Check(b.Context(), in)
	}
}
