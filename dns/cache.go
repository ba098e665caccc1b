package dns

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	wire "github.com/miekg/dns"
)

// How long answers are kept.
const (
	minTTL      = 5 * time.Second // below it a name would be asked for with every message
	maxTTL      = 24 * time.Hour
	maxDenial   = time.Hour       // RFC 2308 5 advises one to three
	failureTTL  = 5 * time.Second // RFC 9520 3.2: the first retry after 5 s or less
	maxStale    = 24 * time.Hour  // RFC 8767 5 advises one to three days
	staleTTL    = 30 * time.Second
	staleRetry  = 30 * time.Second        // RFC 8767 5: the failure recheck timer
	staleAnswer = 1800 * time.Millisecond // RFC 8767 5: the client response timer
)

// Config says whom a [Cache] asks and how much it keeps. The zero Config is a
// useful one.
type Config struct {
	Servers []netip.AddrPort // upstream resolvers, best first; none: [SystemServers]
	Trusted []netip.Prefix   // servers whose AD bit is believed; nil: loopback addresses
	Timeout time.Duration    // for one question to one server, TCP included; 0: 2 s
	Total   time.Duration    // for one lookup, all servers and CNAMEs included; 0: 6 s
	Entries int              // answers kept; 0: 65,536
	Bytes   int              // memory for them; 0: 32 MiB
	Flights int              // lookups under way at once, a socket each; 0: 1,024. Further ones wait
	MixCase bool             // ask in random letter case, for servers that keep it: harder to forge

	// Dial opens a connected socket, "udp" or "tcp"; nil: from the net package.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock by which answers grow old; nil: time.Now.
	Now func() time.Time
	// Rand gives the queries' identifiers; nil: crypto/rand. It must be safe for
	// concurrent use.
	Rand io.Reader
}

// Cache is a [Resolver] that asks recursive name servers and remembers what they
// said: data and denials for their time, failures for seconds. While no server
// answers, data are served up to a day past their time, and marked so; a denial
// never is, for mail would be refused for good by it. Equal questions at one time
// are asked once. Make one with [NewCache], and close it.
type Cache struct {
	servers        []*server
	timeout, total time.Duration
	mixCase        bool
	dial           func(ctx context.Context, network, address string) (net.Conn, error)
	now            func() time.Time
	random         io.Reader

	memory memory
	slots  chan struct{} // one for each flight
	ctx    context.Context
	cancel context.CancelFunc

	counters struct{ lookups, hits, misses, shared, stale, failures, panics atomic.Uint64 }
}

// NewCache returns a resolver. It starts nothing until it is asked.
func NewCache(cfg Config) *Cache {
	if len(cfg.Servers) == 0 {
		cfg.Servers = SystemServers()
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	c := &Cache{
		timeout: positive(cfg.Timeout, 2*time.Second),
		total:   positive(cfg.Total, 6*time.Second),
		mixCase: cfg.MixCase,
		dial:    cfg.Dial,
		now:     cfg.Now,
		random:  cfg.Rand,
		slots:   make(chan struct{}, positive(cfg.Flights, 1024)),
	}
	for _, a := range cfg.Servers {
		s := &server{addr: a, trusted: cfg.Trusted == nil && a.Addr().Unmap().IsLoopback()}
		for _, p := range cfg.Trusted {
			s.trusted = s.trusted || p.Contains(a.Addr().Unmap())
		}
		c.servers = append(c.servers, s)
	}
	c.memory.init(positive(cfg.Entries, 1<<16), positive(cfg.Bytes, 32<<20))
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func positive[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

// Close ends the lookups under way and waits for them. What is remembered can
// still be looked up; new questions fail.
func (c *Cache) Close() error {
	if c.ctx.Err() != nil {
		return nil
	}
	c.cancel()
	for range cap(c.slots) { // no flight holds one any more, and none gets one
		c.slots <- struct{}{}
	}
	return nil
}

// key is what is remembered by.
type key struct {
	name string // normalized
	t    Type
}

// known is an answer or a failure as it is remembered.
type known struct {
	answer Answer
	err    *Error // nil where there are data
}

// firm says whether it is data or a denial, and no failure.
func (k known) firm() bool {
	return k.err == nil || k.err.Kind == ErrNXDomain || k.err.Kind == ErrNoData
}

// give turns it into the results of Lookup; the error names what was asked.
func (k known) give(name string) (Answer, error) {
	if k.err == nil {
		return k.answer, nil
	}
	if k.err.Name != name {
		e := *k.err
		e.Name = name
		return k.answer, &e
	}
	return k.answer, k.err
}

// Lookup implements [Resolver].
func (c *Cache) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	c.counters.lookups.Add(1)
	if err := ctx.Err(); err != nil {
		return Answer{}, &Error{Name: name, Type: t, Kind: ErrTimeout, Err: err}
	}
	norm, err := Normalize(name)
	if err != nil {
		return Answer{}, &Error{Name: name, Type: t, Kind: ErrBadName, Err: err}
	}
	k := key{norm, t}
	found := c.memory.look(k, c.now())
	if found.fresh {
		c.count(&c.counters.hits, found.known)
		return found.give(name)
	}
	c.counters.misses.Add(1)
	f, found := c.join(ctx, k, found)
	if found.fresh {
		c.count(nil, found.known)
		return found.give(name)
	}
	if f == nil { // no flight could begin
		if found.old {
			c.count(nil, found.known)
			return found.give(name)
		}
		kind, err := ErrTimeout, ctx.Err()
		if err == nil {
			kind, err = ErrServFail, errors.New("resolver closed")
		}
		return Answer{Canonical: norm}, &Error{Name: name, Type: t, Kind: kind, Err: err}
	}
	return c.wait(ctx, f, name, k, found)
}

func (c *Cache) count(n *atomic.Uint64, k known) {
	if n != nil {
		n.Add(1)
	}
	if k.answer.Stale {
		c.counters.stale.Add(1)
	}
}

// flight is a lookup under way.
type flight struct {
	done   chan struct{}
	result known // set before done is closed
}

// join returns the flight for a key, and starts it where there is none. It waits
// for a free slot as long as the caller does. In between, the answer may have
// come.
func (c *Cache) join(ctx context.Context, k key, found found) (*flight, found) {
	if found.flight != nil {
		c.counters.shared.Add(1)
		return found.flight, found
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, found
	case <-c.ctx.Done():
		return nil, found
	}
	f := &flight{done: make(chan struct{})}
	found = c.memory.take(k, c.now(), f)
	if found.fresh || found.flight != f {
		<-c.slots
		if !found.fresh {
			c.counters.shared.Add(1)
		}
		return found.flight, found
	}
	go c.fly(f, k)
	return f, found
}

// wait returns a flight's result, or what is old where that takes too long.
func (c *Cache) wait(ctx context.Context, f *flight, name string, k key, found found) (Answer, error) {
	var patience <-chan time.Time
	if found.old {
		t := time.NewTimer(staleAnswer)
		defer t.Stop()
		patience = t.C
	}
	select {
	case <-f.done:
		c.count(nil, f.result)
		return f.result.give(name)
	case <-patience:
	case <-ctx.Done():
		if !found.old {
			return Answer{Canonical: k.name}, &Error{Name: name, Type: k.t, Kind: ErrTimeout, Err: ctx.Err()}
		}
	}
	c.count(nil, found.known)
	return found.give(name)
}

// fly resolves one key for everybody who waits. It goes on when they leave: the
// sender will come again, and the answer is there then. Its time is bounded by
// Total, and flights by the slots.
func (c *Cache) fly(f *flight, k key) {
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(c.ctx, c.total)
	defer cancel()
	result := c.resolveSafely(ctx, k)
	if result.firm() {
		f.result = c.memory.keep(k, result, c.now().Add(result.answer.TTL))
	} else {
		c.counters.failures.Add(1)
		f.result = result
		if c.ctx.Err() == nil {
			f.result = c.memory.fail(k, result, c.now())
		}
	}
	c.memory.land(k)
	close(f.done)
}

// resolveSafely is resolve behind a barrier: a response that breaks the parser
// is a failed lookup, not the end of the process.
func (c *Cache) resolveSafely(ctx context.Context, k key) (result known) {
	defer func() {
		if p := recover(); p != nil {
			c.counters.panics.Add(1)
			result = failed(k, Answer{Canonical: k.name}, ErrServFail, fmt.Errorf("panic: %v", p))
		}
	}()
	return c.resolve(ctx, k)
}

func failed(k key, a Answer, kind, err error) known {
	return known{a, &Error{Name: k.name, Type: k.t, Kind: kind, Err: err}}
}

// resolve asks for a key and follows CNAMEs, inside one response and, where the
// server doesn't follow them itself, by asking again.
func (c *Cache) resolve(ctx context.Context, k key) known {
	a := Answer{Canonical: k.name, TTL: maxTTL, Authentic: true}
	seen := []string{k.name}
	for {
		r, s, fail := c.ask(ctx, a.Canonical, k.t)
		if fail != nil {
			return failed(k, Answer{Canonical: a.Canonical, RCode: fail.rcode}, fail.kind, fail.err)
		}
		a.Authentic = a.Authentic && r.ad && s.trusted
		a.Truncated = a.Truncated || r.cut
		here := a.Canonical
		var kind error
		a, seen, kind = r.follow(a, seen, k.t)
		if kind == nil {
			a.TTL = min(max(a.TTL, minTTL), maxTTL)
			return known{answer: a}
		}
		denial := r.denialTTL(a.Canonical)
		why := ""
		switch {
		case kind == ErrServFail:
			why = "CNAME loop or chain too long"
		case r.cut:
			why = "answer lost among others"
		case kind == ErrNXDomain || denial > 0 || !r.answered: // a denial indeed
			a.TTL = min(max(min(a.TTL, denial), minTTL), maxDenial)
			a.RCode = r.rcode
			return failed(k, a, kind, nil)
		case a.Canonical == here:
			why = "answers for other names only"
		default: // the chain leaves what the server knows
			if _, err := Normalize(a.Canonical); err == nil {
				continue
			}
			why = "CNAME to a name nobody can ask for"
		}
		return failed(k, Answer{Canonical: a.Canonical, RCode: wire.RcodeServerFailure}, ErrServFail, errors.New(why))
	}
}

// follow walks from a.Canonical through the CNAMEs of one response to records of
// type t. The kind is nil where there are any, ErrNoData or ErrNXDomain where the
// walk ends without, ErrServFail for a loop or a chain that is too long.
func (r *response) follow(a Answer, seen []string, t Type) (Answer, []string, error) {
	for {
		if recs := r.find(a.Canonical, t); len(recs) > 0 {
			for _, rec := range recs {
				a.TTL = min(a.TTL, rec.TTL)
			}
			a.Records = recs
			return a, seen, nil
		}
		alias := r.find(a.Canonical, CNAME)
		switch {
		case len(alias) > 0:
		case r.rcode == wire.RcodeNameError: // RFC 6604 3: of the last name
			return a, seen, ErrNXDomain
		default:
			return a, seen, ErrNoData
		}
		a.TTL = min(a.TTL, alias[0].TTL)
		a.Canonical = alias[0].Host
		for _, s := range seen {
			if s == a.Canonical {
				return a, seen, ErrServFail
			}
		}
		if seen = append(seen, a.Canonical); len(seen) > maxCNAMEs+1 {
			return a, seen, ErrServFail
		}
	}
}
