// Package appeals is what the console shows of the queue of appeals, and takes of what
// an admin decides. A decision is shown to the sender on the page where he appealed;
// nobody is written to, and no verdict changes by it: what was wrong is mended by a
// label, a list or a rule.
package appeals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/explain"
)

// Config wires the room. Appeals is needed.
type Config struct {
	Appeals sluice.Appeals
	Clock   func() time.Time
	Logger  *slog.Logger
	Audit   func(r *http.Request, act, id, by string) // writes who did what by the API
}

// Room answers for the queue.
type Room struct{ cfg Config }

// New makes a room, or nil where there is no queue.
func New(cfg Config) *Room {
	if cfg.Appeals == nil {
		return nil
	}
	return &Room{cfg}
}

// Page is one page of the queue.
type Page struct {
	Rows   []*sluice.Appeal
	Next   string // address of the next page, "" on the last
	State  sluice.AppealState
	States []sluice.AppealState
	First  bool
}

var states = []sluice.AppealState{sluice.AppealNew, sluice.AppealGranted, sluice.AppealDeclined}

// ErrQuery is behind a filter that isn't understood.
var ErrQuery = errors.New("no such filter")

// ParseQuery reads the filters of page and API: ?state, ?before, ?limit.
func ParseQuery(v url.Values) (sluice.AppealQuery, error) {
	q := sluice.AppealQuery{Before: v.Get("before")}
	for _, s := range states {
		if v.Get("state") == string(s) {
			q.State = s
		}
	}
	if v.Get("state") != string(q.State) {
		return q, fmt.Errorf("%w: state: want new, granted or declined", ErrQuery)
	}
	if s := v.Get("limit"); s != "" {
		var err error
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > sluice.MaxPage {
			return q, fmt.Errorf("%w: limit: want 1 to %d", ErrQuery, sluice.MaxPage)
		}
	}
	return q, nil
}

// Page builds the page at path that v asks for.
func (o *Room) Page(ctx context.Context, path string, v url.Values) (Page, error) {
	q, err := ParseQuery(v)
	if err != nil {
		return Page{}, err
	}
	p := Page{State: q.State, States: states, First: q.Before == ""}
	if p.Rows, err = o.cfg.Appeals.ListAppeals(ctx, q); err != nil {
		return p, err
	}
	if len(p.Rows) == q.Page() {
		next := url.Values{"before": {p.Rows[len(p.Rows)-1].ID}}
		for _, k := range []string{"state", "limit"} {
			if s := v.Get(k); s != "" {
				next.Set(k, s)
			}
		}
		p.Next = path + "?" + next.Encode()
	}
	return p, nil
}

// Act decides an appeal: "granted" or "declined"; "new" takes a decision back.
// [sluice.ErrNotFound] is an unknown appeal or act.
func (o *Room) Act(ctx context.Context, id, act, by string) error {
	switch state := sluice.AppealState(act); state {
	case sluice.AppealGranted, sluice.AppealDeclined:
		return o.cfg.Appeals.MarkAppeal(ctx, id, state, by, o.cfg.Clock())
	case sluice.AppealNew:
		return o.cfg.Appeals.MarkAppeal(ctx, id, state, "", time.Time{})
	}
	return sluice.ErrNotFound
}

// Status is the answer that an error gets.
func Status(err error) int {
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrQuery):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// Entry is how the API writes an appeal.
type Entry struct {
	ID      string             `json:"id"`
	Time    time.Time          `json:"time"`
	Text    string             `json:"text"` // as the sender wrote it
	Asker   netip.Addr         `json:"asker,omitzero"`
	Event   time.Time          `json:"event,omitzero"`
	Client  netip.Addr         `json:"client,omitzero"`
	Hello   string             `json:"hello,omitzero"`
	Phase   sluice.Phase       `json:"phase"`
	Threat  sluice.Threat      `json:"threat"`
	Code    int                `json:"code"`
	Reasons []sluice.Reason    `json:"reasons,omitzero"`
	State   sluice.AppealState `json:"state"`
	By      string             `json:"by,omitzero"`
	Decided time.Time          `json:"decided,omitzero"`
}

// NewEntry is a for the API.
func NewEntry(a *sluice.Appeal) Entry {
	return Entry{a.ID, a.Time, a.Text, a.Asker, a.Event, a.Client, a.Hello, a.Phase, a.Threat, a.Code, a.Reasons, a.State, a.By, a.Decided}
}

// fail answers for an error; the words of one that is our trouble stay in the log.
func (o *Room) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch status := Status(err); status {
	case http.StatusNotFound:
		web.JSONError(w, status, "not found")
	case http.StatusBadRequest:
		web.JSONError(w, status, explain.Escape(err.Error(), 200))
	default:
		o.cfg.Logger.Error("console: api", slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
		web.JSONError(w, status, "this can't be answered at the moment; the log says why")
	}
}

// ServeList lists the queue, newest first.
func (o *Room) ServeList(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := ParseQuery(r.URL.Query())
	if err != nil {
		o.fail(w, r, err)
		return
	}
	list, err := o.cfg.Appeals.ListAppeals(r.Context(), q)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	out, next := make([]Entry, 0, len(list)), ""
	for _, a := range list {
		out = append(out, NewEntry(a))
	}
	if len(list) == q.Page() {
		next = list[len(list)-1].ID
	}
	web.JSON(w, http.StatusOK, map[string]any{"appeals": out, "next": next})
}

// ServeEntry shows one.
func (o *Room) ServeEntry(w http.ResponseWriter, r *http.Request, _ string) {
	a, err := o.cfg.Appeals.Appeal(r.Context(), r.PathValue("id"))
	if err != nil {
		o.fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, NewEntry(a))
}

// ServeAct decides one.
func (o *Room) ServeAct(w http.ResponseWriter, r *http.Request, by string) {
	act, id := r.PathValue("act"), r.PathValue("id")
	if err := o.Act(r.Context(), id, act, by); err != nil {
		o.fail(w, r, err)
		return
	}
	o.cfg.Audit(r, "appeals "+act, id, by)
	web.JSON(w, http.StatusOK, map[string]string{"id": id, "done": act})
}
