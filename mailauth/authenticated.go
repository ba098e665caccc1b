package mailauth

import (
	"slices"
	"strings"

	"sluice"
	"sluice/dns"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/spf"
)

// Authenticated lists the domains that are proved to stand behind a transaction: the
// author's, where DMARC passed; the reverse-path's, where SPF passed and it is aligned
// with the author's; those of signatures that pass. Before there is a message there is no
// author, and SPF alone proves the reverse-path. A domain stands once, with the first of
// these methods.
func (k Known) Authenticated(hasMessage bool) []sluice.Authenticated {
	var out []sluice.Authenticated
	add := func(domain, by string) {
		name, err := dns.Normalize(domain)
		name = strings.TrimSuffix(name, ".")
		if err != nil || !strings.Contains(name, ".") || len(out) == sluice.MaxAuthenticated {
			return
		}
		if !slices.ContainsFunc(out, func(a sluice.Authenticated) bool { return a.Domain == name }) {
			out = append(out, sluice.Authenticated{Domain: name, By: by})
		}
	}
	if d := k.DMARC; d != nil && hasMessage {
		if d.Value == dmarc.Pass {
			add(d.Domain, "dmarc")
		}
		for _, i := range d.Identifiers {
			if i.Method == "spf" && i.Result == "pass" && i.Aligned {
				add(i.Domain, "spf")
			}
		}
	}
	if s := k.SPF; !hasMessage && s != nil && s.Result == spf.Pass && s.Identity == spf.MailFrom {
		add(s.Domain, "spf")
	}
	for _, r := range k.DKIM {
		if r.Status == dkim.Pass {
			add(r.Domain, "dkim")
		}
	}
	return out
}
