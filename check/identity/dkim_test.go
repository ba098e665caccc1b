package identity_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/identity"
	"sluice/dns/dnstest"
	"sluice/mailauth"
	"sluice/mailauth/dkim"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// signed is a message that a signer signs, asked about live in a zone of the signer's
// key and the author's policies. zone maps names to TXT records.
func signed(t *testing.T, author, signer string, zone map[string]any) *check.Input {
	t.Helper()
	in := checktest.Input("")
	raw := []byte(strings.ReplaceAll("From: Grand Shop <news@"+author+">\nTo: ann@example.net\nDate: Mon, 01 Jun 2026 10:00:00 +0000\nMessage-ID: <1@"+author+">\n"+
		"Subject: News\nList-Unsubscribe: <https://"+author+"/leave>\n\nNews of ours\n", "\n", "\r\n"))
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	field, err := dkim.Sign(raw, in.Now.Add(-time.Hour), dkim.SignOptions{Domain: signer, Selector: "s", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	in.Message = message.Parse(append(field, raw...), message.DefaultLimits())
	in.Notes = &check.Notes{}
	in.Conn.Client = netip.MustParseAddrPort("198.51.100.7:25")
	records := map[string]any{"s._domainkey." + signer: map[string]any{"TXT": []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}}}
	for name, txt := range zone {
		records[name] = map[string]any{"TXT": txt}
	}
	b, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	z, err := dnstest.Parse("zone", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	in.Envelope.From = "" // nothing but the signature
	in.Auth = mailauth.New(mailauth.Config{Resolver: z, Hostname: "gateway.example"}).Open(in.Conn).Begin(in.Envelope)
	return in
}

// A signature of the author's organization is the author's own, whether the domain has
// a policy or not.
func TestSignedByOwn(t *testing.T) {
	policy := func(name, record string) map[string]any { return map[string]any{"_dmarc." + name: []string{record}} }
	for name, c := range map[string]struct {
		author, signer string
		zone           map[string]any
		want           string
		aligned        bool
	}{
		"no policy":                            {"shop.example", "shop.example", nil, reason.DKIMPassAligned, true},
		"no policy, signed above":              {"news.shop.example", "shop.example", nil, reason.DKIMPassAligned, true},
		"no policy, signed below":              {"shop.example", "mta.shop.example", nil, reason.DKIMPassAligned, true},
		"no policy, signed beside":             {"news.shop.example", "mta.shop.example", nil, reason.DKIMPassAligned, true},
		"no policy, another's":                 {"shop.example", "sender.example", nil, reason.DKIMPassForeign, false},
		"no policy, another's ending the same": {"shop.example", "grandshop.example", nil, reason.DKIMPassForeign, false},
		"no policy, below one public suffix":   {"one.co.uk", "two.co.uk", nil, reason.DKIMPassForeign, false},
		"no policy, a public suffix":           {"one.github.io", "two.github.io", nil, reason.DKIMPassForeign, false},
		"a policy":                             {"news.shop.example", "shop.example", policy("shop.example", "v=DMARC1; p=none"), reason.DKIMPassAligned, true},
		"a strict policy":                      {"news.shop.example", "shop.example", policy("shop.example", "v=DMARC1; p=none; adkim=s"), reason.DKIMPassForeign, false},
		"a policy that can't be applied":       {"shop.example", "shop.example", policy("shop.example", "v=DMARC1; p=no"), reason.DKIMPassAligned, true},
		"a policy that can't be had":           {"shop.example", "shop.example", map[string]any{"_dmarc.shop.example": "SERVFAIL"}, reason.DKIMPassAligned, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := signed(t, c.author, c.signer, c.zone)
			s := check.SenderOf(t.Context(), in)
			own := c.want == reason.DKIMPassAligned
			if s.Aligned != c.aligned || s.Signed != (own || name == "a strict policy") || !slices.Contains(s.Signers, links.OrgDomain(c.signer)) {
				t.Errorf("aligned %v, signed %v, by %v", s.Aligned, s.Signed, s.Signers)
			}
			var got []string
			for _, k := range identity.Checks() {
				if k.Info().Name != "identity/dkim" {
					continue
				}
				ev, err := k.Check(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range ev {
					got = append(got, string(e.Reason))
				}
			}
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// A signature of one who bears a brand's name speaks for nobody, but behind a service,
// which has customers.
func TestSignedUnderBorrowedName(t *testing.T) {
	for _, c := range []struct {
		name, client, results, from string
		credit                      bool
	}{
		{"its own name", "mail.firm.example", "dkim=pass header.d=firm.example", "Firm <x@firm.example>", true},
		{"a brand's own", "mail.paypal.com", "dkim=pass header.d=paypal.com", "PayPal <x@paypal.com>", true},
		{"a brand's name", "mail.firm.example", "dkim=pass header.d=firm.example", "PayPal <x@firm.example>", false},
		{"a brand's name through a service", "mail1.mcsv.net", "dkim=pass header.d=firm.example", "PayPal <x@firm.example>", true},
	} {
		in := from(t, c.client, c.results, "From: "+c.from, "<p>Hello</p>")
		for _, k := range identity.Checks() {
			if k.Info().Name != "identity/dkim" {
				continue
			}
			ev, err := k.Check(t.Context(), in)
			if err != nil || len(ev) == 0 || ev[0].Reason != reason.DKIMPassAligned || ev[0].Raw < 0 != c.credit {
				t.Errorf("%s: %v, %v", c.name, ev, err)
			}
		}
	}
}
