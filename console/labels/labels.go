// Package labels is what the console shows and takes of feedback: the log of labels,
// those who give them, and the API by which programs give and take back labels. It
// decides nothing: the [sluice.Teacher] does.
package labels

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"sluice"
	"sluice/internal/pace"
)

// Config wires the room. Log and Teacher are needed.
type Config struct {
	Log     sluice.FeedbackLog
	Teacher sluice.Teacher
	// Clean takes off a message what came after us, and finds the id of its row in the
	// log, "" for none. nil: messages are taken as they are.
	Clean  func(ctx context.Context, raw []byte) (clean []byte, id string)
	Clock  func() time.Time
	Logger *slog.Logger
}

// Bounds on what programs may give.
const (
	MaxMessage = 25 << 20 // octets of one message

	maxName  = 254 // octets of a reporter's name
	maxTo    = 20
	burst    = 500 // labels of one reporter at once, and then one every
	interval = 2 * time.Second
	uploads  = 4 // at a time: each is in memory
)

// Room answers for feedback.
type Room struct {
	cfg  Config
	pace *pace.Limiter
	slot chan struct{}
}

// New makes a room, or nil where there is nothing to show.
func New(cfg Config) *Room {
	if cfg.Log == nil || cfg.Teacher == nil {
		return nil
	}
	return &Room{cfg: cfg, pace: pace.New(burst, interval, 10_000), slot: make(chan struct{}, uploads)}
}

// Row is an entry of the log with what is known of it by now.
type Row struct {
	*sluice.Feedback
	// Settled is what a later entry did with a label: [sluice.FeedbackUndo], …Counter,
	// …Accept, or "".
	Settled sluice.FeedbackKind
}

// Waits says whether an admin has to decide.
func (r Row) Waits() bool {
	return r.Kind == sluice.FeedbackLabel && r.State == sluice.FeedbackHeld && r.Settled == ""
}

// CanUndo says whether it is a label that counts.
func (r Row) CanUndo() bool {
	return r.Kind == sluice.FeedbackLabel && (r.State == sluice.FeedbackApplied && r.Settled == "" || r.Settled == sluice.FeedbackAccept)
}

// Page is one page of the log.
type Page struct {
	Held      []Row // those that wait, on the first page without a filter
	MoreHeld  bool
	Rows      []Row
	Reporters []sluice.Reporter // on the first page without a filter
	Next      string            // address of the next page, "" on the last

	// The filter as it was asked for.
	By, State, Kind, ID string
	First, Active       bool
	States              []sluice.FeedbackState
	Kinds               []sluice.FeedbackKind
}

// States and kinds that a list can be cut to.
var (
	states = []sluice.FeedbackState{sluice.FeedbackApplied, sluice.FeedbackHeld, sluice.FeedbackRefused}
	kinds  = []sluice.FeedbackKind{sluice.FeedbackLabel, sluice.FeedbackUndo, sluice.FeedbackCounter, sluice.FeedbackAccept}
)

const (
	shownHeld      = 50
	shownReporters = 20
)

// ParseQuery reads the filters of the page and of the API.
func ParseQuery(v url.Values) (sluice.FeedbackQuery, error) {
	q := sluice.FeedbackQuery{Tenant: v.Get("tenant"), By: v.Get("by"), ID: v.Get("id")}
	for _, s := range states {
		if v.Get("state") == string(s) {
			q.State = s
		}
	}
	for _, k := range kinds {
		if v.Get("kind") == string(k) {
			q.Kind = k
		}
	}
	switch {
	case v.Get("state") != string(q.State):
		return q, errors.New("no such state")
	case v.Get("kind") != string(q.Kind):
		return q, errors.New("no such kind")
	}
	var err error
	if s := v.Get("before"); s != "" {
		if q.Before, err = strconv.ParseInt(s, 10, 64); err != nil || q.Before < 1 {
			return q, errors.New("before: want the number of an entry")
		}
	}
	if s := v.Get("limit"); s != "" {
		if q.Limit, err = strconv.Atoi(s); err != nil || q.Limit < 1 || q.Limit > sluice.MaxPage {
			return q, errors.New("limit: want 1 to " + strconv.Itoa(sluice.MaxPage))
		}
	}
	return q, nil
}

// Page builds the page at path that v asks for.
func (o *Room) Page(ctx context.Context, path string, v url.Values) (Page, error) {
	q, err := ParseQuery(v)
	if err != nil {
		return Page{}, &BadQuery{err}
	}
	p := Page{By: q.By, State: string(q.State), Kind: string(q.Kind), ID: q.ID, First: q.Before == 0,
		Active: q.By != "" || q.State != "" || q.Kind != "" || q.ID != "", States: states, Kinds: kinds}
	list, err := o.cfg.Log.ListFeedback(ctx, q)
	if err != nil {
		return p, err
	}
	settled, err := o.settled(ctx, q.Tenant)
	if err != nil {
		return p, err
	}
	p.Rows = rows(list, settled)
	if len(list) == q.Page() {
		v = clone(v)
		v.Set("before", strconv.FormatInt(list[len(list)-1].Seq, 10))
		p.Next = path + "?" + v.Encode()
	}
	if !p.First || p.Active {
		return p, nil
	}
	held, err := o.cfg.Log.ListFeedback(ctx, sluice.FeedbackQuery{Tenant: q.Tenant, State: sluice.FeedbackHeld, Kind: sluice.FeedbackLabel, Limit: sluice.MaxPage})
	if err != nil {
		return p, err
	}
	for _, r := range rows(held, settled) {
		if r.Waits() {
			if len(p.Held) == shownHeld {
				p.MoreHeld = true
				break
			}
			p.Held = append(p.Held, r)
		}
	}
	p.Reporters, err = o.cfg.Teacher.Reporters(ctx, shownReporters)
	return p, err
}

// BadQuery is a filter that isn't understood.
type BadQuery struct{ Err error }

func (b *BadQuery) Error() string { return b.Err.Error() }
func (b *BadQuery) Unwrap() error { return b.Err }

func clone(v url.Values) url.Values {
	out := url.Values{}
	for _, k := range []string{"by", "state", "kind", "id", "tenant", "limit"} {
		if s := v.Get(k); s != "" {
			out.Set(k, s)
		}
	}
	return out
}

// settled finds what the latest entries did with labels before them. A label that was
// taken back by an older one shows its button all the same; the teacher then says so.
func (o *Room) settled(ctx context.Context, tenant string) (map[int64]sluice.FeedbackKind, error) {
	out := map[int64]sluice.FeedbackKind{}
	last := map[int64]int64{}
	for _, k := range kinds[1:] {
		list, err := o.cfg.Log.ListFeedback(ctx, sluice.FeedbackQuery{Tenant: tenant, Kind: k, Limit: sluice.MaxPage})
		if err != nil {
			return nil, err
		}
		for _, f := range list {
			if f.Seq > last[f.Of] {
				out[f.Of], last[f.Of] = f.Kind, f.Seq
			}
		}
	}
	return out, nil
}

func rows(list []*sluice.Feedback, settled map[int64]sluice.FeedbackKind) []Row {
	out := make([]Row, 0, len(list))
	for _, f := range list {
		out = append(out, Row{f, settled[f.Seq]})
	}
	return out
}

// Act undoes or accepts a label; ErrNotFound where there is none, or no such act.
func (o *Room) Act(ctx context.Context, seq, act, by string) (*sluice.Feedback, error) {
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || n < 1 {
		return nil, sluice.ErrNotFound
	}
	switch act {
	case "undo":
		return o.cfg.Teacher.Undo(ctx, n, by)
	case "accept":
		return o.cfg.Teacher.Accept(ctx, n, by)
	}
	return nil, sluice.ErrNotFound
}

// Say labels a message that the console holds, as its admin does. say is "spam",
// "phish" or "ham"; ErrNotFound for anything else.
func (o *Room) Say(ctx context.Context, raw []byte, say, by string, env *sluice.Envelope) (*sluice.Feedback, error) {
	l := &sluice.Label{Raw: raw, ID: env.ID, Tenant: env.Tenant, Source: sluice.SourceAdmin, By: by, To: env.Addresses()}
	switch say {
	case "spam":
		l.Spam, l.Threat = true, sluice.ThreatSpam
	case "phish":
		l.Spam, l.Threat = true, sluice.ThreatPhish
	case "ham":
	default:
		return nil, sluice.ErrNotFound
	}
	return o.cfg.Teacher.Teach(ctx, l)
}
