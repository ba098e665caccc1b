package term

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal and what its user sees.
type pty struct {
	master, slave *os.File
	mu            sync.Mutex
	seen          strings.Builder
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	p := &pty{master: master, slave: slave}
	go func() {
		var b [4096]byte
		for {
			n, err := master.Read(b[:])
			if err != nil {
				return
			}
			p.mu.Lock()
			p.seen.Write(b[:n])
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() { slave.Close(); master.Close() })
	return p
}

// wait waits until the user has seen something.
func (p *pty) wait(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		ok := strings.Contains(p.seen.String(), text)
		p.mu.Unlock()
		if ok {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Fatalf("%q wasn't shown in %q", text, p.seen.String())
}

func (p *pty) mode(t *testing.T) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

func TestWatch(t *testing.T) {
	for _, end := range []string{"q", "context"} {
		p := newPTY(t)
		if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 91, Row: 3}); err != nil {
			t.Fatal(err)
		}
		before := p.mode(t)
		s, err := Take(p.slave, p.slave)
		if err != nil {
			t.Fatal(err)
		}
		if m := p.mode(t); m.Lflag&(unix.ICANON|unix.ECHO) != 0 || m.Lflag&unix.ISIG == 0 {
			t.Errorf("local mode %#x: want single keys without echo, and ^C", m.Lflag)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.Watch(ctx, func(w, h int) []string {
				return []string{fmt.Sprintf("a window of %d by %d", w, h), "two", "three", "too much"}
			})
		}()
		p.wait(t, "\x1b[Ha window of 91 by 3\x1b[K\r\r\ntwo\x1b[K\r\r\nthree\x1b[K\x1b[J") // the terminal adds a \r
		if end == "q" {
			if _, err := p.master.WriteString("xq"); err != nil { // other keys redraw
				t.Fatal(err)
			}
		} else {
			cancel()
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s doesn't end it", end)
		}
		cancel()
		s.Close()
		if p.mode(t) != before {
			t.Errorf("mode %+v, want as before: %+v", p.mode(t), before)
		}
		p.wait(t, "\x1b[?25h\x1b[?1049l")
		p.mu.Lock()
		if strings.Contains(p.seen.String(), "too much") {
			t.Error("more lines than the window has")
		}
		p.mu.Unlock()
	}
}

func TestTakeWithoutTerminal(t *testing.T) {
	if _, err := Take(strings.NewReader(""), new(strings.Builder)); err == nil {
		t.Error("a builder is no terminal")
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Take(f, f); err == nil {
		t.Error("/dev/null is no terminal")
	}
	if _, _, ok := Size(f); ok {
		t.Error("/dev/null has no size")
	}
}
