// Package text is the learner that judges by words: a relaxed online support
// vector machine (Sculley and Wachman, SIGIR 2007) over hashed byte 4-grams,
// words, pairs of words and link hosts of what a person would see.
//
// A message is scored twice: as a whole, and by its most suspicious 120 words,
// so that good words put in front or behind don't hide bad ones. The better of
// the two readings, as decibel of odds, is the result. DESIGN.md in this folder
// says how the shipped weights were made and what was tried and left.
package text

import (
	"bytes"
	_ "embed"
	"math"
	"sync"
)

//go:embed model.bin
var shipped []byte

// Default returns the model that the program is shipped with.
var Default = sync.OnceValue(func() *Model {
	m, err := Load(bytes.NewReader(shipped))
	if err != nil {
		panic(err) // the build is broken: a test loads this file
	}
	return m
})

// Model is a set of weights and what is needed to turn their sum into odds. It
// never changes and is safe for concurrent use.
type Model struct {
	weights []int16 // by slot
	unit    float64 // value of one step of a weight
	cal     Calibration
	version string
	base    string // version of the weights that a delta was added to
}

// Calibration turns the score of the support vector machine into decibel.
type Calibration struct {
	Slope   float64 // decibel per unit of score, positive
	Offset  float64 // decibel at score 0
	Segment float64 // what a segment's score is lowered by: the best of many is high by chance
	Floor   float64 // least decibel, negative
	Ceiling float64 // most decibel: the words of a message alone never suffice to reject it
}

// Score is what a model makes of a document.
type Score struct {
	DB       float64 // 10·log10 of the odds of spam to ham where both are as frequent
	Margin   float64 // the score that DB was made of; 1 is typical for learned spam, −1 for ham
	Whole    float64 // the whole text's margin
	Segment  float64 // the most suspicious segment's margin, before it is lowered
	Coverage float64 // share of the features that the model knows, 0 to 1
	Features int     // how many different features there are
	From, To int     // the segment in the normalised text; equal where the whole decided
}

// Version identifies the weights: hexadecimal, from the hash of the model file.
func (m *Model) Version() string { return m.version }

// Calibration returns the model's calibration.
func (m *Model) Calibration() Calibration { return m.cal }

// Recalibrated returns a model with the same weights and another calibration.
func (m *Model) Recalibrated(c Calibration) *Model {
	n := *m
	n.cal = c
	n.version = n.hash()
	return &n
}

// Score judges a document. Its time is linear in the text, of which the first
// 64 kB and the last 32 kB count.
func (m *Model) Score(d *Document) Score {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.extract(d)
	return m.score(s)
}

func (m *Model) score(s *scratch) Score {
	r := sums(s, m.weights)
	out := Score{Features: r.n, Whole: r.whole() * m.unit}
	if r.n == 0 {
		return out
	}
	out.Coverage = float64(r.known) / float64(r.n)
	out.Margin = out.Whole
	if best := s.best; best.n > 0 {
		out.Segment = best.score * m.unit
		if v := out.Segment - m.cal.Segment; len(s.blocks) > 2 && v > out.Margin {
			out.Margin = v
			out.From, out.To = s.textRange(best.block)
		}
	}
	out.DB = min(max(m.cal.Slope*out.Margin+m.cal.Offset, m.cal.Floor), m.cal.Ceiling)
	return out
}

// scratch is the memory of one scoring, pooled.
type scratch struct {
	features
	stamp []uint32 // by slot: the block, counted through all texts, where it was last seen
	clock uint32
	best  segment
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// segment is two blocks in a row, the second of which is named.
type segment struct {
	block int
	n     int
	score float64 // sum over root of n, in steps of the weights
}

// total sums up the different features of the whole text.
type total struct {
	sum      float64
	n, known int
}

func (t total) whole() float64 {
	if t.n == 0 {
		return 0
	}
	return t.sum / math.Sqrt(float64(t.n))
}

// sums walks the features once, notes the best segment in s and returns the
// total. Every feature counts once in the whole and once in each segment: the
// clock ticks at each block, so a stamp tells whether a feature was met in this
// block, in the one before, or at all in this text.
func sums[W int16 | float32](s *scratch, weights []W) (all total) {
	s.tick(uint32(len(s.blocks)))
	first := s.clock
	s.best = segment{score: math.Inf(-1)}
	var prevSum float64
	prevN, start := 0, 0
	for k, b := range s.blocks {
		s.clock++
		now := s.clock
		var sum, bothSum float64
		n, bothN := 0, 0
		for _, i := range s.index[start:b.features] {
			seen := s.stamp[i]
			if seen == now {
				continue
			}
			s.stamp[i] = now
			w := float64(weights[i])
			sum += w
			n++
			if seen <= first {
				all.sum += w
				all.n++
				if w != 0 {
					all.known++
				}
			} else if seen == now-1 {
				bothSum += w
				bothN++
			}
		}
		if c := n + prevN - bothN; c > 0 && (k > 0 || len(s.blocks) == 1) {
			score := (sum + prevSum - bothSum) / math.Sqrt(float64(c))
			if score > s.best.score {
				s.best = segment{k, c, score}
			}
		}
		prevSum, prevN, start = sum, n, b.features
	}
	return all
}

// tick leaves one step between two texts and makes room for n blocks.
func (s *scratch) tick(n uint32) {
	if s.stamp == nil {
		s.stamp = make([]uint32, tableSize)
	}
	if s.clock > math.MaxUint32-n-2 {
		clear(s.stamp)
		s.clock = 0
	}
	s.clock++
}

// distinct returns the different features among those of index[from:to], in
// their order.
func (s *scratch) distinct(from, to int) []uint32 {
	s.tick(1)
	s.clock++
	out := make([]uint32, 0, (to-from)/2)
	for _, i := range s.index[from:to] {
		if s.stamp[i] != s.clock {
			s.stamp[i] = s.clock
			out = append(out, i)
		}
	}
	return out
}

// featureRange returns where the features of the segment that ends with block k
// lie in index.
func (s *scratch) featureRange(k int) (from, to int) {
	if k >= 2 {
		from = s.blocks[k-2].features
	}
	return from, s.blocks[k].features
}

// textRange returns where that segment lies in the normalised text.
func (s *scratch) textRange(k int) (from, to int) {
	if k >= 2 {
		from = s.blocks[k-2].text
	}
	return from, s.blocks[k].text
}
