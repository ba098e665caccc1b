package live

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/reason"
)

// TestFloodKeepsTheTop: while a million addresses come once each, three hundred times as
// many as are followed, those who come often stay at the top, with their counts.
func TestFloodKeepsTheTop(t *testing.T) {
	b := New(noon, Config{Networks: 256})
	b.networks.top.random = 1
	rng := rand.New(rand.NewPCG(1, 2))
	const flood, spread = 1_000_000, 60 // seconds
	// Busy networks of 1000, 980, 960 … sessions, evenly among the flood.
	var busy []netip.Addr
	for i := range 20 {
		busy = append(busy, netip.AddrFrom4([4]byte{192, 0, byte(i), 1}))
	}
	sent := make([]int, len(busy))
	visit := func(now time.Time, a netip.Addr) {
		v := b.Opened(now, a)
		v.Refused(now, reason.EarlyTalker, sluice.PhaseConnect, 554)
		v.Closed(now)
	}
	for i := range flood {
		now := noon.Add(time.Duration(i) * spread * time.Second / flood)
		visit(now, netip.AddrFrom16([16]byte{0x20, 1, byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}))
		for j := range busy {
			if want := (1000 - 20*j) * (i + 1) / flood; sent[j] < want {
				sent[j]++
				visit(now, busy[j])
			}
		}
	}
	if n := len(b.networks.top.heap); n != 256 {
		t.Errorf("%d networks are followed", n)
	}
	s := b.Snapshot(noon.Add(spread * time.Second))
	for j, n := range s.Networks[:len(busy)] {
		i := slices.IndexFunc(busy, n.Network.Contains)
		if i < 0 {
			t.Errorf("place %d: %v of the flood", j, n.Network)
			continue
		}
		if got, want := float64(n.Total), float64(sent[i]); got > want || got < 0.7*want {
			t.Errorf("place %d: %v has %g sessions of %g", j, n.Network, got, want)
		}
		if n.Share != 1 || n.Why != reason.EarlyTalker {
			t.Errorf("place %d: %+v", j, n)
		}
	}
}

// TestInheritedDoesNotLead: what a slot had before its key came is no merit of the key.
func TestInheritedDoesNotLead(t *testing.T) {
	got := leaders([]slot[int]{{key: 1, weight: 1000, event: event{sessions: 1}}, {key: 2, weight: 5, event: event{sessions: 2, refused: 2, refusals: 1}},
		{key: 3, weight: 4, event: event{sessions: 4}}})
	if got[0].key != 2 || got[1].key != 3 || got[2].key != 1 {
		t.Errorf("%+v", got)
	}
}

// TestNewcomerGetsIn: a table full of what is idle makes way for who comes often.
func TestNewcomerGetsIn(t *testing.T) {
	b := New(noon, Config{Networks: 16})
	for i := range 16 {
		for range 1000 {
			b.Turned(noon, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), reason.ClientBanned, 554)
		}
	}
	now := noon.Add(3 * time.Hour) // 18 half-lives
	for range 100 {
		b.Turned(now, netip.MustParseAddr("192.0.2.1"), reason.ClientBanned, 554)
	}
	if s := b.Snapshot(now); s.Networks[0].Network.String() != "192.0.2.0/24" || len(s.Networks) != 1 {
		t.Errorf("%+v", s.Networks)
	}
}

// TestRates: a steady stream shows as its rate, from the first minutes on.
func TestRates(t *testing.T) {
	b := New(noon, Config{})
	client := netip.MustParseAddr("192.0.2.1")
	for i := range 3 * 3600 {
		now := noon.Add(time.Duration(i) * time.Second)
		v := b.Opened(now, client)
		if i%4 == 0 {
			v.Refused(now, reason.RecipientUnknown, sluice.PhaseRcpt, 550)
		}
		v.Closed(now)
		if i == 120 || i == 3*3600-1 {
			n := b.Snapshot(now).Networks[0]
			if math.Abs(n.Sessions-60) > 1 || math.Abs(n.Refusals-15) > 1 || math.Abs(n.Share-0.25) > 0.01 {
				t.Errorf("after %d s: %+v", i, n.Activity)
			}
		}
	}
	// What has gone quiet fades, and is gone at last.
	now := noon.Add(3*time.Hour + 10*time.Minute)
	if n := b.Snapshot(now).Networks[0]; math.Abs(n.Sessions-30) > 1 || n.Total != 3*3600 {
		t.Errorf("a half-life later: %+v", n.Activity)
	}
	if n := b.Snapshot(now.Add(24 * time.Hour)).Networks; len(n) != 0 {
		t.Errorf("a day later: %+v", n)
	}
}

// TestSketchExact: as long as there is room for all, the sketch is a map.
func TestSketchExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSketch[string](32)
		type truth struct{ sessions, refused float64 }
		all := map[string]*truth{}
		now := int64(1_700_000_000)
		for range rapid.IntRange(1, 300).Draw(t, "events") {
			if step := rapid.SampledFrom([]int64{0, 0, 0, 1, 30, 600, 40_000, -1, -100_000}).Draw(t, "step"); step != 0 {
				now += step
				if step > 0 {
					for _, x := range all {
						f := math.Exp2(-float64(step) / halfLife)
						x.sessions, x.refused = x.sessions*f, x.refused*f
					}
				} else if -step <= tolerance {
					now -= step // counts as now
				}
			}
			key := fmt.Sprint(rapid.IntRange(0, 31).Draw(t, "key"))
			e := event{sessions: 1}
			if rapid.Bool().Draw(t, "refused") {
				e.refused = 1
			}
			s.add(now, key, e)
			if all[key] == nil {
				all[key] = new(truth)
			}
			all[key].sessions += e.sessions
			all[key].refused += e.refused
		}
		got := s.copied(now)
		if len(got) != len(all) {
			t.Fatalf("%d keys, want %d", len(got), len(all))
		}
		for _, x := range got {
			if w := all[x.key]; math.Abs(x.sessions-w.sessions) > 1e-6*(1+w.sessions) || math.Abs(x.refused-w.refused) > 1e-6*(1+w.refused) {
				t.Fatalf("%s: %g and %g, want %+v", x.key, x.sessions, x.refused, w)
			}
		}
		check(t, &s)
	})
}

// TestSketchHeap: with more keys than room the heap keeps its order and the index fits.
func TestSketchHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSketch[int](rapid.IntRange(1, 8).Draw(t, "size"))
		s.random = rapid.Uint64Min(1).Draw(t, "random")
		now := int64(1_700_000_000)
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			now += rapid.Int64Range(-20, 3000).Draw(t, "step")
			s.add(now, rapid.IntRange(0, 30).Draw(t, "key"), event{sessions: 1})
			check(t, &s)
		}
	})
}

func check[K comparable](t *rapid.T, s *sketch[K]) {
	t.Helper()
	if len(s.heap) > s.size || len(s.index) != len(s.heap) {
		t.Fatalf("%d slots, %d keys, size %d", len(s.heap), len(s.index), s.size)
	}
	for i, x := range s.heap {
		if x.at != i || s.index[x.key] != x {
			t.Fatalf("slot %d of %v is out of place", i, x.key)
		}
		if up := (i - 1) / 2; i > 0 && s.heap[up].weight > x.weight {
			t.Fatalf("slot %d is lighter than its parent", i)
		}
		if math.IsNaN(x.weight) || math.IsInf(x.weight, 0) {
			t.Fatalf("weight %g", x.weight)
		}
	}
}

func TestNetworkKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "0.0.0.0": "0.0.0.0/24", "255.255.255.255": "255.255.255.0/24",
		"2001:db8:1:2::3": "2001:db8:1::/48", "::": "::/48", "ffff:ffff:ffff:ffff::": "ffff:ffff:ffff::/48", "fe80::1%eth0": "fe80::/48",
	} {
		if got := prefixOf(networkKey(netip.MustParseAddr(in))); got.String() != want {
			t.Errorf("%s: %v, want %s", in, got, want)
		}
	}
	if networkKey(netip.Addr{}) != 0 {
		t.Error("no address has a network")
	}
}
