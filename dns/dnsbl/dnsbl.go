// Package dnsbl asks DNS lists about the addresses of clients (RFC 5782): which of
// them name a client, what that is worth, and whether the lists are to be believed
// at all. A list counts only while its own tests pass; its trouble, be it silence, a
// refusal or an answer nobody knows, is never held against a client. Questions are
// asked beside the conversation and remembered, private keys are never shown.
package dnsbl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/dns"
	"sluice/internal/table"
)

// Config says which lists are asked, and how much.
type Config struct {
	Lists    []List // as configured; New completes them
	Resolver dns.Resolver
	// Trusted says of whom nobody is asked, beside loopback and private addresses;
	// nil: of nobody else.
	Trusted func(netip.Addr) bool

	Timeout  time.Duration // of one question; 0: 5 s
	Parallel int           // questions under way; 0: 64
	Queue    int           // questions that wait for their turn, beyond which none is asked; 0: 2,048
	Rate     int           // questions in a second, over all clients; 0: 500
	PerNet   int           // addresses of one IPv6 /64 that are asked for in a minute; 0: 32
	Entries  int           // clients remembered; 0: 65,536

	// How long answers are good: as the list says, but at least MinTTL (0: 1 min)
	// and at most MaxTTL (0: 1 h), or MaxClean (0: 15 min) where the client isn't
	// listed.
	MinTTL, MaxTTL, MaxClean time.Duration

	Now  func() time.Time // nil: time.Now
	Rand *rand.Rand       // for test addresses; nil: a generator of its own
	Log  *slog.Logger     // of lists that fall ill and recover; nil: none
}

// heldFor is how long a question without an answer isn't asked again.
const heldFor = 30 * time.Second

// Set is a set of lists. It is safe for concurrent use. Its tests, without which no
// list counts, are made by [Set.Run].
type Set struct {
	cfg    Config
	lists  []*source
	memory *table.Table[subject, *entry]
	epoch  atomic.Uint64 // grows when a list's state changes: results are made anew
	wake   chan struct{} // a list wants a test

	random struct {
		sync.Mutex
		*rand.Rand
	}
	queue queue
	keys  []string // lower case, longest first
}

// source is one list in use.
type source struct {
	List
	mu     sync.Mutex
	health health
	six    bool // its IPv6 test point has answered
	epoch  *atomic.Uint64
}

// New returns a set of lists. It asks nothing yet. Its errors never hold a key.
func New(cfg Config) (*Set, error) {
	if cfg.Resolver == nil {
		return nil, errors.New("dnsbl: no resolver")
	}
	cfg.Timeout = positive(cfg.Timeout, 5*time.Second)
	cfg.Parallel = positive(cfg.Parallel, 64)
	cfg.Queue = positive(cfg.Queue, 2048)
	cfg.Rate = positive(cfg.Rate, 500)
	cfg.PerNet = positive(cfg.PerNet, 32)
	cfg.Entries = positive(cfg.Entries, 1<<16)
	cfg.MinTTL = positive(cfg.MinTTL, time.Minute)
	cfg.MaxTTL = positive(cfg.MaxTTL, time.Hour)
	cfg.MaxClean = positive(cfg.MaxClean, 15*time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Set{cfg: cfg, wake: make(chan struct{}, 1)}
	s.cfg.Lists = nil // their keys are in s.lists only
	s.random.Rand = cfg.Rand
	seen := map[string]bool{}
	for i, l := range cfg.Lists {
		l, err := l.Complete()
		if err != nil {
			return nil, fmt.Errorf("dnsbl: list %d: %w", i+1, err)
		}
		if seen[l.Zone] || seen["name "+l.Name] {
			return nil, fmt.Errorf("dnsbl: list %d: %s is there twice", i+1, l.Name)
		}
		seen[l.Zone], seen["name "+l.Name] = true, true
		if k := string(l.Key); k != "" {
			s.keys = append(s.keys, lower(k))
		}
		s.lists = append(s.lists, &source{List: l, health: newHealth(cfg.Now(), l.ended), epoch: &s.epoch})
	}
	slices.SortFunc(s.keys, func(a, b string) int { return len(b) - len(a) })
	s.memory = newMemory(cfg.Entries)
	s.queue.init(s)
	return s, nil
}

func positive[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

// String says how many lists there are. It exists so that printing a Set shows no
// key.
func (s *Set) String() string { return fmt.Sprintf("dnsbl: %d lists", len(s.lists)) }

// GoString is String.
func (s *Set) GoString() string { return s.String() }

// Hide takes the keys of all lists out of a text, such as a trace of questions.
func (s *Set) Hide(text string) string {
	for _, k := range s.keys {
		low := lower(text)
		var b strings.Builder
		for {
			i := strings.Index(low, k)
			if i < 0 {
				break
			}
			b.WriteString(text[:i] + hidden)
			text, low = text[i+len(k):], low[i+len(k):]
		}
		text = b.String() + text
	}
	return text
}

// lower folds A–Z only, so that lengths stay.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Close ends the questions under way and waits for them.
func (s *Set) Close() error {
	s.queue.close()
	return nil
}

// Said is what one list said about a client.
type Said struct {
	List    string // its name; never its key
	Kind    Kind
	Listed  bool         // false: there is no usable answer
	Codes   []netip.Addr // as answered
	Weight  float64      // of a listing, positive for both kinds
	Meaning string       // of a listing
	Why     string       // there is no usable answer
	Page    string       // where to read why, and to be removed; "" for none
}

// Result is what the lists say about one client. Results are shared: don't write to
// them.
type Result struct {
	// Answers are the listings, and the lists without a usable answer. A list that
	// doesn't know the client isn't there.
	Answers []Said
	Asked   int     // lists that have a say about such an address
	Block   float64 // the sum of the block lists' weights
	Allow   float64 // the sum of the allow lists' weights
}

// Listed says whether any list names the client.
func (r Result) Listed() bool { return r.Block > 0 || r.Allow > 0 }

// Start asks the lists about a client, where nothing is remembered, and doesn't wait.
func (s *Set) Start(client netip.Addr) {
	if x, ok := s.asks(client); ok {
		s.start(x)
	}
}

// Cached is what is known about a client now, and whether that is all that there is
// to know. It never waits and asks nothing.
func (s *Set) Cached(client netip.Addr) (Result, bool) {
	x, ok := s.asks(client)
	if !ok {
		return Result{}, true
	}
	now := s.cfg.Now().UnixNano()
	epoch := s.epoch.Load()
	e, ok := s.memory.Get(x)
	if !ok {
		e = &entry{about: x, slots: make([]slot, len(s.lists))} // all is missing
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.epoch == epoch && now < e.until {
		return e.result, true
	}
	return s.result(e, now, epoch)
}

// Lookup is [Set.Start], and what is known about the client when all lists have
// answered or ctx ends.
func (s *Set) Lookup(ctx context.Context, client netip.Addr) Result {
	x, ok := s.asks(client)
	if !ok {
		return Result{}
	}
	return s.lookup(ctx, x)
}

// LookupName is [Set.Lookup] for the lists of names (RFC 5782 3): the name stands in
// front of their zones as it is. It asks nobody about what isn't letters, digits,
// hyphens, underscores and dots, or is longer than [MaxName].
func (s *Set) LookupName(ctx context.Context, name string) Result {
	name = lower(name)
	if len(s.lists) == 0 || !validName(name) {
		return Result{}
	}
	return s.lookup(ctx, subject{name: name})
}

// MaxName is the longest name that is asked for, in octets.
const MaxName = 150

func validName(name string) bool {
	if len(name) > MaxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func (s *Set) lookup(ctx context.Context, x subject) Result {
	e := s.start(x)
	for {
		e.mu.Lock()
		landed := e.landed
		if landed == nil || ctx.Err() != nil {
			r, _ := s.result(e, s.cfg.Now().UnixNano(), s.epoch.Load())
			e.mu.Unlock()
			return r
		}
		e.mu.Unlock()
		select {
		case <-landed:
		case <-ctx.Done():
		}
	}
}

// shared is the address space of carriers' translators (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// asks says whether anybody is asked about a client, and under which address.
func (s *Set) asks(client netip.Addr) (subject, bool) {
	a := client.Unmap().WithZone("")
	if len(s.lists) == 0 || !a.IsGlobalUnicast() || a.IsPrivate() || shared.Contains(a) {
		return subject{}, false
	}
	return subject{addr: a}, s.cfg.Trusted == nil || !s.cfg.Trusted(a)
}

// start begins the questions about a client that are due.
func (s *Set) start(x subject) *entry {
	now := s.cfg.Now()
	epoch := s.epoch.Load()
	e := s.visit(x, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.epoch == epoch && now.UnixNano() < e.until {
		return e
	}
	spared := false
	for i, l := range s.lists {
		slot := &e.slots[i]
		if slot.flying || now.UnixNano() < slot.until || !l.covers(x) || !l.asked() {
			continue
		}
		if !spared && !s.queue.admits(x, now) {
			slot.heard = &outcome{kind: notAsked, why: "too many new addresses of one network"}
			continue
		}
		spared = true // one visit counts once
		if why := s.queue.add(job{e, i}, now); why != "" {
			slot.heard = &outcome{kind: notAsked, why: why}
			continue
		}
		slot.flying = true
		if e.flying++; e.landed == nil {
			e.landed = make(chan struct{})
		}
	}
	return e
}

// ask puts one question and files its answer.
func (s *Set) ask(ctx context.Context, j job) {
	l := s.lists[j.list]
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	o, ttl := s.put(ctx, l, l.ask(j.e.about))
	now := s.cfg.Now()
	s.observe(l, now, j.e.about, o)
	e, slot := j.e, &j.e.slots[j.list]
	e.mu.Lock()
	defer e.mu.Unlock()
	slot.heard, slot.until, slot.flying = o, now.Add(ttl).UnixNano(), false
	if e.flying--; e.flying == 0 {
		close(e.landed)
		e.landed = nil
	}
}

// put asks one name, behind a barrier: what breaks the resolver is no answer.
func (s *Set) put(ctx context.Context, l *source, name string) (o *outcome, ttl time.Duration) {
	defer func() {
		if recover() != nil { // its words may hold the name, and that the key
			o, ttl = &outcome{kind: noAnswer, why: "the resolver fell over"}, heldFor
		}
	}()
	a, err := s.cfg.Resolver.Lookup(ctx, name, dns.A)
	o = l.classify(a, err)
	switch o.kind {
	case listed:
		return o, min(max(a.TTL, s.cfg.MinTTL), s.cfg.MaxTTL)
	case notListed:
		return o, min(max(a.TTL, s.cfg.MinTTL), s.cfg.MaxClean)
	case notAsked:
		return o, 0
	}
	return o, heldFor
}

// result is what an entry's slots amount to, and whether nothing is missing that will
// come. The entry is locked.
func (s *Set) result(e *entry, now int64, epoch uint64) (r Result, complete bool) {
	complete = true
	until := int64(math.MaxInt64)
	for i, l := range s.lists {
		if !l.covers(e.about) {
			continue
		}
		r.Asked++
		said, slot := Said{List: l.Name, Kind: l.Kind}, &e.slots[i]
		asked, doubt := l.word()
		fresh := slot.heard != nil && now < slot.until
		switch {
		case !asked:
			said.Why = doubt
		case !fresh:
			complete = false
			said.Why = "no answer yet"
			if h := slot.heard; h != nil && h.kind == notAsked && !slot.flying {
				said.Why = h.why
			}
		case slot.heard.kind == notListed:
			until = min(until, slot.until)
			continue
		case slot.heard.kind != listed:
			said.Codes, said.Why = slot.heard.codes, slot.heard.why
		case doubt != "":
			said.Codes, said.Why = slot.heard.codes, "it lists the client, and isn't believed now: "+doubt
		default:
			h := slot.heard
			said.Listed, said.Codes, said.Weight, said.Meaning, said.Page = true, h.codes, h.weight, h.meaning, l.page(e.about)
			if l.Kind == Allow {
				r.Allow += h.weight
			} else {
				r.Block += h.weight
			}
		}
		if fresh {
			until = min(until, slot.until)
		}
		r.Answers = append(r.Answers, said)
	}
	if complete {
		e.result, e.epoch, e.until = r, epoch, until
	}
	return r, complete
}

// covers says whether the list has a say about names, or addresses of this family.
func (l *source) covers(x subject) bool {
	switch {
	case l.Names != (x.name != ""):
		return false
	case l.Names || x.addr.Is4():
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.six
}

func (l *source) asked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health.asked()
}

// word says whether clients are asked for, and why a listing wouldn't count.
func (l *source) word() (asked bool, doubt string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch h := &l.health; {
	case !h.asked():
		return false, "switched off: " + h.why
	case !h.believed():
		return true, h.why
	}
	return true, ""
}
