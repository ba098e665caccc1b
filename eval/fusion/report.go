package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"sluice"
	"sluice/eval"
	"sluice/judge/policy"
	"sluice/judge/verdict"
)

// version is a set of weights to be compared.
type version struct {
	name    string
	weights verdict.Weights
}

func versions() []version {
	return []version{{"judged", verdict.JudgedWeights()}, {"fitted", verdict.DefaultWeights()}}
}

func table(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

// report measures the shipped weights on mails of one part, beside those that the
// fit started from.
func report(w io.Writer, part string, mails []mail) error {
	off := 0
	shipped := verdict.DefaultWeights()
	for i := range mails {
		if verdict.Weigh(mails[i].ledger, shipped).Points != mails[i].points {
			off++
		}
	}
	fmt.Fprintf(w, "Part %s: %d messages; the scan printed other points than the shipped weights make for %d\n\n", part, len(mails), off)
	for _, f := range []func(io.Writer, []mail) error{writeCalibration, writeReliability, writeActions, writeRecall, writeThreats} {
		if err := f(w, mails); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// population is mail to be calibrated on.
type population struct {
	name string
	in   func(*eval.Entry) bool
}

var populations = []population{
	{"corpora of the fit", func(e *eval.Entry) bool { return slices.Contains(shipping, e.Corpus) }},
	{"all corpora", func(*eval.Entry) bool { return true }},
}

// forecasts are the probabilities that the weights give the mails. At their own
// prevalence the prior is replaced by the log-odds that the mails have, and each
// counts as one; at the shipped one they are taken as printed, and unwanted mails
// are given the weight that the prior says they have.
func forecasts(mails []mail, v *version, own bool) []forecast {
	bad := 0.0
	for i := range mails {
		bad += float64(index(mails[i].bad()))
	}
	share := bad / float64(len(mails))
	prior := verdict.JudgedWeights().Prior
	out := make([]forecast, len(mails))
	for i := range mails {
		m := &mails[i]
		points := v.weights.Points(verdict.Sums(m.ledger))
		f := forecast{bad: m.bad(), weight: 1}
		switch {
		case own:
			points += verdict.Points(share) - prior
		case f.bad:
			f.weight = verdict.Probability(prior) / share
		default:
			f.weight = (1 - verdict.Probability(prior)) / (1 - share)
		}
		f.p = verdict.Probability(points)
		out[i] = f
	}
	return out
}

func writeCalibration(w io.Writer, mails []mail) error {
	t := table(w)
	fmt.Fprintln(t, "calibration error\tn\tunwanted\tweights\town prior: equal width\tequal mass\tBrier\tshipped prior: equal width\tequal mass\tBrier\t")
	for _, p := range populations {
		in := only(mails, p.in)
		bad := eval.Rate{N: len(in)}
		for i := range in {
			bad.K += index(in[i].bad())
		}
		for _, v := range versions() {
			fmt.Fprintf(t, "%s\t%d\t%.3f\t%s", p.name, len(in), bad.Value(), v.name)
			for _, own := range []bool{true, false} {
				f := forecasts(in, &v, own)
				fmt.Fprintf(t, "\t%.4f\t%.4f\t%.4f", calibrationError(byWidth(f)), calibrationError(byMass(f)), brier(f))
			}
			fmt.Fprintln(t, "\t")
		}
	}
	return t.Flush()
}

func writeReliability(w io.Writer, mails []mail) error {
	t := table(w)
	fmt.Fprintln(t, "reliability, corpora of the fit\tshare\tforecast\tcame true\tdifference\t")
	in := only(mails, populations[0].in)
	v := versions()[1]
	for _, own := range []bool{false, true} {
		name := "shipped prior"
		if own {
			name = "own prior"
		}
		for _, b := range byMass(forecasts(in, &v, own)) {
			fmt.Fprintf(t, "%s\t%.4f\t%.4f\t%.4f\t%+.4f\t\n", name, b.weight/float64(len(in)), b.p/b.weight, b.bad/b.weight, (b.p-b.bad)/b.weight)
		}
	}
	return t.Flush()
}

// decide is what the shipped policy does with a mail.
func decide(m *mail, v *version) sluice.Action {
	return policy.Decide(verdict.Weigh(m.ledger, v.weights), policy.Default(), "user@rcpt.example", policy.Circumstances{}).Action
}

func writeActions(w io.Writer, mails []mail) error { return writeLine(w, mails, versions()) }

// writeLine prints what the shipped policy does with each pool by each version.
func writeLine(w io.Writer, mails []mail, versions []version) error {
	t := table(w)
	fmt.Fprintln(t, "pool\tn\tweights\taccepted\ttagged\tquarantined\trejected\theld back\t95 %\t")
	names, by := poolsOf(mails)
	for _, name := range names {
		for _, v := range versions {
			var count [sluice.Hold + 1]int
			for i := range by[name] {
				count[decide(&by[name][i], &v)]++
			}
			held := eval.Rate{K: count[sluice.QuarantineIt] + count[sluice.Reject], N: len(by[name])}
			low, high := held.Interval()
			fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%d\t%d\t%.2f %%\t%.2f–%.2f\t\n", name, held.N, v.name,
				count[sluice.Accept], count[sluice.Tag], count[sluice.QuarantineIt], count[sluice.Reject], 100*held.Value(), 100*low, 100*high)
		}
	}
	return t.Flush()
}

// writeRecall prints how much of each bad pool lies above what 1 % and 0.1 % of
// each good pool exceed, by both versions.
func writeRecall(w io.Writer, mails []mail) error {
	t := table(w)
	fmt.Fprint(t, "good\tn\tbad\tn")
	for _, v := range versions() {
		fmt.Fprintf(t, "\t%s: 1-ROCA%%\trecall at 1 %%\tat 0.1 %%", v.name)
	}
	fmt.Fprintln(t, "\t")
	names, by := poolsOf(mails)
	scores := func(pool string, v *version) []float64 {
		var out []float64
		for _, m := range by[pool] {
			out = append(out, v.weights.Points(verdict.Sums(m.ledger)))
		}
		return out
	}
	for _, g := range names {
		for _, b := range names {
			if by[g][0].bad() || !by[b][0].bad() {
				continue
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%d", g, len(by[g]), b, len(by[b]))
			for _, v := range versions() {
				good, bad := scores(g, &v), scores(b, &v)
				one, _ := eval.Recall(good, bad, 0.01)
				tenth, _ := eval.Recall(good, bad, 0.001)
				fmt.Fprintf(t, "\t%.3f\t%.3f\t%.3f", eval.Area(good, bad), one.Value(), tenth.Value())
			}
			fmt.Fprintln(t, "\t")
		}
	}
	return t.Flush()
}

// writeThreats prints what bad mail that isn't simply accepted is called.
func writeThreats(w io.Writer, mails []mail) error {
	t := table(w)
	fmt.Fprintln(t, "pool\tnot accepted\tcalled\tmean shares\t")
	names, by := poolsOf(mails)
	v := versions()[1]
	for _, name := range names {
		var called [sluice.ThreatCount]int
		var shares [sluice.ThreatCount]float64
		n := 0
		for i := range by[name] {
			m := &by[name][i]
			if !m.bad() || decide(m, &v) == sluice.Accept {
				continue
			}
			n++
			x := verdict.Weigh(m.ledger, v.weights)
			called[x.Threat]++
			for k, s := range x.Threats {
				shares[k] += s
			}
		}
		if n == 0 {
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t", name, n)
		for k := range called {
			if called[k] > 0 {
				fmt.Fprintf(t, "%v %.2f ", sluice.Threat(k), float64(called[k])/float64(n))
			}
		}
		fmt.Fprint(t, "\t")
		for k := range shares {
			if shares[k] > 0 {
				fmt.Fprintf(t, "%v %.2f ", sluice.Threat(k), shares[k]/float64(n))
			}
		}
		fmt.Fprintln(t, "\t")
	}
	return t.Flush()
}

// writeFit prints what a fit moved.
func writeFit(w io.Writer, r *verdict.FitReport, shipped verdict.Weights) error {
	fmt.Fprintf(w, "%d samples, unwanted %.2f by weight; mean surprise %.4f nat before, %.4f after, in %d passes\n", r.Samples, r.Prevalence, r.Before, r.After, r.Passes)
	fmt.Fprintf(w, "the samples ask for an offset of %.2f dB; PRIOR is %.1f\n", r.Offset, shipped.Prior)
	t := table(w)
	fmt.Fprintln(t, "group\tseen (weight)\tslope\terror\tshipped\t")
	for g := sluice.GroupSession; g < sluice.GroupPrior; g++ {
		x := r.Groups[g]
		fmt.Fprintf(t, "%v\t%.0f\t%.3f\t%.3f\t%.2f\t\n", g, x.Seen, x.To, x.Error, shipped.Groups[g].Slope)
	}
	return t.Flush()
}

// writeHeldOut fits without each corpus in turn, at several strengths of the
// shrinkage, and prints the mean surprise of what was left out: how well weights
// travel to mail that they weren't made of.
func writeHeldOut(w io.Writer, mails []mail) error {
	t := table(w)
	fmt.Fprint(t, "surprise in nat, left out\t")
	strengths := []float64{100, 1000, 10000, 100000}
	fmt.Fprint(t, "judged\t")
	for _, s := range strengths {
		fmt.Fprintf(t, "shrink %.0f\t", s)
	}
	fmt.Fprintln(t)
	all := samples(mails)
	for _, corpus := range shipping {
		var in, out []verdict.Sample
		for i := range mails {
			if mails[i].entry.Corpus == corpus {
				out = append(out, all[i])
			} else {
				in = append(in, all[i])
			}
		}
		if len(out) == 0 {
			continue
		}
		fmt.Fprintf(t, "%s\t%.4f\t", corpus, surprise(out, verdict.JudgedWeights()))
		for _, s := range strengths {
			c := verdict.DefaultFit()
			c.Shrink = s
			x, _ := verdict.Fit(in, verdict.JudgedWeights(), c)
			fmt.Fprintf(t, "%.4f\t", surprise(out, x))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// surprise is the mean negative log-likelihood in nats at even odds.
func surprise(samples []verdict.Sample, w verdict.Weights) float64 {
	var sum, total float64
	for i := range samples {
		s := &samples[i]
		points := w.Points(s.Sums) - verdict.DefaultFit().Prior
		if s.Unwanted {
			points = -points
		}
		sum -= s.Weight * math.Log(verdict.Probability(-points))
		total += s.Weight
	}
	return sum / total
}
