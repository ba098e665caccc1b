package eval

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// Only returns the messages of one part, in order.
func Only(part string, judged []Judged) []Judged {
	var out []Judged
	for _, j := range judged {
		if j.Entry.Part == part {
			out = append(out, j)
		}
	}
	return out
}

// pools sorts messages into their pools: corpus and label.
func pools(judged []Judged) (names []string, by map[string][]Judged) {
	by = map[string][]Judged{}
	for _, j := range judged {
		by[j.Entry.Pool()] = append(by[j.Entry.Pool()], j)
	}
	return slices.Sorted(maps.Keys(by)), by
}

func scores(judged []Judged) []float64 {
	out := make([]float64, len(judged))
	for i, j := range judged {
		out[i] = j.Score
	}
	return out
}

// Columns of the table of actions; the rest is "other".
var columns = []string{"accept", "tag", "quarantine", "reject"}

// WriteActions prints what happened to each pool, with the share that did not
// reach its mailbox and the exact 95 % interval of that share.
func WriteActions(w io.Writer, judged []Judged) error {
	names, by := pools(judged)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "pool\tn\taccepted\ttagged\tquarantined\trejected\tother\theld back\t95 %\t")
	for _, name := range names {
		count := map[string]int{}
		held := Rate{N: len(by[name])}
		for _, j := range by[name] {
			count[j.Action]++
			if !Mild(j.Action) {
				held.K++
			}
		}
		fmt.Fprintf(t, "%s\t%d", name, held.N)
		other := held.N
		for _, c := range columns {
			fmt.Fprintf(t, "\t%d", count[c])
			other -= count[c]
		}
		lo, hi := held.Interval()
		fmt.Fprintf(t, "\t%d\t%.2f %%\t%.2f–%.2f\t\n", other, 100*held.Value(), 100*lo, 100*hi)
	}
	return t.Flush()
}

// WriteRecall prints, for each pool of good mail as the measure, how much of each
// pool of bad mail lies above the thresholds of 1 % and 0.1 % false positives,
// and 1-ROCA%.
func WriteRecall(w io.Writer, judged []Judged) error {
	names, by := pools(judged)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "good\tn\tbad\tn\t1-ROCA%\trecall at 1 %\t95 %\tat 0.1 %\t95 %\tthreshold\t")
	for _, g := range names {
		if by[g][0].Entry.Class() != Good {
			continue
		}
		good := scores(by[g])
		for _, b := range names {
			if by[b][0].Entry.Class() != Bad {
				continue
			}
			bad := scores(by[b])
			one, _ := Recall(good, bad, 0.01)
			tenth, cut := Recall(good, bad, 0.001)
			oneLo, oneHi := one.Interval()
			lo, hi := tenth.Interval()
			fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%.3f\t%.3f\t%.3f–%.3f\t%.3f\t%.3f–%.3f\t%.1f\t\n", g, len(good), b, len(bad),
				Area(good, bad), one.Value(), oneLo, oneHi, tenth.Value(), lo, hi, cut)
		}
	}
	return t.Flush()
}

// WriteYears prints how much of each pool lies above a score, by year, for pools
// of more than one year.
func WriteYears(w io.Writer, judged []Judged, cut float64) error {
	names, by := pools(judged)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "pool\tyear\tn\tabove %.1f\t\n", cut)
	for _, name := range names {
		years := map[int][]float64{}
		for _, j := range by[name] {
			years[j.Entry.Year] = append(years[j.Entry.Year], j.Score)
		}
		for _, y := range slices.SortedFunc(maps.Keys(years), cmp.Compare[int]) {
			r := Above(years[y], cut)
			fmt.Fprintf(t, "%s\t%d\t%d\t%.3f\t\n", name, y, r.N, r.Value())
		}
	}
	return t.Flush()
}
