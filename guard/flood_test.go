package guard

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"sluice/guard/network"
	"sluice/internal/table"
	"sluice/reason"
)

// stats are those of all tables, by the names of the fields.
func (g *Guard) stats() map[string]table.Stats {
	out := map[string]table.Stats{}
	v := reflect.ValueOf(g).Elem()
	add := func(name string, f reflect.Value) {
		if f.Kind() == reflect.Pointer && f.Type().Elem().PkgPath() == "sluice/internal/table" {
			f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
			out[name] = f.MethodByName("Stats").Call(nil)[0].Interface().(table.Stats)
		}
	}
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if f.Kind() == reflect.Array {
			for j := range f.Len() {
				add(fmt.Sprint(name, j), f.Index(j))
			}
		}
		add(name, f)
	}
	return out
}

func stranger(r *rand.Rand) netip.Addr {
	var b [16]byte
	if r.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{byte(100 + r.IntN(90)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
	}
	binary.BigEndian.PutUint64(b[:], 0x20010db8<<32|uint64(r.Uint32()))
	return netip.AddrFrom16(b)
}

// TestFlood sends strangers through every memory, ten million of them: none grows
// beyond its bound, and what was earned before stays.
func TestFlood(t *testing.T) {
	strangers := 10_000_000
	if testing.Short() || raceEnabled {
		strangers = 100_000
	}
	g := New(Config{Clients: 20_000})
	const known = 500
	home := func(i int) netip.Addr { return v4(i << 8) }
	for i := range known {
		g.Good(noon, home(i))
		enter(g, noon, home(i), fmt.Sprint("user", i))
	}

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := rand.New(rand.NewPCG(1, 2))
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("u%d@here.example", i)
	}
	for i := range strangers {
		a, now := stranger(r), noon.Add(time.Duration(i)*20*time.Microsecond)
		g.Admit(now, a)
		switch i % 5 {
		case 0:
			g.Offend(now, a, reason.EarlyTalker, Weight(reason.EarlyTalker))
		case 1:
			g.Recipient(now, Probe{Client: a, System: names[r.IntN(1000)], Recipient: names[r.IntN(1000)]})
		case 2:
			guess(g, now, a, names[r.IntN(1000)], r.Uint64())
		case 3:
			g.Message(now, Sending{Client: a, Domain: names[r.IntN(1000)], Recipients: 1})
		case 4:
			offend(g, now, a) // bans compete with bans
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 20_000*memoryPerClient {
		t.Errorf("%d octets for each client of the setting", grown/20_000)
	} else {
		t.Logf("%d octets for each client of the setting", grown/20_000)
	}
	for name, s := range g.stats() {
		if s.Len > s.Capacity || s.Capacity > 21_000 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if n := len(g.stats()); n != 19 {
		t.Errorf("%d tables", n)
	}

	end := noon.Add(time.Duration(strangers) * 20 * time.Microsecond)
	for i := range known {
		a := home(i)
		if !g.isGood(end, network.Host(a)) || !g.hasLoggedIn(end, network.Host(a)) || g.nearness(end, a, fmt.Sprint("user", i)) != exact {
			t.Fatalf("known client %d was pushed out", i)
		}
		if d := g.Admit(end, a); !d.Allow {
			t.Fatalf("known client %d: %+v", i, d)
		}
	}
}

// memoryPerClient is what the documentation of Config.Clients promises, in octets.
const memoryPerClient = 900

// TestFloodKeepsBans: a client banned for long stays so, however many others earn
// short bans.
func TestFloodKeepsBans(t *testing.T) {
	g := New(Config{Clients: 4000, Bans: Bans{Neighbours: -1}})
	now := noon
	for range 6 { // 320 minutes
		d := offend(g, now, bot)
		now = d.Until
	}
	d := offend(g, now, bot)
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		offend(g, now, stranger(r))
	}
	if !banned(g, d.Until.Add(-time.Minute), bot) {
		t.Error("pushed out")
	}
	if s := g.bans.Stats(); s.Len > s.Capacity || s.Forgotten == 0 {
		t.Errorf("%+v", s)
	}
}

func TestConcurrent(t *testing.T) {
	g := New(Config{Clients: 1000})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 3000 {
				a, now := v4(r.IntN(3000)), noon.Add(time.Duration(i)*time.Second)
				g.Admit(now, a)
				offend(g, now, a)
				guess(g, now, a, account(r.IntN(50)), r.Uint64N(9))
				enter(g, now, a, account(r.IntN(50)))
				g.Recipient(now, probe(a, r.IntN(100), r.IntN(2) == 0))
				g.Message(now, Sending{Client: a, Recipients: 1})
				g.Good(now, a)
				g.Unban(now, a)
				g.Sample(now)
				if i%500 == 0 {
					g.Bans(now)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAdmit(b *testing.B) {
	for name, addr := range map[string]func(i int) netip.Addr{
		"one client":  func(int) netip.Addr { return owner },
		"random ones": func(i int) netip.Addr { return v4(i * 0x9e3779b1) },
	} {
		b.Run(name, func(b *testing.B) {
			g := New(Config{Rates: Rates{Connections: 1e9, PrefixConnections: 1e9}})
			for i := range 1000 {
				offend(g, noon, v4(i<<8))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				g.Admit(noon.Add(time.Duration(i)*time.Microsecond), addr(i))
			}
		})
	}
}

func BenchmarkAdmitBanned(b *testing.B) {
	g := New(Config{})
	offend(g, noon, bot)
	b.ReportAllocs()
	for b.Loop() {
		g.Admit(noon, bot)
	}
}

func BenchmarkRecipient(b *testing.B) {
	g := New(Config{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		g.Recipient(noon.Add(time.Duration(i)*time.Millisecond), Probe{Client: owner, System: "AS64496", Recipient: "someone@here.example", Known: true})
	}
}

// TestAdmitAllocates nothing when it lets in.
func TestAdmitAllocates(t *testing.T) {
	g := New(Config{Rates: Rates{Connections: 1e6, PrefixConnections: 1e6}})
	g.Admit(noon, owner)
	if n := testing.AllocsPerRun(1000, func() { g.Admit(noon, owner) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
