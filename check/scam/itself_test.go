package scam

import (
	"net/netip"
	"strings"
	"testing"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/dns/dnstest"
	"sluice/mailauth"
	"sluice/mailauth/authres"
)

// A firm's own invoice isn't a callback fraud, and its offers hint at none; the same
// words of somebody else are.
func TestItself(t *testing.T) {
	const (
		invoice = "Invoice: your order has been confirmed and your card will be charged $389.99 for the renewal. If you did not place this order, call us immediately at +1 (808) 555-0142 within 24 hours to cancel the subscription."
		hint    = "Dear friend, claim your gift today: the donation is for you."
		notice  = "Auto-Submitted: auto-generated\n"
		shop    = "dkim=pass header.d=lampenhof.example; dmarc=pass header.from=lampenhof.example"
		own     = "From: Lampenhof <orders@lampenhof.example>"
	)
	for name, c := range map[string]struct{ results, fields, body, want string }{
		"its own invoice":          {shop, notice + own, invoice, ""},
		"nothing is known":         {"", notice + own, invoice, "CALLBACK_INVOICE"},
		"not proved":               {"dkim=fail header.d=lampenhof.example", notice + own, invoice, "CALLBACK_INVOICE"},
		"a name that doesn't fit":  {shop, notice + "From: Geek Order Desk <orders@lampenhof.example>", invoice, "CALLBACK_INVOICE"},
		"a well-known name beside": {shop, notice + own, invoice + " Norton Total Protection", "CALLBACK_INVOICE"},
		"a person's letter":        {shop, own, invoice, "CALLBACK_INVOICE"},
		"a platform's":             {"dkim=pass header.d=docusign.net; dmarc=pass header.from=docusign.net", notice + "From: Docusign <dse@docusign.net>", invoice, "CALLBACK_INVOICE"},
		"a hint":                   {"", notice + own, hint, "SCAM_HINT"},
		"a hint of its own":        {shop, notice + own, hint, ""},
		"another fraud":            {shop, notice + own, "I'm in a meeting. Please buy gift cards for some clients and send me pictures of the codes.", "BEC_GIFT_CARD"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := c.fields
			if c.results != "" {
				fields = "Authentication-Results: border.example; " + c.results + "\n" + fields
			}
			in := checktest.Input(plain(fields, c.body))
			in.Notes = &check.Notes{}
			in.Conn.Client = netip.MustParseAddrPort("198.51.100.7:25")
			zone, err := dnstest.Parse("zone", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			in.Auth = mailauth.New(mailauth.Config{Resolver: zone, Hostname: "border.example", Upstream: authres.Trust{IDs: []string{"border.example"}}}).Open(in.Conn).Begin(in.Envelope)
			var got []string
			for _, e := range checktest.Run(t, Checks(Config{}), in) {
				got = append(got, string(e.Reason))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %q", got, c.want)
			}
		})
	}
}
