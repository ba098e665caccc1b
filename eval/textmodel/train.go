package main

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"sluice/eval"
	"sluice/learn/text"
)

// The corpora that weights may be shipped from; the others only judge.
var shipping = []string{"enron_raw", "glitchyzorua_419", "lists_2019_2026", "spamassassin"}

func trainable(e *eval.Entry) bool {
	return e.Part == "train" && e.Class() != eval.Unlabelled && slices.Contains(shipping, e.Corpus)
}

const (
	seed  = 1
	folds = 5
	// The text alone must not quarantine below this: P = 0.95 is 12.8 dB, and the
	// prior of the judge is −10 dB.
	line = 22.8
	// At the line, cross-validated, no more than this share of good mail may lie of
	// the kinds that were learned …
	worstKnown = 0.0005
	// … and of a kind that was left out of the learning.
	worstNew = 0.01
	// What models say of kinds that were left out counts this much beside what
	// they say of kinds that they know: no site's mail is all strange.
	strangeness = 0.25
	// Bounds of what the text says. The ceiling is above the line, and below what
	// rejects by 16 dB; the floor is nearer to 0, since good words are cheap to add.
	// The nearer, the less true are probabilities of good mail (judge/DESIGN.md).
	ceiling = 24
	floor   = -8.5
)

// Kinds of good mail that are left out in turn, to see how a model does on good
// mail as it has never seen.
var strangers = []string{"enron_raw/ham", hardest, "lists_2019_2026/ham"}

const (
	hardest  = "spamassassin/hardham"
	madePool = "made/ham"
	leftOut  = " (left out)"
	padded   = " (padded)"

	madeTrust = 0.2 // made-up mail gives way where real mail contradicts it
)

// outcome is the score of a mail by a model that hasn't seen its group.
type outcome struct {
	*mail
	margin float64
	new    bool // nor any other of its pool
	padded bool // bad mail behind good words
}

// train fits the weights on all mails, and the calibration on what models that
// were trained on parts of them say of the rest.
func train(w io.Writer, mails []mail) *text.Model {
	count(w, mails)
	outcomes := crossValidate(mails)
	m := text.Fit(text.Fitting{Seed: seed}, labelled(mails, func(*mail) bool { return true }))
	return m.Recalibrated(calibrate(w, m.Calibration(), outcomes))
}

func count(w io.Writer, mails []mail) {
	n := map[string]int{}
	for i := range mails {
		n[mails[i].entry.Pool()]++
	}
	for _, p := range slices.Sorted(maps.Keys(n)) {
		fmt.Fprintf(w, "%6d %s\n", n[p], p)
	}
}

func labelled(mails []mail, in func(*mail) bool) []text.Labelled {
	var out []text.Labelled
	for i := range mails {
		if m := &mails[i]; in(m) {
			l := text.Labelled{Document: m.doc, Spam: m.entry.Class() == eval.Bad, Trust: text.Trusted}
			if m.entry.Pool() == madePool {
				l.Trust = madeTrust
			}
			out = append(out, l)
		}
	}
	return out
}

// fold puts near duplicates into the same of five parts.
func fold(m *mail) int {
	h := fnv.New32a()
	h.Write([]byte(m.entry.Group))
	return int(h.Sum32() % folds)
}

// crossValidate fits a model for each fold on the other folds, and one for each
// stranger on all folds but the first, without its pool.
func crossValidate(mails []mail) []outcome {
	type job struct{ in, out func(*mail) bool }
	var jobs []job
	for k := range folds {
		jobs = append(jobs, job{
			func(m *mail) bool { return fold(m) != k },
			func(m *mail) bool { return fold(m) == k },
		})
	}
	for _, pool := range strangers {
		jobs = append(jobs, job{
			func(m *mail) bool { return fold(m) != 0 && m.entry.Pool() != pool },
			func(m *mail) bool { return m.entry.Pool() == pool },
		})
	}
	pad := newPadding(mails)
	results := make([][]outcome, len(jobs))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 2)
	for k, j := range jobs {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			model := text.Fit(text.Fitting{Seed: seed}, labelled(mails, j.in))
			for i := range mails {
				m := &mails[i]
				if !j.out(m) {
					continue
				}
				results[k] = append(results[k], outcome{mail: m, margin: model.Score(m.doc).Margin, new: k >= folds})
				if m.entry.Class() == eval.Bad {
					results[k] = append(results[k], outcome{mail: m, margin: model.Score(pad.front(i, m.doc)).Margin, padded: true})
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(results...)
}

// pool names the kind of an outcome for weighing and reporting.
func (o *outcome) pool() string {
	switch {
	case o.new:
		return o.entry.Pool() + leftOut
	case o.padded:
		return o.entry.Pool() + padded
	}
	return o.entry.Pool()
}

// calibrate fits Platt's line, every pool counting by the root of its size, and
// moves it down where it would let too much good mail over the line.
func calibrate(w io.Writer, c text.Calibration, outcomes []outcome) text.Calibration {
	by := map[string][]float64{}
	bad := map[string]bool{}
	for i := range outcomes {
		o := &outcomes[i]
		by[o.pool()] = append(by[o.pool()], o.margin)
		bad[o.pool()] = o.entry.Class() == eval.Bad
	}
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(by[b]), len(by[a])), cmp.Compare(a, b))
	})
	var points []text.Point
	var known, spam []float64 // good mail of kinds that were learned; bad mail
	least := math.Inf(-1)
	for _, name := range names {
		if name == madePool || strings.HasSuffix(name, padded) {
			continue // reported only: made mail would flatter, padding is not what mail is like
		}
		stranger := strings.HasSuffix(name, leftOut)
		weight := 1 / math.Sqrt(float64(len(by[name])))
		if stranger {
			weight *= strangeness
		}
		for _, v := range by[name] {
			points = append(points, text.Point{Margin: v, Spam: bad[name], Weight: weight})
		}
		switch {
		case bad[name]:
			spam = append(spam, by[name]...)
		case strings.HasPrefix(name, hardest):
			// A collection of the hardest cases has no honest share to be held to.
		case stranger:
			_, cut := eval.Recall(by[name], nil, worstNew)
			fmt.Fprintf(w, "margin %.3f leaves %.2f %% of %s\n", cut, 100*worstNew, name)
			least = max(least, cut)
		default:
			known = append(known, by[name]...)
		}
	}
	one, _ := eval.Recall(known, spam, 0.01)
	tenth, _ := eval.Recall(known, spam, 0.001)
	fmt.Fprintf(w, "cross-validated on known kinds: 1-ROCA%% %.3f, recall at 1 %% false positives %.3f, at 0.1 %% %.3f\n",
		eval.Area(known, spam), one.Value(), tenth.Value())
	_, cut := eval.Recall(known, nil, worstKnown)
	fmt.Fprintf(w, "margin %.3f leaves %.2f %% of good mail of known kinds\n", cut, 100*worstKnown)
	least = max(least, cut)

	c.Slope, c.Offset = text.Platt(points)
	fmt.Fprintf(w, "fitted: slope %.2f dB, offset %.2f dB, line at margin %.3f\n", c.Slope, c.Offset, (line-c.Offset)/c.Slope)
	if c.Slope*least+c.Offset > line {
		c.Slope = (line - c.Offset) / least
		fmt.Fprintf(w, "lowered: slope %.2f dB, line at margin %.3f\n", c.Slope, least)
	}
	c.Ceiling, c.Floor = ceiling, floor
	for _, name := range names {
		tag, quarantine := eval.Above(by[name], (tagAt-c.Offset)/c.Slope), eval.Above(by[name], (line-c.Offset)/c.Slope)
		fmt.Fprintf(w, "%7.3f %% over %.1f dB, %7.3f %% over %.1f dB of %d %s\n", 100*tag.Value(), tagAt, 100*quarantine.Value(), line, tag.N, name)
	}
	return c
}
