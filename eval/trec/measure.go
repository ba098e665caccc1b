package trec

import (
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"sluice/eval"
)

// Result is what one run measured. Shares are between 0 and 1, names with
// "percent" in hundredths.
type Result struct {
	Seed     uint64  `json:"seed"`
	Good     int     `json:"good"`
	Bad      int     `json:"bad"`
	Trained  int     `json:"trained"`
	Area     float64 `json:"1-roca_percent"`
	AreaLow  float64 `json:"1-roca_percent_low"` // 95 %, bootstrap
	AreaHigh float64 `json:"1-roca_percent_high"`
	Miss     float64 `json:"h.1_percent"`  // spam missed where 0.1 % of ham is
	Lam      float64 `json:"lam_percent"`  // logistic average of both misclassifications at P = 0.5
	HamMiss  float64 `json:"ham_percent"`  // ham taken for spam at P = 0.5
	SpamMiss float64 `json:"spam_percent"` // spam taken for ham
	// Recall at 1 %, 0.1 % and 0.01 % false positives. With less than 10,000 ham
	// the last allows none at all.
	Recall [3]float64 `json:"recall"`
	ECE    float64    `json:"ece"`   // expected calibration error, 15 bins of the same width
	Brier  float64    `json:"brier"` // mean squared error of P
	Bins   []Bin      `json:"bins"`
	Pools  []Pool     `json:"pools"`
}

// Bin is a range of stated probabilities and what came true.
type Bin struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"` // of what was stated
	Spam float64 `json:"spam"` // share that was spam
}

// Pool is one corpus and label against the thresholds of the whole run.
type Pool struct {
	Name  string     `json:"name"`
	Spam  bool       `json:"spam"`
	N     int        `json:"n"`
	Above [3]float64 `json:"above"` // share above the thresholds of Recall
	Half  float64    `json:"half"`  // share with P ≥ 0.5
}

// rates are the false positive rates of Recall.
var rates = [3]float64{0.01, 0.001, 0.0001}

const bins = 15

func measure(all []scored, samples int, seed uint64) Result {
	var good, bad []float64
	pools := map[string][]scored{}
	for _, s := range all {
		if s.m.Spam {
			bad = append(bad, s.score)
		} else {
			good = append(good, s.score)
		}
		pools[s.m.Pool] = append(pools[s.m.Pool], s)
	}
	r := Result{Good: len(good), Bad: len(bad), Area: eval.Area(good, bad)}
	r.AreaLow, r.AreaHigh = bootstrap(good, bad, samples, seed)
	var cuts [3]float64
	for k, fp := range rates {
		var rate eval.Rate
		rate, cuts[k] = eval.Recall(good, bad, fp)
		r.Recall[k] = rate.Value()
	}
	r.Miss = 100 * (1 - r.Recall[1])
	r.calibration(all)
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		p := Pool{Name: name, Spam: pools[name][0].m.Spam, N: len(pools[name])}
		for _, s := range pools[name] {
			for k, cut := range cuts {
				if s.score > cut {
					p.Above[k] += 1 / float64(p.N)
				}
			}
			if s.p >= 0.5 {
				p.Half += 1 / float64(p.N)
			}
		}
		r.Pools = append(r.Pools, p)
	}
	return r
}

// calibration fills in what hangs on the probabilities.
func (r *Result) calibration(all []scored) {
	var sum [bins]struct {
		n, spam int
		p       float64
	}
	hm, sm := 0, 0
	for _, s := range all {
		b := &sum[min(int(s.p*bins), bins-1)]
		b.n++
		b.p += s.p
		truth := 0.0
		if s.m.Spam {
			b.spam++
			truth = 1
		}
		r.Brier += (s.p - truth) * (s.p - truth) / float64(len(all))
		switch {
		case s.m.Spam && s.p < 0.5:
			sm++
		case !s.m.Spam && s.p >= 0.5:
			hm++
		}
	}
	for _, b := range sum {
		out := Bin{N: b.n}
		if b.n > 0 {
			out.Mean, out.Spam = b.p/float64(b.n), float64(b.spam)/float64(b.n)
			r.ECE += math.Abs(out.Mean-out.Spam) * float64(b.n) / float64(len(all))
		}
		r.Bins = append(r.Bins, out)
	}
	r.HamMiss, r.SpamMiss = 100*float64(hm)/float64(r.Good), 100*float64(sm)/float64(r.Bad)
	r.Lam = lam(hm, r.Good, sm, r.Bad)
}

// lam is the logistic average misclassification percentage. As in the toolkit of
// the track, half a message is added to each count, so that 0 stays finite.
func lam(hm, good, sm, bad int) float64 {
	logit := func(k, n int) float64 {
		return math.Log((float64(k) + 0.5) / (float64(n-k) + 0.5))
	}
	return 100 / (1 + math.Exp(-(logit(hm, good)+logit(sm, bad))/2))
}

// bootstrap returns the 95 % interval of 1-ROCA%: messages are drawn with
// replacement, ham and spam apart. Each sample is linear in the messages.
func bootstrap(good, bad []float64, samples int, seed uint64) (low, high float64) {
	if len(good) == 0 || len(bad) == 0 || samples < 1 {
		return math.NaN(), math.NaN()
	}
	type item struct {
		score float64
		bad   bool
		index int
	}
	items := make([]item, 0, len(good)+len(bad))
	for i, s := range good {
		items = append(items, item{s, false, i})
	}
	for i, s := range bad {
		items = append(items, item{s, true, i})
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.score, b.score) })
	r := rand.New(rand.NewPCG(seed, 3))
	g, b := make([]int, len(good)), make([]int, len(bad))
	areas := make([]float64, samples)
	for k := range areas {
		draw(r, g)
		draw(r, b)
		below, sum := 0, 0.0
		for i := 0; i < len(items); {
			ties, bads := 0, 0
			j := i
			for ; j < len(items) && items[j].score == items[i].score; j++ {
				if items[j].bad {
					bads += b[items[j].index]
				} else {
					ties += g[items[j].index]
				}
			}
			sum += float64(bads) * (float64(below) + float64(ties)/2)
			below += ties
			i = j
		}
		areas[k] = 100 * (1 - sum/float64(len(good))/float64(len(bad)))
	}
	slices.Sort(areas)
	return areas[int(0.025*float64(samples-1))], areas[int(math.Ceil(0.975*float64(samples-1)))]
}

// draw fills count with how often each of its elements is drawn.
func draw(r *rand.Rand, count []int) {
	clear(count)
	for range count {
		count[r.IntN(len(count))]++
	}
}
