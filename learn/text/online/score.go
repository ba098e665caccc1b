package online

import (
	"math"
	"sync"
)

// A penalty is taken from the margin of the part of a text that reads worst: the
// worst of many is high by chance, the more so the less is known. It shrinks to
// segmentPenalty with the labels of the rarer class, and is twice that at
// segmentLabels.
const (
	segmentPenalty = 0.6
	segmentLabels  = 400
)

// stranger is the margin of a message before the first label: most mail is wanted.
const stranger = -0.15

func (k *knowledge) penalty() float64 {
	return segmentPenalty * (1 + segmentLabels/float64(1+min(k.ham, k.spam)))
}

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
	// gather appends the slots of index to dst; marks on them don't count.
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

// worst reads every two blocks in a row as if they were all the words there are,
// and returns the worst reading and its first block. What is cut from the
// beginning of the message, raw and as byte grams, is left out: it is where good
// words are put.
func worst(parts []slot, f *Features, s *sums, share float32) (margin float32, block int) {
	margin = float32(math.Inf(-1))
	if len(f.blocks) <= 2 {
		return margin, 0
	}
	// The views beside the words keep their share among those that are read.
	present := 1
	beside, start := float32(0), int32(0)
	for v, end := range f.ends {
		if n := end - start; n > 0 && (view(v) == viewHeader || view(v) == viewLinks || view(v) == viewHidden) {
			present++
			beside += blend(s.views[v], share) / float32(math.Sqrt(float64(n)))
		}
		start = end
	}
	var before struct {
		sum float32
		n   int
	}
	start = 0
	for k, end := range f.blocks {
		var here, both float32
		shared := 0
		for k, i := range f.parts[start:end] {
			x := &parts[start:end][k]
			v := blend(margins{x.slow, x.fast}, share)
			here += v
			if i&inBefore != 0 {
				both += v
				shared++
			}
		}
		n := int(end - start)
		if k > 0 {
			pair := (before.sum + here - both) / float32(math.Sqrt(float64(max(before.n+n-shared, 1))))
			if m := (pair + beside) / float32(math.Sqrt(float64(present))); m > margin {
				margin, block = m, k
			}
		}
		before.sum, before.n, start = here, n, end
	}
	return margin, block
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
	out.Margin = out.Whole
	*buf = w.gather((*buf)[:0], f.parts)
	if part, block := worst(*buf, f, &s, share); float64(part)-c.penalty() > out.Whole {
		out.Margin, out.Block = float64(part)-c.penalty(), block
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
