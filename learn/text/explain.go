package text

import (
	"cmp"
	"math"
	"slices"
)

// Token is a word and what it brought to a score.
type Token struct {
	Word string  // normalised; hostile, escape before showing
	DB   float64 // decibel, positive towards spam
}

// maxTokenWords bounds the words that Top tells apart; later ones are left out.
const maxTokenWords = 20000

// Top returns up to n words that weigh most in the score of d, heaviest first.
// The weight of each feature is given to the word that it ends in: byte 5-grams,
// the word itself, its pair with the word before. Where a part of the text decided,
// only its words count. It is slower than Score and meant for what is shown to people.
func (m *Model) Top(d *Document, n int) []Token {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.extract(d)
	score := m.score(s)
	if score.Features == 0 || n <= 0 {
		return nil
	}
	from, to := score.From, score.To
	if from == to {
		from, to = 0, len(s.text)
	}
	words := m.wordWeights(s, from, to)
	// Each different feature counts once in a sum that is divided by the root of
	// their number.
	perStep := m.unit * m.cal.Slope / math.Sqrt(float64(max(words.features, 1)))
	out := make([]Token, 0, len(words.sum))
	for _, w := range words.order {
		if v := float64(words.sum[w]) * perStep; v != 0 {
			out = append(out, Token{w, v})
		}
	}
	slices.SortStableFunc(out, func(a, b Token) int { return cmp.Compare(math.Abs(b.DB), math.Abs(a.DB)) })
	return slices.Clip(out[:min(n, len(out))])
}

type wordWeights struct {
	sum      map[string]float64
	order    []string // as first met, so that the result doesn't hang on the map
	features int
}

// wordWeights walks the words of text[from:to] and gives each the weights of the
// features that end in it, every feature at its first place only.
func (m *Model) wordWeights(s *scratch, from, to int) wordWeights {
	s.tick(1)
	s.clock++
	out := wordWeights{sum: make(map[string]float64, min(len(s.marks)/2, 1000))}
	for k := 1; k < len(s.marks); k++ {
		w := s.marks[k]
		if int(w.from) < from || int(w.to) > to {
			continue
		}
		sum := 0
		for _, i := range s.index[s.marks[k-1].features:w.features] {
			if s.stamp[i] != s.clock {
				s.stamp[i] = s.clock
				sum += int(m.weights[i])
				out.features++
			}
		}
		text := s.text[w.from:w.to]
		if _, ok := out.sum[string(text)]; !ok {
			if len(out.order) == maxTokenWords {
				continue
			}
			out.order = append(out.order, string(text))
		}
		out.sum[string(text)] += float64(sum)
	}
	return out
}
