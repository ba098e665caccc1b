package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"sluice"
	"sluice/console/internal/web"
	"sluice/console/labels"
)

// limitBody bounds what a request may carry: a form, or a message to learn from.
func limitBody(next http.Handler) http.Handler {
	form, upload := web.LimitBody(64<<10, next), web.LimitBody(labels.MaxMessage+1, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/api/v1/labels" {
			upload.ServeHTTP(w, r)
			return
		}
		form.ServeHTTP(w, r)
	})
}

type feedbackPage struct {
	layout
	labels.Page
}

// feedbackDone says what a POST has just done.
var feedbackDone = map[string]string{
	"accept": "The label is accepted, and counts from here on.",
	"undo":   "The label is taken back, as if it had never been.",
}

func (c *Console) feedback(w http.ResponseWriter, r *http.Request, v *visit) {
	p, err := c.labels.Page(r.Context(), "/feedback", r.URL.Query())
	if bad, ok := errors.AsType[*labels.BadQuery](err); ok {
		c.fail(w, r, v, http.StatusBadRequest, "The filter isn't understood: "+bad.Error()+".", nil)
		return
	}
	if c.pageGone(w, r, v, "/feedback", err) {
		return
	}
	f := feedbackPage{layout: c.layout(r.Context(), v, "feedback", "Feedback"), Page: p}
	f.Notice = feedbackDone[r.URL.Query().Get("done")]
	c.render(w, http.StatusOK, "feedback", &f)
}

func (c *Console) feedbackAct(w http.ResponseWriter, r *http.Request, v *visit) {
	seq, act := r.PathValue("seq"), r.PathValue("act")
	_, err := c.labels.Act(r.Context(), seq, act, v.account)
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		c.fail(w, r, v, http.StatusNotFound, "There is no such label any more.", nil)
		return
	case err != nil:
		c.fail(w, r, v, http.StatusConflict, "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.audit(r, "feedback "+act, seq, v.account)
	http.Redirect(w, r, "/feedback?done="+act, http.StatusSeeOther)
}

// say labels a quarantined message by what the form says it is.
func (c *Console) say(w http.ResponseWriter, r *http.Request, v *visit) {
	p, body, ok := c.openPage(w, r, v)
	if !ok {
		return
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, labels.MaxMessage))
	if err != nil {
		c.fail(w, r, v, http.StatusInternalServerError, "The quarantined message can't be read.", err)
		return
	}
	say := r.PostFormValue("say")
	f, err := c.labels.Say(r.Context(), raw, say, v.account, &p.Q.Envelope)
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		c.fail(w, r, v, http.StatusBadRequest, "Nobody knows what the message is said to be.", nil)
		return
	case err != nil:
		c.fail(w, r, v, http.StatusConflict, "Nothing was learned: "+escape(err.Error())+".", err)
		return
	}
	c.audit(r, "label "+say, p.Q.ID, v.account)
	to := url.Values{"done": {"label"}, "entry": {strconv.FormatInt(f.Seq, 10)}, "state": {string(f.State)}}
	http.Redirect(w, r, "/quarantine/"+url.PathEscape(p.Q.ID)+"?"+to.Encode(), http.StatusSeeOther)
}

// labelled says what came of a label just given.
func labelled(v url.Values) string {
	if v.Get("done") != "label" {
		return ""
	}
	switch sluice.FeedbackState(v.Get("state")) {
	case sluice.FeedbackHeld:
		return "The label is written down and waits on the page Feedback: it goes against what is known to be right."
	case sluice.FeedbackRefused:
		return "The label is written down, but nothing was learned from it. The page Feedback says why."
	}
	return "Learned. The page Feedback can take it back."
}

func (c *Console) apiAddLabel(w http.ResponseWriter, r *http.Request, by string) {
	c.labels.ServeAdd(w, r, by, c.bearer(r) != "")
}

func (c *Console) apiActLabel(w http.ResponseWriter, r *http.Request, by string) {
	c.labels.ServeAct(w, r, by, func(act, seq string) { c.audit(r, "feedback "+act, seq, by) })
}
