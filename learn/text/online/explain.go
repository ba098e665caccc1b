package online

import (
	"cmp"
	"math"
	"slices"

	"sluice/learn/text"
	"sluice/message"
)

// maxTokens bounds the words that Top tells apart; later ones are left out.
const maxTokens = 20000

// Top returns up to n words of subject and visible text that weigh most in how m
// reads the message, heaviest first, in decibel towards spam. A word is given its
// own weight and that of its pairs with the words before it, each at the first place. It
// is slower than Score and meant for what is shown to people.
func (m *Model) Top(msg *message.Message, n int) []text.Token {
	e := new(extractor)
	share := m.known.share()
	sum := map[string]float32{}
	var order []string // as first met, so that the result doesn't hang on the map
	counted := map[uint32]bool{}
	e.note = func(word []byte, slots []uint32) {
		var w float32
		for _, i := range slots {
			if !counted[i] {
				counted[i] = true
				x := m.gather(nil, []uint32{i})[0]
				w += blend(margins{x.slow, x.fast}, share)
			}
		}
		if _, ok := sum[string(word)]; !ok {
			if len(order) == maxTokens {
				return
			}
			order = append(order, string(word))
		}
		sum[string(word)] += w
	}
	f := e.extract(msg, nil)
	perUnit := float64(f.norm[viewWords]) * m.known.platt.a * 10 / math.Ln10
	out := make([]text.Token, 0, len(order))
	for _, w := range order {
		if v := float64(sum[w]) * perUnit; v != 0 {
			out = append(out, text.Token{Word: w, DB: v})
		}
	}
	slices.SortStableFunc(out, func(a, b text.Token) int { return cmp.Compare(math.Abs(b.DB), math.Abs(a.DB)) })
	return slices.Clip(out[:max(0, min(n, len(out)))])
}

// baseHalf is after how many labels, twice the rarer class, the shipped model counts half.
const baseHalf = 500

// baseLeast is what it counts at least: it knows kinds of mail that the site has not
// labelled. With none of it, a site's learner that meets another kind ranks it worse
// than the shipped model does alone; shares from 0.3 to 0.7 do about as well.
const baseLeast = 0.35

// Over lays what was learned here over the reading of the shipped model: the more
// labels of both kinds, the less the shipped one counts, down to a third. Without
// labels it is the shipped reading, unchanged. Both are in decibel; so is the result, within the
// bounds of the shipped model's calibration.
func (m *Model) Over(base text.Score, c text.Calibration, here Outcome) float64 {
	n := 2 * min(m.known.ham, m.known.spam)
	if n == 0 {
		return base.DB
	}
	k := max(math.Exp2(-float64(n)/baseHalf), baseLeast)
	return min(max(k*base.DB+(1-k)*here.DB, c.Floor), c.Ceiling)
}
