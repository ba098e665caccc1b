package dictionary

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func ask(t *testing.T, h http.Handler, method, text string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/reply", strings.NewReader(url.Values{"reply": {text}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func handler(t *testing.T) http.Handler {
	t.Helper()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	h, err := New(Config{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPage(t *testing.T) {
	h := handler(t)
	for _, c := range []struct {
		method, text string
		code         int
		has, hasNot  string
	}{
		{http.MethodGet, "", 200, "Paste what a mail server answered", "What to do"},
		{http.MethodPost, "550 5.1.1 user unknown", 200, "there is no such mailbox", "placeholder=\"\""},
		{http.MethodPost, "  ", 200, "Paste what", "What to do"},
		{http.MethodPost, "552 4.2.2 mailbox full", 200, "contradicts itself", "tries again by itself"},
		{http.MethodPost, "550 <script>alert(1)</script> \x1b[31m spam", 200, "&lt;script&gt;", "<script>"},
		{http.MethodPost, "421 4.7.0 [TSS04] temporarily deferred", 200, `<a href="https://senders.yahooinc.com/smtp-error-codes/"`, "\x1b"},
		{http.MethodPost, strings.Repeat("é", maxForm), 413, "more than a reply", "<html"},
		{http.MethodDelete, "", 405, "method not allowed", "<html"},
	} {
		w := ask(t, h, c.method, c.text)
		body := w.Body.String()
		if w.Code != c.code || !strings.Contains(body, c.has) || strings.Contains(body, c.hasNot) {
			t.Errorf("%s %.40q: %d\n%s", c.method, c.text, w.Code, body)
		}
		if w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s %.40q: no policy", c.method, c.text)
		}
	}
}

func TestLimit(t *testing.T) {
	h := handler(t)
	for range 30 {
		if w := ask(t, h, http.MethodPost, "550 no"); w.Code != 200 {
			t.Fatalf("%d", w.Code)
		}
	}
	if w := ask(t, h, http.MethodPost, "550 no"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
}
