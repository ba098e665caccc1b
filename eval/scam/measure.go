package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice"
	"sluice/check"
	"sluice/check/scam"
	"sluice/eval"
	"sluice/judge/checks"
	"sluice/judge/verdict"
	"sluice/message"
	"sluice/reason"
	"sluice/scan"
)

// Row counts what came of the cases of one class.
type Row struct {
	Class     string
	Bad, Good int
	Caught    int // bad ones that some class of fraud, or a lure, is stated for
	Right     int // of them, this class
	Hinted    int // bad ones that are only hinted at
	False     int // good twins that a class is stated for
	Stated    int // all cases, of any file, that this class is stated for
	StatedBad int // the bad ones among them
	// By the whole verdict without a model of words: tagged and more.
	Tagged, GoodTagged int
}

// Report is what Measure found.
type Report struct {
	Rows   []Row
	misses []string
}

// family is the class that a reason counts as.
func family(r sluice.Reason) string {
	if r == reason.AdvanceFeeHint {
		return reason.AdvanceFee
	}
	return string(r)
}

// weak are reasons that accuse nobody by themselves.
func weak(r sluice.Reason) bool { return r == reason.ScamHint || r == reason.CoinAddress }

// tagAt is the shipped policy's threshold for a tag, P ≥ 0.7.
const tagAt = 0.7

// Measure runs the checks over cases.
func Measure(cases []Case) *Report {
	rows := map[string]*Row{}
	row := func(class string) *Row {
		if rows[class] == nil {
			rows[class] = &Row{Class: class}
		}
		return rows[class]
	}
	rep := &Report{}
	frauds, all := scam.Checks(scam.Config{}), checks.Checks(checks.Config{Names: []string{"mx.garden.example"}})
	for i := range cases {
		c := &cases[i]
		in := c.Input()
		r := row(c.Class)
		stated, hinted, right := false, false, false
		for _, e := range states(frauds, in) {
			hinted = hinted || e.Reason == reason.ScamHint
			if weak(e.Reason) {
				continue
			}
			stated = true
			right = right || family(e.Reason) == c.Class
			s := row(family(e.Reason))
			s.Stated++
			if c.Bad {
				s.StatedBad++
			}
		}
		v := verdict.Weigh(states(all, in), verdict.DefaultWeights())
		tagged := v.Probability >= tagAt
		if c.Bad {
			r.Bad++
			r.Caught += one(stated)
			r.Right += one(right)
			r.Hinted += one(!stated && hinted)
			r.Tagged += one(tagged)
		} else {
			r.Good++
			r.False += one(stated)
			r.GoodTagged += one(tagged)
		}
		if c.Bad != stated {
			rep.misses = append(rep.misses, fmt.Sprintf("%s bad=%v %s: %s", c.Name, c.Bad, describe(in), strings.ReplaceAll(c.Body[:min(len(c.Body), 90)], "\n", " ")))
		}
	}
	for _, class := range slices.Sorted(maps.Keys(rows)) {
		rep.Rows = append(rep.Rows, *rows[class])
	}
	return rep
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func states(list []check.Checker, in *check.Input) []sluice.Evidence {
	var out []sluice.Evidence
	for _, c := range list {
		ev, err := c.Check(context.Background(), in)
		if err != nil {
			ev = []sluice.Evidence{check.Unknown(c.Info().Reasons[0], err.Error())}
		}
		out = append(out, ev...)
	}
	return out
}

func describe(in *check.Input) string {
	var names []string
	for _, f := range scam.Read(in, scam.Ties{}).Features() {
		if !strings.HasPrefix(f.Name, "@") {
			names = append(names, f.Name+"("+f.Words+")")
		}
	}
	return strings.Join(names, " ")
}

// Total sums the rows.
func (r *Report) Total() Row {
	t := Row{Class: "all"}
	for _, x := range r.Rows {
		t.Bad, t.Good, t.Caught, t.Right, t.Hinted, t.False = t.Bad+x.Bad, t.Good+x.Good, t.Caught+x.Caught, t.Right+x.Right, t.Hinted+x.Hinted, t.False+x.False
		t.Stated, t.StatedBad, t.Tagged, t.GoodTagged = t.Stated+x.Stated, t.StatedBad+x.StatedBad, t.Tagged+x.Tagged, t.GoodTagged+x.GoodTagged
	}
	return t
}

// Precision is the share of accused cases that are bad, by case.
func (r Row) Precision() float64 { return share(r.Caught, r.Caught+r.False) }

// Recall is the share of bad cases that are accused.
func (r Row) Recall() float64 { return share(r.Caught, r.Bad) }

func share(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// Write prints the table.
func (r *Report) Write(w io.Writer) {
	all := r.Total()
	writeRows(w, append(slices.Clone(r.Rows), all))
	fmt.Fprintf(w, "recall %.1f %%, precision %.1f %% (by case)\n", 100*all.Recall(), 100*all.Precision())
}

func writeRows(w io.Writer, rows []Row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "class\tbad\tcaught\trecall\tright class\thint only\ttwins\taccused\tstated\tof them bad\tverdict ≥ tag\ttwins ≥ tag\t")
	for _, x := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.1f %%\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t%d\t%d\t\n", x.Class, x.Bad, x.Caught, 100*x.Recall(), x.Right, x.Hinted,
			x.Good, x.False, x.Stated, 100*share(x.StatedBad, x.Stated), x.Tagged, x.GoodTagged)
	}
	t.Flush()
}

// writeUnseen prints a row for each half of the unseen cases, all classes together.
func writeUnseen(w io.Writer) error {
	var rows []Row
	for _, half := range unseen {
		cases, err := Cases(half)
		if err != nil {
			return err
		}
		total := Measure(cases).Total()
		total.Class = half
		rows = append(rows, total)
	}
	fmt.Fprintln(w)
	writeRows(w, rows)
	return nil
}

// Misses names the cases that went wrong.
func (r *Report) Misses(w io.Writer) {
	for _, m := range r.misses {
		fmt.Fprintln(w, m)
	}
}

// stored makes the input of a message on disk.
func stored(raw []byte) *check.Input {
	mail := scan.NewMail(raw)
	m := message.Parse(mail.Raw, message.DefaultLimits())
	o := scan.Stored(mail, m)
	conn, env := o.Session("eval", m, now)
	return &check.Input{Conn: conn, Envelope: &env, Message: m, Now: now, Notes: new(check.Notes)}
}

// mail prints what the checks say of stored mail.
func mail(root, part string, w io.Writer) error {
	split, err := eval.Corpora(root)
	if err != nil {
		return err
	}
	type pool struct {
		n, stated, hinted, lure, noLink, noLinkStated int
		by                                            map[string]int
	}
	pools := map[string]*pool{}
	frauds := scam.Checks(scam.Config{})
	for _, e := range split {
		if e.Part != part {
			continue
		}
		raw, err := eval.ReadMail(root, &e)
		if err != nil {
			return err
		}
		in := stored(raw)
		p := pools[e.Pool()]
		if p == nil {
			p = &pool{by: map[string]int{}}
			pools[e.Pool()] = p
		}
		p.n++
		class, hinted, lure := false, false, false
		for _, ev := range states(frauds, in) {
			p.by[string(ev.Reason)]++
			switch ev.Reason {
			case reason.CoinAddress:
			case reason.ScamHint:
				hinted = true
			case reason.CredentialLure, reason.PrizeLure, reason.ParcelLure:
				lure = true
			default:
				class = true
			}
		}
		p.stated += one(class)
		p.hinted += one(hinted && !class)
		p.lure += one(lure && !class)
		noLink := slices.ContainsFunc(scam.Read(in, scam.Ties{}).Features(), func(f scam.Feature) bool { return f.Name == "@no-link" })
		p.noLink += one(noLink)
		p.noLinkStated += one(noLink && (class || lure))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nmail\tn\ta class stated\t%\thint only\tlure only\tno link\tof them stated\t")
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		p := pools[name]
		fmt.Fprintf(t, "%s\t%d\t%d\t%.2f\t%d\t%d\t%d\t%d\t\n", name, p.n, p.stated, 100*share(p.stated, p.n), p.hinted, p.lure, p.noLink, p.noLinkStated)
	}
	t.Flush()
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		fmt.Fprintf(w, "%s:", name)
		for _, id := range slices.Sorted(maps.Keys(pools[name].by)) {
			fmt.Fprintf(w, " %s %d", id, pools[name].by[id])
		}
		fmt.Fprintln(w)
	}
	return nil
}
