package verdict

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/reason"
)

// soft is evidence of a group.
func soft(id sluice.Reason, g sluice.Group, raw float64, t sluice.Threat) sluice.Evidence {
	return sluice.Evidence{Reason: id, Phase: sluice.PhaseMessage, Group: g, Raw: raw, Threat: t}
}

// flat are weights with easy numbers.
func flat() Weights {
	w := Weights{Prior: -10}
	for g := range w.Groups {
		w.Groups[g] = Group{Slope: 1, Low: 5, High: 20}
	}
	return w
}

// printed writes what tests compare: the verdict and each line's points.
func printed(v sluice.Verdict) []string {
	out := []string{fmt.Sprintf("%.1f %s %q", v.Points, v.Threat, v.Hard)}
	for _, c := range v.Ledger {
		out = append(out, fmt.Sprintf("%s %.1f", c.Reason, c.Points))
	}
	return out
}

func TestWeigh(t *testing.T) {
	half := flat()
	half.Groups[sluice.GroupText].Slope = 0.5
	tests := []struct {
		name   string
		w      Weights
		ledger []sluice.Evidence
		want   []string
	}{
		{"nothing", flat(), nil, []string{`-10.0 none ""`, "PRIOR -10.0"}},
		{"one fact", flat(), []sluice.Evidence{soft("A", sluice.GroupLink, 4, sluice.ThreatPhish)},
			[]string{`-6.0 phish ""`, "PRIOR -10.0", "A 4.0"}},
		{"a slope", half, []sluice.Evidence{soft("A", sluice.GroupText, 4, sluice.ThreatSpam)},
			[]string{`-8.0 spam ""`, "PRIOR -10.0", "A 2.0"}},
		{"clipped above", flat(), []sluice.Evidence{soft("A", sluice.GroupLink, 30, sluice.ThreatPhish), soft("B", sluice.GroupLink, 10, sluice.ThreatSpam)},
			[]string{`10.0 phish ""`, "A 15.0", "PRIOR -10.0", "B 5.0"}},
		{"clipped below", flat(), []sluice.Evidence{soft("A", sluice.GroupText, -8, 0), soft("B", sluice.GroupText, -2, 0)},
			[]string{`-15.0 none ""`, "PRIOR -10.0", "A -4.0", "B -1.0"}},
		{"a sum of nothing", flat(), []sluice.Evidence{soft("A", sluice.GroupText, 3, sluice.ThreatSpam), soft("B", sluice.GroupText, -3, 0)},
			[]string{`-10.0 none ""`, "PRIOR -10.0", "A 0.0", "B 0.0"}},
		{"largest remainder", flat(), []sluice.Evidence{soft("A", sluice.GroupText, 1.04, sluice.ThreatSpam), soft("B", sluice.GroupLink, 1.04, sluice.ThreatSpam), soft("C", sluice.GroupScam, 1.03, sluice.ThreatScam)},
			// 3.11 − 10 = −6.89 is −6.9: one of the three takes a tenth.
			[]string{`-6.9 spam ""`, "PRIOR -10.0", "A 1.1", "B 1.0", "C 1.0"}},
		{"unknown counts nothing", flat(), []sluice.Evidence{{Reason: "A", Group: sluice.GroupText, Raw: 9, State: sluice.Unknown}, {Reason: "B", Group: sluice.GroupText, Raw: 9, State: sluice.NotRun}},
			[]string{`-10.0 none ""`, "PRIOR -10.0", "A 0.0", "B 0.0"}},
		{"no group counts nothing", flat(), []sluice.Evidence{{Reason: "A", Raw: 9}, {Reason: "B", Raw: 9, Group: 200}},
			[]string{`-10.0 none ""`, "PRIOR -10.0", "A 0.0", "B 0.0"}},
		{"a stop leads and adds nothing", flat(), []sluice.Evidence{soft("A", sluice.GroupText, 15, sluice.ThreatSpam), {Reason: "EICAR", Group: sluice.GroupAttachment, Raw: 9, Hard: sluice.HardStop, Threat: sluice.ThreatMalware}},
			[]string{`5.0 malware "EICAR"`, "EICAR 0.0", "A 15.0", "PRIOR -10.0"}},
		{"the prior is replaced", flat(), []sluice.Evidence{soft(reason.Prior, sluice.GroupPrior, 400, 0)},
			[]string{`-10.0 none ""`, "PRIOR -10.0"}},
		{"poison", flat(), []sluice.Evidence{soft("A", sluice.GroupText, math.NaN(), sluice.ThreatSpam), soft("B", sluice.GroupLink, math.Inf(1), sluice.ThreatPhish), soft("C", sluice.GroupScam, math.Inf(-1), sluice.ThreatScam)},
			[]string{`5.0 phish ""`, "B 20.0", "PRIOR -10.0", "C -5.0", "A 0.0"}},
		{"the graver of two threats", flat(), []sluice.Evidence{soft("A", sluice.GroupText, 3, sluice.ThreatSpam), soft("B", sluice.GroupLink, 3, sluice.ThreatPhish)},
			[]string{`-4.0 phish ""`, "PRIOR -10.0", "A 3.0", "B 3.0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, printed(Weigh(tt.ledger, tt.w))); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestHard holds the order of what decides alone: malware and a required check
// that failed, then a pass, then other stops.
func TestHard(t *testing.T) {
	malware := sluice.Evidence{Reason: "EICAR", Hard: sluice.HardStop, Threat: sluice.ThreatMalware}
	required := sluice.Evidence{Reason: reason.CheckRequired, Hard: sluice.HardStop}
	pass := sluice.Evidence{Reason: reason.AdminAllow, Hard: sluice.HardPass}
	attack := sluice.Evidence{Reason: "BARE_LF", Hard: sluice.HardStop, Threat: sluice.ThreatAttack}
	block := sluice.Evidence{Reason: reason.AdminBlock, Hard: sluice.HardStop, Threat: sluice.ThreatSpam}
	order := []sluice.Evidence{malware, required, pass, attack, block}
	for i, stronger := range order {
		for _, weaker := range order[i:] {
			for _, ledger := range [][]sluice.Evidence{{stronger, weaker}, {weaker, stronger}} {
				v := Weigh(ledger, flat())
				if v.Hard != stronger.Reason || v.HardKind != stronger.Hard || v.Ledger[0].Reason != stronger.Reason {
					t.Errorf("%s with %s: decided by %s", stronger.Reason, weaker.Reason, v.Hard)
				}
			}
		}
	}
	absent := malware
	absent.State = sluice.NotRun
	if v := Weigh([]sluice.Evidence{absent}, flat()); v.Hard != "" || v.HardKind != sluice.Soft {
		t.Errorf("a check that was not run decided: %q", v.Hard)
	}
}

func TestProbability(t *testing.T) {
	for _, tt := range []struct{ points, want float64 }{{0, 0.5}, {10, 10.0 / 11}, {-10, 1.0 / 11}, {30, 1000.0 / 1001}} {
		if got := Probability(tt.points); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("Probability(%v) = %v, want %v", tt.points, got, tt.want)
		}
		if got := Points(Probability(tt.points)); math.Abs(got-tt.points) > 1e-9 {
			t.Errorf("Points(Probability(%v)) = %v", tt.points, got)
		}
	}
}

// TestDefaultWeights holds the promises in the comment of DefaultWeights.
func TestDefaultWeights(t *testing.T) {
	w := DefaultWeights()
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	tag, quarantine, reject := Points(0.7), Points(0.95), Points(0.999)
	if p := Weigh(nil, w).Points; p > tag-10 {
		t.Errorf("no evidence makes %v points, too near the tag at %.1f", p, tag)
	}
	for g := sluice.GroupSession; g < sluice.GroupPrior; g++ {
		most := Weigh([]sluice.Evidence{soft("X", g, 1e9, sluice.ThreatSpam)}, w).Points
		if most >= reject {
			t.Errorf("%v alone makes %v points: rejects", g, most)
		}
		mayQuarantine := g == sluice.GroupText || g == sluice.GroupCampaign
		if (most >= quarantine) != mayQuarantine {
			t.Errorf("%v alone makes %v points, quarantine is at %.1f", g, most, quarantine)
		}
	}
	for _, e := range reason.All() { // no single soft reason is noticed at all
		var ev sluice.Evidence
		if ev.Group.UnmarshalText([]byte(e.Group)) != nil || e.Group == "prior" {
			continue
		}
		ev.Reason, ev.Raw = sluice.Reason(e.ID), e.Points
		if p := Weigh([]sluice.Evidence{ev}, w).Points; p >= quarantine {
			t.Errorf("%s alone makes %v points: quarantined", e.ID, p)
		}
	}
}

func TestCheckWeights(t *testing.T) {
	for name, spoil := range map[string]func(*Weights){
		"prior":  func(w *Weights) { w.Prior = math.NaN() },
		"slope":  func(w *Weights) { w.Groups[sluice.GroupText].Slope = -1 },
		"low":    func(w *Weights) { w.Groups[sluice.GroupText].Low = math.Inf(1) },
		"high":   func(w *Weights) { w.Groups[sluice.GroupText].High = -0.1 },
		"prior2": func(w *Weights) { w.Prior = 501 },
	} {
		w := DefaultWeights()
		spoil(&w)
		if w.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// anyEvidence draws evidence as hostile as its types allow.
func anyEvidence(rt *rapid.T, i int) sluice.Evidence {
	return sluice.Evidence{
		Reason: sluice.Reason(rapid.SampledFrom([]string{"A", "B", "C", "PRIOR", "CHECK_REQUIRED"}).Draw(rt, fmt.Sprint("reason", i))),
		Phase:  sluice.Phase(rapid.Uint8().Draw(rt, fmt.Sprint("phase", i))),
		Group:  sluice.Group(rapid.Uint8Range(0, uint8(sluice.GroupCount)+1).Draw(rt, fmt.Sprint("group", i))),
		Raw: rapid.OneOf(rapid.Float64Range(-8, 8), rapid.Float64(),
			rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-300, -1e-300, math.MaxFloat64, 0.05, 0.15})).Draw(rt, fmt.Sprint("raw", i)),
		Threat: sluice.Threat(rapid.Uint8Range(0, uint8(sluice.ThreatCount)).Draw(rt, fmt.Sprint("threat", i))),
		State:  sluice.State(rapid.SampledFrom([]uint8{0, 0, 0, 1, 2, 77}).Draw(rt, fmt.Sprint("state", i))),
		Hard:   sluice.Hard(rapid.SampledFrom([]uint8{0, 0, 0, 0, 1, 2, 77}).Draw(rt, fmt.Sprint("hard", i))),
	}
}

func anyLedger(rt *rapid.T) []sluice.Evidence {
	ledger := make([]sluice.Evidence, rapid.IntRange(0, 40).Draw(rt, "n"))
	for i := range ledger {
		ledger[i] = anyEvidence(rt, i)
	}
	return ledger
}

func anyWeights(rt *rapid.T) Weights {
	number := rapid.OneOf(rapid.Float64Range(0, 50), rapid.Float64())
	w := Weights{Prior: number.Draw(rt, "prior")}
	for g := range w.Groups {
		w.Groups[g] = Group{Slope: number.Draw(rt, "slope"), Low: number.Draw(rt, "low"), High: number.Draw(rt, "high")}
	}
	return w
}

// tenths turns printed points back into the integers that were printed.
func tenths(x float64) int { return int(math.Round(x * 10)) }

func TestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger, w := anyLedger(rt), anyWeights(rt)
		before := slices.Clone(ledger)
		v := Weigh(ledger, w)

		sum := 0
		var group [sluice.GroupCount]float64
		for _, c := range v.Ledger {
			if math.IsNaN(c.Points) || math.IsInf(c.Points, 0) {
				rt.Fatalf("%s has %v points", c.Reason, c.Points)
			}
			if c.Points != float64(tenths(c.Points))/10 {
				rt.Fatalf("%s has %v points, not tenths", c.Reason, c.Points)
			}
			if (c.Hard != sluice.Soft || c.State != sluice.Found) && c.Points != 0 {
				rt.Fatalf("%s is outside the sum and has %v points", c.Reason, c.Points)
			}
			sum += tenths(c.Points)
			if int(c.Group) < sluice.GroupCount {
				group[c.Group] += c.Points
			}
		}
		if sum != tenths(v.Points) {
			rt.Fatalf("the lines make %d tenths, the verdict says %v", sum, v.Points)
		}
		for g := sluice.GroupSession; g < sluice.GroupPrior; g++ {
			// Rounding gives a group at most a tenth for each of its lines.
			slack := 0.1*float64(len(ledger)) + 1e-6
			if lo, hi := -atLeast0(w.Groups[g].Low), atLeast0(w.Groups[g].High); group[g] < lo-slack || group[g] > hi+slack {
				rt.Fatalf("%v has %v points, clipped to [%v, %v]", g, group[g], lo, hi)
			}
		}
		if !(v.Probability >= 0 && v.Probability <= 1) || v.Probability != Probability(v.Points) {
			rt.Fatalf("probability %v at %v points", v.Probability, v.Points)
		}
		// NaN is not equal to itself, so compare what is printed.
		if len(ledger) != len(before) || fmt.Sprint(ledger) != fmt.Sprint(before) {
			rt.Fatal("the ledger passed in was changed")
		}

		shuffled := rapid.Permutation(ledger).Draw(rt, "shuffled")
		if d := cmp.Diff(printed(v), printed(Weigh(shuffled, w))); d != "" {
			rt.Fatalf("order matters: %s", d)
		}
		again := make([]sluice.Evidence, len(v.Ledger))
		for i := range v.Ledger {
			again[i] = v.Ledger[i].Evidence
		}
		if d := cmp.Diff(printed(v), printed(Weigh(again, w))); d != "" {
			rt.Fatalf("replay differs: %s", d)
		}
	})
}

// TestMonotone: more evidence against a message never lowers its points.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger, w := anyLedger(rt), anyWeights(rt)
		low := Weigh(ledger, w).Points
		more := soft("MORE", sluice.Group(rapid.IntRange(1, sluice.GroupCount-2).Draw(rt, "group")), rapid.Float64Range(0, 100).Draw(rt, "more"), sluice.ThreatSpam)
		if high := Weigh(append(slices.Clone(ledger), more), w).Points; high < low {
			rt.Fatalf("%v more points in %v: from %v to %v", more.Raw, more.Group, low, high)
		}
	})
}

// TestBounds: whatever comes in the open groups, the points stay in the bounds.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger, w := anyLedger(rt), anyWeights(rt)
		open := []sluice.Group{sluice.GroupText, sluice.Group(rapid.IntRange(1, sluice.GroupCount+3).Draw(rt, "open"))}
		low, high := w.Bounds(open, ledger[:len(ledger)/2], ledger[len(ledger)/2:])
		n := rapid.IntRange(0, 5).Draw(rt, "later")
		for i := range n {
			ledger = append(ledger, soft("LATER", open[i%2], rapid.Float64().Draw(rt, fmt.Sprint("later", i)), sluice.ThreatSpam))
		}
		if p := Weigh(ledger, w).Points; p < low-0.051 || p > high+0.051 {
			rt.Fatalf("%v points, bounds were [%v, %v]", p, low, high)
		}
	})
}

func BenchmarkWeigh(b *testing.B) {
	var ledger []sluice.Evidence
	for i := range 30 {
		ledger = append(ledger, soft(sluice.Reason(fmt.Sprintf("REASON_%02d", (i*7)%30)), sluice.Group(1+i%11), float64(i%9)-3, sluice.Threat(i%sluice.ThreatCount)))
	}
	w := DefaultWeights()
	b.ReportAllocs()
	for b.Loop() {
		Weigh(ledger, w)
	}
}
