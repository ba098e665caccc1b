package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sluice/cmd/sluice/term"
)

// Report is the list.
type Report struct {
	Findings []Finding
}

// failed reports a configuration that can't be read: nothing else can be looked at.
func failed(err error) *Report {
	return &Report{[]Finding{{Area: areaConfig, What: "settings", Level: Bad, Text: strings.TrimPrefix(err.Error(), "config: "), Fix: "correct the settings; docs/sluice.example.toml shows each of them"}}}
}

// Count is how many findings have a level.
func (r *Report) Count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// Write writes the report as JSON or as text, in colours where w is a terminal.
func (r *Report) Write(w io.Writer, asJSON bool) error {
	if asJSON {
		return r.JSON(w)
	}
	return r.Text(w, term.PaintFor(w))
}

// JSON writes the report for programs: the findings, and how many there are of
// each level.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		OK       int       `json:"ok"`
		Warnings int       `json:"warnings"`
		Broken   int       `json:"broken"`
		Findings []Finding `json:"findings"`
	}{r.Count(OK), r.Count(Warn), r.Count(Bad), r.Findings})
}

// Longest texts, in octets: a line stays a line.
const (
	longWhat = 60
	longText = 300
)

// Text writes the report for people, by area, with the fix below what isn't in
// order.
func (r *Report) Text(w io.Writer, p term.Paint) error {
	var b strings.Builder
	for i := 0; i < len(r.Findings); {
		n := i
		width := 0
		for n < len(r.Findings) && r.Findings[n].Area == r.Findings[i].Area {
			width = max(width, utf8.RuneCountInString(term.Plain(r.Findings[n].What, longWhat)))
			n++
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Bold(r.Findings[i].Area) + "\n")
		for ; i < n; i++ {
			r.Findings[i].text(&b, p, width)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.sum())
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) text(b *strings.Builder, p term.Paint, width int) {
	what := term.Plain(f.What, longWhat)
	pad := strings.Repeat(" ", width-utf8.RuneCountInString(what))
	fmt.Fprintf(b, "  %s  %s%s  %s\n", f.Level.paint(p), what, pad, term.Plain(f.Text, longText))
	if f.Fix != "" {
		fmt.Fprintf(b, "        %s %s\n", p.Dim("fix:"), term.Plain(f.Fix, longText))
	}
}

// paint is the level in four columns.
func (l Level) paint(p term.Paint) string {
	s := fmt.Sprintf("%-4s", string(l))
	switch l {
	case OK:
		return p.In("32", s)
	case Warn:
		return p.In("33", s)
	default:
		return p.In("31;1", s)
	}
}

func (r *Report) sum() string {
	bad, warn, fine := r.Count(Bad), r.Count(Warn), r.Count(OK)
	switch {
	case bad > 0:
		return fmt.Sprintf("%d broken, %s, %d in order.", bad, count(warn, "warning"), fine)
	case warn > 0:
		return fmt.Sprintf("Nothing is broken: %s, %d in order.", count(warn, "warning"), fine)
	}
	return fmt.Sprintf("All %d in order.", fine)
}
