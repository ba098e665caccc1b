package main

import (
	"fmt"
	"io"

	"sluice/eval"
)

// enough good messages that a tenth of a per cent of them is one.
const enough = 1000

// result is what one scanner made of one row.
type result struct {
	scanner string
	row     *row
	*measured
}

// scores picks those of the pools' messages. A message without one counts as missing.
func (r *result) scores(s *sample, pools []string) (out []float64, missing int) {
	for _, e := range s.test(r.row, pools) {
		v, ok := r.Scores[e.Path]
		if !ok {
			missing++
			continue
		}
		out = append(out, v)
	}
	return out, missing
}

// writeTable prints one row and scanner a line, in Markdown.
func writeTable(w io.Writer, s *sample, rows []row, results []result) error {
	fmt.Fprintln(w, "| mail | scanner | AUC | recall at 1 % | 95 % | at 0.1 % | CPU, ms a message |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- | --- |")
	for i := range rows {
		name := fmt.Sprintf("%s (%d good, %d bad; learned %d)", rows[i].title, len(s.test(&rows[i], rows[i].good)),
			len(s.test(&rows[i], rows[i].bad)), len(s.train(&rows[i])))
		for k := range results {
			r := &results[k]
			if r.row.name != rows[i].name {
				continue
			}
			good, lostGood := r.scores(s, r.row.good)
			bad, lostBad := r.scores(s, r.row.bad)
			one, _ := eval.Recall(good, bad, 0.01)
			lo, hi := one.Interval()
			tenth := "–"
			if len(good) >= enough {
				rate, _ := eval.Recall(good, bad, 0.001)
				tenth = fmt.Sprintf("%.3f", rate.Value())
			}
			scanner := r.scanner
			if lostGood+lostBad > 0 {
				scanner += fmt.Sprintf(" (%d failed)", lostGood+lostBad)
			}
			if _, err := fmt.Fprintf(w, "| %s | %s | %.4f | %.3f | %.3f–%.3f | %s | %.2f |\n",
				name, scanner, eval.AUC(good, bad), one.Value(), lo, hi, tenth, r.CPU); err != nil {
				return err
			}
			name = ""
		}
	}
	return nil
}
