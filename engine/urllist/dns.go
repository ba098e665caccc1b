package urllist

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/message/links"
)

// Weights tell what a DNS list's answer means: answers lighter than badWeight are of
// honest places that are abused.
const (
	badWeight    = 3
	weightBad    = 6
	weightAbused = 2
)

// DNSList is one list of domains in the DNS. Only Zone is needed for one that [Known]
// has.
type DNSList struct {
	dnsbl.List
	// Addresses says that the list has IP addresses too, asked for with their octets
	// turned round (SURBL, URIBL). Others refuse who asks them for addresses.
	Addresses bool
	// Hosts says that whole hosts are listed beside organizational domains; both are
	// asked for.
	Hosts bool
}

// Known completes a list of domains whose zone is one of the known ones.
func Known(l DNSList) DNSList {
	zone := strings.ToLower(strings.TrimSuffix(l.Zone, "."))
	for _, k := range known() {
		if zone != k.Zone && !strings.HasSuffix(zone, "."+k.Zone) {
			continue
		}
		if front, ok := strings.CutSuffix(zone, "."+k.Zone); ok && l.Key == "" {
			// The key of the operator's customer stands in front.
			l.Key, l.Zone = dnsbl.Key(front), k.Zone
		}
		if l.Name == "" {
			l.Name = k.Name
		}
		if len(l.Answers) == 0 {
			l.Answers = k.Answers
		}
		if l.TestPoint == "" {
			l.TestPoint = k.TestPoint
		}
		if l.Page == "" {
			l.Page = k.Page
		}
		l.Refusals = append(l.Refusals, k.Refusals...)
		l.Addresses, l.Hosts = l.Addresses || k.Addresses, l.Hosts || k.Hosts
		break
	}
	if l.Weight == 0 {
		l.Weight = weightBad
	}
	l.Names = true
	return l
}

// known are the lists that are written down here.
func known() []DNSList {
	// https://docs.spamhaus.com/datasets/ "Available Zones"; IP addresses aren't to be
	// asked for (127.0.1.255). The test point is dbltest.com.
	dbl := dnsbl.List{TestPoint: "dbltest.com", Page: "https://check.spamhaus.org/results?query={addr}", Answers: []dnsbl.Answer{
		answer("127.0.1.2", weightBad, "bad reputation"), answer("127.0.1.4", weightBad, "phishing"),
		answer("127.0.1.5", weightBad, "malware"), answer("127.0.1.6", weightBad, "controls a botnet"),
		answer("127.0.1.102", weightAbused, "abused, sends spam"), answer("127.0.1.103", weightAbused, "abused redirector"),
		answer("127.0.1.104", weightAbused, "abused for phishing"), answer("127.0.1.105", weightAbused, "abused for malware"),
		answer("127.0.1.106", weightAbused, "abused to control a botnet"),
	}}
	public, keyed := dbl, dbl
	public.Zone, public.Name = "dbl.spamhaus.org", "dbl.spamhaus.org"
	keyed.Zone, keyed.Name = "dbl.dq.spamhaus.net", "dbl.dq.spamhaus.net"
	// https://www.surbl.org/lists: the last octet has a bit for each list; 127.0.0.1
	// says that the resolver is blocked.
	surbl := dnsbl.List{Zone: "multi.surbl.org", Name: "multi.surbl.org", TestPoint: "surbl-org-permanent-test-point.com",
		Page: "https://surbl.org/surbl-analysis", Refusals: []dnsbl.Values{values("127.0.0.1")},
		Answers: bits([]bit{{8, weightBad, "phishing"}, {16, weightBad, "malware"}, {64, weightBad, "spam"}, {128, weightAbused, "cracked site"},
			{2, weightBad, "listed"}, {4, weightBad, "listed"}, {32, weightBad, "listed"}})}
	// https://uribl.com/about.shtml: bits for black, grey and red; 127.0.0.1 says that
	// the resolver is blocked.
	uribl := dnsbl.List{Zone: "multi.uribl.com", Name: "multi.uribl.com", TestPoint: "test.uribl.com",
		Page: "https://lookup.uribl.com/", Refusals: []dnsbl.Values{values("127.0.0.1"), values("127.0.0.255")},
		Answers: bits([]bit{{2, weightBad, "in spam only"}, {4, weightAbused, "grey: in bulk mail"}, {8, weightAbused, "red: on watch"}})}
	return []DNSList{{List: public, Hosts: true}, {List: keyed, Hosts: true}, {List: surbl, Addresses: true}, {List: uribl, Addresses: true}}
}

type bit struct {
	value   int
	weight  float64
	meaning string
}

// bits writes out what an octet of bits means; the heaviest, and of those the first,
// gives its meaning to a combination.
func bits(list []bit) (out []dnsbl.Answer) {
	all := 0
	for _, b := range list {
		all |= b.value
	}
	for v := 2; v <= all; v++ {
		if v&^all != 0 {
			continue
		}
		var best bit
		for _, b := range list {
			if v&b.value != 0 && b.weight > best.weight {
				best = b
			}
		}
		out = append(out, answer(fmt.Sprintf("127.0.0.%d", v), best.weight, best.meaning))
	}
	return out
}

func answer(v string, weight float64, meaning string) dnsbl.Answer {
	return dnsbl.Answer{Values: values(v), Weight: weight, Meaning: meaning}
}

func values(s string) dnsbl.Values {
	v, err := dnsbl.ParseValues(s)
	if err != nil {
		panic(err) // the shipped table; a test reads it
	}
	return v
}

// DNS is the lists in the DNS: a set for each way to ask.
type DNS struct{ ways []way }

type way struct {
	addresses, hosts bool
	set              *dnsbl.Set
}

// NewDNS returns the lists, which [DNS.Run] must test before they count. The lists of c
// are left out; its bounds hold for each way to ask.
func NewDNS(lists []DNSList, c dnsbl.Config) (*DNS, error) {
	by := map[[2]bool][]dnsbl.List{}
	for _, l := range lists {
		l = Known(l)
		by[[2]bool{l.Addresses, l.Hosts}] = append(by[[2]bool{l.Addresses, l.Hosts}], l.List)
	}
	d := &DNS{}
	for _, w := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		if len(by[w]) == 0 {
			continue
		}
		c.Lists = by[w]
		set, err := dnsbl.New(c)
		if err != nil {
			return nil, fmt.Errorf("urllist: %w", err)
		}
		d.ways = append(d.ways, way{w[0], w[1], set})
	}
	return d, nil
}

// Run tests the lists until ctx ends. Without it no list ever counts.
func (d *DNS) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, w := range d.ways {
		running.Go(func() { w.set.Run(ctx) })
	}
	running.Wait()
}

// Close ends the questions under way and waits for them.
func (d *DNS) Close() error {
	for _, w := range d.ways {
		_ = w.set.Close() // it has no error to give
	}
	return nil
}

// Health is the state of each list.
func (d *DNS) Health() (out []dnsbl.Health) {
	for _, w := range d.ways {
		out = append(out, w.set.Health()...)
	}
	return out
}

// Hide takes the keys of all lists out of a text.
func (d *DNS) Hide(text string) string {
	for _, w := range d.ways {
		text = w.set.Hide(text)
	}
	return text
}

// names are what a set is asked about a host; the organization first.
func (w *way) names(host string) []string {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if a = a.Unmap(); !w.addresses || !a.Is4() || !a.IsGlobalUnicast() || a.IsPrivate() {
			return nil
		}
		b := a.As4()
		return []string{fmt.Sprintf("%d.%d.%d.%d", b[3], b[2], b[1], b[0])}
	}
	org := links.OrgDomain(host)
	if !strings.Contains(org, ".") {
		return nil
	}
	if w.hosts && host != org {
		return []string{org, host}
	}
	return []string{org}
}

// Lookup asks about hosts until ctx ends: all lists, all hosts at the same time. unknown
// are the lists without a usable answer, with the reason, each once. It asks for nothing
// but the names given: the caller bounds them.
func (d *DNS) Lookup(ctx context.Context, hosts []string) (found []Finding, unknown []string) {
	type question struct {
		set  *dnsbl.Set
		name string
	}
	var asks []question
	seen := map[question]bool{}
	for _, w := range d.ways {
		for _, h := range hosts {
			for _, n := range w.names(h) {
				q := question{w.set, n}
				if _, err := dns.Normalize(n); err == nil && !seen[q] {
					seen[q] = true
					asks = append(asks, q)
				}
			}
		}
	}
	results := make([]dnsbl.Result, len(asks))
	var asking sync.WaitGroup
	for i, q := range asks {
		asking.Go(func() { results[i] = q.set.LookupName(ctx, q.name) })
	}
	asking.Wait()
	told := map[string]bool{}
	for i, r := range results {
		for _, a := range r.Answers {
			switch {
			case !a.Listed:
				if why := a.List + ": " + a.Why; !told[why] {
					told[why] = true
					unknown = append(unknown, why)
				}
			case a.Kind == dnsbl.Block:
				f := Finding{List: a.List, Entry: asks[i].name, Meaning: a.Meaning, Kind: Bad}
				if a.Weight < badWeight {
					f.Kind = Abused
				}
				found = append(found, f)
			}
		}
	}
	return found, unknown
}
