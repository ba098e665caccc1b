package verdict

import (
	"fmt"
	"math"

	"sluice"
	"sluice/reason"
)

// Weights are the judge's numbers, all in decibel of odds but the slopes.
type Weights struct {
	Prior  float64
	Groups [sluice.GroupCount]Group
}

// Group is the weight of one evidence group. Evidence inside a group is
// correlated, so the group is scaled and clipped as one.
type Group struct {
	Slope float64 // w_g: 1 takes the raw sum as it is; never negative
	Low   float64 // a_g: the most that the group may speak for a message
	High  float64 // b_g: the most that it may speak against one
}

// JudgedWeights returns the weights that fitting starts from. Every slope is 1:
// evidence counts as the catalogue says. The clips are judged by these rules, with
// the default thresholds of 3.7 dB (tag, P 0.7), 12.8 dB (quarantine, P 0.95) and
// 30 dB (reject, P 0.999) in mind:
//
//   - The prior of −10 dB leaves a message without evidence 13.7 dB below a tag:
//     it takes two or three agreeing facts to be noticed at all.
//   - No group reaches 40 dB, so none rejects alone; but for text and campaign,
//     none quarantines alone either.
//   - Text may quarantine alone (−10 + 25 = 15 dB) and never reject: the shipped
//     model has not seen the site's mail.
//   - What a sender can add to a message at will speaks for it only a little: tidy
//     structure, harmless links. What costs time to earn (reputation, a known
//     correspondent) speaks for it more.
//   - Identity may speak for a message more than the rest of what comes with it: a name,
//     a domain and a copyright line that fit count only where authentication proves the
//     domain. Whoever has a domain of his own can earn that, so it makes up for words at
//     most (−14 of up to 25) and never for several groups. Against a message it stays
//     below a quarantine, as all but text and campaign do. What the session and the links
//     say for a message is proved too: the client's confirmed name, links beside it.
//   - Good words are cheap too, yet nothing else tells most good mail from bad, and
//     the less they may say the further from true are probabilities of good mail.
//     The text model reads in parts, so that words beside the bad ones don't count.
func JudgedWeights() Weights {
	var prior float64
	if e, ok := reason.Lookup(reason.Prior); ok {
		prior = e.Points
	}
	w := Weights{Prior: prior}
	w.Groups[sluice.GroupSession] = Group{Slope: 1, Low: 6, High: 12}
	w.Groups[sluice.GroupIdentity] = Group{Slope: 1, Low: 14, High: 20}
	w.Groups[sluice.GroupReputation] = Group{Slope: 1, Low: 10, High: 15}
	w.Groups[sluice.GroupStructure] = Group{Slope: 1, Low: 2, High: 12}
	w.Groups[sluice.GroupText] = Group{Slope: 1, Low: 10, High: 25}
	w.Groups[sluice.GroupLink] = Group{Slope: 1, Low: 5, High: 15}
	w.Groups[sluice.GroupAttachment] = Group{Slope: 1, Low: 1, High: 15}
	w.Groups[sluice.GroupBrand] = Group{Slope: 1, Low: 4, High: 15}
	w.Groups[sluice.GroupCampaign] = Group{Slope: 1, Low: 6, High: 25}
	w.Groups[sluice.GroupScam] = Group{Slope: 1, Low: 2, High: 15}
	w.Groups[sluice.GroupRecipient] = Group{Slope: 1, Low: 10, High: 6}
	return w
}

// Check says what is wrong with weights that come from a configuration.
func (w Weights) Check() error {
	if !finite(w.Prior) {
		return fmt.Errorf("verdict: prior %v: want a number within ±%d", w.Prior, rawLimit)
	}
	for g := range w.Groups {
		for _, x := range [...]float64{w.Groups[g].Slope, w.Groups[g].Low, w.Groups[g].High} {
			if !finite(x) || x < 0 {
				return fmt.Errorf("verdict: group %v: slope %v, low %v, high %v: want numbers from 0 to %d", sluice.Group(g), w.Groups[g].Slope, w.Groups[g].Low, w.Groups[g].High, rawLimit)
			}
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && math.Abs(x) <= rawLimit }

// DefaultWeights returns the weights that ship: [JudgedWeights] with the slopes
// and the offset of PRIOR that [Fit] made of stored mail (fitted.go, eval/fusion).
func DefaultWeights() Weights {
	w := JudgedWeights()
	w.Prior += fittedOffset
	for g, slope := range fittedSlopes() {
		w.Groups[g].Slope = slope
	}
	return w
}

// weigh is G_g of a raw sum.
func (g Group) weigh(sum float64) float64 {
	return min(max(atLeast0(g.Slope)*sum, -atLeast0(g.Low)), atLeast0(g.High))
}

// ratio is G_g/S_g, by which each raw of the group is multiplied: from 0 to the
// slope, whatever the sum.
func (g Group) ratio(sum float64) float64 {
	if sum == 0 {
		return 0
	}
	return g.weigh(sum) / sum
}

func atLeast0(x float64) float64 { return max(bounded(x), 0) }

// Sums returns S_g of each group: the sum of the raw decibel of a ledger's soft
// evidence.
func Sums(ledger []sluice.Evidence) [sluice.GroupCount]float64 {
	var sum [sluice.GroupCount]float64
	for i := range ledger {
		if e := &ledger[i]; counts(e) && e.Group != sluice.GroupPrior {
			sum[e.Group] += bounded(e.Raw)
		}
	}
	return sum
}

// Points returns the total of group sums before it is rounded.
func (w *Weights) Points(sums [sluice.GroupCount]float64) float64 {
	total := bounded(w.Prior)
	for g := range sums {
		if g != 0 && g != int(sluice.GroupPrior) {
			total += w.Groups[g].weigh(sums[g])
		}
	}
	return total
}

// Bounds returns the least and the greatest points that the ledgers together
// may still come to, whatever soft evidence is added to the groups in open.
func (w *Weights) Bounds(open []sluice.Group, ledgers ...[]sluice.Evidence) (low, high float64) {
	var sum [sluice.GroupCount]float64
	for _, ledger := range ledgers {
		for g, s := range Sums(ledger) {
			sum[g] += s
		}
	}
	var isOpen [sluice.GroupCount]bool
	for _, g := range open {
		if int(g) < sluice.GroupCount {
			isOpen[g] = true
		}
	}
	low = bounded(w.Prior)
	high = low
	for i := range w.Groups {
		switch g := w.Groups[i]; {
		case i == int(sluice.GroupPrior):
		case isOpen[i]:
			low -= atLeast0(g.Low)
			high += atLeast0(g.High)
		default:
			low += g.weigh(sum[i])
			high += g.weigh(sum[i])
		}
	}
	return low, high
}
