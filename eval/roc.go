package eval

import (
	"math"
	"slices"
)

// AUC returns the area under the ROC curve: how often a bad message scores above
// a good one, ties counted half (Mann and Whitney). NaN where a side is empty.
func AUC(good, bad []float64) float64 {
	if len(good) == 0 || len(bad) == 0 {
		return math.NaN()
	}
	g, b := slices.Sorted(slices.Values(good)), slices.Sorted(slices.Values(bad))
	below, upTo := 0, 0 // good ones below, and not above, the present bad one
	twice := 0
	for _, v := range b {
		for below < len(g) && g[below] < v {
			below++
		}
		for upTo < len(g) && g[upTo] <= v {
			upTo++
		}
		twice += below + upTo
	}
	return float64(twice) / 2 / float64(len(g)) / float64(len(b))
}

// Area returns 1-ROCA%: 100·(1−AUC), the measure of the TREC spam track.
func Area(good, bad []float64) float64 { return 100 * (1 - AUC(good, bad)) }

// Rate is a share k of n.
type Rate struct{ K, N int }

// Value is k/n, NaN for n = 0.
func (r Rate) Value() float64 { return float64(r.K) / float64(r.N) }

// Interval returns the exact 95 % confidence interval of the share (Clopper and
// Pearson 1934).
func (r Rate) Interval() (lo, hi float64) {
	lo, hi = 0, 1
	if r.N == 0 {
		return lo, hi
	}
	const tail = 0.025
	if r.K > 0 { // P(X ≥ k | p = lo) = tail
		lo = solve(func(p float64) float64 { return 1 - binomial(r.K-1, r.N, p) - tail })
	}
	if r.K < r.N { // P(X ≤ k | p = hi) = tail
		hi = solve(func(p float64) float64 { return tail - binomial(r.K, r.N, p) })
	}
	return lo, hi
}

// solve finds the root of a rising function on [0, 1].
func solve(f func(float64) float64) float64 {
	lo, hi := 0.0, 1.0
	for range 60 {
		if mid := (lo + hi) / 2; f(mid) < 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}

// binomial is P(X ≤ k) for n trials of probability p.
func binomial(k, n int, p float64) float64 {
	if p <= 0 {
		return 1
	}
	if p >= 1 {
		if k >= n {
			return 1
		}
		return 0
	}
	lgN, _ := math.Lgamma(float64(n + 1))
	sum := 0.0
	for i := 0; i <= k; i++ {
		a, _ := math.Lgamma(float64(i + 1))
		b, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(lgN - a - b + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(sum, 1)
}

// Recall returns how many bad messages score above the lowest threshold that no
// more than the share fp of the good ones exceeds, and that threshold. A bad
// message must score above the threshold, so ties with a good one don't count.
func Recall(good, bad []float64, fp float64) (Rate, float64) {
	cut := math.Inf(-1)
	if allow := int(fp * float64(len(good))); allow < len(good) {
		g := slices.Sorted(slices.Values(good))
		cut = g[len(g)-1-allow]
	}
	return Above(bad, cut), cut
}

// Above counts the scores above cut.
func Above(scores []float64, cut float64) Rate {
	r := Rate{N: len(scores)}
	for _, v := range scores {
		if v > cut {
			r.K++
		}
	}
	return r
}
