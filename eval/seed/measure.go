package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"sluice"
	"sluice/eval"
	"sluice/judge/verdict"
	"sluice/learn/brand"
	"sluice/message"
	"sluice/message/header"
)

// sides are the scores of a set.
func sides(list []outcome) (good, bad []float64) {
	for i := range list {
		switch o := &list[i]; o.entry.Class() {
		case eval.Good:
			good = append(good, o.score())
		case eval.Bad:
			bad = append(bad, o.score())
		}
	}
	return good, bad
}

// bootstrap is the 95 % interval of a figure when both sides are drawn anew.
func bootstrap(good, bad []float64, figure func(good, bad []float64) float64) (lo, hi float64) {
	const rounds = 1000
	rng := rand.New(rand.NewPCG(7, 2026))
	draw := func(from []float64) []float64 {
		out := make([]float64, len(from))
		for i := range out {
			out[i] = from[rng.IntN(len(from))]
		}
		return out
	}
	all := make([]float64, rounds)
	for i := range all {
		all[i] = figure(draw(good), draw(bad))
	}
	slices.Sort(all)
	return all[rounds/40], all[rounds-1-rounds/40]
}

func recallAt(fp float64) func(good, bad []float64) float64 {
	return func(good, bad []float64) float64 {
		r, _ := eval.Recall(good, bad, fp)
		return r.Value()
	}
}

// held says whether a message doesn't reach its mailbox.
func held(o *outcome) bool { return !eval.Mild(o.action.String()) }

func countHeld(list []outcome, c eval.Class) eval.Rate {
	var r eval.Rate
	for i := range list {
		if list[i].entry.Class() == c {
			r.N++
			if held(&list[i]) {
				r.K++
			}
		}
	}
	return r
}

func percent(r eval.Rate) string {
	lo, hi := r.Interval()
	return fmt.Sprintf("%d of %d, %.1f %% (%.1f–%.1f)", r.K, r.N, 100*r.Value(), 100*lo, 100*hi)
}

// summary prints the figures of a set.
func summary(w io.Writer, name string, list []outcome) {
	good, bad := sides(list)
	fmt.Fprintf(w, "%s: %d good, %d bad\n", name, len(good), len(bad))
	if len(good) > 0 && len(bad) > 0 {
		for _, f := range []struct {
			name   string
			figure func(good, bad []float64) float64
		}{{"AUC", eval.AUC}, {"recall at 1 % false positives", recallAt(0.01)}, {"recall at 5 % false positives", recallAt(0.05)}} {
			lo, hi := bootstrap(good, bad, f.figure)
			fmt.Fprintf(w, "  %-32s %.4f (%.4f–%.4f)\n", f.name, f.figure(good, bad), lo, hi)
		}
	}
	if len(good) > 0 {
		fmt.Fprintf(w, "  %-32s %s\n", "good kept from their mailbox", percent(countHeld(list, eval.Good)))
	}
	if len(bad) > 0 {
		fmt.Fprintf(w, "  %-32s %s\n", "bad kept from their mailbox", percent(countHeld(list, eval.Bad)))
	}
}

// named says whether texts have a name of the shipped list of brands, and the author's
// domain isn't the brand's.
func named(o *outcome, texts func(author header.Address, m *message.Message) []string) bool {
	m := message.Parse(o.raw, message.DefaultLimits())
	author, _ := m.From()
	found := false
	for _, text := range texts(author, m) {
		brand.Shipped().Find(text, func(match brand.Match) bool {
			found = found || !match.Brand.Sends(author.Domain)
			return !found
		})
	}
	return found
}

// claims looks at display name and subject. That a subject names a brand may be a claim,
// or a mention of it.
func claims(o *outcome) bool {
	return named(o, func(a header.Address, m *message.Message) []string { return []string{a.Name, m.View().Subject} })
}

// bears looks at the display name alone.
func bears(o *outcome) bool {
	return named(o, func(a header.Address, _ *message.Message) []string { return []string{a.Name} })
}

// without weighs a set anew, leaving out what drop names.
func without(list []outcome, drop func(sluice.Reason) bool) (good, bad []float64) {
	weights := verdict.DefaultWeights()
	for i := range list {
		o := &list[i]
		var left []sluice.Evidence
		for _, c := range o.verdict.Ledger {
			if !drop(c.Reason) {
				left = append(left, c.Evidence)
			}
		}
		points := verdict.Weigh(left, weights).Points
		if o.entry.Class() == eval.Good {
			good = append(good, points)
		} else {
			bad = append(bad, points)
		}
	}
	return good, bad
}

// quarantineAt is the shipped policy's threshold, P ≥ 0.95, in points.
var quarantineAt = verdict.Points(0.95)

func ablation(w io.Writer, list []outcome) {
	fmt.Fprintf(w, "\nWithout one family, and with it alone:\n  %-16s %28s   %28s\n", "", "AUC  @1 %  @5 %  held  false", "AUC  @1 %  @5 %")
	row := func(name string, drop, only func(sluice.Reason) bool) {
		good, bad := without(list, drop)
		fmt.Fprintf(w, "  %-16s %.4f  %.3f  %.3f  %.3f %3d", name, eval.AUC(good, bad), recallAt(0.01)(good, bad), recallAt(0.05)(good, bad),
			eval.Above(bad, quarantineAt).Value(), eval.Above(good, quarantineAt).K)
		if only != nil {
			good, bad = without(list, func(r sluice.Reason) bool { return !only(r) })
			fmt.Fprintf(w, "         %.4f  %.3f  %.3f", eval.AUC(good, bad), recallAt(0.01)(good, bad), recallAt(0.05)(good, bad))
		}
		fmt.Fprintln(w)
	}
	row("(nothing)", func(sluice.Reason) bool { return false }, nil)
	for _, f := range eval.Families {
		of := func(r sluice.Reason) bool { return eval.Family(r) == f }
		row(f, of, of)
	}
}

// table prints how often each reason stands on either side, and its average points.
func table(w io.Writer, list []outcome) {
	type row struct {
		id        sluice.Reason
		good, bad int
		points    float64
	}
	rows := map[sluice.Reason]*row{}
	var ng, nb int
	for i := range list {
		isGood := list[i].entry.Class() == eval.Good
		if isGood {
			ng++
		} else {
			nb++
		}
		seen := map[sluice.Reason]bool{}
		for _, c := range list[i].verdict.Ledger {
			if c.State != sluice.Found || seen[c.Reason] {
				continue
			}
			seen[c.Reason] = true
			r := rows[c.Reason]
			if r == nil {
				r = &row{id: c.Reason}
				rows[c.Reason] = r
			}
			r.points += c.Raw
			if isGood {
				r.good++
			} else {
				r.bad++
			}
		}
	}
	var all []*row
	for _, r := range rows {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *row) int {
		return cmp.Or(strings.Compare(eval.Family(a.id), eval.Family(b.id)), cmp.Compare(b.good+b.bad, a.good+a.bad), strings.Compare(string(a.id), string(b.id)))
	})
	fmt.Fprintf(w, "\n%-15s %-26s %6s %6s  %6s  %s\n", "family", "reason", "good %", "bad %", "points", "log-odds in dB (n+½)")
	for _, r := range all {
		odds := 10 * math.Log10((float64(r.bad)+0.5)/(float64(nb)+1)*(float64(ng)+1)/(float64(r.good)+0.5))
		fmt.Fprintf(w, "%-15s %-26s %6.1f %6.1f  %6.1f  %+.1f\n", eval.Family(r.id), r.id, 100*float64(r.good)/float64(max(ng, 1)), 100*float64(r.bad)/float64(max(nb, 1)), r.points/float64(r.good+r.bad), odds)
	}
}

// ledgers prints misses and false alarms with what was found.
func ledgers(w io.Writer, list []outcome, most int) {
	good := slices.DeleteFunc(slices.Clone(list), func(o outcome) bool { return o.entry.Class() != eval.Good })
	bad := slices.DeleteFunc(slices.Clone(list), func(o outcome) bool { return o.entry.Class() != eval.Bad })
	slices.SortStableFunc(good, func(a, b outcome) int { return cmp.Compare(b.score(), a.score()) })
	slices.SortStableFunc(bad, func(a, b outcome) int { return cmp.Compare(a.score(), b.score()) })
	for _, side := range []struct {
		name string
		list []outcome
	}{{"Good, the worst first", good}, {"Bad, the best first", bad}} {
		fmt.Fprintf(w, "\n%s:\n", side.name)
		for i := range side.list[:min(most, len(side.list))] {
			o := &side.list[i]
			fmt.Fprintf(w, "%6.1f %-10s %s  From %s  Subject %s\n", o.score(), o.action, o.entry.Path, clip(o.from), clip(o.subject))
			for _, c := range o.verdict.Ledger {
				if c.State == sluice.Found && c.Points != 0 {
					fmt.Fprintf(w, "         %+5.1f %-11s %s: %s\n", c.Points, c.Group, c.Reason, clip(c.Detail))
				}
			}
		}
	}
}

func clip(s string) string {
	s = fmt.Sprintf("%+q", s)
	if len(s) > 140 {
		s = s[:140] + "…"
	}
	return s
}
