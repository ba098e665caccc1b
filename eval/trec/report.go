package trec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"text/tabwriter"
)

// Report is what Run returns. It marshals to JSON.
type Report struct {
	Filter   string   `json:"filter"`
	Order    Order    `json:"order"`
	Feedback Feedback `json:"feedback"`
	Area     float64  `json:"1-roca_percent"` // mean of the runs
	Miss     float64  `json:"h.1_percent"`
	Lam      float64  `json:"lam_percent"`
	ECE      float64  `json:"ece"`
	Runs     []Result `json:"runs"`
}

// sum fills in the means.
func (r *Report) sum() {
	n := float64(len(r.Runs))
	for _, run := range r.Runs {
		r.Area += run.Area / n
		r.Miss += run.Miss / n
		r.Lam += run.Lam / n
		r.ECE += run.ECE / n
	}
}

// MarshalJSON writes numbers that do not exist, as those of an empty class, as −1.
func (r *Report) MarshalJSON() ([]byte, error) {
	type plain Report
	b, err := json.Marshal((*plain)(r))
	if err == nil || len(r.Runs) == 0 {
		return b, err
	}
	c := *r
	c.Runs = nil
	for _, run := range r.Runs {
		for _, v := range []*float64{&run.Area, &run.AreaLow, &run.AreaHigh, &run.Miss, &run.Lam, &run.HamMiss, &run.SpamMiss,
			&run.Recall[0], &run.Recall[1], &run.Recall[2]} {
			*v = finite(*v)
		}
		c.Runs = append(c.Runs, run)
	}
	c.Area, c.Miss, c.Lam, c.ECE = finite(c.Area), finite(c.Miss), finite(c.Lam), finite(c.ECE)
	return json.Marshal((*plain)(&c))
}

// finite turns what JSON has no number for into −1, which no measure can be.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return -1
	}
	return v
}

// Text returns the report as tables.
func (r *Report) Text() string {
	var b bytes.Buffer
	f := r.Feedback
	fmt.Fprintf(&b, "%s, order %s; labels after %d messages, for %.0f %%, %.0f %% of them wrong\n\n", r.Filter, r.Order, f.Delay, 100*f.Share, 100*f.Noise)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "seed\tham\tspam\tlabels\t1-ROCA%\t95 %\th=.1 %\tlam %\trecall at 1 %\tat 0.1 %\tat 0.01 %\tECE\tBrier\t")
	for _, x := range r.Runs {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%.4f\t%.4f–%.4f\t%.2f\t%.2f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t\n", x.Seed, x.Good, x.Bad, x.Trained,
			x.Area, x.AreaLow, x.AreaHigh, x.Miss, x.Lam, x.Recall[0], x.Recall[1], x.Recall[2], x.ECE, x.Brier)
	}
	if len(r.Runs) > 1 {
		fmt.Fprintf(t, "mean\t\t\t\t%.4f\t\t%.2f\t%.2f\t\t\t\t%.4f\t\t\n", r.Area, r.Miss, r.Lam, r.ECE)
	}
	t.Flush() // into memory: can't fail
	if len(r.Runs) == 0 {
		return b.String()
	}
	last := r.Runs[len(r.Runs)-1]
	fmt.Fprintf(&b, "\nBy corpus, seed %d: the share above the threshold of so many false positives\n\n", last.Seed)
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "pool\tn\t1 %\t0.1 %\t0.01 %\tP ≥ 0.5\t")
	for _, p := range last.Pools {
		fmt.Fprintf(t, "%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t\n", p.Name, p.N, p.Above[0], p.Above[1], p.Above[2], p.Half)
	}
	t.Flush()
	fmt.Fprintf(&b, "\nProbabilities, seed %d\n\n", last.Seed)
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "n\tstated\tspam\t")
	for _, x := range last.Bins {
		if x.N > 0 {
			fmt.Fprintf(t, "%d\t%.3f\t%.3f\t\n", x.N, x.Mean, x.Spam)
		}
	}
	t.Flush()
	return b.String()
}
