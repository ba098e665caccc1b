// Package chart draws counts over time as SVG paths. It knows no colours and no words
// but those it is given, and nothing that strangers write.
package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Chart is a drawing of rates over time. Its paths lie in a field of Width × Height
// units; all else is in hundredths.
type Chart struct {
	Title  string
	Areas  []Area // in the order in which they are drawn
	Grid   []Line
	Times  []Mark
	Slots  []Slot // for the tips
	Legend []Area
	W, H   int
	Empty  bool // nothing was counted
}

// Area is one kind of count.
type Area struct {
	Name, Class string
	Path        string
	Sum         uint64 // over the time shown
}

// Line is a line of the grid.
type Line struct {
	Y     float64
	Label string
}

// Mark is a time on the axis.
type Mark struct {
	X     float64
	Label string
}

// Slot is a span of time that says what happened in it.
type Slot struct {
	X, W float64
	Tip  string
}

// The size of the field.
const (
	Width  = 1000
	Height = 100
)

// Curve is one kind of count for each step, as a rate per minute.
type Curve struct {
	name, class string
	sum         uint64
	perMinute   []float64
}

// NewCurve sums lists of counts per minute, which have the same length, in steps of so
// many minutes.
func NewCurve(name, class string, step int, lists ...[]uint32) Curve {
	c := Curve{name: name, class: class, perMinute: make([]float64, len(lists[0])/step)}
	for _, list := range lists {
		list = list[len(list)%step:] // whole steps
		for i, n := range list {
			c.sum += uint64(n)
			c.perMinute[i/step] += float64(n) / float64(step)
		}
	}
	return c
}

// New draws curves of the same length; the last step ends at a time and isn't over. They
// lie upon each other where stacked, else one before the other.
func New(title string, end time.Time, step int, curves []Curve, stacked bool) Chart {
	c := Chart{Title: title, W: Width, H: Height, Empty: true}
	n := len(curves[0].perMinute)
	if n == 0 {
		return c
	}
	tops := make([][]float64, len(curves)) // the upper edge of each
	most := 0.0
	for i, cv := range curves {
		tops[i] = make([]float64, n)
		for j, v := range cv.perMinute {
			if tops[i][j] = v; stacked && i > 0 {
				tops[i][j] += tops[i-1][j]
			}
			most = max(most, tops[i][j])
		}
		c.Empty = c.Empty && cv.sum == 0
	}
	scale := nice(most)
	for i, cv := range curves {
		a := Area{cv.name, cv.class, steps(tops[i], scale), cv.sum}
		c.Legend = append(c.Legend, a)
		c.Areas = append(c.Areas, a)
	}
	if stacked { // the highest edge first: the others lie upon it
		slices.Reverse(c.Areas)
	}
	c.Grid = []Line{{0, Number(scale)}, {50, Number(scale / 2)}, {100, "0"}}
	span := time.Duration(step) * time.Minute
	first := end.Add(-time.Duration(n) * span)
	for j := range n {
		var tip strings.Builder
		fmt.Fprintf(&tip, "%s:", first.Add(time.Duration(j)*span).Local().Format("15:04"))
		for i, cv := range curves {
			if i > 0 {
				tip.WriteByte(',')
			}
			fmt.Fprintf(&tip, " %s %s", Number(cv.perMinute[j]), cv.name)
		}
		if j == n-1 {
			tip.WriteString(" so far")
		}
		c.Slots = append(c.Slots, Slot{round(100 * float64(j) / float64(n)), round(100 / float64(n)), tip.String()})
	}
	c.Times = marks(first.Local(), end.Local())
	return c
}

// marks name round times: every ten minutes of an hour, every four hours of a day.
func marks(first, end time.Time) []Mark {
	span := end.Sub(first)
	gap := 4 * time.Hour
	if span <= time.Hour {
		gap = 10 * time.Minute
	}
	midnight := time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, first.Location())
	var out []Mark
	for t := midnight; t.Before(end); t = t.Add(gap) {
		if x := 100 * float64(t.Sub(first)) / float64(span); x >= 2 && x <= 98 {
			out = append(out, Mark{round(x), t.Format("15:04")})
		}
	}
	return out
}

// steps is an area under a staircase.
func steps(tops []float64, scale float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %d", Height)
	for i, v := range tops {
		// Where the height stays, the line goes on.
		if i == 0 || v != tops[i-1] {
			fmt.Fprintf(&b, "H%gV%g", round(Width*float64(i)/float64(len(tops))), round(Height*(1-v/scale)))
		}
	}
	fmt.Fprintf(&b, "H%dV%dZ", Width, Height)
	return b.String()
}

// nice is the next of 2, 4, 10, 20, 40, 100 … that isn't less.
func nice(v float64) float64 {
	if !(v > 2) {
		return 2
	}
	ten := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range [...]float64{1, 2, 4, 10} {
		if v <= f*ten {
			return f * ten
		}
	}
	return v
}

// Number prints a rate with as many digits as say something.
func Number(v float64) string {
	switch {
	case v == math.Trunc(v) || v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v < 0.1:
		return "< 0.1"
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func round(f float64) float64 { return math.Round(100*f) / 100 }
