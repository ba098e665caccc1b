package clamd

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/engine"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]reply{
		"stream: OK":                                  {},
		"stream: Win.Test.EICAR_HDB-1 FOUND":          {found: true, text: "Win.Test.EICAR_HDB-1"},
		"stream: Name(44d88612fea8a8f36de8:68) FOUND": {found: true, text: "Name"},
		"stream: Odd(name) FOUND":                     {found: true, text: "Odd(name)"},
		"stream: A\x1b[31m\r\nB FOUND":                {found: true, text: "A [31m  B"},
		"stream: OK FOUND":                            {found: true, text: "OK"},
		"INSTREAM size limit exceeded. ERROR":         {failed: true, tooLarge: true, text: "INSTREAM size limit exceeded"},
		"stream: Can't allocate memory ERROR":         {failed: true, text: "Can't allocate memory"},
		"UNKNOWN COMMAND ERROR":                       {failed: true, text: "UNKNOWN COMMAND"},
	} {
		if got, err := parse(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "OK", "stream:", "stream: ", "stream: FOUND", "stream:  FOUND", "stream: ok", "stream: OK ", "Stream: OK", "PONG",
		"file: OK", "stream: clean", "UNKNOWN COMMAND", "stream: \x01\x02 FOUND"} {
		if got, err := parse(in); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
}

func TestLimits(t *testing.T) {
	c, err := New(Config{Hosts: engine.HostsConfig{Addresses: []string{"/nowhere"}}})
	if err != nil {
		t.Fatal(err)
	}
	for text, unscannable := range map[string]bool{
		"stream: Time limit reached ERROR":                             true,
		"stream: CL_EMAXREC: Recursion limit exceeded ERROR":           true,
		"stream: Can't allocate memory ERROR":                          false,
		"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND":         true,
		"stream: Heuristics.Limits.Exceeded FOUND":                     true,
		"INSTREAM size limit exceeded. ERROR":                          true,
		"stream: Can't open temporary file: No space left ERROR":       false,
		"stream: Exceeded the most that is scanned of one file. ERROR": true,
	} {
		r, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		found, err := c.judge(r)
		if found != nil || err == nil || errors.Is(err, engine.ErrUnscannable) != unscannable {
			t.Errorf("%q: %v, %v", text, found, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for in, want := range map[string]version{
		"ClamAV 1.4.3/27500/Mon Jan  5 10:26:31 2026": {"ClamAV 1.4.3", "27500", time.Date(2026, 1, 5, 10, 26, 31, 0, time.UTC)},
		"ClamAV 1.4.3":                                  {program: "ClamAV 1.4.3"},
		"ClamAV 1.4.3/27500/Montag":                     {program: "ClamAV 1.4.3", number: "27500"},
		"ClamAV 0.103.8/26000/Thu Nov 12 01:02:03 2026": {"ClamAV 0.103.8", "26000", time.Date(2026, 11, 12, 1, 2, 3, 0, time.UTC)},
	} {
		got, err := parseVersion(in)
		if err != nil || !cmp.Equal(got, want, cmp.AllowUnexported(version{})) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	if _, err := parseVersion("SSH-2.0"); err == nil {
		t.Error("another program passes for clamd")
	}
}

// played is a server that plays one connection after the other; what comes after the
// last is played by it too.
func played(t *testing.T, plays ...func(net.Conn)) (address string, count *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	count = &atomic.Int32{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(count.Add(1))
			go func() {
				defer func() { _ = c.Close() }()
				plays[min(n, len(plays))-1](c)
			}()
		}
	}()
	return l.Addr().String(), count
}

// drain reads one INSTREAM to its end.
func drain(c net.Conn) bool {
	for {
		var b [1]byte
		if _, err := c.Read(b[:]); err != nil {
			return false
		}
		if b[0] == 'M' { // of INSTREAM
			break
		}
	}
	var n [4]byte
	_, _ = c.Read(n[:1]) // NUL
	for {
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return false
		}
		k := binary.BigEndian.Uint32(n[:])
		if k == 0 {
			return true
		}
		if _, err := io.CopyN(io.Discard, c, int64(k)); err != nil {
			return false
		}
	}
}

func says(answers ...string) func(net.Conn) {
	return func(c net.Conn) {
		for _, a := range answers {
			if !drain(c) {
				return
			}
			_, _ = io.WriteString(c, a)
		}
	}
}

// TestHostile plays daemons that don't keep to the protocol: none of it is clean.
func TestHostile(t *testing.T) {
	for name, play := range map[string]func(net.Conn){
		"another id":       says("7: stream: OK\x00"),
		"no id":            says("stream: OK\x00"),
		"id twice":         says("1: 1: stream: OK\x00"),
		"no NUL":           says("1: stream: OK\n"),
		"two answers":      says("1: stream: OK\x002: stream: OK\x00"),
		"endless":          says("1: stream: " + strings.Repeat("x", 1<<20)),
		"empty":            says("\x00"),
		"rubbish":          says("HTTP/1.1 200 OK\r\n\r\n\x00"),
		"closes":           func(net.Conn) {},
		"closes at end":    func(c net.Conn) { drain(c) },
		"cut short":        says("1: stream: O"),
		"silent":           func(c net.Conn) { drain(c); _, _ = c.Read(make([]byte, 1)) },
		"answers too soon": func(c net.Conn) { _, _ = io.WriteString(c, "1: stream: OK\x00") },
		"large id":         says("99999999999999999999: stream: OK\x00"),
		"stops reading":    func(c net.Conn) { time.Sleep(2 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := played(t, play)
			c, err := New(Config{Hosts: engine.HostsConfig{Addresses: []string{address}}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			found, err := c.Scan(ctx, make([]byte, 4<<20))
			if err == nil || found != nil || errors.Is(err, engine.ErrUnscannable) {
				t.Errorf("%v, %v", found, err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestSession uses one connection again, and a new one where the daemon has closed it.
func TestSession(t *testing.T) {
	address, count := played(t, says("1: stream: OK\x00", "2: stream: A FOUND\x00"), says("1: stream: B FOUND\x00"))
	c, err := New(Config{Hosts: engine.HostsConfig{Addresses: []string{address}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i, want := range []string{"", "A", "B"} {
		found, err := c.Scan(ctx, []byte("x"))
		got := ""
		if len(found) > 0 {
			got = found[0].Signature
		}
		if err != nil || got != want {
			t.Errorf("scan %d: %q, %v, want %q", i, got, err, want)
		}
	}
	if n := count.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestPoison sends what brings daemons down: it is shown to two of four at most.
func TestPoison(t *testing.T) {
	var addresses []string
	var counts []*atomic.Int32
	for range 4 {
		a, n := played(t, func(c net.Conn) { drain(c) })
		addresses, counts = append(addresses, a), append(counts, n)
	}
	c, err := New(Config{Hosts: engine.HostsConfig{Addresses: addresses}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Scan(context.Background(), []byte("x")); !errors.Is(err, engine.ErrLost) {
		t.Errorf("%v", err)
	}
	sum := int32(0)
	for _, n := range counts {
		sum += n.Load()
	}
	if sum != 2 {
		t.Errorf("%d daemons had it, want 2", sum)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"1: stream: OK\x00", "1: stream: Win.Test(44:68) FOUND\x00", "12: INSTREAM size limit exceeded. ERROR\x00", "ClamAV 1.4.3/27500/Mon Jan  5 10:26:31 2026\x00", "\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := read(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		_, _ = parseVersion(s)
		id, rest, ok := cutID(s)
		if ok && (id < 1 || len(rest) >= len(s)) {
			t.Errorf("id %d of %q", id, s)
		}
		r, err := parse(rest)
		if err != nil {
			return
		}
		if r.found && r.failed || len(r.text) > engine.MaxSignature || r.found && r.text == "" {
			t.Errorf("%q: %+v", rest, r)
		}
		if !r.found && !r.failed && rest != "stream: OK" {
			t.Errorf("%q is clean", rest)
		}
		for _, c := range []byte(r.text) {
			if c < ' ' || c > '~' {
				t.Errorf("%q: text %q", rest, r.text)
			}
		}
	})
}
