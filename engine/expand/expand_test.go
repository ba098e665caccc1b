package expand

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/message/links"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shortener is a server on loopback that is known under any name.
type shortener struct {
	*httptest.Server
	port string

	mu   sync.Mutex
	seen []*http.Request
}

func serve(t *testing.T, h http.HandlerFunc, secure bool) *shortener {
	s := &shortener{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r)
		s.mu.Unlock()
		h(w, r)
	})
	s.Server = httptest.NewUnstartedServer(handler)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.port = u.Port()
	return s
}

func (s *shortener) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

var loopback = []netip.Addr{netip.MustParseAddr("127.0.0.1")}

// config lets a client reach the server, under names that end in short.example.
func (s *shortener) config() Config {
	return Config{
		Follow:  func(l *links.Link) bool { return strings.HasSuffix(l.Host, "short.example") },
		Allowed: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() },
		Lookup:  func(context.Context, string) ([]netip.Addr, error) { return loopback, nil },
		Timeout: 5 * time.Second, Total: 10 * time.Second,
	}
}

func (s *shortener) at(path string) string { return "http://short.example:" + s.port + path }

func TestExpand(t *testing.T) {
	var s *shortener
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/a": "https://target.example/page", "/two": "/a", "/circle": "/circle2", "/circle2": "/circle", "/inside": "http://169.254.169.254/latest/meta-data",
			"/local": "http://printer.local/", "/number": "http://0x7f000001/", "/relative": "//other.example/x", "/script": "javascript:x()", "/user": "http://a:b@short.example:" + s.port + "/a",
			"/long": "https://target.example/" + strings.Repeat("x", 3000),
		}[r.URL.Path]
		switch {
		case to != "":
			w.Header().Set("Location", to)
			w.Header().Set("Set-Cookie", "id=1")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/page" && r.Method == http.MethodHead:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.URL.Path == "/page":
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, `<html><head><meta http-equiv="Refresh" content="0; URL='https://target.example/p'">`, strings.Repeat("x", 1<<20))
		case strings.HasPrefix(r.URL.Path, "/n"):
			w.Header().Set("Location", r.URL.Path+"n")
			w.WriteHeader(http.StatusMovedPermanently)
		case r.URL.Path == "/ill":
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}, false)
	for path, want := range map[string]Way{
		"/a":        {URLs: []string{"https://target.example/page"}},
		"/two":      {URLs: []string{s.at("/a"), "https://target.example/page"}},
		"/missing":  {},
		"/page":     {URLs: []string{"https://target.example/p"}},
		"/circle":   {URLs: []string{s.at("/circle2")}, Why: "it leads in a circle"},
		"/inside":   {URLs: []string{"http://169.254.169.254/latest/meta-data"}, Inside: true},
		"/local":    {URLs: []string{"http://printer.local/"}, Inside: true},
		"/number":   {URLs: []string{"http://0x7f000001/"}, Inside: true},
		"/relative": {URLs: []string{"http://other.example/x"}},
		"/script":   {URLs: []string{"javascript:x()"}},
		"/user":     {URLs: []string{"http://a:b@short.example:" + s.port + "/a"}, Why: "it holds credentials"},
		"/long":     {Why: "it leads to an overlong address"},
		"/n":        {URLs: []string{s.at("/nn"), s.at("/nnn"), s.at("/nnnn"), s.at("/nnnnn"), s.at("/nnnnnn")}, Why: "it leads on after 5 hops"},
		"/ill":      {Why: "answer 502"},
	} {
		c := New(s.config())
		got, ok := c.Expand(t.Context(), s.at(path))
		want.URLs = append([]string{s.at(path)}, want.URLs...)
		if d := cmp.Diff(want, got); d != "" || !ok {
			t.Errorf("%s: %v %s", path, ok, d)
		}
	}
	for _, r := range s.requests() {
		if r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" || strings.Contains(r.UserAgent(), "luice") {
			t.Errorf("%s %s: %v", r.Method, r.URL, r.Header)
		}
	}
}

// A link that isn't a redirector's, or belongs to one person, is never asked.
func TestNotAsked(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, false)
	c := New(s.config())
	for _, u := range []string{
		"http://other.example:" + s.port + "/a", s.at("/unsubscribe"), s.at("/x?e=ann@example.net"), s.at("/x?e=ann%40example.net"), s.at("/0123456789abcdef0123"),
		"http://u:p@short.example:" + s.port + "/a", "ftp://short.example/a", "javascript:x", "", "http://", s.at("/" + strings.Repeat("a/", 2000)), s.at("/optout/1"), s.at("/confirm"),
	} {
		if w, ok := c.Expand(t.Context(), u); ok {
			t.Errorf("%q was asked: %+v", u, w)
		}
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// The address that the connection goes to is judged, whatever the name meant.
func TestInside(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {}, false)
	cfg := s.config()
	cfg.Allowed = nil
	calls := 0
	cfg.Lookup = func(context.Context, string) ([]netip.Addr, error) { // rebinding: each answer is another one
		calls++
		return loopback, nil
	}
	w, ok := New(cfg).Expand(t.Context(), s.at("/a"))
	if !ok || !w.Inside || w.Why == "" || len(s.requests()) != 0 || calls != 1 {
		t.Errorf("%+v, %d requests, %d look-ups", w, len(s.requests()), calls)
	}
	// One inner address among public ones is enough.
	cfg.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("8.8.8.8")}, nil
	}
	if w, _ := New(cfg).Expand(t.Context(), "http://short.example/a"); !w.Inside {
		t.Errorf("%+v", w)
	}
	cfg.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("secret words") }
	if w, _ := New(cfg).Expand(t.Context(), "http://short.example/a"); w.Why != "the name can't be looked up" {
		t.Errorf("%+v", w)
	}
	// The environment's proxy isn't used.
	t.Setenv("HTTP_PROXY", s.URL)
	if _, ok := New(cfg).Expand(t.Context(), "http://short.example/b"); !ok || len(s.requests()) != 0 {
		t.Error("by way of a proxy")
	}
}

func TestTLS(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://target.example/")
		w.WriteHeader(http.StatusFound)
	}, true)
	cfg := s.config()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	u := "https://short.example:" + s.port + "/a"
	if w, _ := New(cfg).Expand(t.Context(), u); w.Why != "its certificate isn't good" {
		t.Errorf("%+v", w)
	}
	cfg.TLS = &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	if w, _ := New(cfg).Expand(t.Context(), u); w.Target() != "https://target.example/" {
		t.Errorf("%+v", w)
	}
}

// A way is asked once, whoever waits for it, and remembered for a while.
func TestMemory(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.Header().Set("Location", "https://target.example/")
		w.WriteHeader(http.StatusFound)
	}, false)
	cfg := s.config()
	now := time.Unix(1e9, 0)
	cfg.Now = func() time.Time { return now }
	cfg.Rate = 2
	c := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w, ok := c.Expand(ctx, s.at("/a")); !ok || w.Why != "no answer in time" {
		t.Errorf("who doesn't wait gets %+v", w)
	}
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			if w, _ := c.Expand(t.Context(), s.at("/a")); w.Target() != "https://target.example/" {
				t.Errorf("%+v", w)
			}
		})
	}
	close(release)
	waiting.Wait()
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	now = now.Add(7 * time.Hour)
	c.Expand(t.Context(), s.at("/a"))
	if n := len(s.requests()); n != 2 {
		t.Errorf("%d requests after hours", n)
	}
	c.Expand(t.Context(), s.at("/b"))
	if w, _ := c.Expand(t.Context(), s.at("/c")); w.Why != "its host was asked too often" {
		t.Errorf("%+v", w)
	}
}

// A server that says nothing, or never ends, costs the time of one hop.
func TestSlow(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				for _, c := range conns {
					_ = c.Close()
				}
				return
			}
			conns = append(conns, conn)
		}
	}()
	s := &shortener{port: fmt.Sprint(l.Addr().(*net.TCPAddr).Port)}
	cfg := s.config()
	cfg.Timeout = 50 * time.Millisecond
	if w, _ := New(cfg).Expand(t.Context(), s.at("/a")); w.Why != "no answer in time" {
		t.Errorf("%+v", w)
	}
	_ = l.Close()
	<-done
}

func TestPublic(t *testing.T) {
	for a, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "2001:4860:4860::8888": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "0.0.0.0": false, "10.1.2.3": false, "172.31.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.100.100.200": false,
		"168.63.129.16": false, "192.0.0.192": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "::": false, "::1": false, "::ffff:127.0.0.1": false,
		"::127.0.0.1": false, "fd00:ec2::254": false, "fe80::1": false, "fe80::1%eth0": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false,
	} {
		if got := Public(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestPersonal(t *testing.T) {
	for path, want := range map[string]bool{
		"/3xYzAb": false, "/summer-sale-2026-for-everybody": false, "/a?utm_source=mail": false, "/x#ann@example.net": false,
		"/u/ann@example.net": true, "/x?e=ann%40example.net": true, "/Unsubscribe/1": true, "/3f2a9c81d04e5b6677889900": true, "/x?t=QWxhZGRpbjpvcGVuIHNlc2FtZQ": true,
	} {
		if got := Personal(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func FuzzRefresh(f *testing.F) {
	f.Add(`<meta http-equiv=refresh content="0;url=https://x.example/">`, "/a")
	f.Add(`<META CONTENT='1; URL=//x' HTTP-EQUIV='Refresh'/>`, "/unsub")
	f.Fuzz(func(t *testing.T, page, path string) {
		if to := refresh(strings.NewReader(page)); to != "" {
			if l := links.Parse(to); l.Scheme != "" && l.Scheme != "http" && l.Scheme != "https" {
				t.Errorf("%q", to)
			}
		}
		Personal(path)
	})
}
