package smtpd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

// pipes is a listener whose connections are net.Pipe: they obey a test's clock.
type pipes struct {
	conns chan net.Conn
	errs  chan error // errors for Accept to return
	done  chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), errs: make(chan error, 10), done: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case err := <-p.errs:
		return nil, err
	default:
	}
	select {
	case c := <-p.conns:
		return c, nil
	case err := <-p.errs:
		return nil, err
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial() *transcript {
	near, far := net.Pipe()
	p.conns <- far
	c := &transcript{conn: near, start: time.Now(), over: make(chan struct{})}
	go c.read()
	return c
}

// transcript is a client that notes what the server says, and when.
type transcript struct {
	conn  net.Conn
	start time.Time
	got   strings.Builder // read it only after over
	over  chan struct{}
	ended time.Duration
}

func (c *transcript) read() {
	defer close(c.over)
	b := make([]byte, 4096)
	for {
		n, err := c.conn.Read(b)
		if n > 0 {
			fmt.Fprintf(&c.got, "%v %s", time.Since(c.start).Round(time.Second), b[:n])
		}
		if err != nil {
			c.ended = time.Since(c.start)
			return
		}
	}
}

// drip sends octets one by one with a pause between them, over and over, until the
// server hangs up.
func (c *transcript) drip(octets string, pause time.Duration) {
	for i := 0; ; i = (i + 1) % len(octets) {
		if _, err := io.WriteString(c.conn, octets[i:i+1]); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// repeat sends a piece with a pause behind it, over and over, until the server
// hangs up.
func (c *transcript) repeat(piece string, pause time.Duration) {
	for {
		if _, err := io.WriteString(c.conn, piece); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// inBubble runs f with a server under the test's clock.
func inBubble(t *testing.T, set smtpd.Settings, f func(l *pipes, gate *smtpdtest.Gate)) {
	synctest.Test(t, func(t *testing.T) {
		gate := &smtpdtest.Gate{}
		set.Hostname = "mx.example"
		srv := smtpd.New(smtpd.Config{Gate: gate, Log: quiet, Settings: set, SpoolDir: t.TempDir()})
		l := newPipes()
		done := make(chan error)
		go func() { done <- srv.Serve(l) }()
		f(l, gate)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		<-done
	})
}

func (c *transcript) check(t *testing.T, ended time.Duration, last string) {
	t.Helper()
	<-c.over
	c.conn.Close()
	if d := c.ended - ended; d < 0 || d > time.Second {
		t.Errorf("ended after %v, want %v", c.ended, ended)
	}
	if !strings.Contains(c.got.String(), last) {
		t.Errorf("transcript lacks %q:\n%s", last, c.got.String())
	}
}

func TestIdleDeadline(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		c := l.dial()
		c.check(t, 5*time.Minute, "421 4.4.2 Timeout")
		if v := gate.Violations(); len(v) != 0 {
			t.Errorf("violations: %+v", v)
		}
	})
}

// A command sent octet by octet has its total time from its first octet on.
func TestDrippedCommand(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		c := l.dial()
		time.Sleep(10 * time.Second)
		c.drip("NOOP and so on for ever ", time.Second)
		c.check(t, 40*time.Second, "421 4.4.2 Timeout")
		if v := gate.Violations(); len(v) != 1 || v[0].Kind != smtpd.CommandTimeout || v[0].Offset < 30 || v[0].Offset > 31 {
			t.Errorf("violations: %+v", v)
		}
	})
}

// Whole commands don't keep a session beyond its total.
func TestSessionDeadline(t *testing.T) {
	inBubble(t, smtpd.Settings{Timeouts: smtpd.Timeouts{Session: 10 * time.Minute}}, func(l *pipes, gate *smtpdtest.Gate) {
		c := l.dial()
		c.repeat("NOOP\r\n", time.Minute)
		c.check(t, 10*time.Minute, "421 4.4.2 Timeout")
	})
}

func openData(c *transcript) {
	for _, line := range []string{"EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<b@example.org>", "DATA"} {
		_, _ = io.WriteString(c.conn, line+"\r\n")
		synctest.Wait() // its reply was read
	}
}

// A message must come at the least rate after a time of grace.
func TestDrippedMessage(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		c := l.dial()
		openData(c)
		c.drip("x", time.Second)
		c.check(t, time.Minute, "421 4.4.2 Timeout")
		if v := gate.Violations(); len(v) != 1 || v[0].Kind != smtpd.DataTimeout || v[0].Phase != sluice.PhaseData {
			t.Errorf("violations: %+v", v)
		}
	})
}

// One that sends fast enough and then stops is cut for that.
func TestStalledMessage(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		c := l.dial()
		openData(c)
		_, _ = io.WriteString(c.conn, strings.Repeat("0123456789\r\n", 100_000))
		c.check(t, 3*time.Minute, "421 4.4.2 Timeout")
	})
}

// One at just the least rate is cut at the total.
func TestMessageDeadline(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		c := l.dial()
		openData(c)
		c.repeat(strings.Repeat("0123456789\r\n", 50), time.Second)
		c.check(t, 30*time.Minute, "421 4.4.2 Timeout")
	})
}

// A client that doesn't read its replies is cut.
func TestWriteDeadline(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		near, far := net.Pipe()
		l.conns <- far
		begin := time.Now()
		for len(gate.Ended()) == 0 {
			time.Sleep(time.Second)
		}
		if d := time.Since(begin); d < time.Minute || d > 62*time.Second {
			t.Errorf("cut after %v", d)
		}
		near.Close()
	})
}

// A bot gets its reply slowly, but not for ever.
func TestSlowReply(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		gate.OnOpen = func(*sluice.Conn) sluice.Reply {
			return sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: strings.Repeat("no ", 100), Close: true, Slow: true}
		}
		c := l.dial()
		c.check(t, 30*time.Second, "5s 510s 515s 420s  25s 530s .7.1 no no no ")
	})
}

// The gate's pause before the greeting is bounded, and the first line comes at once.
func TestGreetPauseIsBounded(t *testing.T) {
	inBubble(t, smtpd.Settings{}, func(l *pipes, gate *smtpdtest.Gate) {
		gate.OnOpen = func(*sluice.Conn) sluice.Reply { return sluice.Reply{Code: 220, Pause: time.Hour} }
		c := l.dial()
		c.check(t, 5*time.Minute+6*time.Second, "0s 220-mx.example ESMTP Sluice\r\n6s 220 ESMTP ready\r\n")
	})
}

// Under load idle sessions have less time, those that began before included.
func TestStress(t *testing.T) {
	inBubble(t, smtpd.Settings{Limits: smtpd.Limits{Conns: 4}}, func(l *pipes, gate *smtpdtest.Gate) {
		a := l.dial()
		time.Sleep(20 * time.Second)
		b, c := l.dial(), l.dial() // three of four
		a.check(t, 20*time.Second, "421 4.4.2")
		// Then there is room again, and the others have their full time.
		b.check(t, 5*time.Minute, "421 4.4.2")
		c.check(t, 5*time.Minute, "421 4.4.2")
	})
}

// Out of descriptors: the listener waits and goes on, and says so once.
func TestAcceptBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		srv := smtpd.New(smtpd.Config{Gate: &smtpdtest.Gate{}, Log: logTo(&log)})
		l := newPipes()
		for range 5 {
			l.errs <- fmt.Errorf("accept4: %w", syscall.EMFILE)
		}
		done := make(chan error)
		go func() { done <- srv.Serve(l) }()
		c := l.dial()
		time.Sleep(time.Second)
		if n := strings.Count(log.String(), "cannot accept"); n != 1 {
			t.Errorf("%d log lines:\n%s", n, log.String())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		<-c.over
		c.conn.Close()
		if err := <-done; err != smtpd.ErrServerClosed {
			t.Error(err)
		}
		if !strings.Contains(c.got.String(), "220 ") {
			t.Errorf("got %q", c.got.String())
		}
	})
}

// Any other error of the listener ends Serve.
func TestAcceptError(t *testing.T) {
	srv := smtpd.New(smtpd.Config{Gate: &smtpdtest.Gate{}, Log: quiet})
	l := newPipes()
	broken := errors.New("broken")
	l.errs <- broken
	if err := srv.Serve(l); !errors.Is(err, broken) {
		t.Errorf("Serve returned %v", err)
	}
	_ = srv.Shutdown(context.Background())
}
