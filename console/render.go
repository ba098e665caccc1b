package console

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/chart"
	"sluice/console/internal/words"
	"sluice/console/labels"
	"sluice/explain"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// layout is what every page has.
type layout struct {
	Title   string
	Nav     string // "messages", "quarantine", "reports", "live", "hosts", "feedback", "review", "appeals", "cases"
	Account string // "" before login
	CSRF    string
	Version string
	Notice  string // what a POST has just done
	Reports bool   // there is a page of reports
	Live    bool   // and of what goes on now
	Hosts   bool   // and of those outside
	Labels  bool   // and of feedback
	Reviews bool   // and of mail to look at
	Appeals bool   // and of what senders say
	Cases   bool   // and of our own users
	Trouble string // why the gateway isn't well
	Now     time.Time
}

func (l *layout) base() *layout { return l }

type page interface{ base() *layout }

// maxShown bounds one hostile string on a page, in octets.
const maxShown = 500

func escape(s string) string { return explain.Escape(s, maxShown) }

// caseActs name what an admin does to a case.
var caseActs = map[string]string{"release": "The cause is gone: let mail go", "close": "Close", "false-alarm": "False alarm", "reopen": "Go on with it", "note": "Write it down"}

var funcs = template.FuncMap{
	"esc":    escape,
	"long":   func(s string) string { return explain.Escape(s, 4000) },
	"stamp":  func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") },
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"short":  words.Short,
	"ago":    words.Ago,
	"signed": words.Signed,
	"period": words.Period,
	"kind": func(s string) string {
		if k := reportKinds[s]; k != "" {
			return k
		}
		return escape(s)
	},
	"labelRow": func(p *feedbackPage, r labels.Row) any {
		return struct {
			Page *feedbackPage
			Row  labels.Row
		}{p, r}
	},
	"labelState": labels.StateWords, "labelKind": labels.KindWords, "labelSettled": labels.SettledWords, "labelSource": labels.SourceWords,
	"pct":      words.Percent,
	"span":     words.Span,
	"share":    func(p float64) string { return fmt.Sprintf("%.0f %%", 100*p) },
	"number":   chart.Number,
	"code":     func(r sluice.Reason) string { return escape(string(r)) },
	"join":     func(list []string) string { return escape(strings.Join(list, ", ")) },
	"times100": func(p float64) float64 { return 100 * p },
	"bytes":    words.Bytes,
	"micros": func(us int64) string {
		return (time.Duration(us) * time.Microsecond).Round(10 * time.Microsecond).String()
	},
	"verb":  words.Verb,
	"state": func(s sluice.CaseState) string { return strings.ReplaceAll(string(s), "_", " ") },
	"caseChip": func(s sluice.CaseState) string {
		switch s {
		case sluice.CaseWatched, sluice.CaseRemediated:
			return "a-accept"
		case sluice.CaseOpen:
			return "a-tag"
		case sluice.CaseHeld, sluice.CaseNotified:
			return "a-quarantine"
		}
		return ""
	},
	"act":    func(s string) string { return caseActs[s] },
	"threat": words.Threat,
	"to":     (*sluice.Record).Recipients,
	"sender": func(s string) string {
		if s == "" {
			return "<>"
		}
		return escape(s)
	},
}

// render writes a page. It is built whole first, so that a failure is an error
// page and never half a page.
func (c *Console) render(w http.ResponseWriter, status int, name string, p page) {
	l := p.base()
	l.Version, l.Now, l.Reports = c.cfg.Version, c.cfg.Clock(), c.cfg.Reports != nil
	l.Live, l.Hosts, l.Labels, l.Reviews = c.cfg.Port.Live != nil, c.cfg.Port.hosts(), c.labels != nil, c.reviews != nil
	l.Appeals, l.Cases = c.appeals != nil, c.cases != nil
	var b bytes.Buffer
	if err := c.pages[name].Execute(&b, p); err != nil {
		c.cfg.Log.Error("console: page can't be built", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "This page can't be built; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client is gone
}

// layout fills what pages of a visit share.
func (c *Console) layout(ctx context.Context, v *visit, nav, title string) layout {
	l := layout{Title: title, Nav: nav, Account: v.account, CSRF: v.csrf}
	if err := c.cfg.Health(ctx); err != nil {
		l.Trouble = escape(err.Error())
	}
	return l
}

type failPage struct {
	layout
	Status int
	Text   string
}

// fail shows a page that says what is wrong. The error's own words go to the log.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, v *visit, status int, text string, err error) {
	if err != nil {
		c.cfg.Log.Error("console: "+strings.TrimSuffix(text, "."), slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
	}
	p := failPage{layout: layout{Title: http.StatusText(status)}, Status: status, Text: text}
	if v != nil {
		p.Account, p.CSRF = v.account, v.csrf
	}
	c.render(w, status, "fail", &p)
}
