package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/ledger"
	"sluice/console/internal/tree"
)

// parseQuery reads the filters of lists, pages and API alike.
func parseQuery(v url.Values) (sluice.Query, error) {
	q := sluice.Query{Text: v.Get("q"), Before: v.Get("before"), Tenant: v.Get("tenant")}
	if s := v.Get("action"); s != "" {
		q.Action = new(sluice.Action)
		if err := q.Action.UnmarshalText([]byte(s)); err != nil {
			return q, errors.New("no such action")
		}
	}
	if s := v.Get("threat"); s != "" {
		q.Threat = new(sluice.Threat)
		if err := q.Threat.UnmarshalText([]byte(s)); err != nil {
			return q, errors.New("no such threat")
		}
	}
	for name, to := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if s := v.Get(name); s != "" {
			t, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return q, fmt.Errorf("%s: want a time like 2026-03-14T12:00:00Z", name)
			}
			*to = t
		}
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > sluice.MaxPage {
			return q, fmt.Errorf("limit: want 1 to %d", sluice.MaxPage)
		}
		q.Limit = n
	}
	return q, nil
}

// parseFind is parseQuery for lists of messages, which can be found by a file too: in the
// field of the search by a SHA-256, a part of its name behind "file:", or what was found in
// it (an address, a sign) behind "inside:".
func parseFind(v url.Values) (sluice.Query, error) {
	q, err := parseQuery(v)
	if err != nil {
		return q, err
	}
	q.File, q.Inside = v.Get("file"), v.Get("inside")
	if d, err := sluice.ParseDigest(strings.TrimSpace(q.Text)); err == nil {
		q.SHA256, q.Text = d, ""
	} else if name, ok := strings.CutPrefix(q.Text, "file:"); ok {
		q.File, q.Text = name, ""
	} else if found, ok := strings.CutPrefix(q.Text, "inside:"); ok {
		q.Inside, q.Text = found, ""
	}
	if s := v.Get("sha256"); s != "" {
		if q.SHA256, err = sluice.ParseDigest(s); err != nil {
			return q, fmt.Errorf("sha256: %w", err)
		}
	}
	return q, nil
}

// recordOf is the log's record of a message, nil where it isn't kept any more: what
// stands beside it does without.
func (c *Console) recordOf(ctx context.Context, id string) *sluice.Record {
	r, err := c.cfg.Store.Record(ctx, id)
	if err != nil {
		return nil
	}
	return r
}

// nextID is where the next page begins, "" on a page that isn't full.
func nextID[T any](list []T, q sluice.Query, id func(T) string) string {
	if len(list) < q.Page() {
		return ""
	}
	return id(list[len(list)-1])
}

// filter is what a list page keeps in its form and links.
type filter struct {
	Text, Action, Threat string
	First                bool   // the first page, which refreshes itself
	Self                 string // address of this page, for refreshing
	Next                 string // address of the next page, "" on the last
	Active               bool   // some filter is set
}

func newFilter(path string, v url.Values, next string) filter {
	keep := url.Values{}
	active := false
	for _, k := range []string{"q", "action", "threat", "file", "sha256", "inside", "tenant", "since", "until", "limit"} {
		if s := v.Get(k); s != "" {
			keep.Set(k, s)
			active = active || k != "limit"
		}
	}
	f := filter{Text: v.Get("q"), Action: v.Get("action"), Threat: v.Get("threat"), First: v.Get("before") == "", Active: active}
	f.Self = path + "?" + keep.Encode()
	if next != "" {
		keep.Set("before", next)
		f.Next = path + "?" + keep.Encode()
	}
	return f
}

var (
	filterActions = []sluice.Action{sluice.Accept, sluice.Tag, sluice.QuarantineIt, sluice.Defer, sluice.Reject}
	filterThreats = []sluice.Threat{sluice.ThreatSpam, sluice.ThreatBulk, sluice.ThreatPhish, sluice.ThreatScam,
		sluice.ThreatCopycat, sluice.ThreatMalware, sluice.ThreatBot, sluice.ThreatAttack}
)

type messagesPage struct {
	layout
	filter
	Actions []sluice.Action
	Threats []sluice.Threat
	Strip   strip
	Rows    []*sluice.Record
}

// strip is the day at a glance.
type strip struct {
	Counts []stripCount
	Log    sluice.LogStats
	Total  int
}

type stripCount struct {
	Action sluice.Action
	N      int
}

func (c *Console) messages(w http.ResponseWriter, r *http.Request, v *visit) {
	q, err := parseFind(r.URL.Query())
	if err != nil {
		c.fail(w, r, v, http.StatusBadRequest, "The filter isn't understood: "+err.Error()+".", nil)
		return
	}
	list, err := c.cfg.Store.Records(r.Context(), q)
	if c.pageGone(w, r, v, "/messages", err) {
		return
	}
	p := messagesPage{layout: c.layout(r.Context(), v, "messages", "Messages"), Actions: filterActions, Threats: filterThreats, Rows: list,
		filter: newFilter("/messages", r.URL.Query(), nextID(list, q, func(r *sluice.Record) string { return r.ID }))}
	if p.Strip, err = c.strip(r.Context()); err != nil {
		c.fail(w, r, v, http.StatusInternalServerError, "The message log can't be counted at the moment.", err)
		return
	}
	c.render(w, http.StatusOK, "messages", &p)
}

// pageGone answers for a failed list. Where the row that a page began at was
// swept meanwhile, the list starts over.
func (c *Console) pageGone(w http.ResponseWriter, r *http.Request, v *visit, path string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, sluice.ErrNotFound):
		http.Redirect(w, r, path, http.StatusSeeOther)
	default:
		c.fail(w, r, v, http.StatusInternalServerError, "The database can't be read at the moment.", err)
	}
	return true
}

// strip counts the last 24 hours; the counts are kept for some seconds, however
// many screens refresh.
func (c *Console) strip(ctx context.Context) (strip, error) {
	c.counts.Lock()
	defer c.counts.Unlock()
	if now := c.cfg.Clock(); c.counts.val == nil || now.Sub(c.counts.at) >= 5*time.Second || now.Before(c.counts.at) {
		val, err := c.cfg.Store.CountActions(ctx, "", now.Add(-24*time.Hour))
		if err != nil {
			return strip{}, err
		}
		c.counts.val, c.counts.at = val, now
	}
	s := strip{Log: c.cfg.Store.LogStats()}
	for _, a := range filterActions {
		s.Counts = append(s.Counts, stripCount{a, c.counts.val[a]})
	}
	for _, n := range c.counts.val {
		s.Total += n
	}
	return s, nil
}

type messagePage struct {
	layout
	R             *sluice.Record
	Ledger        ledger.Ledger
	Tree          tree.Tree
	InQuarantine  bool
	ReplyText     string
	Recipients    []recipientRow
	VersionFields [][2]string
}

// recipientRow joins what was decided for a recipient with what became of it.
type recipientRow struct {
	Address string
	Action  *sluice.Action
	Why     string
	Outcome string
	Bad     bool
}

func (c *Console) message(w http.ResponseWriter, r *http.Request, v *visit) {
	rec, err := c.cfg.Store.Record(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		c.fail(w, r, v, http.StatusNotFound, "No message with this id is in the log. It may not be written yet, or it is older than what the log keeps.", nil)
		return
	case err != nil:
		c.fail(w, r, v, http.StatusInternalServerError, "The database can't be read at the moment.", err)
		return
	}
	title := rec.Subject
	if title == "" {
		title = "Message " + rec.ID
	}
	p := messagePage{layout: c.layout(r.Context(), v, "messages", escape(title)), R: rec,
		Ledger: ledger.New(&rec.Verdict, c.cfg.Marks), Recipients: recipients(rec), Tree: tree.New(rec)}
	if rec.Reply.Code != 0 {
		p.ReplyText = rec.Reply.String()
	}
	for _, d := range rec.Decisions {
		p.InQuarantine = p.InQuarantine || d.Action == sluice.QuarantineIt
	}
	ver := rec.Verdict.Versions
	for _, f := range [][2]string{{"program", ver.Program}, {"catalogue", ver.Catalogue}, {"text model", ver.Model}, {"configuration", ver.Config}} {
		if f[1] != "" {
			p.VersionFields = append(p.VersionFields, f)
		}
	}
	c.render(w, http.StatusOK, "message", &p)
}

func recipients(r *sluice.Record) []recipientRow {
	var rows []recipientRow
	at := make(map[string]int)
	row := func(address string) *recipientRow {
		i, ok := at[address]
		if !ok {
			i = len(rows)
			at[address] = i
			rows = append(rows, recipientRow{Address: address})
		}
		return &rows[i]
	}
	for _, rcpt := range r.Envelope.Rcpts {
		row(rcpt.Address)
	}
	for i := range r.Decisions {
		d := &r.Decisions[i]
		if d.Recipient == "" { // the session ended before anybody was named
			continue
		}
		x := row(d.Recipient)
		x.Action, x.Why = &d.Action, string(d.Why)
	}
	for _, o := range r.Outcomes {
		x := row(o.Recipient)
		x.Bad = !o.Delivered()
		switch {
		case o.Unknown:
			x.Outcome = "no answer after the final dot: it may have arrived"
		case o.Delivered():
			x.Outcome = "next hop: " + o.Reply.String()
		case o.Reply.Code != 0:
			x.Outcome = o.Reply.String()
		}
		if o.Err != nil {
			x.Outcome += " (" + o.Err.Error() + ")"
		}
	}
	return rows
}
