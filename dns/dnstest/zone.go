// Package dnstest answers DNS questions from a file and from nowhere else: as a
// [dns.Resolver] for tests, replays and scans without a network, and as a real
// server on the loopback interface for everything that speaks DNS itself.
package dnstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	wire "github.com/miekg/dns"

	"sluice/dns"
)

// Bounds on a zone file and on one answer.
const (
	maxBytes   = 32 << 20
	maxRecords = 100_000
	maxCNAMEs  = 8
)

// Times to live where the file doesn't give one, in seconds; RFC 2308 5 asks for
// a denial's to be short.
const (
	defaultTTL = 3600
	denialTTL  = 300
)

// Zone is a set of names with their records and faults. The zero Zone denies
// every name. It doesn't change once parsed, so it is safe for concurrent use.
type Zone struct {
	names map[string]*node
	room  int // records that may still be added
}

type node struct {
	sets  map[dns.Type][]wire.RR
	fault map[dns.Type]error // instead of a set
	all   error              // fault of every type
}

// Load reads a zone file.
func Load(path string) (*Zone, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("dnstest: %w", err)
	}
	defer f.Close()
	return Parse(path, f)
}

// Parse reads a zone in either form; the file name leads error messages.
//
// A file that begins with "{" is JSON, {name: {TYPE: [values]}}. A value is the
// record's data as in a master file, but for TXT and SPF, where it is the text
// itself, or a list of its strings. "TIMEOUT" or "SERVFAIL" stands for a type's
// values, or for a name's types. A name may be an address: that of its PTR
// records. A name that isn't there doesn't exist.
//
// Any other file is a master file (RFC 1035 5). Names without a final dot are
// below the last $ORIGIN, or below the root where there is none; $INCLUDE is an
// error, for a zone answers from one file.
//
// In both a name "*.example" answers for what isn't there below it (RFC 4592).
func Parse(file string, r io.Reader) (*Zone, error) { return parse(file, r, maxBytes, maxRecords) }

func parse(file string, r io.Reader, size int64, records int) (*Zone, error) {
	b, err := io.ReadAll(io.LimitReader(r, size+1))
	if err != nil {
		return nil, fmt.Errorf("dnstest: %s: %w", file, err)
	}
	if int64(len(b)) > size {
		return nil, fmt.Errorf("dnstest: %s: over %d bytes", file, size)
	}
	z := &Zone{names: map[string]*node{}, room: records}
	if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("{")) {
		err = z.parseJSON(file, b)
	} else {
		err = z.parseMaster(file, b)
	}
	if err != nil {
		return nil, err
	}
	return z, nil
}

func (z *Zone) parseMaster(file string, b []byte) error {
	p := wire.NewZoneParser(bytes.NewReader(b), ".", "")
	p.SetDefaultTTL(defaultTTL)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if rr.Header().Class != wire.ClassINET {
			return fmt.Errorf("dnstest: %s: %s has a class other than IN", file, rr.Header().Name)
		}
		if err := z.add(rr); err != nil {
			return fmt.Errorf("dnstest: %s: %w", file, err)
		}
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("dnstest: %s: %w", file, err)
	}
	z.addInner()
	return nil
}

func (z *Zone) add(rr wire.RR) error {
	if z.room--; z.room < 0 {
		return errors.New("too many records")
	}
	toALabels(rr)
	name, t := dns.FromWire(rr).Name, dns.Type(rr.Header().Rrtype)
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return fmt.Errorf("%q can't be put into A-labels", name)
	}
	n := z.node(name)
	n.sets[t] = append(n.sets[t], rr)
	return nil
}

// toALabels puts a record's names into the form in which they are looked up: a
// zone may be written with U-labels. A name with escapes stays as it is; nobody
// can ask for it.
func toALabels(rr wire.RR) {
	names := []*string{&rr.Header().Name}
	switch rr := rr.(type) {
	case *wire.CNAME:
		names = append(names, &rr.Target)
	case *wire.MX:
		names = append(names, &rr.Mx)
	case *wire.NS:
		names = append(names, &rr.Ns)
	case *wire.PTR:
		names = append(names, &rr.Ptr)
	}
	for _, name := range names {
		if n, err := dns.Normalize(*name); err == nil {
			*name = wire.Fqdn(n)
		}
	}
}

func (z *Zone) node(name string) *node {
	n := z.names[name]
	if n == nil {
		n = &node{sets: map[dns.Type][]wire.RR{}, fault: map[dns.Type]error{}}
		z.names[name] = n
	}
	return n
}

// addInner makes the names above existing ones exist too, without records, as in
// the DNS (RFC 8020). In the JSON form an absent name is absent.
func (z *Zone) addInner() {
	var inner []string
	for name := range z.names {
		for up, ok := parent(name); ok; up, ok = parent(up) {
			if z.names[up] != nil {
				break
			}
			inner = append(inner, up)
		}
	}
	for _, name := range inner {
		z.node(name)
	}
}

func parent(name string) (string, bool) {
	_, up, ok := strings.Cut(name, ".")
	return up, ok && up != ""
}

// find is the node that answers for a name: its own, or the wildcard below the
// closest name that exists (RFC 4592 3.3.1).
func (z *Zone) find(name string) *node {
	if n := z.names[name]; n != nil {
		return n
	}
	for up, ok := parent(name); ok; up, ok = parent(up) {
		if n := z.names["*."+up]; n != nil {
			return n
		}
		if z.names[up] != nil {
			return nil
		}
	}
	return nil
}

// Lookup implements [dns.Resolver]. It takes no time: a fault that the file
// gives as TIMEOUT is reported at once.
func (z *Zone) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	fail := func(a dns.Answer, kind, err error) (dns.Answer, error) {
		return a, &dns.Error{Name: name, Type: t, Kind: kind, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fail(dns.Answer{}, dns.ErrTimeout, err)
	}
	norm, err := dns.Normalize(name)
	if err != nil {
		return fail(dns.Answer{}, dns.ErrBadName, err)
	}
	chain, kind := z.answer(norm, t)
	a := dns.Answer{Canonical: norm, TTL: denialTTL * time.Second}
	for i, rr := range chain {
		r := dns.FromWire(rr)
		if i == 0 && kind == nil || r.TTL < a.TTL {
			a.TTL = r.TTL
		}
		if r.Type == dns.CNAME && t != dns.CNAME {
			a.Canonical = r.Host
			continue
		}
		r.Name = a.Canonical // a wildcard's records carry the name asked for
		a.Records = append(a.Records, r)
	}
	switch kind {
	case nil:
		return a, nil
	case dns.ErrNXDomain:
		a.RCode = wire.RcodeNameError
	case dns.ErrServFail:
		a.RCode = wire.RcodeServerFailure
	}
	if kind != dns.ErrNoData && kind != dns.ErrNXDomain {
		a.TTL = 0
	}
	return fail(a, kind, nil)
}

// answer walks from a normalized name to records of type t. It returns the
// CNAMEs passed and then the records, or why there are none.
func (z *Zone) answer(name string, t dns.Type) (chain []wire.RR, kind error) {
	for range maxCNAMEs + 1 {
		n := z.find(name)
		if n == nil {
			return chain, dns.ErrNXDomain
		}
		if n.all != nil {
			return chain, n.all
		}
		if err := n.fault[t]; err != nil {
			return chain, err
		}
		if set := n.sets[t]; len(set) > 0 {
			return append(chain, set...), nil
		}
		if err := n.fault[dns.CNAME]; err != nil {
			return chain, err
		}
		alias := n.sets[dns.CNAME]
		if len(alias) == 0 {
			return chain, dns.ErrNoData
		}
		chain = append(chain, alias[0])
		name = dns.FromWire(alias[0]).Host
	}
	return chain, dns.ErrServFail // a loop, or a chain longer than resolvers follow
}
