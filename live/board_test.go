package live

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/reason"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// TestDay plays some sessions and reads the board as a page does.
func TestDay(t *testing.T) {
	b := New(noon, Config{})
	now := noon.Add(10 * time.Second)
	bot := b.Opened(now, netip.MustParseAddr("192.0.2.7"))
	bot.Refused(now, reason.EarlyTalker, sluice.PhaseConnect, 554)
	bot.Dialect(now, "d1h.0000000001", sluice.Dialect{Marks: 1})
	bot.Closed(now)
	bot.Closed(now) // once only

	list := b.Opened(now, netip.MustParseAddr("2001:db8:1:2::3"))
	list.Phase(sluice.PhaseRcpt)
	list.Refused(now, reason.RecipientUnknown, sluice.PhaseRcpt, 550)
	list.Phase(sluice.PhaseData)
	list.Judged(now, sluice.Accept, sluice.ThreatNone)
	list.Judged(now, sluice.Reject, sluice.ThreatPhish)
	list.Closed(now)

	grey := b.Opened(now, netip.MustParseAddr("::ffff:198.51.100.1"))
	grey.Refused(now, reason.Greylisted, sluice.PhaseRcpt, 450)
	grey.Closed(now)
	b.Turned(now, netip.MustParseAddr("192.0.2.8"), reason.ClientBanned, 554)
	open := b.Opened(now, netip.MustParseAddr("203.0.113.1"))
	open.Phase(sluice.PhaseHello)

	s := b.Snapshot(now.Add(time.Second))
	if want := (Sums{Connections: 5, Refused: 2, Deferred: 1, Accepted: 1, Rejected: 1}); s.Total != want {
		t.Errorf("total %+v, want %+v", s.Total, want)
	}
	if s.Open() != 1 || s.Sessions[1] != (AtPhase{sluice.PhaseHello, 1}) {
		t.Errorf("sessions %+v", s.Sessions)
	}
	if r := s.Rates[0]; r != (Rate{1, 5, 2, 2, 1}) {
		t.Errorf("rate %+v", r)
	}
	if got := fmt.Sprint(s.Networks[0].Network, s.Networks[0].Total, s.Networks[0].Refused, s.Networks[0].Share); got != "192.0.2.0/24 2 2 1" {
		t.Errorf("network %s", got)
	}
}

// TestNilBoard: a gate without a board pays nothing and needs no ifs.
func TestNilBoard(t *testing.T) {
	var b *Board
	b.Turned(noon, netip.Addr{}, reason.ClientBanned, 554)
	v := b.Opened(noon, netip.MustParseAddr("192.0.2.1"))
	all(&v, noon)
	if s := b.Snapshot(noon); s.Open() != 0 || s.Networks == nil {
		t.Errorf("%+v", s)
	}
}

// all calls everything.
func all(v *Visit, now time.Time) {
	v.Phase(sluice.PhaseHello)
	v.Refused(now, reason.RecipientUnknown, sluice.PhaseRcpt, 550)
	v.Forwarded(now, netip.MustParseAddr("2001:db8::1"))
	v.Phase(sluice.PhaseData)
	v.Judged(now, sluice.Accept, sluice.ThreatNone)
	v.Dialect(now, "d1d.0", sluice.Dialect{Marks: 1})
	v.Closed(now)
}

// TestActions: every action counts as one thing.
func TestActions(t *testing.T) {
	want := map[sluice.Action]Sums{
		sluice.Accept: {Accepted: 1}, sluice.Tag: {Tagged: 1}, sluice.Banner: {Tagged: 1}, sluice.Strip: {Tagged: 1},
		sluice.QuarantineIt: {Quarantined: 1}, sluice.Hold: {Quarantined: 1}, sluice.Defer: {Deferred: 1},
		sluice.Reject: {Rejected: 1}, sluice.Drop: {Rejected: 1},
	}
	for a, sums := range want {
		b := New(noon, Config{})
		v := b.Opened(noon, netip.MustParseAddr("192.0.2.1"))
		v.Judged(noon, a, sluice.ThreatSpam)
		v.Closed(noon)
		sums.Connections = 1
		s := b.Snapshot(noon)
		if s.Total != sums {
			t.Errorf("%v: %+v, want %+v", a, s.Total, sums)
		}
		if n := len(s.Threats); n != map[bool]int{true: 0, false: 1}[a == sluice.Accept] {
			t.Errorf("%v: threats %+v", a, s.Threats)
		}
	}
}

// TestSessions: what a session counts as, by its replies and how far it came.
func TestSessions(t *testing.T) {
	for _, test := range []struct {
		codes []int
		data  bool
		want  Sums
	}{
		{nil, false, Sums{}},
		{[]int{550}, false, Sums{Refused: 1}},
		{[]int{550, 450}, false, Sums{Refused: 1}},
		{[]int{450, 451}, false, Sums{Deferred: 1}},
		{[]int{421}, false, Sums{Refused: 1}}, // it ends the session
		{[]int{550}, true, Sums{}},
		{[]int{450}, true, Sums{}},
	} {
		b := New(noon, Config{})
		v := b.Opened(noon, netip.MustParseAddr("192.0.2.1"))
		for _, c := range test.codes {
			v.Refused(noon, reason.RecipientUnknown, sluice.PhaseRcpt, c)
		}
		if test.data {
			v.Phase(sluice.PhaseData)
			v.Phase(sluice.PhaseMail) // the next transaction
		}
		v.Dialect(noon, "d1d.0", sluice.Dialect{})
		v.Closed(noon)
		test.want.Connections = 1
		s := b.Snapshot(noon)
		if s.Total != test.want {
			t.Errorf("%v, data %v: %+v, want %+v", test.codes, test.data, s.Total, test.want)
		}
		if n := s.Networks[0]; n.Refused != test.want.Refused || s.Dialects[0].Refused != test.want.Refused {
			t.Errorf("%v, data %v: network %+v, dialect %+v", test.codes, test.data, n, s.Dialects[0])
		}
	}
	for code, want := range map[int]Sums{554: {Connections: 1, Refused: 1}, 421: {Connections: 1, Refused: 1}, 450: {Connections: 1, Deferred: 1}} {
		b := New(noon, Config{})
		b.Turned(noon, netip.MustParseAddr("192.0.2.1"), reason.ClientBanned, code)
		if s := b.Snapshot(noon); s.Total != want || s.Networks[0].Refused != want.Refused {
			t.Errorf("turned away with %d: %+v, %+v", code, s.Total, s.Networks[0])
		}
	}
}

// TestUptime: two units, whatever the length.
func TestUptime(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s",
		23*time.Hour + 59*time.Minute: "23 h 59 min", 76 * time.Hour: "3 d 4 h"} {
		s := Snapshot{Start: noon, Time: noon.Add(d)}
		if got := s.Uptime(); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestRefusalsByPhase: sums over phases, and what is past is forgotten.
func TestRefusalsByPhase(t *testing.T) {
	b := New(noon, Config{})
	v := b.Opened(noon, netip.MustParseAddr("192.0.2.1"))
	for i := range 3 {
		v.Refused(noon.Add(time.Duration(i)*20*time.Minute), reason.RelayDenied, sluice.PhaseRcpt, 550)
	}
	now := noon.Add(40 * time.Minute)
	v.Refused(now, reason.RelayDenied, sluice.PhaseMail, 550)
	v.Refused(now, reason.EarlyTalker, sluice.PhaseConnect, 554)
	v.Refused(now, reason.EarlyTalker, sluice.PhaseConnect, 554)
	v.Refused(now, reason.EarlyTalker, sluice.PhaseConnect, 554)
	s := b.Snapshot(now)
	if len(s.Refusals) != 2 || s.Refusals[0].Reason != reason.EarlyTalker || s.Refusals[0].Lately != (Lately{3, 3, 3}) {
		t.Fatalf("%+v", s.Refusals)
	}
	r := s.Refusals[1]
	if r.Words != "this server takes no mail for that domain" || r.Lately != (Lately{2, 4, 4}) ||
		fmt.Sprint(r.Phases) != fmt.Sprint([]RefusalAt{{sluice.PhaseMail, Lately{1, 1, 1}}, {sluice.PhaseRcpt, Lately{1, 3, 3}}}) {
		t.Errorf("%+v", r)
	}
	if s = b.Snapshot(now.Add(3 * time.Hour)); s.Refusals[0].Lately != (Lately{0, 0, 4}) {
		t.Errorf("later: %+v", s.Refusals)
	}
	if s = b.Snapshot(now.Add(25 * time.Hour)); len(s.Refusals) != 0 || len(b.refusals.all.causes) != 0 {
		t.Errorf("a day later: %+v", s.Refusals)
	}
}

// TestManyAtOnce feeds and reads from everywhere, and adds up.
func TestManyAtOnce(t *testing.T) {
	b := New(noon, Config{Networks: 32, Dialects: 8})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				now := noon.Add(time.Duration(i) * 100 * time.Millisecond)
				v := b.Opened(now, netip.AddrFrom4([4]byte{10, byte(g), byte(i), 1}))
				all(&v, now)
				b.Turned(now, netip.AddrFrom4([4]byte{10, byte(g), byte(i), 1}), reason.ClientBanned, 554)
				if i%50 == 0 {
					b.Snapshot(now)
				}
			}
		})
	}
	wg.Wait()
	s := b.Snapshot(noon.Add(time.Minute))
	if want := (Sums{Connections: 8000, Refused: 4000, Accepted: 4000}); s.Total != want || s.Open() != 0 {
		t.Errorf("%+v, %d open; want %+v", s.Total, s.Open(), want)
	}
	var sum uint32
	for _, n := range s.Minutes.Connections {
		sum += n
	}
	if sum != 8000 {
		t.Errorf("minutes sum to %d", sum)
	}
}

// TestFeedingIsCheap: no allocation for a client that is followed, nor for one of a flood.
func TestFeedingIsCheap(t *testing.T) {
	b := New(noon, Config{Networks: 64, Dialects: 16})
	i, now := 0, noon
	visit := func() {
		i++
		now = now.Add(time.Millisecond)
		v := b.Opened(now, netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}))
		all(&v, now)
	}
	for range 10_000 {
		visit()
	}
	if n := testing.AllocsPerRun(1000, visit); n > 0.1 { // a map is tidied now and then
		t.Errorf("%g allocations for a visit", n)
	}
}

func BenchmarkBoard(b *testing.B) {
	client := netip.MustParseAddr("192.0.2.1")
	board := New(noon, Config{})
	v := board.Opened(noon, client)
	d := sluice.Dialect{Marks: 1}
	i, ring := 0, make([]netip.Addr, 1<<16)
	for i := range ring {
		ring[i] = netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
	}
	now := noon
	tick := func() time.Time { now = now.Add(10 * time.Microsecond); return now }
	for _, bench := range []struct {
		name string
		do   func()
	}{
		{"opened", func() { board.Opened(tick(), client) }},
		{"opened-flood", func() { i++; board.Opened(tick(), ring[i%len(ring)]) }},
		{"turned-flood", func() { i++; board.Turned(tick(), ring[i%len(ring)], reason.ClientBanned, 554) }},
		{"phase", func() { v.Phase(sluice.Phase(1 + i&1)); i++ }},
		{"refused", func() { v.Refused(tick(), reason.EarlyTalker, sluice.PhaseConnect, 554) }},
		{"judged", func() { v.Judged(tick(), sluice.Reject, sluice.ThreatSpam) }},
		{"dialect", func() { v.Dialect(tick(), "d1d.0123456789", d) }},
		{"closed", func() {
			x := Visit{board: board, network: v.network, phase: sluice.PhaseConnect, refused: true}
			x.Closed(tick())
		}},
		{"snapshot", func() { board.Snapshot(tick()) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bench.do()
			}
		})
	}
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				x := board.Opened(noon, client)
				x.Refused(noon, reason.EarlyTalker, sluice.PhaseConnect, 554)
				x.Closed(noon)
			}
		})
	})
}
