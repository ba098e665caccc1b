package mailauth

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/spf"
)

func TestAuthenticated(t *testing.T) {
	pass := &spf.Result{Result: spf.Pass, Identity: spf.MailFrom, Domain: "Mail.Example.org"}
	signed := func(list ...string) (out []dkim.Result) {
		for _, d := range list {
			out = append(out, dkim.Result{Status: dkim.Pass, Domain: d})
		}
		return out
	}
	of := func(list ...string) (out []sluice.Authenticated) {
		for i := 0; i < len(list); i += 2 {
			out = append(out, sluice.Authenticated{Domain: list[i], By: list[i+1]})
		}
		return out
	}
	id := func(method, result, domain string, aligned bool) dmarc.Identifier {
		return dmarc.Identifier{Method: method, Result: result, Domain: domain, Aligned: aligned}
	}
	for name, c := range map[string]struct {
		k       Known
		message bool
		want    []sluice.Authenticated
	}{
		"nothing":                     {Known{}, true, nil},
		"at RCPT":                     {Known{SPF: pass}, false, of("mail.example.org", "spf")},
		"at RCPT, a greeting's":       {Known{SPF: &spf.Result{Result: spf.Pass, Identity: spf.HELO, Domain: "mail.example.org"}}, false, nil},
		"at RCPT, failed":             {Known{SPF: &spf.Result{Result: spf.Fail, Identity: spf.MailFrom, Domain: "mail.example.org"}}, false, nil},
		"a message, nobody asked":     {Known{SPF: pass}, true, nil},
		"spf of another":              {Known{SPF: pass, DMARC: &dmarc.Result{Value: dmarc.Fail, Domain: "bank.example", Identifiers: []dmarc.Identifier{id("spf", "pass", "mail.example.org", false)}}}, true, nil},
		"aligned, and failed":         {Known{DMARC: &dmarc.Result{Value: dmarc.Fail, Domain: "bank.example", Identifiers: []dmarc.Identifier{id("spf", "fail", "bank.example", true), id("dkim", "fail", "bank.example", true)}}, DKIM: []dkim.Result{{Status: dkim.Fail, Domain: "bank.example"}}}, true, nil},
		"no policy, aligned spf":      {Known{SPF: pass, DMARC: &dmarc.Result{Value: dmarc.None, Domain: "example.org", Identifiers: []dmarc.Identifier{id("spf", "pass", "mail.example.org", true)}}}, true, of("mail.example.org", "spf")},
		"dmarc, and who carries":      {Known{DMARC: &dmarc.Result{Value: dmarc.Pass, Domain: "example.org"}, DKIM: signed("example.org", "esp.example", "ESP.example.")}, true, of("example.org", "dmarc", "esp.example", "dkim")},
		"another's signature":         {Known{DMARC: &dmarc.Result{Value: dmarc.Fail, Domain: "bank.example"}, DKIM: signed("spam.example")}, true, of("spam.example", "dkim")},
		"what is no domain of anyone": {Known{DKIM: signed("com", "", ".", "b\x00d.example", "a b.example")}, true, nil},
	} {
		if d := cmp.Diff(c.want, c.k.Authenticated(c.message)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("d%d.example", i))
	}
	if n := len((Known{DKIM: signed(many...)}).Authenticated(true)); n != sluice.MaxAuthenticated {
		t.Errorf("%d of many", n)
	}
}
