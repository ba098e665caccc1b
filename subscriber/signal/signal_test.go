package signal_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/subscriber/signal"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	w := signal.DefaultWeights()
	for k := signal.None + 1; k < signal.Kinds; k++ {
		x := w.Kinds[k]
		if got, ok := signal.Parse(k.String()); !ok || got != k || seen[k.String()] {
			t.Errorf("%d: %q", k, k)
		}
		seen[k.String()] = true
		if x.Points == 0 || x.HalfLife <= 0 || x.PerSource < math.Abs(x.Points) || x.PerKind < x.PerSource || x.Why == "" || w.Groups[x.Group] <= 0 {
			t.Errorf("%s: %+v", k, x)
		}
	}
	if _, ok := signal.Parse("NONSENSE"); ok {
		t.Error("nonsense is a kind")
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 0.01 }

func TestDecay(t *testing.T) {
	w := signal.DefaultWeights()
	var l signal.Ledger
	l.Add(&w, noon, signal.Signal{Kind: signal.SpamMail, Source: "a"})
	for _, c := range []struct {
		after time.Duration
		want  float64
	}{{0, 26}, {48 * time.Hour, 13}, {96 * time.Hour, 6.5}, {-time.Hour, 26}} {
		if got := l.Sum(&w, noon.Add(c.after)); !near(got.Own, c.want) || !near(got.Total, w.Prior+c.want) {
			t.Errorf("after %v: %+v", c.after, got)
		}
	}
	if l.Empty(&w, noon) || !l.Empty(&w, noon.Add(30*24*time.Hour)) {
		t.Error("when it is empty")
	}
}

// One source, one kind and one group can only be worth so much.
func TestCaps(t *testing.T) {
	w := signal.DefaultWeights()
	sum := func(add func(*signal.Ledger)) signal.Sum {
		var l signal.Ledger
		add(&l)
		return l.Sum(&w, noon)
	}
	same := sum(func(l *signal.Ledger) {
		for range 100 {
			l.Add(&w, noon, signal.Signal{Kind: signal.AbuseReport, Source: "one"})
		}
	})
	if !near(same.Groups[signal.Outside], 9) {
		t.Errorf("one reporter: %v", same.Groups)
	}
	many := sum(func(l *signal.Ledger) {
		for i := range 100 {
			l.Add(&w, noon, signal.Signal{Kind: signal.AbuseReport, Source: fmt.Sprint(i)})
		}
	})
	if !near(many.Kinds[signal.AbuseReport], 30) || !near(many.Groups[signal.Outside], 18) || many.Own != 0 {
		t.Errorf("many reporters: %+v", many)
	}
	back := sum(func(l *signal.Ledger) {
		l.Add(&w, noon, signal.Signal{Kind: signal.AbuseReport, Source: "one"})
		l.Add(&w, noon, signal.Signal{Kind: signal.NotSpam, Source: "one"})
	})
	if !near(back.Groups[signal.Outside], 3) {
		t.Errorf("taken back: %v", back.Groups)
	}
	weak := sum(func(l *signal.Ledger) { l.Add(&w, noon, signal.Signal{Kind: signal.SpamMail, Strength: 0.5}) })
	if !near(weak.Own, 13) {
		t.Errorf("half as strong: %v", weak.Own)
	}
	for _, bad := range []signal.Signal{{}, {Kind: signal.Kinds}, {Kind: 255}} {
		if s := sum(func(l *signal.Ledger) { l.Add(&w, noon, bad) }); s.Total != w.Prior {
			t.Errorf("%+v counts", bad)
		}
	}
	nan := sum(func(l *signal.Ledger) { l.Add(&w, noon, signal.Signal{Kind: signal.SpamMail, Strength: math.NaN()}) })
	if !near(nan.Own, 26) {
		t.Errorf("a strength that is no number: %v", nan.Own)
	}
}

// Whatever comes: the sum stays within what the caps allow, what others say moves
// nothing of what was seen, and more evidence never speaks for the subscriber.
func TestLedger(t *testing.T) {
	w := signal.DefaultWeights()
	rapid.Check(t, func(t *rapid.T) {
		var l signal.Ledger
		now := noon
		for range rapid.IntRange(1, 200).Draw(t, "signals") {
			now = now.Add(time.Duration(rapid.IntRange(0, 86400).Draw(t, "wait")) * time.Second)
			k := signal.Kind(rapid.IntRange(1, int(signal.Kinds)-1).Draw(t, "kind"))
			before := l.Sum(&w, now)
			rose := l.Add(&w, now, signal.Signal{Kind: k, Strength: rapid.Float64Range(0.01, 1).Draw(t, "strength"), Source: fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "source"))})
			after := l.Sum(&w, now)
			if !near(after.Total-before.Total, rose) {
				t.Fatalf("%s: it says %.3f, and it is %.3f", k, rose, after.Total-before.Total)
			}
			if w.Kinds[k].Group == signal.Outside {
				if !near(before.Own, after.Own) {
					t.Fatalf("%s changed what was seen: %v → %v", k, before.Own, after.Own)
				}
			}
			sum := w.Prior
			for g, v := range after.Groups {
				if math.Abs(v) > w.Groups[g]+0.01 {
					t.Fatalf("group %v: %v", signal.Group(g), v)
				}
				sum += v
			}
			if !near(sum, after.Total) {
				t.Fatalf("the groups sum to %v, the total is %v", sum, after.Total)
			}
			if p := after.Probability(); !(p >= 0 && p <= 1) {
				t.Fatalf("probability %v", p)
			}
		}
	})
}

// A flood of weak signals from ever new sources doesn't push out a strong one.
func TestFlood(t *testing.T) {
	w := signal.DefaultWeights()
	var l signal.Ledger
	l.Add(&w, noon, signal.Signal{Kind: signal.MalwareMail, Source: "file"})
	for i := range 1000 {
		l.Add(&w, noon.Add(time.Duration(i)*time.Second), signal.Signal{Kind: signal.OddMail, Source: fmt.Sprint(i)})
		l.Add(&w, noon, signal.Signal{Kind: signal.AbuseReport, Source: fmt.Sprint(i)})
	}
	if s := l.Sum(&w, noon.Add(time.Hour)); s.Kinds[signal.MalwareMail] < 40 || s.Kinds[signal.OddMail] < 13 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkAdd(b *testing.B) {
	w := signal.DefaultWeights()
	var l signal.Ledger
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		l.Add(&w, noon.Add(time.Duration(i)*time.Second), signal.Signal{Kind: signal.Kind(1 + i%int(signal.Kinds-1)), Source: "campaign"})
	}
}
