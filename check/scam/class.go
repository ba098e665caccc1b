package scam

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sluice"
)

// class is one kind of fraud.
type class struct {
	reason sluice.Reason
	// surer is stated in place of reason from surerAt on, where there is one.
	surer   sluice.Reason
	surerAt float64

	asks  []string // what it wants done: one of them has to be there
	with  []string // why, and what makes the reader hurry: speaks for the class
	facts []fact   // of those that may speak for it
	coins bool     // names the coin's address itself

	bias    float64
	weights []weight
}

type weight struct {
	feature int
	by      float64
}

// classes are all kinds, with their weights.
var classes = sync.OnceValue(func() []*class {
	list := []*class{
		paymentChange, payment, payroll, giftCard, data, channel,
		advanceFee, loan, extortion, threat, job, investment, romance,
		callback, support, refund, rental, parcelFee,
	}
	if err := load(list, weightsFile); err != nil {
		panic(err)
	}
	return list
})

// weightsFile is written by `go run ./eval/scam -fit`.
//
//go:embed weights.txt
var weightsFile string

// honest are the themes that speak against a fraud: texts that warn of it or report
// it, and ways that only the honest offer, such as a number that the reader has.
var honest = []string{"talk-of-fraud", "known-way", "routine"}

// judged are weights that no collection of mail can tell: who knows whom. They are
// in nats. A known correspondent lowers and doesn't acquit: accounts are stolen.
var judged = map[fact]float64{
	stranger: 0.5, namesake: 2.5, known: -1.5, wroteTo: -1, replyToUs: -1.5, inside: -2.5, listMail: -1.5, quotedWords: -1.5,
}

// Weigher is what a fit has to know of a class.
type Weigher struct {
	Name    string             // the reason
	Asks    []string           // themes of which one has to be there
	For     []string           // features that may only speak for it
	Against []string           // features that may only speak against it
	Judged  map[string]float64 // weights that are not fitted
}

// Weighers lists the classes for a fit.
func Weighers() []Weigher {
	var out []Weigher
	for _, c := range classes() {
		w := Weigher{Name: string(c.reason), Asks: c.asks, For: slices.Concat(c.asks, c.with), Against: slices.Clone(honest), Judged: map[string]float64{}}
		for _, f := range c.facts {
			w.For = append(w.For, factNames[f])
		}
		w.Against = append(w.Against, factNames[bulkMail], factNames[longWords])
		for f, by := range judged {
			w.Judged[factNames[f]] = by
		}
		out = append(out, w)
	}
	return out
}

// most bounds a weight, so that no phrase decides alone.
const most = 6

// load reads weights: "[REASON]", then lines of a feature and its weight in nats.
func load(list []*class, file string) error {
	var c *class
	for i, line := range strings.Split(file, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			c = nil
			for _, k := range list {
				if "["+string(k.reason)+"]" == line {
					c = k
				}
			}
			if c == nil {
				return fmt.Errorf("scam: weights.txt:%d: no class %s", i+1, line)
			}
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		by, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || c == nil || math.IsNaN(by) || math.Abs(by) > 2*most {
			return fmt.Errorf("scam: weights.txt:%d: %q is no weight", i+1, line)
		}
		if name == "bias" {
			c.bias = by
			continue
		}
		f, ok := featureIndex()[name]
		if !ok {
			return fmt.Errorf("scam: weights.txt:%d: no feature %q", i+1, name)
		}
		c.weights = append(c.weights, weight{f, by})
	}
	for _, c := range list {
		if c.bias == 0 {
			c.bias = -4 // not fitted: every weight is 2, so that an ask needs two reasons
			for _, name := range slices.Concat(c.asks, c.with) {
				if f, ok := featureIndex()[name]; ok {
					c.weights = append(c.weights, weight{f, 2})
				}
			}
			for _, name := range honest {
				if f, ok := featureIndex()[name]; ok {
					c.weights = append(c.weights, weight{f, -2})
				}
			}
		}
		for f, by := range judged {
			c.weights = append(c.weights, weight{featureIndex()[factNames[f]], by})
		}
		slices.SortFunc(c.weights, func(a, b weight) int { return a.feature - b.feature })
	}
	return nil
}
