// Package letter writes a lint report as text, for a terminal or a mail.
package letter

import (
	"fmt"
	"io"
	"strings"

	"sluice/explain"
	"sluice/lint/report"
)

// width is where lines of prose are broken.
const width = 92

// Paint colours text; term.Paint of the program is one.
type Paint interface {
	In(code, s string) string // an SGR code
	Bold(s string) string
	Dim(s string) string
	Action(s string) string
	Points(v float64) string
}

// Plain leaves text as it is.
type Plain struct{}

// In returns s.
func (Plain) In(_, s string) string { return s }

// Bold returns s.
func (Plain) Bold(s string) string { return s }

// Dim returns s.
func (Plain) Dim(s string) string { return s }

// Action returns s.
func (Plain) Action(s string) string { return s }

// Points is a signed number with one decimal.
func (Plain) Points(v float64) string { return fmt.Sprintf("%+6.1f", v) }

type writer struct {
	out io.Writer
	p   Paint
}

// Write prints a report; more adds the ledger and every detail of each section.
func Write(out io.Writer, p Paint, r *report.Report, more bool) {
	w := &writer{out, p}
	w.head(r)
	w.advice(r.Advice)
	for i := range r.Sections {
		w.section(r.Sections[i].Title, r.Sections[i].Facts, more)
	}
	w.imitation(r, more)
	if r.Verdict != nil {
		w.words(r.Verdict.Words)
		w.ledger(r.Verdict, more)
	}
}

func (w *writer) line(format string, a ...any) { fmt.Fprintf(w.out, format+"\n", a...) }

// prose breaks a paragraph at width; lines after the first begin with indent.
func (w *writer) prose(first, indent, text string, dim bool) {
	line, n := first, len([]rune(first))
	flush := func() {
		if dim {
			w.line("%s", w.p.Dim(line))
		} else {
			w.line("%s", line)
		}
	}
	begun := false
	for word := range strings.FieldsSeq(text) {
		if begun && n+1+len([]rune(word)) > width {
			flush()
			line, n, begun = indent, len([]rune(indent)), false
		}
		if begun {
			line, n = line+" ", n+1
		}
		line, n, begun = line+word, n+len([]rune(word)), true
	}
	flush()
}

var classes = map[report.Class]string{report.Delivered: "would be delivered", report.Marked: "would be delivered with a mark", report.Withheld: "would be withheld"}

func (w *writer) head(r *report.Report) {
	m := &r.Message
	w.line("%s", w.p.Bold(explain.Escape(m.Subject, 100)))
	w.line("%s", w.p.Dim(fmt.Sprintf("from %s, %s mail, %d octets", explain.Escape(m.From, 120), m.Kind, m.Size)))
	verdict := "This gateway: " + classes[r.Class]
	if v := r.Verdict; v != nil {
		verdict += fmt.Sprintf(" (%s, %s points, %.1f %% unwanted)", w.p.Action(v.Action), strings.TrimSpace(w.p.Points(v.Points)), 100*v.Probability)
	}
	w.line("%s", verdict)
	if v := r.Verdict; v != nil && v.Mended < v.Points {
		w.line("With all of the advice: %s, %s points", w.p.Action(v.MendedAction), strings.TrimSpace(w.p.Points(v.Mended)))
	}
	w.line("Imitation risk: %s", r.Imitation.Risk)
}

func (w *writer) advice(list []report.Advice) {
	w.line("")
	if len(list) == 0 {
		w.line("%s", w.p.In("32", "Nothing to change."))
		return
	}
	w.line("%s", w.p.Bold("What to change: what large receivers insist on, then by effect here"))
	for i := range list {
		a := &list[i]
		w.prose(fmt.Sprintf("%2d. %s  ", i+1, w.need(a.Need)), "             ", a.What+effect(a), false)
		w.prose("             → ", "               ", a.Do, false)
		if a.Seen != "" {
			w.prose("             seen: ", "                   ", explain.Escape(unescape(a.Seen), 300), true)
		}
		if a.Source != "" && a.Source != "practice" {
			w.prose("             ", "             ", a.Source, true)
		}
	}
}

// need is padded before it is coloured.
func (w *writer) need(n report.Need) string {
	s := fmt.Sprintf("%-6s", n)
	switch n {
	case report.Must:
		return w.p.In("31;1", s)
	case report.Should:
		return w.p.In("33", s)
	}
	return s
}

// unescape is for texts that were escaped when the report was made: a backslash isn't
// doubled again.
func unescape(s string) string { return strings.ReplaceAll(s, `\\`, `\`) }

func effect(a *report.Advice) string {
	var parts []string
	if a.Effect != 0 {
		parts = append(parts, fmt.Sprintf("%+.1f points", a.Effect))
	}
	if a.Copy != 0 {
		parts = append(parts, fmt.Sprintf("a copy by others %+.1f", a.Copy))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.ReplaceAll(strings.Join(parts, "; "), "-", "−") + ")"
}

var marks = map[report.Level]string{report.Info: "·", report.Good: "✓", report.Warn: "!", report.Bad: "✗", report.Unknown: "?"}

func (w *writer) mark(l report.Level) string {
	colour := map[report.Level]string{report.Good: "32", report.Warn: "33", report.Bad: "31", report.Unknown: "33"}[l]
	if colour == "" {
		return marks[l]
	}
	return w.p.In(colour, marks[l])
}

func (w *writer) section(title string, facts []report.Fact, more bool) {
	if len(facts) == 0 {
		return
	}
	w.line("\n%s", w.p.Bold(title))
	for i := range facts {
		f := &facts[i]
		text := f.What
		if f.Value != "" {
			text += ": " + f.Value
		}
		w.prose("  "+w.mark(f.Level)+" ", "    ", explain.Escape(unescape(text), 400), false)
		if f.Why != "" {
			w.prose("      ", "      ", explain.Escape(unescape(f.Why), 400), true)
		}
		if !more {
			continue
		}
		for _, m := range f.More {
			w.line("      %s", w.p.Dim(explain.Escape(unescape(m), 400)))
		}
		if f.Source != "" && f.Source != "practice" {
			w.prose("      ", "      ", f.Source, true)
		}
	}
}

func (w *writer) imitation(r *report.Report, more bool) {
	i := &r.Imitation
	w.section("Imitation risk: "+i.Risk, i.Facts, more)
	if i.Own == 0 && i.Copy == 0 {
		return
	}
	w.prose("  ", "    ", strings.ReplaceAll(fmt.Sprintf("An exact copy that a stranger sends in the author's name gets %+.1f points here, this message %+.1f; the copy %s.",
		i.Copy, i.Own, classes[i.Class]), "-", "−"), false)
}

func (w *writer) words(list []report.Word) {
	if len(list) == 0 {
		return
	}
	w.line("\n%s", w.p.Bold("Words that weigh"))
	var parts []string
	for _, x := range list {
		parts = append(parts, fmt.Sprintf("%s %+.1f", explain.Escape(x.Word, 40), x.DB))
	}
	w.prose("  ", "  ", strings.ReplaceAll(strings.Join(parts, ", "), "-", "−"), false)
}

func (w *writer) ledger(v *report.Verdict, more bool) {
	if !more {
		return
	}
	w.line("\n%s", w.p.Bold("Ledger"))
	for i := range v.Ledger {
		e := &v.Ledger[i]
		text := e.ID
		if e.State != "" {
			text += " (" + e.State + ")"
		}
		if e.Detail != "" {
			text += "  " + w.p.Dim(explain.Escape(e.Detail, 200))
		}
		w.line("  %s  %s", w.p.Points(e.Points), text)
	}
	w.line("  %s  sum", w.p.Points(v.Points))
}
