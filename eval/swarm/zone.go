package swarm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Zones is what the DNS says about the population and the server, as a master
// file that dns/dnstest reads: PTR and A of hosts, MX, A and SPF of sender
// domains, MX of the server's domain. Names that only liars use don't exist.
func (p *Population) Zones() string {
	lines := []string{
		fmt.Sprintf("%s. 300 IN MX 10 %s.", p.cfg.Domain, p.cfg.Name),
		fmt.Sprintf("%s. 300 IN A %s", p.cfg.Name, p.cfg.Server),
		fmt.Sprintf("%s. 300 IN TXT \"v=spf1 a:%s -all\"", p.cfg.Domain, p.cfg.Name),
	}
	spf := map[string][]string{}
	for _, f := range p.families {
		for _, s := range f.Sources {
			if s.PTR != "" {
				lines = append(lines, fmt.Sprintf("%s 300 IN PTR %s.", reverse(s.Addr), s.PTR))
			}
			if s.PTR != "" && s.Proven {
				lines = append(lines, fmt.Sprintf("%s. 300 IN A %s", s.PTR, s.Addr))
			}
			if (f.Honest || f.kind.sender != "") && s.Domain != p.cfg.Domain {
				spf[s.Domain] = append(spf[s.Domain], fmt.Sprintf("ip4:%s", s.Addr))
				if len(spf[s.Domain]) == 1 {
					lines = append(lines, fmt.Sprintf("%s. 300 IN MX 10 %s.", s.Domain, mailHost(s)), fmt.Sprintf("%s. 300 IN A %s", s.Domain, s.Addr))
				}
			}
		}
	}
	for d, addrs := range spf {
		lines = append(lines, fmt.Sprintf("%s. 300 IN TXT %s", d, quoted("v=spf1 "+strings.Join(addrs, " ")+" -all")))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

// quoted splits a text into character strings of at most 255 octets.
func quoted(s string) string {
	var out []string
	for len(s) > 250 {
		out = append(out, `"`+s[:250]+`"`)
		s = s[250:]
	}
	return strings.Join(append(out, `"`+s+`"`), " ")
}

func mailHost(s Source) string {
	if s.Proven {
		return s.PTR
	}
	return "mail." + s.Domain
}

// Blocklist is a DNS list that knows the bots it should, with the test points of
// RFC 5782 5, as a master file for the zone name.
func (p *Population) Blocklist(name string) string {
	lines := []string{
		fmt.Sprintf("%s. 300 IN SOA ns.%s. hostmaster.%s. 1 3600 600 86400 300", name, name, name),
		fmt.Sprintf("2.0.0.127.%s. 300 IN A 127.0.0.2", name),
	}
	for _, f := range p.families {
		for _, s := range f.Sources {
			if s.Listed {
				b := s.Addr.As4()
				lines = append(lines, fmt.Sprintf("%d.%d.%d.%d.%s. 300 IN A 127.0.0.2", b[3], b[2], b[1], b[0], name))
			}
		}
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n") + "\n"
}

func reverse(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", b[3], b[2], b[1], b[0])
}
