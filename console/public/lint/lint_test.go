package lint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/console/public/lint"
	"sluice/lint/report"
)

// full is a report with something in every place.
func full() *report.Report {
	return &report.Report{
		Message: report.Message{From: "Shop <a@example.org>", Subject: "Hello", Size: 100, Kind: "campaign"},
		Class:   report.Marked,
		Verdict: &report.Verdict{Action: "tag", Threat: "spam", Points: 7.25, Probability: 0.84, Mended: -12.5, MendedAction: "accept",
			Ledger: []report.Entry{{ID: "TEXT_SPAM", Group: "text", Points: 17.3, Words: "words", Detail: "casino"}}, Words: []report.Word{{Word: "casino", DB: 9.5}}},
		Advice: []report.Advice{
			{ID: "text-spam", Need: report.Should, What: "The words read like those of unwanted mail.", Do: "Say it more plainly.", Effect: -17.3},
			{ID: "dkim", Need: report.Must, What: "The message isn't signed.", Do: "Sign it.", Effect: -4.1, Copy: 3.5, Source: "RFC 6376", Standard: true},
		},
		Sections: []report.Section{{ID: "authentication", Title: "Who it is from", Open: true,
			Facts: []report.Fact{{Level: report.Bad, What: "DKIM", Value: "no signature", More: []string{"nothing"}}, {What: "reputation", Value: "secret", Closed: true}}},
			{ID: "inner", Title: "Inner matters", Facts: []report.Fact{{What: "threshold", Value: "12.8"}}}},
		Imitation: report.Imitation{Risk: "high", Own: 7.25, Copy: 3.5, Class: report.Delivered, Facts: []report.Fact{{Level: report.Bad, What: "DMARC", Value: "no policy"}}},
	}
}

type door struct {
	h   http.Handler
	log bytes.Buffer
	now time.Time
	got [][]byte
}

func open(t *testing.T, cfg lint.Config) *door {
	t.Helper()
	d := &door{now: time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)}
	cfg.Clock = func() time.Time { return d.now }
	cfg.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	if cfg.Lint == nil {
		cfg.Lint = func(_ context.Context, raw []byte) (*report.Report, error) {
			d.got = append(d.got, bytes.Clone(raw))
			return full(), nil
		}
	}
	var err error
	if d.h, err = lint.New(cfg); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *door) post(kind, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/lint", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

const form = "application/x-www-form-urlencoded"

// secrets are what strangers may not see.
var secrets = regexp.MustCompile(`casino|TEXT_SPAM|17\.3|4\.1|7\.25|7\.3|12\.5|12\.8|threshold|secret|reputation|unwanted mail|0\.84|copy by others`)

func TestStrangers(t *testing.T) {
	d := open(t, lint.Config{})
	for name, w := range map[string]*httptest.ResponseRecorder{
		"page":               d.post(form, url.Values{"message": {"From: a@example.org\r\n\r\nHello"}}.Encode()),
		"API":                d.post("message/rfc822", "From: a@example.org\r\n\r\nHello"),
		"form, as JSON":      d.post(form, "message=x", "Accept", "application/json"),
		"a token for no one": d.post("message/rfc822", "x", "Authorization", "Basic abc"),
	} {
		out := html.UnescapeString(w.Body.String())
		if w.Code != 200 || !strings.Contains(out, "The message isn't signed.") {
			t.Errorf("%s: %d\n%s", name, w.Code, out)
		}
		if s := secrets.FindString(out); s != "" {
			t.Errorf("%s shows %q", name, s)
		}
	}
	if string(d.got[0]) != "From: a@example.org\r\n\r\nHello" && len(d.got) != 4 {
		t.Errorf("looked at %q", d.got)
	}
}

func TestToken(t *testing.T) {
	d := open(t, lint.Config{Token: func(s string) bool { return s == "good token" }})
	w := d.post("message/rfc822", "x", "Authorization", "Bearer good token")
	var r report.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || r.Verdict == nil || r.Verdict.Points != 7.25 || len(r.Sections) != 2 {
		t.Errorf("%d %v %s", w.Code, err, w.Body)
	}
	if w := d.post(form, "message=x", "Authorization", "Bearer good token"); !strings.Contains(w.Body.String(), "TEXT_SPAM") {
		t.Errorf("the page lacks the ledger:\n%s", w.Body)
	}
	if w := d.post("message/rfc822", "x", "Authorization", "Bearer wrong"); w.Code != 401 || len(d.got) != 2 {
		t.Errorf("a wrong token: %d, %d looks", w.Code, len(d.got))
	}
	for range 20 { // who has a token isn't counted with strangers
		if w := d.post("message/rfc822", "x", "Authorization", "Bearer good token"); w.Code != 200 {
			t.Fatal(w.Code)
		}
	}
}

func TestLooking(t *testing.T) {
	d := open(t, lint.Config{Node: "mx.example.net", Postmaster: "postmaster@example.net"})
	for path, word := range map[string]string{"/lint": "Check a message", "/lint/lint.css": ".lint"} {
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), word) {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if len(d.got) != 0 {
		t.Error("a GET looks at a message")
	}
}

func multi(t *testing.T, fields ...string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		p, err := w.CreateFormFile(fields[i], "x.eml")
		if err == nil {
			_, err = io.WriteString(p, fields[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return w.FormDataContentType(), b.String()
}

func TestForms(t *testing.T) {
	d := open(t, lint.Config{MaxSize: 1000})
	both, bothBody := multi(t, "message", "text", "file", "file")
	text, textBody := multi(t, "file", "", "message", "text")
	empty, emptyBody := multi(t, "file", "", "message", " \r\n")
	cut, cutBody := multi(t, "file", strings.Repeat("x", 900))
	large, largeBody := multi(t, "file", strings.Repeat("x", 200_000))
	for _, test := range []struct {
		name, kind, body string
		code             int
		word             string
	}{
		{"file and text", both, bothBody, 200, "isn&#39;t signed"},
		{"text", text, textBody, 200, "isn&#39;t signed"},
		{"nothing", empty, emptyBody, 400, "There is no message"},
		{"too large a file", large, largeBody, 413, "larger than"},
		{"too large a text", form, "message=" + strings.Repeat("x", 2000), 413, "larger than"},
		{"too large a body", "message/rfc822", strings.Repeat("x", 1001), 413, "larger than"},
		{"no kind", "", "x", 415, "message/rfc822"},
		{"no boundary", "multipart/form-data", "x", 415, "message/rfc822"},
		{"a form cut short", cut, cutBody[:600], 400, "can&#39;t be read"},
	} {
		d.now = d.now.Add(time.Hour)
		if w := d.post(test.kind, test.body); w.Code != test.code || !strings.Contains(w.Body.String(), test.word) {
			t.Errorf("%s: %d, want %d and %q in\n%.600s", test.name, w.Code, test.code, test.word, w.Body)
		}
	}
	if len(d.got) != 2 || string(d.got[0]) != "file" || string(d.got[1]) != "text" {
		t.Errorf("looked at %q", d.got)
	}
}

func TestLimits(t *testing.T) {
	d := open(t, lint.Config{})
	for i := range 5 {
		if w := d.post(form, "message=x"); w.Code != 200 {
			t.Fatalf("%d: %d", i, w.Code)
		}
	}
	if w := d.post(form, "message=x"); w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "come again") {
		t.Errorf("the sixth: %d %v", w.Code, w.Header())
	}
	if len(d.got) != 5 {
		t.Errorf("%d looks", len(d.got))
	}
	d.now = d.now.Add(7 * time.Minute)
	if w := d.post(form, "message=x"); w.Code != 200 {
		t.Errorf("later: %d", w.Code)
	}
}

// TestRoom: so many messages at a time, and who would be one more, or has to wait too long,
// is told so.
func TestRoom(t *testing.T) {
	hold, in := make(chan struct{}), make(chan struct{}, 1)
	d := open(t, lint.Config{Requests: 1, Lint: func(context.Context, []byte) (*report.Report, error) {
		in <- struct{}{}
		<-hold
		return full(), nil
	}})
	first := make(chan int)
	go func() { first <- d.post("message/rfc822", "x").Code }()
	<-in
	if w := d.post("message/rfc822", "x"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("the second: %d", w.Code)
	}
	close(hold)
	if code := <-first; code != 200 {
		t.Errorf("the first: %d", code)
	}
	d = open(t, lint.Config{Lint: func(context.Context, []byte) (*report.Report, error) { return nil, fmt.Errorf("x: %w", lint.ErrBusy) }})
	if w := d.post("message/rfc822", "x"); w.Code != 503 || w.Header().Get("Retry-After") == "" || d.log.Len() > 0 {
		t.Errorf("one that waited in vain: %d, log %s", w.Code, d.log.String())
	}
}

// TestAddress: an address is made by a POST, and counts as a look.
func TestAddress(t *testing.T) {
	d := open(t, lint.Config{Address: func() (string, error) { return "lint-abc@mx.example.net", nil }})
	ask := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, httptest.NewRequest(method, "/lint/address", nil))
		return w
	}
	if w := ask("GET"); strings.Contains(w.Body.String(), "lint-abc") {
		t.Error("a GET makes an address")
	}
	for range 5 {
		if w := ask("POST"); w.Code != 200 || !strings.Contains(w.Body.String(), `href="mailto:lint-abc@mx.example.net"`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := ask("POST"); w.Code != 429 {
		t.Errorf("the sixth: %d", w.Code)
	}
	if w := d.post(form, "message=x"); w.Code != 429 {
		t.Errorf("a look after five addresses: %d", w.Code)
	}
	w := httptest.NewRecorder()
	open(t, lint.Config{}).h.ServeHTTP(w, httptest.NewRequest("POST", "/lint/address", nil))
	if w.Code != 404 {
		t.Errorf("without addresses: %d", w.Code)
	}
}

func TestTrouble(t *testing.T) {
	d := open(t, lint.Config{Lint: func(context.Context, []byte) (*report.Report, error) { return nil, errors.New("no gate in /secret") }})
	w := d.post(form, "message=x")
	if w.Code != 500 || strings.Contains(w.Body.String(), "/secret") || !strings.Contains(d.log.String(), "/secret") {
		t.Errorf("%d %s; log %s", w.Code, w.Body, d.log.String())
	}
	if _, err := lint.New(lint.Config{}); err == nil {
		t.Error("made with nobody to look")
	}
}

// TestCrossOrigin: no other site may have a browser post here.
func TestCrossOrigin(t *testing.T) {
	d := open(t, lint.Config{})
	if w := d.post(form, "message=x", "Sec-Fetch-Site", "cross-site"); w.Code != 403 || len(d.got) > 0 {
		t.Errorf("%d, %d looks", w.Code, len(d.got))
	}
}

// TestHostile: what a message says is shown, and never alive.
func TestHostile(t *testing.T) {
	for _, a := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\x1b[31m\x00", "rtl \u202e \u200b", "\xff\xfe", strings.Repeat("A", 100_000)} {
		r := full()
		r.Message.Subject, r.Message.From = a, a
		r.Advice[1].Seen, r.Advice[1].What = a, a
		r.Sections[0].Facts[0] = report.Fact{What: a, Value: a, Why: a, More: []string{a}}
		d := open(t, lint.Config{Node: a, Lint: func(context.Context, []byte) (*report.Report, error) { return r, nil }})
		out := d.post(form, "message=x").Body.String()
		if regexp.MustCompile(`(?i)<script|<img src=x|[\x00-\x08\x0b-\x1f\x7f]|\x{202e}|\x{200b}`).MatchString(out) {
			t.Errorf("%.30q is alive:\n%s", a, out)
		}
		if len(out) > 20_000 {
			t.Errorf("%.30q: a page of %d octets", a, len(out))
		}
	}
}
