package main

import (
	"fmt"
	"io"
	"strings"

	"sluice"
	"sluice/cmd/sluice/term"
)

// ledger writes evidence, strongest first, and the sum that it adds up to.
func writeLedger(w io.Writer, p term.Paint, evidence []scanEvidence, v *scanVerdict) {
	var silent []string
	for _, e := range evidence {
		if e.State != "" {
			silent = append(silent, e.ID+" ("+strings.ReplaceAll(e.State, "_", " ")+")")
			continue
		}
		mark := p.Points(e.Points)
		if e.ID == v.Hard {
			mark = p.In("31;1", "  HARD")
		}
		fmt.Fprintf(w, "  %s  %-10s %s\n", mark, e.Group, p.Bold(e.ID))
		if e.Reason != "" {
			fmt.Fprintf(w, "          %s\n", e.Reason)
		}
		if e.Detail != "" {
			fmt.Fprintf(w, "          %s\n", p.Dim(term.Plain(e.Detail, 200)))
		}
	}
	fmt.Fprintf(w, "  ──────\n  %s  total: probability %.4f of being unwanted\n", p.Points(v.Points), v.Probability)
	if s := v.Threats.String(); s != "" && v.Probability >= 0.2 {
		fmt.Fprintf(w, "  %s\n", p.Dim("if it is: "+s))
	}
	if len(silent) > 0 {
		fmt.Fprintf(w, "  %s\n", p.Dim("no answer: "+strings.Join(silent, ", ")))
	}
}

// verdictOf gives a record the shape that ledgers are written from.
func verdictOf(r *sluice.Record) *scanVerdict {
	action := sluice.Accept
	for _, d := range r.Decisions {
		action = max(action, d.Action)
	}
	v := r.Verdict
	return &scanVerdict{Threat: v.Threat.String(), Probability: v.Probability, Points: v.Points, Action: action.String(), Hard: string(v.Hard), Threats: v.Threats}
}

// textReport is scan's output for people.
type textReport struct {
	out      io.Writer
	progress *term.Progress // nil where the messages themselves scroll by
	paint    term.Paint
	always   bool        // show every ledger
	held     *scanResult // the first, until it is known whether it stays alone
	seen     int
	actions  map[string]int
	errors   int
	slowest  *scanResult
}

func newTextReport(stdout, stderr io.Writer, ledger bool) *textReport {
	t := &textReport{out: stdout, paint: term.PaintFor(stdout), always: ledger, actions: map[string]int{}}
	if !term.IsTerminal(stdout) {
		t.progress = term.ProgressOn(stderr, 0)
	}
	return t
}

// message writes one line a message. The first waits: if it stays alone, its
// whole ledger is shown.
func (t *textReport) message(r *scanResult) error {
	t.seen++
	if r.Error != "" {
		t.errors++
	} else {
		t.actions[r.Verdict.Action]++
		if t.slowest == nil || r.Micros > t.slowest.Micros {
			t.slowest = r
		}
	}
	if t.progress != nil {
		t.progress.Step()
	}
	switch {
	case t.always:
		t.write(r, true)
	case t.seen == 1:
		t.held = r
	default:
		if t.held != nil {
			t.write(t.held, false)
			t.held = nil
		}
		t.write(r, false)
	}
	return nil
}

func (t *textReport) write(r *scanResult, ledger bool) {
	if r.Error != "" {
		fmt.Fprintf(t.out, "%s  %s\n", t.paint.In("31", "error     "), term.Plain(r.Error, 300))
		return
	}
	pad := strings.Repeat(" ", max(0, 10-len(r.Verdict.Action)))
	fmt.Fprintf(t.out, "%s%s  %-8s %s  %s  %s\n", t.paint.Action(r.Verdict.Action), pad, r.Verdict.Threat,
		t.paint.Points(r.Verdict.Points), term.Plain(r.File, 200), t.paint.Dim(term.Plain(r.subject, 60)))
	if ledger {
		writeLedger(t.out, t.paint, r.Evidence, r.Verdict)
		if len(r.Files) > 0 {
			fmt.Fprintln(t.out, "\n  files")
			t.paint.Files(t.out, r.Files, r.Left)
		}
		fmt.Fprintln(t.out)
	}
}

func (t *textReport) end() error {
	if t.progress != nil {
		t.progress.End()
	}
	if t.held != nil {
		t.write(t.held, true)
		return nil
	}
	if t.seen < 2 {
		return nil
	}
	var parts []string
	for _, a := range []string{"accept", "tag", "quarantine", "defer", "reject"} {
		if n := t.actions[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d (%.1f %%)", t.paint.Action(a), n, 100*float64(n)/float64(t.seen)))
		}
	}
	if t.errors > 0 {
		parts = append(parts, fmt.Sprintf("unreadable %d", t.errors))
	}
	_, err := fmt.Fprintf(t.out, "\n%d messages: %s\n", t.seen, strings.Join(parts, ", "))
	if t.slowest != nil {
		fmt.Fprintf(t.out, "slowest: %.1f ms, %s\n", float64(t.slowest.Micros)/1000, term.Plain(t.slowest.File, 200))
	}
	return err
}
