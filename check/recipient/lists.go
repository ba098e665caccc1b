package recipient

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gaissmai/bart"
)

// Kind says what an entry's value names.
type Kind string

// The kinds.
const (
	Address Kind = "address" // the whole address, envelope or From
	Domain  Kind = "domain"  // a domain and all below it
	Network Kind = "network" // a client address or prefix
	Helo    Kind = "helo"    // a greeting name and all below it
)

// Entry is one line that an admin wrote.
type Entry struct {
	Kind   Kind
	Value  string
	Allow  bool      // else block
	Tenant string    // "" for all
	Why    string    // shown to admins only
	By     string    // who wrote it
	Until  time.Time // zero for ever
}

// Lists are the admin's allow and block lists, made for lookups whose cost does
// not depend on their length. They don't change once made.
type Lists struct {
	addresses map[string][]*Entry
	domains   map[string][]*Entry
	helos     map[string][]*Entry
	networks  bart.Table[[]*Entry]
}

// New checks the entries and indexes them. The error names the first entry that
// has a fault.
func New(entries []Entry) (*Lists, error) {
	l := &Lists{addresses: map[string][]*Entry{}, domains: map[string][]*Entry{}, helos: map[string][]*Entry{}}
	for i := range entries {
		if err := l.add(&entries[i]); err != nil {
			return nil, fmt.Errorf("recipient: list entry %d: %w", i+1, err)
		}
	}
	return l, nil
}

func (l *Lists) add(in *Entry) error {
	e := *in
	value := strings.ToLower(strings.TrimSpace(e.Value))
	switch e.Kind {
	case Address:
		local, domain, ok := cutLast(value, '@')
		if !ok || local == "" || !plainDomain(domain) {
			return fmt.Errorf("%q is not an address", e.Value)
		}
		l.addresses[value] = append(l.addresses[value], &e)
	case Domain, Helo:
		value = strings.Trim(strings.TrimPrefix(value, "*."), ".")
		if !plainDomain(value) {
			return fmt.Errorf("%q is not a domain", e.Value)
		}
		m := l.domains
		if e.Kind == Helo {
			m = l.helos
		}
		m[value] = append(m[value], &e)
	case Network:
		p, err := parsePrefix(value)
		if err != nil {
			return fmt.Errorf("%q is not a network: %w", e.Value, err)
		}
		l.networks.Modify(p, func(old []*Entry, _ bool) ([]*Entry, bool) { return append(old, &e), false })
	default:
		return fmt.Errorf("unknown kind %q", e.Kind)
	}
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("wider than IPv4")
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func plainDomain(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsAny(s, " @/:[]<>,;\"") && !strings.Contains(s, "..")
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// live picks the entry that counts now for this tenant: a tenant's own before
// one for all, and block before allow.
func live(es []*Entry, tenant string, now time.Time) *Entry {
	var best *Entry
	for _, e := range es {
		if !e.Until.IsZero() && now.After(e.Until) || e.Tenant != "" && e.Tenant != tenant {
			continue
		}
		switch {
		case best == nil,
			best.Tenant == "" && e.Tenant != "",
			best.Tenant == e.Tenant && best.Allow && !e.Allow:
			best = e
		}
	}
	return best
}

// client finds the entry with the longest prefix that holds a.
func (l *Lists) client(a netip.Addr, tenant string, now time.Time) *Entry {
	if !a.IsValid() {
		return nil
	}
	a = a.Unmap().WithZone("")
	for _, es := range l.networks.Supernets(netip.PrefixFrom(a, a.BitLen())) { // longest first
		if e := live(es, tenant, now); e != nil {
			return e
		}
	}
	return nil
}

// sender finds the entry for an address: the address itself, or the closest
// domain above it.
func (l *Lists) sender(addr, tenant string, now time.Time) *Entry {
	addr = strings.ToLower(addr)
	if e := live(l.addresses[addr], tenant, now); e != nil {
		return e
	}
	_, domain, ok := cutLast(addr, '@')
	if !ok {
		return nil
	}
	return closest(l.domains, domain, tenant, now)
}

// maxLabels is how far a lookup climbs: a domain name has at most 127 labels
// (RFC 1035 3.1), real ones a handful.
const maxLabels = 32

func closest(m map[string][]*Entry, name, tenant string, now time.Time) *Entry {
	if len(m) == 0 {
		return nil
	}
	name = strings.Trim(strings.ToLower(name), ".")
	for range maxLabels {
		if e := live(m[name], tenant, now); e != nil {
			return e
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		name = rest
	}
	return nil
}

// String describes the entry for the admin's ledger.
func (e *Entry) String() string {
	var b strings.Builder
	verb := "block"
	if e.Allow {
		verb = "allow"
	}
	fmt.Fprintf(&b, "%s %s %s", verb, e.Kind, e.Value)
	if e.Tenant != "" {
		fmt.Fprintf(&b, " for %s", e.Tenant)
	}
	if e.Why != "" {
		fmt.Fprintf(&b, ": %s", e.Why)
	}
	if e.By != "" {
		fmt.Fprintf(&b, " (by %s)", e.By)
	}
	if !e.Until.IsZero() {
		fmt.Fprintf(&b, " until %s", e.Until.UTC().Format(time.DateOnly))
	}
	return b.String()
}
