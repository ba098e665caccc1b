package reputation

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/golden"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// ip is the i-th address, each in a /24 of its own.
func ip(i int) netip.Addr { return netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 7}) }

// rate gives a table the rate of unwanted outcomes that it would have after many.
func rate(t *Table, k Kind, good, bad float64) {
	t.bases[k].c = counts{good: float32(good), bad: float32(bad), at: seconds(noon), first: seconds(noon)}
}

// TestEvidence prints what counts are worth at sites where half, most or hardly any
// of the outcomes are unwanted.
func TestEvidence(t *testing.T) {
	var b strings.Builder
	b.WriteString("good bad   site 10 %   50 %   90 % unwanted\n")
	for _, c := range [][2]float64{{0, 0}, {0, 1}, {1, 0}, {0, 5}, {5, 0}, {3, 41}, {0, 30}, {30, 0}, {30, 30}, {9, 81}, {0, 300}, {300, 0}} {
		fmt.Fprintf(&b, "%4.0f %3.0f   ", c[0], c[1])
		for _, site := range [][2]float64{{9000, 1000}, {5000, 5000}, {1000, 9000}} {
			tab := New(Config{})
			rate(tab, Address, site[0], site[1])
			k := AddressKey(ip(1))
			tab.update(k, noon, func(to *counts) {
				*to = counts{good: float32(c[0]), bad: float32(c[1]), at: seconds(noon), first: seconds(noon)}
			})
			fmt.Fprintf(&b, "%+8.1f", tab.Score(noon, k).Decibel)
		}
		b.WriteString("\n")
	}
	golden.Check(t, "testdata/evidence.golden", []byte(b.String()))
}

// TestNeutral: a key without outcomes is no evidence at any site, a handful is worth
// at most 2 dB, and nothing more than 6.
func TestNeutral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := New(Config{})
		good, bad := rapid.Float64Range(0, 1e5).Draw(t, "good"), rapid.Float64Range(0, 1e5).Draw(t, "bad")
		rate(tab, Address, good, bad)
		k := AddressKey(ip(1))
		if got := tab.Score(noon, k).Decibel; math.Abs(got) > 1e-9 {
			t.Fatalf("nothing is worth %v dB", got)
		}
		handful := Outcome{}
		for i := range rapid.IntRange(1, 200).Draw(t, "n") {
			o := Outcome{Bad: 1}
			if rapid.Bool().Draw(t, "good") {
				o = Outcome{Good: 1}
			}
			tab.update(k, noon, func(c *counts) { c.add(o, seconds(noon), 14*day, tab.prior(noon, Address).window(Address)) })
			handful.Good, handful.Bad = handful.Good+o.Good, handful.Bad+o.Bad
			s := tab.Score(noon, k)
			if i < 5 && math.Abs(s.Decibel) > 2 {
				t.Fatalf("%+v is worth %v dB", handful, s.Decibel)
			}
			if math.Abs(s.Decibel) > clip || s.Probability < 0 || s.Probability > 1 {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// TestFleetOfSources: a thousand sources with known shares of bad mail, one label in
// twenty wrong. The order of their evidence separates the bad ones, and no good one
// is hurt.
func TestFleetOfSources(t *testing.T) {
	bimodal := func(r *rand.Rand, i int) float64 { // honest ones up to 2 %, bad ones from 60 %
		if i%2 == 0 {
			return 0.02 * r.Float64()
		}
		return 0.6 + 0.4*r.Float64()
	}
	uniform := func(r *rand.Rand, _ int) float64 { return r.Float64() }
	for _, test := range []struct {
		name  string
		ratio func(*rand.Rand, int) float64
		auc   float64 // at least
	}{{"good and bad", bimodal, 0.999}, {"any share", uniform, 0.96}} {
		for _, seed := range []uint64{1, 2, 3} {
			f := runFleet(seed, test.ratio)
			a := auc(f.good, f.bad)
			t.Logf("%s, seed %d: AUC %.4f; below half bad %+.1f to %+.1f dB, above %+.1f to %+.1f; up to 2 %% bad at worst %+.1f on the way and %+.1f at the end; their operator %+.1f",
				test.name, seed, a, slices.Min(f.good), slices.Max(f.good), slices.Min(f.bad), slices.Max(f.bad), f.worst, f.end, f.shared)
			if a < test.auc {
				t.Errorf("AUC %.4f, want %v", a, test.auc)
			}
			if f.worst > 1 || f.end > 0 {
				t.Errorf("a good sender had %+.1f dB on the way and %+.1f at the end", f.worst, f.end)
			}
			if math.Abs(f.shared) > 0.7 {
				t.Errorf("a mixed operator is worth %+.1f dB", f.shared)
			}
		}
	}
}

// fleet is what became of senders: the evidence on those below and above half bad
// mail, the worst on honest ones, and that on the operator which all share.
type fleet struct {
	good, bad          []float64
	worst, end, shared float64
}

func runFleet(seed uint64, ratio func(*rand.Rand, int) float64) fleet {
	r := rand.New(rand.NewPCG(seed, 0))
	tab := New(Config{})
	ratios := make([]float64, 1000)
	for i := range ratios {
		ratios[i] = ratio(r, i)
	}
	f := fleet{worst: -clip, end: -clip}
	now := noon
	for range 30 * len(ratios) { // about thirty outcomes each, over ten days
		now = now.Add(10 * day / time.Duration(30*len(ratios)))
		i := r.IntN(len(ratios))
		bad := r.Float64() < ratios[i]
		if r.Float64() < 0.05 {
			bad = !bad
		}
		o := Outcome{Good: 1}
		if bad {
			o = Outcome{Bad: 1}
		}
		tab.Observe(now, o, AddressKey(ip(i)), PrefixKey(ip(i)), ASNKey(64500))
		if ratios[i] <= 0.02 {
			f.worst = max(f.worst, tab.Score(now, AddressKey(ip(i))).Decibel)
		}
	}
	for i, ratio := range ratios {
		d := tab.Score(now, AddressKey(ip(i))).Decibel
		if ratio < 0.5 {
			f.good = append(f.good, d)
		} else {
			f.bad = append(f.bad, d)
		}
		if ratio <= 0.02 {
			f.end = max(f.end, d)
		}
	}
	f.shared = tab.Score(now, ASNKey(64500)).Decibel
	return f
}

// auc is the chance that a bad one scores higher than a good one.
func auc(good, bad []float64) float64 {
	type point struct {
		d   float64
		bad bool
	}
	var all []point
	for _, d := range good {
		all = append(all, point{d, false})
	}
	for _, d := range bad {
		all = append(all, point{d, true})
	}
	slices.SortFunc(all, func(a, b point) int { return cmp.Compare(a.d, b.d) })
	wins, below := 0.0, 0.0
	for i := 0; i < len(all); {
		j, g, b := i, 0.0, 0.0
		for ; j < len(all) && all[j].d == all[i].d; j++ {
			if all[j].bad {
				b++
			} else {
				g++
			}
		}
		wins += b * (below + g/2)
		below += g
		i = j
	}
	return wins / float64(len(good)*len(bad))
}

// TestRecovery prints how a host that sent ten thousand spams comes back, with and
// without mail that is wanted, and how a good one that was taken over is known.
func TestRecovery(t *testing.T) {
	var b strings.Builder
	half := []netip.Addr{}
	for i := range 400 {
		half = append(half, ip(1000+i))
	}
	// Others send as before, so that the base rate stays.
	crowd := func(tab *Table, now time.Time) {
		for i, a := range half {
			o := Outcome{Good: 1}
			if i%2 == 0 {
				o = Outcome{Bad: 1}
			}
			tab.Observe(now, o, AddressKey(a))
		}
	}
	k := AddressKey(ip(1))
	for _, test := range []struct {
		name        string
		first, then Outcome
		each        int // outcomes a day, afterwards
		good, bad   float64
	}{
		{"spammed, then silent", Outcome{Bad: 1}, Outcome{}, 0, 1, 0},
		{"spammed, then three wanted messages a day", Outcome{Bad: 1}, Outcome{Good: 1}, 3, -2, 0},
		{"wanted, then taken over", Outcome{Good: 1}, Outcome{Bad: 1}, 30, 0, 5},
	} {
		tab := New(Config{})
		now := noon
		for d := range 20 {
			now = noon.Add(time.Duration(d) * day)
			crowd(tab, now)
			for range 500 {
				tab.Observe(now, test.first, k)
			}
		}
		fmt.Fprintf(&b, "%s\n  at once   %+.1f dB\n", test.name, tab.Score(now, k).Decibel)
		for d := 1; d <= 56; d++ {
			now = now.Add(day)
			crowd(tab, now)
			for range test.each {
				tab.Observe(now, test.then, k)
			}
			switch d {
			case 1, 2, 7, 14, 28, 42, 56:
				fmt.Fprintf(&b, "  %2d days   %+.1f dB\n", d, tab.Score(now, k).Decibel)
			}
		}
		got := tab.Score(now, k).Decibel
		if test.bad > 0 && got < test.bad || test.bad == 0 && got > test.good {
			t.Errorf("%s: %+.1f dB after eight weeks", test.name, got)
		}
	}
	golden.Check(t, "testdata/recovery.golden", []byte(b.String()))
}

// TestOneClientCantMoveASharedKey: a network that sends a hundred thousand outcomes
// moves an operator, a dialect, a domain or the base rate no more than ten would.
func TestOneClientCantMoveASharedKey(t *testing.T) {
	for _, o := range []Outcome{{Bad: 1}, {Good: 1}, {Good: 5, Bad: 5}} {
		tab := New(Config{})
		shared := []Key{ASNKey(64500), DialectKey("d1"), DomainKey("example.org"), TLSKey("t"), HeloKey("mail.example.org", true)}
		for i := range 50_000 {
			a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) // one neighbourhood
			tab.Observe(noon.Add(time.Duration(i)*time.Millisecond*20), o, append(shared, AddressKey(a), PrefixKey(a))...)
		}
		for _, k := range shared {
			if s := tab.Score(noon.Add(time.Hour), k); s.Good > 10 || s.Bad > 10 || s.Outcomes() == 0 || math.Abs(s.Decibel) > 3.1 {
				t.Errorf("%+v moved %v to %+v", o, k, s)
			}
		}
		for _, k := range Kinds {
			if r := tab.BadRate(noon, k); r < 0.38 || r > 0.62 {
				t.Errorf("%+v moved the base rate of %v to %.2f", o, k, r)
			}
		}
		// Tomorrow it may again.
		tab.Observe(noon.Add(day), Outcome{Bad: 1}, ASNKey(64500), AddressKey(addr("192.0.2.1")))
		if s := tab.Score(noon.Add(day), ASNKey(64500)); o.Bad > 0 && s.Bad < 10 {
			t.Errorf("tomorrow: %+v", s)
		}
	}
	// One address moves its prefix no further either; all of them do.
	tab := New(Config{})
	for range 1000 {
		tab.Observe(noon, Outcome{Bad: 1}, AddressKey(addr("192.0.2.1")), PrefixKey(addr("192.0.2.1")))
	}
	if s := tab.Score(noon, PrefixKey(addr("192.0.2.9"))); s.Bad > 10 {
		t.Errorf("one address gave its prefix %+v", s)
	}
	// The /48s of one IPv6 /32 have four neighbourhoods' say together.
	for i := range 1000 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i), 15: 1})
		tab.Observe(noon, Outcome{Bad: 1}, AddressKey(a), DialectKey("d2"))
	}
	if s := tab.Score(noon, DialectKey("d2")); s.Bad > 40.01 || s.Bad < 29 {
		t.Errorf("a /32 gave %+v", s)
	}
	// A crowd moves it.
	for i := range 60 {
		tab.Observe(noon, Outcome{Bad: 1}, AddressKey(ip(i)), DialectKey("d3"))
	}
	if s := tab.Score(noon, DialectKey("d3")); s.Decibel < 3 {
		t.Errorf("sixty networks gave %+v", s)
	}
	// Outcomes without an address are one source's.
	for range 1000 {
		tab.Observe(noon, Outcome{Bad: 1}, DialectKey("d4"))
	}
	if s := tab.Score(noon, DialectKey("d4")); s.Bad > 10 {
		t.Errorf("outcomes of nobody gave %+v", s)
	}
}

// TestQuotaSurvivesFlood: random pairs don't free the busy ones.
func TestQuotaSurvivesFlood(t *testing.T) {
	tab := New(Config{Capacity: 2000, Sources: 2000})
	k := DialectKey("d")
	spam := func() {
		for range 100 {
			tab.Observe(noon, Outcome{Bad: 1}, AddressKey(addr("192.0.2.1")), k)
		}
	}
	spam()
	r := rand.New(rand.NewPCG(1, 1))
	for range 60_000 {
		a := netip.AddrFrom4([4]byte{byte(30 + r.IntN(100)), byte(r.Uint32()), byte(r.Uint32()), 1})
		tab.Observe(noon, Outcome{Bad: 1}, AddressKey(a), HeloKey(fmt.Sprintf("h%d.example.org", r.Uint32()), false))
	}
	spam()
	if s := tab.Score(noon, k); s.Bad > 10.01 {
		t.Errorf("after a flood the source counts again: %+v", s)
	}
}

// TestFlood: a million addresses with one bad outcome each push out no good sender.
func TestFlood(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 200_000
	}
	tab := New(Config{Capacity: 20_000})
	for i := range 10_000 {
		for range 4 {
			tab.Observe(noon, Outcome{Good: 1}, AddressKey(ip(i)))
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range n {
		a := netip.AddrFrom4([4]byte{byte(30 + r.IntN(100)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		tab.Observe(noon, Outcome{Bad: 1}, AddressKey(a))
	}
	for i := range 10_000 {
		if !tab.Known(noon.Add(time.Hour), ip(i)) {
			t.Fatalf("%v was pushed out", ip(i))
		}
	}
	s := tab.Stats()[Address]
	if s.Len > s.Capacity || s.Forgotten == 0 {
		t.Errorf("%+v", s)
	}
}

func TestKnown(t *testing.T) {
	a := addr("192.0.2.1")
	for _, test := range []struct {
		name      string
		good, bad float64 // of the address
		pg, pb    float64 // of its prefix
		want      bool
	}{
		{"stranger", 0, 0, 0, 0, false},
		{"two wanted", 2, 0, 2, 0, false},
		{"three wanted", 3, 0, 3, 0, true},
		{"wanted, a little not", 20, 2, 20, 2, true},
		{"wanted, too much not", 20, 4, 20, 4, false},
		{"unwanted, good prefix", 0, 1, 100, 1, false},
		{"stranger, good prefix", 0, 0, 12, 0, true},
		{"stranger, nearly good prefix", 0, 0, 11, 0, false},
		{"stranger, mixed prefix", 0, 0, 100, 10, false},
	} {
		tab := New(Config{})
		set := func(k Key, good, bad float64) {
			tab.update(k, noon, func(c *counts) {
				*c = counts{good: float32(good), bad: float32(bad), at: seconds(noon), first: seconds(noon)}
			})
		}
		set(AddressKey(a), test.good, test.bad)
		set(PrefixKey(a), test.pg, test.pb)
		if got := tab.Known(noon, a); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	tab := New(Config{})
	for _, s := range []string{"127.0.0.1", "10.0.0.1", "fe80::1", "::1"} {
		for range 10 {
			tab.Observe(noon, Outcome{Good: 1}, AddressKey(addr(s)))
		}
		if tab.Known(noon, addr(s)) {
			t.Errorf("%s is known", s)
		}
	}
	if tab.Known(noon, netip.Addr{}) {
		t.Error("no address is known")
	}
}

// TestTrail: a good host in a bad neighbourhood is judged by itself, a new one by its
// neighbours.
func TestTrail(t *testing.T) {
	tab := New(Config{})
	for i := 2; i < 42; i++ {
		a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		tab.Observe(noon, Outcome{Bad: 1}, AddressKey(a), PrefixKey(a))
	}
	good := addr("192.0.2.1")
	for range 30 {
		tab.Observe(noon, Outcome{Good: 1}, AddressKey(good), PrefixKey(good))
	}
	sum := func(a netip.Addr) (d float64) {
		for _, s := range tab.Trail(noon, AddressKey(a), PrefixKey(a), Key{}) {
			d += s.Decibel
		}
		return d
	}
	if d := sum(good); d > -5 {
		t.Errorf("the good host has %+.1f dB", d)
	}
	if d := sum(addr("192.0.2.200")); d < 1 {
		t.Errorf("a stranger beside many bad hosts has %+.1f dB", d)
	}
	if got := len(tab.Trail(noon, Key{}, Key{})); got != 0 {
		t.Errorf("%d scores of no keys", got)
	}
}

func TestUnproven(t *testing.T) {
	tab := New(Config{})
	proven, open := HeloKey("mail.example.org", true), HeloKey("mail.example.org", false)
	for i := range 100 {
		tab.Observe(noon, Outcome{Good: 1}, AddressKey(ip(i)), proven, open)
	}
	if d := tab.Score(noon, proven).Decibel; d > -4 {
		t.Errorf("a confirmed greeting has %+.1f dB", d)
	}
	if d := tab.Score(noon, open).Decibel; d != 0 {
		t.Errorf("a greeting that anybody may use has %+.1f dB", d)
	}
}

func TestKeys(t *testing.T) {
	conn := func(client string) *sluice.Conn {
		return &sluice.Conn{Client: netip.AddrPortFrom(addr(client), 25), Hello: sluice.Hello{Verb: "EHLO", Name: "Mail.Example.CO.UK."},
			TLS: &sluice.TLSInfo{Fingerprint: "t13d"}}
	}
	with := func(c *sluice.Conn, f func(*sluice.Conn)) *sluice.Conn { f(c); return c }
	all := Facts{ASN: 64500, HeloConfirmed: true, Domain: "news.example.org", Dialects: []string{"d1", "d2"}}
	var b strings.Builder
	for _, test := range []struct {
		name string
		c    *sluice.Conn
		f    Facts
	}{
		{"everything", conn("192.0.2.77"), all},
		{"IPv6", conn("2001:db8:1:2:3:4:5:6"), all},
		{"mapped", conn("::ffff:192.0.2.77"), Facts{}},
		{"literal", with(conn("192.0.2.77"), func(c *sluice.Conn) { c.Hello.Name, c.TLS = "[192.0.2.77]", nil }), Facts{HeloConfirmed: true}},
		{"bare", &sluice.Conn{Client: netip.MustParseAddrPort("192.0.2.77:25")}, Facts{}},
		{"long greeting", with(conn("192.0.2.77"), func(c *sluice.Conn) { c.Hello.Name, c.TLS = strings.Repeat("x", 300), nil }), Facts{}},
		{"loopback", conn("127.0.0.1"), all},
		{"private", conn("10.1.2.3"), all},
		{"trusted", with(conn("192.0.2.77"), func(c *sluice.Conn) { c.Trusted = true }), all},
		{"own user", with(conn("192.0.2.77"), func(c *sluice.Conn) { c.Auth = "anna" }), all},
		{"stored", with(conn("192.0.2.77"), func(c *sluice.Conn) { c.Stored = true }), all},
		{"no client", &sluice.Conn{}, all},
	} {
		fmt.Fprintf(&b, "%s:", test.name)
		for _, k := range Keys(test.c, test.f) {
			fmt.Fprintf(&b, " %s", k)
			if got, err := ParseKey(k.String()); err != nil || got != k {
				t.Errorf("%v is read as %v, %v", k, got, err)
			}
		}
		b.WriteString("\n")
	}
	golden.Check(t, "testdata/keys.golden", []byte(b.String()))
	for _, s := range []string{"", "address", "address/", "address/x", "helo/", "nothing/x", "asn", "prefix/192.0.2.0/99", "domain/" + strings.Repeat("x", 300)} {
		if k, err := ParseKey(s); err == nil {
			t.Errorf("%q is read as %v", s, k)
		}
	}
}

func TestTop(t *testing.T) {
	tab := New(Config{})
	for i := range 500 {
		o := Outcome{Bad: 1}
		if i%5 == 0 {
			o = Outcome{Good: 1}
		}
		for range 1 + i%50 {
			tab.Observe(noon.Add(time.Duration(i)*time.Minute), o, AddressKey(ip(i)), DialectKey("d"))
		}
	}
	now := noon.Add(10 * time.Hour)
	var b strings.Builder
	for _, order := range []struct {
		name string
		o    Order
	}{{"worst", Worst}, {"best", Best}, {"latest", Latest}, {"most", Most}} {
		fmt.Fprintf(&b, "%s\n", order.name)
		list := tab.Top(now, Address, order.o, 3)
		for _, s := range list {
			fmt.Fprintf(&b, "  %-14s %+.1f dB  P(unwanted) %.2f  %s\n", s.Key.Text(), s.Decibel, s.Probability, s.Words(now))
		}
		full := tab.Top(now, Address, order.o, 1000)
		if len(full) != 500 || !slices.IsSortedFunc(full, order.o.compare) || !slices.Equal(full[:3], list) {
			t.Errorf("%s: %d keys, or out of order", order.name, len(full))
		}
	}
	fmt.Fprintf(&b, "words of an old key\n  %s\n", tab.Top(now.Add(61*day), Dialect, Most, 1)[0].Words(now.Add(61*day)))
	golden.Check(t, "testdata/top.golden", []byte(b.String()))
	if got := tab.Top(now, Kind(99), Worst, 5); got != nil {
		t.Errorf("a kind that isn't: %v", got)
	}
	if got := tab.Top(now, Address, Worst, -1); got != nil {
		t.Errorf("-1 keys: %v", got)
	}
}

// TestHostileOutcomes: numbers that are none, and time that runs backwards.
func TestHostileOutcomes(t *testing.T) {
	tab := New(Config{})
	k := AddressKey(ip(1))
	for _, o := range []Outcome{{math.NaN(), math.NaN()}, {-1, -1}, {math.Inf(-1), 0}, {}} {
		tab.Observe(noon, o, k)
	}
	if _, ok := tab.get(k); ok {
		t.Error("counted nothing as something")
	}
	tab.Observe(noon, Outcome{Bad: math.Inf(1)}, k, Key{}, Key{Kind: 99, Name: "x"}, Key{Kind: ASN})
	if s := tab.Score(noon, k); s.Bad != mostOutcome {
		t.Errorf("%+v", s)
	}
	tab.Observe(noon.Add(-100*day), Outcome{Good: 1}, k)
	tab.Observe(time.Time{}, Outcome{Good: 1}, k)
	if s := tab.Score(noon, k); s.Bad != mostOutcome || s.Good != 2 || !s.Last.Equal(noon) {
		t.Errorf("after a jump of the clock: %+v", s)
	}
	if s := tab.Score(noon.Add(-time.Hour), k); math.IsNaN(s.Decibel) || s.Bad > mostOutcome {
		t.Errorf("asked in the past: %+v", s)
	}
}

func TestConcurrent(t *testing.T) {
	tab := New(Config{Capacity: 1000})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 3000 {
				a := ip((i*7 + w) % 2000)
				tab.Observe(noon, Outcome{Good: 1}, AddressKey(a), PrefixKey(a), ASNKey(uint32(i%50)), DialectKey("d"))
				tab.Known(noon, a)
				tab.Score(noon, ASNKey(uint32(i%50)))
				if i%500 == 0 {
					tab.Top(noon, Address, Worst, 10)
				}
			}
		})
	}
	wg.Wait()
}

func full(b *testing.B) *Table {
	b.Helper()
	tab := New(Config{})
	for i := range 60_000 {
		a := ip(i)
		tab.Observe(noon, Outcome{Good: 1}, AddressKey(a), PrefixKey(a), ASNKey(uint32(i%500)+1))
	}
	b.ReportAllocs()
	b.ResetTimer()
	return tab
}

func BenchmarkKnown(b *testing.B) {
	tab := full(b)
	for i := 0; b.Loop(); i++ {
		tab.Known(noon, ip(i%60_000))
	}
}

// BenchmarkTrail is what a connection costs: its address, prefix and operator.
func BenchmarkTrail(b *testing.B) {
	tab := full(b)
	for i := 0; b.Loop(); i++ {
		a := ip(i % 60_000)
		tab.Trail(noon, AddressKey(a), PrefixKey(a), ASNKey(uint32(i%500)+1))
	}
}

// BenchmarkObserve is what an outcome of a message costs.
func BenchmarkObserve(b *testing.B) {
	tab := full(b)
	keys := []Key{{}, {}, {}, HeloKey("mail.example.org", true), DomainKey("example.org"), DialectKey("d1"), TLSKey("t")}
	for i := 0; b.Loop(); i++ {
		a := ip(i % 60_000)
		keys[0], keys[1], keys[2] = AddressKey(a), PrefixKey(a), ASNKey(uint32(i%500)+1)
		tab.Observe(noon, Outcome{Bad: 1}, keys...)
	}
}

func BenchmarkTop(b *testing.B) {
	tab := full(b)
	for b.Loop() {
		tab.Top(noon, Address, Worst, 50)
	}
}
