package scan

import (
	"context"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"sluice/dns"
	"sluice/message"
)

// Reverse is what a server wrote of its client's name.
type Reverse struct {
	Known  bool   // it looked
	Name   string // "": the client has none
	Forged bool   // it doesn't lead back
}

// Border moves the origin of a stored message to the hop at which it came in: where
// hosts of one site hand on to each other, the last that an outsider spoke to. What the
// border host wrote of the client's name is returned. Only who believes that host should
// ask.
func (o *Origin) Border(m *message.Message) Reverse {
	if len(m.Parts) == 0 {
		return Reverse{}
	}
	values := m.Parts[0].Header.Values("Received")
	values = values[:min(len(values), maxHops)]
	at := -1
	for i, v := range values {
		if r := ParseReceived(v); r.Addr == o.Client && r.Addr.IsValid() {
			at = i
			break
		}
	}
	if at < 0 {
		return Reverse{}
	}
	hop := ParseReceived(values[at])
	for i := at; i+1 < len(values); i++ {
		next := ParseReceived(values[i+1])
		if !next.Addr.IsValid() || !strings.EqualFold(next.By, hop.Hello) || site(next.By) != site(hop.By) {
			break
		}
		hop, at = next, i+1
	}
	value := values[at]
	if site(hop.Hello) == site(hop.By) && site(hop.By) != "" { // what the border host wrote is lost
		hop, value = Received{By: hop.Hello, Time: hop.Time}, ""
	}
	o.Hop, o.Client, o.Hello, o.Name = hop, hop.Addr, hop.Hello, hop.Name
	return readReverse(value, hop.Addr)
}

// site is what hosts of one site share in their names.
func site(host string) string {
	_, rest, _ := strings.Cut(strings.ToLower(host), ".")
	return rest
}

// looked is how Sendmail and Postfix write a client: name and address in brackets.
var looked = regexp.MustCompile(`\(([^()\s\[\]]*)\s*\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]\s*(\(may be forged\))?\s*\)`)

func readReverse(received string, client netip.Addr) Reverse {
	received = received[:min(len(received), maxReceived)]
	for _, m := range looked.FindAllStringSubmatch(received, -1) {
		if a, err := netip.ParseAddr(m[2]); err != nil || a != client {
			continue
		}
		name := strings.ToLower(strings.TrimSuffix(m[1], "."))
		if i := strings.LastIndexByte(name, '@'); i >= 0 { // an ident user
			name = name[i+1:]
		}
		if name == "unknown" {
			name = ""
		}
		return Reverse{Known: true, Name: name, Forged: m[3] != ""}
	}
	return Reverse{}
}

// Witness is a resolver that answers what servers wrote of their clients' names, and
// for all else that no answer came, or what the resolver behind it says. It is safe for
// concurrent use.
type Witness struct {
	Behind dns.Resolver // nil: nobody

	mu       sync.Mutex
	pointers map[string]string // the name that a question for a client's is asked under → its name
	hosts    map[string]host
}

// host is a client by its name.
type host struct {
	addr   netip.Addr
	forged bool
}

var _ dns.Resolver = (*Witness)(nil)

// Testify remembers what was written of a client, in place of what was said before.
func (w *Witness) Testify(client netip.Addr, r Reverse) {
	if !client.IsValid() || !r.Known {
		return
	}
	client = client.Unmap()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pointers == nil {
		w.pointers, w.hosts = map[string]string{}, map[string]host{}
	}
	w.pointers[dns.Reverse(client)] = r.Name
	if r.Name != "" {
		w.hosts[r.Name] = host{client, r.Forged}
	}
}

// Lookup implements [dns.Resolver].
func (w *Witness) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	const ttl = time.Hour
	answer := dns.Record{Name: name, Type: t, TTL: ttl}
	w.mu.Lock()
	pointer, asked := w.pointers[name]
	h, named := w.hosts[name]
	w.mu.Unlock()
	switch {
	case asked && t == dns.PTR && pointer != "":
		answer.Host = pointer
	case named && !h.forged && (t == dns.A || t == dns.AAAA):
		answer.Addr = h.addr
	case asked && t == dns.PTR, named && (t == dns.A || t == dns.AAAA):
		return dns.Answer{RCode: 3}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNXDomain}
	case w.Behind != nil:
		return w.Behind.Lookup(ctx, name, t)
	default:
		return dns.Answer{RCode: 2}, &dns.Error{Name: name, Type: t, Kind: dns.ErrServFail}
	}
	return dns.Answer{Records: []dns.Record{answer}, Canonical: name, TTL: ttl}, nil
}
