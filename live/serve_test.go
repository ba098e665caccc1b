package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"sluice"
	"sluice/reason"
)

// served puts a snapshot on a socket.
func served(t *testing.T, snapshot func() Snapshot) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), Socket)
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, snapshot, nil) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return path, stop
}

// TestOverTheSocket: what arrives is what was sent.
func TestOverTheSocket(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	b := New(noon, Config{Words: func(sluice.Dialect) string { return "words" }, Bad: func(time.Time, string) (float64, bool) { return 0.25, true },
		Bans: func(time.Time) []netip.Prefix {
			return []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.3/32"), netip.MustParsePrefix("198.51.100.4/32")}
		}})
	b.Turned(noon, netip.MustParseAddr("192.0.2.1"), reason.ClientBanned, 554)
	v := b.Opened(noon, netip.MustParseAddr("198.51.100.1"))
	v.Judged(noon, sluice.QuarantineIt, sluice.ThreatPhish)
	v.Dialect(noon, "d1d.0", sluice.Dialect{Marks: 1})
	want := b.Snapshot(noon.Add(time.Second))
	if len(want.Networks) != 2 || !want.Networks[0].Banned || want.Networks[1].Bans != 2 || want.Networks[1].Banned {
		t.Errorf("bans: %+v", want.Networks)
	}
	path, stop := served(t, func() Snapshot { return b.Snapshot(noon.Add(time.Second)) })
	c := OnSocket(path)
	got, err := c.Snapshot(t.Context(), 90)
	if err != nil {
		t.Fatal(err)
	}
	want.Minutes = want.Minutes.Last(90)
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Error(d)
	}
	c.Close()
	stop()
	if _, err := c.Snapshot(t.Context(), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a server: %v", err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	path, _ := served(t, func() Snapshot { return Snapshot{} })
	fi, err := os.Stat(path)
	if err != nil || fi.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	// A socket that a killed process left is replaced; anything else is not.
	if ln, err := Listen(path); err != nil {
		t.Error(err)
	} else {
		ln.Close()
	}
	file := filepath.Join(t.TempDir(), Socket)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file); err == nil {
		t.Error("a file was taken for an old socket")
	}
	if _, err := Listen(filepath.Join(t.TempDir(), strings.Repeat("x", 120))); err == nil || !strings.Contains(err.Error(), "shorter data folder") {
		t.Errorf("long path: %v", err)
	}
}

// TestReadOnly: nothing but GET /live is answered, and nothing large is read.
func TestReadOnly(t *testing.T) {
	path, _ := served(t, func() Snapshot { return Snapshot{} })
	for request, want := range map[string]string{
		"POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n":          "405",
		"GET /other HTTP/1.1\r\nHost: x\r\n\r\n":                               "404",
		"GET /live?minutes=-1 HTTP/1.1\r\nHost: x\r\n\r\n":                     "400",
		"GET /live?minutes=x HTTP/1.1\r\nHost: x\r\n\r\n":                      "400",
		"GET /live?minutes=5 HTTP/1.1\r\nHost: x\r\n\r\n":                      "200",
		"GET /live HTTP/1.1\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n": "431",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { _, _ = conn.Write([]byte(request)) }() // of the large one, the rest isn't read
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, " "+want+" ") {
			t.Errorf("%.40q: %q, %v; want %s", request, line, err, want)
		}
		conn.Close()
	}
}

// TestSilentClientsAreCut: those who hold every place and say nothing lose it.
func TestSilentClientsAreCut(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a deadline of two seconds")
	}
	path, _ := served(t, func() Snapshot { return Snapshot{} })
	for range maxReaders {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	c := OnSocket(path)
	defer c.Close()
	if _, err := c.Snapshot(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func TestOnConsole(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a-token" || r.URL.String() != "/sub/api/v1/live?minutes=7" {
			t.Errorf("%s with %q", r.URL, r.Header.Get("Authorization"))
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "http://evil.example/")
		}
		w.WriteHeader(status)
		if status == http.StatusOK {
			_ = json.NewEncoder(w).Encode(Snapshot{Total: Sums{Refused: 3}})
		}
	}))
	defer srv.Close()
	c, err := OnConsole(srv.URL+"/sub/", "a-token")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s, err := c.Snapshot(t.Context(), 7); err != nil || s.Total.Refused != 3 {
		t.Errorf("%+v, %v", s.Total, err)
	}
	status = http.StatusUnauthorized
	if _, err := c.Snapshot(t.Context(), 7); !errors.Is(err, ErrRefused) {
		t.Errorf("401: %v", err)
	}
	status = http.StatusFound
	if _, err := c.Snapshot(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirect: %v", err)
	}
	for _, bad := range []string{"", "console.example", "ftp://console.example", "http://", "http://a b"} {
		if _, err := OnConsole(bad, ""); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}
