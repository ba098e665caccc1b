package smtpd_test

import (
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

// parkTime is longer than a session takes to be parked.
const parkTime = 100 * time.Millisecond

// A parked session goes on where it was: in clear text, inside a command, and in TLS.
func TestParkedSessionGoesOn(t *testing.T) {
	gate := &smtpdtest.Gate{}
	serverTLS, roots := certificate(t)
	_, addr := start(t, gate, smtpd.Settings{TLS: serverTLS})
	plain := dial(t, addr)
	plain.want("", "220 ")
	time.Sleep(parkTime)
	plain.send("EH")
	time.Sleep(parkTime)
	plain.want("LO client.example", "250-")
	time.Sleep(parkTime)
	plain.want("STARTTLS", "220 ")
	plain.conn = tls.Client(plain.conn, &tls.Config{RootCAs: roots, ServerName: "mx.example"})
	for range 2 {
		plain.want("EHLO client.example", "250-")
		time.Sleep(parkTime)
	}
	plain.send("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\n")
	plain.want("", "250 ")
	plain.want("", "250 ")
	plain.want("RSET", "250 ")
	time.Sleep(parkTime)
	plain.want("QUIT", "221 ")
}

// Parked sessions have their deadlines, each its own.
func TestParkedDeadlines(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{Timeouts: smtpd.Timeouts{Idle: 400 * time.Millisecond}})
	began := time.Now()
	early := dial(t, addr)
	early.want("", "220 ")
	time.Sleep(200 * time.Millisecond)
	srv.Reload(smtpd.Settings{Timeouts: smtpd.Timeouts{Idle: 100 * time.Millisecond}})
	late := dial(t, addr)
	late.want("", "220 ")
	for _, c := range []struct {
		*client
		after time.Duration
	}{{late, 300 * time.Millisecond}, {early, 400 * time.Millisecond}} {
		c.want("", "421 4.4.2 ")
		if d := time.Since(began); d < c.after-5*time.Millisecond || d > c.after+200*time.Millisecond {
			t.Errorf("after %v, want %v", d, c.after)
		}
		c.closed()
	}
}

// A parked client that goes away is noticed.
func TestParkedClientLeaves(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{})
	for range 10 {
		dial(t, addr).want("", "220 ")
	}
	waitFor(t, func() bool { return srv.Stats().Open == 10 })
	c := dial(t, addr)
	c.want("", "220 ")
	time.Sleep(parkTime)
	c.conn.Close()
	waitFor(t, func() bool { return srv.Stats().Open == 10 })
	if got := gate.Ended(); len(got) != 1 || got[0] != sluice.EndedLost {
		t.Errorf("ended %q", got)
	}
}

// Where the tarpit is full a slow reply goes out at once and the session ends; when
// there is room again, the next one is slow.
func TestTarpitFull(t *testing.T) {
	gate := &smtpdtest.Gate{OnHello: func(*sluice.Conn) sluice.Reply {
		return sluice.Reply{Code: 550, Enhanced: "5.7.1", Text: "Refused: no", Slow: true}
	}}
	srv, addr := start(t, gate, smtpd.Settings{
		Limits:   smtpd.Limits{Slow: 1},
		Timeouts: smtpd.Timeouts{Slow: 600 * time.Millisecond},
	})
	first, second := dial(t, addr), dial(t, addr)
	first.want("", "220 ")
	second.want("", "220 ")
	first.send("EHLO bot.example\r\n")
	waitFor(t, func() bool { return srv.Stats().Slow == 1 })
	began := time.Now()
	second.want("EHLO bot.example", "550 ")
	second.want("", "421 4.3.2 ")
	second.closed()
	if d := time.Since(began); d > 400*time.Millisecond {
		t.Errorf("the second waited %v", d)
	}
	first.want("", "550 ")
	first.want("QUIT", "221 ")
	if s := srv.Stats(); s.Slow != 0 || s.Slowed != 1 {
		t.Errorf("%+v", s)
	}
	third := dial(t, addr)
	third.want("", "220 ")
	began = time.Now()
	third.want("EHLO bot.example", "550 ")
	if d := time.Since(began); d < 400*time.Millisecond {
		t.Errorf("the third waited only %v", d)
	}
}

// A stop and stress let everybody out of the tarpit.
func TestTarpitReleased(t *testing.T) {
	gate := opens(sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Refused: no", Close: true, Slow: true})
	// Long enough to tell who was let out from who came out by himself.
	srv, addr := start(t, &gate, smtpd.Settings{Limits: smtpd.Limits{Conns: 8, Slow: 8}, Timeouts: smtpd.Timeouts{Slow: 4 * time.Second}})
	var slow []*client
	for range 3 {
		slow = append(slow, dial(t, addr))
	}
	waitFor(t, func() bool { return srv.Stats().Slow == 3 })
	// The gate's session is over already.
	waitFor(t, func() bool { return len(gate.Ended()) == 3 })
	// Six of eight places are stress; the sixth client and those before get out.
	for i := range 3 {
		slow = append(slow, dial(t, addr))
		waitFor(t, func() bool { return len(gate.Ended()) == 4+i })
	}
	// One that was still on its way in when they were let out stays: its time is the
	// ordinary one, and the stress is over.
	released := time.Now()
	for i, c := range slow {
		c.want("", "554 ")
		c.closed()
		if d := time.Since(released); i < 2 && d > 2*time.Second {
			t.Errorf("client %d came out after %v", i, d)
		}
	}
	waitFor(t, func() bool { return srv.Stats().Open == 0 })

	left := dial(t, addr)
	waitFor(t, func() bool { return srv.Stats().Slow == 1 })
	began := time.Now()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	left.want("", "554 ")
	if d := time.Since(began); d > time.Second {
		t.Errorf("stopping took %v", d)
	}
}

// A flood of clients that say nothing fills no log, and what is left out is counted.
func TestLogOfAFlood(t *testing.T) {
	var log lockedBuffer
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{Limits: smtpd.Limits{LogLines: 2}}, func(c *smtpd.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	const n = 40
	for range n {
		c := dial(t, addr)
		c.want("", "220 ")
		c.want("QUIT", "221 ")
	}
	waitFor(t, func() bool { return srv.Stats().Open == 0 })
	lines := strings.Count(log.String(), `msg="smtp session"`)
	if u := srv.Stats().Unlogged; uint64(lines)+u != n || u < n/2 {
		t.Errorf("%d lines, %d left out", lines, u)
	}
	// One who has said EHLO is always in the log.
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.want("QUIT", "221 ")
	waitFor(t, func() bool { return strings.Contains(log.String(), "hello=client.example") })
	time.Sleep(time.Second) // the next second tells how many were left out
	c = dial(t, addr)
	c.want("", "220 ")
	c.want("QUIT", "221 ")
	waitFor(t, func() bool { return strings.Contains(log.String(), "sessions=") })
}
