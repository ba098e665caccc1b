package console

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"sluice"
	"sluice/console/internal/ledger"
	"sluice/console/internal/tree"
	"sluice/console/internal/web"
	"sluice/explain"
	"sluice/message"
)

// maxRead is how much of a quarantined message a page looks at, maxLines how
// many lines of one text it shows.
const (
	maxRead  = 4 << 20
	maxLines = 2000
	maxLine  = 2000 // octets
)

type quarantinePage struct {
	layout
	filter
	Threats            []sluice.Threat
	Rows               []*sluice.Quarantined
	CanRelease, CanDel bool
}

var notices = map[string]string{
	"release": "The message was released. It goes out through the outbox to its recipients.",
	"delete":  "The message was deleted for good.",
}

func (c *Console) quarantine(w http.ResponseWriter, r *http.Request, v *visit) {
	q, err := parseFind(r.URL.Query())
	if err != nil {
		c.fail(w, r, v, http.StatusBadRequest, "The filter isn't understood: "+err.Error()+".", nil)
		return
	}
	list, err := c.cfg.Store.Quarantined(r.Context(), q)
	if c.pageGone(w, r, v, "/quarantine", err) {
		return
	}
	p := quarantinePage{layout: c.layout(r.Context(), v, "quarantine", "Quarantine"), Threats: filterThreats, Rows: list,
		filter:     newFilter("/quarantine", r.URL.Query(), nextID(list, q, func(x *sluice.Quarantined) string { return x.ID })),
		CanRelease: c.cfg.Release != nil, CanDel: c.cfg.Delete != nil}
	p.Notice = notices[r.URL.Query().Get("done")]
	c.render(w, http.StatusOK, "quarantine", &p)
}

type quarantinedPage struct {
	layout
	Q                  *sluice.Quarantined
	Ledger             ledger.Ledger
	Fields             []headerField
	Text, Hidden       []string
	HasHTML, Cut       bool
	Files              []filePart // as the message names them
	Tree               tree.Tree  // as they were looked into
	Links              []linkRow
	Source             []string
	CanRelease, CanDel bool
	Act                string // on the page that asks for confirmation
}

type headerField struct{ Name, Value string }

// linkRow is a link as words; it is never made to work.
type linkRow struct{ Text, URL string }

type filePart struct {
	Name, Type string
	Size       int64
}

// openQuarantined opens a message by its id.
func (c *Console) openQuarantined(ctx context.Context, id string) (*sluice.Quarantined, io.ReadCloser, error) {
	if c.cfg.Quarantine == nil {
		return nil, nil, sluice.ErrNotFound
	}
	return c.cfg.Quarantine.Open(ctx, id)
}

func (c *Console) quarantined(w http.ResponseWriter, r *http.Request, v *visit) {
	p, body, ok := c.openPage(w, r, v)
	if !ok {
		return
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxRead))
	if err != nil {
		c.fail(w, r, v, http.StatusInternalServerError, "The quarantined message can't be read.", err)
		return
	}
	p.Notice = cmp.Or(notices[r.URL.Query().Get("done")], labelled(r.URL.Query()))
	p.Tree = tree.New(c.recordOf(r.Context(), p.Q.ID))
	p.read(raw)
	c.render(w, http.StatusOK, "quarantined", p)
}

// openPage opens the message that a request names, or answers it.
func (c *Console) openPage(w http.ResponseWriter, r *http.Request, v *visit) (*quarantinedPage, io.ReadCloser, bool) {
	q, body, err := c.openQuarantined(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		c.fail(w, r, v, http.StatusNotFound, "No message with this id is in quarantine. It may have expired or been deleted.", nil)
		return nil, nil, false
	case err != nil:
		c.fail(w, r, v, http.StatusInternalServerError, "The quarantined message can't be opened.", err)
		return nil, nil, false
	}
	title := q.Subject
	if title == "" {
		title = "Message " + q.ID
	}
	return &quarantinedPage{layout: c.layout(r.Context(), v, "quarantine", escape(title)), Q: q,
		Ledger: ledger.New(&q.Verdict, c.cfg.Marks), CanRelease: c.cfg.Release != nil && q.Released.IsZero(), CanDel: c.cfg.Delete != nil}, body, true
}

// read fills the page with the message as text. Markup is never rendered, and
// nothing in it is ever fetched.
func (p *quarantinedPage) read(raw []byte) {
	m := message.Parse(raw, message.DefaultLimits())
	for i := range m.Header().Fields {
		if i == 200 {
			break
		}
		f := &m.Header().Fields[i]
		p.Fields = append(p.Fields, headerField{explain.Escape(f.Name, 80), explain.Escape(strings.ReplaceAll(f.Value, "\t", " "), 2000)})
	}
	view := m.View()
	p.Text, p.Hidden, p.HasHTML = lines(view.Text), lines(view.Hidden), view.HasHTML
	for _, a := range m.Attachments() {
		if len(p.Files) == 100 {
			break
		}
		p.Files = append(p.Files, filePart{escape(a.Filename), escape(a.Type), int64(a.Body.Len)})
	}
	seen := map[linkRow]bool{} // a newsletter has its spacer picture forty times
	for _, l := range view.Links {
		row := linkRow{escape(strings.Join(strings.Fields(l.Text), " ")), escape(l.Raw)}
		if seen[row] {
			continue
		}
		if len(p.Links) == 100 {
			break
		}
		seen[row] = true
		p.Links = append(p.Links, row)
	}
	p.Source = lines(string(raw[:min(len(raw), 128<<10)]))
	p.Cut = int64(len(raw)) < p.Q.Size
}

// blanks are honest in a text: layout, not disguise.
var blanks = strings.NewReplacer("\t", "    ", "\u00a0", " ")

// lines escapes text line by line, bounded.
func lines(s string) []string {
	var out []string
	for l := range strings.Lines(s) {
		if len(out) == maxLines {
			return append(out, "…")
		}
		l = strings.TrimRight(l, "\r\n")
		out = append(out, explain.Escape(blanks.Replace(l), maxLine))
	}
	return out
}

// action returns what a name in an address stands for, nil for nothing.
func (c *Console) action(name string) func(ctx context.Context, id, by string) error {
	switch name {
	case "release":
		return c.cfg.Release
	case "delete":
		return c.cfg.Delete
	}
	return nil
}

// confirm asks before anything is done.
func (c *Console) confirm(w http.ResponseWriter, r *http.Request, v *visit) {
	if c.action(r.PathValue("act")) == nil {
		c.fail(w, r, v, http.StatusNotFound, "There is no such page.", nil)
		return
	}
	p, body, ok := c.openPage(w, r, v)
	if !ok {
		return
	}
	_ = body.Close()
	p.Act = r.PathValue("act")
	c.render(w, http.StatusOK, "confirm", p)
}

// act does it.
func (c *Console) act(w http.ResponseWriter, r *http.Request, v *visit) {
	id, name := r.PathValue("id"), r.PathValue("act")
	do := c.action(name)
	if do == nil {
		c.fail(w, r, v, http.StatusNotFound, "There is no such page.", nil)
		return
	}
	switch err := do(r.Context(), id, v.account); {
	case errors.Is(err, sluice.ErrNotFound):
		c.fail(w, r, v, http.StatusNotFound, "The message isn't in quarantine any more.", nil)
		return
	case err != nil:
		// The admin may see the cause: it is what is needed to mend it.
		c.fail(w, r, v, http.StatusConflict, "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.audit(r, name, id, v.account)
	to := "/quarantine"
	if name == "release" {
		to += "/" + url.PathEscape(id)
	}
	http.Redirect(w, r, to+"?done="+name, http.StatusSeeOther)
}

func (c *Console) audit(r *http.Request, act, id, by string) {
	c.cfg.Log.Info("console: "+act, slog.String("id", escape(id)), slog.String("by", escape(by)), slog.Any("client", web.Client(r, c.cfg.Proxies)))
}
