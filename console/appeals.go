package console

import (
	"net/http"

	"sluice/console/appeals"
)

// appeal shows the queue of what senders say against refusals.
func (c *Console) appeal(w http.ResponseWriter, r *http.Request, v *visit) {
	page := &struct {
		layout
		appeals.Page
	}{layout: c.layout(r.Context(), v, "appeals", "Appeals")}
	var err error
	if page.Page, err = c.appeals.Page(r.Context(), "/appeals", r.URL.Query()); err != nil {
		c.fail(w, r, v, appeals.Status(err), "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.render(w, http.StatusOK, "appeals", page)
}

// appealAct decides one.
func (c *Console) appealAct(w http.ResponseWriter, r *http.Request, v *visit) {
	err := c.appeals.Act(r.Context(), r.PathValue("id"), r.PathValue("act"), v.account)
	c.acted(w, r, v, "appeals", appeals.Status(err), err)
}

// acted answers for what was done to one entry of a queue.
func (c *Console) acted(w http.ResponseWriter, r *http.Request, v *visit, queue string, status int, err error) {
	if err != nil {
		c.fail(w, r, v, status, "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.audit(r, queue+" "+r.PathValue("act"), r.PathValue("id"), v.account)
	http.Redirect(w, r, "/"+queue, http.StatusSeeOther)
}
