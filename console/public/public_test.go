package public

import (
	"bytes"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/reason"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func good() Facts {
	return Facts{Ref: "7K3FQ2M9XW4T0021", Time: noon, Client: netip.MustParseAddr("203.0.113.77"), Hello: "mail.sender.example",
		Phase: sluice.PhaseMessage, Threat: sluice.ThreatMalware, Code: 554, Reasons: []sluice.Reason{reason.EICAR}}
}

type door struct {
	h   http.Handler
	log bytes.Buffer
	now time.Time
}

func open(t *testing.T, cfg Config) *door {
	t.Helper()
	d := &door{now: noon}
	cfg.Clock = func() time.Time { return d.now }
	cfg.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	if cfg.Open == nil {
		cfg.Open = func(token string) (Facts, error) {
			switch token {
			case "good":
				return good(), nil
			case "old":
				return Facts{}, ErrExpired
			case "broken":
				return Facts{}, errors.New("sealer: no keys in /secret")
			case "panic":
				panic("sealer gone")
			}
			return Facts{}, ErrInvalid
		}
	}
	var err error
	if d.h, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *door) get(path string) (int, string, http.Header) {
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String(), w.Header()
}

func TestWhy(t *testing.T) {
	d := open(t, Config{Node: "mx.acme.example", Postmaster: "postmaster@acme.example"})
	code, body, header := d.get("/why/good")
	if code != 200 {
		t.Fatalf("status %d", code)
	}
	e, _ := reason.Lookup(reason.EICAR)
	body = html.UnescapeString(body)
	for _, w := range []string{"Your message was not accepted", "Carries malware", "7K3FQ2M9XW4T0021", "203.0.113.77", "mail.sender.example",
		"14 Mar 2026 12:00:00 UTC", "after the message was read", e.Page, "mailto:postmaster@acme.example", "mx.acme.example", "EICAR"} {
		if !strings.Contains(body, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	for name, part := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'", "X-Robots-Tag": "noindex",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Content-Type": "text/html",
	} {
		if !strings.Contains(header.Get(name), part) {
			t.Errorf("%s: %q, want %q in it", name, header.Get(name), part)
		}
	}
	if strings.Contains(header.Get("Content-Security-Policy"), "script-src") || strings.Contains(body, "<script") {
		t.Error("the page has a script")
	}
}

func TestTemporary(t *testing.T) {
	f := good()
	f.Code, f.Threat, f.Reasons = 451, sluice.ThreatNone, []sluice.Reason{reason.BackendDeferred}
	d := open(t, Config{Open: func(string) (Facts, error) { return f, nil }})
	_, body, _ := d.get("/why/x")
	if !strings.Contains(body, "Your message has to wait") || strings.Contains(body, "not accepted") {
		t.Error("a temporary refusal reads like a final one")
	}
	f.Code = 0 // an opener that doesn't know it
	_, body, _ = d.get("/why/x")
	if !strings.Contains(body, "Your message has to wait") {
		t.Error("without a code, the reason's own isn't used")
	}
}

func TestBadReferences(t *testing.T) {
	d := open(t, Config{})
	for path, test := range map[string]struct {
		status int
		word   string
	}{
		"/why/wrong":                             {404, "without line breaks"},
		"/why/old":                               {410, "too old"},
		"/why/broken":                            {404, "without line breaks"},
		"/why/" + strings.Repeat("A", 600):       {404, "without line breaks"},
		"/why/%3Cscript%3Ealert(1)%3C/script%3E": {404, "no such page"},
		"/why/%3Cscript%3E":                      {404, "without line breaks"},
		"/why/":                                  {404, "no such page"},
		"/messages":                              {404, "no such page"},
		"/login":                                 {404, "no such page"},
		"/api/v1/messages":                       {404, "no such page"},
		"/metrics":                               {404, "no such page"},
		"/healthz":                               {404, "no such page"},
		"/":                                      {200, "A mail gateway stands here"},
		"/robots.txt":                            {200, "Disallow: /"},
		"/assets/public.css":                     {200, "color-scheme"},
		"/assets/none.css":                       {404, ""},
		"/assets/..%2fpublic.go":                 {404, ""},
		"/why/panic":                             {500, "our side"},
	} {
		code, body, header := d.get(path)
		if code != test.status || !strings.Contains(body, test.word) {
			t.Errorf("%.60s: %d, want %d and %q in\n%s", path, code, test.status, test.word, body)
		}
		if strings.Contains(body, "<script") || strings.Contains(body, "secret") {
			t.Errorf("%.60s shows %s", path, body)
		}
		if header.Get("X-Robots-Tag") == "" {
			t.Errorf("%.60s: no X-Robots-Tag", path)
		}
	}
	if !strings.Contains(d.log.String(), "no keys") {
		t.Error("an opener's own trouble isn't logged")
	}
}

// TestAddsNoSecrets: nothing but the catalogue's words and the token's facts is
// on the page of any reason.
func TestAddsNoSecrets(t *testing.T) {
	numbers := regexp.MustCompile(`[+−-]\d+\.\d`)
	for _, e := range reason.All() {
		f := good()
		f.Reasons, f.Code = []sluice.Reason{sluice.Reason(e.ID)}, e.Code
		d := open(t, Config{Open: func(string) (Facts, error) { return f, nil }})
		code, body, _ := d.get("/why/x")
		if code != 200 {
			t.Errorf("%s: %d", e.ID, code)
		}
		if m := numbers.FindString(body); m != "" {
			t.Errorf("%s: the page shows points: %s", e.ID, m)
		}
		if e.Admin != e.Page && e.Admin != e.Reply && len(e.Admin) > 20 && strings.Contains(html.UnescapeString(body), e.Admin) {
			t.Errorf("%s: the page shows the admin's line", e.ID)
		}
	}
}

func TestHostileFacts(t *testing.T) {
	for _, a := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\x1b[31m\x00", "rtl \u202e \u200b", "\xff\xfe", strings.Repeat("A", 10_000), "javascript:alert(1)"} {
		f := good()
		f.Hello, f.Ref, f.Reasons = a, a, []sluice.Reason{sluice.Reason(a), reason.EICAR}
		d := open(t, Config{Open: func(string) (Facts, error) { return f, nil }, Node: a})
		code, body, _ := d.get("/why/x")
		if code != 200 {
			t.Errorf("%.30q: %d", a, code)
		}
		if regexp.MustCompile(`(?i)<script|<img src=x|[\x00-\x08\x0b-\x1f\x7f]|\x{202e}|\x{200b}|href="javascript`).MatchString(body) {
			t.Errorf("%.30q is alive:\n%s", a, body)
		}
		if len(body) > 20_000 {
			t.Errorf("%.30q: a page of %d octets", a, len(body))
		}
	}
}

func TestOnlyGET(t *testing.T) {
	d := open(t, Config{})
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, httptest.NewRequest(method, "/why/good", strings.NewReader("x")))
		if w.Code == 200 {
			t.Errorf("%s is answered", method)
		}
	}
}

func TestRateLimit(t *testing.T) {
	d := open(t, Config{})
	for i := range 30 {
		if code, _, _ := d.get("/why/wrong"); code != 404 {
			t.Fatalf("request %d: %d", i, code)
		}
	}
	code, _, header := d.get("/why/good")
	if code != 429 || header.Get("Retry-After") == "" {
		t.Errorf("after 30 guesses: %d, Retry-After %q", code, header.Get("Retry-After"))
	}
	d.now = d.now.Add(3 * time.Second)
	if code, _, _ := d.get("/why/good"); code != 200 {
		t.Errorf("3 s later: %d", code)
	}
}

func TestHosts(t *testing.T) {
	d := open(t, Config{Hosts: []string{"mx.acme.example"}})
	for host, want := range map[string]int{"mx.acme.example": 200, "192.0.2.1": 200, "evil.example": 421} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", host, w.Code, want)
		}
	}
}

func TestNewNeedsOpener(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made without an opener")
	}
}
