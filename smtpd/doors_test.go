package smtpd_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/netip"
	netsmtp "net/smtp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

// watch is a gate that notes what the door says of the client at each MAIL.
type watch struct {
	smtpdtest.Gate
	mu    sync.Mutex
	conn  *sluice.Conn
	conns []sluice.Conn
}

func newWatch() *watch {
	w := &watch{}
	w.OnOpen = func(c *sluice.Conn) sluice.Reply {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.conn = c
		return sluice.Reply{Code: 220}
	}
	w.OnMail = func(string) sluice.Reply {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.conns = append(w.conns, *w.conn)
		return sluice.Reply{Code: 250, Enhanced: "2.1.0", Text: "OK"}
	}
	return w
}

func (w *watch) seen() []sluice.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.conns)
}

// journal is a log that tests can read while sessions write it.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// A user logs in with a usual library, sends, and the account is known to the gate.
// Nothing that is written down has the password.
func TestSubmission(t *testing.T) {
	const password = "correct horse battery"
	gate := newWatch()
	gate.OnAuth = func(c sluice.Credentials) sluice.Reply {
		if c.User == "ann" && c.Secret == password {
			return sluice.Reply{Code: 235, Enhanced: "2.7.0", Text: "Welcome"}
		}
		return sluice.Reply{Code: 535, Enhanced: "5.7.8", Text: "Login refused"}
	}
	var log journal
	serverTLS, roots := certificate(t)
	_, addr := start(t, gate, smtpd.Settings{TLS: serverTLS, Mechanisms: []string{"PLAIN", "LOGIN", "OAUTHBEARER"}}, func(cfg *smtpd.Config) {
		cfg.Door = sluice.DoorSubmission
		cfg.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for _, pass := range []string{"wrong " + password, password} {
		c, err := netsmtp.Dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := c.Extension("AUTH"); ok {
			t.Error("AUTH is offered in clear text")
		}
		if err := c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "mx.example"}); err != nil {
			t.Fatal(err)
		}
		if ok, what := c.Extension("AUTH"); !ok || what != "PLAIN LOGIN OAUTHBEARER" {
			t.Errorf("AUTH %q", what)
		}
		if err := c.Mail("ann@example.org"); err == nil || !strings.HasPrefix(err.Error(), "530 ") {
			t.Errorf("MAIL before AUTH: %v", err)
		}
		err = c.Auth(netsmtp.PlainAuth("", "ann", pass, "127.0.0.1"))
		if (err == nil) != (pass == password) {
			t.Fatal(err)
		}
		if err == nil {
			if err := c.Mail("ann@example.org"); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
	}
	// One that never saw TLS, and one that talks too early.
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.want("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00ann\x00"+password)), "538 5.7.11 ")
	c.send("NOOP\r\nAUTH LOGIN\r\nYW5u\r\n" + base64.StdEncoding.EncodeToString([]byte(password)) + "\r\n")
	c.want("", "554 5.5.1 ")
	c.closed()

	conns := gate.seen()
	if len(conns) != 1 || conns[0].Auth != "ann" || conns[0].Door != sluice.DoorSubmission || conns[0].TLS == nil {
		t.Errorf("the gate saw %+v", conns)
	}
	written := log.String() + fmt.Sprintf("%+v %q", gate.Violations(), gate.Calls())
	if !strings.Contains(written, "AUTH_NEEDS_TLS") || !strings.Contains(written, "EARLY_PIPELINING") {
		t.Errorf("not all violations were reported: %s", written)
	}
	for _, s := range []string{password, "horse", base64.StdEncoding.EncodeToString([]byte(password))[:12], base64.StdEncoding.EncodeToString([]byte("\x00ann\x00" + password))[8:20]} {
		if strings.Contains(written, s) {
			t.Errorf("%q is written down", s)
		}
	}
}

// STARTTLS forgets a login, in the gate's eyes too.
func TestLoginEndsAtStartTLS(t *testing.T) {
	gate := newWatch()
	serverTLS, roots := certificate(t)
	_, addr := start(t, gate, smtpd.Settings{TLS: serverTLS, Mechanisms: []string{"PLAIN"}, ClearTextAuth: true},
		func(cfg *smtpd.Config) { cfg.Door = sluice.DoorSubmission })
	c, err := netsmtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(netsmtp.PlainAuth("", "ann", "x", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "mx.example"}); err != nil {
		t.Fatal(err)
	}
	gate.mu.Lock()
	auth := gate.conn.Auth
	gate.mu.Unlock()
	if auth != "" {
		t.Errorf("still logged in as %q", auth)
	}
	if err := c.Mail("ann@example.org"); err == nil {
		t.Error("MAIL works")
	}
}

func TestLMTP(t *testing.T) {
	gate := &smtpdtest.Gate{
		OnMessageEach: func([]byte) []sluice.Reply {
			return []sluice.Reply{
				{Code: 250, Enhanced: "2.0.0", Text: "Accepted"},
				{Code: 550, Enhanced: "5.7.1", Text: "Refused"},
			}
		},
	}
	srv, addr := start(t, gate, smtpd.Settings{}, func(cfg *smtpd.Config) { cfg.Door, cfg.Budget = sluice.DoorLMTP, 1000 })
	c := dial(t, addr)
	c.want("", "220 mx.example LMTP")
	c.want("EHLO client.example", "500 ")
	c.want("LHLO client.example", "250-")
	to := func() {
		c.want("MAIL FROM:<a@client.example>", "250 ")
		c.want("RCPT TO:<b@example.org>", "250 ")
		c.want("RCPT TO:<c@example.org>", "250 ")
		c.want("DATA", "354 ")
	}
	to()
	c.send("text\r\n.\r\n")
	c.want("", "250 2.0.0 ")
	c.want("", "550 5.7.1 ")
	// No room: every recipient hears of it.
	to()
	c.send(strings.Repeat("0123456789\r\n", 200) + ".\r\n")
	c.want("", "452 4.3.1 ")
	c.want("", "452 4.3.1 ")
	c.want("NOOP", "250 ")
	if n := srv.Stats().Messages; n != 1 {
		t.Errorf("%d messages counted", n)
	}
}

// A proxy of ours is another client after XCLIENT; to others the command is unknown.
func TestXClient(t *testing.T) {
	gate := newWatch()
	var known atomic.Bool
	known.Store(true)
	srv, addr := start(t, gate, smtpd.Settings{
		Peers:   func(netip.Addr) smtpd.Peer { return smtpd.Peer{XClient: known.Load()} },
		Trusted: func(a netip.Addr) bool { return a.IsLoopback() },
	})
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO proxy.example", "250-")
	c.want("XCLIENT ADDR=192.0.2.7 PORT=4711 HELO=client.example PROTO=SMTP LOGIN=ann DESTADDR=192.0.2.25 DESTPORT=25", "220 ")
	c.want("EHLO proxy.example", "250-")
	c.want("MAIL FROM:<a@client.example>", "250 ")
	c.want("RSET", "250 ")
	c.want("XCLIENT ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE]", "220 ")
	c.want("EHLO proxy.example", "250-")
	c.want("MAIL FROM:<a@proxy.example>", "250 ")
	c.want("QUIT", "221 ")
	c.closed()

	conns := gate.seen()
	if len(conns) != 2 {
		t.Fatalf("%d transactions", len(conns))
	}
	peer := c.conn.LocalAddr().String()
	got, own := conns[0], conns[1]
	if got.Client.String() != "192.0.2.7:4711" || got.Via.String() != peer || got.Local.String() != "192.0.2.25:25" ||
		got.Hello != (sluice.Hello{Verb: "HELO", Name: "client.example"}) || got.Auth != "ann" || got.Trusted || got.Dialect != (sluice.Dialect{}) {
		t.Errorf("XCLIENT made it %+v", got)
	}
	if own.Client.String() != peer || own.Via.IsValid() || own.Auth != "" || !own.Trusted || own.Hello.Name != "proxy.example" || own.ID == got.ID {
		t.Errorf("and back: %+v", own)
	}
	want := "connect|hello EHLO \"proxy.example\"|close quit|connect|hello HELO \"client.example\"|mail"
	if calls := strings.Join(gate.Calls(), "|"); !strings.HasPrefix(calls, want) {
		t.Errorf("calls: %s", calls)
	}
	for deadline := time.Now().Add(5 * time.Second); srv.Stats().Open > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still counted")
		}
	}

	known.Store(false)
	c = dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO proxy.example", "250-")
	c.want("XCLIENT ADDR=192.0.2.7", "500 ")
	c.want("XFORWARD ADDR=192.0.2.7", "500 ")
}

// A queue of ours speaks for another client in one transaction (XFORWARD).
func TestXForward(t *testing.T) {
	gate := newWatch()
	_, addr := start(t, gate, smtpd.Settings{Peers: func(netip.Addr) smtpd.Peer { return smtpd.Peer{XForward: true} }})
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO queue.example", "250-")
	mail := func() {
		c.want("MAIL FROM:<a@client.example>", "250 ")
		c.want("RSET", "250 ")
	}
	mail()
	c.send("XFORWARD ADDR=IPV6:2001:db8::7 PORT=25 PROTO=ESMTP\r\nXFORWARD HELO=client.example\r\n")
	c.want("", "250 ")
	c.want("", "250 ")
	mail()
	mail()
	c.want("QUIT", "221 ")
	c.closed()

	conns := gate.seen()
	if len(conns) != 3 {
		t.Fatalf("%d transactions", len(conns))
	}
	peer := c.conn.LocalAddr().String()
	if got := conns[1]; got.Client.String() != "[2001:db8::7]:25" || got.Via.String() != peer ||
		got.Hello != (sluice.Hello{Verb: "EHLO", Name: "client.example"}) || got.Dialect != (sluice.Dialect{}) {
		t.Errorf("XFORWARD made it %+v", got)
	}
	if conns[0].Dialect == (sluice.Dialect{}) {
		t.Error("no dialect before")
	}
	for i, own := range []sluice.Conn{conns[0], conns[2]} {
		if own.Client.String() != peer || own.Via.IsValid() || own.Hello.Name != "queue.example" {
			t.Errorf("%d: %+v", i, own)
		}
	}
	want := "mail \"a@client.example\"|reset|forwarded [2001:db8::7]:25 \"client.example\"|mail \"a@client.example\"|reset|forwarded " + peer + " \"queue.example\"|mail"
	if calls := strings.Join(gate.Calls(), "|"); !strings.Contains(calls, want) {
		t.Errorf("calls: %s", calls)
	}
}
