package lint

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"sluice/explain"
	"sluice/lint/report"
)

//go:embed templates/lint.html
var files embed.FS

// view is what the template sees: a form, a report, or what went wrong.
type view struct {
	Node, Postmaster string
	Report           *report.Report
	Problem          string
	Address          string // where a message may be mailed to
	Mail             bool   // there are such addresses
	MaxKB            int64
}

type pages struct{ t *template.Template }

var funcs = template.FuncMap{
	"esc":    show,
	"mark":   func(l report.Level) string { return marks[l] },
	"says":   func(l report.Level) string { return levels[l] },
	"class":  func(c report.Class) string { return classes[c] },
	"need":   func(n report.Need) string { return needs[n] },
	"signed": func(x float64) string { return strings.ReplaceAll(fmt.Sprintf("%+.1f", x), "-", "−") },
	"source": source,
}

// show makes hostile text harmless. Reports hold texts that were escaped when they were
// made: a backslash isn't doubled again.
func show(s string) string { return explain.Escape(strings.ReplaceAll(s, `\\`, `\`), 400) }

func source(s string) string {
	if s == "practice" {
		return ""
	}
	return s
}

var marks = map[report.Level]string{report.Info: "·", report.Good: "✓", report.Warn: "!", report.Bad: "✗", report.Unknown: "?"}

// levels are the marks for those who can't see them.
var levels = map[report.Level]string{report.Info: "fact", report.Good: "good", report.Warn: "could be better", report.Bad: "wrong", report.Unknown: "unknown"}

var classes = map[report.Class]string{report.Delivered: "This gateway would deliver it.", report.Marked: "This gateway would deliver it with a mark.",
	report.Withheld: "This gateway would not deliver it."}

var needs = map[report.Need]string{report.Must: "Must", report.Should: "Should", report.Could: "Could"}

func parsePages() (*pages, error) {
	t, err := template.New("lint.html").Funcs(funcs).ParseFS(files, "templates/lint.html")
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	return &pages{t}, nil
}

// show writes the page.
func (s *site) show(w http.ResponseWriter, status int, v *view) {
	v.Node, v.Postmaster, v.MaxKB, v.Mail = s.cfg.Node, s.cfg.Postmaster, s.cfg.MaxSize>>10, s.cfg.Address != nil
	var b bytes.Buffer
	if err := s.page.t.Execute(&b, v); err != nil {
		s.cfg.Log.Error("lint: page can't be built", slog.Any("error", err))
		http.Error(w, "This page can't be built; it was logged.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client is gone
}
