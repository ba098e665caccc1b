// Package dns is how Sluice asks the DNS: one small [Resolver] interface,
// errors that tell "no such name" from "no answer", and names in one form. Who
// resolves (a cache before live servers, a zone file, a test) is the caller's
// choice; budgets and caches are resolvers around resolvers.
package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	wire "github.com/miekg/dns"
)

// Type is a DNS record type (RFC 1035 3.2.2 and later).
type Type uint16

// The types that mail asks for.
const (
	A     = Type(wire.TypeA)
	NS    = Type(wire.TypeNS)
	CNAME = Type(wire.TypeCNAME)
	SOA   = Type(wire.TypeSOA)
	PTR   = Type(wire.TypePTR)
	MX    = Type(wire.TypeMX)
	TXT   = Type(wire.TypeTXT)
	AAAA  = Type(wire.TypeAAAA)
	TLSA  = Type(wire.TypeTLSA)
	SPF   = Type(wire.TypeSPF) // obsolete, RFC 7208 3.1
)

// String is the type's mnemonic, or TYPE123 (RFC 3597 5).
func (t Type) String() string { return wire.Type(t).String() }

// ParseType reads a mnemonic in any case, or TYPE123. Types that ask for more
// than records of one type (ANY, AXFR, …) and OPT are no record types.
func ParseType(s string) (Type, bool) {
	up := strings.ToUpper(s)
	t, ok := wire.StringToType[up]
	if !ok {
		var n uint16
		if _, err := fmt.Sscanf(up, "TYPE%d", &n); err != nil || fmt.Sprintf("TYPE%d", n) != up {
			return 0, false
		}
		t = n
	}
	// RFC 6895 3.1: 128–255 are meta and question types, as is OPT.
	if t == 0 || t >= 128 && t <= 255 || t == wire.TypeOPT {
		return 0, false
	}
	return Type(t), true
}

// Record is one resource record. Which of the value fields is set depends on
// the type; all of them are what the other side wrote.
type Record struct {
	Name string // owner, lower case, A-labels, no final dot
	Type Type
	TTL  time.Duration
	Addr netip.Addr // A, AAAA
	Host string     // CNAME, MX, NS, PTR: lower case, no final dot; "." is the root
	Pref uint16     // MX
	Text string     // TXT, SPF: the strings joined (RFC 7208 3.3); other types: the data in presentation form
}

// Answer is what a name server said. It is meaningful with an [Error] too: a
// denial has a code and a time to live. Records may be shared between callers:
// clone the slice before changing it.
type Answer struct {
	Records   []Record      // of the type asked for, in the server's order
	Canonical string        // where the CNAMEs led; the name asked for where there were none
	RCode     int           // RFC 1035 4.1.1: 0 no error, 2 server failure, 3 no such name
	TTL       time.Duration // how long this may be kept: the least of all records passed, or the denial's
	Authentic bool          // a resolver we trust says it validated DNSSEC (AD, RFC 4035 3.2.3)
	Cached    bool          // nobody was asked: the answer or the failure was remembered
	Stale     bool          // kept past its time because nobody answers now (RFC 8767)
	Truncated bool          // there were more records than we take; these are the first
}

// Resolver answers questions. It must be safe for concurrent use.
type Resolver interface {
	// Lookup asks for records of one type and follows CNAMEs. An answer without
	// such a record is an [*Error] that says why; the context's end is
	// [ErrTimeout]. The name may be in any form that [Normalize] takes.
	Lookup(ctx context.Context, name string, t Type) (Answer, error)
}

// Why there is no answer.
var (
	ErrNXDomain = errors.New("no such name")
	ErrNoData   = errors.New("no record of this type")
	ErrServFail = errors.New("server failure") // any answer that is neither data nor denial
	ErrTimeout  = errors.New("no answer in time")
	ErrBadName  = errors.New("not a domain name")   // never asked: nobody can have it
	ErrBudget   = errors.New("lookup budget spent") // not asked, or not waited for any longer
)

// Error is a lookup without an answer. errors.Is finds Kind, and Err's chain.
type Error struct {
	Name string // as asked; may be hostile
	Type Type
	Kind error // one of the package's Err… values
	Err  error // what is behind it, nil where nothing is
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("dns: %q %s: %v: %v", e.Name, e.Type, e.Kind, e.Err)
	}
	return fmt.Sprintf("dns: %q %s: %v", e.Name, e.Type, e.Kind)
}

// Unwrap gives errors.Is both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// NotFound says whether err is a firm no: the name or the type doesn't exist,
// or the name can't exist.
func NotFound(err error) bool {
	return errors.Is(err, ErrNXDomain) || errors.Is(err, ErrNoData) || errors.Is(err, ErrBadName)
}

// Temporary says whether err is a failure to find out. Anything that isn't a
// firm no is: nothing may be concluded from it.
func Temporary(err error) bool { return err != nil && !NotFound(err) }

// LookupTXT returns the text of each TXT record, its strings joined. An answer
// cut short is a temporary error: who looks for the one record that matters
// mustn't conclude that it isn't there.
func LookupTXT(ctx context.Context, r Resolver, name string) ([]string, error) {
	a, err := r.Lookup(ctx, name, TXT)
	if err == nil && a.Truncated {
		return nil, &Error{Name: name, Type: TXT, Kind: ErrServFail, Err: errors.New("too many records")}
	}
	return each(a, func(r Record) string { return r.Text }), err
}

// LookupA returns the IPv4 addresses of a host.
func LookupA(ctx context.Context, r Resolver, name string) ([]netip.Addr, error) {
	a, err := r.Lookup(ctx, name, A)
	return each(a, func(r Record) netip.Addr { return r.Addr }), err
}

// LookupAAAA returns the IPv6 addresses of a host.
func LookupAAAA(ctx context.Context, r Resolver, name string) ([]netip.Addr, error) {
	a, err := r.Lookup(ctx, name, AAAA)
	return each(a, func(r Record) netip.Addr { return r.Addr }), err
}

// LookupAddrs returns the addresses of a host of both kinds, IPv4 first. An error means
// that there is none of either.
func LookupAddrs(ctx context.Context, r Resolver, name string) ([]netip.Addr, error) {
	out, err := LookupA(ctx, r, name)
	more, err6 := LookupAAAA(ctx, r, name)
	if out = append(out, more...); len(out) > 0 {
		return out, nil
	}
	if NotFound(err) && err6 != nil {
		err = err6 // one that may pass says more than a firm no
	}
	return nil, err
}

// LookupMX returns the MX records, best preference first, equal ones in the
// server's order. A null MX (RFC 7505) has the host ".".
func LookupMX(ctx context.Context, r Resolver, name string) ([]Record, error) {
	a, err := r.Lookup(ctx, name, MX)
	mx := slices.Clone(a.Records)
	slices.SortStableFunc(mx, func(a, b Record) int { return int(a.Pref) - int(b.Pref) })
	return mx, err
}

// LookupPTR returns the names that an address's owner gave it. They prove
// nothing until they lead back to the address.
func LookupPTR(ctx context.Context, r Resolver, addr netip.Addr) ([]string, error) {
	a, err := r.Lookup(ctx, Reverse(addr), PTR)
	return each(a, func(r Record) string { return r.Host }), err
}

func each[T any](a Answer, of func(Record) T) []T {
	if len(a.Records) == 0 {
		return nil
	}
	out := make([]T, len(a.Records))
	for i, r := range a.Records {
		out[i] = of(r)
	}
	return out
}
