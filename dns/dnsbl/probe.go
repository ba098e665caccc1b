package dnsbl

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sluice/dns"
)

// The test points of RFC 5782 5: the first must be listed, the second mustn't.
var (
	point4, nowhere4 = netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	point6, nowhere6 = netip.MustParseAddr("::ffff:127.0.0.2"), netip.MustParseAddr("::ffff:127.0.0.1")
)

// controls is how many random addresses are asked for along with the test points of
// a list that isn't known to be healthy: one that lists everything may still know its
// test points. Nearly half of the IPv4 addresses are on some policy list; that all
// sixteen are by chance happens less than once in 65,000 tests.
const controls = 16

// Run tests the lists at once and then as often as their health asks for, until ctx
// ends. Without it no list ever counts.
func (s *Set) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
		for _, l := range s.lists {
			if l.takeTest(s.cfg.Now(), s.cfg.Timeout) {
				running.Go(func() {
					s.Test(ctx, l.Name)
					s.rouse()
				})
			}
		}
		timer.Reset(s.untilNext())
	}
}

func (s *Set) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// takeTest says whether a test is due, and claims it until well after the time that it
// takes.
func (l *source) takeTest(now time.Time, takes time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.health.due(now) {
		return false
	}
	l.health.next = now.Add(takes + time.Minute)
	return true
}

// untilNext is how long no test is due; a minute at most, so that a jump of the clock
// does no harm.
func (s *Set) untilNext() time.Duration {
	now, wait := s.cfg.Now(), time.Minute
	for _, l := range s.lists {
		l.mu.Lock()
		if !l.health.ended {
			wait = min(wait, l.health.next.Sub(now))
		}
		l.mu.Unlock()
	}
	return max(wait, 10*time.Millisecond)
}

// Test tests the list of this name now, takes the result into account and returns the
// list's health.
func (s *Set) Test(ctx context.Context, name string) (Health, bool) {
	for _, l := range s.lists {
		if l.Name != name {
			continue
		}
		l.mu.Lock()
		doubtful, ended := l.health.state != Healthy, l.health.ended
		l.mu.Unlock()
		if ended {
			return l.report(), true
		}
		v, why, six := s.test(ctx, l, doubtful)
		if ctx.Err() != nil {
			return l.report(), true // we are stopping: it isn't the list's silence
		}
		l.mu.Lock()
		changed := l.health.testedAs(s.cfg.Now(), v, why)
		if v == passes && l.six != six {
			l.six, changed = six, true
		}
		l.mu.Unlock()
		if changed {
			s.changed(l)
		}
		return l.report(), true
	}
	return Health{}, false
}

// test asks for the test points, and for random addresses where the list's health is
// in doubt.
func (s *Set) test(ctx context.Context, l *source, doubtful bool) (v verdict, why string, six bool) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	nowhere, point := l.points()
	names := []string{l.ask(nowhere), l.ask(point)}
	if l.IPv6 {
		names = append(names, l.question6(nowhere6), l.question6(point6))
	}
	points := len(names)
	if doubtful {
		for range controls {
			names = append(names, l.ask(s.anything(l)))
		}
	}
	heard := make([]*outcome, len(names))
	var asking sync.WaitGroup
	for i, name := range names {
		asking.Go(func() { heard[i], _ = s.put(ctx, l, name) })
	}
	asking.Wait()
	v, why = judge(heard[0], heard[1], heard[points:], l.Untested)
	if l.Names {
		why = strings.NewReplacer(nowhere4.String(), nowhere.name, point4.String(), point.name, "random addresses", "random names").Replace(why)
	}
	if l.IPv6 {
		six = heard[2].kind == notListed && inLoopback(heard[3])
	}
	return v, why, six
}

// judge makes a verdict of a test's answers. It is pure.
func judge(nowhere, point *outcome, random []*outcome, untested bool) (verdict, string) {
	all := append([]*outcome{nowhere, point}, random...)
	for _, bad := range []kind{outside, denied} {
		for _, o := range all {
			switch {
			case o.kind != bad:
			case bad == denied:
				return deniesUs, o.why
			default:
				return fails, o.why
			}
		}
	}
	switch {
	case inLoopback(nowhere):
		return fails, "lists 127.0.0.1, which no list may (RFC 5782 5): it lists everything"
	case nowhere.kind != notListed:
		return silence, nowhere.why
	case untested || inLoopback(point):
	case point.kind == notListed:
		return fails, "doesn't list its test point 127.0.0.2 (RFC 5782 5): it is empty or gone, or key or zone are wrong"
	default:
		return silence, point.why
	}
	in, out := 0, 0
	for _, o := range random {
		switch {
		case inLoopback(o):
			in++
		case o.kind == notListed:
			out++
		}
	}
	switch n := len(random); {
	case n == 0 || out > 0:
	case in > n/2:
		return fails, fmt.Sprintf("lists %d of %d random addresses: it lists everything", in, n)
	default:
		return silence, "no answer for random addresses"
	}
	return passes, ""
}

// inLoopback says whether there is an entry, whatever it means.
func inLoopback(o *outcome) bool {
	return len(o.codes) > 0 && (o.kind == listed || o.kind == notListed || o.kind == unusable)
}

// question6 is the name of an IPv6 test point: the one address that mustn't be taken
// for the IPv4 address that is mapped into it.
func (l *List) question6(a netip.Addr) string {
	b := a.As16()
	b[0] |= 0x80 // any bit that keeps it from being a mapped address …
	name := []byte(dns.ReverseUnder(netip.AddrFrom16(b), l.under()))
	name[62] = '0' // … and back: the last nibble is the first of the address
	return string(name)
}

// points are the list's test points: what mustn't be listed, and what must be.
func (l *List) points() (nowhere, point subject) {
	if l.Names {
		return subject{name: "invalid"}, subject{name: l.TestPoint}
	}
	return subject{addr: nowhere4}, subject{addr: point4}
}

// anything is something that no list has but by chance: a public address, or a name of
// the length of a digest.
func (s *Set) anything(l *source) subject {
	if !l.Names {
		return subject{addr: s.randomAddr()}
	}
	s.random.Lock()
	defer s.random.Unlock()
	var b [20]byte
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
	return subject{name: hex.EncodeToString(b[:])}
}

// randomAddr is a public IPv4 address.
func (s *Set) randomAddr() netip.Addr {
	s.random.Lock()
	defer s.random.Unlock()
	for {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], s.random.Uint32())
		a := netip.AddrFrom4(b)
		if b[0] > 0 && b[0] < 224 && a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a) {
			return a
		}
	}
}

// observe takes a client's answer into a list's health.
func (s *Set) observe(l *source, now time.Time, client subject, o *outcome) {
	if o.kind == notAsked || s.queue.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	changed := l.health.observe(now, client, o)
	l.mu.Unlock()
	if changed {
		s.changed(l)
		s.rouse()
	}
}

// changed makes results anew, and tells the log.
func (s *Set) changed(l *source) {
	s.epoch.Add(1)
	h := l.report()
	level := slog.LevelWarn
	if h.State == Healthy {
		level = slog.LevelInfo
	}
	s.cfg.Log.Log(context.Background(), level, "dns list", "list", h.Name, "state", h.State.String(), "why", h.Why)
}

// Health is a list as people see it.
type Health struct {
	Name     string    `json:"name"`
	Zone     string    `json:"zone"` // without the key
	Kind     Kind      `json:"kind"`
	Weight   float64   `json:"weight"`
	State    State     `json:"state"`
	Since    time.Time `json:"since"`
	Why      string    `json:"why,omitempty"` // "" while all is well
	Believed bool      `json:"believed"`      // its listings count
	IPv6     bool      `json:"ipv6"`          // IPv6 clients are asked for
	Tested   time.Time `json:"tested"`        // last; zero: never
	Next     time.Time `json:"next"`          // test; zero: none any more
	Total    Counts    `json:"total"`         // since the start, of clients' questions
	Recent   Counts    `json:"recent"`        // in the last ten minutes
}

// Health is the state of each list, in the order of the configuration.
func (s *Set) Health() []Health {
	out := make([]Health, len(s.lists))
	for i, l := range s.lists {
		out[i] = l.report()
		out[i].Recent = l.lately(s.cfg.Now())
	}
	return out
}

func (l *source) lately(now time.Time) Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.health.sum(now)
}

func (l *source) report() Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.health
	out := Health{Name: l.Name, Zone: l.Zone, Kind: l.Kind, Weight: l.Weight, State: h.state, Since: h.since, Why: h.why,
		Believed: h.believed(), IPv6: l.six, Tested: h.tested, Next: h.next, Total: h.total}
	if h.ended {
		out.Next = time.Time{}
	}
	return out
}

// Stats are a set's counters.
type Stats struct {
	Clients int    // remembered now
	Evicted uint64 // clients forgotten for want of room
	Waiting int    // questions
	Dropped uint64 // questions never asked, for want of budget or room
}

// Stats is a snapshot of the counters.
func (s *Set) Stats() Stats {
	m := s.memory.Stats()
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return Stats{Clients: m.Len, Evicted: m.Forgotten, Waiting: s.queue.n, Dropped: s.queue.dropped}
}
