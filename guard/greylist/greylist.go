// Package greylist asks clients that nothing speaks for to come again in a minute
// (RFC 6647). Real servers do that by themselves, most bots don't.
//
// # Only when grey
//
// Check greylists whatever it is asked about. Whether a client is grey is the
// caller's decision: known correspondents, clients with a good reputation, those on
// allow lists and users who logged in are never asked about. A caller that greylists
// everybody delays honest mail for nothing.
//
// # No duplicates, no loss
//
// The question is asked at RCPT, before any content has come: a client that is asked
// to wait still has the message, and nobody here has. In one session all answers for
// one key are the same ([Session]), so that a transaction is never half greylisted
// because a minute passed between two recipients of it.
//
// # Who comes back
//
// A retry is recognised by the triple of who sends, the sender's domain and the
// recipient's domain. Who sends is, best first, the domain that SPF, DKIM or a
// confirmed HELO stands for; else the network (/24 or /48). Large senders try again
// from other machines: those stand for the same domain mostly. Where they don't, the
// same sender and recipient from the neighbourhood (/16 or /32) pass as well after
// the delay, and from anywhere after the cap. So no message waits longer than the cap
// by our doing, whatever pool it comes from.
//
// After success the domain or network passes from then on for 60 days, which each use
// renews.
package greylist

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/guard/journal"
	"sluice/guard/network"
	"sluice/internal/table"
)

// Config sets up a List. The zero value takes the default everywhere.
type Config struct {
	// Delay is how soon a retry passes; default 60s, at most 5m.
	Delay time.Duration
	// Cap is how long a message may be kept waiting at most, from whatever machine
	// it comes again; default and at most 15m: some senders give up after 31.
	Cap time.Duration
	// Window is how long a first try is remembered; default 24h.
	Window time.Duration
	// Pass is how long a domain or network passes after its last use; default 60
	// days.
	Pass time.Duration
	// DomainRetries and NetworkRetries are how many triples must have come back
	// until all of the domain (default 1) or network (default 2) passes.
	DomainRetries, NetworkRetries int
	// Size is how many first tries are remembered, and how many passes; default
	// 200,000. Both take about 35 MB then.
	Size int
}

func (c *Config) defaults() {
	if c.Delay <= 0 {
		c.Delay = time.Minute
	}
	c.Delay = min(c.Delay, 5*time.Minute)
	if c.Cap <= 0 {
		c.Cap = longest
	}
	c.Cap = max(min(c.Cap, longest), c.Delay)
	if c.Window <= 0 {
		c.Window = 24 * time.Hour
	}
	if c.Pass <= 0 {
		c.Pass = 60 * 24 * time.Hour
	}
	if c.DomainRetries <= 0 {
		c.DomainRetries = 1
	}
	if c.NetworkRetries <= 0 {
		c.NetworkRetries = 2
	}
	if c.Size <= 0 {
		c.Size = 200_000
	}
}

const longest = 15 * time.Minute

// Key is what a client wants to send.
type Key struct {
	Client netip.Addr
	// Domain is the organisational domain that SPF or DKIM authenticated, or that a
	// HELO confirmed by forward and reverse DNS belongs to; "" for none. A name
	// that a client merely claims must not be put here.
	Domain string
	Hello  string // what the client calls itself; tells null senders apart
	// Sender is the envelope sender, "" for the null sender, and Recipient the
	// recipient. Only their domains count, but for pools.
	Sender, Recipient string
}

// State is a Check's answer.
type State uint8

// The states. First and Wait ask for another try.
const (
	First State = iota // seen for the first time
	Wait               // came back too early
	Pass
)

func (s State) String() string { return [...]string{"new", "wait", "pass"}[min(s, Pass)] }

// Verdict is the answer to a Key.
type Verdict struct {
	State State
	Until time.Time // when a retry passes; zero for Pass
	// Retried says that this very try came back after a wait, which speaks for the
	// client (GREYLIST_PASSED).
	Retried bool
	Detail  string // for the admin
}

// List is the memory. Its methods are safe for concurrent use.
type List struct {
	config Config
	seeds  [2]maphash.Seed // for keys of tables only, so that nobody can aim at one
	tries  *table.Table[[2]uint64, try]
	passes *table.Table[who, pass]
	dirty  *journal.Journal[who]
	swept  atomic.Int64 // when old memos were dropped
}

// who sends: a domain, or else a network.
type who struct {
	domain string
	net    network.Key
}

func (w who) String() string {
	if w.domain != "" {
		return w.domain
	}
	return w.net.String()
}

// try is when something was first tried, and how often it came again: in time or
// too early.
type try struct {
	first          int64
	returns, early uint16
}

// worthOfTry lets new tries displace old ones, since every honest message begins as
// one, and none displace those that came back, which a flood of new ones never does.
func (c *Config) worthOfTry(v *try, now time.Time) float64 {
	left := c.left(v.first, now, c.Window)
	if left <= 0 {
		return -1
	}
	return left + float64(v.returns) + min(float64(v.early), 2)/2
}

// pass says how often triples of a domain or network came back.
type pass struct {
	returns uint32
	domain  bool // an authenticated domain, not a network
	last    int64
	noted   int64 // the last that was to be written down
}

// worthOfPass is nothing before a return. Bots have networks by the thousand and come
// back too; a domain that authenticates has to be bought, so it is worth more.
func (c *Config) worthOfPass(v *pass, now time.Time) float64 {
	w := c.left(v.last, now, c.Pass) * math.Log2(1+float64(v.returns))
	if v.domain {
		w *= 4
	}
	return w
}

// left falls from 1 to 0 within span.
func (c *Config) left(since int64, now time.Time, span time.Duration) float64 {
	return 1 - float64(now.UnixNano()-since)/float64(span)
}

// New makes a List that knows nobody.
func New(c Config) *List {
	c.defaults()
	return &List{
		config: c, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		tries:  table.New[[2]uint64](table.Config[try]{Capacity: c.Size, Worth: c.worthOfTry}),
		passes: table.New[who](table.Config[pass]{Capacity: c.Size, Worth: c.worthOfPass}),
		dirty:  journal.New[who](c.Size),
	}
}

// Check says whether a recipient passes now. Sessions ask through [List.Session].
func (l *List) Check(now time.Time, k Key) Verdict {
	k.Domain = strings.ToLower(strings.TrimSuffix(k.Domain, "."))
	if len(k.Domain) > 253 || strings.Contains(k.Domain, "/") { // no domain that mail comes from
		k.Domain = ""
	}
	domain, net := who{domain: k.Domain}, who{net: network.Prefix(k.Client)}
	if l.passed(now, domain) {
		return Verdict{State: Pass, Detail: fmt.Sprintf("%v came back before", domain)}
	}
	if l.passed(now, net) {
		return Verdict{State: Pass, Detail: fmt.Sprintf("%v came back before", net)}
	}
	w := domain
	if k.Domain == "" {
		w = net
	}
	sender, recipient := senderOf(k), sluice.DomainOf(k.Recipient)
	own := l.try(now, l.hash(w, sender, recipient), l.config.Delay)
	if own.ready {
		return l.returned(now, w, net, own, "")
	}
	// The same mail by another machine of a pool: the whole addresses count here.
	sender += "\x00" + k.Sender
	near := l.try(now, l.hash(who{net: network.Wide(k.Client)}, sender, k.Recipient), l.config.Delay)
	far := l.try(now, l.hash(who{}, sender, k.Recipient), l.config.Cap)
	switch {
	case near.ready:
		return l.returned(now, w, net, near, " by a neighbour")
	case far.ready:
		return l.returned(now, w, net, far, " by another network")
	}
	until := earliest(own.ripe, near.ripe, far.ripe)
	v := Verdict{State: First, Until: until.UTC()}
	wait := until.Sub(now).Round(time.Second)
	if own.again || near.again || far.again {
		v.State, v.Detail = Wait, fmt.Sprintf("%v came back %v too early", w, wait)
	} else {
		v.Detail = fmt.Sprintf("%v is new here; a try in %v passes", w, wait)
	}
	return v
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// senderOf is the sender's domain; a null sender is told apart by the client's own
// name.
func senderOf(k Key) string {
	if k.Sender == "" {
		return "<>" + strings.ToLower(k.Hello)
	}
	return sluice.DomainOf(k.Sender)
}

// seen is what is remembered of a try.
type seen struct {
	age   time.Duration
	again bool      // it was tried before
	ready bool      // and long enough ago
	once  bool      // it came back in time now, and never before
	ripe  time.Time // when it is long enough ago
}

// try remembers that something is tried.
func (l *List) try(now time.Time, key [2]uint64, delay time.Duration) (s seen) {
	t := now.UnixNano()
	l.tries.Update(key, now, func(v *try) {
		s.age = time.Duration(t - v.first)
		s.again = v.first != 0 && s.age >= 0 && s.age < l.config.Window
		if !s.again {
			*v, s.age = try{first: t}, 0
		}
		switch s.ready = s.again && s.age >= delay; {
		case s.ready:
			s.once = v.returns == 0
			v.returns = min(v.returns+1, 1000)
		case s.again:
			v.early = min(v.early+1, 1000)
		}
		s.ripe = time.Unix(0, v.first+int64(delay))
	})
	return s
}

// returned notes that a try came back in time.
func (l *List) returned(now time.Time, w, net who, s seen, how string) Verdict {
	if s.once {
		for _, x := range [...]who{w, net} {
			l.credit(now, x)
			if w == net {
				break
			}
		}
	}
	return Verdict{State: Pass, Retried: true, Detail: fmt.Sprintf("%v came back after %v%s", w, s.age.Round(time.Second), how)}
}

func (l *List) credit(now time.Time, w who) {
	if w.domain == "" && w.net == (network.Key{}) {
		return
	}
	l.passes.Update(w, now, func(v *pass) {
		if l.config.left(v.last, now, l.config.Pass) <= 0 {
			*v = pass{}
		}
		v.domain = w.domain != ""
		v.returns, v.last, v.noted = v.returns+1, now.UnixNano(), now.UnixNano()
	})
	l.dirty.Note(w)
}

// every is how often the use of a pass is written down, and makes it worth more.
const every = 6 * time.Hour

// passed says whether all mail of a domain or network passes, and renews that.
func (l *List) passed(now time.Time, w who) bool {
	if w == (who{}) {
		return false
	}
	ok, note := false, false
	l.passes.Amend(w, now, func(v *pass) {
		if ok = v.returns >= l.needed(w) && l.config.left(v.last, now, l.config.Pass) > 0; !ok {
			return
		}
		v.last = max(v.last, now.UnixNano())
		if note = v.last-v.noted >= int64(every); note {
			v.returns, v.noted = v.returns+1, v.last
		}
	})
	if note {
		l.dirty.Note(w)
	}
	return ok
}

func (l *List) needed(w who) uint32 {
	if w.domain != "" {
		return uint32(l.config.DomainRetries)
	}
	return uint32(l.config.NetworkRetries)
}

// Spoil says that what came after a pass was unwanted: the domain or network loses
// half of what it had, and has to wait again if that isn't enough any more.
func (l *List) Spoil(now time.Time, k Key) {
	for _, w := range [...]who{{domain: strings.ToLower(strings.TrimSuffix(k.Domain, "."))}, {net: network.Prefix(k.Client)}} {
		if l.passes.Amend(w, now, func(v *pass) { v.returns /= 2 }) {
			l.dirty.Note(w)
		}
	}
}

// hash is a key of the tries.
func (l *List) hash(w who, sender, recipient string) [2]uint64 {
	parts := struct {
		w                 who
		sender, recipient string
	}{w, sender, strings.ToLower(recipient)}
	return [2]uint64{maphash.Comparable(l.seeds[0], parts), maphash.Comparable(l.seeds[1], parts)}
}

// Session answers for one connection. It is used by one goroutine.
type Session struct {
	list    *List
	answers []answer
}

type answer struct {
	key     [2]uint64
	at      time.Time
	verdict Verdict
}

// most is how many different keys a session remembers; one that has more is asked
// about them anew, which may cost it a wait and never a message.
const most = 64

// Session starts to answer for a connection.
func (l *List) Session() *Session { return &Session{list: l} }

// Check is [List.Check], but gives the first answer for a key again as long as the
// session lasts, or as the cap: who is asked to come again must come again. Addresses
// of one domain, from one sender's domain, have the same key.
func (s *Session) Check(now time.Time, k Key) Verdict {
	key := s.list.hash(who{strings.ToLower(k.Domain), network.Host(k.Client)}, senderOf(k), sluice.DomainOf(k.Recipient))
	for i := range s.answers {
		if a := &s.answers[i]; a.key == key {
			if now.Sub(a.at) >= s.list.config.Cap {
				a.at, a.verdict = now, s.list.Check(now, k)
			}
			return a.verdict
		}
	}
	v := s.list.Check(now, k)
	if len(s.answers) < most {
		s.answers = append(s.answers, answer{key, now, v})
	}
	return v
}

// Stats are the sizes of the memories.
type Stats struct {
	Tries, Passes table.Stats
}

// Stats counts what is remembered.
func (l *List) Stats() Stats { return Stats{l.tries.Stats(), l.passes.Stats()} }
