package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := Limiter{Burst: 3, Every: 10 * time.Second, Size: 100}
	now := time.Unix(1000, 0)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range 3 {
		if _, ok := l.Allow(a, now); !ok {
			t.Fatalf("attempt %d refused", i)
		}
	}
	wait, ok := l.Allow(a, now)
	if ok || wait != 10*time.Second {
		t.Errorf("fourth: %v, wait %v; want refused for 10s", ok, wait)
	}
	if _, ok := l.Allow(b, now); !ok {
		t.Error("another client pays for the first")
	}
	if _, ok := l.Allow(a, now.Add(10*time.Second)); !ok {
		t.Error("refused after the wait")
	}
	if _, ok := l.Allow(a, now.Add(10*time.Second)); ok {
		t.Error("one more than the wait had earned")
	}
}

func TestLimiterIPv6ByNetwork(t *testing.T) {
	l := Limiter{Burst: 1, Every: time.Second, Size: 100}
	now := time.Unix(1000, 0)
	l.Allow(netip.MustParseAddr("2001:db8:1:2::1"), now)
	if _, ok := l.Allow(netip.MustParseAddr("2001:db8:1:2:ffff::9"), now); ok {
		t.Error("a neighbour in the /64 has a bucket of its own")
	}
	if _, ok := l.Allow(netip.MustParseAddr("2001:db8:1:3::1"), now); !ok {
		t.Error("another /64 refused")
	}
}

// TestLimiterBounded: an attacker with many addresses neither fills the memory
// nor pushes out those that are limited.
func TestLimiterBounded(t *testing.T) {
	l := Limiter{Burst: 2, Every: time.Minute, Size: 50}
	now := time.Unix(1000, 0)
	victim := netip.MustParseAddr("198.51.100.1")
	l.Allow(victim, now)
	l.Allow(victim, now)
	allowed := 0
	for i := range 5000 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if _, ok := l.Allow(a, now); ok {
			allowed++
		}
	}
	if len(l.rows) > 51 {
		t.Errorf("%d rows", len(l.rows))
	}
	if allowed > 60 {
		t.Errorf("%d of 5000 newcomers allowed at a full table", allowed)
	}
	if _, ok := l.Allow(victim, now); ok {
		t.Error("a flood freed the limited client")
	}
	// Later there is room again.
	if _, ok := l.Allow(netip.MustParseAddr("203.0.113.9"), now.Add(time.Hour)); !ok {
		t.Error("refused after everything ran out")
	}
}

func TestClient(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct{ remote, forwarded, want string }{
		{"203.0.113.5:1", "", "203.0.113.5"},
		{"203.0.113.5:1", "192.0.2.1", "203.0.113.5"}, // not a proxy: its word is nothing
		{"127.0.0.1:1", "192.0.2.1", "192.0.2.1"},
		{"127.0.0.1:1", "192.0.2.66, 192.0.2.1, 10.0.0.3", "192.0.2.1"}, // what the client claims stays unread
		{"127.0.0.1:1", "evil, 10.0.0.3", "10.0.0.3"},
		{"127.0.0.1:1", "", "127.0.0.1"},
		{"[::ffff:203.0.113.5]:1", "", "203.0.113.5"},
		{"127.0.0.1:1", strings.Repeat("10.0.0.3,", 5000) + "10.0.0.3", "10.0.0.3"},
		{"nonsense", "", "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.remote
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := Client(r, proxies).String(); got != test.want {
			t.Errorf("%s behind %.40q: %s, want %s", test.remote, test.forwarded, got, test.want)
		}
	}
}

// FuzzClient: X-Forwarded-For is the client's own text as far as it likes.
func FuzzClient(f *testing.F) {
	f.Add("127.0.0.1:1", "192.0.2.1, 10.0.0.1")
	f.Add("[::1]:1", ",,,")
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		r.Header["X-Forwarded-For"] = []string{forwarded}
		got := Client(r, proxies)
		if ap, err := netip.ParseAddrPort(remote); err == nil && !Within(ap.Addr().Unmap(), proxies) && got != ap.Addr().Unmap() {
			t.Errorf("%q with %q: %v, but the peer is no proxy", remote, forwarded, got)
		}
	})
}

func TestHosts(t *testing.T) {
	h := Hosts([]string{"console.example:8025", "Mail.Example"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	for host, want := range map[string]int{
		"console.example": 200, "console.example:99": 200, "CONSOLE.example.": 200, "mail.example": 200,
		"127.0.0.1:8025": 200, "[::1]:8025": 200, "192.0.2.7": 200, "localhost:8025": 200, "x.localhost": 200,
		"evil.example": 421, "evil.example:8025": 421, "127.0.0.1.evil.example": 421, "": 421, "localhost.evil.example": 421,
		"console.example.evil.example": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestRecover(t *testing.T) {
	var log strings.Builder
	h := Recover(slog.New(slog.NewTextHandler(&log, nil)), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "boom") || !strings.Contains(log.String(), "boom") {
		t.Errorf("%d %q, log %q", w.Code, w.Body, log.String())
	}
}

// TestServerCutsSlowClients: a client that never finishes its header is dropped
// by the server's own deadlines; here only their presence is checked.
func TestServerCutsSlowClients(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("a deadline or bound is missing: %+v", s)
	}
}
