package identity_test

import (
	"net/netip"
	"strings"
	"testing"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/identity"
	"sluice/dns/dnstest"
	"sluice/mailauth"
	"sluice/mailauth/authres"
)

// upstream is whose results the tests believe.
const upstream = "border.example"

// from is a message as a trusted upstream has authenticated it, from a client with a
// name. Results are without the authserv-id; "" is nothing known.
func from(t *testing.T, client, results, fields, body string) *check.Input {
	t.Helper()
	if results != "" {
		fields = "Authentication-Results: " + upstream + "; " + results + "\n" + fields
	}
	in := checktest.Input(checktest.Mail(fields+"\nContent-Type: text/html", body))
	in.Notes = &check.Notes{}
	in.Conn.Client = netip.MustParseAddrPort("198.51.100.7:25")
	in.Conn.Hello.Name = client
	zone, err := dnstest.Parse("zone", strings.NewReader(`{"198.51.100.7": {"PTR": ["`+client+`"]}, "`+client+`": {"A": ["198.51.100.7"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	v := mailauth.New(mailauth.Config{Resolver: zone, Hostname: upstream, Upstream: authres.Trust{IDs: []string{upstream}}})
	in.Auth = v.Open(in.Conn).Begin(in.Envelope)
	return in
}

// ours are the reasons that are looked at; authentication's own have tests elsewhere.
var senders = map[sluice.Reason]bool{
	"NAME_FITS_PROVED": true, "NAME_LOCAL_ONLY": true, "NAME_AT_FREE_MAIL": true, "FROM_NAME_FOREIGN": true, "FROM_NAME_FITS": true, "TEXT_NAMES_DOMAIN": true,
	"FOOTER_OWN": true, "FOOTER_OTHER": true, "DOMAIN_WELL_KNOWN": true, "FROM_CHEAP_TLD": true, "DOMAIN_ODD": true, "SENDER_UNKNOWN": true, "FROM_OURS_UNPROVED": true,
	"AUTH_NOTHING_PASSES": true, "BULK_UNSIGNED": true, "CLIENT_OF_AUTHOR": true, "CLIENT_OF_SERVICE": true, "CLIENT_TWO_OWNERS": true, "LEAVE_ONE_CLICK": true, "LEAVE_OWN": true,
}

func TestSender(t *testing.T) {
	const (
		page   = `<p>Hello</p><a href="https://www.acme.com/">Read</a><img src="https://img.acme.com/1.png">`
		foot   = `<p>Acme Tools have news at acme.com.</p><a href="https://www.acme.com/">Read</a><p>© 2026 Acme Tools Inc. All rights reserved.</p><img src="https://img.acme.com/1.png">`
		leave  = "List-Unsubscribe: <https://us2.list-manage.com/u?id=1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
		signed = "DKIM-Signature: v=1; d=acme.com; b=x\n"
		acme   = "dkim=pass header.d=acme.com; dmarc=pass header.from=acme.com"
		shop   = "dkim=pass header.d=winner.shop; dmarc=pass header.from=winner.shop"
	)
	for _, c := range []struct{ name, client, results, fields, body, want string }{
		{"a firm by its own host", "mail.acme.com", acme, signed + "From: Acme Tools <news@acme.com>", foot,
			"NAME_FITS_PROVED TEXT_NAMES_DOMAIN FOOTER_OWN CLIENT_OF_AUTHOR SENDER_UNKNOWN"},
		{"by a service", "mail1.mcsv.net", acme, signed + leave + "From: Acme Tools <news@acme.com>", page, "NAME_FITS_PROVED CLIENT_OF_SERVICE LEAVE_ONE_CLICK"},
		{"the same without proof", "mail1.mcsv.net", "", signed + leave + "From: Acme Tools <news@acme.com>", page, "FROM_NAME_FITS CLIENT_OF_SERVICE LEAVE_ONE_CLICK AUTH_NOTHING_PASSES"},
		{"a copy", "cheap.host.example", shop, signed + leave + "From: Acme Tools <acme@winner.shop>", foot,
			"FROM_NAME_FOREIGN NAME_LOCAL_ONLY CLIENT_TWO_OWNERS! FROM_CHEAP_TLD SENDER_UNKNOWN"},
		{"a copy under another name", "x.winner.shop", shop, signed + "From: Grand Prize <info@winner.shop>", foot, "FROM_NAME_FOREIGN FOOTER_OTHER FROM_CHEAP_TLD SENDER_UNKNOWN"},
		{"nothing passes", "mail.acme.com", "dkim=fail header.d=acme.com; spf=softfail smtp.mailfrom=acme.com", signed + "From: Acme Tools <news@acme.com>", page,
			"FROM_NAME_FITS AUTH_NOTHING_PASSES SENDER_UNKNOWN"},
		{"a list", "list.example.net", "dkim=pass header.d=example.net", signed + "List-Id: <l.example.net>\nList-Post: <mailto:l@example.net>\nFrom: Acme Tools <acme@winner.shop>", foot, ""},
		{"list marks that nothing proves", "x.winner.shop", shop, signed + "List-Id: <l.example.org>\nList-Post: <mailto:l@example.org>\nFrom: Grand Prize <info@winner.shop>", page,
			"FROM_NAME_FOREIGN FROM_CHEAP_TLD SENDER_UNKNOWN"},
		{"our own domain, unproved", "mail.acme.com", "dkim=pass header.d=acme.com", signed + "From: Big Boss <ceo@example.net>", page, "FROM_NAME_FOREIGN FROM_OURS_UNPROVED SENDER_UNKNOWN CLIENT_TWO_OWNERS-"},
		{"a firm at free mail", "mail-1.google.com", "dkim=pass header.d=gmail.com", signed + "From: Acme Billing <acme@gmail.com>", page, "NAME_AT_FREE_MAIL"},
		{"a person at free mail", "mail-1.google.com", "dkim=pass header.d=gmail.com", signed + "From: Ann Smith <ann@gmail.com>", page, ""},
		{"a well-known one", "mail.walgreens.com", "dkim=pass header.d=walgreens.com; dmarc=pass header.from=walgreens.com", signed + "From: Walgreens <news@walgreens.com>", page,
			"NAME_FITS_PROVED DOMAIN_WELL_KNOWN CLIENT_OF_AUTHOR"},
		{"a machine's domain", "x9k2q7.com", "dkim=pass header.d=x9k2q7.com; dmarc=pass header.from=x9k2q7.com", signed + "From: Grand Prize <info@x9k2q7.com>", page,
			"FROM_NAME_FOREIGN DOMAIN_ODD SENDER_UNKNOWN"},
		{"a brand's name at another's", "x.mta.example", "dkim=pass header.d=paypal-help.com; dmarc=pass header.from=paypal-help.com", signed + "From: PayPal <x@paypal-help.com>", page, "NAME_FITS_PROVED SENDER_UNKNOWN"},
		{"a letter", "mail-1.google.com", "dkim=pass header.d=firm.com", signed + "In-Reply-To: <1@example.net>\nFrom: Ann Smith <ann@firm.com>", `Yes. <a href="https://x.example/">That</a>`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := from(t, c.client, c.results, c.fields, c.body)
			if strings.Contains(c.want, "CLIENT_TWO_OWNERS!") {
				in.Conn.Hello.Name = "winner.shop"
			}
			got := map[string]bool{}
			var all []sluice.Evidence
			for _, k := range identity.Checks() {
				ev, err := k.Check(t.Context(), in)
				if err != nil {
					t.Error(err)
				}
				all = append(all, ev...)
			}
			for _, e := range all {
				if senders[e.Reason] && e.State == sluice.Found {
					got[string(e.Reason)] = true
				}
			}
			for w := range strings.FieldsSeq(c.want) {
				if strings.HasSuffix(w, "-") {
					continue
				}
				w = strings.TrimSuffix(w, "!")
				if !got[w] {
					t.Errorf("no %s", w)
				}
				delete(got, w)
			}
			for w := range got {
				t.Errorf("%s", w)
			}
		})
	}
}
