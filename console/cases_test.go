package console

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/browsertest"
	"sluice/store/memory"
	"sluice/store/storetest"
	"sluice/subscriber"
)

// casebook is [cases.Book] with whoever really decides.
type casebook struct {
	*subscriber.Warden
	*memory.Store
}

func (b casebook) Case(ctx context.Context, id string) (*sluice.Case, error) {
	return b.Warden.Case(ctx, id)
}
func (b casebook) CloseCase(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	return b.Warden.Close(ctx, now, id, admin, note)
}
func (b casebook) Close() error { return nil }

// caseDesk has three cases: two live ones, of which one is hostile in all its words, and
// one that ended.
func caseDesk(t *testing.T) (*desk, *memory.Store) {
	t.Helper()
	var store *memory.Store
	d := signedInDesk(t, func(c *Config) {
		store = c.Store.(*memory.Store)
		w, err := subscriber.New(subscriber.Config{Key: []byte("0123456789abcdef"), Cases: store, ID: func() string { return "CNEW" }})
		if err != nil {
			t.Fatal(err)
		}
		c.Cases = casebook{w, store}
	})
	at := d.c.cfg.Clock().Add(-50 * time.Hour)
	for i, one := range []struct {
		id, subject string
		state       sluice.CaseState
	}{{"CASE1", "account:bob@a.example", sluice.CaseHeld}, {"CASE2", "account:<script>alert(1)</script>", sluice.CaseNotified}, {"CASE3", "account:ann@a.example", sluice.CaseClosed}} {
		c := storetest.Case(one.id, one.subject, at.Add(time.Duration(i)*time.Hour))
		c.State, c.Into, c.Merged, c.LeftSteps = one.state, "", nil, 0
		c.Signals[0].Detail, c.Signals[0].ID = "<img src=x>\x1b[31m 24.1 points", "REF1"
		if one.state == sluice.CaseHeld {
			c.Kind, c.Notified, c.Told, c.Notices, c.Confirmed, c.Remediated, c.Watched, c.Closed = sluice.CaseInfected, time.Time{}, time.Time{}, nil, time.Time{}, time.Time{}, time.Time{}, time.Time{}
			c.Signals = append(c.Signals, sluice.CaseSignal{Kind: "NEW_DIALECT", Count: 1, Points: 9, First: at, Last: at, Detail: "a program that was never used"})
		}
		if err := store.PutCase(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return d, store
}

// TestCases: hostile text is text, a GET changes nothing, and what an admin decides is
// written down with his name and words.
func TestCases(t *testing.T) {
	d, store := caseDesk(t)
	_, body := d.get("/cases")
	if !strings.Contains(body, "CASE1") || !strings.Contains(body, "CASE2") || strings.Contains(body, "CASE3") || strings.Contains(body, "<script>alert") {
		t.Errorf("live ones:\n%s", body)
	}
	if !strings.Contains(body, `<a href="/cases" aria-current="page">`) {
		t.Error("the page isn't in the menu")
	}
	if _, body = d.get("/cases?all=1&q=ann"); !strings.Contains(body, "CASE3") || strings.Contains(body, "CASE1") {
		t.Errorf("filtered:\n%s", body)
	}
	if _, body = d.get("/cases/CASE1"); strings.Contains(body, "<img src=x") || strings.Contains(body, "\x1b") || !strings.Contains(body, "/cases/CASE1/release") || !strings.Contains(body, "Nobody yet") {
		t.Errorf("one:\n%s\n%s", body, d.log.String())
	}
	res, _ := d.get("/cases/CASE1/release")
	want(t, "a GET", res, http.StatusNotFound)
	for _, c := range []struct {
		id, act, note string
		status        int
	}{{"CASE1", "note", "", 400}, {"CASE1", "note", "called him", 303}, {"CASE1", "release", "reinstalled", 303}, {"CASE1", "release", "", 409}, {"CASE2", "false-alarm", "", 303},
		{"CASE3", "reopen", "again", 303}, {"CASE3", "odd", "", 404}, {"none", "close", "", 404}} {
		res, body := d.post("/cases/CASE3", "/cases/"+c.id+"/"+c.act, url.Values{"note": {c.note}})
		want(t, c.id+" "+c.act, res, c.status)
		if c.status == 409 && !strings.Contains(body, "watched") {
			t.Errorf("the page doesn't say why:\n%s", body)
		}
	}
	one, err := store.Case(t.Context(), "CASE1")
	if err != nil || one.State != sluice.CaseWatched {
		t.Fatalf("%+v %v", one, err)
	}
	var said []string
	for _, s := range one.Steps {
		said = append(said, s.Actor+": "+s.Note)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, adminName+": called him") || !strings.Contains(text, adminName+": reinstalled") {
		t.Errorf("audit:\n%s", text)
	}
	for path, status := range map[string]int{"/cases?state=odd": 400, "/cases?limit=0": 400, "/cases?limit=1&all=1": 200, "/cases/none": 404, "/case-figures?from=x": 400, "/case-figures?from=2026-03-02&to=2026-03-01": 400} {
		res, _ := d.get(path)
		want(t, path, res, status)
	}
}

// TestCaseAPI: the same for programs.
func TestCaseAPI(t *testing.T) {
	d, _ := caseDesk(t)
	status, b := d.ask("GET", "/api/v1/cases?all=1&limit=2", "")
	var list struct {
		Cases []struct {
			ID, State string
			Acts      []string
		}
		Next string
	}
	if err := json.Unmarshal([]byte(b), &list); err != nil || status != 200 || len(list.Cases) != 2 || list.Cases[0].ID != "CASE3" || list.Next != "CASE2" {
		t.Errorf("%d %s", status, b)
	}
	if status, b = d.ask("POST", "/api/v1/cases/CASE1/close", ""); status != 200 || !strings.Contains(b, `"state": "closed"`) {
		t.Errorf("%d %s", status, b)
	}
	if status, b = d.ask("POST", "/api/v1/cases/CASE1/release", ""); status != 409 {
		t.Errorf("%d %s", status, b)
	}
	if status, b = d.ask("GET", "/api/v1/cases/none", ""); status != 404 {
		t.Errorf("%d %s", status, b)
	}
	if status, b = d.ask("GET", "/api/v1/case-figures", ""); status != 200 || !strings.Contains(b, `"Detected"`) {
		t.Errorf("%d %s", status, b)
	}
	if status, b = d.ask("GET", "/api/v1/case-figures?format=csv", ""); status != 200 || strings.Count(b, "\n") < 5 {
		t.Errorf("%d %s", status, b)
	}
}

// TestCasePages looks at the pages in a browser, on a desk and on a telephone.
func TestCasePages(t *testing.T) {
	b := browsertest.Start(t)
	d, _ := caseDesk(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // the browser has no account
		res, body := d.get(r.URL.RequestURI())
		for _, k := range []string{"Content-Type", "Content-Security-Policy"} {
			w.Header().Set(k, res.Header.Get(k))
		}
		w.WriteHeader(res.StatusCode)
		_, _ = w.Write([]byte(body))
	}))
	defer site.Close()
	for name, path := range map[string]string{"cases": "/cases?all=1", "case": "/cases/CASE2", "figures": "/case-figures"} {
		for _, s := range []struct {
			name          string
			width, height int
			phone         bool
		}{{"desk", 1280, 1100, false}, {"phone", 390, 1400, true}} {
			b.Size(s.width, s.height, s.phone, "light")
			b.Open(site.URL + path)
			b.Picture(name + "-" + s.name)
			if wide := b.Eval("document.documentElement.scrollWidth"); wide.(float64) > float64(s.width) {
				t.Errorf("%s on a %s is %v wide", name, s.name, wide)
			}
		}
	}
}
