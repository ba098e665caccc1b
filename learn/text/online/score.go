package online

import (
	"math"
	"sync"
)

// A penalty is taken from the margin of a part of a text: the worst of many is high
// by chance, the more so the shorter they are and the less is known. It shrinks with
// the labels of the rarer class by partLabels.
const partLabels = 60

// lengths are how many blocks in a row are read apart, and their penalties.
var lengths = [...]struct {
	blocks  int
	penalty float64
}{{2, 0.45}, {4, 0.3}}

const longest = 4 // of lengths

// unknown is taken from the margin as far as features are new: what was never
// seen is rather the beginning of something wanted.
const unknown = 0.15

// stranger is the margin of a message before the first label: most mail is wanted.
const stranger = -0.15

// penalty is what is added to those of lengths.
func (k *knowledge) penalty() float64 { return partLabels / float64(1+min(k.ham, k.spam)) }

// Outcome is what a message reads.
type Outcome struct {
	P        float64 // probability of spam, at the site's own share of spam
	DB       float64 // 10·log10 of the odds, were spam and ham as frequent
	Margin   float64 // of the whole, or of the part that reads worst; 1 is typical of spam, −1 of ham
	Whole    float64 // of the whole
	Slow     float64 // margin of the whole by the slow weights
	Fast     float64 // by the fast ones
	Coverage float64 // share of the features that were met before, 0 to 1
	Block    int     // where the worst part begins, in blocks of 60 words, from 1; 0 where the whole reads worst
	Blocks   int     // how long that part is
}

// Recipient says for whom a message is: names in lower case, both may be empty.
type Recipient struct {
	Domain string
	User   string // the whole address
}

// sums are the sums of weights of each view, and of features met before.
type sums struct {
	views [views]margins
	known int
}

// weights is where slots are read from: a snapshot, or the state itself.
type weights interface {
	// gather appends the slots of index to dst.
	gather(dst []slot, index []uint32) []slot
}

// gathered is the memory of one scoring, pooled.
var gathered = sync.Pool{New: func() any { return new([]slot) }}

func total(all []slot, f *Features) (s sums) {
	start := int32(0)
	for v, end := range f.ends {
		for k := range all[start:end] {
			x := &all[start:end][k]
			s.views[v].slow += x.slow
			s.views[v].fast += x.fast
			if x.ham|x.spam != 0 {
				s.known++
			}
		}
		start = end
	}
	return s
}

// whole is the margin of all views.
func (s *sums) whole(f *Features) (m margins) {
	for v := range s.views {
		m.slow += float32(s.views[v].slow * f.norm[v])
		m.fast += float32(s.views[v].fast * f.norm[v])
	}
	return m
}

// part is a run of blocks, read as if it were all the words there are.
type part struct {
	margin        float64 // less the penalty of its length
	block, blocks int     // from 1
}

// run holds sums over the entries of a block: by[d] over those that are new to a
// run which begins d blocks before.
type run struct {
	by [longest]float32
	n  [longest]int32
}

// worst returns the part that reads worst. Of the views beside the words those
// count that good words can't change: the text's and the body's beginning is where
// they are put. The others keep their share among those that are read.
func worst(words []slot, f *Features, s *sums, share float32) part {
	out := part{margin: math.Inf(-1)}
	if len(f.blocks) <= 2 {
		return out
	}
	present := 1
	beside, start := float32(0), int32(0)
	for v, end := range f.ends {
		if n := end - start; n > 0 && apart(view(v)) {
			present++
			beside += blend(s.views[v], share) / float32(math.Sqrt(float64(n)))
		}
		start = end
	}
	scale := 1 / math.Sqrt(float64(present))
	var runs [longest]run // of the last blocks, in turn
	start = 0
	for k, end := range f.blocks {
		runs[k%longest] = readRun(words, f.parts[start:end], share)
		start = end
		for _, l := range lengths {
			if k+1 < l.blocks {
				continue
			}
			var sum float32
			var n int32
			for d := range l.blocks {
				r := &runs[(k-l.blocks+1+d)%longest]
				sum += r.by[d]
				n += r.n[d]
			}
			text := float64(sum) / math.Sqrt(float64(max(n, 1)))
			if m := float64((text+float64(beside))*scale) - l.penalty; m > out.margin {
				out = part{m, k - l.blocks + 2, l.blocks}
			}
		}
	}
	return out
}

// apart says whether a view stands beside the words of every part.
func apart(v view) bool {
	return v == viewRaw || v == viewHeader || v == viewLinks || v == viewHidden
}

func readRun(words []slot, entries []uint32, share float32) (r run) {
	for _, p := range entries {
		x := &words[p&placeMask]
		d := p >> backShift // blocks since it was met last
		if d == 0 || d > longest {
			d = longest
		}
		r.by[d-1] += blend(margins{x.slow, x.fast}, share)
		r.n[d-1]++
	}
	// What is new to a long run is new to a shorter one.
	for d := longest - 2; d >= 0; d-- {
		r.by[d] += r.by[d+1]
		r.n[d] += r.n[d+1]
	}
	return r
}

func blend(m margins, fast float32) float32 { return float32(m.slow*(1-fast)) + float32(m.fast*fast) }

// judge reads f.
func judge(w weights, f *Features, to Recipient, c *knowledge) Outcome {
	if len(f.index) == 0 {
		return Outcome{P: 0.5}
	}
	buf := gathered.Get().(*[]slot)
	defer gathered.Put(buf)
	*buf = w.gather((*buf)[:0], f.index)
	s := total(*buf, f)
	m := s.whole(f)
	share := c.share()
	out := Outcome{Slow: float64(m.slow), Fast: float64(m.fast), Whole: float64(blend(m, share)), Coverage: float64(s.known) / float64(len(f.index))}
	out.Margin = out.Whole - float64(unknown*(1-out.Coverage))
	if p := worst((*buf)[f.ends[viewWords-1]:f.ends[viewWords]], f, &s, share); p.margin-c.penalty() > out.Margin {
		out.Margin, out.Block, out.Blocks = p.margin-c.penalty(), p.block, p.blocks
	}
	if c.ham+c.spam == 0 {
		out.Margin = stranger
	}
	odds := c.platt.odds(out.Margin) + c.biases.of(to)
	out.P = logistic(odds)
	out.DB = (odds - c.platt.prior) * 10 / math.Ln10
	return out
}

// knowledge is what is learned beside the weights.
type knowledge struct {
	ham, spam, trusted int // labels
	platt              platt
	biases             biases
}

// share is how far the fast weights count: as far as labels were trusted.
func (k *knowledge) share() float32 {
	if n := k.ham + k.spam; n > 0 {
		return float32(k.trusted) / float32(n)
	}
	return 0
}
