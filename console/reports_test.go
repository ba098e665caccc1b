package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice"
	"sluice/store/memory"
	"sluice/store/storetest"
)

func withReports(store *memory.Store) func(*Config) {
	return func(c *Config) { c.Store, c.Reports = store, store }
}

func TestReportsPage(t *testing.T) {
	store := memory.New()
	d := newDesk(t, withReports(store))
	res, _ := d.get("/reports")
	want(t, "without a login", res, http.StatusSeeOther)
	if to := res.Header.Get("Location"); !strings.HasPrefix(to, "/login") {
		t.Errorf("sent to %q, want the login", to)
	}
	d = signedInDesk(t, withReports(store))
	res, page := d.get("/reports")
	want(t, "empty", res, http.StatusOK)
	if !strings.Contains(page, "No reports have come in") {
		t.Errorf("empty page: %s", page)
	}
	for i := range 3 {
		if err := store.PutReport(t.Context(), storetest.Received(fmt.Sprint("r", i), d.clock.Add(time.Duration(i)*time.Second))); err != nil {
			t.Fatal(err)
		}
	}
	at := d.clock.Add(-time.Hour)
	for _, s := range []*sluice.SentReport{
		{Day: at.Truncate(24 * time.Hour), Domain: "known.example", ID: "abc@mx", Time: at, To: []string{"rua@known.example"}, Messages: 1234, Rows: 5},
		{Day: at.Truncate(24 * time.Hour), Domain: "unknown.example", Time: at, Why: "not known"},
	} {
		if err := store.SettleDMARC(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	res, page = d.get("/reports?limit=2")
	want(t, "list", res, http.StatusOK)
	for _, s := range []string{"Big Mailer on example.com, 13 Mar 2026", "192.0.2.1: 12 pass, 0 fail", "by mail of big.example, authenticated",
		"rua@known.example", "1234", `href="/reports?before=r1&amp;limit=2"`, `aria-current="page">Reports`} {
		if !strings.Contains(page, s) {
			t.Errorf("%q is missing", s)
		}
	}
	if strings.Contains(page, "unknown.example") {
		t.Error("a report that wasn't sent is among the sent ones")
	}
	if res, page = d.get("/reports?q=nobody"); !strings.Contains(page, "No report fits") || strings.Contains(page, "known.example") {
		t.Errorf("filter: %s", res.Status)
	}
	res, _ = d.get("/reports?since=x")
	want(t, "bad filter", res, http.StatusBadRequest)
}

func TestReportsAPI(t *testing.T) {
	store := memory.New()
	d := newDesk(t, withReports(store))
	if err := store.PutReport(t.Context(), storetest.Received("r1", d.clock)); err != nil {
		t.Fatal(err)
	}
	res, _ := d.get("/api/v1/reports")
	want(t, "without a token", res, http.StatusUnauthorized)
	ask := func(path string) (*http.Response, string) {
		req := d.request("GET", path, nil)
		req.Header.Set("Authorization", "Bearer "+apiToken)
		return d.do(req)
	}
	res, body := ask("/api/v1/reports?limit=1")
	want(t, "with a token", res, http.StatusOK)
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(body)); err != nil {
		t.Fatal(err)
	}
	body = compact.String()
	for _, s := range []string{`"org":"Big Mailer"`, `"sources":[{"ip":"192.0.2.1","pass":12,"fail":0},{"ip":"","pass":0,"fail":3}]`, `"next":"r1"`, `"proven":true`} {
		if !strings.Contains(body, s) {
			t.Errorf("%s is missing in %s", s, body)
		}
	}
	res, _ = ask("/api/v1/reports?before=gone")
	want(t, "a page that is gone", res, http.StatusNotFound)
	res, _ = ask("/api/v1/reports?limit=x")
	want(t, "a bad limit", res, http.StatusBadRequest)
}

func TestReportsHostileText(t *testing.T) {
	store := memory.New()
	d := signedInDesk(t, withReports(store))
	const evil = "<script>alert(1)</script>\x1b[31m\u202e\x00\xff\"'"
	r := storetest.Received("x", d.clock)
	r.Kind, r.Org, r.Domain, r.Author, r.Report, r.Detail, r.Problem = evil, evil, evil, evil, evil, evil, evil
	if err := store.PutReport(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	s := &sluice.SentReport{Day: d.clock, Domain: evil, ID: evil, Time: d.clock, To: []string{evil}}
	if err := store.SettleDMARC(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	res, page := d.get("/reports")
	want(t, "page", res, http.StatusOK)
	if strings.Contains(page, "<script>alert") || strings.ContainsAny(page, "\x1b\x00\u202e") || !utf8.ValidString(page) {
		t.Error("hostile text reaches the page raw")
	}
	if n := strings.Count(html.UnescapeString(page), "<script>alert(1)"); n < 8 {
		t.Errorf("shown %d times, want it readable in every place", n)
	}
}

func TestWithoutReports(t *testing.T) {
	d := signedInDesk(t, nil)
	res, page := d.get("/reports")
	want(t, "page", res, http.StatusNotFound)
	if strings.Contains(page, `href="/reports"`) {
		t.Error("a link to a page that isn't there")
	}
}

type brokenReports struct{ sluice.Reports }

func (brokenReports) ReceivedReports(context.Context, sluice.Query) ([]*sluice.ReceivedReport, error) {
	return nil, errors.New("disk on fire")
}

func TestReportsBroken(t *testing.T) {
	d := signedInDesk(t, func(c *Config) { c.Reports = brokenReports{} })
	res, page := d.get("/reports")
	want(t, "page", res, http.StatusInternalServerError)
	if strings.Contains(page, "on fire") {
		t.Error("the cause belongs to the log")
	}
}
