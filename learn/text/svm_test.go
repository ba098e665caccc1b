package text

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// twoTopics makes labelled texts whose words come from two overlapping
// vocabularies of 300 words, the second of which begins apart words further on;
// noise is the share of wrong labels.
func twoTopics(n, apart int, noise float64, seed uint64) []Labelled {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([]Labelled, n)
	for k := range out {
		spam := r.IntN(2) == 1
		base := 0
		if spam {
			base = apart
		}
		var b strings.Builder
		for range 20 + r.IntN(60) {
			fmt.Fprintf(&b, "w%c%c%c ", 'a'+(base+r.IntN(300))%26, 'a'+(base+r.IntN(300))/26%26, 'a'+r.IntN(26))
			w := base + r.IntN(300)
			fmt.Fprintf(&b, "%c%c%cx ", 'a'+w%26, 'a'+w/26%26, 'a'+w/100)
		}
		label := spam
		if r.Float64() < noise {
			label = !label
		}
		out[k] = Labelled{&Document{Text: b.String()}, label, Trusted}
	}
	return out
}

// wrong counts the texts that m puts on the wrong side.
func wrong(m *Model, labelled []Labelled) int {
	n := 0
	for _, l := range labelled {
		if sign(l.Spam)*m.Score(l.Document).Whole <= 0 {
			n++
		}
	}
	return n
}

func TestFit(t *testing.T) {
	train, test := twoTopics(300, 150, 0, 1), twoTopics(300, 150, 0, 2)
	m := Fit(Fitting{Seed: 7}, train)
	if n := wrong(m, test); n > 9 {
		t.Errorf("%d of %d wrong", n, len(test))
	}
	again := Fit(Fitting{Seed: 7}, twoTopics(300, 150, 0, 1))
	if m.Version() != again.Version() {
		t.Errorf("the same input gives %s and %s", m.Version(), again.Version())
	}
	if other := Fit(Fitting{Seed: 8}, train); other.Version() == m.Version() {
		t.Error("the seed has no effect")
	}
	if empty := Fit(Fitting{}, nil); empty.Score(train[0].Document).Margin != 0 {
		t.Error("a model of nothing has an opinion")
	}
}

// Trust bounds what a label can do: labels of little trust give way where others
// contradict them.
func TestTrust(t *testing.T) {
	right, lies, test := twoTopics(200, 150, 0, 4), twoTopics(200, 150, 1, 5), twoTopics(300, 150, 0, 6)
	errors := func(trust Trust) int {
		for i := range lies {
			lies[i].Trust = trust
		}
		return wrong(Fit(Fitting{}, append(slices.Clone(right), lies...)), test)
	}
	little, blind := errors(Trusted/100), errors(Trusted)
	if little > 15 || blind < 100 {
		t.Errorf("of %d wrong with little trust in lies: %d; with as much as in the truth: %d", len(test), little, blind)
	}
}

func TestQuantise(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	w := make([]float32, tableSize)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	m := quantise(w)
	step := m.unit
	cut := 0
	for i, v := range w {
		got := float64(m.weights[i]) * m.unit
		switch {
		case math.Abs(float64(v)) > coarse*step:
			cut++
			if math.Abs(got) < coarse*step*0.999 {
				t.Fatalf("%v is cut to %v", v, got)
			}
		case math.Abs(got-float64(v)) > step/2*1.001:
			t.Fatalf("%v becomes %v, a step is %v", v, got, step)
		}
	}
	if share := float64(cut) / tableSize; share > 1.1*clipped {
		t.Errorf("%.4f of the weights are cut", share)
	}
}

func TestPlatt(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	const slope, offset = 20.0, -3.0 // dB
	var points []Point
	for range 20000 {
		x := r.NormFloat64()
		odds := math.Pow(10, (slope*x+offset)/10)
		points = append(points, Point{Margin: x, Spam: r.Float64() < odds/(1+odds), Weight: 1})
	}
	a, b := Platt(points)
	// The classes are weighed alike; that shifts the offset by the odds in the data.
	n := 0.0
	for _, p := range points {
		if p.Spam {
			n++
		}
	}
	b += 10 * math.Log10(n/(float64(len(points))-n))
	if math.Abs(a-slope) > 1 || math.Abs(b-offset) > 0.5 {
		t.Errorf("slope %.2f, offset %.2f; want %v, %v", a, b, slope, offset)
	}
	if a, b := Platt([]Point{{1, true, 1}, {2, true, 1}}); a != 0 || b != 0 {
		t.Errorf("one class alone gives %v, %v", a, b)
	}
	if a, _ := Platt([]Point{{1, true, 1}, {-1, false, 1}}); math.IsNaN(a) || math.IsInf(a, 0) || a <= 0 {
		t.Errorf("separable points give a slope of %v", a)
	}
}
