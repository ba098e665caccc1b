package verdict

import (
	"math"

	"sluice"
)

// Sample is one labelled message, as far as fusion looks at it.
type Sample struct {
	Sums     [sluice.GroupCount]float64 // S_g, see [Sums]
	Unwanted bool
	Weight   float64 // how many messages it counts as; none where it isn't positive
}

// FitConfig says how Fit goes about its work.
type FitConfig struct {
	// Prior is the log-odds in decibel that a message has before any evidence
	// where the weights will be used: the site's, not the samples'.
	Prior float64
	// Shrink is how many messages the weights that Fit starts from count for:
	// 10,000 hold each slope as a normal prior with a standard deviation of 0.1
	// does and the offset as one of 1 dB does, 100 as 1 and 10 dB.
	Shrink float64
	// MaxSlope bounds the slopes from above; 0 bounds them from below, so that
	// what speaks against a message never comes to speak for it.
	MaxSlope float64
	// MaxOffset bounds how far the ledger's PRIOR may be from Prior, in decibel.
	// It binds the result alone: the slopes are fitted beside the offset that the
	// samples ask for.
	MaxOffset float64
}

// DefaultFit returns the settings for labels that can be trusted. With slopes of
// at most 2 a soft reason of 6 dB stays at 12, and so under a tag, wherever the
// fit ends; data that want more say that the catalogue's points are wrong. PRIOR
// stays where it is, since the points of all groups are measured from there, also
// of those that the samples have no evidence of.
func DefaultFit() FitConfig {
	return FitConfig{Prior: prior(JudgedWeights()).Raw, Shrink: 10000, MaxSlope: 2}
}

// FitReport says what a fit rested on and what it moved.
type FitReport struct {
	Samples    int     // that had a weight
	Prevalence float64 // share of unwanted ones among them, by weight
	Before     float64 // mean negative log-likelihood in nats, of the weights started from
	After      float64
	Offset     float64 // that the samples ask for, in decibel; PRIOR takes as much as it may
	Passes     int     // over all parameters
	Groups     [sluice.GroupCount]GroupFit
}

// GroupFit is what a fit made of one group.
type GroupFit struct {
	Seen     float64 // weight of the samples that had evidence of the group
	From, To float64 // the slope
	Error    float64 // standard error of the slope; that of the shrinkage alone where nothing was seen
}

// perDecibel turns decibel of odds into natural logarithms of odds.
const perDecibel = math.Ln10 / 10

// Fit stacks the groups by logistic regression: of the log-odds
//
//	prior + offset + Σ clip(w_g·S_g, −a_g, b_g)
//
// it fits the offset and the slopes w_g, both shrunk to those of from. The clips a_g and b_g are from's, as
// they carry the policy's promises, and the fit sees what they do. A group without
// evidence in the samples keeps its slope exactly.
//
// The prior of the fit is the samples' own, by weight, and that of the result is
// the configured one: how much of a collection is spam is no property of the
// evidence. Where a class is missing there is nothing to fit, and from is
// returned.
//
// The same samples in the same order give the same weights. It takes time and
// memory in proportion to the samples.
func Fit(samples []Sample, from Weights, c FitConfig) (Weights, FitReport) {
	f := newFit(samples, from, c)
	if !(f.weight[0] > 0 && f.weight[1] > 0) {
		return from, f.report
	}
	f.report.Before = f.loss()
	const most, enough = 100, 1e-4
	for f.report.Passes < most {
		f.report.Passes++
		moved := f.moveOffset()
		for g := range f.slope {
			moved = max(moved, f.moveSlope(g))
		}
		if moved < enough {
			break
		}
	}
	return f.result(from)
}

// fit is coordinate descent on the penalised loss: one parameter after another
// is put where the loss is least. The clips make the loss neither smooth nor
// convex in a slope, so a slope is searched over its whole interval. A kink
// belongs to one slope alone, so where no single parameter can better the loss,
// no step in all of them can, however small.
type fit struct {
	c       FitConfig
	groups  [sluice.GroupCount]Group
	start   [sluice.GroupCount]float64 // the slopes to shrink to
	slope   [sluice.GroupCount]float64
	offset0 float64
	offset  float64
	penalty float64    // of a slope's squared distance, halved; a hundredth for the offset
	weight  [2]float64 // of the classes
	samples []Sample
	z       []float64                // log-odds in nats as the parameters stand
	in      [sluice.GroupCount][]int // samples with evidence of the group
	report  FitReport
}

func newFit(samples []Sample, from Weights, c FitConfig) *fit {
	f := &fit{c: c, groups: from.Groups, penalty: c.Shrink / 100}
	for i := range samples {
		s := samples[i]
		if !(s.Weight > 0) || s.Weight > math.MaxFloat32 {
			continue
		}
		for g := range s.Sums {
			s.Sums[g] = bounded(s.Sums[g])
			if s.Sums[g] != 0 && g != 0 && g != int(sluice.GroupPrior) {
				f.in[g] = append(f.in[g], len(f.samples))
			}
		}
		f.samples = append(f.samples, s)
		f.weight[class(s.Unwanted)] += s.Weight
	}
	f.report.Samples = len(f.samples)
	all := f.weight[0] + f.weight[1]
	f.report.Prevalence = f.weight[1] / all
	f.offset0 = bounded(from.Prior) - c.Prior
	f.offset = f.offset0
	f.z = make([]float64, len(f.samples))
	for i := range f.z {
		f.z[i] = math.Log(f.weight[1]/f.weight[0]) + perDecibel*f.offset
	}
	for g := range f.slope {
		f.start[g] = min(atLeast0(from.Groups[g].Slope), c.MaxSlope)
		f.slope[g] = f.start[g]
		for _, i := range f.in[g] {
			f.z[i] += f.points(g, f.slope[g], i)
		}
	}
	return f
}

func class(unwanted bool) int {
	if unwanted {
		return 1
	}
	return 0
}

// points is what a group brings to a sample's log-odds, in nats, at a slope.
func (f *fit) points(g int, slope float64, i int) float64 {
	group := f.groups[g]
	group.Slope = slope
	return perDecibel * group.weigh(f.samples[i].Sums[g])
}

// surprise is the negative log-likelihood of a sample at log-odds z.
func (f *fit) surprise(i int, z float64) float64 {
	s := &f.samples[i]
	if s.Unwanted {
		z = -z
	}
	// log(1+e^z), without overflow.
	return s.Weight * (max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))))
}

// loss is the mean of all samples.
func (f *fit) loss() float64 {
	sum := 0.0
	for i := range f.samples {
		sum += f.surprise(i, f.z[i])
	}
	return sum / (f.weight[0] + f.weight[1])
}

// widest is how far from its start the offset is looked for, in decibel.
const widest = 20

// moveOffset returns how far it went, a decibel being a tenth.
func (f *fit) moveOffset() float64 {
	was := f.offset
	f.setOffset(least(func(x float64) float64 {
		d := x - f.offset0
		sum := f.penalty / 200 * d * d
		for i := range f.z {
			sum += f.surprise(i, f.z[i]+perDecibel*(x-was))
		}
		return sum
	}, f.offset0-widest, f.offset0+widest))
	return math.Abs(f.offset-was) / 10
}

func (f *fit) setOffset(x float64) {
	for i := range f.z {
		f.z[i] += perDecibel * (x - f.offset)
	}
	f.offset = x
}

func (f *fit) moveSlope(g int) float64 {
	if len(f.in[g]) == 0 {
		return 0
	}
	was := f.slope[g]
	f.slope[g] = least(func(x float64) float64 {
		d := x - f.start[g]
		sum := f.penalty / 2 * d * d
		for _, i := range f.in[g] {
			sum += f.surprise(i, f.z[i]+f.points(g, x, i)-f.points(g, was, i))
		}
		return sum
	}, 0, f.c.MaxSlope)
	for _, i := range f.in[g] {
		f.z[i] += f.points(g, f.slope[g], i) - f.points(g, was, i)
	}
	return math.Abs(f.slope[g] - was)
}

// least returns where f is least between low and high: the best of a grid, then
// a golden-section search beside it.
func least(f func(float64) float64, low, high float64) float64 {
	const cells = 20
	width := (high - low) / cells
	best, at := math.Inf(1), 0
	for k := range cells + 1 {
		if y := f(low + float64(k)*width); y < best {
			best, at = y, k
		}
	}
	a, b := low+float64(max(at-1, 0))*width, low+float64(min(at+1, cells))*width
	middle := low + float64(at)*width
	const golden = 0.6180339887498949
	x1, x2 := b-golden*(b-a), a+golden*(b-a)
	y1, y2 := f(x1), f(x2)
	for b-a > 1e-5*(high-low) {
		if y1 <= y2 {
			b, x2, y2 = x2, x1, y1
			x1 = b - golden*(b-a)
			y1 = f(x1)
		} else {
			a, x1, y1 = x1, x2, y2
			x2 = a + golden*(b-a)
			y2 = f(x2)
		}
	}
	if x := (a + b) / 2; f(x) < best {
		return x
	}
	return middle // an end of the interval, or a kink
}

// result writes the parameters into weights, and their errors, from the curvature
// of the loss, into the report.
func (f *fit) result(from Weights) (Weights, FitReport) {
	w := from
	f.report.Offset = f.offset
	f.setOffset(min(max(f.offset, -f.c.MaxOffset), f.c.MaxOffset))
	w.Prior = f.c.Prior + f.offset
	f.report.After = f.loss()
	for g := range f.slope {
		if g == 0 || g == int(sluice.GroupPrior) {
			continue
		}
		w.Groups[g].Slope = f.slope[g]
		r := GroupFit{From: f.start[g], To: f.slope[g]}
		curve := f.penalty
		for _, i := range f.in[g] {
			s := &f.samples[i]
			r.Seen += s.Weight
			group := f.groups[g]
			// A slope often ends where the group's commonest sum meets the clip: what
			// is there still counts.
			const edge = 1.001
			if x := f.slope[g] * s.Sums[g]; x > -edge*group.Low && x < edge*group.High {
				p := 1 / (1 + math.Exp(-f.z[i]))
				d := perDecibel * s.Sums[g]
				curve += s.Weight * p * (1 - p) * d * d
			}
		}
		r.Error = 1 / math.Sqrt(curve)
		f.report.Groups[g] = r
	}
	return w, f.report
}
