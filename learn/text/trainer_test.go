package text

import (
	"bytes"
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

func TestTrainer(t *testing.T) {
	base := Fit(Fitting{}, nil)
	tr := NewTrainer(base, nil)
	test := twoTopics(300, 150, 0, 2)
	for _, l := range twoTopics(300, 150, 0, 1) {
		tr.Learn(l.Document, l.Spam, Trusted)
	}
	m := tr.Snapshot()
	if n := wrong(m, test); n > 9 {
		t.Errorf("%d of %d wrong", n, len(test))
	}
	version := m.Version()
	for _, l := range twoTopics(50, 150, 0, 3) {
		tr.Learn(l.Document, !l.Spam, Trusted)
	}
	if m.hash() != version || base.Score(test[0].Document).Margin != 0 {
		t.Error("later learning changed a snapshot or the base")
	}

	// What was learned goes through a file and on from there.
	var b bytes.Buffer
	if err := tr.Delta().Write(&b); err != nil {
		t.Fatal(err)
	}
	delta, err := LoadDelta(&b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := base.With(delta).Version(), tr.Snapshot().Version(); got != want {
		t.Errorf("the loaded delta gives %s, the trainer %s", got, want)
	}
	on := NewTrainer(base, delta)
	if got, want := on.Delta(), tr.Delta(); !slices.Equal(got.slots, want.slots) || !slices.Equal(got.values, want.values) ||
		got.Ham != want.Ham || got.Spam != want.Spam {
		t.Error("going on from a file changes what was learned")
	}
	if base.With(nil) != base {
		t.Error("nothing on top makes another model")
	}
	if err := base.With(delta).Write(&b); err == nil {
		t.Error("a model with a delta was written as one")
	}
}

// A correction takes at once, also against the shipped weights, and where only a
// part of the text reads badly.
func TestCorrection(t *testing.T) {
	for name, d := range map[string]*Document{
		"short": {Subject: "Newsletter", Text: pitch},
		"part":  {Text: strings.Repeat(note+"\n", 8) + pitch + pitch},
	} {
		tr := NewTrainer(Default(), nil)
		before := Default().Score(d)
		for range 3 {
			tr.Learn(d, false, Trusted)
		}
		if after := tr.Snapshot().Score(d); after.DB > 0 || before.DB < 5 {
			t.Errorf("%s: %.1f dB before, %.1f after", name, before.DB, after.DB)
		}
	}
}

// Trust bounds what a label can do: with a tenth of wrong labels, careful
// learning is better than credulous.
func TestTrust(t *testing.T) {
	noisy, test := twoTopics(300, 25, 0.15, 4), twoTopics(300, 25, 0, 5)
	errors := func(trust Trust) int {
		tr := NewTrainer(Fit(Fitting{}, nil), nil)
		for _, l := range noisy {
			tr.Learn(l.Document, l.Spam, trust)
		}
		return wrong(tr.Snapshot(), test)
	}
	if user, blind := errors(User), errors(100); user >= blind {
		t.Errorf("%d wrong with the trust in users, %d with blind trust", user, blind)
	}
}

func TestQuantise(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	w := make([]float32, tableSize)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	m := quantise(w)
	step := m.unit * fine
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
