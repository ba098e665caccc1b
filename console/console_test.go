package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice"
	"sluice/store/memory"
	"sluice/store/storetest"
)

const (
	adminName = "anna"
	adminWord = "correct horse battery"
	apiToken  = "a-token-of-the-monitoring"
)

// desk is a console with a store, a quarantine and a browser in front of it.
type desk struct {
	t       *testing.T
	c       *Console
	store   *memory.Store
	q       *drawer
	clock   time.Time
	mu      sync.Mutex // guards log
	log     bytes.Buffer
	health  error
	server  *httptest.Server
	browser *http.Client
}

func (d *desk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

// drawer is a quarantine in memory that also releases and deletes.
type drawer struct {
	sluice.Quarantine // what the console must not use panics
	mu                sync.Mutex
	items             map[string]*sluice.Quarantined
	bodies            map[string]string
	done              []string
	index             sluice.QuarantineIndex
	err               error
}

func (q *drawer) Open(_ context.Context, id string) (*sluice.Quarantined, io.ReadCloser, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	x, ok := q.items[id]
	if !ok {
		return nil, nil, fmt.Errorf("drawer: %w", sluice.ErrNotFound)
	}
	return x, io.NopCloser(strings.NewReader(q.bodies[id])), nil
}

func (q *drawer) act(what string) func(ctx context.Context, id, by string) error {
	return func(ctx context.Context, id, by string) error {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.err != nil {
			return q.err
		}
		if q.items[id] == nil {
			return fmt.Errorf("drawer: %w", sluice.ErrNotFound)
		}
		q.done = append(q.done, what+" "+id+" by "+by)
		if what == "delete" {
			delete(q.items, id)
			return q.index.Unindex(ctx, id)
		}
		return nil
	}
}

func (q *drawer) put(t *testing.T, x *sluice.Quarantined, body string) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	x.Size = int64(len(body))
	q.items[x.ID], q.bodies[x.ID] = x, body
	if err := q.index.IndexQuarantined(t.Context(), x); err != nil {
		t.Fatal(err)
	}
}

func newDesk(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, store: memory.New(), clock: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
	d.q = &drawer{items: map[string]*sluice.Quarantined{}, bodies: map[string]string{}, index: d.store}
	cfg := Config{Store: d.store, Quarantine: d.q, Release: d.q.act("release"), Delete: d.q.act("delete"),
		URL: "http://console.example", Registry: prometheus.NewRegistry(), Tokens: map[string]string{apiToken: "monitoring"},
		Health: func(context.Context) error { return d.health },
		Clock:  func() time.Time { return d.clock }, Log: slog.New(slog.NewTextHandler(d, nil))}
	if change != nil {
		change(&cfg)
	}
	var err error
	if d.c, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	d.server = httptest.NewServer(d.c.Handler())
	t.Cleanup(d.server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return d
}

// signedInDesk has an account and a session.
func signedInDesk(t *testing.T, change func(*Config)) *desk {
	t.Helper()
	d := newDesk(t, change)
	u, err := d.c.SetupURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(u, "http://console.example")
	res, _ := d.post(path, path, url.Values{"name": {adminName}, "password": {adminWord}, "again": {adminWord}})
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("set-up: %s", res.Status)
	}
	return d
}

func (d *desk) do(req *http.Request) (*http.Response, string) {
	d.t.Helper()
	res, err := d.browser.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res, string(b)
}

func (d *desk) request(method, path string, body io.Reader) *http.Request {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	return req
}

func (d *desk) get(path string) (*http.Response, string) {
	d.t.Helper()
	return d.do(d.request("GET", path, nil))
}

var tokenField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post loads the page at from for its form token, then posts.
func (d *desk) post(from, path string, form url.Values) (*http.Response, string) {
	d.t.Helper()
	_, page := d.get(from)
	if m := tokenField.FindStringSubmatch(page); m != nil {
		form.Set("csrf", m[1])
	}
	req := d.request("POST", path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return d.do(req)
}

func (d *desk) add(rs ...*sluice.Record) {
	for _, r := range rs {
		d.store.Append(r)
	}
}

func want(t *testing.T, what string, res *http.Response, status int) {
	t.Helper()
	if res.StatusCode != status {
		t.Errorf("%s: %s, want %d", what, res.Status, status)
	}
}

func TestSetupOnce(t *testing.T) {
	d := newDesk(t, nil)
	u, err := d.c.SetupURL(t.Context())
	if err != nil || !strings.HasPrefix(u, "http://console.example/setup/") || len(u) < 60 {
		t.Fatalf("SetupURL = %q, %v", u, err)
	}
	path := strings.TrimPrefix(u, "http://console.example")
	res, _ := d.get("/setup/" + strings.Repeat("A", 43))
	want(t, "a wrong token", res, 404)
	res, body := d.get(path)
	want(t, "the right token", res, 200)
	if !strings.Contains(body, `minlength="12"`) {
		t.Error("the form doesn't say how long a password must be")
	}
	for _, bad := range []url.Values{
		{"name": {"anna"}, "password": {"short"}, "again": {"short"}},
		{"name": {"anna"}, "password": {adminWord}, "again": {adminWord + "x"}},
		{"name": {"<b>"}, "password": {adminWord}, "again": {adminWord}},
		{"name": {"anna"}, "password": {strings.Repeat("x", 300)}, "again": {strings.Repeat("x", 300)}},
	} {
		res, _ := d.post(path, path, bad)
		want(t, fmt.Sprint(bad), res, 400)
	}
	good := url.Values{"name": {adminName}, "password": {adminWord}, "again": {adminWord}}
	res, _ = d.post("/login", "/setup/wrong", good)
	want(t, "POST with a wrong token", res, 404)
	if n, _ := d.store.CountAccounts(t.Context()); n != 0 {
		t.Fatalf("%d accounts before set-up", n)
	}
	res, _ = d.post(path, path, good)
	want(t, "set-up", res, 303)
	res, _ = d.get("/messages")
	want(t, "logged in by set-up", res, 200)
	res, _ = d.get(path)
	want(t, "the same address again", res, 404)
	res, _ = d.post("/messages", path, good)
	want(t, "the same form again", res, 404)
	if u, err := d.c.SetupURL(t.Context()); u != "" || err != nil {
		t.Errorf("SetupURL after set-up = %q, %v", u, err)
	}
	a, err := d.store.Account(t.Context(), adminName)
	if err != nil || strings.Contains(a.Password, adminWord) || !strings.HasPrefix(a.Password, "$argon2id$") {
		t.Errorf("stored account %+v, %v", a, err)
	}
	if strings.Contains(d.log.String(), adminWord) {
		t.Error("the log holds a password")
	}
}

func TestLoginAndLogout(t *testing.T) {
	d := signedInDesk(t, nil)
	d.browser.Jar, _ = cookiejar.New(nil)
	res, _ := d.get("/messages?q=x")
	want(t, "without a session", res, 303)
	if got := res.Header.Get("Location"); got != "/login?next=%2Fmessages%3Fq%3Dx" {
		t.Errorf("sent to %q", got)
	}
	for _, f := range []url.Values{
		{"name": {adminName}, "password": {"wrong wrong wrong"}}, {"name": {"nobody"}, "password": {adminWord}}, {"name": {adminName}},
	} {
		res, body := d.post("/login", "/login", f)
		want(t, fmt.Sprint(f), res, 401)
		if !strings.Contains(body, "Name or password is wrong.") {
			t.Error("the refusal tells names from passwords")
		}
	}
	res, _ = d.post("/login?next=/quarantine", "/login", url.Values{"name": {adminName}, "password": {adminWord}, "next": {"/quarantine"}})
	want(t, "login", res, 303)
	if got := res.Header.Get("Location"); got != "/quarantine" {
		t.Errorf("sent to %q, want where one wanted to go", got)
	}
	var session *http.Cookie
	for _, k := range res.Cookies() {
		if k.Name == sessionCookie {
			session = k
		}
	}
	if session == nil || !session.HttpOnly || session.SameSite != http.SameSiteStrictMode || len(session.Value) < 43 || session.Secure {
		t.Errorf("cookie %+v", session)
	}
	res, _ = d.get("/login")
	want(t, "login page while logged in", res, 303)
	res, _ = d.post("/messages", "/logout", url.Values{})
	want(t, "logout", res, 303)
	// The cookie itself is worthless now, not only forgotten by the browser.
	req := d.request("GET", "/messages", nil)
	req.AddCookie(session)
	res, _ = d.do(req)
	want(t, "the old cookie", res, 303)
}

func TestSecureCookieOverHTTPS(t *testing.T) {
	d := newDesk(t, func(c *Config) { c.URL = "https://console.example" })
	res, _ := d.get("/login")
	if k := res.Cookies(); len(k) != 1 || !k[0].Secure {
		t.Errorf("cookies %v", k)
	}
}

func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{
		"/messages?q=1": "/messages?q=1", "": "", "//evil.example": "", "https://evil.example": "", "/\\evil.example": "",
		"javascript:alert(1)": "", "messages": "", "/a\nb": "", "/\t/evil.example": "", "/" + strings.Repeat("x", 600): "",
	} {
		if got := local(next); got != want {
			t.Errorf("local(%q) = %q, want %q", next, got, want)
		}
	}
}

// FuzzNext: whatever a link to the login page says, one stays on this server.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"/messages?q=1", "//evil", "/\\evil", "https://evil", "/%2fevil", "/./../x", "/a?b=//c#d"} {
		f.Add(s)
	}
	base, err := url.Parse("http://console.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := local(next)
		if got == "" {
			return
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || len(got) > 1 && (got[1] == '/' || got[1] == '\\') {
			t.Errorf("local(%q) = %q leads to %v", next, got, u)
		}
	})
}

// FuzzQuery: filters never panic, and what they yield is within bounds.
func FuzzQuery(f *testing.F) {
	f.Add("q=x&action=reject&threat=spam&limit=10&since=2026-03-14T12:00:00Z&before=1")
	f.Add("limit=-1&action=\x00&until=9999999")
	f.Fuzz(func(t *testing.T, raw string) {
		v, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := parseFind(v)
		if err != nil {
			return
		}
		if q.Limit < 0 || q.Limit > 500 || q.Action != nil && *q.Action > sluice.Hold || q.Threat != nil && *q.Threat > sluice.ThreatAttack {
			t.Errorf("%q gives %+v", raw, q)
		}
		if _, err := memory.New().Records(t.Context(), sluice.Query{Text: q.Text, Action: q.Action, Threat: q.Threat, Limit: q.Limit}); err != nil {
			t.Error(err)
		}
	})
}

func TestLoginIsLimited(t *testing.T) {
	d := signedInDesk(t, nil)
	d.browser.Jar, _ = cookiejar.New(nil)
	f := url.Values{"name": {adminName}, "password": {"wrong wrong wrong"}}
	for range 5 {
		res, _ := d.post("/login", "/login", f)
		want(t, "a wrong password", res, 401)
	}
	f.Set("password", adminWord)
	res, _ := d.post("/login", "/login", f)
	want(t, "the sixth attempt, a right one", res, 429)
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	d.clock = d.clock.Add(time.Minute)
	res, _ = d.post("/login", "/login", f)
	want(t, "a minute later", res, 303)
}

func TestSessionsExpire(t *testing.T) {
	d := signedInDesk(t, nil)
	d.clock = d.clock.Add(50 * time.Minute)
	res, _ := d.get("/messages")
	want(t, "after 50 minutes", res, 200)
	d.clock = d.clock.Add(50 * time.Minute)
	res, _ = d.get("/messages")
	want(t, "50 minutes after a click", res, 200)

	// A list that refreshes itself doesn't count as somebody being there.
	poll := func() *http.Response {
		req := d.request("GET", "/messages", nil)
		req.Header.Set("HX-Request", "true")
		req.Header.Set("HX-Trigger", "list")
		res, _ := d.do(req)
		return res
	}
	d.clock = d.clock.Add(50 * time.Minute)
	want(t, "a refresh", poll(), 200)
	d.clock = d.clock.Add(20 * time.Minute)
	res = poll()
	want(t, "a refresh 70 minutes after the last click", res, 401)
	if _, page := signedInDesk(t, nil).get("/messages"); !strings.Contains(page, `<div id="list" hx-get=`) {
		t.Error("the list that refreshes itself has another name now")
	}
	if got := res.Header.Get("HX-Redirect"); !strings.HasPrefix(got, "/login") {
		t.Errorf("HX-Redirect %q", got)
	}

	d = signedInDesk(t, nil)
	for range 24 {
		d.clock = d.clock.Add(29 * time.Minute)
		res, _ = d.get("/messages")
	}
	want(t, "busy for 11.6 hours", res, 200)
	d.clock = d.clock.Add(29 * time.Minute)
	res, _ = d.get("/messages")
	want(t, "over 12 hours", res, 303)
}

func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	now := time.Unix(0, 0)
	for i := range maxSessions + 100 {
		s.add(fmt.Sprint(i), "x", now.Add(time.Duration(i)))
	}
	if len(s.all) != maxSessions {
		t.Errorf("%d sessions", len(s.all))
	}
	if _, ok := s.find("0", now.Add(time.Second), true); ok {
		t.Error("the oldest stayed")
	}
	if _, ok := s.find(fmt.Sprint(maxSessions+99), now.Add(time.Second), true); !ok {
		t.Error("the newest went")
	}
}

func TestChangePassword(t *testing.T) {
	d := signedInDesk(t, nil)
	const next = "another good passphrase"
	second, _ := cookiejar.New(nil)
	first := d.browser.Jar
	d.browser.Jar = second
	res, _ := d.post("/login", "/login", url.Values{"name": {adminName}, "password": {adminWord}})
	want(t, "a second session", res, 303)
	d.browser.Jar = first
	for _, test := range []struct {
		old, word, again string
		want             int
	}{
		{"wrong", next, next, 403}, {adminWord, "short", "short", 400}, {adminWord, next, "other", 400}, {adminWord, next, next, 303},
	} {
		res, _ := d.post("/account", "/account", url.Values{"old": {test.old}, "password": {test.word}, "again": {test.again}})
		want(t, fmt.Sprint(test), res, test.want)
		d.clock = d.clock.Add(15 * time.Second)
	}
	res, body := d.get("/account?done=password")
	want(t, "the session that changed it", res, 200)
	if !strings.Contains(body, "The password is changed") {
		t.Error("no word of the change")
	}
	d.browser.Jar = second
	res, _ = d.get("/messages")
	want(t, "the other session", res, 303)
	res, _ = d.post("/login", "/login", url.Values{"name": {adminName}, "password": {adminWord}})
	want(t, "login with the old password", res, 401)
	res, _ = d.post("/login", "/login", url.Values{"name": {adminName}, "password": {next}})
	want(t, "login with the new one", res, 303)
}

// TestEverythingNeedsALogin walks all routes without a session.
func TestEverythingNeedsALogin(t *testing.T) {
	d := signedInDesk(t, nil)
	d.add(storetest.Record("r1", d.clock))
	d.q.put(t, storetest.Quarantined("q1", d.clock), "Subject: x\r\n\r\nsecret\r\n")
	d.browser.Jar, _ = cookiejar.New(nil)
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 303}, {"GET", "/messages", 303}, {"GET", "/messages/r1", 303}, {"GET", "/nowhere", 303},
		{"GET", "/account", 303}, {"POST", "/account", 303},
		{"GET", "/quarantine", 303}, {"GET", "/quarantine/q1", 303}, {"GET", "/quarantine/q1/release", 303}, {"GET", "/quarantine/q1/delete", 303},
		{"POST", "/quarantine/q1/release", 303}, {"POST", "/quarantine/q1/delete", 303}, {"POST", "/logout", 303},
		{"GET", "/api/v1/messages", 401}, {"GET", "/api/v1/messages/r1", 401}, {"GET", "/api/v1/quarantine", 401},
		{"GET", "/api/v1/quarantine/q1", 401}, {"POST", "/api/v1/quarantine/q1/release", 401}, {"POST", "/api/v1/quarantine/q1/delete", 401},
		{"GET", "/api/v1/nothing", 401}, {"DELETE", "/api/v1/quarantine/q1", 401},
		{"GET", "/login", 200}, {"GET", "/healthz", 200}, {"GET", "/assets/console.css", 200}, {"GET", "/assets/htmx.min.js", 200},
		{"GET", "/assets/none", 404}, {"GET", "/assets/..%2fconsole.go", 404},
	} {
		res, body := d.do(d.request(test.method, test.path, nil))
		want(t, test.method+" "+test.path, res, test.want)
		if strings.Contains(body, "Your invoice") || strings.Contains(body, "secret") {
			t.Errorf("%s %s shows mail", test.method, test.path)
		}
	}
	if len(d.q.done) > 0 {
		t.Errorf("done without a login: %v", d.q.done)
	}
}

// TestHeaders: every kind of response carries the browser's orders.
func TestHeaders(t *testing.T) {
	d := signedInDesk(t, nil)
	for _, path := range []string{"/messages", "/login", "/nowhere", "/api/v1/messages", "/healthz", "/assets/console.css"} {
		res, _ := d.get(path)
		for name, part := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := res.Header.Get(name); !strings.Contains(got, part) {
				t.Errorf("%s: %s is %q, want %q in it", path, name, got, part)
			}
		}
		if got := res.Header.Get("Cache-Control"); got != "no-store" && !strings.HasPrefix(path, "/assets/") {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
}

// TestNoInlineCode: the policy forbids inline style and script, so a page that
// needs either is broken.
func TestNoInlineCode(t *testing.T) {
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<]|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-trigger="[^"]*\[[^"]*[=!]`)
	for _, n := range names {
		b, err := templateFiles.ReadFile("templates/" + n.Name())
		if err != nil {
			t.Fatal(err)
		}
		if m := inline.Find(b); m != nil {
			t.Errorf("%s has %q", n.Name(), m)
		}
	}
}

func TestHostHeader(t *testing.T) {
	d := signedInDesk(t, nil)
	for host, status := range map[string]int{"console.example": 200, "evil.example": 421} {
		req := d.request("GET", "/login", nil)
		req.Host = host
		d.browser.Jar, _ = cookiejar.New(nil)
		res, _ := d.do(req)
		want(t, host, res, status)
	}
}

func TestForgedPosts(t *testing.T) {
	d := signedInDesk(t, nil)
	d.q.put(t, storetest.Quarantined("q1", d.clock), "Subject: x\r\n\r\nx\r\n")
	_, page := d.get("/quarantine/q1/release")
	token := tokenField.FindStringSubmatch(page)[1]
	other := signedInDesk(t, nil)
	_, page = other.get("/messages")
	foreign := tokenField.FindStringSubmatch(page)[1]
	for _, test := range []struct {
		name, token string
		header      [2]string
		want        int
	}{
		{"no token", "", [2]string{}, 403},
		{"another session's token", foreign, [2]string{}, 403},
		{"a cut token", token[:20], [2]string{}, 403},
		{"from another site", token, [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from a sibling site", token, [2]string{"Sec-Fetch-Site", "same-site"}, 403},
		{"old browser, other origin", token, [2]string{"Origin", "http://evil.example"}, 403},
		{"our own page", token, [2]string{"Sec-Fetch-Site", "same-origin"}, 303},
	} {
		req := d.request("POST", "/quarantine/q1/release", strings.NewReader(url.Values{"csrf": {test.token}}.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if test.header[0] != "" {
			req.Header.Set(test.header[0], test.header[1])
		}
		before := len(d.q.done)
		res, _ := d.do(req)
		want(t, test.name, res, test.want)
		if did := len(d.q.done) > before; did != (test.want == 303) {
			t.Errorf("%s: acted %v", test.name, did)
		}
	}
	// The token in the address doesn't count.
	req := d.request("POST", "/quarantine/q1/delete?csrf="+url.QueryEscape(token), nil)
	res, _ := d.do(req)
	want(t, "token in the query", res, 403)
	// Nor is an endless body read.
	req = d.request("POST", "/quarantine/q1/delete", strings.NewReader("csrf="+strings.Repeat("x", 1<<20)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, _ = d.do(req)
	want(t, "a large body", res, 403)
}

// TestNoGETChanges asks for every page by GET and HEAD: nothing happens.
func TestNoGETChanges(t *testing.T) {
	d := signedInDesk(t, nil)
	d.add(storetest.Record("r1", d.clock))
	d.q.put(t, storetest.Quarantined("q1", d.clock), "Subject: x\r\n\r\nx\r\n")
	_, page := d.get("/messages")
	token := url.QueryEscape(tokenField.FindStringSubmatch(page)[1])
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/logout", "/messages/r1", "/quarantine/q1", "/quarantine/q1/release", "/quarantine/q1/delete",
			"/api/v1/quarantine/q1/release", "/api/v1/quarantine/q1/delete", "/setup/x", "/login"} {
			d.do(d.request(method, path+"?csrf="+token, nil))
		}
	}
	if len(d.q.done) > 0 || d.q.items["q1"] == nil {
		t.Errorf("done by GET: %v", d.q.done)
	}
	res, _ := d.get("/messages")
	want(t, "still logged in", res, 200)
}

// TestHostileText puts hostile strings everywhere a sender can, and looks for
// them alive on every page.
func TestHostileText(t *testing.T) {
	d := signedInDesk(t, nil)
	attacks := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `{{.CSRF}}`, "</pre></svg><script>x</script>",
		"\x1b[31mred\x00\x07", "rtl \u202e gnp.exe \u2066 \u200b hidden", "bad \xff\xfe utf-8", strings.Repeat("A", 20_000),
	}
	for i, a := range attacks {
		id := fmt.Sprintf("id%d", i)
		r := storetest.Record(id, d.clock)
		r.Subject, r.MessageID, r.Envelope.From, r.Conn.Hello.Name, r.Conn.Auth, r.Conn.ID, r.Tenant = a, a, a, a, a, a, a
		r.Conn.TLS.ServerName, r.Conn.TLS.Cipher = a, a
		r.Envelope.Rcpts[0].Address, r.Envelope.Params[0] = a, sluice.Param{Key: a, Value: a}
		r.Verdict.Ledger[0].Detail, r.Verdict.Ledger[2].Detail, r.Verdict.Ledger[3].Detail = a, a, a
		r.Verdict.Ledger[0].Reason, r.Verdict.Hard = sluice.Reason(a), sluice.Reason(a)
		r.Decisions[0].Recipient, r.Decisions[0].Why = a, sluice.Reason(a)
		r.Files[0].Name, r.Files[0].Type, r.Files[0].Class, r.Files[1].In, r.Files[1].Content = a, a, a+", "+a, a, a
		r.Outcomes[0].Recipient, r.Outcomes[0].Err, r.Outcomes[0].Reply.Text, r.Reply.Text = a, errors.New(a), a, a
		d.add(r)
		q := storetest.Quarantined(id, d.clock)
		q.Subject, q.Envelope, q.Verdict, q.Released = a, r.Envelope, r.Verdict, time.Time{}
		d.q.put(t, q, "Subject: "+a+"\r\nX-"+a+": "+a+"\r\nContent-Type: text/html\r\n\r\n<p>"+a+"</p><a href=\""+a+"\">"+a+"</a>"+
			"<form action=//evil.example><input name=password></form><iframe src=//evil.example></iframe>\r\n")
		alive := regexp.MustCompile(`(?i)<script>|<img src=x|<iframe|<form action=/?/?evil|onmouseover='|\{\{|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\x{202e}|\x{2066}|\x{200b}`)
		for _, path := range []string{"/messages", "/messages/" + id, "/quarantine", "/quarantine/" + id, "/quarantine/" + id + "/release",
			"/messages?q=" + url.QueryEscape(a), "/messages?tenant=" + url.QueryEscape(a), "/messages?action=" + url.QueryEscape(a),
			"/messages/" + url.PathEscape(a), "/quarantine/" + url.PathEscape(a), "/login?next=" + url.QueryEscape(a)} {
			res, body := d.get(path)
			if res.StatusCode >= 500 {
				t.Errorf("%s: %s", path, res.Status)
			}
			// The search field gives the reader's own text back, quoted by the template.
			body = strings.ReplaceAll(body, "{{.CSRF}}", "")
			if m := alive.FindString(body); m != "" && !(strings.Contains(path, "?q=") && !strings.HasPrefix(m, "<")) {
				t.Errorf("%.60q: %.40q is alive with %q", path, a, m)
			}
			if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") && res.StatusCode == 200 {
				t.Errorf("%.60q: type %q", path, res.Header.Get("Content-Type"))
			}
			if len(body) > 400_000 {
				t.Errorf("%.60q: a page of %d octets", path, len(body))
			}
		}
	}
}

func TestMessagesPaging(t *testing.T) {
	d := signedInDesk(t, nil)
	for i := range 120 {
		r := storetest.Record(fmt.Sprintf("m%03d", i), d.clock.Add(-time.Duration(i)*time.Second))
		r.Subject = fmt.Sprintf("Subject %03d", i)
		r.Decisions = []sluice.Decision{{Recipient: "bob@example.com", Action: sluice.Accept}}
		if i%4 == 0 {
			r.Decisions[0].Action = sluice.Reject
		}
		d.add(r)
	}
	subjects := regexp.MustCompile(`Subject (\d+)</a>`)
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	for _, test := range []struct {
		path      string
		rows      int
		pages     int
		lastOfAll string
	}{
		{"/messages", 120, 3, "119"},
		{"/messages?action=reject", 30, 1, "116"},
		{"/messages?action=reject&limit=10", 30, 4, "116"}, // the last page is empty: 30 is a multiple of 10
		{"/messages?q=SUBJECT+00", 10, 1, "009"},
		{"/messages?q=nothing", 0, 1, ""},
		{"/messages?threat=phish&q=01", 12, 1, "101"},
	} {
		rows, pages, last := 0, 0, ""
		for path := test.path; path != ""; pages++ {
			res, body := d.get(path)
			want(t, path, res, 200)
			for _, m := range subjects.FindAllStringSubmatch(body, -1) {
				if m[1] <= last {
					t.Fatalf("%s: %s after %s", path, m[1], last)
				}
				rows, last = rows+1, m[1]
			}
			path = ""
			if m := next.FindStringSubmatch(body); m != nil {
				path = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		if rows != test.rows || pages != test.pages || last != test.lastOfAll {
			t.Errorf("%s: %d rows on %d pages, last %q; want %d on %d, last %q", test.path, rows, pages, last, test.rows, test.pages, test.lastOfAll)
		}
	}
	_, body := d.get("/messages")
	for _, w := range []string{`<b>120</b><span>in 24 hours`, `<b>90</b><span>accepted`, `<b>30</b><span>rejected`} {
		if !strings.Contains(body, w) {
			t.Errorf("the strip lacks %q", w)
		}
	}
	if strings.Contains(body, "dropped") {
		t.Error("speaks of lost rows where none are")
	}
	res, _ := d.get("/messages?before=gone")
	want(t, "a page whose start was swept", res, 303)
	res, _ = d.get("/messages?action=nonsense")
	want(t, "an unknown action", res, 400)
}

func TestMessagePage(t *testing.T) {
	d := signedInDesk(t, func(c *Config) { c.Marks = []Mark{{Name: "quarantine", Points: 12.8}} })
	d.add(storetest.Record("r1", d.clock))
	res, body := d.get("/messages/r1")
	want(t, "message", res, 200)
	body = html.UnescapeString(body)
	for _, w := range []string{"Your invoice", "sender@example.org", "bob@example.com", "eve@example.com", "+20.2", "−2.9", "+17.3", "98.2 %",
		"EICAR", "LINK_TEXT_MISMATCH", "https://a.example → b.example", "could not tell", "timeout", "550 5.7.1 Looks like phishing",
		"next hop: gone", "[2001:db8::7]:4711", "mail.example", "TLS1.3", "quarantine</text>", "sluice explain r1"} {
		if !strings.Contains(body, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if strings.Contains(body, "don't add up") {
		t.Error("the page says that the lines don't add up")
	}
	// What decided stands above the sum.
	if strings.Index(body, "Hard stop") > strings.Index(body, `class="ledger`) {
		t.Error("the hard stop stands below the ledger")
	}
	res, _ = d.get("/messages/none")
	want(t, "unknown message", res, 404)
}

func TestQuarantineReleaseAndDelete(t *testing.T) {
	d := signedInDesk(t, nil)
	held := storetest.Quarantined("q1", d.clock)
	held.Released = time.Time{}
	d.q.put(t, held, "From: a@b\r\nSubject: hello\r\nContent-Type: text/html\r\n\r\n<p>Dear <b>Bob</b></p><a href=\"http://evil.example/x\">bank</a>\r\n")
	d.q.put(t, storetest.Quarantined("q2", d.clock.Add(1)), "Subject: two\r\n\r\ntext\r\n")
	_, body := d.get("/quarantine")
	for _, w := range []string{"/quarantine/q1/release", "/quarantine/q1/delete", "released"} {
		if !strings.Contains(body, w) {
			t.Errorf("the list lacks %q", w)
		}
	}
	if strings.Contains(body, "/quarantine/q2/release") {
		t.Error("offers to release what was released")
	}
	_, body = d.get("/quarantine/q1")
	for _, w := range []string{"Dear Bob", "Subject", "hello", "http://evil.example/x", "&lt;p&gt;Dear &lt;b&gt;"} {
		if !strings.Contains(body, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	if strings.Contains(body, `href="http://evil`) {
		t.Error("a link of the message works")
	}
	_, body = d.get("/quarantine/q1/release")
	if !strings.Contains(body, `<form method="post" action="/quarantine/q1/release">`) {
		t.Error("the question has no form")
	}
	res, _ := d.post("/quarantine/q1/release", "/quarantine/q1/release", url.Values{})
	want(t, "release", res, 303)
	_, body = d.get(res.Header.Get("Location"))
	if !strings.Contains(body, "The message was released.") {
		t.Error("no word of the release")
	}
	res, _ = d.post("/quarantine/q1/delete", "/quarantine/q1/delete", url.Values{})
	want(t, "delete", res, 303)
	_, body = d.get(res.Header.Get("Location"))
	if !strings.Contains(body, "deleted for good") || strings.Contains(body, "/quarantine/q1") {
		t.Error("no word of the deletion, or the row is still there")
	}
	if got := strings.Join(d.q.done, ", "); got != "release q1 by anna, delete q1 by anna" {
		t.Errorf("done: %s", got)
	}
	res, _ = d.post("/quarantine", "/quarantine/q1/delete", url.Values{})
	want(t, "delete again", res, 404)
	res, _ = d.post("/quarantine", "/quarantine/q2/explode", url.Values{})
	want(t, "an unknown action", res, 404)
	d.q.err = errors.New("outbox: the disk is full")
	res, body = d.post("/quarantine", "/quarantine/q2/release", url.Values{})
	want(t, "a failing release", res, 409)
	if !strings.Contains(body, "the disk is full") {
		t.Error("the admin isn't told why")
	}
	for _, w := range []string{`"console: release" id=q1 by=anna`, `"console: delete" id=q1 by=anna`} {
		if !strings.Contains(d.log.String(), w) {
			t.Errorf("the log lacks %s:\n%s", w, d.log.String())
		}
	}
}

// FuzzQuarantined: whatever a held message is made of, its page is built, is
// bounded, and nothing in it lives.
func FuzzQuarantined(f *testing.F) {
	f.Add([]byte("From: a@b\r\nSubject: hello\r\nContent-Type: text/html\r\n\r\n<p>Dear <b>Bob</b></p><a href=\"http://evil.example/x\">bank</a>\r\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; name=\"<script>\"\n\n\x00\x1b[31m\u202e\n--b--"))
	f.Add([]byte(":\n\n"))
	c, err := New(Config{Store: memory.New()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := quarantinedPage{layout: layout{Account: "x"}, Q: &sluice.Quarantined{ID: "q", Size: int64(len(raw))}}
		p.read(raw)
		w := httptest.NewRecorder()
		c.render(w, 200, "quarantined", &p)
		if w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
		body := w.Body.String()
		body = strings.ReplaceAll(body, `<script src="/assets/htmx.min.js" defer></script>`, "")
		if m := regexp.MustCompile(`(?i)<script|<iframe|<img src="?[^/"]|[\x00-\x08\x0b-\x1f\x7f]|\x{202e}`).FindString(body); m != "" {
			t.Errorf("alive: %q", m)
		}
		if len(body) > 20*len(raw)+20_000 {
			t.Errorf("%d octets of mail make a page of %d", len(raw), len(body))
		}
	})
}

// TestManyAtOnce is for the race detector: logins, lists and acts side by side.
func TestManyAtOnce(t *testing.T) {
	d := signedInDesk(t, nil)
	for i := range 8 {
		d.q.put(t, storetest.Quarantined(fmt.Sprintf("q%d", i), d.clock), "Subject: x\r\n\r\nx\r\n")
	}
	_, page := d.get("/messages")
	token := tokenField.FindStringSubmatch(page)[1]
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			d.store.Append(storetest.Record(fmt.Sprint(i), d.clock))
			for _, path := range []string{"/messages", "/quarantine", fmt.Sprintf("/quarantine/q%d", i), "/metrics", "/healthz", "/api/v1/messages"} {
				res, err := d.browser.Get(d.server.URL + path)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				if path == "/metrics" && res.StatusCode == http.StatusServiceUnavailable {
					continue // four scrapes at a time are enough
				}
				want(t, path, res, 200)
			}
			res, err := d.browser.PostForm(d.server.URL+fmt.Sprintf("/quarantine/q%d/delete", i), url.Values{"csrf": {token}})
			if err != nil {
				t.Error(err)
				return
			}
			_ = res.Body.Close()
			want(t, "delete", res, 303)
		})
	}
	wg.Wait()
	if len(d.q.done) != 8 {
		t.Errorf("done %v", d.q.done)
	}
}

func TestWithoutActions(t *testing.T) {
	d := signedInDesk(t, func(c *Config) { c.Release, c.Delete, c.Registry = nil, nil, nil })
	held := storetest.Quarantined("q1", d.clock)
	held.Released = time.Time{}
	d.q.put(t, held, "Subject: x\r\n\r\nx\r\n")
	_, body := d.get("/quarantine")
	if strings.Contains(body, "/release") || strings.Contains(body, "/delete") {
		t.Error("offers what it can't do")
	}
	res, _ := d.post("/quarantine", "/quarantine/q1/release", url.Values{})
	want(t, "release", res, 404)
	res, _ = d.get("/metrics")
	want(t, "metrics without a registry", res, 404)
}

func TestHealthAndMetrics(t *testing.T) {
	d := signedInDesk(t, nil)
	d.browser.Jar, _ = cookiejar.New(nil)
	res, body := d.get("/healthz")
	if res.StatusCode != 200 || body != "ok\n" {
		t.Errorf("healthz %s %q", res.Status, body)
	}
	d.health = errors.New("sqlite: /var/lib/x: the disk is full")
	res, body = d.get("/healthz")
	if res.StatusCode != 503 || !strings.Contains(body, "disk is full") {
		t.Errorf("healthz from loopback %s %q", res.Status, body)
	}
	res, body = d.get("/metrics")
	if res.StatusCode != 200 || !strings.Contains(body, `sluice_console_logins_total{result="ok"} 1`) {
		t.Errorf("metrics from loopback %s %.200q", res.Status, body)
	}

	// A proxy on this machine that we weren't told of opens nothing.
	req := d.request("GET", "/metrics", nil)
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	res, _ = d.do(req)
	want(t, "metrics through an unknown proxy", res, 401)

	stranger := func(path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Host, r.RemoteAddr = "console.example", "203.0.113.9:1234"
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		d.c.Handler().ServeHTTP(w, r)
		return w
	}
	if w := stranger("/healthz", ""); w.Code != 503 || strings.Contains(w.Body.String(), "sqlite") {
		t.Errorf("healthz tells a stranger %d %q", w.Code, w.Body)
	}
	if w := stranger("/metrics", ""); w.Code != 401 {
		t.Errorf("metrics to a stranger: %d", w.Code)
	}
	if w := stranger("/metrics", "wrong"); w.Code != 401 {
		t.Errorf("metrics for a wrong token: %d", w.Code)
	}
	if w := stranger("/metrics", apiToken); w.Code != 200 {
		t.Errorf("metrics for a token: %d", w.Code)
	}
}

func TestTroubleIsShown(t *testing.T) {
	d := signedInDesk(t, nil)
	d.health = errors.New("sqlite: the disk is <full>")
	_, body := d.get("/messages")
	if !strings.Contains(body, "sqlite: the disk is &lt;full&gt;") {
		t.Error("pages hide that the gateway isn't well")
	}
}

func TestAPI(t *testing.T) {
	d := signedInDesk(t, nil)
	d.browser.Jar, _ = cookiejar.New(nil)
	for i := range 3 {
		d.add(storetest.Record(fmt.Sprintf("r%d", i), d.clock.Add(time.Duration(i))))
	}
	d.q.put(t, storetest.Quarantined("q1", d.clock), "Subject: x\r\n\r\nx\r\n")
	call := func(method, path string, status int) map[string]any {
		t.Helper()
		req := d.request(method, path, nil)
		req.Header.Set("Authorization", "Bearer "+apiToken)
		res, body := d.do(req)
		want(t, method+" "+path, res, status)
		if got := res.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: type %q", path, got)
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatalf("%s: %v\n%s", path, err, body)
		}
		return v
	}
	page := call("GET", "/api/v1/messages?limit=2", 200)
	if got := len(page["messages"].([]any)); got != 2 || page["next"] != "r1" {
		t.Errorf("%d messages, next %v", got, page["next"])
	}
	page = call("GET", "/api/v1/messages?limit=2&before=r1", 200)
	if got := len(page["messages"].([]any)); got != 1 || page["next"] != "" {
		t.Errorf("%d messages, next %v", got, page["next"])
	}
	one := call("GET", "/api/v1/messages/r0", 200)
	evidence := one["evidence"].([]any)
	sum := 0.0
	for _, e := range evidence {
		sum += e.(map[string]any)["points"].(float64)
	}
	verdict := one["verdict"].(map[string]any)
	if len(evidence) != 4 || fmt.Sprintf("%.1f", sum) != "17.3" || verdict["points"].(float64) != 17.3 || verdict["hard"] != "EICAR" || verdict["threat"] != "phish" {
		t.Errorf("verdict %v, evidence %v", verdict, evidence)
	}
	call("GET", "/api/v1/messages/none", 404)
	call("GET", "/api/v1/messages?threat=x", 400)
	call("GET", "/api/v1/messages?limit=0", 400)
	call("GET", "/api/v1/messages?since=yesterday", 400)
	call("GET", "/api/v1/nothing", 404)
	if got := call("GET", "/api/v1/quarantine", 200); len(got["messages"].([]any)) != 1 {
		t.Errorf("quarantine %v", got)
	}
	call("GET", "/api/v1/quarantine/q1", 200)
	call("POST", "/api/v1/quarantine/q1/release", 200)
	call("POST", "/api/v1/quarantine/none/release", 404)
	call("POST", "/api/v1/quarantine/q1/explode", 404)
	call("POST", "/api/v1/quarantine/q1/delete", 200)
	call("GET", "/api/v1/quarantine/q1", 404)
	if got := strings.Join(d.q.done, ", "); got != "release q1 by monitoring, delete q1 by monitoring" {
		t.Errorf("done: %s", got)
	}
}

func TestAPIWithSession(t *testing.T) {
	d := signedInDesk(t, nil)
	d.q.put(t, storetest.Quarantined("q1", d.clock), "Subject: x\r\n\r\nx\r\n")
	res, _ := d.get("/api/v1/messages")
	want(t, "GET by session", res, 200)
	res, _ = d.do(d.request("POST", "/api/v1/quarantine/q1/delete", nil))
	want(t, "POST without the session's token", res, 403)
	_, page := d.get("/messages")
	req := d.request("POST", "/api/v1/quarantine/q1/delete", nil)
	req.Header.Set("X-CSRF-Token", tokenField.FindStringSubmatch(page)[1])
	res, _ = d.do(req)
	want(t, "POST with it", res, 200)
}

// failing is a store whose reads break.
type failing struct{ sluice.Store }

var errBroken = errors.New("sqlite: /secret/path: database disk image is malformed")

func (failing) Records(context.Context, sluice.Query) ([]*sluice.Record, error) {
	return nil, errBroken
}
func (failing) Record(context.Context, string) (*sluice.Record, error) { return nil, errBroken }
func (failing) Quarantined(context.Context, sluice.Query) ([]*sluice.Quarantined, error) {
	return nil, errBroken
}

func TestBrokenStore(t *testing.T) {
	d := signedInDesk(t, func(c *Config) { c.Store = failing{c.Store} })
	for _, path := range []string{"/messages", "/messages/x", "/quarantine", "/api/v1/messages", "/api/v1/messages/x", "/api/v1/quarantine"} {
		res, body := d.get(path)
		want(t, path, res, 500)
		if strings.Contains(body, "secret") {
			t.Errorf("%s shows a path", path)
		}
	}
	if !strings.Contains(d.log.String(), "malformed") {
		t.Error("the log doesn't say what is wrong")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no store":    {},
		"bad URL":     {Store: memory.New(), URL: "localhost:8025"},
		"short token": {Store: memory.New(), Tokens: map[string]string{"short": "x"}},
		"no name":     {Store: memory.New(), Tokens: map[string]string{strings.Repeat("x", 30): ""}},
	} {
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), "console: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
