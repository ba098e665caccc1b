package text

import (
	"math"
	"math/rand/v2"
	"slices"
)

// The learning rule, from Sculley and Wachman's relaxed online support vector
// machine: an example is looked at only where it is nearer to the boundary than
// relaxed; then its multiplier α moves towards margin 1 and stays within [0, C].
const relaxed = 0.8

// Trust is how far a label may pull the weights: the bound C on what one example
// counts.
type Trust float32

// Trusted is the trust in labels of a curated collection.
const Trusted Trust = 5

// example is one text in the form that is learned from: its different features
// as a vector of length 1.
type example struct {
	index []uint32
	norm  float32 // 1/√len(index)
	sign  float32 // +1 spam, −1 ham
	c     float32 // most that it may count
	alpha float32
}

func newExample(index []uint32, spam bool, c float32) *example {
	e := &example{index: index, sign: -1, c: c}
	if spam {
		e.sign = 1
	}
	if len(index) > 0 {
		e.norm = float32(1 / math.Sqrt(float64(len(index))))
	}
	return e
}

// margin returns how far e lies on its own side of the boundary.
func (e *example) margin(w []float32) float32 {
	var sum float32
	for _, i := range e.index {
		sum += w[i]
	}
	return e.sign * sum * e.norm
}

// step moves e's multiplier by one coordinate step, and with it the weights of
// its features.
func (e *example) step(w []float32) {
	margin := e.margin(w)
	if margin >= relaxed && e.alpha == 0 {
		return
	}
	alpha := min(max(e.alpha+1-margin, 0), e.c)
	if alpha == e.alpha {
		return
	}
	d := (alpha - e.alpha) * e.sign * e.norm
	e.alpha = alpha
	for _, i := range e.index {
		w[i] += d
	}
}

// Labelled is a document whose class is known.
type Labelled struct {
	Document *Document
	Spam     bool
	Trust    Trust
}

// Fitting says how Fit goes about its work. The zero value takes the defaults.
type Fitting struct {
	Passes  int     // over all examples; 8
	Parts   int     // rounds of learning from the parts that read worst; 1
	Segment float64 // penalties as in Calibration; 0.3
	Edge    float64 // 0.15
	Seed    uint64  // of the order of examples
}

// Fit makes weights from nothing: dual coordinate descent with the learner's own
// rule, over many passes, with a look back on everything. It then adds to the
// examples the part of each text that reads worst, where that isn't well on its
// side, and goes on. On one architecture
// the same input gives the same model, bit by bit.
// Its calibration is neutral: 10 decibel per unit of margin.
func Fit(f Fitting, labelled []Labelled) *Model {
	if f.Passes == 0 {
		f.Passes = 8
	}
	if f.Parts == 0 {
		f.Parts = 1
	}
	if f.Segment == 0 {
		f.Segment = 0.3
	}
	if f.Edge == 0 {
		f.Edge = 0.15
	}
	s := new(scratch)
	w := make([]float32, tableSize)
	examples := make([]*example, 0, 2*len(labelled))
	for i := range labelled {
		l := &labelled[i]
		s.extract(l.Document)
		if index := s.distinct(0, len(s.blocks)); len(index) > 0 {
			examples = append(examples, newExample(index, l.Spam, float32(l.Trust)))
		}
	}
	descend(w, examples, f.Passes, f.Seed)
	for round := range f.Parts {
		m := f.model(w, examples)
		for i := range labelled {
			l := &labelled[i]
			s.extract(l.Document)
			m.score(s)
			if p := s.best; p.to > 0 && sign(l.Spam)*p.margin*m.unit < 1 {
				examples = append(examples, newExample(s.distinct(p.from, p.to), l.Spam, float32(l.Trust)))
			}
		}
		descend(w, examples, f.Passes/2+1, f.Seed+uint64(round)+1)
	}
	m := f.model(w, examples)
	m.version = m.hash()
	return m
}

// model cuts the weights to size, and scales them so that the examples lie at a
// margin of 1 on average again.
func (f *Fitting) model(w []float32, examples []*example) *Model {
	m := quantise(w)
	m.unit /= meanMargin(m, examples)
	m.cal = Calibration{Slope: 10, Segment: f.Segment, Edge: f.Edge, Floor: -100, Ceiling: 100}
	return m
}

// meanMargin is how far m puts its own examples on their side, on average.
func meanMargin(m *Model, examples []*example) float64 {
	var sum float64
	n := 0
	for _, e := range examples {
		var margin float64
		for _, i := range e.index {
			margin += float64(m.weights[i])
		}
		sum += margin * m.unit * float64(e.sign) * float64(e.norm)
		n++
	}
	if sum <= 0 {
		return 1
	}
	return sum / float64(n)
}

func sign(spam bool) float64 {
	if spam {
		return 1
	}
	return -1
}

// descend passes over the examples in a random order.
func descend(w []float32, examples []*example, passes int, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0x5EED))
	order := slices.Clone(examples)
	for range passes {
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, e := range order {
			e.step(w)
		}
	}
}

// Weights are steps of one octet.
const (
	coarse = 127 // the most steps to either side
	// This share of the weights is cut to the largest step. It is a bound on what
	// one feature can do: names and habits of one source weigh most.
	clipped = 2e-2
)

// quantise turns weights into a model without a calibration.
func quantise(w []float32) *Model {
	size := make([]float32, 0, len(w)/2)
	for _, v := range w {
		if v != 0 {
			size = append(size, max(v, -v))
		}
	}
	top := float32(1)
	if len(size) > 0 {
		slices.Sort(size)
		top = size[min(len(size)-1, int(float64(len(size))*(1-clipped)))]
	}
	step := float64(top) / coarse
	m := &Model{weights: make([]int8, tableSize), unit: step}
	for i, v := range w {
		q := math.RoundToEven(float64(v) / step)
		m.weights[i] = int8(min(max(q, -coarse), coarse))
	}
	return m
}
