package console

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/live"
)

// What the tables of the page show.
const (
	liveReasons  = 25
	liveNetworks = 20
	liveDialects = 15
)

type livePage struct {
	layout
	S      live.Snapshot
	Hour   bool // the chart shows the last hour, else the last day
	Self   string
	Charts []chart
	Phases []phaseBar
	Now5   live.Rate // over five seconds
	Reason []reasonRow
	More   int // reasons not shown
}

type phaseBar struct {
	Name string
	N    int64
	W    float64 // hundredths of the width
}

type reasonRow struct {
	live.Refusal
	Share float64 // of the refusals of the last hour, 0 to 1
}

func (c *Console) live(w http.ResponseWriter, r *http.Request, v *visit) {
	now := c.cfg.Clock()
	p := livePage{layout: c.layout(r.Context(), v, "live", "Live"), S: c.cfg.Port.Live(now), Hour: r.FormValue("range") != "day", Self: "/live"}
	if !p.Hour {
		p.Self = "/live?range=day"
	}
	p.Charts = charts(p.S.Minutes, p.Hour)
	p.Phases = phaseBars(p.S)
	if len(p.S.Rates) > 1 {
		p.Now5 = p.S.Rates[1]
	}
	var all uint64
	for i := range p.S.Refusals {
		all += uint64(p.S.Refusals[i].Hour)
	}
	for _, x := range p.S.Refusals[:min(len(p.S.Refusals), liveReasons)] {
		p.Reason = append(p.Reason, reasonRow{x, float64(x.Hour) / float64(max(all, 1))})
	}
	p.More = len(p.S.Refusals) - len(p.Reason)
	p.S.Networks = p.S.Networks[:min(len(p.S.Networks), liveNetworks)]
	p.S.Dialects = p.S.Dialects[:min(len(p.S.Dialects), liveDialects)]
	c.render(w, http.StatusOK, "live", &p)
}

func phaseBars(s live.Snapshot) []phaseBar {
	most := int64(1)
	for _, x := range s.Sessions {
		most = max(most, x.N)
	}
	var out []phaseBar
	for _, x := range s.Sessions {
		out = append(out, phaseBar{x.Phase.String(), x.N, round(100 * float64(x.N) / float64(most))})
	}
	return out
}

// apiLive is the snapshot; ?minutes=N cuts the series of minutes to the last N.
func (c *Console) apiLive(w http.ResponseWriter, r *http.Request, _ string) {
	s := c.cfg.Port.Live(c.cfg.Clock())
	if err := s.Cut(r.FormValue("minutes")); err != nil {
		apiError(w, http.StatusBadRequest, err.Error())
		return
	}
	apiWrite(w, http.StatusOK, s)
}

// chart is a drawing of counts per minute over time. Its paths lie in a field of
// chartWidth × chartHeight units; all else is in hundredths.
type chart struct {
	Title  string
	Areas  []area // in the order in which they are drawn
	Grid   []gridLine
	Times  []timeMark
	Slots  []slot // for the tips
	Legend []area
	W, H   int
	Empty  bool
}

type area struct {
	Name, Class string
	Path        string
	Sum         uint64 // over the time shown
}

type gridLine struct {
	Y     float64
	Label string
}

type timeMark struct {
	X     float64
	Label string
}

type slot struct {
	X, W float64
	Tip  string
}

const (
	chartWidth  = 1000
	chartHeight = 100
	dayStep     = 10 // minutes in one step of the chart of a day
)

// curve is one kind of count for each step, as a rate per minute.
type curve struct {
	name, class string
	sum         uint64
	perMinute   []float64
}

func newCurve(name, class string, step int, lists ...[]uint32) curve {
	c := curve{name: name, class: class, perMinute: make([]float64, len(lists[0])/step)}
	for _, list := range lists {
		list = list[len(list)%step:] // whole steps
		for i, n := range list {
			c.sum += uint64(n)
			c.perMinute[i/step] += float64(n) / float64(step)
		}
	}
	return c
}

// charts draw sessions, and messages stacked by what became of them: their numbers
// differ too much for one scale.
func charts(m live.Series, hour bool) []chart {
	n, step := 24*60, dayStep
	if hour {
		n, step = 60, 1
	}
	m = m.Last(n)
	sessions := []curve{newCurve("connections", "c-all", step, m.Connections), newCurve("refused before DATA", "c-refused", step, m.Refused)}
	messages := []curve{newCurve("accepted", "c-accept", step, m.Accepted, m.Tagged), newCurve("quarantined", "c-quarantine", step, m.Quarantined),
		newCurve("rejected at the dot", "c-reject", step, m.Rejected)}
	return []chart{newChart("Sessions per minute", m.End, step, sessions, false), newChart("Messages per minute", m.End, step, messages, true)}
}

func newChart(title string, end time.Time, step int, curves []curve, stacked bool) chart {
	c := chart{Title: title, W: chartWidth, H: chartHeight, Empty: true}
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
		a := area{cv.name, cv.class, steps(tops[i], scale), cv.sum}
		c.Legend = append(c.Legend, a)
		c.Areas = append(c.Areas, a)
	}
	if stacked { // the highest edge first: the others lie upon it
		for i, j := 0, len(c.Areas)-1; i < j; i, j = i+1, j-1 {
			c.Areas[i], c.Areas[j] = c.Areas[j], c.Areas[i]
		}
	}
	c.Grid = []gridLine{{0, number(scale)}, {50, number(scale / 2)}, {100, "0"}}
	span := time.Duration(step) * time.Minute
	first := end.Add(-time.Duration(n) * span)
	for j := range n {
		var tip strings.Builder
		fmt.Fprintf(&tip, "%s:", first.Add(time.Duration(j)*span).Local().Format("15:04"))
		for i, cv := range curves {
			if i > 0 {
				tip.WriteByte(',')
			}
			fmt.Fprintf(&tip, " %s %s", number(cv.perMinute[j]), cv.name)
		}
		if j == n-1 {
			tip.WriteString(" so far")
		}
		c.Slots = append(c.Slots, slot{round(100 * float64(j) / float64(n)), round(100 / float64(n)), tip.String()})
	}
	c.Times = timeMarks(first.Local(), end.Local())
	return c
}

// timeMarks name round times: every ten minutes of an hour, every four hours of a day.
func timeMarks(first, end time.Time) []timeMark {
	span := end.Sub(first)
	gap := 4 * time.Hour
	if span <= time.Hour {
		gap = 10 * time.Minute
	}
	midnight := time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, first.Location())
	var out []timeMark
	for t := midnight; t.Before(end); t = t.Add(gap) {
		if x := 100 * float64(t.Sub(first)) / float64(span); x >= 2 && x <= 98 {
			out = append(out, timeMark{round(x), t.Format("15:04")})
		}
	}
	return out
}

// steps is an area under a staircase.
func steps(tops []float64, scale float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %d", chartHeight)
	for i, v := range tops {
		// Where the height stays, the line goes on.
		if i == 0 || v != tops[i-1] {
			fmt.Fprintf(&b, "H%gV%g", round(chartWidth*float64(i)/float64(len(tops))), round(chartHeight*(1-v/scale)))
		}
	}
	fmt.Fprintf(&b, "H%dV%dZ", chartWidth, chartHeight)
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

// number prints a rate with as many digits as say something.
func number(v float64) string {
	switch {
	case v == math.Trunc(v) || v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v < 0.1:
		return "< 0.1"
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}
