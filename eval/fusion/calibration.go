package main

import (
	"cmp"
	"math"
	"slices"
)

// forecast is a probability of being unwanted, what came true, and how many
// messages it counts for.
type forecast struct {
	p      float64
	bad    bool
	weight float64
}

// bin sums up forecasts that are near each other.
type bin struct{ weight, p, bad float64 }

func (b *bin) add(f forecast) {
	b.weight += f.weight
	b.p += f.weight * f.p
	if f.bad {
		b.bad += f.weight
	}
}

const binCount = 15

// byWidth sorts forecasts into bins of equal width of probability.
func byWidth(all []forecast) []bin {
	bins := make([]bin, binCount)
	for _, f := range all {
		bins[min(int(f.p*binCount), binCount-1)].add(f)
	}
	return bins
}

// byMass sorts forecasts into bins of equal weight, as far as equal forecasts allow:
// they stay together, in the bin that the middle of their weight falls into, so
// that the order of the messages doesn't matter.
func byMass(all []forecast) []bin {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b forecast) int { return cmp.Compare(a.p, b.p) })
	total := 0.0
	for _, f := range all {
		total += f.weight
	}
	bins := make([]bin, binCount)
	before := 0.0
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].p == all[0].p {
			n++
		}
		var same bin
		for _, f := range all[:n] {
			same.add(f)
		}
		b := &bins[min(int((before+same.weight/2)/total*binCount), binCount-1)]
		b.weight, b.p, b.bad = b.weight+same.weight, b.p+same.p, b.bad+same.bad
		before += same.weight
		all = all[n:]
	}
	return slices.DeleteFunc(bins, func(b bin) bool { return b.weight == 0 })
}

// calibrationError is the expected calibration error: the mean distance of what
// was forecast from what came true, over the bins, by weight.
func calibrationError(bins []bin) float64 {
	var sum, total float64
	for _, b := range bins {
		sum += math.Abs(b.p - b.bad)
		total += b.weight
	}
	return sum / total
}

// brier is the mean squared error of the forecasts.
func brier(all []forecast) float64 {
	var sum, total float64
	for _, f := range all {
		d := f.p
		if f.bad {
			d = 1 - f.p
		}
		sum += f.weight * d * d
		total += f.weight
	}
	return sum / total
}
