package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/config"
	"sluice/dns"
)

// lint says who may have messages looked at, and whether mail for it can come and answers
// can go.
func (x *examiner) lint(ctx context.Context) []Finding {
	out := ok("looks at senders' messages, up to " + fmt.Sprintf("%d kB", x.cfg.Lint.MaxSize>>10))
	if !x.cfg.Lint.Mail {
		return out
	}
	add := func(f Finding) {
		f.What = x.cfg.Lint.MailDomain
		out = append(out, f)
	}
	if !x.mute {
		add(x.lintMail(ctx))
	}
	from := sluice.DomainOf(x.cfg.Postmaster)
	if slices.ContainsFunc(x.cfg.Sign, func(k config.SignKey) bool { return strings.EqualFold(k.Domain, from) }) {
		add(Finding{Level: OK, Text: "answers are signed by " + from})
	} else {
		add(Finding{Level: Warn, Text: "answers aren't signed, so large receivers may refuse them", Fix: "make a key with sluice key new --domain " + from + ", and set it in [[sign]]"})
	}
	return out
}

// lintMail says whether mail for the addresses comes here: by MX, or without one by the
// domain's own address (RFC 5321 5.1).
func (x *examiner) lintMail(ctx context.Context) Finding {
	domain := x.cfg.Lint.MailDomain
	list, err := dns.LookupMX(ctx, x.dns, domain)
	switch {
	case dns.Temporary(err):
		return silence("MX: ", plainDNS(err))[0]
	case len(list) > 0:
		return x.mx(domain)(ctx)[0]
	}
	addrs, err := x.addresses(ctx, domain)
	own, _ := x.addresses(ctx, x.cfg.Hostname)
	switch {
	case dns.Temporary(err):
		return silence("", plainDNS(err))[0]
	case len(addrs) == 0:
		return Finding{Level: Bad, Text: "has neither MX nor address, so no message can come", Fix: fmt.Sprintf("publish: %s. MX 10 %s.", domain, x.cfg.Hostname)}
	case domain != x.cfg.Hostname && !slices.Contains(own, addrs[0]):
		return Finding{Level: Warn, Text: "its mail goes to " + addrs[0].String() + ", not here", Fix: fmt.Sprintf("publish: %s. MX 10 %s.", domain, x.cfg.Hostname)}
	}
	return Finding{Level: OK, Text: "messages come here, by its own address"}
}
