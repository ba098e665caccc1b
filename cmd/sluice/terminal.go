package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/explain"
)

// isTerminal says whether w is one; anything that isn't a file is not.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// paint colours text where the reader is a person who wants it (no-color.org).
type paint bool

func paintFor(w io.Writer) paint { return paint(isTerminal(w) && os.Getenv("NO_COLOR") == "") }

func (p paint) in(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) bold(s string) string { return p.in("1", s) }
func (p paint) dim(s string) string  { return p.in("2", s) }

// action colours by how hard it is.
func (p paint) action(s string) string {
	switch s {
	case "accept":
		return p.in("32", s)
	case "tag", "banner", "strip", "defer":
		return p.in("33", s)
	case "quarantine", "hold":
		return p.in("35", s)
	default:
		return p.in("31;1", s)
	}
}

// points is a signed number, bad ones red.
func (p paint) points(v float64) string {
	s := fmt.Sprintf("%+6.1f", v)
	switch {
	case v > 0:
		return p.in("31", s)
	case v < 0:
		return p.in("32", s)
	}
	return s
}

// plain makes hostile text safe for a terminal.
func plain(s string, max int) string { return explain.Escape(s, max) }

// ledger writes evidence, strongest first, and the sum that it adds up to.
func (p paint) ledger(w io.Writer, evidence []scanEvidence, v *scanVerdict) {
	var silent []string
	for _, e := range evidence {
		if e.State != "" {
			silent = append(silent, e.ID+" ("+strings.ReplaceAll(e.State, "_", " ")+")")
			continue
		}
		mark := p.points(e.Points)
		if e.ID == v.Hard {
			mark = p.in("31;1", "  HARD")
		}
		fmt.Fprintf(w, "  %s  %-10s %s\n", mark, e.Group, p.bold(e.ID))
		if e.Reason != "" {
			fmt.Fprintf(w, "          %s\n", e.Reason)
		}
		if e.Detail != "" {
			fmt.Fprintf(w, "          %s\n", p.dim(plain(e.Detail, 200)))
		}
	}
	fmt.Fprintf(w, "  ──────\n  %s  total: probability %.4f of being unwanted\n", p.points(v.Points), v.Probability)
	if len(silent) > 0 {
		fmt.Fprintf(w, "  %s\n", p.dim("no answer: "+strings.Join(silent, ", ")))
	}
}

// verdictOf gives a record the shape that ledgers are written from.
func verdictOf(r *sluice.Record) *scanVerdict {
	action := sluice.Accept
	for _, d := range r.Decisions {
		action = max(action, d.Action)
	}
	v := r.Verdict
	return &scanVerdict{Threat: v.Threat.String(), Probability: v.Probability, Points: v.Points, Action: action.String(), Hard: string(v.Hard)}
}

// textReport is scan's output for people.
type textReport struct {
	out      io.Writer
	progress *progress // nil where the messages themselves scroll by
	paint    paint
	always   bool        // show every ledger
	held     *scanResult // the first, until it is known whether it stays alone
	seen     int
	actions  map[string]int
	errors   int
	slowest  *scanResult
}

func newTextReport(stdout, stderr io.Writer, ledger bool) *textReport {
	t := &textReport{out: stdout, paint: paintFor(stdout), always: ledger, actions: map[string]int{}}
	if !isTerminal(stdout) {
		t.progress = progressOn(stderr, 0)
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
		t.progress.step()
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
		fmt.Fprintf(t.out, "%s  %s\n", t.paint.in("31", "error     "), plain(r.Error, 300))
		return
	}
	pad := strings.Repeat(" ", max(0, 10-len(r.Verdict.Action)))
	fmt.Fprintf(t.out, "%s%s  %-8s %s  %s  %s\n", t.paint.action(r.Verdict.Action), pad, r.Verdict.Threat,
		t.paint.points(r.Verdict.Points), plain(r.File, 200), t.paint.dim(plain(r.subject, 60)))
	if ledger {
		t.paint.ledger(t.out, r.Evidence, r.Verdict)
		fmt.Fprintln(t.out)
	}
}

func (t *textReport) end() error {
	if t.progress != nil {
		t.progress.end()
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
			parts = append(parts, fmt.Sprintf("%s %d (%.1f %%)", t.paint.action(a), n, 100*float64(n)/float64(t.seen)))
		}
	}
	if t.errors > 0 {
		parts = append(parts, fmt.Sprintf("unreadable %d", t.errors))
	}
	_, err := fmt.Fprintf(t.out, "\n%d messages: %s\n", t.seen, strings.Join(parts, ", "))
	if t.slowest != nil {
		fmt.Fprintf(t.out, "slowest: %.1f ms, %s\n", float64(t.slowest.Micros)/1000, plain(t.slowest.File, 200))
	}
	return err
}
