package scam

import (
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// modelFile is written by `go run ./eval/scam -fit`: the classes, then a line for each
// feature with its weights, in hundredths of a nat, by class number; 0 is honest mail.
// A feature is an idea, two of them with "+", a theme in brackets, or a fact.
//
//go:embed model.txt
var modelFile string

// shippedModel is the model that ships.
var shippedModel = sync.OnceValue(func() *model {
	m, err := loadModel(modelFile, shipped())
	if err != nil {
		panic(err)
	}
	return m
})

// maxClasses bounds the kinds of fraud, with honest mail.
const maxClasses = 32

// maxWeight bounds a weight, in nats.
const maxWeight = 10

// model is a multinomial logistic regression over ideas, pairs of ideas in one
// sentence, themes of the lexicon and facts. It knows no word but through an idea or a
// theme, so that it holds in other words and languages than it was fitted on.
type model struct {
	classes []*class // nil is honest mail, the first
	votes   []vote
	bias    span
	idea    [mostIdeas]span
	known   [mostIdeas]ideaSet // by the first idea of a pair: the second ones
	pair    [mostIdeas][]span  // in the order of known
	own     []span             // by number of the theme or fact
}

// vote is one weight, in nats.
type vote struct {
	class int32
	by    float32
}

// span is where the votes of a feature stand.
type span struct{ from, to uint16 }

// scores are log-odds by class, but for a constant.
type scores [maxClasses]float32

// score weighs a sketch, and themes and facts by number.
func (m *model) score(sk *sketch, values []float64) *scores {
	s := &scores{}
	m.each(sk, values, func(at span) {
		for _, v := range m.votes[at.from:at.to] {
			s[v.class] += v.by
		}
	})
	return s
}

// each calls f for the features that are there.
func (m *model) each(sk *sketch, values []float64, f func(span)) {
	f(m.bias)
	for i := range sk.ideas.all() {
		f(m.idea[i])
		met := sk.with[i]
		for w := range met {
			met[w] &= m.known[i][w]
		}
		for j := range met.all() {
			f(m.pair[i][m.rank(i, j)])
		}
	}
	for i, v := range values {
		if v != 0 {
			f(m.own[i])
		}
	}
}

// rank is the place of the pair i, j among those of i.
func (m *model) rank(i, j int) int {
	n := 0
	for w := range j / 64 {
		n += bits.OnesCount64(m.known[i][w])
	}
	return n + bits.OnesCount64(m.known[i][j/64]&(1<<(j%64)-1))
}

// best is the class of fraud that fits best, and the log-odds of fraud of any kind.
func (m *model) best(s *scores) (class int, odds float64) {
	class = 1
	for c := 2; c < len(m.classes); c++ {
		if s[c] > s[class] {
			class = c
		}
	}
	sum := 0.0
	for c := 1; c < len(m.classes); c++ {
		sum += math.Exp(float64(s[c] - s[class]))
	}
	return class, float64(s[class]-s[0]) + math.Log(sum)
}

// loadModel reads a model for a lexicon.
func loadModel(file string, l *lexicon) (*model, error) {
	m := &model{own: make([]span, len(l.themes)+int(factCount))}
	pairs := map[[2]int]span{}
	for i, line := range strings.Split(file, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		if fields[0] == "classes" {
			m.classes = []*class{nil}
			for _, name := range fields[1:] {
				at := slices.IndexFunc(classes, func(c *class) bool { return string(c.name()) == name })
				if at < 0 || len(m.classes) == maxClasses {
					return nil, fmt.Errorf("scam: model:%d: no class %q", i+1, name)
				}
				m.classes = append(m.classes, classes[at])
			}
			continue
		}
		at := span{from: uint16(len(m.votes))}
		for _, f := range fields[1:] {
			class, weight, _ := strings.Cut(f, ":")
			c, err := strconv.Atoi(class)
			by, err2 := strconv.Atoi(weight)
			if err != nil || err2 != nil || c < 0 || c >= len(m.classes) || max(by, -by) > 100*maxWeight || len(m.votes) == math.MaxUint16 {
				return nil, fmt.Errorf("scam: model:%d: %q is no weight", i+1, f)
			}
			m.votes = append(m.votes, vote{int32(c), float32(by) / 100})
		}
		at.to = uint16(len(m.votes))
		if !m.place(fields[0], at, l, pairs) {
			return nil, fmt.Errorf("scam: model:%d: no feature %q", i+1, fields[0])
		}
	}
	if len(m.classes) < 2 {
		return nil, fmt.Errorf("scam: model: no classes")
	}
	for a := range m.known {
		for b := range m.known[a].all() {
			m.pair[a] = append(m.pair[a], pairs[[2]int{a, b}])
		}
	}
	return m, nil
}

// place puts the votes of a feature where they are looked for; false for a feature that
// doesn't exist.
func (m *model) place(name string, at span, l *lexicon, pairs map[[2]int]span) bool {
	first, second, pair := strings.Cut(name, "+")
	theme := slices.Index(l.themes, strings.Trim(name, "[]"))
	a, b := slices.Index(l.ideas, first), slices.Index(l.ideas, second)
	switch {
	case name == "bias":
		m.bias = at
	case name[0] == '[' && theme >= 0:
		m.own[theme] = at
	case slices.Contains(factNames[:], name):
		m.own[len(l.themes)+slices.Index(factNames[:], name)] = at
	case a >= 0 && !pair:
		m.idea[a] = at
	case a >= 0 && b > a:
		pairs[[2]int{a, b}] = at
		m.known[a][b/64] |= 1 << (b % 64)
	default:
		return false
	}
	return true
}

// features lists what a model may weigh.
func (l *lexicon) features(sk *sketch, values []float64) []string {
	var out []string
	for i := range sk.ideas.all() {
		out = append(out, l.ideas[i])
		for j := range sk.with[i].all() {
			if j > i {
				out = append(out, l.ideas[i]+"+"+l.ideas[j])
			}
		}
	}
	for i, v := range values {
		switch f := i - len(l.themes); {
		case v == 0:
		case f < 0:
			out = append(out, "["+l.themes[i]+"]")
		case judged[fact(f)] == 0:
			out = append(out, factNames[f])
		}
	}
	return out
}

// reasonFor is a feature that was found, and how much more it speaks for a class than
// for honest mail.
type reasonFor struct {
	name string
	by   float32
}

// why lists the features that speak most for a class: the longest list is most.
func (m *model) why(l *lexicon, sk *sketch, values []float64, class, most int) []reasonFor {
	names := map[span]string{}
	for i, s := range l.ideas {
		names[m.idea[i]] = s
		for j := range m.known[i].all() {
			names[m.pair[i][m.rank(i, j)]] = s + "+" + l.ideas[j]
		}
	}
	for i, at := range m.own {
		names[at] = features()[i]
	}
	var out []reasonFor
	m.each(sk, values, func(at span) {
		r := reasonFor{name: names[at]}
		for _, v := range m.votes[at.from:at.to] {
			switch int(v.class) {
			case class:
				r.by += v.by
			case 0:
				r.by -= v.by
			}
		}
		if r.by > 0 && at != m.bias {
			out = append(out, r)
		}
	})
	slices.SortStableFunc(out, func(a, b reasonFor) int { return cmp.Compare(b.by, a.by) })
	return out[:min(most, len(out))]
}
