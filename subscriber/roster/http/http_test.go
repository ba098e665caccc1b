package http_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/subscriber"
	service "sluice/subscriber/roster/http"
)

func TestAsk(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := ""
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch a := r.URL.Query().Get("account"); a {
		case "bob":
			fmt.Fprint(w, `{"account":"bob","class":"business","contacts":[{"channel":"sms","address":"+491"}]}`)
		case "away":
			w.WriteHeader(http.StatusBadGateway)
		case "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "long":
			fmt.Fprintf(w, `{"account":"bob","name":"%s"}`, strings.Repeat("x", 1<<20))
		case "odd":
			fmt.Fprint(w, `{"account":"bob","clas":"bulk"}`)
		case "page":
			w.Header().Set("Content-Type", "text/html")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer web.Close()
	s, err := service.New(service.Config{URL: web.URL + "/find?site=1", TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	trace := subscriber.Trace{Account: "bob", Client: netip.MustParseAddr("::ffff:192.0.2.1"), Time: time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)}
	got, ok, err := s.Find(t.Context(), trace)
	if err != nil || !ok || got.Key != "account:bob" || got.Class != subscriber.Business || !got.Second() {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if want := "account=bob&client=192.0.2.1&site=1&time=2026-03-14T12%3A00%3A00Z"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if _, ok, err := s.Find(t.Context(), subscriber.Trace{Account: "nobody"}); ok || err != nil {
		t.Errorf("nobody: %v, %v", ok, err)
	}
	for _, a := range []string{"away", "moved", "long", "odd", "page"} {
		if _, ok, err := s.Find(t.Context(), subscriber.Trace{Account: a}); ok || err == nil || strings.Contains(err.Error(), "account=") {
			t.Errorf("%s: %v, %v", a, ok, err)
		}
	}
	for _, bad := range []string{"", "ftp://example.org", "http://example.org/", "https://u:p@example.org/"} {
		if _, err := service.New(service.Config{URL: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
