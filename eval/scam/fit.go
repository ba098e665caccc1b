package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"sluice/check/scam"
	"sluice/eval"
	"sluice/reason"
)

// example is one labelled message, as the model sees it.
type example struct {
	features []string
	judged   float64 // what relations add to the odds of every fraud
	class    string  // of a fraud, "" for what is none
	weight   float64
	path     string // of stored mail
}

// caseWeight is the weight of a case: it stands for many messages, and the stored ham is
// mostly about other things.
const caseWeight = 4

// shipping lists the pools whose terms let weights ship (corpora/README.md), and what
// they are: all fraud in them is advance-fee fraud.
var shipping = map[string]string{
	"spamassassin/ham": "", "spamassassin/hardham": "", "lists_2019_2026/ham": "", "enron_raw/ham": "",
	"lists_2019_2026/fraud": reason.AdvanceFee, "glitchyzorua_419/fraud": reason.AdvanceFee,
}

// fitModel writes the model.
func fitModel(shared, out string, w io.Writer) error {
	list, err := examples(shared)
	if err != nil {
		return err
	}
	r := newRegression(list, append([]string{""}, scam.Classes()...))
	r.fit()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The model of what frauds ask for. Written by go run ./eval/scam -fit: %d messages.\n", len(list))
	n := r.write(&b)
	fmt.Fprintf(w, "%d features of %d messages, %d weights, %d octets\n", len(r.names), len(list), n, b.Len())
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// folds is how often heldOut fits.
const folds = 3

// heldOut tells the good mail that looks most like fraud to a model that was fitted on
// the rest.
func heldOut(shared string, w io.Writer) error {
	list, err := examples(shared)
	if err != nil {
		return err
	}
	type far struct {
		odds float64
		path string
	}
	var all []far
	for fold := range folds {
		var rest, held []example
		for i, e := range list {
			if e.path != "" && e.class == "" && i%folds == fold {
				held = append(held, e)
			} else {
				rest = append(rest, e)
			}
		}
		r := newRegression(rest, append([]string{""}, scam.Classes()...))
		r.fit()
		p := make([]float64, len(r.classes))
		for _, e := range held {
			r.odds(r.numbers(e.features), e.judged, p)
			all = append(all, far{math.Log((1 - p[0]) / p[0]), e.path})
		}
	}
	slices.SortFunc(all, func(a, b far) int { return cmp.Compare(b.odds, a.odds) })
	fmt.Fprintf(w, "%d good messages held out; the log-odds of fraud of those that came furthest:\n", len(all))
	for _, f := range all[:min(20, len(all))] {
		fmt.Fprintf(w, "%6.2f %s\n", f.odds, f.path)
	}
	return nil
}

func examples(shared string) ([]example, error) {
	var out []example
	cases, err := Cases("train")
	if err != nil {
		return nil, err
	}
	for i := range cases {
		c := &cases[i]
		e := example{weight: caseWeight}
		e.features, e.judged = scam.Sketch(c.Input(), c.ties())
		if c.Bad {
			e.class = c.Class
		}
		out = append(out, e)
	}
	root := filepath.Join(shared, "corpora")
	split, err := eval.Corpora(root)
	if err != nil {
		return nil, err
	}
	for _, e := range split {
		class, ok := shipping[e.Pool()]
		if !ok || e.Part != "train" {
			continue
		}
		raw, err := eval.ReadMail(root, &e)
		if err != nil {
			return nil, err
		}
		x := example{class: class, weight: 1, path: e.Path}
		x.features, x.judged = scam.Sketch(stored(raw), scam.Ties{})
		out = append(out, x)
	}
	return out, nil
}
