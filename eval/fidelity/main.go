// Command fidelity asks whether explanations are true: it reads what sluice scan --json
// writes, leaves the three weightiest reasons out of each message that would be held or
// refused, weighs the rest anew, and counts how many would be delivered then. It also
// adds the printed points up.
//
//	sluice scan --json FOLDER | go run ./eval/fidelity
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"sluice"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/replay"
)

// stated is how many reasons an explanation names.
const stated = 3

type line struct {
	File    string `json:"file"`
	Verdict *struct {
		Points float64 `json:"points"`
		Action string  `json:"action"`
		Hard   string  `json:"hard"`
	} `json:"verdict"`
	Evidence []struct {
		ID     string  `json:"id"`
		Group  string  `json:"group"`
		Points float64 `json:"points"`
		Raw    float64 `json:"raw"`
		State  string  `json:"state"`
	} `json:"evidence"`
}

// count is what came of one kind of mail.
type count struct{ held, flipped, fewest, inexact int }

func main() {
	if err := report(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fidelity:", err)
		os.Exit(1)
	}
}

func report(in io.Reader, out io.Writer) error {
	kinds, messages := map[string]*count{}, 0
	d := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	for {
		var l line
		err := d.Decode(&l)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", messages+1, err)
		}
		if l.Verdict == nil {
			continue
		}
		messages++
		dir := filepath.Dir(l.File)
		kind := filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir))
		c := kinds[kind]
		if c == nil {
			c = &count{}
			kinds[kind] = c
		}
		c.add(&l)
	}
	var all count
	fmt.Fprintf(out, "%-32s %8s %14s %10s %10s\n", "", "held", "flip without 3", "share", "inexact")
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		c := kinds[k]
		c.write(out, k)
		all.held, all.flipped, all.fewest, all.inexact = all.held+c.held, all.flipped+c.flipped, all.fewest+c.fewest, all.inexact+c.inexact
	}
	all.write(out, "all")
	fmt.Fprintf(out, "%d messages; the fewest reasons that would have done are %.2f on average, where any do\n", messages, float64(all.fewest)/float64(max(all.flipped, 1)))
	return nil
}

func (c *count) write(w io.Writer, name string) {
	share := "–"
	if c.held > 0 {
		share = fmt.Sprintf("%.1f %%", 100*float64(c.flipped)/float64(c.held))
	}
	fmt.Fprintf(w, "%-32s %8d %14d %10s %10d\n", name, c.held, c.flipped, share, c.inexact)
}

func (c *count) add(l *line) {
	sum := 0.0
	for _, e := range l.Evidence {
		sum += e.Points
	}
	if math.Abs(sum-l.Verdict.Points) > 0.001 {
		c.inexact++
	}
	rec := record(l)
	if rec.Action() < sluice.QuarantineIt {
		return
	}
	c.held++
	top := replay.Against(rec)
	top = top[:min(len(top), stated)]
	less := *rec
	less.Verdict.Ledger = slices.DeleteFunc(slices.Clone(rec.Verdict.Ledger), func(x sluice.Contribution) bool { return slices.Contains(top, x.Reason) })
	if decided(&less).Action() < sluice.QuarantineIt {
		c.flipped++
		c.fewest += len(replay.Without(rec, terms))
	}
}

var terms = replay.Terms{Weights: verdict.DefaultWeights(), Policy: policy.Default()}

// record makes of a line what the gate would have recorded.
func record(l *line) *sluice.Record {
	r := &sluice.Record{Phase: sluice.PhaseMessage}
	for _, e := range l.Evidence {
		c := sluice.Contribution{Points: e.Points}
		c.Reason, c.Raw, c.State = sluice.Reason(e.ID), e.Raw, sluice.Found
		if e.State != "" {
			c.State = sluice.Unknown
		}
		if e.ID == l.Verdict.Hard {
			c.Hard = sluice.HardStop
		}
		_ = c.Group.UnmarshalText([]byte(e.Group)) // none: it counts nothing
		r.Verdict.Ledger = append(r.Verdict.Ledger, c)
	}
	return decided(r)
}

// decided has the policy judge a record's ledger.
func decided(r *sluice.Record) *sluice.Record {
	evidence := make([]sluice.Evidence, len(r.Verdict.Ledger))
	for i := range evidence {
		evidence[i] = r.Verdict.Ledger[i].Evidence
	}
	out := *r
	out.Verdict = verdict.Weigh(evidence, terms.Weights)
	out.Decisions = []sluice.Decision{policy.Decide(out.Verdict, terms.Policy, "somebody@example.org", policy.Circumstances{})}
	return &out
}
