// Package review is what the console shows of the queue of delivered mail to look at,
// and takes of what an admin makes of it. "good" and "bad" are labels that a
// [sluice.Teacher] weighs; "seen" teaches nothing.
package review

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/explain"
)

// Config wires the room. Reviews is needed.
type Config struct {
	Reviews sluice.Reviews
	Teacher sluice.Teacher // nil: nothing is learned
	Clock   func() time.Time
	Logger  *slog.Logger
	Audit   func(r *http.Request, act, id, by string) // writes who did what by the API
}

// Room answers for the queue.
type Room struct{ cfg Config }

// New makes a room, or nil where there is no queue.
func New(cfg Config) *Room {
	if cfg.Reviews == nil {
		return nil
	}
	return &Room{cfg}
}

// Page is one page of the queue.
type Page struct {
	Rows    []*sluice.Review
	Next    string // address of the next page, "" on the last
	State   sluice.ReviewState
	States  []sluice.ReviewState
	First   bool
	Teaches bool
}

var states = []sluice.ReviewState{sluice.ReviewNew, sluice.ReviewSeen, sluice.ReviewGood, sluice.ReviewBad}

// ErrQuery is behind a filter that isn't understood.
var ErrQuery = errors.New("no such filter")

// ParseQuery reads the filters of page and API: ?tenant, ?state, ?before, ?limit.
func ParseQuery(v url.Values) (sluice.ReviewQuery, error) {
	q := sluice.ReviewQuery{Tenant: v.Get("tenant"), Before: v.Get("before")}
	for _, s := range states {
		if v.Get("state") == string(s) {
			q.State = s
		}
	}
	if v.Get("state") != string(q.State) {
		return q, fmt.Errorf("%w: state: want new, seen, good or bad", ErrQuery)
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
	p := Page{State: q.State, States: states, First: q.Before == "", Teaches: o.cfg.Teacher != nil}
	if p.Rows, err = o.cfg.Reviews.ListReviews(ctx, q); err != nil {
		return p, err
	}
	if len(p.Rows) == q.Page() {
		next := url.Values{"before": {p.Rows[len(p.Rows)-1].ID}}
		for _, k := range []string{"state", "tenant", "limit"} {
			if s := v.Get(k); s != "" {
				next.Set(k, s)
			}
		}
		p.Next = path + "?" + next.Encode()
	}
	return p, nil
}

// ErrDecided is what a second, other decision gets: the label of the first is in the
// log of feedback, and is taken back there.
var ErrDecided = errors.New("it was decided already; take the label back on the page Feedback")

// Act marks a message: "seen", "good" or "bad". It returns the label that was given, nil
// for none. [sluice.ErrNotFound] is an unknown message or act.
func (o *Room) Act(ctx context.Context, id, act, by string) (*sluice.Feedback, error) {
	state := sluice.ReviewState(act)
	if state != sluice.ReviewSeen && state != sluice.ReviewGood && state != sluice.ReviewBad {
		return nil, sluice.ErrNotFound
	}
	r, err := o.cfg.Reviews.Review(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State == sluice.ReviewGood || r.State == sluice.ReviewBad {
		if r.State == state {
			return nil, nil
		}
		return nil, ErrDecided
	}
	var f *sluice.Feedback
	if state != sluice.ReviewSeen && o.cfg.Teacher != nil && len(r.Features) > 0 {
		l := &sluice.Label{ID: r.ID, Tenant: r.Tenant, Spam: state == sluice.ReviewBad, Source: sluice.SourceAdmin, By: by, To: r.To,
			Extractor: r.Extractor, Features: r.Features, Print: r.Print}
		if l.Spam {
			l.Threat = sluice.ThreatSpam
		}
		if f, err = o.cfg.Teacher.Teach(ctx, l); err != nil {
			return nil, err
		}
	}
	return f, o.cfg.Reviews.MarkReview(ctx, id, state, by, o.cfg.Clock())
}

// Entry is how the API writes a review.
type Entry struct {
	ID      string             `json:"id"`
	Tenant  string             `json:"tenant,omitzero"`
	Time    time.Time          `json:"time"`
	From    string             `json:"from"`
	To      []string           `json:"to,omitzero"`
	Subject string             `json:"subject"`
	Score   float64            `json:"score"`
	Why     []string           `json:"why,omitzero"`
	State   sluice.ReviewState `json:"state"`
	By      string             `json:"by,omitzero"`
	Decided time.Time          `json:"decided,omitzero"`
}

// NewEntry is r without what it teaches.
func NewEntry(r *sluice.Review) Entry {
	return Entry{r.ID, r.Tenant, r.Time, r.From, r.To, r.Subject, r.Score, r.Why, r.State, r.By, r.Decided}
}

// Status is the answer that an error gets.
func Status(err error) int {
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrQuery):
		return http.StatusBadRequest
	case errors.Is(err, ErrDecided):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
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

// ServeList lists the queue, newest first.
func (o *Room) ServeList(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := ParseQuery(r.URL.Query())
	if err != nil {
		o.fail(w, r, err)
		return
	}
	list, err := o.cfg.Reviews.ListReviews(r.Context(), q)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	out, next := make([]Entry, 0, len(list)), ""
	for _, x := range list {
		out = append(out, NewEntry(x))
	}
	if len(list) == q.Page() {
		next = list[len(list)-1].ID
	}
	web.JSON(w, http.StatusOK, map[string]any{"reviews": out, "next": next})
}

// ServeEntry shows one.
func (o *Room) ServeEntry(w http.ResponseWriter, r *http.Request, _ string) {
	x, err := o.cfg.Reviews.Review(r.Context(), r.PathValue("id"))
	if err != nil {
		o.fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, NewEntry(x))
}

// ServeAct marks one. The answer has the number of the label that was given, 0 for none.
func (o *Room) ServeAct(w http.ResponseWriter, r *http.Request, by string) {
	act, id := r.PathValue("act"), r.PathValue("id")
	f, err := o.Act(r.Context(), id, act, by)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	o.cfg.Audit(r, "review "+act, id, by)
	var label int64
	if f != nil {
		label = f.Seq
	}
	web.JSON(w, http.StatusOK, map[string]any{"id": id, "done": act, "label": label})
}
