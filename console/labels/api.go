package labels

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/explain"
	"sluice/message"
)

// Entry is how the API writes an entry of the log.
type Entry struct {
	Seq     int64                `json:"seq"`
	Kind    sluice.FeedbackKind  `json:"kind"`
	Of      int64                `json:"of,omitzero"`
	Time    time.Time            `json:"time"`
	ID      string               `json:"id,omitzero"`
	Tenant  string               `json:"tenant,omitzero"`
	Spam    bool                 `json:"spam"`
	Threat  sluice.Threat        `json:"threat"`
	Source  sluice.Source        `json:"source"`
	By      string               `json:"by"`
	To      []string             `json:"to,omitzero"`
	State   sluice.FeedbackState `json:"state"`
	Why     string               `json:"why,omitzero"`
	Trust   float64              `json:"trust"`
	Trusted bool                 `json:"trusted,omitzero"`
}

// NewEntry is f without its features.
func NewEntry(f *sluice.Feedback) Entry {
	return Entry{f.Seq, f.Kind, f.Of, f.Time, f.ID, f.Tenant, f.Spam, f.Threat, f.Source, f.By, f.To, f.State, f.Why, f.Trust, f.Trusted}
}

// Feedback is the entry as the log has it, without its features.
func (e Entry) Feedback() *sluice.Feedback {
	return &sluice.Feedback{Seq: e.Seq, Kind: e.Kind, Of: e.Of, Time: e.Time, ID: e.ID, Tenant: e.Tenant, Spam: e.Spam, Threat: e.Threat,
		Source: e.Source, By: e.By, To: e.To, State: e.State, Why: e.Why, Trust: e.Trust, Trusted: e.Trusted}
}

// Reporter is how the API writes one who gives labels.
type Reporter struct {
	Name     string    `json:"name"`
	Labels   int       `json:"labels"`
	Agreed   float64   `json:"agreed"`
	Disputed float64   `json:"disputed"`
	Trust    float64   `json:"trust"`
	Last     time.Time `json:"last,omitzero"`
}

// fail answers for an error of the log or the teacher.
func (o *Room) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, sluice.ErrNotFound) {
		web.JSONError(w, http.StatusNotFound, "not found")
		return
	}
	o.cfg.Logger.Error("console: api", slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
	web.JSONError(w, http.StatusInternalServerError, "this can't be answered at the moment; the log says why")
}

// ServeList lists entries, newest first: ?by, ?state, ?kind, ?id, ?tenant, ?before, ?limit.
func (o *Room) ServeList(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := ParseQuery(r.URL.Query())
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := o.cfg.Log.ListFeedback(r.Context(), q)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	out, next := make([]Entry, 0, len(list)), ""
	for _, f := range list {
		out = append(out, NewEntry(f))
	}
	if len(list) == q.Page() {
		next = strconv.FormatInt(list[len(list)-1].Seq, 10)
	}
	web.JSON(w, http.StatusOK, map[string]any{"labels": out, "next": next})
}

// ServeEntry shows one entry.
func (o *Room) ServeEntry(w http.ResponseWriter, r *http.Request, _ string) {
	n, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil {
		web.JSONError(w, http.StatusNotFound, "not found")
		return
	}
	f, err := o.cfg.Log.FeedbackEntry(r.Context(), n)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, NewEntry(f))
}

// ServeReporters lists those who gave labels, latest first: ?limit.
func (o *Room) ServeReporters(w http.ResponseWriter, r *http.Request, _ string) {
	n := 100
	if s := r.FormValue("limit"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 || n > sluice.MaxPage {
			web.JSONError(w, http.StatusBadRequest, "limit: want 1 to "+strconv.Itoa(sluice.MaxPage))
			return
		}
	}
	list, err := o.cfg.Teacher.Reporters(r.Context(), n)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	out := make([]Reporter, 0, len(list))
	for _, x := range list {
		out = append(out, Reporter(x))
	}
	web.JSON(w, http.StatusOK, map[string]any{"reporters": out})
}

// ServeAct undoes or accepts; done writes the line of the audit.
func (o *Room) ServeAct(w http.ResponseWriter, r *http.Request, by string, done func(act, seq string)) {
	act, seq := r.PathValue("act"), r.PathValue("seq")
	f, err := o.Act(r.Context(), seq, act, by)
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		web.JSONError(w, http.StatusNotFound, "not found")
		return
	case err != nil:
		// Mostly a label that can't be taken back any more: whoever may do this may know why.
		o.cfg.Logger.Warn("console: api", slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
		web.JSONError(w, http.StatusConflict, explain.Escape(err.Error(), 300))
		return
	}
	done(act, seq)
	web.JSON(w, http.StatusOK, NewEntry(f))
}

// ServeAdd takes a message as the request's body, and what it is:
//
// The answer is the entry, with 201, or with 200 and the number 0 where it wasn't even
// written down.
//
//	POST /api/v1/labels?spam=1&by=anna@a.example&to=anna@a.example&threat=phish&source=folder
//
// spam is needed, 0 or 1. by, and with it source ("folder", the default, or
// "report"), are believed of a program that has a token; whoever is logged in to the
// console, and a token without by, speak for themselves as admins.
func (o *Room) ServeAdd(w http.ResponseWriter, r *http.Request, caller string, program bool) {
	l, err := newLabel(r.URL.Query(), caller, program)
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	if wait, ok := o.pace.Allow(l.By, 1, o.cfg.Clock()); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		web.JSONError(w, http.StatusTooManyRequests, "too many labels by this reporter; try again later")
		return
	}
	select {
	case o.slot <- struct{}{}:
		defer func() { <-o.slot }()
	case <-r.Context().Done():
		return
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, MaxMessage+1))
	switch {
	case len(raw) > MaxMessage:
		web.JSONError(w, http.StatusRequestEntityTooLarge, "the message is over 25 MB")
		return
	case err != nil:
		web.JSONError(w, http.StatusBadRequest, "the message can't be read")
		return
	case len(message.Parse(raw, message.Limits{}).Header().Fields) == 0:
		web.JSONError(w, http.StatusBadRequest, "the body is no message: send it as it is, header first")
		return
	}
	l.Raw = raw
	if o.cfg.Clean != nil {
		l.Raw, l.ID = o.cfg.Clean(r.Context(), raw)
	}
	f, err := o.cfg.Teacher.Teach(r.Context(), l)
	if err != nil {
		o.fail(w, r, err)
		return
	}
	status := http.StatusCreated
	if f.Seq == 0 { // one too many isn't written down
		status = http.StatusOK
	}
	web.JSON(w, status, NewEntry(f))
}

// newLabel reads what a request says of its message.
func newLabel(v url.Values, caller string, program bool) (*sluice.Label, error) {
	l := &sluice.Label{By: caller, Source: sluice.SourceAdmin, Tenant: v.Get("tenant"), To: v["to"]}
	switch v.Get("spam") {
	case "1", "true":
		l.Spam, l.Threat = true, sluice.ThreatSpam
	case "0", "false":
	default:
		return nil, errors.New("spam: want 1 or 0")
	}
	if s := v.Get("threat"); s != "" {
		if err := l.Threat.UnmarshalText([]byte(s)); err != nil || !l.Spam || l.Threat == sluice.ThreatNone {
			return nil, errors.New("threat: want one such as phish, and only with spam=1")
		}
	}
	if by := v.Get("by"); by != "" {
		if !program {
			return nil, errors.New("by: only a token may speak for others")
		}
		l.By, l.Source = by, sluice.SourceFolder
	}
	if s := sluice.Source(v.Get("source")); s != "" {
		if l.Source == sluice.SourceAdmin || s != sluice.SourceFolder && s != sluice.SourceReport {
			return nil, errors.New("source: want folder or report, and only with by")
		}
		l.Source = s
	}
	if len(l.To) > maxTo || slices.ContainsFunc(append(l.To, l.By, l.Tenant), func(s string) bool { return len(s) > maxName }) {
		return nil, errors.New("too many recipients, or names too long")
	}
	return l, nil
}
