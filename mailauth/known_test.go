package mailauth

import (
	"testing"

	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/spf"
)

func TestAligned(t *testing.T) {
	pass := &spf.Result{Result: spf.Pass, Identity: spf.MailFrom, Domain: "mail.example.org"}
	result := func(v dmarc.Value, domain string, ids ...dmarc.Identifier) *dmarc.Result {
		return &dmarc.Result{Value: v, Domain: domain, Identifiers: ids}
	}
	for name, c := range map[string]struct {
		k    Known
		want bool
	}{
		"nobody asked":              {Known{SPF: pass}, false},
		"dmarc":                     {Known{DMARC: result(dmarc.Pass, "example.org")}, true},
		"strict policy":             {Known{SPF: pass, DMARC: result(dmarc.Fail, "example.org")}, false},
		"no policy, spf":            {Known{SPF: pass, DMARC: result(dmarc.None, "example.org")}, true},
		"no policy, spf of another": {Known{SPF: pass, DMARC: result(dmarc.None, "example.com")}, false},
		"no policy, spf of a greeting": {Known{SPF: &spf.Result{Result: spf.Pass, Identity: spf.HELO, Domain: "example.org"},
			DMARC: result(dmarc.None, "example.org")}, false},
		"no policy, dkim":        {Known{DKIM: []dkim.Result{{Status: dkim.Fail, Domain: "example.org"}, {Status: dkim.Pass, Domain: "example.org"}}, DMARC: result(dmarc.None, "example.org")}, true},
		"no policy, failed dkim": {Known{DKIM: []dkim.Result{{Status: dkim.Fail, Domain: "example.org"}}, DMARC: result(dmarc.None, "example.org")}, false},
		"an upstream's word":     {Known{DMARC: result(dmarc.None, "example.org", dmarc.Identifier{Result: "pass", Aligned: true})}, true},
		"a broken policy, spf":   {Known{SPF: pass, DMARC: &dmarc.Result{Value: dmarc.PermError, Domain: "example.org", Record: &dmarc.Record{}}}, true},
		"no single author":       {Known{SPF: pass, DMARC: result(dmarc.PermError, "example.org")}, false},
		"no answer":              {Known{SPF: pass, DMARC: result(dmarc.TempError, "example.org", dmarc.Identifier{Result: "pass", Aligned: true})}, false},
		"no author":              {Known{SPF: pass, DMARC: result(dmarc.None, "")}, false},
	} {
		if got := c.k.Aligned(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
