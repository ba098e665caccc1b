package console

import (
	"net/http"

	"sluice/console/review"
)

// review shows the queue of delivered mail to look at.
func (c *Console) review(w http.ResponseWriter, r *http.Request, v *visit) {
	page := &struct {
		layout
		review.Page
	}{layout: c.layout(r.Context(), v, "review", "Review")}
	var err error
	if page.Page, err = c.reviews.Page(r.Context(), "/review", r.URL.Query()); err != nil {
		c.fail(w, r, v, review.Status(err), "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.render(w, http.StatusOK, "review", page)
}

// reviewAct marks one.
func (c *Console) reviewAct(w http.ResponseWriter, r *http.Request, v *visit) {
	_, err := c.reviews.Act(r.Context(), r.PathValue("id"), r.PathValue("act"), v.account)
	c.acted(w, r, v, "review", review.Status(err), err)
}
