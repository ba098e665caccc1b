package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/dns"
	"sluice/dns/dnsbl"
)

// open are resolvers for everybody. Operators of DNS lists refuse their questions,
// or answer them wrong, since they can't tell who asks.
var open = func() map[netip.Addr]string {
	m := map[netip.Addr]string{}
	for who, list := range map[string]string{
		"Google Public DNS": "8.8.8.8 8.8.4.4 2001:4860:4860::8888 2001:4860:4860::8844",
		"Cloudflare":        "1.1.1.1 1.0.0.1 1.1.1.2 1.0.0.2 1.1.1.3 1.0.0.3 2606:4700:4700::1111 2606:4700:4700::1001",
		"Quad9":             "9.9.9.9 149.112.112.112 9.9.9.10 149.112.112.10 9.9.9.11 149.112.112.11 2620:fe::fe 2620:fe::9",
		"OpenDNS":           "208.67.222.222 208.67.220.220 2620:119:35::35 2620:119:53::53",
		"AdGuard":           "94.140.14.14 94.140.15.15",
		"DNS.WATCH":         "84.200.69.80 84.200.70.40",
		"Yandex":            "77.88.8.8 77.88.8.1",
		"Level 3":           "4.2.2.1 4.2.2.2 4.2.2.3 4.2.2.4",
	} {
		for a := range strings.FieldsSeq(list) {
			m[netip.MustParseAddr(a)] = who
		}
	}
	return m
}()

// resolver looks at who is asked.
func (x *examiner) resolver(ctx context.Context) []Finding {
	if x.mute {
		if len(x.cfg.DNSLists) > 0 {
			return one(Bad, "nobody is asked (dns.servers is none), and there are DNS lists", "name a resolver in dns.servers")
		}
		return one(Warn, "nobody is asked (dns.servers is none): SPF, DKIM, DMARC and reputation say nothing", "name a resolver in dns.servers, best one on this machine")
	}
	what, servers := "the system's", x.m.servers()
	if len(x.cfg.DNS.Servers) > 0 {
		what, servers = "as configured", nil
		for _, s := range x.cfg.DNS.Servers {
			servers = append(servers, s.AddrPort)
		}
	}
	var names []string
	var out []Finding
	for _, s := range servers {
		names = append(names, s.Addr().String())
		if who := open[s.Addr().Unmap()]; who != "" && len(x.cfg.DNSLists) > 0 {
			out = append(out, Finding{What: s.Addr().String(), Level: Bad, Text: who + " is a resolver for everybody: DNS lists don't answer it",
				Fix: "run a resolver of your own, such as unbound, and name it: dns.servers = [\"127.0.0.1\"]"})
		}
	}
	a, err := x.dns.Lookup(ctx, ".", dns.NS)
	who := strings.Join(names, ", ") + ", " + what
	switch {
	case err != nil:
		level := Bad
		if x.cfg.FirstTry && len(x.cfg.DNS.Servers) == 0 {
			level = Warn // a first try in a closed network does without
		}
		return append(one(level, who+", has no way to the Internet's DNS: "+plainDNS(err), "name a resolver that reaches the Internet in dns.servers; without one SPF, DKIM and DMARC say nothing"), out...)
	case a.Authentic:
		who += "; validates DNSSEC"
	default:
		who += "; what it says isn't marked as validated by DNSSEC, which a resolver on this machine would do"
	}
	return append(ok(who), out...)
}

// plainDNS is an error without the package's name before it.
func plainDNS(err error) string { return strings.TrimPrefix(err.Error(), "dns: ") }

// list tests one DNS list with the test points that it has for that.
func (x *examiner) list(name string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		set := x.port.Lists()
		if set == nil {
			return one(Bad, "it isn't asked", "see above")
		}
		h, there := set.Test(ctx, name)
		if !there {
			return one(Bad, "it isn't among the lists in use", "see above")
		}
		text := fmt.Sprintf("%s list, %.1f points", h.Kind, h.Weight)
		switch {
		case ctx.Err() != nil:
			return one(Warn, "no answer within "+checkTime.String(), "look whether the resolver reaches it")
		case h.State == dnsbl.Healthy || h.State == dnsbl.Untested && h.Why == "":
			return ok(text + "; its test points answer as they should")
		}
		return one(Bad, fmt.Sprintf("%s: %s", h.State, h.Why), listFix(h))
	}
}

func listFix(h dnsbl.Health) string {
	if dnsbl.Ended(h.Zone) != "" {
		return "take it out of the settings"
	}
	return "ask from a resolver of your own, with the operator's key where one is needed; it counts for nobody until its test passes"
}

// lists are the names under which the configured lists are tested.
func (x *examiner) lists() (names []string) {
	if set := x.port.Lists(); set != nil {
		for _, h := range set.Health() {
			names = append(names, h.Name)
		}
		return names
	}
	for _, l := range x.cfg.DNSLists {
		names = append(names, l.Zone)
	}
	return names
}

// addresses are where a host is; an error is temporary or none at all.
func (x *examiner) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	four, err := dns.LookupA(ctx, x.dns, host)
	six, err6 := dns.LookupAAAA(ctx, x.dns, host)
	switch {
	case dns.Temporary(err):
		return nil, err
	case dns.Temporary(err6):
		return nil, err6
	}
	return slices.Concat(four, six), nil
}
