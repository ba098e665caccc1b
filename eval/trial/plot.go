package trial

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A picture is as large as this, in units of its own; margins hold the axes' words.
const (
	plotWide, plotHigh = 640.0, 440.0
	plotLeft, plotTop  = 88.0, 16.0
	plotRight, plotLow = 30.0, 62.0
)

// plot is what the page draws: all of it numbers and words of ours.
type plot struct {
	Label  string // what the picture shows, for who can't see it
	XName  string
	YName  string
	X, Y   []tick
	Shade  *box   // where the figures say nothing
	Words  string // over the shade
	Guide  string // path of a line to compare with
	Line   string // path
	Bars   []bar
	Errors []box // intervals, as thin boxes
	Dots   []dot
	Legend []mark
}

type tick struct {
	At   float64
	Word string
}

type box struct{ X, Y, W, H float64 }

type bar struct {
	box
	Class string
}

type dot struct{ X, Y, R float64 }

type mark struct {
	Class, Word string
	X           float64
}

// Width and Height are of the whole picture, the rest of the inner part.
func (plot) Width() float64  { return plotWide }
func (plot) Height() float64 { return plotHigh }
func (plot) Left() float64   { return plotLeft }
func (plot) Top() float64    { return plotTop }
func (plot) Right() float64  { return plotWide - plotRight }
func (plot) Bottom() float64 { return plotHigh - plotLow }
func (plot) Inner() float64  { return plotWide - plotLeft - plotRight }
func (plot) Tall() float64   { return plotHigh - plotTop - plotLow }
func (p plot) MidX() float64 { return plotLeft + p.Inner()/2 }
func (p plot) MidY() float64 { return plotTop + p.Tall()/2 }

// at places shares of the inner part, both from the lower left corner.
func (p plot) at(x, y float64) (float64, float64) {
	round := func(v float64) float64 { return math.Round(v*100) / 100 }
	return round(plotLeft + x*p.Inner()), round(p.Bottom() - y*p.Tall())
}

func (p plot) path(points [][2]float64) string {
	var b strings.Builder
	for i, q := range points {
		x, y := p.at(q[0], q[1])
		fmt.Fprintf(&b, "%s%g %g", []string{"L", "M"}[btoi(i == 0)], x, y)
	}
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tenths are the ticks of a share.
func tenths(p plot, vertical bool) (out []tick) {
	for i := range 6 {
		x, y := p.at(float64(i)/5, float64(i)/5)
		t := tick{x, fmt.Sprintf("%d %%", 20*i)}
		if vertical {
			t.At = y
		}
		out = append(out, t)
	}
	return out
}

// rocPlot is recall by the rate of false positives, on a logarithmic scale from
// less than what the ham can tell.
func rocPlot(judged []Judged, points []Point) *plot {
	good, bad := scores(judged)
	if len(good) == 0 || len(bad) == 0 {
		return nil
	}
	p := plot{Label: "ROC curve: unwanted mail caught by the share of wanted mail lost", XName: "wanted mail lost", YName: "unwanted mail caught"}
	least := 1 / float64(len(good))
	decades := math.Min(math.Max(math.Ceil(-math.Log10(least)), 2), 6)
	x := func(fp float64) float64 { // a share of the axis
		return math.Max(0, 1+math.Log10(math.Max(fp, 1e-9))/decades)
	}
	for d := 0.0; d <= decades; d++ {
		at, _ := p.at(1-d/decades, 0)
		p.X = append(p.X, tick{at, fmt.Sprintf("%g %%", 100*math.Pow(10, -d))})
	}
	p.Y = tenths(p, true)
	if w := x(least); w > 0 {
		x0, y0 := p.at(0, 1)
		x1, _ := p.at(w, 1)
		p.Shade, p.Words = &box{x0, y0, x1 - x0, p.Tall()}, fmt.Sprintf("under one in %d", len(good))
	}
	curve := [][2]float64{}
	for _, q := range roc(good, bad) {
		if n := len(curve); n > 0 {
			curve = append(curve, [2]float64{x(q[0]), curve[n-1][1]})
		}
		curve = append(curve, [2]float64{x(q[0]), q[1]})
	}
	p.Line = p.path(thin(curve))
	for _, q := range points {
		if q.Known {
			lo, hi := q.Recall.Interval()
			x0, y0 := p.at(x(q.Allowed), hi)
			_, y1 := p.at(0, lo)
			p.Errors = append(p.Errors, box{x0 - 1, y0, 2, math.Max(y1-y0, 1)})
			_, y := p.at(0, q.Recall.Value())
			p.Dots = append(p.Dots, dot{x0, y, 4})
		}
	}
	return &p
}

// roc returns the corners of the curve: shares of good and of bad mail at or above
// each score.
func roc(good, bad []float64) [][2]float64 {
	down := func(s []float64) []float64 {
		return slices.SortedFunc(slices.Values(s), func(a, b float64) int { return cmp.Compare(b, a) })
	}
	g, b := down(good), down(bad)
	out := [][2]float64{{0, 0}}
	for i, k := 0, 0; i < len(g) || k < len(b); {
		var v float64
		switch {
		case i == len(g):
			v = b[k]
		case k == len(b):
			v = g[i]
		default:
			v = max(g[i], b[k])
		}
		for i < len(g) && g[i] >= v {
			i++
		}
		for k < len(b) && b[k] >= v {
			k++
		}
		out = append(out, [2]float64{float64(i) / float64(len(g)), float64(k) / float64(len(b))})
	}
	return out
}

// thin leaves out points that nobody could see: a curve has as many corners as
// there are messages.
func thin(points [][2]float64) [][2]float64 {
	const least = 0.5 / plotWide
	out := points[:0:0]
	for i, q := range points {
		if n := len(out); n > 0 && i < len(points)-1 {
			before, after := out[n-1], points[i+1]
			near := math.Abs(q[0]-before[0]) < least && math.Abs(q[1]-before[1]) < least
			straight := q[0] == before[0] && q[0] == after[0] || q[1] == before[1] && q[1] == after[1]
			if near || straight {
				continue
			}
		}
		out = append(out, q)
	}
	return out
}

// reliabilityPlot is what came true by what was stated.
func reliabilityPlot(r *Report) *plot {
	p := plot{Label: "Reliability: share of unwanted mail by stated probability", XName: "stated probability of being unwanted", YName: "unwanted among them"}
	p.X, p.Y = tenths(p, false), tenths(p, true)
	p.Guide = p.path([][2]float64{{0, 0}, {1, 1}})
	total := 0
	for _, b := range r.Bins {
		total += b.N
	}
	var line [][2]float64
	for _, b := range r.Bins {
		if b.N == 0 {
			continue
		}
		line = append(line, [2]float64{b.Mean, b.Spam})
		lo, hi := binShare(b).Interval()
		x, y0 := p.at(b.Mean, hi)
		_, y1 := p.at(0, lo)
		_, y := p.at(0, b.Spam)
		p.Errors = append(p.Errors, box{x - 1, y0, 2, math.Max(y1-y0, 1)})
		p.Dots = append(p.Dots, dot{x, y, 3 + 9*math.Sqrt(float64(b.N)/float64(total))})
	}
	p.Line = p.path(line)
	return &p
}

// histogramPlot shows the scores of wanted mail upwards and of unwanted downwards,
// each as shares of its class, on a scale of square roots so that rare ones are
// seen.
func histogramPlot(judged []Judged) *plot {
	const bars = 60
	good, bad := scores(judged)
	if len(good) == 0 || len(bad) == 0 {
		return nil
	}
	lo, hi := spread(good, bad)
	count := func(s []float64) (share [bars]float64) {
		for _, v := range s {
			k := int(float64(bars) * (v - lo) / (hi - lo))
			share[min(max(k, 0), bars-1)] += 1 / float64(len(s))
		}
		return share
	}
	g, b := count(good), count(bad)
	most := math.Max(slices.Max(g[:]), slices.Max(b[:]))
	p := plot{Label: "Histogram of scores: wanted mail upwards, unwanted downwards", XName: "score", YName: "share of its kind",
		Legend: []mark{{"good", "wanted", plotWide - plotRight - 240}, {"bad", "unwanted", plotWide - plotRight - 130}}}
	tall := func(share float64) float64 { return math.Sqrt(share/most) / 2 }
	for i := range bars {
		x0, mid := p.at(float64(i)/bars, 0.5)
		x1, _ := p.at(float64(i+1)/bars, 0)
		if g[i] > 0 {
			_, y := p.at(0, 0.5+tall(g[i]))
			p.Bars = append(p.Bars, bar{box{x0 + .5, y, x1 - x0 - 1, mid - y}, "good"})
		}
		if b[i] > 0 {
			_, y := p.at(0, 0.5-tall(b[i]))
			p.Bars = append(p.Bars, bar{box{x0 + .5, mid, x1 - x0 - 1, y - mid}, "bad"})
		}
	}
	for _, v := range roundTicks(lo, hi) {
		at, _ := p.at((v-lo)/(hi-lo), 0)
		p.X = append(p.X, tick{at, fmt.Sprintf("%g", v)})
	}
	for _, s := range []float64{most, most / 4} {
		for _, up := range []float64{1, -1} {
			_, y := p.at(0, 0.5+up*tall(s))
			p.Y = append(p.Y, tick{y, fmt.Sprintf("%.2g %%", 100*s)})
		}
	}
	_, y := p.at(0, 0.5)
	p.Y = append(p.Y, tick{y, "0"})
	return &p
}

// spread is the range that all but a few scores lie in, rounded outwards; what is
// outside counts at its ends.
func spread(good, bad []float64) (lo, hi float64) {
	all := slices.Sorted(slices.Values(slices.Concat(good, bad)))
	lo, hi = all[len(all)/200], all[len(all)-1-len(all)/200]
	if hi <= lo {
		return lo - 1, lo + 1
	}
	step := math.Pow(10, math.Floor(math.Log10(hi-lo))) / 2
	return math.Floor(lo/step) * step, math.Ceil(hi/step) * step
}

// roundTicks are four to ten round numbers between lo and hi.
func roundTicks(lo, hi float64) (out []float64) {
	unit := math.Pow(10, math.Floor(math.Log10((hi-lo)/2)))
	for _, f := range []float64{1, 2, 5} {
		step := f * unit
		if first := math.Ceil(lo / step); (hi-lo)/step <= 8 || f == 5 {
			for k := first; k*step <= hi+step/1e6; k++ {
				out = append(out, math.Round(k*step*1e6)/1e6)
			}
			return out
		}
	}
	return out
}
