// Package dnsbltest plays the name servers of DNS lists, well-behaved ones and those
// that have gone, refuse or lie, as a [dns.Resolver] in memory.
package dnsbltest

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	wire "github.com/miekg/dns"

	"sluice/dns"
)

// Lists are some lists. A name below none of them doesn't exist. It is safe for
// concurrent use.
type Lists struct {
	mu    sync.Mutex
	zones map[string]*List
	asked map[string]int
}

// New returns no lists.
func New() *Lists { return &Lists{zones: map[string]*List{}, asked: map[string]int{}} }

// List is one list. A new one names its test points alone (RFC 5782 5).
type List struct {
	of      *Lists
	entries map[netip.Addr][]string
	names   map[string][]string // of a list of names
	behave  func(netip.Addr) ([]string, error)
	delay   time.Duration
	ttl     time.Duration
}

// The test points. That of IPv6 is told from that of IPv4 by being mapped.
var (
	point4 = netip.MustParseAddr("127.0.0.2")
	point6 = netip.MustParseAddr("::ffff:127.0.0.2")
)

// Add adds a list at a zone, with the key in front of it where it has one.
func (l *Lists) Add(zone string) *List {
	z := &List{of: l, ttl: TTL, entries: map[netip.Addr][]string{point4: {"127.0.0.2"}, point6: {"127.0.0.2"}}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.zones[zone] = z
	return z
}

// AddNames adds a list of names, which has the test point "test" (RFC 5782 5).
func (l *Lists) AddNames(zone string) *List {
	z := l.Add(zone)
	z.names = map[string][]string{"test": {"127.0.0.2"}}
	return z
}

// PutName lists a name with the answers given; with none it is taken off.
func (z *List) PutName(name string, answers ...string) {
	z.of.mu.Lock()
	defer z.of.mu.Unlock()
	if delete(z.names, name); len(answers) > 0 {
		z.names[name] = answers
	}
}

// Put lists an address with the answers given; with none the address is taken off.
func (z *List) Put(addr string, answers ...string) {
	z.of.mu.Lock()
	defer z.of.mu.Unlock()
	a := netip.MustParseAddr(addr)
	if delete(z.entries, a); len(answers) > 0 {
		z.entries[a] = answers
	}
}

// Behave replaces the entries by a function; nil brings them back. An error must be
// one of package dns's kinds. No answers and no error is "no such name".
func (z *List) Behave(f func(netip.Addr) ([]string, error)) {
	z.of.mu.Lock()
	defer z.of.mu.Unlock()
	z.behave = f
}

// Always is a behaviour: one answer for every address.
func Always(answer string) func(netip.Addr) ([]string, error) {
	return func(netip.Addr) ([]string, error) { return []string{answer}, nil }
}

// Never is a behaviour: one failure for every address.
func Never(kind error) func(netip.Addr) ([]string, error) {
	return func(netip.Addr) ([]string, error) { return nil, kind }
}

// Delay makes the list slow.
func (z *List) Delay(d time.Duration) {
	z.of.mu.Lock()
	defer z.of.mu.Unlock()
	z.delay = d
}

// Lasts says how long every answer is good.
func (z *List) Lasts(ttl time.Duration) {
	z.of.mu.Lock()
	defer z.of.mu.Unlock()
	z.ttl = ttl
}

// Asked says how often a name was asked for.
func (l *Lists) Asked(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[name]
}

// Questions is how often anything was asked for.
func (l *Lists) Questions() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.asked {
		n += k
	}
	return n
}

// TTL is how long the answers of a new list are good.
const TTL = 5 * time.Minute

// Lookup implements [dns.Resolver]. Its errors quote the name, as a resolver's do.
func (l *Lists) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	ttl := TTL
	fail := func(kind error) (dns.Answer, error) {
		rcode := wire.RcodeServerFailure
		switch kind {
		case dns.ErrNXDomain:
			rcode = wire.RcodeNameError
		case dns.ErrNoData, dns.ErrTimeout:
			rcode = wire.RcodeSuccess
		}
		return dns.Answer{Canonical: name, RCode: rcode, TTL: ttl}, &dns.Error{Name: name, Type: t, Kind: kind}
	}
	l.mu.Lock()
	l.asked[name]++
	z, addr, front := l.find(name)
	if z == nil {
		l.mu.Unlock()
		return fail(dns.ErrNXDomain)
	}
	delay, behave, answers := z.delay, z.behave, z.entries[addr]
	if z.names != nil {
		answers = z.names[front]
	}
	ttl = z.ttl
	l.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return fail(dns.ErrTimeout)
		}
	}
	if behave != nil {
		var err error
		if answers, err = behave(addr); err != nil {
			return fail(err)
		}
	}
	if len(answers) == 0 {
		return fail(dns.ErrNXDomain)
	}
	if t != dns.A {
		return fail(dns.ErrNoData)
	}
	a := dns.Answer{Canonical: name, TTL: ttl}
	for _, s := range answers {
		a.Records = append(a.Records, dns.Record{Name: name, Type: dns.A, TTL: ttl, Addr: netip.MustParseAddr(s)})
	}
	return a, nil
}

// find is the list that a name is below, and the address or name in front.
func (l *Lists) find(name string) (*List, netip.Addr, string) {
	for zone, z := range l.zones {
		front, ok := strings.CutSuffix(name, "."+zone)
		if !ok {
			continue
		}
		if z.names != nil {
			return z, netip.Addr{}, front
		}
		if a, ok := address(strings.Split(front, ".")); ok {
			return z, a, front
		}
	}
	return nil, netip.Addr{}, ""
}

// address turns reversed octets or nibbles back.
func address(labels []string) (netip.Addr, bool) {
	base := map[int]int{4: 10, 32: 16}[len(labels)]
	if base == 0 {
		return netip.Addr{}, false
	}
	var digits []byte
	for i := len(labels) - 1; i >= 0; i-- {
		n, err := strconv.ParseUint(labels[i], base, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		digits = append(digits, byte(n))
	}
	if base == 10 {
		return netip.AddrFrom4([4]byte(digits)), true
	}
	var b [16]byte
	for i := range b {
		b[i] = digits[2*i]<<4 | digits[2*i+1]&15
	}
	return netip.AddrFrom16(b), true
}
