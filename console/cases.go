package console

import (
	"net/http"
	"net/url"

	"sluice"
	"sluice/console/cases"
)

// caseList shows cases of our own users.
func (c *Console) caseList(w http.ResponseWriter, r *http.Request, v *visit) {
	page := &struct {
		layout
		cases.Page
	}{layout: c.layout(r.Context(), v, "cases", "Cases")}
	var err error
	if page.Page, err = c.cases.Page(r.Context(), "/cases", r.URL.Query()); err != nil {
		c.fail(w, r, v, cases.Status(err), "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.render(w, http.StatusOK, "cases", page)
}

// caseShow shows one, with what may be done with it.
func (c *Console) caseShow(w http.ResponseWriter, r *http.Request, v *visit) {
	page := &struct {
		layout
		C    *sluice.Case
		Acts []string
	}{layout: c.layout(r.Context(), v, "cases", "Case "+escape(r.PathValue("id")))}
	var err error
	if page.C, err = c.cases.Case(r.Context(), r.PathValue("id")); err != nil {
		c.fail(w, r, v, cases.Status(err), "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	page.Acts = cases.Acts(page.C.State)
	c.render(w, http.StatusOK, "case", page)
}

// caseAct changes one.
func (c *Console) caseAct(w http.ResponseWriter, r *http.Request, v *visit) {
	id, act := r.PathValue("id"), r.PathValue("act")
	if _, err := c.cases.Act(r.Context(), id, act, v.account, r.PostFormValue("note")); err != nil {
		c.fail(w, r, v, cases.Status(err), "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.audit(r, "cases "+act, id, v.account)
	http.Redirect(w, r, "/cases/"+url.PathEscape(id), http.StatusSeeOther)
}

// caseFigures counts a period.
func (c *Console) caseFigures(w http.ResponseWriter, r *http.Request, v *visit) {
	page := &struct {
		layout
		cases.Sheet
	}{layout: c.layout(r.Context(), v, "cases", "Cases, counted")}
	var err error
	if page.Sheet, err = c.cases.Sheet(r.Context(), r.URL.Query()); err != nil {
		c.fail(w, r, v, cases.Status(err), "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.render(w, http.StatusOK, "figures", page)
}
