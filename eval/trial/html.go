package trial

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"sluice/explain"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"esc": func(s string) string { return explain.Escape(s, 300) },
	"f": func(digits int, n float64) string {
		return num(number(n), digits)
	},
}).Parse(page))

// pageData is what the template shows.
type pageData struct {
	Title  string
	Facts  []string
	When   time.Time
	Cards  []card
	Plots  []figure
	Tables []pageTable
	Lists  []exampleList
	Notes  []string
}

type card struct{ Name, Value, Beside string }

type figure struct {
	Heading, Help string
	*plot
}

type pageTable struct {
	Heading, Help string
	Head          []string
	Rows          [][]string
}

type exampleList struct {
	Heading string
	List    []Example
}

// WriteHTML writes the report as one page: no scripts, nothing fetched from
// elsewhere. Now is printed on it. Whatever the mail says is escaped.
func (r *Report) WriteHTML(w io.Writer, now time.Time) error {
	d := pageData{Title: r.title(), Facts: r.facts(), When: now.UTC(), Cards: r.cards(), Notes: r.Notes}
	if s := r.cost(); s != "" {
		d.Facts = append(d.Facts, s)
	}
	for _, f := range []figure{
		{"ROC", "Up is better; left is stricter. Bars are 95 % intervals. In the shaded part the wanted mail is too little to tell.", rocPlot(r.judged, r.Recall)},
		{"Reliability", "Dots on the dashed line are true probabilities; their size is how many messages they stand for.", reliabilityPlot(r)},
		{"Scores", "Where both colours stand over one another, the filter can't tell. Heights are square roots of shares.", histogramPlot(r.judged)},
	} {
		if f.plot != nil {
			d.Plots = append(d.Plots, f)
		}
	}
	for _, t := range r.tables() {
		p := pageTable{Heading: t.heading, Help: t.help, Head: strings.Split(t.rows[0], "\t")}
		for _, row := range t.rows[1:] {
			p.Rows = append(p.Rows, strings.Split(row, "\t"))
		}
		d.Tables = append(d.Tables, p)
	}
	for _, l := range []exampleList{{falseHeading, r.FalsePositives}, {missHeading, r.Misses}} {
		if len(l.List) > 0 {
			d.Lists = append(d.Lists, l)
		}
	}
	if err := pageTemplate.Execute(w, d); err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	return nil
}

// cards are the few figures to look at first.
func (r *Report) cards() []card {
	last := r.Runs[len(r.Runs)-1]
	out := []card{{"1-ROCA%", num(last.Area, 3), num(last.AreaLow, 3) + "–" + num(last.AreaHigh, 3)}}
	for _, p := range r.Recall[:2] {
		c := card{"caught at " + allowed(p.Allowed) + " false positives", "?", fmt.Sprintf("can't be known from %d ham", r.Ham)}
		if p.Known {
			lo, hi := p.Recall.Interval()
			c.Value, c.Beside = fmt.Sprintf("%.1f %%", 100*p.Recall.Value()), fmt.Sprintf("%.1f–%.1f", 100*lo, 100*hi)
		}
		out = append(out, c)
	}
	if held := r.held(false); held.N > 0 {
		lo, hi := held.Interval()
		out = append(out, card{"wanted mail held back", fmt.Sprintf("%.2f %%", 100*held.Value()), fmt.Sprintf("%.2f–%.2f", 100*lo, 100*hi)})
	}
	return append(out, card{"calibration error", num(r.ECE, 3), "0 is perfect"})
}

// held is the share of wanted, or unwanted, mail that the policy would have kept from
// its mailbox; of none where the filter has no policy.
func (r *Report) held(spam bool) (s Share) {
	if len(r.Actions) == 0 {
		return s
	}
	for _, j := range r.judged {
		if j.Spam == spam {
			s.N++
			s.K += btoi(j.held())
		}
	}
	return s
}
