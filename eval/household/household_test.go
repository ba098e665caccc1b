package main

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBars lives two months of 2,000 subscribers, of whom more are infected than in the
// world that is reported, so that there is something to count. The bars are those of the
// whole where they can be met, and for two families what is measured, less what chance
// does: see docs/measurements.md.
func TestBars(t *testing.T) {
	f, err := Live(Options{Seed: 1, Subscribers: 2000, Days: 60, Infected: 0.05, Stolen: 0.006, Peaks: 0.2, Errs: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%v", f)
	for family, bar := range map[int]float64{slow: 40, burst: 95, snowshoe: 95, lateral: 75, stolen: 95, families: 82} {
		x := f.Found[family]
		if x.N < 10 || x.Hour.Percent() < bar {
			t.Errorf("%s: restricted within an hour %v, want %.0f %%", x.Family, x.Hour, bar)
		}
	}
	if x := f.Found[families]; x.Day.Percent() < 92 || x.Ever.Percent() < 96 {
		t.Errorf("within a day %v, ever %v", x.Day, x.Ever)
	}
	if f.False.Per > 1 {
		t.Errorf("%d false cases, %.2f per 10,000 subscriber-days", f.False.Cases, f.False.Per)
	}
	if d := f.Told.DayCan; d.Of < 50 || d.Percent() < 99.5 {
		t.Errorf("told within 24 h: %v", d)
	}
	if e := f.Told.EverCan; e.N != e.Of {
		t.Errorf("never told: %d of %d who have a channel that works", e.Of-e.N, e.Of)
	}
	if f.Kills < 15 {
		t.Errorf("killed %d times", f.Kills)
	}
}

// The same seed lives the same life.
func TestSame(t *testing.T) {
	once := func() []byte {
		f, err := Live(Options{Seed: 7, Subscribers: 400, Days: 20, Infected: 0.1, Stolen: 0.02, Peaks: 1, Errs: 1})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if a, b := once(), once(); !bytes.Equal(a, b) {
		t.Errorf("two runs differ: %s", cmp.Diff(string(a), string(b)))
	}
}

// Where nobody is infected and the judge never errs, letters to many hold nobody.
func TestLetters(t *testing.T) {
	f, err := Live(Options{Seed: 5, Subscribers: 300, Days: 15, Peaks: 3, Errs: 1e-6})
	if err != nil {
		t.Fatal(err)
	}
	if f.False.Held > 0 || f.Messages < 5000 || f.False.Why["ordinary"] > 0 {
		t.Errorf("%+v of %d messages", f.False, f.Messages)
	}
}

// Points come in the shares that were measured, and copies of one text are alike.
func TestPool(t *testing.T) {
	r := newDice().at(1, 2).Rand
	const n = 100_000
	for _, p := range []pool{modernSpam, modernPhish, plainPhish, commercial} {
		all := p.accepted + p.tagged + p.quarantined + p.refused
		for i, want := range []float64{p.tagged + p.quarantined + p.refused, p.quarantined + p.refused, p.refused} {
			over := 0
			for range n {
				if p.points(r.Float64()) >= edges[i+1] {
					over++
				}
			}
			if got := float64(over) / n; math.Abs(got-want/all) > 0.01 {
				t.Errorf("%+v from %.1f points: %.3f, want %.3f", p, edges[i+1], got, want/all)
			}
		}
	}
	var same, other float64
	for range n {
		z := r.NormFloat64()
		a, b, c := alike(z, r), alike(z, r), alike(r.NormFloat64(), r)
		same, other = same+(a-b)*(a-b)/n, other+(a-c)*(a-c)/n
	}
	if ratio := 1 - same/other; math.Abs(ratio-likeness) > 0.03 {
		t.Errorf("copies have %.2f in common, want %.2f", ratio, likeness)
	}
	if got := 1 - worse(0.99, 3); math.Abs(got-0.01/3) > 1e-9 {
		t.Errorf("three times as many errors: %v", got)
	}
}
