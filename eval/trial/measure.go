package trial

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"sluice/eval"
	"sluice/eval/trec"
)

// The rates of false positives that recall is told at.
var rates = []float64{0.01, 0.001, 0.0001}

const (
	half      = 0.5 // from this probability on a message counts as called spam
	leastOwn  = 100 // ham of a corpus that a pool is measured against
	worst     = 20  // examples
	leastYear = 10  // messages of a year that are told apart
	mostYears = 40  // rows
)

func newReport(c *Config, measured *trec.Report, last []Judged) *Report {
	r := &Report{Filter: c.Kind.Name, Learns: c.Kind.Learns, Source: c.Source, Order: measured.Order, Feedback: measured.Feedback,
		Trained: len(c.Train), Area: number(measured.Area), Miss: number(measured.Miss), Lam: number(measured.Lam), judged: last}
	if len(c.Train) > 0 || !c.Kind.Learns {
		r.Feedback = trec.Feedback{}
	}
	for _, x := range measured.Runs {
		r.Runs = append(r.Runs, Pass{Seed: x.Seed, Labels: x.Trained, Area: number(x.Area), AreaLow: number(x.AreaLow), AreaHigh: number(x.AreaHigh),
			Miss: number(x.Miss), Lam: number(x.Lam), HamMiss: number(x.HamMiss), SpamMiss: number(x.SpamMiss), ECE: number(x.ECE)})
		r.Ham, r.Spam, r.ECE, r.Brier, r.Bins = x.Good, x.Bad, number(x.ECE), number(x.Brier), x.Bins
	}
	good, bad := scores(last)
	r.Recall = points(good, bad, rates)
	r.byPool(good)
	r.byYear()
	r.templates()
	r.actions()
	r.FalsePositives = examples(last, false)
	r.Misses = examples(last, true)
	return r
}

// scores are those of good and of bad mail.
func scores(all []Judged) (good, bad []float64) {
	for _, j := range all {
		if j.Spam {
			bad = append(bad, j.Score)
		} else {
			good = append(good, j.Score)
		}
	}
	return good, bad
}

func points(good, bad []float64, rates []float64) []Point {
	var out []Point
	for _, fp := range rates {
		p := Point{Allowed: fp, Needed: int(math.Ceil(1/fp - 1e-9)), Threshold: number(math.NaN())}
		if p.Known = len(good) >= p.Needed; p.Known {
			rate, cut := eval.Recall(good, bad, fp)
			p.Recall, p.Threshold, p.False = Share{rate}, number(cut), Share{eval.Above(good, cut)}
		}
		out = append(out, p)
	}
	return out
}

// above counts messages over a threshold; none where it isn't known.
func above(all []Judged, p Point) Share {
	var s Share
	if !p.Known {
		return s
	}
	for _, j := range all {
		s.N++
		if j.Score > float64(p.Threshold) {
			s.K++
		}
	}
	return s
}

func called(all []Judged) Share {
	s := Share{eval.Rate{N: len(all)}}
	for _, j := range all {
		if j.P >= half {
			s.K++
		}
	}
	return s
}

// pools sorts messages into their pools.
func pools(all []Judged) (names []string, by map[string][]Judged) {
	by = map[string][]Judged{}
	for _, j := range all {
		by[j.Pool()] = append(by[j.Pool()], j)
	}
	return slices.Sorted(maps.Keys(by)), by
}

func (r *Report) byPool(good []float64) {
	names, by := pools(r.judged)
	own := map[string][]float64{} // scores of good mail by corpus
	for _, j := range r.judged {
		if !j.Spam {
			own[j.Corpus] = append(own[j.Corpus], j.Score)
		}
	}
	for _, name := range names {
		pool := by[name]
		if !pool[0].Spam {
			r.Good = append(r.Good, GoodRow{Pool: name, Half: called(pool), Above: [2]Share{above(pool, r.Recall[0]), above(pool, r.Recall[1])}})
			continue
		}
		row := BadRow{Pool: name, Against: "all", Half: called(pool)}
		ham := good
		if o := own[pool[0].Corpus]; len(o) >= leastOwn {
			ham, row.Against = o, pool[0].Corpus
		}
		_, bad := scores(pool)
		row.Ham, row.AUC, row.Points = len(ham), number(eval.AUC(ham, bad)), points(ham, bad, rates[:2])
		r.Bad = append(r.Bad, row)
	}
}

// byYear fills in the bad mail of pools that span years. Years with little of it
// are told together, under year 0.
func (r *Report) byYear() {
	names, by := pools(r.judged)
	for _, name := range names {
		years := map[int][]Judged{}
		for _, j := range by[name] {
			years[j.Year] = append(years[j.Year], j)
		}
		for y, all := range years {
			if y != 0 && len(all) < leastYear {
				years[0] = append(years[0], all...)
				delete(years, y)
			}
		}
		if !by[name][0].Spam || len(years) < 2 || !r.Recall[0].Known {
			continue
		}
		for _, y := range slices.SortedFunc(maps.Keys(years), lastly0) {
			if len(r.Years) < mostYears {
				r.Years = append(r.Years, YearRow{Pool: name, Year: y, Recall: above(years[y], r.Recall[0])})
			}
		}
	}
}

// lastly0 sorts years, and what is of none of them behind.
func lastly0(a, b int) int {
	return cmp.Or(cmp.Compare(btoi(a == 0), btoi(b == 0)), cmp.Compare(a, b))
}

func (r *Report) templates() {
	first := firsts(r.judged)
	good, bad := scores(first)
	r.Templates = &Templates{Ham: len(good), Spam: len(bad), Area: number(eval.Area(good, bad)), Recall: points(good, bad, rates)}
}

func (r *Report) actions() {
	names, by := pools(r.judged)
	for _, name := range names {
		row := ActionRow{Pool: name, N: len(by[name]), Count: map[string]int{}}
		row.Held.N = row.N
		for _, j := range by[name] {
			if j.Action == "" {
				return // this filter has no policy
			}
			row.Count[j.Action]++
			if j.held() {
				row.Held.K++
			}
		}
		r.Actions = append(r.Actions, row)
	}
}

// examples are the misses, or the false positives, that are furthest off.
func examples(all []Judged, spam bool) []Example {
	var wrong []Judged
	for _, j := range all {
		if j.Spam == spam && (j.P >= half) != spam {
			wrong = append(wrong, j)
		}
	}
	slices.SortStableFunc(wrong, func(a, b Judged) int {
		c := cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.P, a.P))
		if spam {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.ID, b.ID))
	})
	var out []Example
	for _, j := range wrong[:min(len(wrong), worst)] {
		out = append(out, Example{ID: j.ID, Label: j.Label, Subject: j.Subject, Score: number(j.Score), P: j.P, Action: j.Action, Why: j.Why})
	}
	return out
}

// held says whether the policy would have kept the message from its mailbox.
func (j Judged) held() bool { return !eval.Mild(j.Action) }
