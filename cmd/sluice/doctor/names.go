package doctor

import (
	"context"
	"crypto"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/dns"
	"sluice/mailauth/author"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/key"
	"sluice/mailauth/spf"
	"sluice/message"
)

// host says whether our name leads to us and our address back to the name: many
// receivers take no mail from hosts without that.
func (x *examiner) host(ctx context.Context) []Finding {
	addrs, err := x.addresses(ctx, x.cfg.Hostname)
	switch {
	case err != nil:
		return silence("", plainDNS(err))
	case len(addrs) == 0 && !strings.Contains(x.cfg.Hostname, "."):
		return one(Warn, "our name has no dot, so nobody outside can look it up", "set hostname to the full name, such as mx.example.org")
	case len(addrs) == 0:
		return one(Bad, "our name has no address in the DNS", "publish an A record, and AAAA where there is IPv6, or correct hostname")
	}
	own, err := x.m.addrs()
	out := ok("is at " + join(addrs))
	if err == nil && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(own, a) }) {
		out = one(Warn, fmt.Sprintf("is at %s, which this machine hasn't (it has %s)", join(addrs), join(own)), "fine behind address translation or a load balancer; else correct the A record")
	}
	for _, a := range addrs {
		out = append(out, x.reverse(ctx, a))
	}
	return out
}

func join(addrs []netip.Addr) string {
	var s []string
	for _, a := range addrs {
		s = append(s, a.String())
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

// reverse follows an address to its name and back (RFC 8601 3).
func (x *examiner) reverse(ctx context.Context, a netip.Addr) Finding {
	f := Finding{What: a.String()}
	names, err := dns.LookupPTR(ctx, x.dns, a)
	switch {
	case dns.Temporary(err):
		quiet := silence("", plainDNS(err))[0]
		quiet.What = f.What
		return quiet
	case len(names) == 0:
		f.Level, f.Text, f.Fix = Bad, "has no name (PTR): many systems take no mail from it", "have the network's provider set its PTR to "+x.cfg.Hostname
		return f
	}
	for _, n := range names[:min(len(names), 10)] {
		back, err := x.addresses(ctx, n)
		if err == nil && slices.Contains(back, a) {
			f.Level, f.Text = OK, "is "+n+", and that leads back"
			if n != x.cfg.Hostname {
				f.Level, f.Fix = Warn, "have the network's provider set its PTR to "+x.cfg.Hostname+", the name in our greeting"
			}
			return f
		}
	}
	f.Level, f.Text, f.Fix = Bad, "is "+names[0]+", which doesn't lead back to it", "publish an A or AAAA record of that name, or have the PTR set to "+x.cfg.Hostname
	return f
}

// mx says whether mail for a domain comes here.
func (x *examiner) mx(domain string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		list, err := dns.LookupMX(ctx, x.dns, domain)
		switch {
		case dns.Temporary(err):
			return silence("MX: ", plainDNS(err))
		case len(list) == 0:
			return one(Bad, "has no MX record", fmt.Sprintf("publish: %s. MX 10 %s.", domain, x.cfg.Hostname))
		case list[0].Host == ".":
			return one(Bad, "says that it takes no mail (null MX, RFC 7505)", fmt.Sprintf("publish: %s. MX 10 %s.", domain, x.cfg.Hostname))
		}
		here := slices.IndexFunc(list, func(r dns.Record) bool { return r.Host == x.cfg.Hostname })
		if here < 0 {
			here = x.byAddress(ctx, list)
		}
		switch {
		case here < 0:
			return one(Warn, "its mail goes to "+list[0].Host+", not here", fmt.Sprintf("fine behind another relay of yours; else publish: %s. MX 10 %s.", domain, x.cfg.Hostname))
		case list[here].Pref > list[0].Pref:
			return one(Warn, fmt.Sprintf("its mail goes to %s first, and comes here only while that is away", list[0].Host), "give this host the lowest preference")
		case here == 0 && len(list) > 1 && list[len(list)-1].Pref > list[0].Pref:
			return one(Warn, fmt.Sprintf("its mail comes here, but spammers like the other way in: %s", list[len(list)-1].Host), "take the backup out of the MX, or let it filter as this host does")
		}
		return ok("its mail comes here (MX " + list[here].Host + ")")
	}
}

// byAddress finds the MX that is another name of this host; -1 for none.
func (x *examiner) byAddress(ctx context.Context, list []dns.Record) int {
	own, _ := x.m.addrs() // then by our name alone
	named, _ := x.addresses(ctx, x.cfg.Hostname)
	own = append(own, named...)
	for i, r := range list[:min(len(list), 10)] {
		addrs, _ := x.addresses(ctx, r.Host) // no address is no match
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return slices.Contains(own, a) }) {
			return i
		}
	}
	return -1
}

// spf looks at a domain's policy, as it meets this host.
func (x *examiner) spf(domain string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		ip := netip.MustParseAddr("192.0.2.1") // walks through the whole policy
		if own, err := x.addresses(ctx, x.cfg.Hostname); err == nil && len(own) > 0 {
			ip = own[0]
		}
		r := spf.Check(ctx, x.dns, spf.Input{IP: ip, HELO: x.cfg.Hostname, MailFrom: "postmaster@" + domain, Receiver: x.cfg.Hostname, Now: x.m.now()}, spf.Limits{})
		switch r.Result {
		case spf.None:
			return one(Warn, "has no SPF record: anybody may use its name", fmt.Sprintf(`publish: %s. TXT "v=spf1 mx -all", with all that sends for it`, domain))
		case spf.PermError:
			return one(Bad, "its SPF record is broken: "+r.Problem, "correct it; sluice auth --domain "+domain+" shows every step")
		case spf.TempError:
			return silence("SPF: ", r.Problem)
		}
		return ok(fmt.Sprintf("SPF says %s to this host (%s, %s)", r.Result, ip, count(r.Lookups, "lookup")))
	}
}

// dmarc looks at what a domain asks receivers to do.
func (x *examiner) dmarc(domain string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		r := dmarc.Evaluate(ctx, x.dns, dmarc.Input{From: author.Of(message.Parse([]byte("From: x@"+domain+"\r\n\r\n"), message.DefaultLimits()))})
		switch {
		case ctx.Err() != nil || r.Value == dmarc.TempError:
			return silence("DMARC: ", r.Why)
		case r.Record == nil:
			return one(Warn, "has no DMARC record: nobody turns away mail that only claims to be from it", fmt.Sprintf(`publish: _dmarc.%s. TXT "v=DMARC1; p=none; rua=mailto:%s"`, domain, x.cfg.Postmaster))
		case len(r.Record.Problems) > 0:
			return one(Warn, fmt.Sprintf("DMARC at %s: %s", r.RecordAt, strings.Join(r.Record.Problems, "; ")), "correct the record")
		}
		return ok(fmt.Sprintf("DMARC at %s: policy %s", r.RecordAt, r.Policy))
	}
}

// signKey looks whether the record of a key is the key's.
func (x *examiner) signKey(s config.SignKey) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		k, err := build.ReadKey(s.Key)
		if err != nil {
			return one(Bad, "the key can't be used: "+err.Error(), "sluice serve stops at this; make one with sluice key new, or correct the path")
		}
		if _, err := dkim.NewKeyring(dkim.RingKey{Domain: s.Domain, Selector: s.Selector, Key: k}); err != nil {
			return one(Bad, "the key can't sign: "+err.Error(), "make another with sluice key new")
		}
		show := fmt.Sprintf("publish what this prints: sluice key show %s --domain %s --selector %s", s.Key, s.Domain, s.Selector)
		level := Bad // its signatures fail now
		if s.NotBefore.After(x.m.now()) {
			level = Warn
		}
		texts, err := dns.LookupTXT(ctx, x.dns, key.Name(s.Domain, s.Selector))
		if dns.Temporary(err) {
			return silence("DKIM key: ", plainDNS(err))
		}
		if len(texts) == 0 {
			return one(level, "the DKIM key isn't in the DNS", show)
		}
		if len(texts) > 1 {
			return one(level, fmt.Sprintf("%d TXT records stand where one DKIM key belongs", len(texts)), "leave only the key's")
		}
		r, err := key.Parse(texts[0])
		switch {
		case err != nil:
			return one(level, "the DKIM record is broken: "+err.Error(), show)
		case r.Revoked:
			return one(level, "the DKIM key is revoked in the DNS (p= is empty)", "make a new one with sluice key new, and take this one out of the settings")
		case !same(k.Public(), r.Public):
			return one(level, "the DKIM key in the DNS is another one: signatures don't verify", show)
		case r.Acceptable() != nil:
			return one(level, "receivers may not accept the DKIM key: "+r.Acceptable().Error(), "make a longer one with sluice key new")
		case r.Weak():
			return one(Warn, fmt.Sprintf("the DKIM key is in the DNS, and short (%d bits, RFC 8301)", r.Bits), "make a longer one with sluice key new")
		case r.Testing:
			return one(Warn, "the DKIM key is in the DNS, and marked as a test (t=y)", "take t=y out of the record")
		}
		return ok(fmt.Sprintf("the DKIM key is in the DNS (%s, %d bits)", r.Type, r.Bits))
	}
}

// same compares public keys; those of the standard library know how.
func same(a, b crypto.PublicKey) bool {
	e, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.Equal(b)
}
