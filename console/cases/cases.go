// Package cases is what the console shows of cases of our own users, and takes of what an
// admin decides: infected devices, stolen accounts, who was told and what came of it.
package cases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/explain"
	"sluice/subscriber/cases"
	"sluice/subscriber/report"
)

// Book is the cases, and what an admin may do with them.
type Book interface {
	Case(ctx context.Context, id string) (*sluice.Case, error)
	ListCases(ctx context.Context, q sluice.CaseQuery) ([]*sluice.Case, error)
	Remedy(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	CloseCase(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	FalseAlarm(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	Reopen(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	Note(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
}

// Config wires the room. Book is needed.
type Config struct {
	Book        Book
	Subscribers func() int // how many users there are; nil or 0: not known
	Clock       func() time.Time
	Logger      *slog.Logger
	Audit       func(r *http.Request, act, id, by string) // writes who did what by the API
}

// Room answers for the cases.
type Room struct{ cfg Config }

// New makes a room, or nil where nobody follows the users.
func New(cfg Config) *Room {
	if cfg.Book == nil {
		return nil
	}
	return &Room{cfg}
}

// States in the order in which the filter shows them.
var states = []sluice.CaseState{sluice.CaseOpen, sluice.CaseHeld, sluice.CaseNotified, sluice.CaseRemediated, sluice.CaseWatched,
	sluice.CaseClosed, sluice.CaseFalseAlarm, sluice.CaseMerged}

// ErrQuery is behind a filter, or words, that aren't understood.
var ErrQuery = errors.New("not understood")

// ParseQuery reads the filters of page and API: ?state, ?all, ?subject, ?q, ?before,
// ?limit. Without a state or all=1, only live cases are listed.
func ParseQuery(v url.Values) (sluice.CaseQuery, error) {
	q := sluice.CaseQuery{State: sluice.CaseState(v.Get("state")), Subject: v.Get("subject"), Text: v.Get("q"), Before: v.Get("before")}
	if q.State != "" && !slices.Contains(states, q.State) {
		return q, fmt.Errorf("%w: state: want one of %v", ErrQuery, states)
	}
	q.Live = q.State == "" && v.Get("all") != "1"
	if s := v.Get("limit"); s != "" {
		var err error
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > sluice.MaxPage {
			return q, fmt.Errorf("%w: limit: want 1 to %d", ErrQuery, sluice.MaxPage)
		}
	}
	return q, nil
}

// Page is one page of the list.
type Page struct {
	Rows   []*sluice.Case
	Next   string // address of the next page, "" on the last
	State  sluice.CaseState
	States []sluice.CaseState
	All    bool
	Text   string
	First  bool
}

// Page builds the page at path that v asks for.
func (o *Room) Page(ctx context.Context, path string, v url.Values) (Page, error) {
	q, err := ParseQuery(v)
	if err != nil {
		return Page{}, err
	}
	p := Page{State: q.State, States: states, All: v.Get("all") == "1", Text: q.Text, First: q.Before == ""}
	if p.Rows, err = o.cfg.Book.ListCases(ctx, q); err != nil {
		return p, err
	}
	if len(p.Rows) == q.Page() {
		next := url.Values{"before": {p.Rows[len(p.Rows)-1].ID}}
		for _, k := range []string{"state", "all", "subject", "q", "limit"} {
			if s := v.Get(k); s != "" {
				next.Set(k, s)
			}
		}
		p.Next = path + "?" + next.Encode()
	}
	return p, nil
}

// Case returns one; [sluice.ErrNotFound].
func (o *Room) Case(ctx context.Context, id string) (*sluice.Case, error) {
	return o.cfg.Book.Case(ctx, id)
}

// Acts are what an admin may do to a case in a state.
func Acts(s sluice.CaseState) (out []string) {
	switch s {
	case sluice.CaseMerged:
		return nil
	case sluice.CaseClosed, sluice.CaseFalseAlarm:
		return []string{"reopen", "note"}
	case sluice.CaseOpen, sluice.CaseHeld, sluice.CaseNotified:
		out = append(out, "release")
	}
	return append(out, "close", "false-alarm", "note")
}

// maxNote bounds what an admin writes, in octets.
const maxNote = 1000

// Act changes a case: release, close, false-alarm, reopen or note.
// [sluice.ErrNotFound] is an unknown case or act.
func (o *Room) Act(ctx context.Context, id, act, by, note string) (*sluice.Case, error) {
	if len(note) > maxNote {
		return nil, fmt.Errorf("%w: more than %d octets", ErrQuery, maxNote)
	}
	if act == "note" && note == "" {
		return nil, fmt.Errorf("%w: a note without words", ErrQuery)
	}
	b := o.cfg.Book
	do := map[string]func(context.Context, time.Time, string, string, string) (*sluice.Case, error){
		"release": b.Remedy, "close": b.CloseCase, "false-alarm": b.FalseAlarm, "reopen": b.Reopen, "note": b.Note}[act]
	if do == nil {
		return nil, sluice.ErrNotFound
	}
	return do(ctx, o.cfg.Clock(), id, by, note)
}

// Status is the answer that an error gets.
func Status(err error) int {
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrQuery):
		return http.StatusBadRequest
	case errors.Is(err, sluice.ErrConflict), errors.Is(err, cases.ErrState):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// mostCounted bounds the cases of one period.
const mostCounted = 200_000

// Figures counts the cases of a period of days.
func (o *Room) Figures(ctx context.Context, from, to time.Time) (report.Figures, error) {
	var all []*sluice.Case
	q := sluice.CaseQuery{Since: from, Until: to, Limit: sluice.MaxPage}
	for len(all) < mostCounted {
		page, err := o.cfg.Book.ListCases(ctx, q)
		if err != nil {
			return report.Figures{}, err
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	n := 0
	if o.cfg.Subscribers != nil {
		n = o.cfg.Subscribers()
	}
	return report.Of(all, from, to, o.cfg.Clock(), n), nil
}

// Period reads ?from and ?to, days; the default is the last 30.
func (o *Room) Period(v url.Values) (from, to time.Time, err error) {
	to = o.cfg.Clock()
	from = to.AddDate(0, 0, -30)
	for _, d := range []struct {
		key string
		at  *time.Time
	}{{"from", &from}, {"to", &to}} {
		if s := v.Get(d.key); s != "" {
			if *d.at, err = time.Parse(time.DateOnly, s); err != nil {
				return from, to, fmt.Errorf("%w: %s: want a day such as 2026-10-01", ErrQuery, d.key)
			}
		}
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("%w: from must be before to", ErrQuery)
	}
	return from, to, nil
}

// Entry is how the API and the command write a case.
type Entry struct {
	ID           string              `json:"id"`
	Tenant       string              `json:"tenant,omitzero"`
	Subject      string              `json:"subject"`
	Kind         sluice.CaseKind     `json:"kind"`
	State        sluice.CaseState    `json:"state"`
	Restrict     sluice.Restriction  `json:"restrict,omitzero"`
	Points       float64             `json:"points"`
	Opened       time.Time           `json:"opened"`
	FirstAbuse   time.Time           `json:"first_abuse,omitzero"`
	Held         time.Time           `json:"held,omitzero"`
	Notified     time.Time           `json:"notified,omitzero"`
	Confirmed    time.Time           `json:"confirmed,omitzero"`
	Remediated   time.Time           `json:"remediated,omitzero"`
	Until        time.Time           `json:"watched_until,omitzero"`
	Escalated    time.Time           `json:"escalated,omitzero"`
	Closed       time.Time           `json:"closed,omitzero"`
	Let          int                 `json:"messages_let_out"`
	Kept         int                 `json:"messages_kept"`
	Recurred     int                 `json:"recurred"`
	SelfReleases int                 `json:"self_releases"`
	Signals      []sluice.CaseSignal `json:"signals,omitzero"`
	Notices      []sluice.CaseNotice `json:"notices,omitzero"`
	Steps        []sluice.CaseStep   `json:"steps,omitzero"`
	Merged       []string            `json:"merged,omitzero"`
	Into         string              `json:"into,omitzero"`
	Acts         []string            `json:"acts"` // what may be done with it
}

// NewEntry is c for the API.
func NewEntry(c *sluice.Case) Entry {
	return Entry{ID: c.ID, Tenant: c.Tenant, Subject: c.Subject, Kind: c.Kind, State: c.State, Restrict: c.Restrict, Points: c.Points, Opened: c.Opened,
		FirstAbuse: c.FirstAbuse, Held: c.Held, Notified: c.Notified, Confirmed: c.Confirmed, Remediated: c.Remediated, Until: c.Until, Escalated: c.Escalated,
		Closed: c.Closed, Let: c.Let, Kept: c.Kept, Recurred: c.Recurred, SelfReleases: c.SelfReleases, Signals: c.Signals, Notices: c.Notices, Steps: c.Steps,
		Merged: c.Merged, Into: c.Into, Acts: append([]string{}, Acts(c.State)...)}
}

// API registers the paths below /api/v1.
func (o *Room) API(api func(pattern string, h func(w http.ResponseWriter, r *http.Request, by string))) {
	api("GET /api/v1/cases", o.serveList)
	api("GET /api/v1/cases/{id}", o.serveEntry)
	api("POST /api/v1/cases/{id}/{act}", o.serveAct)
	api("GET /api/v1/case-figures", o.serveFigures)
}

// fail answers for an error; the words of one that is our trouble stay in the log.
func (o *Room) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch status := Status(err); status {
	case http.StatusNotFound:
		web.JSONError(w, status, "not found")
	case http.StatusInternalServerError:
		o.cfg.Logger.Error("console: api", slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
		web.JSONError(w, status, "this can't be answered at the moment; the log says why")
	default:
		web.JSONError(w, status, explain.Escape(err.Error(), 200))
	}
}

func (o *Room) serveList(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := ParseQuery(r.URL.Query())
	if err != nil {
		o.fail(w, r, err)
		return
	}
	list, err := o.cfg.Book.ListCases(r.Context(), q)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	out, next := make([]Entry, 0, len(list)), ""
	for _, c := range list {
		out = append(out, NewEntry(c))
	}
	if len(list) == q.Page() {
		next = list[len(list)-1].ID
	}
	web.JSON(w, http.StatusOK, map[string]any{"cases": out, "next": next})
}

func (o *Room) serveEntry(w http.ResponseWriter, r *http.Request, _ string) {
	c, err := o.Case(r.Context(), r.PathValue("id"))
	if err != nil {
		o.fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, NewEntry(c))
}

func (o *Room) serveAct(w http.ResponseWriter, r *http.Request, by string) {
	act, id := r.PathValue("act"), r.PathValue("id")
	c, err := o.Act(r.Context(), id, act, by, r.FormValue("note"))
	if err != nil {
		o.fail(w, r, err)
		return
	}
	o.cfg.Audit(r, "cases "+act, id, by)
	web.JSON(w, http.StatusOK, NewEntry(c))
}

func (o *Room) serveFigures(w http.ResponseWriter, r *http.Request, _ string) {
	from, to, err := o.Period(r.URL.Query())
	if err != nil {
		o.fail(w, r, err)
		return
	}
	f, err := o.Figures(r.Context(), from, to)
	switch {
	case err != nil:
		o.fail(w, r, err)
	case r.URL.Query().Get("format") == "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="cases.csv"`)
		_ = report.CSV(w, f) // who reads it has gone
	default:
		web.JSON(w, http.StatusOK, f)
	}
}

// Bar is one share of a period.
type Bar struct {
	Name    string
	Of      string // of what
	N, All  int
	Percent float64 // 0 where All is 0
	Good    bool    // more of it is better
}

// Median is one median of a period.
type Median struct {
	Name string
	Time time.Duration
	Of   int
}

// Sheet is a period as the page shows it.
type Sheet struct {
	Figures   report.Figures
	Bars      []Bar
	Medians   []Median
	From, To  string // days, for the form
	CSV, JSON string // addresses of the same
}

// Sheet counts the period that v asks for.
func (o *Room) Sheet(ctx context.Context, v url.Values) (Sheet, error) {
	from, to, err := o.Period(v)
	if err != nil {
		return Sheet{}, err
	}
	f, err := o.Figures(ctx, from, to)
	if err != nil {
		return Sheet{}, err
	}
	s := Sheet{Figures: f, From: from.Format(time.DateOnly), To: to.Format(time.DateOnly)}
	if v.Get("to") == "" {
		s.To = "" // up to now
	}
	bar := func(name, of string, x report.Share, good bool) {
		s.Bars = append(s.Bars, Bar{name, of, x.N, x.Of, x.Percent(), good})
	}
	bar("Notified", "of detected", f.Notified, true)
	bar("… within 24 hours", "of detected", f.NotifiedDay, true)
	bar("Answered", "of detected", f.Confirmed, true)
	bar("Released by themselves", "of detected", f.SelfFreed, true)
	bar("Remediated", "of detected", f.Remediated, true)
	bar("Clean to the end of the watch", "of detected", f.Clean, true)
	bar("Recurred", "of remediated", f.Recurred, false)
	bar("False alarms", "of cases", f.FalseAlarms, false)
	bar("An admin was called", "of detected", f.Escalated, false)
	for _, m := range []struct {
		name string
		s    report.Span
	}{{"first abuse to hold", f.ToHold}, {"hold to notice", f.ToNotice}, {"notice to answer", f.ToConfirm}, {"hold to remedy", f.ToRemedy}, {"opened to closed", f.All}} {
		s.Medians = append(s.Medians, Median{m.name, m.s.Median, m.s.Of})
	}
	q := url.Values{"from": {s.From}, "to": {to.Format(time.DateOnly)}}
	if v.Get("to") == "" {
		q.Del("to")
	}
	s.JSON = "/api/v1/case-figures?" + q.Encode()
	q.Set("format", "csv")
	s.CSV = "/api/v1/case-figures?" + q.Encode()
	return s, nil
}
