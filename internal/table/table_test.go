package table

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// count is a value that is worth what was counted, and nothing below two.
type count struct{ n int }

func worth(v *count, _ time.Time) float64 { return float64(max(v.n-1, -1)) }

func inc(v *count) { v.n++ }

func addr(r *rand.Rand) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], 0x20010db8<<32|uint64(r.Uint32()))
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	return netip.AddrFrom16(b)
}

// TestAgainstMap compares random operations with a plain map while there is room.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := New[int, count](Config[count]{Capacity: 4096, Worth: worth})
		want := map[int]count{}
		key := rapid.IntRange(0, 60)
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if got := tab.Len(); got != len(want) {
					t.Fatalf("%d entries, want %d", got, len(want))
				}
				verify(t, tab)
			},
			"update": func(t *rapid.T) {
				k := key.Draw(t, "k")
				tab.Update(k, noon, inc)
				want[k] = count{want[k].n + 1}
			},
			"amend": func(t *rapid.T) {
				k := key.Draw(t, "k")
				v, ok := want[k]
				if got := tab.Amend(k, noon, inc); got != ok {
					t.Fatalf("amend %d: %v, want %v", k, got, ok)
				}
				if ok {
					want[k] = count{v.n + 1}
				}
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "k")
				_, ok := want[k]
				if got := tab.Delete(k); got != ok {
					t.Fatalf("delete %d: %v, want %v", k, got, ok)
				}
				delete(want, k)
			},
			"deleteFunc": func(t *rapid.T) {
				m := rapid.IntRange(2, 5).Draw(t, "m")
				n := 0
				for k := range want {
					if k%m == 0 {
						delete(want, k)
						n++
					}
				}
				if got := tab.DeleteFunc(func(k int, _ *count) bool { return k%m == 0 }); got != n {
					t.Fatalf("deleted %d, want %d", got, n)
				}
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "k")
				v, ok := want[k]
				if got, found := tab.Get(k); got != v || found != ok {
					t.Fatalf("get %d: %v %v, want %v %v", k, got, found, v, ok)
				}
			},
			"all": func(t *rapid.T) {
				n := 0
				for k, v := range tab.All() {
					if n++; want[k] != v {
						t.Fatalf("all: %d is %v, want %v", k, v, want[k])
					}
				}
				if n != len(want) {
					t.Fatalf("all: %d entries, want %d", n, len(want))
				}
			},
		})
	})
}

// TestFull checks the invariants of a table that is too small for its keys.
func TestFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := New[int, count](Config[count]{Capacity: rapid.IntRange(1, 40).Draw(t, "capacity"), Worth: worth})
		for _, k := range rapid.SliceOfN(rapid.IntRange(0, 200), 0, 600).Draw(t, "keys") {
			if k%17 == 0 {
				tab.Delete(k / 17)
				continue
			}
			tab.Update(k, noon, inc)
		}
		verify(t, tab)
	})
}

// verify holds a table to its own bookkeeping.
func verify[K comparable, V any](t interface{ Fatalf(string, ...any) }, tab *Table[K, V]) {
	for i := range tab.shards {
		s := &tab.shards[i]
		linked := 0
		for _, p := range s.index {
			if p != none {
				linked++
			}
		}
		if n := len(s.part[0]) + len(s.part[1]); n != linked || 2*n > len(s.index) && n > 0 {
			t.Fatalf("%d entries, %d of %d places linked", n, linked, len(s.index))
		}
		for part := range s.part {
			if len(s.part[part]) > s.room[part] || cap(s.part[part]) > s.room[part] {
				t.Fatalf("part %d holds %d (%d) of %d", part, len(s.part[part]), cap(s.part[part]), s.room[part])
			}
			for j := range s.part[part] {
				e := &s.part[part][j]
				if p := s.find(e.key, e.hash); p < 0 || s.index[p].part() != part || s.index[p].pos() != j {
					t.Fatalf("entry %d of part %d can't be found", j, part)
				}
			}
		}
	}
}

// TestFlood: ten million random keys push out nothing that was earned, also where
// the flood earns a little itself.
func TestFlood(t *testing.T) {
	keys := 10_000_000
	if testing.Short() || raceEnabled {
		keys = 500_000
	}
	for _, test := range []struct {
		name  string
		visit int // how often the flood sends each key
	}{{"random keys", 1}, {"keys that come back", 3}} {
		t.Run(test.name, func(t *testing.T) {
			const capacity, known = 50_000, 30_000
			tab := New[netip.Addr, count](Config[count]{Capacity: capacity, Worth: worth})
			r := rand.New(rand.NewPCG(1, 2))
			list := make([]netip.Addr, known)
			for i := range list {
				list[i] = addr(r)
				for range 5 {
					tab.Update(list[i], noon, inc)
				}
			}
			for range keys / test.visit {
				k := addr(r)
				for range test.visit {
					tab.Update(k, noon, inc)
				}
			}
			for _, k := range list {
				if v, ok := tab.Get(k); !ok || v.n != 5 {
					t.Fatalf("%v was pushed out", k)
				}
			}
			if s := tab.Stats(); s.Len > s.Capacity || s.Capacity > capacity+256 || s.Forgotten == 0 {
				t.Errorf("%+v", s)
			}
			// A newcomer who earns more than the flood still gets in.
			late := addr(r)
			for range 9 {
				tab.Update(late, noon, inc)
			}
			for range 100_000 {
				tab.Update(addr(r), noon, inc)
			}
			if v, ok := tab.Get(late); !ok || v.n != 9 {
				t.Errorf("the newcomer: %v %v", v, ok)
			}
		})
	}
}

// TestFades: what was worth much long ago gives way to what is worth something now.
func TestFades(t *testing.T) {
	type seen struct{ last time.Time }
	tab := New[int, seen](Config[seen]{Capacity: 800, Worth: func(v *seen, now time.Time) float64 {
		return 10 - now.Sub(v.last).Hours()
	}})
	for i := range 2000 {
		tab.Update(i, noon, func(v *seen) { v.last = noon })
	}
	later := noon.Add(20 * time.Hour)
	for i := 5000; i < 5500; i++ {
		tab.Update(i, later, func(v *seen) { v.last = later })
	}
	kept := 0
	for i := 5000; i < 5500; i++ {
		if _, ok := tab.Get(i); ok {
			kept++
		}
	}
	if kept != 500 {
		t.Errorf("%d of 500 new entries kept", kept)
	}
}

func TestConcurrent(t *testing.T) {
	tab := New[int, count](Config[count]{Capacity: 5000, Worth: worth})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 0))
			for i := range 20_000 {
				k := r.IntN(20_000)
				tab.Update(k, noon, inc)
				tab.Get(k)
				if i%5 == 0 {
					tab.Delete(r.IntN(20_000))
				}
				if i%5000 == 0 {
					for range tab.All() {
					}
					tab.Each(func(_ int, v *count) bool { v.n++; return true })
				}
			}
		})
	}
	wg.Wait()
	verify(t, tab)
	if s := tab.Stats(); s.Len > s.Capacity {
		t.Errorf("%+v", s)
	}
}

// TestMemory holds the memory of an entry to what the package says.
func TestMemory(t *testing.T) {
	const n = 100_000
	tab := New[netip.Addr, [3]float64](Config[[3]float64]{Capacity: n, Worth: func(*[3]float64, time.Time) float64 { return 1 }})
	r := rand.New(rand.NewPCG(1, 2))
	for range 2 * n {
		tab.Update(addr(r), noon, func(*[3]float64) {})
	}
	bytes := 0
	for i := range tab.shards {
		s := &tab.shards[i]
		bytes += 4*cap(s.index) + int(unsafe.Sizeof(s.part[0][0]))*(cap(s.part[0])+cap(s.part[1]))
	}
	each := float64(bytes) / float64(tab.Len())
	if most := float64(unsafe.Sizeof(netip.Addr{})+24+8) + 16; each > most {
		t.Errorf("%.1f bytes an entry, want at most %.0f", each, most)
	}
	t.Logf("%.1f bytes an entry of 48", each)
}

func TestNoAllocations(t *testing.T) {
	tab := New[netip.Addr, count](Config[count]{Capacity: 1000, Worth: worth})
	k, add := netip.MustParseAddr("192.0.2.1"), 3
	if n := testing.AllocsPerRun(100, func() {
		tab.Update(k, noon, func(v *count) { v.n += add })
		tab.Get(k)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// sizes are those of a small and of a large site. At a million entries an operation
// costs its two cache misses.
func sizes(b *testing.B, run func(b *testing.B, tab *Table[netip.Addr, count], keys []netip.Addr)) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tab := New[netip.Addr, count](Config[count]{Capacity: n, Worth: worth})
			r := rand.New(rand.NewPCG(1, 2))
			keys := make([]netip.Addr, n/2)
			for i := range keys {
				keys[i] = addr(r)
				for range 5 {
					tab.Update(keys[i], noon, inc)
				}
			}
			for range n {
				k := addr(r)
				tab.Update(k, noon, inc)
				tab.Update(k, noon, inc)
			}
			b.ReportAllocs()
			b.ResetTimer()
			run(b, tab, keys)
		})
	}
}

func BenchmarkGet(b *testing.B) {
	sizes(b, func(b *testing.B, tab *Table[netip.Addr, count], keys []netip.Addr) {
		for i := 0; b.Loop(); i++ {
			tab.Get(keys[i%len(keys)])
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	sizes(b, func(b *testing.B, tab *Table[netip.Addr, count], keys []netip.Addr) {
		for i := 0; b.Loop(); i++ {
			tab.Update(keys[i%len(keys)], noon, inc)
		}
	})
}

// BenchmarkUpdateNew is a flood against a full table.
func BenchmarkUpdateNew(b *testing.B) {
	sizes(b, func(b *testing.B, tab *Table[netip.Addr, count], _ []netip.Addr) {
		r := rand.New(rand.NewPCG(3, 4))
		for b.Loop() {
			tab.Update(addr(r), noon, inc)
		}
	})
}

func BenchmarkUpdateParallel(b *testing.B) {
	sizes(b, func(b *testing.B, tab *Table[netip.Addr, count], keys []netip.Addr) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				tab.Update(keys[i%len(keys)], noon, inc)
			}
		})
	})
}
