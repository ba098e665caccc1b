package anomaly

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/store/memory"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func lane(t testing.TB, cfg Config) *Lane {
	t.Helper()
	cfg.Key = []byte("0123456789abcdef")
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ordinary is day n of a small office: people who write daily, a few new ones, links
// to the same places, now and then a request or a namesake.
func ordinary(l *Lane, r *rand.Rand, day, n int) (queued []string) {
	at := noon.AddDate(0, 0, day)
	for i := range n {
		e := Event{ID: fmt.Sprintf("d%d-%d", day, i), Tenant: "a", Author: fmt.Sprintf("p%d@firm%d.example", r.IntN(80), r.IntN(30)), Links: []string{fmt.Sprintf("site%d.example", r.IntN(40))}}
		switch r.IntN(20) {
		case 0:
			e.Author = fmt.Sprintf("new@new-%d-%d.example", day, i)
			e.Links = []string{fmt.Sprintf("new-%d-%d.example", day, i)}
		case 1:
			e.Ask = 3
		case 2:
			e.Name = 0.3
		}
		if res := l.Observe(at.Add(time.Duration(i)*time.Second), e); res.Queue {
			queued = append(queued, e.ID)
		}
	}
	return queued
}

// attack is new in every way, and asks.
func attack(id string) Event {
	return Event{ID: id, Tenant: "a", Author: "boss@" + id + ".evil.example", Links: []string{id + "-link.example"}, Name: 1, Ask: 12, Key: id}
}

func TestAttackIsQueued(t *testing.T) {
	l, r := lane(t, Config{}), rand.New(rand.NewPCG(1, 2))
	total := 0
	for day := range 20 {
		q := ordinary(l, r, day, 300)
		if total += len(q); len(q) > 300 {
			t.Fatal(len(q))
		}
	}
	res := l.Observe(noon.AddDate(0, 0, 20), attack("one"))
	if !res.Queue || res.Score < 0.99 || res.Above != 0 {
		t.Errorf("%+v", res)
	}
	if d := cmp.Diff([]string{words[Sender], words[Domain], words[Name], words[Link], words[Ask]}, res.Why); d != "" {
		t.Error(d)
	}
	// The same from one whom we write to, without the namesake, is nothing.
	known := attack("two")
	known.Known, known.Name, known.Links = true, 0, nil
	if res := l.Observe(noon.AddDate(0, 0, 20), known); res.Score >= 0.99 {
		t.Errorf("known: %+v", res)
	}
}

// However much comes, the queue of a day holds no more than the budget: what is put in
// beyond it names one that goes.
func TestBudget(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		budget := rapid.IntRange(1, 12).Draw(rt, "budget")
		l := lane(t, Config{Budget: budget, Warmup: 20, Floor: 0.01})
		queue := map[string]bool{}
		for i := range rapid.IntRange(20, 400).Draw(rt, "events") {
			e := Event{ID: fmt.Sprint(i), Tenant: "a", Author: fmt.Sprintf("a@d%d.example", rapid.IntRange(0, 60).Draw(rt, "author")),
				Name: rapid.Float64Range(0, 1).Draw(rt, "name"), Ask: rapid.Float64Range(0, 12).Draw(rt, "ask")}
			res := l.Observe(noon.Add(time.Duration(i)*time.Second), e)
			if res.Replaces != "" && !res.Queue {
				rt.Fatal("takes a place without coming")
			}
			if res.Replaces != "" && !queue[res.Replaces] {
				rt.Fatalf("%s isn't in the queue", res.Replaces)
			}
			if delete(queue, res.Replaces); res.Queue {
				queue[e.ID] = true
			}
			if len(queue) > budget {
				rt.Fatalf("%d in the queue of %d", len(queue), budget)
			}
			if i < 20 && res.Queue {
				rt.Fatal("queued before there was anything to compare with")
			}
		}
	})
}

// A campaign takes one place.
func TestOneKey(t *testing.T) {
	l, r := lane(t, Config{}), rand.New(rand.NewPCG(3, 4))
	for day := range 5 {
		ordinary(l, r, day, 300)
	}
	n := 0
	for i := range 50 {
		e := attack(fmt.Sprint("x", i))
		e.Key = "campaign"
		if res := l.Observe(noon.AddDate(0, 0, 5), e); res.Queue && res.Replaces == "" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d places", n)
	}
}

// More suspicious in every way never scores lower (the direction of the score), and
// equal calls give equal answers.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := &ring{}
		cfg := &Config{Window: 64, Span: 30 * day, Warmup: 1, Budget: 1, Floor: 0.5}
		point := rapid.Custom(func(rt *rapid.T) (p Point) {
			for i := range p {
				p[i] = uint8(rapid.IntRange(0, top).Draw(rt, "d"))
			}
			return p
		})
		var all []Point
		for i, p := range rapid.SliceOfN(point, 1, 100).Draw(rt, "window") {
			r.observe(cfg, noon, p, fmt.Sprint(i), hash(i+1))
			all = append(all, p)
		}
		all = all[max(0, len(all)-64):]
		a := point.Draw(rt, "a")
		b := a
		for i := range b {
			b[i] = min(top, b[i]+uint8(rapid.IntRange(0, 40).Draw(rt, "more")))
		}
		sa, of := r.score(a.pack(), 1)
		sb, _ := r.score(b.pack(), 1)
		if sb < sa {
			rt.Fatalf("%v scores %v, %v scores %v", a, sa, b, sb)
		}
		n := 0 // by definition
		for _, p := range all {
			if !slices.ContainsFunc([]int{0, 1, 2, 3, 4}, func(i int) bool { return p[i] > a[i] }) {
				n++
			}
		}
		if of != len(all) || math.Abs(sa-float64(n)/float64(of)) > 1e-12 {
			rt.Fatalf("score %v of %d, by definition %d of %d", sa, of, n, len(all))
		}
		total := 0
		for _, c := range r.counts {
			if c < 0 {
				rt.Fatal("a count below 0")
			}
			total += int(c)
		}
		if total != len(all) {
			rt.Fatalf("%d counted, %d in the window", total, len(all))
		}
	})
}

func TestWindowExpires(t *testing.T) {
	l, r := lane(t, Config{}), rand.New(rand.NewPCG(5, 6))
	ordinary(l, r, 0, 400)
	if res := l.Observe(noon.AddDate(0, 0, 40), attack("late")); res.Queue || res.Score != 0 {
		t.Errorf("after forty days: %+v", res)
	}
	n := 0
	for _, c := range l.rings["a"].counts {
		n += int(c)
	}
	if n != 1 {
		t.Errorf("%d counted", n)
	}
}

func TestNovelty(t *testing.T) {
	l := lane(t, Config{})
	last := uint8(top)
	for d := range 40 {
		at := noon.AddDate(0, 0, d)
		first := l.Observe(at, Event{Tenant: "a", Author: "bob@example.org", Context: true}).Point[Sender]
		second := l.Observe(at, Event{Tenant: "a", Author: "bob@example.org", Context: true}).Point[Sender]
		if first > last || second != first {
			t.Fatalf("day %d: %d after %d, then %d", d, first, last, second)
		}
		last = first
	}
	if last != 0 {
		t.Errorf("after forty days: %d", last)
	}
	if p := l.Observe(noon, Event{Tenant: "b", Author: "bob@example.org"}).Point; p[Sender] != top {
		t.Error("another tenant knows him")
	}
	if p := l.Observe(noon.AddDate(0, 0, 400), Event{Tenant: "a", Author: "bob@example.org"}).Point; p[Sender] != top {
		t.Error("known after a year of silence")
	}
	for _, odd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300} {
		l.Observe(noon, Event{Tenant: "a", Author: strings.Repeat("x", 1000), Name: odd, Ask: odd, Links: []string{"", strings.Repeat("y", 1000)}})
	}
}

func TestSave(t *testing.T) {
	m, cfg := memory.New(), Config{Window: 500}
	l, r := lane(t, cfg), rand.New(rand.NewPCG(7, 8))
	for day := range 4 {
		ordinary(l, r, day, 200) // the ring goes round
	}
	at := noon.AddDate(0, 0, 3).Add(time.Hour)
	l.Observe(at, attack("kept"))
	if n, err := l.Flush(t.Context(), at, m); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := l.Flush(t.Context(), at, m); n != 0 || err != nil {
		t.Errorf("%d written again, %v", n, err)
	}
	if n, err := l.Save(t.Context(), at.Add(time.Minute), m); n != 0 || err != nil {
		t.Errorf("%d written too early, %v", n, err)
	}
	again := lane(t, cfg)
	if _, err := again.Load(t.Context(), at, m); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		e := attack(fmt.Sprint("x", i))
		e.Ask = float64(i % 13)
		if d := cmp.Diff(l.Observe(at, e), again.Observe(at, e)); d != "" {
			t.Fatalf("event %d (-kept +loaded):\n%s", i, d)
		}
	}
	// A smaller window keeps the newest.
	small := lane(t, Config{Window: 100})
	if _, err := small.Load(t.Context(), at, m); err != nil {
		t.Fatal(err)
	}
	if n := len(small.rings["a"].events); n != 100 {
		t.Errorf("%d events", n)
	}
}

func TestBrokenStore(t *testing.T) {
	m := memory.New()
	l, r := lane(t, Config{}), rand.New(rand.NewPCG(9, 9))
	ordinary(l, r, 0, 300)
	if _, err := l.Flush(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	if err := m.PutMemos(t.Context(), []sluice.Memo{{Kind: RingKind, Key: "tYQ/0", Value: []byte("short"), Updated: noon}}); err != nil {
		t.Fatal(err)
	}
	again := lane(t, Config{})
	if _, err := again.Load(t.Context(), noon, m); err == nil || len(again.rings) != 0 {
		t.Errorf("error %v, %d windows", err, len(again.rings))
	}
	if p := again.Observe(noon.AddDate(0, 0, 1), Event{Tenant: "a", Author: "p1@firm1.example"}).Point; p[Domain] == top {
		t.Error("senders aren't loaded")
	}
}

func TestTenants(t *testing.T) {
	l := lane(t, Config{Tenants: 3})
	for i := range 10 {
		l.Observe(noon.AddDate(0, 0, i), Event{Tenant: fmt.Sprint(i), Author: "a@b.example"})
	}
	if len(l.rings) != 3 || l.rings["9"] == nil || l.rings["0"] != nil {
		t.Errorf("%d windows", len(l.rings))
	}
}

func FuzzRestore(f *testing.F) {
	f.Add(1, 0, make([]byte, eventSize))
	f.Add(2, 1, append(make([]byte, 2*eventSize-1), 7))
	f.Add(-1, 5, []byte{})
	cfg := &Config{Window: 10, Budget: 3, Span: 30 * day}
	f.Fuzz(func(t *testing.T, size, next int, b []byte) {
		r, ok := restore(cfg, head{Form: ringForm, Len: size, Next: next}, func(n int) []byte {
			if n > 0 {
				return nil
			}
			return slices.Clone(b)
		})
		if !ok {
			return
		}
		if len(r.events) > cfg.Window {
			t.Fatalf("%d events", len(r.events))
		}
		r.observe(cfg, noon, Point{1, 2, 3, 4, 5}, "x", 1)
	})
}

// BenchmarkObserve scores against a full window.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{1000, 20_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, r := lane(b, Config{Window: n}), rand.New(rand.NewPCG(1, 1))
			ring := l.ring("a")
			for i := range n {
				var p Point
				for d := range p {
					p[d] = uint8(r.IntN(top + 1))
				}
				ring.add(n, event{p.pack(), uint16(i % levels), days(noon)})
			}
			e := attack("x")
			for b.Loop() {
				l.Observe(noon, e)
			}
		})
	}
}
