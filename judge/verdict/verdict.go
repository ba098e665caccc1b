// Package verdict weighs the ledger of evidence into one verdict. It is pure
// arithmetic: the same ledger and weights give the same verdict, in whatever
// order the evidence came in, and whatever numbers a check put into it.
package verdict

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"sluice"
	"sluice/reason"
)

// Weigh adds the evidence up, group by group:
//
//	S_g = Σ raw, G_g = clip(w_g·S_g, −a_g, b_g), contribution = raw·G_g/S_g
//	total = PRIOR + Σ G_g
//
// Points are rounded to 0.1 by the largest remainder, so that the ledger's
// points sum to the verdict's exactly. Hard evidence, and evidence that is
// unknown, not run, or of no group, has 0 points. PRIOR is put into the ledger
// here; one that is already there is replaced, so that a verdict's ledger can
// be weighed again. The ledger passed in is not changed.
func Weigh(ledger []sluice.Evidence, w Weights) sluice.Verdict {
	lines := make([]sluice.Contribution, 1, len(ledger)+1)
	lines[0].Evidence = prior(w)
	for i := range ledger {
		if ledger[i].Group != sluice.GroupPrior {
			lines = append(lines, sluice.Contribution{Evidence: ledger[i]})
		}
	}
	// Float sums and ties depend on order, so there is one order.
	lines = arranged(lines, canonical)

	exact := contributions(lines, w)
	v := sluice.Verdict{}
	v.Threat, v.Threats = threats(lines, exact)
	v.Points = apportion(lines, exact)
	v.Probability = Probability(v.Points)
	if h := deciding(lines); h >= 0 {
		v.Hard, v.HardKind = lines[h].Reason, lines[h].Hard
		if v.HardKind == sluice.HardStop && lines[h].Threat != sluice.ThreatNone {
			v.Threat, v.Threats = lines[h].Threat, certain(lines[h].Threat)
		}
	}
	v.Ledger = arranged(lines, strongest)
	return v
}

// arranged returns the lines in stable order. A line is large, so indices are
// sorted and each line is moved once.
func arranged(lines []sluice.Contribution, order func(a, b *sluice.Contribution) int) []sluice.Contribution {
	index := make([]int32, len(lines))
	for i := range index {
		index[i] = int32(i)
	}
	slices.SortFunc(index, func(a, b int32) int {
		return cmp.Or(order(&lines[a], &lines[b]), cmp.Compare(a, b))
	})
	out := make([]sluice.Contribution, len(lines))
	for to, from := range index {
		out[to] = lines[from]
	}
	return out
}

// Probability turns log-odds in decibel into a probability.
func Probability(points float64) float64 { return 1 / (1 + math.Pow(10, -points/10)) }

// Points is the inverse of [Probability].
func Points(p float64) float64 { return 10 * math.Log10(p/(1-p)) }

func prior(w Weights) sluice.Evidence {
	return sluice.Evidence{Reason: reason.Prior, Phase: sluice.PhaseConnect, Group: sluice.GroupPrior, Raw: bounded(w.Prior)}
}

// rawLimit bounds one raw weight: ten to the fifty to one is certainty.
const rawLimit = 500

// bounded takes the poison out of a number: a NaN says nothing.
func bounded(raw float64) float64 {
	if math.IsNaN(raw) {
		return 0
	}
	return min(max(raw, -rawLimit), rawLimit)
}

// counts says whether e stands in the sum.
func counts(e *sluice.Evidence) bool {
	return e.State == sluice.Found && e.Hard == sluice.Soft && e.Group > 0 && int(e.Group) < sluice.GroupCount
}

// contributions returns the points of each line before rounding.
func contributions(lines []sluice.Contribution, w Weights) []float64 {
	exact := make([]float64, len(lines))
	var sum [sluice.GroupCount]float64
	for i := range lines {
		if e := &lines[i].Evidence; counts(e) {
			exact[i] = bounded(e.Raw)
			sum[e.Group] += exact[i]
		}
	}
	for i := range lines {
		if g := lines[i].Group; exact[i] != 0 && g != sluice.GroupPrior {
			exact[i] *= w.Groups[g].ratio(sum[g])
		}
	}
	return exact
}

// apportion rounds the exact points to tenths, writes them into the lines, and
// returns their sum. The total is rounded first; the tenths that are missing
// after rounding every line down go to the largest remainders.
func apportion(lines []sluice.Contribution, exact []float64) float64 {
	var total float64
	for _, x := range exact {
		total += x
	}
	tenths := make([]int, len(lines))
	want := int(math.Round(total * 10))
	var open []int // lines that may take a tenth
	for i, x := range exact {
		if x == 0 {
			continue
		}
		tenths[i] = int(math.Floor(x * 10))
		want -= tenths[i]
		open = append(open, i)
	}
	remainder := func(i int) float64 { return exact[i]*10 - math.Floor(exact[i]*10) }
	slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(remainder(b), remainder(a)) })
	for i := 0; i < want && i < len(open); i++ {
		tenths[open[i]]++
	}
	sum := 0
	for i := range lines {
		lines[i].Points = float64(tenths[i]) / 10
		sum += tenths[i]
	}
	return float64(sum) / 10
}

// threats returns the threat that most points speak for, the graver one where two
// are equal, none where nothing speaks against the message; and the share of each.
func threats(lines []sluice.Contribution, exact []float64) (sluice.Threat, sluice.Threats) {
	var sum [sluice.ThreatCount]float64
	for i := range lines {
		if t := lines[i].Threat; exact[i] > 0 && int(t) < sluice.ThreatCount {
			sum[t] += exact[i]
		}
	}
	best := sluice.ThreatNone
	sum[best] = 0
	for t := range sum {
		if sum[t] > 0 && sum[t] >= sum[best] {
			best = sluice.Threat(t)
		}
	}
	return best, shares(sum)
}

// certain are the shares where something hard has named the threat.
func certain(t sluice.Threat) (out sluice.Threats) {
	if int(t) < sluice.ThreatCount {
		out[t] = 1
	}
	return out
}

// shares are in proportion to the odds that [sluice.Threats] tells of. All are
// divided by the largest, so that none is too large to add.
func shares(points [sluice.ThreatCount]float64) (out sluice.Threats) {
	most := 0.0
	for t, p := range points {
		if t != int(sluice.ThreatSpam) {
			most = max(most, p)
		}
	}
	against, total := false, 0.0
	for t, p := range points {
		against = against || p > 0
		if t == int(sluice.ThreatSpam) {
			out[t] = math.Exp(-most * perDecibel)
		} else {
			// (10^(p/10) − 1)/10^(most/10), exact for small p.
			out[t] = math.Exp((p-most)*perDecibel) * -math.Expm1(-p*perDecibel)
		}
		total += out[t]
	}
	if !against {
		return sluice.Threats{}
	}
	for t := range out {
		out[t] /= total
	}
	return out
}

// deciding returns the index of the hard line that decides, or −1. A pass beats
// every stop but malware, and but a required check that gave no answer: what
// was not looked at may be malware.
func deciding(lines []sluice.Contribution) int {
	best, rank := -1, 0
	for i := range lines {
		if r := hardRank(&lines[i].Evidence); r > rank {
			best, rank = i, r
		}
	}
	return best
}

func hardRank(e *sluice.Evidence) int {
	switch {
	case e.State != sluice.Found || e.Hard == sluice.Soft:
		return 0
	case e.Hard == sluice.HardStop && e.Threat == sluice.ThreatMalware:
		return 5
	case e.Hard == sluice.HardStop && e.Reason == reason.CheckRequired:
		return 4
	case e.Hard == sluice.HardPass:
		return 3
	case e.Hard == sluice.HardStop && e.Threat == sluice.ThreatAttack:
		return 2
	case e.Hard == sluice.HardStop:
		return 1
	}
	return 0
}

// strongest orders the ledger for reading: what decides alone, then by points,
// then what was found before what is unknown.
func strongest(a, b *sluice.Contribution) int {
	if x, y := hardRank(&a.Evidence), hardRank(&b.Evidence); x != y {
		return y - x
	}
	if x, y := math.Abs(a.Points), math.Abs(b.Points); x != y {
		return cmp.Compare(y, x)
	}
	return cmp.Compare(a.State, b.State)
}

// canonical is a total order of evidence by its content.
func canonical(a, b *sluice.Contribution) int {
	if a.Reason != b.Reason {
		return strings.Compare(string(a.Reason), string(b.Reason))
	}
	return cmp.Or(
		cmp.Compare(a.Group, b.Group),
		cmp.Compare(a.Phase, b.Phase),
		cmp.Compare(a.Raw, b.Raw),
		cmp.Compare(a.Threat, b.Threat),
		cmp.Compare(a.State, b.State),
		cmp.Compare(a.Hard, b.Hard),
		cmp.Compare(a.Part, b.Part),
		cmp.Compare(a.Range.Off, b.Range.Off),
		cmp.Compare(a.Range.Len, b.Range.Len),
		strings.Compare(a.Detail, b.Detail),
	)
}
