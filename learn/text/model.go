// Package text is the model that ships and judges by words: weights of a relaxed
// support vector machine (after Sculley and Wachman, SIGIR 2007) over hashed byte
// 5-grams, words, pairs of words and link hosts of what a person would see. What a
// site learns lies over it: package online in this folder.
//
// A message is read as a whole and in parts, and the part that reads worst counts,
// so that good words put around bad ones don't hide them. The result is a number
// of decibel of odds. DESIGN.md in this folder says how the shipped weights were
// made, and what was tried and left.
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
	weights []int8  // by slot
	unit    float64 // value of one step of a weight
	cal     Calibration
	version string
}

// Calibration turns the score of the support vector machine into decibel. A part
// of the text counts for less than the whole by a penalty, since the worst of
// many parts is high by chance.
type Calibration struct {
	Slope   float64 // decibel per unit of margin, positive
	Offset  float64 // decibel at margin 0
	Segment float64 // penalty of a segment of 120 words
	Edge    float64 // penalty of what is left without a beginning or without an end
	Floor   float64 // least decibel, negative
	Ceiling float64 // most decibel: the words of a message alone never suffice to reject it
}

// Score is what a model makes of a document.
type Score struct {
	DB       float64 // 10·log10 of the odds of spam to ham where both are as frequent
	Margin   float64 // what DB was made of: the best reading; 1 is typical of learned spam, −1 of ham
	Whole    float64 // the reading of the whole text
	Coverage float64 // share of the features that the model knows, 0 to 1
	Features int     // how many different features there are
	From, To int     // the part of the normalised text that was read so; all of it where From = To
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

// score reads what s has extracted.
func (m *Model) score(s *scratch) Score {
	c := m.cal
	all := s.sums(m.weights, c.Segment/m.unit, c.Edge/m.unit)
	out := Score{Features: all.n, Whole: all.margin() * m.unit}
	if all.n == 0 {
		return out
	}
	out.Coverage = float64(all.known) / float64(all.n)
	out.Margin = out.Whole
	if v := s.best.margin * m.unit; v > out.Margin {
		out.Margin = v
		out.From, out.To = s.textRange(s.best)
	}
	out.DB = min(max(c.Slope*out.Margin+c.Offset, c.Floor), c.Ceiling)
	return out
}

// scratch is the memory of one scoring, pooled.
type scratch struct {
	features
	stamp []uint16 // by slot: the block, counted through all texts, where it was last seen
	clock uint16
	best  part
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// part is a run of blocks and how it reads, less its penalty.
type part struct {
	from, to int // blocks; to is outside
	margin   float64
}

// total sums up different features.
type total struct {
	sum      float64
	n, known int
}

func (t total) margin() float64 {
	if t.n == 0 {
		return 0
	}
	return t.sum / math.Sqrt(float64(t.n))
}

// sums reads the whole text, and notes in s the part that reads worst: two blocks
// in a row, or all blocks from one on, or all up to one. So bad words stand out
// from good ones before, behind and around them. A text of one or two blocks has
// no parts. Every feature counts once in whatever is summed up: the clock ticks at
// each block, and a stamp tells where a feature was met last.
func (s *scratch) sums(weights []int8, segment, edge float64) (all total) {
	s.best = part{margin: math.Inf(-1)}
	parts := len(s.blocks) > 2
	s.tick(len(s.blocks))
	first := s.clock
	var before total
	start := 0
	for k, b := range s.blocks {
		s.clock++
		now := s.clock
		var here, both total // this block; what it shares with the one before
		for _, i := range s.index[start:b.features] {
			seen := s.stamp[i]
			if seen == now {
				continue
			}
			s.stamp[i] = now
			w := float64(weights[i])
			here.sum += w
			here.n++
			if seen <= first {
				all.sum += w
				all.n++
				if w != 0 {
					all.known++
				}
			} else if seen == now-1 {
				both.sum += w
				both.n++
			}
		}
		if parts && k > 0 {
			pair := total{sum: before.sum + here.sum - both.sum, n: before.n + here.n - both.n}
			s.better(part{k - 1, k + 1, pair.margin() - segment})
			s.better(part{0, k + 1, all.margin() - edge})
		}
		before, start = here, b.features
	}
	if parts {
		s.ends(weights, edge)
	}
	return all
}

// ends walks back from the end of the text: the other half of sums.
func (s *scratch) ends(weights []int8, edge float64) {
	s.tick(1)
	s.clock++
	now := s.clock
	var tail total
	for k := len(s.blocks) - 1; k > 0; k-- {
		for _, i := range s.index[s.blocks[k-1].features:s.blocks[k].features] {
			if s.stamp[i] != now {
				s.stamp[i] = now
				tail.sum += float64(weights[i])
				tail.n++
			}
		}
		if k < len(s.blocks)-1 {
			s.better(part{k, len(s.blocks), tail.margin() - edge})
		}
	}
}

func (s *scratch) better(p part) {
	if p.margin > s.best.margin {
		s.best = p
	}
}

// tick leaves one step between two texts and makes room for n blocks.
func (s *scratch) tick(n int) {
	if s.stamp == nil {
		s.stamp = make([]uint16, tableSize)
	}
	if int(s.clock)+n+2 > math.MaxUint16 {
		clear(s.stamp)
		s.clock = 0
	}
	s.clock++
}

// distinct returns the different features of a run of blocks, in their order.
func (s *scratch) distinct(from, to int) []uint32 {
	s.tick(1)
	s.clock++
	start := 0
	if from > 0 {
		start = s.blocks[from-1].features
	}
	index := s.index[start:s.blocks[to-1].features]
	out := make([]uint32, 0, len(index)/2)
	for _, i := range index {
		if s.stamp[i] != s.clock {
			s.stamp[i] = s.clock
			out = append(out, i)
		}
	}
	return out
}

// textRange returns where p lies in the normalised text.
func (s *scratch) textRange(p part) (from, to int) {
	if p.from > 0 {
		from = s.blocks[p.from-1].text
	}
	return from, s.blocks[p.to-1].text
}
