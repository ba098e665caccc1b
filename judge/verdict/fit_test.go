package verdict

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
)

// truth draws samples from a known model: log-odds of prior and of the weights'
// clipped groups, in decibel.
func truth(seed uint64, n int, prior float64, w Weights, keepGood float64) []Sample {
	r := rand.New(rand.NewPCG(seed, 7))
	var out []Sample
	for len(out) < n {
		s := Sample{Weight: 1}
		s.Sums[sluice.GroupText] = r.NormFloat64()*9 + 2
		if r.Float64() < 0.4 {
			s.Sums[sluice.GroupLink] = r.Float64() * 8
		}
		if r.Float64() < 0.5 {
			s.Sums[sluice.GroupStructure] = r.NormFloat64() * 3
		}
		w.Prior = prior
		s.Unwanted = r.Float64() < Probability(w.Points(s.Sums))
		if s.Unwanted || r.Float64() < keepGood {
			out = append(out, s)
		}
	}
	return out
}

// known are the weights of the truth.
func known() Weights {
	w := JudgedWeights()
	w.Groups[sluice.GroupText].Slope = 1.4
	w.Groups[sluice.GroupLink].Slope = 0.4
	return w
}

// free lets the samples speak.
func free() FitConfig { return FitConfig{Prior: -10, Shrink: 1, MaxSlope: 2, MaxOffset: 20} }

func TestFitRecovers(t *testing.T) {
	const prior, want = -4.0, -3.0
	var first Weights
	for i, keep := range []float64{1, 0.2} {
		samples := truth(uint64(i), 5000, prior, known(), keep)
		bad := 0.0
		for _, s := range samples {
			bad += float64(class(s.Unwanted))
		}
		w, r := Fit(samples, JudgedWeights(), free())
		for g, slope := range map[sluice.Group]float64{sluice.GroupText: 1.4, sluice.GroupLink: 0.4, sluice.GroupStructure: 1} {
			if got := w.Groups[g].Slope; math.Abs(got-slope) > 4*r.Groups[g].Error || r.Groups[g].Error > 0.2 {
				t.Errorf("%v: slope %.3f ± %.3f, want %.1f", g, got, r.Groups[g].Error, slope)
			}
		}
		if r.After >= r.Before {
			t.Errorf("surprise went from %v to %v", r.Before, r.After)
		}
		// What the samples were drawn with, less the odds that they came to have: how
		// many of the good ones were kept changes both alike.
		share := bad / float64(len(samples))
		if offset := prior - 10*math.Log10(keep) - Points(share); math.Abs(r.Offset-offset) > 0.6 || w.Prior != -10+r.Offset || math.Abs(r.Prevalence-share) > 1e-9 {
			t.Errorf("offset %.2f of prevalence %.3f, prior %.2f; want offset %.2f", r.Offset, r.Prevalence, w.Prior, offset)
		}
		if i == 0 {
			first = w
		} else if math.Abs(w.Groups[sluice.GroupText].Slope-first.Groups[sluice.GroupText].Slope) > 0.2 {
			t.Errorf("slopes hang on the share of unwanted samples: %+v, %+v", first, w)
		}
	}
	// The prior of the result is the configured one.
	c := free()
	c.Prior = 3
	samples := truth(1, 2000, prior, known(), 1)
	from := JudgedWeights()
	from.Prior = 3
	at3, _ := Fit(samples, from, c)
	at10, _ := Fit(samples, JudgedWeights(), free())
	if math.Abs(at3.Prior-at10.Prior-13) > 1e-6 || math.Abs(at3.Groups[sluice.GroupText].Slope-at10.Groups[sluice.GroupText].Slope) > 1e-6 {
		t.Errorf("priors %v and %v, want 13 dB apart and the same slopes", at3.Prior, at10.Prior)
	}
}

// TestFitCalibrates: probabilities of fitted weights come true, in every tenth.
func TestFitCalibrates(t *testing.T) {
	w, r := Fit(truth(3, 6000, -4, known(), 1), JudgedWeights(), free())
	w.Prior = Points(r.Prevalence) + r.Offset // the samples' own
	var n, p, bad [10]float64
	for _, s := range truth(4, 10000, -4, known(), 1) {
		x := Probability(w.Points(s.Sums))
		k := min(int(10*x), 9)
		n[k]++
		p[k] += x
		bad[k] += float64(class(s.Unwanted))
	}
	sum := 0.0
	for k := range n {
		sum += math.Abs(p[k]-bad[k]) / 10000
	}
	if sum > 0.015 {
		t.Errorf("expected calibration error %.4f", sum)
	}
}

func TestFitShrinks(t *testing.T) {
	samples := truth(5, 300, -4, known(), 1) // 10,000 stand against them
	w, r := Fit(samples, JudgedWeights(), DefaultFit())
	for g := range w.Groups {
		if d := math.Abs(w.Groups[g].Slope - JudgedWeights().Groups[g].Slope); d > 0.2 {
			t.Errorf("300 messages moved %v by %.3f", sluice.Group(g), d)
		}
	}
	if w.Prior != -10 || r.Samples != 300 {
		t.Errorf("prior %v of %d samples", w.Prior, r.Samples)
	}
	// Twice the data, or half the shrinkage, are the same.
	double := make([]Sample, len(samples))
	for i, s := range samples {
		double[i] = s
		double[i].Weight = 2
	}
	half := DefaultFit()
	half.Shrink /= 2
	a, _ := Fit(double, JudgedWeights(), DefaultFit())
	b, _ := Fit(samples, JudgedWeights(), half)
	if d := math.Abs(a.Groups[sluice.GroupText].Slope - b.Groups[sluice.GroupText].Slope); d > 1e-4 {
		t.Errorf("%v and %v", a.Groups[sluice.GroupText], b.Groups[sluice.GroupText])
	}
	// Where nothing was seen nothing moves, not by rounding either.
	if w.Groups[sluice.GroupCampaign] != JudgedWeights().Groups[sluice.GroupCampaign] || r.Groups[sluice.GroupCampaign].Seen != 0 {
		t.Errorf("campaign moved: %+v", w.Groups[sluice.GroupCampaign])
	}
}

// TestFitBounds: data that say the opposite take a slope to 0 and no further, and
// data that say more to the bound.
func TestFitBounds(t *testing.T) {
	var samples []Sample
	for i := range 2000 {
		s := Sample{Weight: 1, Unwanted: i%2 == 0}
		s.Sums[sluice.GroupLink], s.Sums[sluice.GroupBrand] = 5, 1
		if s.Unwanted {
			s.Sums[sluice.GroupLink], s.Sums[sluice.GroupBrand] = 0, 6
		}
		samples = append(samples, s)
	}
	w, _ := Fit(samples, JudgedWeights(), free())
	if l, b := w.Groups[sluice.GroupLink].Slope, w.Groups[sluice.GroupBrand].Slope; l != 0 || b < 1.99 || b > 2 {
		t.Errorf("link %v, brand %v: want 0 and 2", l, b)
	}
}

func TestFitOneClass(t *testing.T) {
	samples := truth(6, 100, -4, known(), 1)
	for i := range samples {
		samples[i].Unwanted = true
	}
	for _, s := range [][]Sample{nil, samples} {
		if w, _ := Fit(s, known(), free()); w != known() {
			t.Errorf("%d samples of one class: %+v", len(s), w)
		}
	}
}

// anySamples draws samples as hostile as their types allow.
func anySamples(rt *rapid.T) []Sample {
	number := rapid.OneOf(rapid.Float64Range(-30, 60), rapid.Just(0.0), rapid.Float64(),
		rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e-300, math.MaxFloat64}))
	out := make([]Sample, rapid.IntRange(0, 12).Draw(rt, "n"))
	for i := range out {
		out[i].Unwanted = rapid.Bool().Draw(rt, "unwanted")
		out[i].Weight = rapid.OneOf(rapid.Float64Range(0, 5), number).Draw(rt, "weight")
		for range rapid.IntRange(0, 4).Draw(rt, "groups") {
			out[i].Sums[rapid.IntRange(0, sluice.GroupCount-1).Draw(rt, "group")] = number.Draw(rt, "sum")
		}
	}
	return out
}

func TestFitProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		samples, from := anySamples(rt), JudgedWeights()
		for g := range from.Groups {
			from.Groups[g].Slope = rapid.Float64Range(0, 2).Draw(rt, "slope")
		}
		c := FitConfig{Prior: rapid.Float64Range(-20, 5).Draw(rt, "prior"), MaxSlope: 2, MaxOffset: rapid.Float64Range(0, 3).Draw(rt, "offset"),
			Shrink: rapid.SampledFrom([]float64{1, 100, 10000}).Draw(rt, "shrink")}
		from.Prior = c.Prior
		w, r := Fit(samples, from, c)
		if err := w.Check(); err != nil {
			rt.Fatal(err)
		}
		again, r2 := Fit(samples, from, c)
		if w != again || fmt.Sprint(r) != fmt.Sprint(r2) { // a report may hold NaN
			rt.Fatal("two fits of the same samples differ")
		}
		if math.Abs(w.Prior-c.Prior) > c.MaxOffset+1e-9 {
			rt.Fatalf("prior %v, %v from the configured one", w.Prior, w.Prior-c.Prior)
		}
		for g := range w.Groups {
			if s := w.Groups[g].Slope; s < 0 || s > 2 {
				rt.Fatalf("%v has slope %v", sluice.Group(g), s)
			}
			if x, y := w.Groups[g], from.Groups[g]; x.Low != y.Low || x.High != y.High {
				rt.Fatalf("the clips of %v moved", sluice.Group(g))
			}
		}

		// Monotone in each group's sum, and a sign never turns.
		var sums [sluice.GroupCount]float64
		for g := range sums {
			sums[g] = rapid.Float64Range(-30, 30).Draw(rt, "sum")
		}
		g := rapid.IntRange(1, sluice.GroupCount-2).Draw(rt, "group")
		low := w.Points(sums)
		sums[g] += rapid.Float64Range(0, 30).Draw(rt, "more")
		if high := w.Points(sums); high < low {
			rt.Fatalf("more of %v: from %v to %v", sluice.Group(g), low, high)
		}
		for _, line := range Weigh([]sluice.Evidence{soft("A", sluice.Group(g), 7, 0), soft("B", sluice.Group(g), -3, 0)}, w).Ledger {
			if line.Points*line.Raw < 0 {
				rt.Fatalf("%s of raw %v brought %v", line.Reason, line.Raw, line.Points)
			}
		}

		// What is printed sums up, by fitted weights as by any.
		v := Weigh(anyLedger(rt), w)
		sum := 0
		for _, line := range v.Ledger {
			sum += tenths(line.Points)
		}
		if sum != tenths(v.Points) {
			rt.Fatalf("the lines make %d tenths, the verdict says %v", sum, v.Points)
		}
	})
}

// TestFitImproves: where PRIOR is free, a fit explains its samples no worse than
// what it started from.
func TestFitImproves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := free()
		c.MaxOffset = 100
		if _, r := Fit(anySamples(rt), JudgedWeights(), c); r.After > r.Before+1e-9 {
			rt.Fatalf("surprise from %v to %v", r.Before, r.After)
		}
	})
}

// TestSums: the groups' sums and Points are what Weigh adds up, but for rounding.
func TestSums(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger, w := anyLedger(rt), anyWeights(rt)
		want := Weigh(ledger, w).Points
		if got := w.Points(Sums(ledger)); math.Abs(got-want) > 0.0501 {
			rt.Fatalf("Points %v, Weigh %v", got, want)
		}
	})
}

func TestThreats(t *testing.T) {
	const spam, phish, scam = sluice.ThreatSpam, sluice.ThreatPhish, sluice.ThreatScam
	tests := []struct {
		name   string
		ledger []sluice.Evidence
		want   string // threat, then shares as they are stored
	}{
		{"nothing", nil, `none {}`},
		{"good words", []sluice.Evidence{soft("A", sluice.GroupText, -4, spam)}, `none {}`},
		{"spam alone", []sluice.Evidence{soft("A", sluice.GroupText, 24, spam)}, `spam {"spam":1}`},
		// 10 dB are ten to one: 9 against spam's 1, however much text there is.
		{"phish", []sluice.Evidence{soft("A", sluice.GroupLink, 10, phish)}, `phish {"phish":0.9,"spam":0.1}`},
		{"phish in spam's words", []sluice.Evidence{soft("A", sluice.GroupLink, 10, phish), soft("B", sluice.GroupText, 20, spam)}, `spam {"phish":0.9,"spam":0.1}`},
		{"two", []sluice.Evidence{soft("A", sluice.GroupLink, 10, phish), soft("B", sluice.GroupScam, 10, scam)}, `scam {"phish":0.474,"scam":0.474,"spam":0.053}`},
		{"what speaks for a message is no threat", []sluice.Evidence{soft("A", sluice.GroupLink, 10, phish), soft("B", sluice.GroupScam, -2, scam)}, `phish {"phish":0.9,"spam":0.1}`},
		{"something hard", []sluice.Evidence{soft("A", sluice.GroupLink, 10, phish), {Reason: "EICAR", Hard: sluice.HardStop, Threat: sluice.ThreatMalware}}, `malware {"malware":1}`},
		{"something hard of no threat", []sluice.Evidence{soft("A", sluice.GroupLink, 10, phish), {Reason: "X", Hard: sluice.HardStop}}, `phish {"phish":0.9,"spam":0.1}`},
		{"a threat beyond the table", []sluice.Evidence{soft("A", sluice.GroupLink, 10, sluice.Threat(sluice.ThreatCount)), {Reason: "X", Hard: sluice.HardStop, Threat: sluice.Threat(sluice.ThreatCount)}}, fmt.Sprintf("%v {}", sluice.Threat(sluice.ThreatCount))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := Weigh(tt.ledger, flat())
			for k := range v.Threats {
				v.Threats[k] = math.Round(v.Threats[k]*1000) / 1000
			}
			b, err := v.Threats.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, fmt.Sprintf("%v %s", v.Threat, b)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestThreatsSum: shares sum to 1 where anything speaks against a message, are 0
// where nothing does, and survive being stored.
func TestThreatsSum(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := Weigh(anyLedger(rt), anyWeights(rt))
		sum := 0.0
		for k, s := range v.Threats {
			if !(s >= 0 && s <= 1) || k == 0 && s != 0 {
				rt.Fatalf("%v has share %v", sluice.Threat(k), s)
			}
			sum += s
		}
		if math.Abs(sum-1) > 1e-9 && (sum != 0 || v.Threat != sluice.ThreatNone && int(v.Threat) < sluice.ThreatCount) {
			rt.Fatalf("%v: the shares sum to %v", v.Threat, sum)
		}
		b, err := v.Threats.MarshalJSON()
		var back sluice.Threats
		if err != nil || back.UnmarshalJSON(b) != nil || back != v.Threats {
			rt.Fatalf("%s: %v, was %v", b, back, v.Threats)
		}
	})
	var threats sluice.Threats
	if err := threats.UnmarshalJSON([]byte(`{"phish":0.5,"of another age":0.5}`)); err != nil || threats != (sluice.Threats{sluice.ThreatPhish: 0.5}) {
		t.Errorf("%v, %v", threats, err)
	}
	if threats.UnmarshalJSON(bytes.Repeat([]byte("["), 10)) == nil {
		t.Error("broken JSON was taken")
	}
}

func BenchmarkFit(b *testing.B) {
	samples := truth(1, 10000, -4, known(), 1)
	b.ReportAllocs()
	for b.Loop() {
		Fit(samples, JudgedWeights(), DefaultFit())
	}
}
