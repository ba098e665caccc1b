// Command seed judges the case that Sluice began with: real newsletters, receipts and
// notices of 2025 and 2026 against copies of brands' mail.
//
//	go run ./eval/seed -shared ../shared
//
// Each message is given to the gate as its border host had it: what other receivers
// added is taken out, the client is the one that the border host spoke to, with the
// name that it looked up, and authentication is what it wrote down; nothing else can
// be asked, and what isn't written down is unknown. Messages come once, in the order
// of their dates, with empty memories and no labels. Corpora that may not be learned
// from are judged here, and nothing here is learned from them.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"sluice/eval"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	fs := flag.NewFlagSet("seed", flag.ContinueOnError)
	shared := fs.String("shared", "../shared", "folder with corpora/")
	part := fs.String("part", "", "train or test: judge that part alone; default: all that there is")
	only := fs.String("corpus", "", "judge one corpus alone")
	every := fs.Int("every", 1, "take every n-th message of the corpora beside the seed")
	most := fs.Int("ledgers", 0, "how many misses and false alarms to print with their evidence")
	reasons := fs.Bool("reasons", false, "print how often each reason stands on either side")
	if err := fs.Parse(args); err != nil {
		return err
	}
	dir := filepath.Join(*shared, "corpora")
	split, err := eval.Corpora(dir)
	if err != nil {
		return err
	}
	b := bench{dir: dir, part: *part, every: max(*every, 1), most: *most, reasons: *reasons, w: w}
	for _, s := range sets {
		if *only != "" && s.corpus != *only {
			continue
		}
		if err := b.set(ctx, split, s); err != nil {
			return err
		}
	}
	return nil
}

// set is a corpus and how it is judged.
type set struct {
	corpus string
	seed   bool // the case itself, with all figures
	trust  bool // the border host's results are known
}

var sets = []set{
	{corpus: "foff_milter", seed: true, trust: true},
	{corpus: "phishing_pot", trust: true},
	{corpus: "phishing_pot"},
	{corpus: "lists_2019_2026", trust: true},
	{corpus: "spamassassin"},
	{corpus: "enron_raw"},
}

type bench struct {
	dir, part string
	every     int
	most      int
	reasons   bool
	w         io.Writer
}

// read prepares the messages of a set, oldest first.
func (b *bench) read(split []eval.Entry, s set) ([]letter, error) {
	var out []letter
	n := 0
	for i := range split {
		e := &split[i]
		if e.Corpus != s.corpus || b.part != "" && e.Part != b.part || e.Class() == eval.Unlabelled {
			continue
		}
		if n++; !s.seed && n%b.every != 0 {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(e.Path)))
		if err != nil {
			return nil, err
		}
		out = append(out, prepare(e, raw, s.trust))
	}
	slices.SortStableFunc(out, func(a, b letter) int {
		return cmp.Or(a.when.Compare(b.when), cmp.Compare(a.entry.Path, b.entry.Path))
	})
	return out, nil
}

func (b *bench) set(ctx context.Context, split []eval.Entry, s set) error {
	list, err := b.read(split, s)
	if err != nil {
		return err
	}
	all := newEngine().run(ctx, list)
	name := s.corpus + ", nothing known of authentication"
	if s.trust {
		name = s.corpus + ", authentication as the border host wrote it"
	}
	if !s.seed {
		b.other(name, all)
		return nil
	}
	var real, stubs []outcome
	proved := 0
	for _, o := range all {
		if o.stub {
			stubs = append(stubs, o)
			continue
		}
		real = append(real, o)
		if o.proved {
			proved++
		}
	}
	summary(b.w, name, real)
	fmt.Fprintf(b.w, "  %-32s %d of %d\n", "with results of authentication", proved, len(real))
	summary(b.w, "  stubs", stubs)
	for _, slice := range []struct {
		name string
		has  func(*outcome) bool
	}{{"  bad that name a brand in sender or subject, against all good", claims}, {"  bad that bear a brand's name as the sender, against all good", bears}} {
		summary(b.w, slice.name, slices.DeleteFunc(slices.Clone(real), func(o outcome) bool {
			return o.entry.Class() == eval.Bad && !slice.has(&o)
		}))
	}
	ablation(b.w, real)
	b.details(real)
	return nil
}

// other prints what happened to a corpus that isn't the seed, by label.
func (b *bench) other(name string, all []outcome) {
	fmt.Fprintf(b.w, "\n%s\n", name)
	byLabel := map[string][]outcome{}
	for _, o := range all {
		byLabel[o.entry.Label] = append(byLabel[o.entry.Label], o)
	}
	for _, label := range []string{"ham", "hardham", "spam", "phish", "fraud"} {
		list := byLabel[label]
		if len(list) == 0 {
			continue
		}
		r := countHeld(list, list[0].entry.Class())
		rejected := 0
		for i := range list {
			if list[i].action.String() == "reject" {
				rejected++
			}
		}
		fmt.Fprintf(b.w, "  %-8s kept from the mailbox: %s; rejected: %d\n", label, percent(r), rejected)
	}
	b.details(all)
}

func (b *bench) details(list []outcome) {
	if b.reasons {
		table(b.w, list)
	}
	if b.most > 0 {
		ledgers(b.w, list, b.most)
	}
}
