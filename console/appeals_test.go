package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/store/memory"
	"sluice/store/storetest"
)

// TestAppeals: the queue shows hostile text as text, and a decision is kept with who made
// it.
func TestAppeals(t *testing.T) {
	var store *memory.Store
	d := signedInDesk(t, func(c *Config) {
		store = c.Store.(*memory.Store)
		c.Appeals = store
	})
	for i, id := range []string{"A0", "A1", "A2"} {
		a := storetest.Appeal(id, time.Date(2026, 3, 14, 12, i, 0, 0, time.UTC))
		a.State, a.By, a.Text, a.Hello = sluice.AppealNew, "", "<script>alert(1)</script>\x1b[31m please", "<img src=x>"
		if _, err := store.PutAppeal(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	_, body := d.get("/appeals")
	if strings.Count(body, `/granted"`) != 3 || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") || strings.Contains(body, "\x1b") {
		t.Errorf("page:\n%s", body)
	}
	if !strings.Contains(body, `<a href="/appeals" aria-current="page">`) {
		t.Error("the page isn't in the menu")
	}
	res, _ := d.get("/appeals/A0/granted")
	want(t, "a GET", res, 404)
	if a, err := store.Appeal(t.Context(), "A0"); err != nil || a.State != sluice.AppealNew {
		t.Error("a GET decided it")
	}
	for _, c := range []struct {
		id, act string
		status  int
	}{{"A0", "granted", 303}, {"A1", "declined", 303}, {"A2", "granted", 303}, {"A2", "new", 303}, {"A2", "deleted", 404}, {"none", "granted", 404}} {
		res, _ := d.post("/appeals", "/appeals/"+c.id+"/"+c.act, url.Values{})
		want(t, c.id+" "+c.act, res, c.status)
	}
	for id, state := range map[string]sluice.AppealState{"A0": sluice.AppealGranted, "A1": sluice.AppealDeclined, "A2": sluice.AppealNew} {
		a, err := store.Appeal(t.Context(), id)
		if err != nil || a.State != state || (a.By == "") != (state == sluice.AppealNew) || a.Decided.IsZero() != (state == sluice.AppealNew) {
			t.Errorf("%s: %+v, %v", id, a, err)
		}
	}
	if _, body = d.get("/appeals?state=declined"); strings.Count(body, "/messages/A") != 1 || !strings.Contains(body, "/messages/A1") {
		t.Errorf("declined ones:\n%s", body)
	}
	for path, status := range map[string]int{"/appeals?state=odd": 400, "/appeals?limit=0": 400, "/appeals?limit=2": 200} {
		res, _ := d.get(path)
		want(t, path, res, status)
	}
	for _, c := range []struct {
		method, path string
		status       int
		has          string
	}{
		{"GET", "/api/v1/appeals?state=new&limit=1", 200, `"id": "A2"`},
		{"POST", "/api/v1/appeals/A2/declined", 200, `"done": "declined"`},
		{"POST", "/api/v1/appeals/A2/odd", 404, "not found"},
		{"GET", "/api/v1/appeals/A2", 200, `"state": "declined"`},
		{"GET", "/api/v1/appeals/none", 404, "not found"},
		{"GET", "/api/v1/appeals?state=odd", 400, "granted or declined"},
	} {
		if status, b := d.ask(c.method, c.path, ""); status != c.status || !strings.Contains(b, c.has) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, b)
		}
	}
}
