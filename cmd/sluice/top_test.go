package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/live"
	"sluice/reason"
)

// serveBoard puts a board on the control socket of a data folder.
func serveBoard(t *testing.T, b *live.Board) (data string, stop func()) {
	t.Helper()
	data = t.TempDir()
	ln, err := live.Listen(filepath.Join(data, live.Socket))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- live.Serve(ctx, ln, func() live.Snapshot { return b.Snapshot(time.Now()) }, nil) }()
	stop = func() {
		cancel()
		if err, ok := <-done; ok && err != nil {
			t.Error(err)
		}
		close(done)
	}
	return data, stop
}

func TestTop(t *testing.T) {
	now := time.Now()
	b := live.New(now.Add(-time.Minute), live.Config{})
	b.Turned(now, netip.MustParseAddr("192.0.2.1"), reason.ClientBanned, 554)
	v := b.Opened(now, netip.MustParseAddr("198.51.100.1"))
	v.Phase(sluice.PhaseRcpt)
	data, stop := serveBoard(t, b)
	top := func(want int, args ...string) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"top", "--data", data}, args...), strings.NewReader(""), &out, &errs); code != want {
			t.Fatalf("%v: status %d, %s", args, code, &errs)
		}
		return out.String(), errs.String()
	}
	out, _ := top(0, "--once")
	for _, s := range []string{"1 connected", "rcpt 1", "CLIENT_BANNED  your host attacked this server la", "192.0.2.0/24"} {
		if !strings.Contains(out, s) {
			t.Errorf("%q is missing in\n%s", s, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("colours without a terminal")
	}
	out, _ = top(0, "--once", "--json")
	var s live.Snapshot
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Total.Connections != 2 || len(s.Minutes.Connections) != 60 {
		t.Errorf("%v, %+v", err, s.Total)
	}
	if _, errs := top(1); !strings.Contains(errs, "top: there is no terminal: use --once for one picture, or --json") {
		t.Errorf("without a terminal: %s", errs)
	}
	stop()
	if _, errs := top(1, "--once"); !strings.Contains(errs, "no gateway runs with this data folder") {
		t.Errorf("without a gateway: %s", errs)
	}
	if err := os.WriteFile(filepath.Join(data, live.Socket), nil, 0o600); err != nil { // a file that was left
		t.Fatal(err)
	}
	if _, errs := top(1, "--once"); !strings.Contains(errs, "no gateway runs") {
		t.Errorf("with a file in its place: %s", errs)
	}
	if _, errs := top(1, "--once", "--url", "console.example"); !strings.Contains(errs, "is no address like") {
		t.Errorf("with a bad address: %s", errs)
	}
}

// TestTopStream: an object a second, until it is told to stop.
func TestTopStream(t *testing.T) {
	data, stop := serveBoard(t, live.New(time.Now(), live.Config{}))
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	out := &lines{want: 2, enough: cancel}
	if code := run(ctx, []string{"top", "--json", "--data", data}, strings.NewReader(""), out, os.Stderr); code != 0 {
		t.Errorf("status %d", code)
	}
	if out.n != 2 {
		t.Errorf("%d objects, want 2", out.n)
	}
}

// lines counts lines and says when there are enough.
type lines struct {
	n, want int
	enough  func()
}

func (l *lines) Write(p []byte) (int, error) {
	if l.n += bytes.Count(p, []byte("\n")); l.n >= l.want {
		l.enough()
	}
	return len(p), nil
}
