// Command phishtable says what is caught of a collection of phish on the first day, and
// what isn't and why:
//
//	sluice scan --json ../shared/corpora | go run ./eval/phishtable -shared ../shared
//
// The verdict is the whole one, as shipped: offline, without what receivers had written
// into the mail, with empty memories. It prints recall at fixed rates of false positives
// among good mail of several corpora, by year and by kind of phish; which evidence what
// was held could not have been held without; and what passed, by cause. Kinds and causes
// are told apart by simple rules over words and evidence, which are in kinds.go and
// causes.go: they sort, they don't judge.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"

	"sluice"
	"sluice/eval"
	"sluice/judge/verdict"
	"sluice/message"
	"sluice/scan"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "phishtable:", err)
		os.Exit(1)
	}
}

// goods are the pools that false positives are counted in.
var goods = []string{"lists_2019_2026/ham", "foff_milter/ham", "spamassassin/ham", "spamassassin/hardham"}

func run(args []string, r io.Reader, w io.Writer) error {
	fs := flag.NewFlagSet("phishtable", flag.ContinueOnError)
	shared := fs.String("shared", "../shared", "folder with corpora/")
	corpus := fs.String("corpus", "phishing_pot", "the collection of phish")
	list := fs.Int("list", 0, "print so many files of each cause of a miss")
	if err := fs.Parse(args); err != nil {
		return err
	}
	dir := filepath.Join(*shared, "corpora")
	split, err := eval.Corpora(dir)
	if err != nil {
		return err
	}
	judged, _, err := eval.FromScan(r, split)
	if err != nil {
		return err
	}
	t := tables{w: w, corpus: *corpus}
	for _, j := range judged {
		switch {
		case j.Entry.Corpus == *corpus && j.Entry.Class() == eval.Bad:
			b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(j.Entry.Path)))
			if err != nil {
				return err
			}
			m := message.Parse(scan.NewMail(b).Raw, message.DefaultLimits())
			t.bad = append(t.bad, phish{Judged: j, kind: kindOf(m), m: m})
		case j.Entry.Class() == eval.Good && slices.Contains(goods, j.Entry.Pool()):
			t.good = append(t.good, j)
		}
	}
	if len(t.bad) == 0 || len(t.good) == 0 {
		return fmt.Errorf("the scan has %d messages of %s and %d good ones", len(t.bad), *corpus, len(t.good))
	}
	t.recall()
	t.detectors()
	t.misses(*list)
	return nil
}

// phish is one message of the collection.
type phish struct {
	eval.Judged
	kind string
	m    *message.Message
}

// tables prints.
type tables struct {
	w      io.Writer
	corpus string
	bad    []phish
	good   []eval.Judged
}

func (t *tables) table(head string) (*tabwriter.Writer, func()) {
	tw := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, head)
	return tw, func() {
		tw.Flush()
		fmt.Fprintln(t.w)
	}
}

// heldAt is the shipped policy's threshold for quarantine, P ≥ 0.95, in points.
var heldAt = verdict.Points(0.95)

func held(j *eval.Judged) bool { return !eval.Mild(j.Action) }

// cut is the lowest threshold that no more than a share of the good mail is above.
func (t *tables) cut(fp float64) float64 {
	scores := make([]float64, len(t.good))
	for i := range t.good {
		scores[i] = t.good[i].Score
	}
	_, at := eval.Recall(scores, nil, fp)
	return at
}

// recall prints it by year and by kind.
func (t *tables) recall() {
	low, high := t.cut(0.001), t.cut(0.01)
	fmt.Fprintf(t.w, "%s: %d messages; good: %d of", t.corpus, len(t.bad), len(t.good))
	for _, pool := range goods {
		fmt.Fprintf(t.w, " %s", pool)
	}
	fmt.Fprintf(t.w, "\nthresholds: %.1f at 0.1 %% false positives, %.1f at 1 %%; shipped for quarantine: %.1f\n\n", low, high, heldAt)
	tw, done := t.table("good mail above\tn\t0.1 %\t1 %\tshipped\t")
	for _, pool := range goods {
		n, a, b, h := 0, 0, 0, 0
		for i := range t.good {
			j := &t.good[i]
			if j.Entry.Pool() != pool {
				continue
			}
			n++
			a, b, h = a+count(j.Score > low), b+count(j.Score > high), h+count(held(j))
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t\n", pool, n, a, b, h)
	}
	done()
	for _, by := range []struct {
		name string
		of   func(*phish) string
	}{
		{"year", func(p *phish) string { return strconv.Itoa(p.Entry.Year) }},
		{"kind", func(p *phish) string { return p.kind }},
	} {
		groups := map[string][]*phish{}
		for i := range t.bad {
			k := by.of(&t.bad[i])
			groups[k] = append(groups[k], &t.bad[i])
		}
		names := slices.Sorted(maps.Keys(groups))
		if by.name == "kind" {
			slices.SortStableFunc(names, func(a, b string) int { return len(groups[b]) - len(groups[a]) })
		}
		tw, done := t.table(by.name + "\tn\trecall at 0.1 %\tat 1 %\theld as shipped\t95 %\t")
		row := func(name string, list []*phish) {
			a, b, h := 0, 0, eval.Rate{N: len(list)}
			for _, p := range list {
				a, b = a+count(p.Score > low), b+count(p.Score > high)
				h.K += count(held(&p.Judged))
			}
			lo, hi := h.Interval()
			fmt.Fprintf(tw, "%s\t%d\t%.1f %%\t%.1f %%\t%.1f %%\t%.1f–%.1f\t\n", name, h.N, share(a, h.N), share(b, h.N), share(h.K, h.N), 100*lo, 100*hi)
		}
		all := make([]*phish, len(t.bad))
		for i := range t.bad {
			all[i] = &t.bad[i]
		}
		row("all", all)
		for _, name := range names {
			row(name, groups[name])
		}
		done()
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func share(k, n int) float64 { return 100 * float64(k) / float64(max(n, 1)) }

// mostReasons is how many reasons are printed.
const mostReasons = 25

// detectors prints which evidence was there, and how much of what was held could not
// have been held without it: one kind left out, all others as they were.
func (t *tables) detectors() {
	type tally struct {
		name              string
		there, alone, own int
	}
	families, reasons := map[string]*tally{}, map[string]*tally{}
	at := func(m map[string]*tally, name string) *tally {
		if m[name] == nil {
			m[name] = &tally{name: name}
		}
		return m[name]
	}
	n := 0
	for i := range t.bad {
		p := &t.bad[i]
		if !held(&p.Judged) {
			continue
		}
		n++
		seen := map[string]bool{}
		for _, e := range p.Ledger {
			family, id := eval.Family(e.Reason), string(e.Reason)
			if e.Raw > 0 && !seen["f "+family] {
				seen["f "+family] = true
				f := at(families, family)
				f.there++
				f.alone += count(without(p.Ledger, func(r sluice.Reason) bool { return eval.Family(r) == family }) < heldAt)
				f.own += count(without(p.Ledger, func(r sluice.Reason) bool { return eval.Family(r) != family }) >= heldAt)
			}
			if e.Raw > 0 && !seen["r "+id] {
				seen["r "+id] = true
				r := at(reasons, id)
				r.there++
				r.alone += count(without(p.Ledger, func(r sluice.Reason) bool { return r == e.Reason }) < heldAt)
			}
		}
	}
	for _, part := range []struct {
		name string
		of   map[string]*tally
		most int
	}{{"family", families, len(families)}, {"reason", reasons, mostReasons}} {
		list := slices.SortedFunc(maps.Values(part.of), func(a, b *tally) int {
			return cmp.Or(b.alone-a.alone, b.there-a.there, cmp.Compare(a.name, b.name))
		})
		head := fmt.Sprintf("%s, of %d held\tthere\tpasses without it\t", part.name, n)
		if part.name == "family" {
			head += "held by it alone\t"
		}
		tw, done := t.table(head)
		for _, k := range list[:min(part.most, len(list))] {
			fmt.Fprintf(tw, "%s\t%.1f %%\t%.1f %%\t", k.name, share(k.there, n), share(k.alone, n))
			if part.name == "family" {
				fmt.Fprintf(tw, "%.1f %%\t", share(k.own, n))
			}
			fmt.Fprintln(tw)
		}
		done()
	}
}

var weights = verdict.DefaultWeights()

// without is the sum of a ledger without some of its evidence.
func without(ledger []sluice.Evidence, drop func(sluice.Reason) bool) float64 {
	left := slices.DeleteFunc(slices.Clone(ledger), func(e sluice.Evidence) bool { return drop(e.Reason) })
	return verdict.Weigh(left, weights).Points
}

// misses prints what reached its mailbox by cause, and by kind beside it.
func (t *tables) misses(list int) {
	groups := map[string][]*phish{}
	n, tagged := 0, 0
	for i := range t.bad {
		p := &t.bad[i]
		if held(&p.Judged) {
			continue
		}
		n++
		tagged += count(p.Action != "accept")
		c := causeOf(p)
		groups[c] = append(groups[c], p)
	}
	tw, done := t.table(fmt.Sprintf("why of %d that passed (%d of them tagged)\tn\tshare\tmean points\ttagged\tmost of them\t", n, tagged))
	for _, c := range causes {
		g := groups[c.name]
		if len(g) == 0 {
			continue
		}
		sum, tags, kinds := 0.0, 0, map[string]int{}
		for _, p := range g {
			sum += p.Score
			tags += count(p.Action != "accept")
			kinds[p.kind]++
		}
		common := slices.MaxFunc(slices.Sorted(maps.Keys(kinds)), func(a, b string) int { return kinds[a] - kinds[b] })
		fmt.Fprintf(tw, "%s\t%d\t%.1f %%\t%.1f\t%d\t%s (%d)\t\n", c.name, len(g), share(len(g), n), sum/float64(len(g)), tags, common, kinds[common])
	}
	done()
	for _, c := range causes {
		for _, p := range groups[c.name][:min(list, len(groups[c.name]))] {
			fmt.Fprintf(t.w, "%s: %s %.1f %s\n", c.name, p.Entry.Path, p.Score, p.kind)
		}
	}
}
