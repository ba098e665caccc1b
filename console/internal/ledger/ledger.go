// Package ledger lays a verdict out as bars that add up, for the page of a message.
package ledger

import (
	"math"
	"slices"

	"sluice"
	"sluice/explain"
	"sluice/reason"
)

// Ledger is a verdict as bars that add up: each begins where the one before it
// ended, and the last one is the total.
type Ledger struct {
	Hard    []Hard // what stands outside the sum; the one that decided is first
	Lines   []Line
	Total   Line
	Zero    float64 // where the axis of 0 points stands
	Marks   []Place
	Silent  []Line // facts without points, checks that couldn't tell or didn't run
	Unknown int    // of them, those that couldn't tell
	Adds    bool   // the printed points sum to the printed total
}

// Hard is a fact that decides alone.
type Hard struct {
	ID, Words, Detail string
	Pass, Decided     bool
}

// Line is one fact with its bar.
type Line struct {
	ID, Words, Detail, Group, Phase, State string
	Points                                 float64
	X, W                                   float64 // the bar, in hundredths of the width
	Against                                bool    // speaks against the message
	Prior                                  bool
}

// Place is where a mark stands on the drawing.
type Place struct {
	Name string
	X    float64
}

// Mark is a line across the bars.
type Mark struct {
	Name   string
	Points float64
}

// New lays a verdict out. The prior comes first, as in a sum that is begun
// with what is known of any message; the rest keeps its order.
func New(v *sluice.Verdict, marks []Mark) Ledger {
	var l Ledger
	rows := slices.Clone(v.Ledger)
	slices.SortStableFunc(rows, func(a, b sluice.Contribution) int {
		return prior(b) - prior(a)
	})
	// Tenths, as printed: then sums are exact.
	sum, low, high := 0, 0, 0
	for _, c := range rows {
		if c.Hard != sluice.Soft && c.State == sluice.Found {
			l.Hard = append(l.Hard, Hard{explain.Escape(string(c.Reason), 500), catalogued(string(c.Reason)), explain.Escape(c.Detail, 1000),
				c.Hard == sluice.HardPass, c.Reason == v.Hard})
			continue
		}
		x := Line{ID: explain.Escape(string(c.Reason), 500), Words: catalogued(string(c.Reason)), Detail: explain.Escape(c.Detail, 1000),
			Group: c.Group.String(), Phase: c.Phase.String(), State: c.State.String(), Points: c.Points,
			Against: c.Points > 0, Prior: c.Group == sluice.GroupPrior}
		p := tenths(c.Points)
		if p == 0 {
			if c.State == sluice.Unknown {
				l.Unknown++
			}
			l.Silent = append(l.Silent, x)
			continue
		}
		x.X, x.W = float64(min(sum, sum+p)), math.Abs(float64(p))
		sum += p
		low, high = min(low, sum), max(high, sum)
		l.Lines = append(l.Lines, x)
	}
	if v.Hard != "" && !slices.ContainsFunc(l.Hard, func(h Hard) bool { return h.Decided }) { // named by the verdict only
		l.Hard = append(l.Hard, Hard{explain.Escape(string(v.Hard), 500), catalogued(string(v.Hard)), "", v.HardKind == sluice.HardPass, true})
	}
	slices.SortStableFunc(l.Hard, func(a, b Hard) int {
		switch {
		case a.Decided == b.Decided:
			return 0
		case a.Decided:
			return -1
		}
		return 1
	})
	total := tenths(v.Points)
	l.Adds = sum == total
	low, high = min(low, total), max(high, total)
	l.Total = Line{Points: v.Points, X: float64(min(0, total)), W: math.Abs(float64(total)), Against: total > 0}
	l.scale(float64(low), float64(high), marks)
	return l
}

// scale turns tenths of points into places on the drawing, with some air on
// both sides. Marks that lie far outside would squeeze the bars and are left out.
func (l *Ledger) scale(low, high float64, marks []Mark) {
	air := math.Max(10, (high-low)*0.06)
	for _, m := range marks {
		if at := 10 * m.Points; at > high && at < high+math.Max(60, (high-low)/2) {
			high = at
		}
	}
	low, high = low-air, high+air
	f := 100 / (high - low)
	place := func(x *Line) { x.X, x.W = Round((x.X-low)*f), Round(math.Max(x.W*f, 0.3)) }
	for i := range l.Lines {
		place(&l.Lines[i])
	}
	place(&l.Total)
	l.Zero = Round(-low * f)
	for _, m := range marks {
		if at := 10 * m.Points; at > low && at < high {
			l.Marks = append(l.Marks, Place{m.Name, Round((at - low) * f)})
		}
	}
}

func prior(c sluice.Contribution) int {
	if c.Group == sluice.GroupPrior {
		return 1
	}
	return 0
}

func tenths(f float64) int { return int(math.Round(10 * f)) }

// Round is to hundredths, which is enough for a drawing.
func Round(f float64) float64 { return math.Round(100*f) / 100 }

// catalogued are the catalogue's words for the admin, "" for a reason it doesn't know (any
// more).
func catalogued(id string) string {
	e, _ := reason.Lookup(id)
	return e.Admin
}
