package check_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/dns/dnstest"
	"sluice/learn/brand"
	"sluice/mailauth"
	"sluice/mailauth/authres"
	"sluice/message"
	"sluice/message/links"
)

// What a message is taken for where nobody can be asked.
func TestTraffic(t *testing.T) {
	const picture = `<a href="https://x.example/">Read</a><img src="https://x.example/1.png">`
	html := func(fields, body string) string { return checktest.Mail(fields+"\nContent-Type: text/html", body) }
	for name, c := range map[string]struct {
		raw  string
		want check.Traffic
	}{
		"a letter":               {checktest.Mail("", "Dear Ann\n"), check.Personal},
		"a letter with a link":   {checktest.Mail("", "See https://x.example/\n"), check.Personal},
		"an answer in HTML":      {html("In-Reply-To: <1@example.net>", `<a href="https://x.example/">That</a>`), check.Personal},
		"HTML with a picture":    {html("", picture), check.Notice},
		"HTML of nobody":         {html("From: noreply@example.org", `<a href="https://x.example/">That</a>`), check.Notice},
		"a way to leave":         {html("", picture+`<a href="https://x.example/u">Unsubscribe</a>`), check.Campaign},
		"List-Unsubscribe":       {checktest.Mail("List-Unsubscribe: <mailto:u@example.org>", "News\n"), check.Campaign},
		"List-Id alone":          {checktest.Mail("List-Id: <l.example.org>", "News\n"), check.Campaign},
		"a list":                 {checktest.Mail("List-Id: <l.example.org>\nList-Post: <mailto:l@example.org>", "Re\n"), check.List},
		"a list by its software": {checktest.Mail("X-BeenThere: l@example.org\nPrecedence: list", "Re\n"), check.List},
		"a brand's name":         {checktest.Mail("From: PayPal <ann@example.org>", "Dear Ann\n"), check.Notice},
		"a brand's name answers": {checktest.Mail("From: PayPal <ann@example.org>\nIn-Reply-To: <1@example.net>", "Dear Ann\n"), check.Personal},
		"a program":              {checktest.Mail("Auto-Submitted: auto-generated", "Done\n"), check.Notice},
	} {
		in := checktest.Input(c.raw)
		in.Notes = &check.Notes{}
		s := check.SenderOf(context.Background(), in)
		if s.Traffic != c.want {
			t.Errorf("%s: %v, want %v", name, s.Traffic, c.want)
		}
		if s != check.SenderOf(context.Background(), in) {
			t.Errorf("%s: worked out twice", name)
		}
		if s.Known || s.Aligned {
			t.Errorf("%s: known without anybody to ask", name)
		}
	}
}

// verifier believes border.example's results, and asks an empty zone.
func verifier(t testing.TB) *mailauth.Verifier {
	t.Helper()
	zone, err := dnstest.Parse("zone", strings.NewReader(`{"198.51.100.7": {"PTR": ["mail.example.org"]}, "mail.example.org": {"A": ["198.51.100.7"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return mailauth.New(mailauth.Config{Resolver: zone, Hostname: "border.example", Upstream: authres.Trust{IDs: []string{"border.example"}}})
}

// Whose name is borrowed.
func TestBorrows(t *testing.T) {
	v := verifier(t)
	for name, c := range map[string]struct{ from, results, want string }{
		"its own":                       {"PayPal <service@paypal.com>", "dkim=pass header.d=paypal.com", ""},
		"its own, not proved":           {"PayPal <service@paypal.com>", "dkim=fail header.d=paypal.com", ""},
		"another's":                     {"PayPal <service@example.org>", "dkim=pass header.d=example.org", "PayPal"},
		"another's, nobody has looked":  {"PayPal <service@example.org>", "", "PayPal"},
		"with a role":                   {"PayPal Service Team <service@example.org>", "dkim=pass header.d=example.org", "PayPal"},
		"disguised":                     {"PаyPаl <service@example.org>", "dkim=pass header.d=example.org", "PayPal"},
		"without a name":                {"paypal-service@example.org", "dkim=pass header.d=example.org", "PayPal"},
		"the brand signs":               {"PayPal <service@example.org>", "dkim=pass header.d=paypal.com", ""},
		"another top-level domain":      {"Vodafone <info@vodafone.al>", "dkim=pass header.d=vodafone.al", ""},
		"the same, not proved":          {"Vodafone <info@vodafone.al>", "dkim=pass header.d=example.org", "Vodafone"},
		"a combined domain":             {"PayPal <info@paypal-secure.example>", "dkim=pass header.d=paypal-secure.example", "PayPal"},
		"a sister domain":               {"Disney Store <news@c.disneystore.com>", "dkim=pass header.d=disneystore.com", ""},
		"somebody of the firm":          {"Ann Archer (PayPal) <ann@example.org>", "dkim=pass header.d=example.org", ""},
		"a person's name":               {"Chase <chase@example.org>", "dkim=pass header.d=example.org", ""},
		"through one, for another":      {"Ann via DocuSign <dse@docusign.net>", "dkim=pass header.d=docusign.net", ""},
		"two names, of which one's own": {"QuickBooks PayPal <x@paypal.com>", "dkim=pass header.d=paypal.com", ""},
	} {
		fields := "From: " + c.from
		if c.results != "" {
			fields = "Authentication-Results: border.example; " + c.results + "\n" + fields
		}
		in := checktest.Input(checktest.Mail(fields, "Hello\n"))
		in.Notes = &check.Notes{}
		in.Auth = v.Open(in.Conn).Begin(in.Envelope)
		got := ""
		if b := check.SenderOf(t.Context(), in).Borrows; b != nil {
			got = b.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzSenderOf: whatever a message and its results say, what is told of its sender holds
// together.
func FuzzSenderOf(f *testing.F) {
	f.Add("From: PayPal <service@paypal.com>\r\nList-Id: <l.example.org>\r\n\r\nHello", "dkim=pass header.d=paypal.com", "mail.example.org", true)
	f.Add("From: =?utf-8?Q?P=D0=B0yPal?= <x@gmail.com>, y@z.example\r\nReply-To: <>\r\nContent-Type: text/html\r\n\r\n<a href=https://x.example>unsubscribe</a>", "spf=pass smtp.mailfrom=gmail.com; dmarc=fail header.from=gmail.com", "[192.0.2.1]", true)
	f.Add("From: <netflix>\r\nX-BeenThere: x\r\nPrecedence: list\r\nList-Post: <mailto:a@b.c>\r\n\r\n\xff", "dkim=pass header.d=.; dkim=pass header.i=@", "", false)
	v := verifier(f)
	f.Fuzz(func(t *testing.T, raw, results, hello string, known bool) {
		if len(raw) > 10_000 || len(results) > 500 {
			return
		}
		in := checktest.Input("")
		if known {
			raw = "Authentication-Results: border.example; " + results + "\r\n" + raw
		}
		in.Message, in.Notes = message.Parse([]byte(raw), message.DefaultLimits()), &check.Notes{}
		in.Conn.Client, in.Conn.Hello.Name = netip.MustParseAddrPort("198.51.100.7:25"), hello
		in.Auth = v.Open(in.Conn).Begin(in.Envelope)
		s := check.SenderOf(t.Context(), in)
		if s != check.SenderOf(t.Context(), in) {
			t.Error("worked out twice")
		}
		if s.Signed != slices.Contains(s.Signers, s.Org) {
			t.Errorf("signed %v by %q, of %q", s.Signed, s.Signers, s.Org)
		}
		if !s.Known && (s.Aligned || len(s.Signers) > 0) || s.Aligned && !s.Clear {
			t.Errorf("known %v, aligned %v, clear %v, signers %q", s.Known, s.Aligned, s.Clear, s.Signers)
		}
		if s.Coherent && len(s.Proved()) == 0 || s.Borrows != nil && s.Coherent && s.WellKnown() == nil {
			t.Errorf("coherent with %q, borrows %v", s.Proved(), s.Borrows)
		}
		if s.Org != links.OrgDomain(s.Author.Domain) || s.Mass() && (s.Traffic == check.Personal || s.Traffic == check.List) || s.Traffic.String() == "" {
			t.Errorf("%+v", s)
		}
		if b := s.Borrows; b != nil && brand.Shipped().Lookup(b.ID) != b {
			t.Errorf("borrows %q", b)
		}
	})
}
