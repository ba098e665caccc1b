package trial

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"sluice/eval"
	"sluice/eval/trec"
	"sluice/explain"
)

// table is a part of the report, the same on a terminal and on a page. Rows hold
// cells with tabs between them; the first is the head.
type table struct {
	heading string
	help    string // how to read it, for the page
	rows    []string
}

// tables are those of the report that have anything to say, in order.
func (r *Report) tables() []table {
	var out []table
	for _, t := range []table{r.passes(), r.recall(), r.bad(), r.good(), r.years(), r.unique(), r.policy(), r.disguises(), r.calibration()} {
		if len(t.rows) > 1 {
			out = append(out, t)
		}
	}
	return out
}

// writer writes for a terminal; the first error stays.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) f(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.w, format, args...)
	}
}

func (w *writer) table(x table) {
	if len(x.rows) < 2 {
		return
	}
	w.f("\n%s\n\n", x.heading)
	t := tabwriter.NewWriter(w.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range x.rows {
		fmt.Fprintln(t, "  "+r+"\t")
	}
	if err := t.Flush(); w.err == nil {
		w.err = err
	}
}

// WriteText writes the report as tables for a terminal.
func (r *Report) WriteText(out io.Writer) error {
	w := &writer{w: out}
	w.f("%s\n", r.title())
	for _, s := range r.facts() {
		w.f("%s\n", s)
	}
	for _, t := range r.tables() {
		w.table(t)
	}
	if s := r.cost(); s != "" {
		w.f("\n%s\n", s)
	}
	w.examples(falseHeading, r.FalsePositives)
	w.examples(missHeading, r.Misses)
	w.notes(r.Notes)
	return w.err
}

const (
	falseHeading = "False positives: wanted mail that reads worst"
	missHeading  = "Misses: unwanted mail that reads best"
)

func (r *Report) cost() string {
	c := r.Cost
	if c == (Cost{}) {
		return ""
	}
	return fmt.Sprintf("Cost: %.2f ms of one processor to read a message and find what is in it, %.2f ms to judge it%s.", c.Read, c.Judge, r.andLearn())
}

func (r *Report) andLearn() string {
	if r.Learns && r.Trained == 0 {
		return " and learn from it"
	}
	return ""
}

// title says what was judged.
func (r *Report) title() string {
	return fmt.Sprintf("Filter %s on %s: %d wanted, %d unwanted messages", r.Filter, explain.Escape(r.Source, 200), r.Ham, r.Spam)
}

// facts says in sentences how it was judged.
func (r *Report) facts() []string {
	var out []string
	f := r.Feedback
	switch {
	case r.Trained > 0 && r.Learns:
		out = append(out, fmt.Sprintf("Learned %d other messages first, and nothing of these.", r.Trained))
	case !r.Learns:
		out = append(out, "It learns nothing from these messages, so that their order doesn't matter.")
	default:
		s := fmt.Sprintf("Each message is judged before its label is told; order: %s. ", r.Order)
		switch {
		case f.Delay == 0 && (f.Share == 1 || f.Share == 0) && f.Noise == 0:
			s += "Every label comes at once and is right."
		default:
			share := f.Share
			if share == 0 {
				share = 1
			}
			s += fmt.Sprintf("Labels come after %d messages, for %.0f %%, and %.0f %% of them are wrong.", f.Delay, 100*share, 100*f.Noise)
		}
		out = append(out, s)
	}
	if r.NotMail+r.Unreadable > 0 {
		out = append(out, fmt.Sprintf("Left out: files that are no mail: %d; messages that could not be read: %d.", r.NotMail, r.Unreadable))
	}
	return out
}

func (r *Report) passes() table {
	rows := []string{"seed\tlabels\t1-ROCA%\t95 %\th=.1 %\tlam %\tham with P ≥ ½\tspam with P < ½\tECE"}
	for _, p := range r.Runs {
		rows = append(rows, fmt.Sprintf("%d\t%d\t%s\t%s–%s\t%s\t%s\t%s %%\t%s %%\t%s", p.Seed, p.Labels, num(p.Area, 4), num(p.AreaLow, 4), num(p.AreaHigh, 4),
			r.miss(p.Miss), num(p.Lam, 2), num(p.HamMiss, 2), num(p.SpamMiss, 2), num(p.ECE, 4)))
	}
	if len(r.Runs) > 1 {
		rows = append(rows, fmt.Sprintf("mean\t\t%s\t\t%s\t%s\t\t\t", num(r.Area, 4), r.miss(r.Miss), num(r.Lam, 2)))
	}
	return table{"Ranking", "1-ROCA% is how often, in a hundred, an unwanted message ranks below a wanted one; its interval is of the last digits. h=.1 % is the unwanted mail missed where one wanted message in a thousand is lost. lam % averages both errors at P = ½.", rows}
}

// miss is h=.1 %, which less than 1,000 ham can't tell.
func (r *Report) miss(n number) string {
	if r.Ham < 1000 {
		return "?"
	}
	return num(n, 2)
}

// num prints a number, and "?" for one that isn't known.
func num(n number, digits int) string {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return "?"
	}
	return fmt.Sprintf("%.*f", digits, float64(n))
}

// text is a share with its interval.
func (s Share) text() string {
	if s.N == 0 {
		return "?"
	}
	lo, hi := s.Interval()
	return fmt.Sprintf("%.3f (%.3f–%.3f)", s.Value(), lo, hi)
}

// percent is the same in hundredths.
func (s Share) percent() string {
	if s.N == 0 {
		return "?"
	}
	lo, hi := s.Interval()
	return fmt.Sprintf("%.2f %% (%.2f–%.2f)", 100*s.Value(), 100*lo, 100*hi)
}

// allowed names a rate of false positives.
func allowed(fp float64) string { return fmt.Sprintf("%g %%", 100*fp) }

func (r *Report) recall() table {
	return table{"How much unwanted mail is caught, by how many false positives are allowed",
		"The threshold lets through no more false positives than allowed in this mail. The last column says what it may cost in other mail of the same kind.", pointRows(r.Recall, r.Ham)}
}

func pointRows(points []Point, ham int) []string {
	rows := []string{"allowed\tcaught (95 %)\tscore above\tfalse positives there (95 %)"}
	for _, p := range points {
		if p.Known {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", allowed(p.Allowed), p.Recall.text(), num(p.Threshold, 3), p.False.percent()))
		} else {
			rows = append(rows, fmt.Sprintf("%s\tcan't be known from %d ham\t\t", allowed(p.Allowed), ham))
		}
	}
	return rows
}

// short is a point's share, or "?".
func (p Point) short() string {
	if !p.Known {
		return "?"
	}
	return p.Recall.text()
}

func name(s string) string { return explain.Escape(s, 60) }

func (r *Report) bad() table {
	rows := []string{"unwanted\tn\tagainst ham of\tn\tAUC\tcaught at 1 % (95 %)\tat 0.1 % (95 %)\tP ≥ ½"}
	for _, b := range r.Bad {
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%d\t%s\t%s\t%s\t%.3f", name(b.Pool), b.Half.N, name(b.Against), b.Ham, num(b.AUC, 4),
			b.Points[0].short(), b.Points[1].short(), b.Half.Value()))
	}
	return table{"Unwanted mail by corpus", "Against the wanted mail of the same corpus where it has enough, else against all.", rows}
}

func (r *Report) good() table {
	rows := []string{"wanted\tn\tP ≥ ½ (95 %)\tabove the threshold of 1 %\tof 0.1 %"}
	for _, g := range r.Good {
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%s", name(g.Pool), g.Half.N, g.Half.percent(), g.Above[0].percent(), g.Above[1].percent()))
	}
	return table{"Wanted mail by corpus", "Which wanted mail the false positives are.", rows}
}

func (r *Report) years() table {
	rows := []string{"unwanted\tyear\tn\tcaught at 1 % (95 %)"}
	for _, y := range r.Years {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%s", name(y.Pool), year(y.Year), y.Recall.N, y.Recall.text()))
	}
	return table{"Unwanted mail by year", "", rows}
}

func year(y int) string {
	if y == 0 {
		return "others"
	}
	return fmt.Sprint(y)
}

func (r *Report) unique() table {
	t := r.Templates
	if t == nil {
		return table{}
	}
	return table{fmt.Sprintf("Each text once: %d wanted, %d unwanted; 1-ROCA%% %s", t.Ham, t.Spam, num(t.Area, 4)),
		"Only the first of each group of near duplicates counts: what no label of a copy has helped with.", pointRows(t.Recall, t.Ham)}
}

// actionNames are columns; the rest is "other".
var actionNames = []string{"accept", "tag", "quarantine", "reject"}

func (r *Report) policy() table {
	rows := []string{"pool\tn\taccept\ttag\tquarantine\treject\tother\theld back (95 %)"}
	for _, a := range r.Actions {
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s", name(a.Pool), a.N, strings.Join(a.cells(), "\t"), a.Held.percent()))
	}
	return table{"What the policy would have done", "Held back is what would not have reached its mailbox.", rows}
}

// cells are the counts of actionNames, and of the rest.
func (a ActionRow) cells() []string {
	var out []string
	other := a.N
	for _, n := range actionNames {
		out = append(out, fmt.Sprint(a.Count[n]))
		other -= a.Count[n]
	}
	return append(out, fmt.Sprint(other))
}

func (r *Report) disguises() table {
	rows := []string{"trick\tcaught at 1 %\tof what is caught without"}
	for _, e := range r.Evasion {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s %%", e.Trick, num(e.Recall, 3), num(100*e.OfClean, 1)))
	}
	return table{"In disguise", "Unwanted mail is written anew under its own header with each trick, as plain text where the trick needs no other; what learns has learned other mail of the same kind.", rows}
}

func (r *Report) calibration() table {
	rows := []string{"n\tstated P\tunwanted among them (95 %)"}
	for _, b := range r.Bins {
		if b.N > 0 {
			rows = append(rows, fmt.Sprintf("%d\t%.3f\t%s", b.N, b.Mean, binShare(b).text()))
		}
	}
	return table{fmt.Sprintf("Are the probabilities true? Expected calibration error %s, Brier score %s", num(r.ECE, 4), num(r.Brier, 4)),
		"Of messages said to be unwanted with P 0.9, nine in ten should be.", rows}
}

// binShare is how many of a bin were unwanted.
func binShare(b trec.Bin) Share {
	return Share{eval.Rate{K: int(math.Round(b.Spam * float64(b.N))), N: b.N}}
}

func (w *writer) examples(heading string, all []Example) {
	if len(all) == 0 {
		return
	}
	w.f("\n%s\n\n", heading)
	for _, e := range all {
		w.f("  %9s  P %.4f  %-10s  %s\n", num(e.Score, 2), e.P, e.Action, explain.Escape(e.ID, 200))
		if e.Subject != "" {
			w.f("             Subject: %s\n", explain.Escape(e.Subject, 120))
		}
		if e.Why != "" {
			w.f("             %s\n", explain.Escape(e.Why, 200))
		}
	}
}

func (w *writer) notes(notes []string) {
	for i, n := range notes {
		if i == 0 {
			w.f("\n")
		}
		w.f("Note: %s\n", n)
	}
}

// WriteText writes the tables for a terminal.
func (l *LeaveOut) WriteText(out io.Writer) error {
	w := &writer{w: out}
	w.f("Filter %s, each corpus judged by what the others taught\n", l.Filter)
	caught := table{heading: "Unwanted mail of an unseen corpus against known kinds of wanted mail: what is caught",
		rows: []string{"left out\tn\ttrained on\tAUC\tabove 1 % of known ham (95 %)\tabove 0.1 %\tP ≥ ½"}}
	own := table{heading: "The same against wanted mail of the same unseen corpus",
		rows: []string{"left out\tn\town ham\tAUC\tcaught at 1 % (95 %)\tat 0.1 % (95 %)"}}
	lost := table{heading: "Wanted mail of an unseen corpus: false positives",
		rows: []string{"left out\tn\ttrained on\tabove 1 % of known ham (95 %)\tabove 0.1 %\tP ≥ ½"}}
	for _, x := range l.Rows {
		if !x.Spam {
			lost.rows = append(lost.rows, fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%s", name(x.Pool), x.N, x.Trained, x.Above[0].percent(), x.Above[1].percent(), x.Half.percent()))
			continue
		}
		caught.rows = append(caught.rows, fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%s\t%.3f", name(x.Pool), x.N, x.Trained, num(x.AUC, 4), x.Above[0].text(), x.Above[1].text(), x.Half.Value()))
		if x.OwnHam > 0 {
			own.rows = append(own.rows, fmt.Sprintf("%s\t%d\t%d\t%s\t%s\t%s", name(x.Pool), x.N, x.OwnHam, num(x.OwnAUC, 4), x.Own[0].short(), x.Own[1].short()))
		}
	}
	for _, t := range []table{caught, own, lost} {
		w.table(t)
	}
	w.notes(l.Notes)
	return w.err
}
