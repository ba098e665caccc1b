package link_test

import (
	"net/netip"
	"strings"
	"testing"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/link"
	"sluice/mailauth"
	"sluice/mailauth/authres"
)

// sent is a newsletter as a trusted upstream has authenticated it.
func sent(results, fields, body string) *check.Input {
	in := checktest.Input(checktest.Mail("Authentication-Results: border.example; "+results+"\nDKIM-Signature: v=1\nList-Unsubscribe: <https://x.example/>\n"+fields+"\nContent-Type: text/html", body))
	in.Notes = &check.Notes{}
	in.Conn.Client = netip.MustParseAddrPort("198.51.100.7:25")
	in.Auth = mailauth.New(mailauth.Config{Upstream: authres.Trust{IDs: []string{"border.example"}}}).Open(in.Conn).Begin(in.Envelope)
	return in
}

func TestOwners(t *testing.T) {
	const (
		acme = "dkim=pass header.d=acme.com"
		from = "From: Acme <news@acme.com>"
	)
	link1 := func(host, text string) string { return `<a href="https://` + host + `/1">` + text + `</a> ` }
	img := func(host string) string { return `<img src="https://` + host + `/1.png">` }
	foot := link1("www.facebook.com", "f") + link1("www.instagram.com", "i")
	for _, c := range []struct{ name, results, fields, body, want string }{
		{"the sender's own, and a picture elsewhere", acme, from, link1("www.acme.com", "Read") + img("cdn.example.net"), ""},
		{"all at one small place", acme, from, link1("www.acme.com", "Read") + img("img.acme.com"), "LINK_SINGLE_OWNER"},
		{"at one place by a service", acme + "; dkim=pass header.d=sendgrid.net", from, link1("www.acme.com", "Read") + img("img.acme.com"), ""},
		{"none of the sender's", acme, from, link1("a.example.net", "Read") + link1("b.example.com", "Read"), "LINK_NONE_OWN"},
		{"none, and at one place", acme, from, link1("a.example.net", "Read"), "LINK_NONE_OWN LINK_SINGLE_OWNER"},
		{"at the service that carries it", acme + "; dkim=pass header.d=sendgrid.net", from, link1("u1.ct.sendgrid.net", "Read"), ""},
		{"at a service that doesn't", acme, from, link1("u1.ct.sendgrid.net", "Read"), "LINK_NONE_OWN"},
		{"at who signs", acme + "; dkim=pass header.d=mailer1.example.com", from, link1("t.example.com", "Read") + img("cdn.example.net"), ""},
		{"a service's numbered domains", "dkim=pass header.d=sendlink1.com", from, link1("www.sendlink02.com", "Read") + img("cdn.example.net"), ""},
		{"the author's name below another top-level domain", acme, from, link1("www.acme.shop", "Read") + img("cdn.example.net"), "LINK_NONE_OWN"},
		{"a foot", acme, from, link1("www.acme.com", "Read") + foot, "LINK_SOCIAL"},
		{"a foot that names networks", acme, from, link1("www.acme.com", "Read") + link1("t.acme.com", "Facebook") + link1("t.acme.com", "LinkedIn") + img("cdn.example.net"), "LINK_SOCIAL"},
		{"a foot in a copy", "dkim=fail header.d=acme.com", from, link1("www.acme.com", "Read") + foot, ""},
		{"many places", acme, from, link1("www.acme.com", "Read") + link1("a.example.net", "a") + link1("b.example.com", "b") + link1("c.example.org", "c") + link1("www.gov.uk", "d"), "LINK_MANY_OWNERS"},
		{"a rewriter", acme, from, link1("nam02.safelinks.protection.outlook.com", "Read") + img("cdn.example.net"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := []sluice.Evidence{}
			for _, e := range checktest.Run(t, link.Checks(), sent(c.results, c.fields, c.body)) {
				switch e.Reason {
				case "LINK_SINGLE_OWNER", "LINK_NONE_OWN", "LINK_SOCIAL", "LINK_MANY_OWNERS", "LINK_ONE_STRANGER":
					got = append(got, e)
				}
			}
			if got := strings.Join(checktest.Reasons(got), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestImageMap(t *testing.T) {
	mail := func(text string) string {
		return checktest.Mail("Content-Type: text/html", `<img src="https://x.example.org/a.png" usemap="#m"><map name=m><area href="https://x.example.org/1" shape=rect></map>`+text)
	}
	for text, want := range map[string]string{"": "IMAGE_MAP IMAGE_ONLY", strings.Repeat("Words. ", 30): "IMAGE_MAP", strings.Repeat("Words of a letter. ", 60): ""} {
		got := []sluice.Evidence{}
		for _, e := range checktest.Run(t, link.Checks(), checktest.Input(mail(text))) {
			if strings.HasPrefix(string(e.Reason), "IMAGE_") {
				got = append(got, e)
			}
		}
		if got := strings.Join(checktest.Reasons(got), " "); got != want {
			t.Errorf("%d octets: got %q, want %q", len(text), got, want)
		}
	}
}
