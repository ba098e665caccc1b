package spf

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/dns"
)

// dice is a DNS whose answers depend on nothing but the question and a seed: a
// world where every name may have a policy, thousands of addresses, or a server
// that fails. It counts what it is asked.
type dice struct {
	policies []string // TXT texts; a name has one of them, or two
	seed     uint32
	client   netip.Addr
	asked    int
}

func (d *dice) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	d.asked++
	h := fnv.New32a()
	fmt.Fprintf(h, "%d %s %d", d.seed, name, t)
	n := h.Sum32()
	roll := func(sides uint32) uint32 {
		v := n % sides
		n = n/sides*2654435761 + v
		return v
	}
	fail := func(kind error) (dns.Answer, error) {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: kind}
	}
	if len(name) > maxDomain || name == "" {
		return fail(dns.ErrBadName)
	}
	switch roll(24) {
	case 0:
		return fail(dns.ErrServFail)
	case 1:
		return fail(dns.ErrNXDomain)
	case 2:
		return fail(dns.ErrNoData)
	case 3:
		return dns.Answer{}, nil // a resolver that breaks its promise
	}
	var a dns.Answer
	count := roll(14)
	if t == dns.TXT {
		count = 1 + roll(16)/15
	}
	for i := range count {
		r := dns.Record{Name: name, Type: t}
		switch t {
		case dns.TXT:
			r.Text = d.policies[roll(uint32(len(d.policies)))]
		case dns.MX, dns.PTR:
			r.Host = fmt.Sprintf("h%d.n%d.example", i, roll(8))
		default:
			r.Addr = d.client
			if roll(4) > 0 {
				r.Addr = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
			}
		}
		a.Records = append(a.Records, r)
	}
	return a, nil
}

// within checks one evaluation in a world of dice: it ends, within all bounds,
// twice with the same result.
func (d *dice) within(t *testing.T, in Input) {
	t.Helper()
	r := Check(t.Context(), d, in, Limits{})
	if d.asked > maxQuestions {
		t.Fatalf("%d questions, at most %d", d.asked, maxQuestions)
	}
	sane(t, r)
	again := Check(t.Context(), d, in, Limits{})
	if r.String() != again.String() || len(r.Trace) != len(again.Trace) {
		t.Fatalf("two results: %s; %s", r, again)
	}
}

func FuzzCheck(f *testing.F) {
	for _, zone := range []string{
		"v=spf1 include:a.example include:b.example redirect=c.example\nv=spf1 include:%{l}.example -all exp=e.%{d}",
		"v=spf1 mx a ptr exists:%{ir}.%{v}.%{p}.example mx a ptr mx a mx ptr -all\nwhy %{p} %{c}",
		"v=spf1 redirect=a.%{d}\nv=spf1 redirect=%{d}",
		"v=spf1 exists:%{p}.%{p} include:%{h} -all\nv=spf1 ?include:b.%{d2} mx/0//0",
		"v=spf1 " + strings.Repeat("ip4:192.0.2.0/32 ", 500) + "\nv=spf1 -all\nv=spf1 +all",
		"no policy\nv=spf1 a:%{d0}",
	} {
		f.Add(zone, uint32(1), "user@example.com", "mail.example.com", []byte{192, 0, 2, 1})
		f.Add(zone, uint32(7), "", "mail.example.com", []byte("0123456789abcdef"))
	}
	f.Fuzz(func(t *testing.T, zone string, seed uint32, from, helo string, addr []byte) {
		ip, _ := netip.AddrFromSlice(addr)
		policies := strings.Split(zone, "\n")
		d := &dice{policies: policies[:min(len(policies), 16)], seed: seed, client: ip.Unmap()}
		d.within(t, Input{IP: ip, HELO: helo, MailFrom: from, Receiver: helo, Now: receivedAt})
	})
}

// TestRandom lets well-formed policies loose on each other: the fuzzer seldom
// gets past the syntax.
func TestRandom(t *testing.T) {
	target := rapid.SampledFrom([]string{"a.example", "b.%{d}", "%{ir}.x.example", "%{p}.example", "%{l}.%{o}", "%{h}", "%{d2}", "x..example"})
	term := rapid.Custom(func(t *rapid.T) string {
		q := rapid.SampledFrom([]string{"", "+", "-", "~", "?"}).Draw(t, "qualifier")
		switch m := rapid.SampledFrom([]string{"a", "mx", "ptr", "a:", "mx:", "ptr:", "exists:", "include:", "include:", "ip4:192.0.2.0/28", "all", "redirect=", "exp="}).Draw(t, "mechanism"); {
		case strings.HasSuffix(m, "="):
			return m + target.Draw(t, "target")
		case strings.HasSuffix(m, ":"):
			return q + m + target.Draw(t, "target")
		default:
			return q + m
		}
	})
	policy := rapid.Custom(func(t *rapid.T) string {
		return "v=spf1 " + strings.Join(rapid.SliceOfN(term, 1, 12).Draw(t, "terms"), " ")
	})
	seen := map[Value]int{}
	rapid.Check(t, func(rt *rapid.T) {
		d := &dice{policies: rapid.SliceOfN(policy, 1, 5).Draw(rt, "policies"), seed: rapid.Uint32().Draw(rt, "seed"), client: netip.MustParseAddr("192.0.2.1")}
		in := Input{IP: d.client, HELO: "mail.example.com", MailFrom: "user@example.com", Now: receivedAt}
		seen[Check(t.Context(), d, in, Limits{}).Result]++
		d.asked = 0
		d.within(t, in)
	})
	// The same policies at every run, so that which results they come to is no luck.
	for i := range 2000 {
		d := &dice{seed: uint32(i), client: netip.MustParseAddr("192.0.2.1")}
		for k := range 1 + i%5 {
			d.policies = append(d.policies, policy.Example(i*5+k))
		}
		seen[Check(t.Context(), d, Input{IP: d.client, HELO: "mail.example.com", MailFrom: "user@example.com", Now: receivedAt}, Limits{}).Result]++
	}
	for _, v := range []Value{None, Neutral, Pass, Fail, SoftFail, TempError, PermError} {
		if seen[v] == 0 {
			t.Errorf("no evaluation ends in %s: %v", v, seen)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	z := parseZone(b, evaluationZone)
	for _, bc := range []struct{ name, from string }{
		{"own address", "u@a.example"}, {"three includes", "u@redir.example"}, {"ten mx", "u@ten.example"}, {"include loop", "u@loop.example"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			in := Input{IP: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.com", MailFrom: bc.from, Now: receivedAt}
			b.ReportAllocs()
			for b.Loop() {
				Check(context.Background(), z, in, Limits{})
			}
		})
	}
}
