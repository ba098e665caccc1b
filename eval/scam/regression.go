package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
)

// How the model is fitted.
const (
	fewest    = 3    // messages that a feature has to stand in
	passes    = 300  // over all messages
	shrinking = 0.8  // pull of a weight to nothing
	smallest  = 0.03 // a weight below is left out
	heaviest  = 2.5  // no weight is above, so that no idea decides alone
	factual   = 1.2  // no fact's weight is above: what our cases have isn't what mail has
)

// regression is a multinomial logistic regression with a penalty on the squares of the
// weights. Class 0 is honest mail.
type regression struct {
	names   []string
	classes []string
	x       [][]int32
	y       []int
	k       []float64   // weights of the examples
	c       []float64   // what is judged of them
	w       [][]float64 // by feature, by class
}

func newRegression(list []example, classes []string) *regression {
	total, frauds := map[string]int{}, map[string]int{}
	for _, e := range list {
		for _, f := range e.features {
			total[f]++
			frauds[f] += one(e.class != "")
		}
	}
	r := &regression{names: []string{"bias"}, classes: classes}
	for _, f := range slices.Sorted(maps.Keys(total)) {
		if total[f] >= fewest && frauds[f] > 0 {
			r.names = append(r.names, f)
		}
	}
	for _, e := range list {
		r.x, r.y = append(r.x, r.numbers(e.features)), append(r.y, slices.Index(classes, e.class))
		r.k, r.c = append(r.k, e.weight), append(r.c, e.judged)
	}
	r.w = r.table()
	return r
}

// numbers are the features that are weighed.
func (r *regression) numbers(features []string) []int32 {
	out := []int32{0}
	for _, f := range features {
		if n, ok := slices.BinarySearch(r.names[1:], f); ok {
			out = append(out, int32(n+1))
		}
	}
	return out
}

func (r *regression) table() [][]float64 {
	out := make([][]float64, len(r.names))
	for i := range out {
		out[i] = make([]float64, len(r.classes))
	}
	return out
}

// fit goes down the gradient, each weight at its own rate (Duchi, Hazan and Singer
// 2011). The loss is convex.
func (r *regression) fit() {
	grad, sum := r.table(), r.table()
	p := make([]float64, len(r.classes))
	for range passes {
		for i := range r.w {
			for c := range grad[i] {
				grad[i][c] = shrinking * r.w[i][c] * float64(one(i > 0))
			}
		}
		for n, x := range r.x {
			r.odds(x, r.c[n], p)
			p[r.y[n]]--
			for _, i := range x {
				for c, v := range p {
					grad[i][c] += r.k[n] * v
				}
			}
		}
		for i := range r.w {
			for c, g := range grad[i] {
				if sum[i][c] += g * g; sum[i][c] == 0 {
					continue
				}
				r.w[i][c] -= 0.3 * g / math.Sqrt(sum[i][c])
				if i > 0 {
					most := heaviest
					if r.names[i][0] == '@' {
						most = factual
					}
					r.w[i][c] = min(max(r.w[i][c], -most), most)
				}
			}
		}
	}
}

// odds fills p with the probabilities of the classes.
func (r *regression) odds(x []int32, judged float64, p []float64) {
	for c := range p {
		p[c] = judged * float64(one(c > 0))
	}
	for _, i := range x {
		for c, w := range r.w[i] {
			p[c] += w
		}
	}
	top, sum := slices.Max(p), 0.0
	for c := range p {
		p[c] = math.Exp(p[c] - top)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
}

// write prints the model as check/scam reads it, and returns how many weights it has.
func (r *regression) write(b *bytes.Buffer) int {
	fmt.Fprint(b, "classes")
	for _, c := range r.classes[1:] {
		fmt.Fprint(b, " ", c)
	}
	fmt.Fprintln(b)
	n := 0
	for i, name := range r.names {
		var line bytes.Buffer
		for c, w := range r.w[i] {
			if math.Abs(w) >= smallest {
				fmt.Fprintf(&line, " %d:%d", c, int(math.Round(100*w)))
				n++
			}
		}
		if line.Len() > 0 {
			fmt.Fprintf(b, "%s%s\n", name, line.String())
		}
	}
	return n
}
