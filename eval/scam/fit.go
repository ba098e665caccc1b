package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/check/scam"
	"sluice/eval"
	"sluice/reason"
)

// example is one labelled message.
type example struct {
	values map[string]float64
	class  string // of a fraud, "" for what is none
	weight float64
}

// Weights of the examples. A case stands for many messages, and the stored ham is
// mostly about other things; frauds of another class only help to tell classes apart.
const (
	caseWeight  = 4
	otherWeight = 0.5
)

// shipping lists the pools whose terms let weights ship (corpora/README.md), and what
// they are: all fraud in them is advance-fee fraud.
var shipping = map[string]string{
	"spamassassin/ham": "", "spamassassin/hardham": "", "lists_2019_2026/ham": "", "enron_raw/ham": "",
	"lists_2019_2026/fraud": reason.AdvanceFee, "glitchyzorua_419/fraud": reason.AdvanceFee,
}

func fitAll(shared, out string, w io.Writer) error {
	list, err := examples(shared)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Weights of the classes of fraud, in nats. Written by go run ./eval/scam -fit: %d messages.\n", len(list))
	for _, c := range scam.Weighers() {
		f := newFit(c, list)
		f.descend()
		f.write(&b)
		fmt.Fprintf(w, "%s: %d of its frauds, %d have no ask; %d others with an ask\n", c.Name, f.mine, f.silent, f.others)
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

func examples(shared string) ([]example, error) {
	var out []example
	cases, err := Cases("train")
	if err != nil {
		return nil, err
	}
	for i := range cases {
		c := &cases[i]
		e := example{values: values(scam.Read(c.Input(), c.ties())), weight: caseWeight}
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
		out = append(out, example{values(scam.Read(stored(raw), scam.Ties{})), class, 1})
	}
	return out, nil
}

func values(r *scam.Reading) map[string]float64 {
	m := map[string]float64{}
	for _, f := range r.Features() {
		m[f.Name] = f.Value
	}
	return m
}

// fit is a logistic regression with bounds: what is a sign of fraud may not come to
// speak against it by chance, and each weight is drawn to a judged one, so that a
// phrase that no example has is worth something.
type fit struct {
	class scam.Weigher
	names []string
	w     []float64
	prior []float64
	low   []float64
	high  []float64

	x [][]float64
	y []float64
	k []float64 // weights of examples
	c []float64 // what judged weights add

	mine, silent, others int
}

// Bounds, and how hard weights are drawn to their prior.
const (
	highest = 3.5
	pull    = 1.0
)

func newFit(c scam.Weigher, list []example) *fit {
	f := &fit{class: c}
	f.add("bias", -2.5, -9, -0.5)
	for _, n := range c.For {
		p := 1.5
		if strings.HasPrefix(n, "@") {
			p = 0.5
		}
		f.add(n, p, 0, highest)
	}
	for _, n := range c.Against {
		f.add(n, -1, -highest, 0)
	}
	for _, e := range list {
		asks := slices.ContainsFunc(c.Asks, func(a string) bool { return e.values[a] != 0 })
		mine := e.class != "" && (e.class == c.Name || e.class == reason.AdvanceFee && c.Name == reason.AdvanceFeeHint)
		f.mine += one(mine)
		if !asks {
			f.silent += one(mine)
			continue
		}
		f.others += one(!mine)
		x := make([]float64, len(f.names))
		x[0] = 1
		for i, n := range f.names[1:] {
			x[i+1] = e.values[n]
		}
		fixed, k := 0.0, e.weight
		for n, by := range c.Judged {
			fixed += by * e.values[n]
		}
		if e.class != "" && !mine {
			k *= otherWeight / caseWeight
		}
		f.x, f.y, f.k, f.c = append(f.x, x), append(f.y, float64(one(mine))), append(f.k, k), append(f.c, fixed)
	}
	return f
}

func (f *fit) add(name string, prior, low, high float64) {
	f.names, f.w = append(f.names, name), append(f.w, prior)
	f.prior, f.low, f.high = append(f.prior, prior), append(f.low, low), append(f.high, high)
}

// descend goes down the gradient. The loss is convex, so where it starts doesn't
// matter.
func (f *fit) descend() {
	total := 1.0
	for _, k := range f.k {
		total += k
	}
	const passes = 4000
	grad := make([]float64, len(f.w))
	for pass := range passes {
		for i := range grad {
			grad[i] = pull * (f.w[i] - f.prior[i])
		}
		for n, x := range f.x {
			z := f.c[n]
			for i, v := range x {
				z += v * f.w[i]
			}
			d := f.k[n] * (1/(1+math.Exp(-z)) - f.y[n])
			for i, v := range x {
				if v != 0 {
					grad[i] += d * v
				}
			}
		}
		rate := 1.5 / (total + 10) * (1 - 0.5*float64(pass)/passes)
		rate = max(rate, 0.002)
		for i := range f.w {
			f.w[i] = min(max(f.w[i]-rate*grad[i], f.low[i]), f.high[i])
		}
	}
}

func (f *fit) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n[%s]\n", f.class.Name)
	by := map[string]float64{}
	for i, n := range f.names {
		by[n] = f.w[i]
	}
	fmt.Fprintf(b, "bias %.2f\n", by["bias"])
	delete(by, "bias")
	for _, n := range slices.Sorted(maps.Keys(by)) {
		if math.Abs(by[n]) >= 0.005 {
			fmt.Fprintf(b, "%s %.2f\n", n, by[n])
		}
	}
}
