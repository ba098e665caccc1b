package smtpd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	netsmtp "net/smtp"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(clientEnv); order != "" {
		if err := costClient(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.DiscardHandler)

// start runs a server on loopback and returns its address. The test's end shuts it
// down.
func start(t testing.TB, gate sluice.Gate, set smtpd.Settings, change ...func(*smtpd.Config)) (*smtpd.Server, string) {
	t.Helper()
	if set.Hostname == "" {
		set.Hostname = "mx.example"
	}
	cfg := smtpd.Config{Gate: gate, Log: quiet, Settings: set, SpoolDir: t.TempDir()}
	for _, f := range change {
		f(&cfg)
	}
	srv := smtpd.New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx) // cuts what a test left open
		if err := <-done; err != smtpd.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return srv, l.Addr().String()
}

// client is a raw SMTP client.
type client struct {
	t    testing.TB
	conn net.Conn
	left []byte
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// reply reads one reply, all its lines.
func (c *client) reply() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var out strings.Builder
	for {
		for {
			line, rest, ok := bytes.Cut(c.left, []byte("\r\n"))
			if !ok {
				break
			}
			c.left = rest
			out.Write(line)
			out.WriteString("\n")
			if len(line) > 3 && line[3] == ' ' {
				return out.String()
			}
		}
		b := make([]byte, 4096)
		n, err := c.conn.Read(b)
		if err != nil {
			c.t.Fatalf("reply: %v after %q", err, out.String())
		}
		c.left = append(c.left, b[:n]...)
	}
}

// want sends a line (unless empty) and checks the reply's start.
func (c *client) want(line, reply string) string {
	c.t.Helper()
	if line != "" {
		c.send(line + "\r\n")
	}
	got := c.reply()
	if !strings.HasPrefix(got, reply) {
		c.t.Fatalf("%q was answered %q, want %q…", line, got, reply)
	}
	return got
}

// closed checks that the server closes the connection.
func (c *client) closed() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := c.conn.Read(make([]byte, 1)); n > 0 || err == nil {
		c.t.Fatal("connection still open")
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		c.t.Fatal("connection still open after 5 s")
	}
}

func TestRelayByStandardClient(t *testing.T) {
	gate := &smtpdtest.Gate{}
	_, addr := start(t, gate, smtpd.Settings{})
	body := "Subject: hi\r\n\r\n.dot\r\n..two\r\nend\r\n"
	if err := netsmtp.SendMail(addr, nil, "a@client.example", []string{"b@example.org", "c@example.org"}, []byte(body)); err != nil {
		t.Fatal(err)
	}
	msgs := gate.Messages()
	if len(msgs) != 1 || string(msgs[0]) != body {
		t.Fatalf("got %q", msgs)
	}
}

func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"mx.example"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestStartTLS(t *testing.T) {
	gate := &smtpdtest.Gate{}
	serverTLS, roots := certificate(t)
	_, addr := start(t, gate, smtpd.Settings{TLS: serverTLS, Extensions: func(context.Context) sluice.Extensions {
		return sluice.Extensions{EightBit: true, Known: true}
	}})
	c, err := netsmtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "mx.example"}); err != nil {
		t.Fatal(err)
	}
	if ok, _ := c.Extension("STARTTLS"); ok {
		t.Error("STARTTLS offered inside TLS")
	}
	if ok, _ := c.Extension("8BITMIME"); !ok {
		t.Error("8BITMIME not offered")
	}
	for i := range 2 {
		if err := c.Mail("a@client.example"); err != nil {
			t.Fatal(i, err)
		}
		if err := c.Rcpt("b@example.org"); err != nil {
			t.Fatal(i, err)
		}
		w, err := c.Data()
		if err != nil {
			t.Fatal(err)
		}
		body := strings.Repeat("0123456789abcdef0123456789abcdef\r\n", 20_000) // over one buffer and one record
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := gate.Messages()[i]; string(got) != body {
			t.Fatalf("message of %d octets arrived as %d", len(body), len(got))
		}
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	want := `connect|hello EHLO "localhost"|tls TLS1.3|hello EHLO "localhost"|mail "a@client.example" BODY=8BITMIME|`
	if got := strings.Join(gate.Calls(), "|"); !strings.HasPrefix(got, want) {
		t.Errorf("calls: %s", got)
	}
}

// A client that puts a command behind STARTTLS in one packet is refused, and its
// command is never obeyed.
func TestStartTLSInjection(t *testing.T) {
	gate := &smtpdtest.Gate{}
	serverTLS, _ := certificate(t)
	_, addr := start(t, gate, smtpd.Settings{TLS: serverTLS})
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.send("STARTTLS\r\nMAIL FROM:<evil@client.example>\r\n")
	c.want("", "554 5.5.1 ")
	c.closed()
	if v := gate.Violations(); len(v) != 1 || v[0].Kind != smtpd.StartTLSInjection || v[0].Offset != 31 {
		t.Errorf("violations: %+v", v)
	}
}

func TestEarlyTalker(t *testing.T) {
	gate := &smtpdtest.Gate{OnOpen: func(*sluice.Conn) sluice.Reply { return sluice.Reply{Code: 220, Pause: 2 * time.Second} }}
	_, addr := start(t, gate, smtpd.Settings{})
	c := dial(t, addr)
	c.send("EHLO early.example\r\n")
	c.want("", "220-mx.example ESMTP Sluice\n220 ")
	c.want("", "554 5.5.1 ")
	c.closed()
	if v := gate.Violations(); len(v) != 1 || v[0].Kind != smtpd.EarlyTalker || v[0].Detail != `"EHLO early.example\r\n"` {
		t.Errorf("violations: %+v", v)
	}

	// One who waits gets the greeting after the pause.
	// Our setting bounds the gate's wish.
	_, addr = start(t, gate, smtpd.Settings{Timeouts: smtpd.Timeouts{GreetPause: 50 * time.Millisecond}})
	began := time.Now()
	dial(t, addr).want("", "220-mx.example ESMTP Sluice\n220 ESMTP ready\n")
	if d := time.Since(began); d < 40*time.Millisecond || d > time.Second {
		t.Errorf("greeted after %v", d)
	}
}

// Octets that are in the socket, not in our buffer, count as early too.
func TestPipeliningBehindDataInAnotherPacket(t *testing.T) {
	arrived := make(chan bool)
	gate := &smtpdtest.Gate{OnData: func() sluice.Reply {
		<-arrived
		return sluice.Reply{Code: 354}
	}}
	_, addr := start(t, gate, smtpd.Settings{})
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.want("MAIL FROM:<a@client.example>", "250 ")
	c.want("RCPT TO:<b@example.org>", "250 ")
	c.send("DATA\r\n")
	time.Sleep(20 * time.Millisecond) // so that it goes in a packet of its own
	c.send("Subject: I don't wait\r\n")
	time.Sleep(20 * time.Millisecond)
	arrived <- true
	c.want("", "554 5.5.1 ")
	c.closed()
	if n := len(gate.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func mailed(c *client) {
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.want("MAIL FROM:<a@client.example>", "250 ")
	c.want("RCPT TO:<b@example.org>", "250 ")
	c.want("DATA", "354 ")
}

func TestShutdown(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{})
	idle := dial(t, addr)
	idle.want("", "220 ")
	half := dial(t, addr)
	half.want("", "220 ")
	half.send("NOO") // inside a command, but in no transaction
	busy := dial(t, addr)
	mailed(busy)

	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		done <- srv.Shutdown(ctx)
	}()
	idle.want("", "421 4.3.2 ")
	idle.closed()
	half.want("", "421 4.3.2 ")
	busy.send("text\r\n.\r\n")
	busy.want("", "250 ")
	busy.want("", "421 4.3.2 ") // its next command won't be heard
	busy.closed()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		t.Error("still listening")
	}
	if n := len(gate.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// Behind the message that was still accepted no new transaction begins, even if the
// client has sent its MAIL already.
func TestShutdownTakesNoNewTransaction(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{})
	gate.OnMessage = func(context.Context, []byte) sluice.Reply {
		go srv.Shutdown(context.Background())
		for !refusesConnections(addr) {
			time.Sleep(time.Millisecond)
		}
		return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Accepted"}
	}
	c := dial(t, addr)
	mailed(c)
	c.send("text\r\n.\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\n")
	c.want("", "250 2.0.0 ")
	c.want("", "421 4.3.2 ")
	c.closed()
}

func refusesConnections(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		c.Close()
	}
	return err != nil
}

// A transaction that doesn't end in time is cut, and its gate's context ends.
func TestShutdownRunsOutOfPatience(t *testing.T) {
	cancelled := make(chan struct{})
	gate := &smtpdtest.Gate{OnMessage: func(ctx context.Context, _ []byte) sluice.Reply {
		<-ctx.Done()
		close(cancelled)
		return sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "Later"}
	}}
	srv, addr := start(t, gate, smtpd.Settings{})
	c := dial(t, addr)
	mailed(c)
	c.send("text\r\n.\r\n")
	for len(gate.Messages()) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown returned %v", err)
	}
	<-cancelled
}

func TestReloadDropsNoSession(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{})
	old := dial(t, addr)
	old.want("", "220 mx.example ")
	serverTLS, _ := certificate(t)
	srv.Reload(smtpd.Settings{Hostname: "new.example", TLS: serverTLS})
	if got := old.want("EHLO client.example", "250-mx.example\n"); strings.Contains(got, "STARTTLS") {
		t.Error("a running session got new settings")
	}
	fresh := dial(t, addr)
	fresh.want("", "220 new.example ")
	if got := fresh.want("EHLO client.example", "250-new.example\n"); !strings.Contains(got, "STARTTLS") {
		t.Error("a new session didn't get the new settings")
	}
	old.want("MAIL FROM:<a@client.example>", "250 ")
}

func TestPanicEndsOneSession(t *testing.T) {
	var log lockedBuffer
	gate := &smtpdtest.Gate{OnMail: func(from string) sluice.Reply {
		if from == "bad@client.example" {
			panic("boom\x1b[31m")
		}
		return sluice.Reply{Code: 250}
	}}
	srv, addr := start(t, gate, smtpd.Settings{}, func(c *smtpd.Config) {
		c.Log = logTo(&log)
	})
	other := dial(t, addr)
	other.want("", "220 ")
	other.want("EHLO client.example", "250-")
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.want("MAIL FROM:<bad@client.example>", "421 4.3.0 ")
	c.closed()
	other.want("MAIL FROM:<good@client.example>", "250 ")
	if got := gate.Ended(); len(got) != 1 || got[0] != sluice.EndedPanic {
		t.Errorf("ended: %q", got)
	}
	if srv.Stats().Panics != 1 {
		t.Error("panic not counted")
	}
	if s := log.String(); !strings.Contains(s, "INTERNAL_PANIC") || !strings.Contains(s, "server_test.go") || strings.Contains(s, "\x1b") {
		t.Errorf("log: %s", s)
	}
}

// lockedBuffer is a log that a test may read while sessions write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestConnectionLimits(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{Limits: smtpd.Limits{ConnsPerClient: 2}})
	a, b := dial(t, addr), dial(t, addr)
	a.want("", "220 ")
	b.want("", "220 ")
	over := dial(t, addr)
	over.want("", "421 4.7.0 ")
	over.closed()
	a.want("QUIT", "221 ")
	a.closed()
	waitFor(t, func() bool { return srv.Stats().Open == 1 })
	dial(t, addr).want("", "220 ")

	_, addr = start(t, gate, smtpd.Settings{Limits: smtpd.Limits{Conns: 1}})
	dial(t, addr).want("", "220 ")
	dial(t, addr).want("", "421 4.3.2 ")
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited 5 s in vain")
		}
	}
}

func TestBudget(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{}, func(c *smtpd.Config) { c.Budget = 1000 })
	c := dial(t, addr)
	mailed(c)
	c.send(strings.Repeat("0123456789\r\n", 100) + ".\r\n")
	c.want("", "452 4.3.1 ")
	c.want("MAIL FROM:<a@client.example>", "250 ")
	c.want("RCPT TO:<b@example.org>", "250 ")
	c.want("DATA", "354 ")
	c.send("small\r\n.\r\n")
	c.want("", "250 ")
	if n := srv.Stats().InFlight; n != 0 {
		t.Errorf("%d octets still in flight", n)
	}
	want := "data|violation OUT_OF_MEMORY_BUDGET|reset|mail"
	if got := strings.Join(gate.Calls(), "|"); !strings.Contains(got, want) {
		t.Errorf("calls: %s", got)
	}
}

// A spool folder that is gone is our trouble: 4xx, and the session goes on.
func TestSpoolTrouble(t *testing.T) {
	gate := &smtpdtest.Gate{}
	_, addr := start(t, gate, smtpd.Settings{}, func(c *smtpd.Config) { c.SpoolDir += "/gone" })
	c := dial(t, addr)
	mailed(c)
	c.send(strings.Repeat("0123456789012345\r\n", 20_000) + ".\r\n")
	c.want("", "452 4.3.1 ")
	c.want("NOOP", "250 ")
}

// A connection lost inside a chunk or a text is no message.
func TestCutShort(t *testing.T) {
	gate := &smtpdtest.Gate{}
	_, addr := start(t, gate, smtpd.Settings{})
	c := dial(t, addr)
	c.want("", "220 ")
	c.want("EHLO client.example", "250-")
	c.want("MAIL FROM:<a@client.example>", "250 ")
	c.want("RCPT TO:<b@example.org>", "250 ")
	c.send("BDAT 100 LAST\r\nonly this\r\n")
	c.conn.Close()
	waitFor(t, func() bool { return len(gate.Ended()) == 1 })

	c = dial(t, addr)
	mailed(c)
	c.send("text\r\n.\r")
	c.conn.Close()
	waitFor(t, func() bool { return len(gate.Ended()) == 2 })

	if n := len(gate.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
	if v := gate.Violations(); len(v) != 1 || v[0].Kind != smtpd.ChunkCutShort {
		t.Errorf("violations: %+v", v)
	}
}

// When the client goes away, the gate's context ends.
func TestClientGoesAwayBeforeTheReply(t *testing.T) {
	gate := &smtpdtest.Gate{OnMessage: func(ctx context.Context, _ []byte) sluice.Reply {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Error("nobody told the gate")
		}
		return sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "Too late"}
	}}
	_, addr := start(t, gate, smtpd.Settings{})
	c := dial(t, addr)
	mailed(c)
	c.send("text\r\n.\r\n")
	waitFor(t, func() bool { return len(gate.Messages()) == 1 })
	c.conn.Close()
	waitFor(t, func() bool { return len(gate.Ended()) == 1 })
}

// One that only waits longer than the watch takes to begin gets its reply, and the
// session goes on after it.
func TestSlowGate(t *testing.T) {
	gate := &smtpdtest.Gate{OnMessage: func(ctx context.Context, _ []byte) sluice.Reply {
		time.Sleep(1200 * time.Millisecond)
		if ctx.Err() != nil {
			t.Error("the context ended")
		}
		return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Accepted"}
	}}
	_, addr := start(t, gate, smtpd.Settings{})
	c := dial(t, addr)
	mailed(c)
	c.send("text\r\n.\r\n")
	c.want("", "250 ")
	c.want("NOOP", "250 ")
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// A session that was idle for so long that it was parked goes on as if nothing had
// been, meets its deadline, is told of a shutdown, and may vanish.
func TestParkedSession(t *testing.T) {
	gate := &smtpdtest.Gate{}
	srv, addr := start(t, gate, smtpd.Settings{Timeouts: smtpd.Timeouts{Idle: 2500 * time.Millisecond}})
	back, late, gone, half := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
	for _, c := range []*client{back, late, gone, half} {
		c.want("", "220 ")
		c.want("EHLO client.example", "250-")
	}
	half.send("NOO")
	time.Sleep(1300 * time.Millisecond)
	gone.conn.Close()
	waitFor(t, func() bool { return srv.Stats().Open == 3 })
	half.send("P\r\n")
	half.want("", "250 ")
	for range 10 { // parked again and again
		back.want("MAIL FROM:<a@client.example>", "250 ")
		back.want("RSET", "250 ")
		time.Sleep(120 * time.Millisecond)
	}
	late.want("", "421 4.4.2 ")
	late.closed()

	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		done <- srv.Shutdown(ctx)
	}()
	back.want("", "421 4.3.2 ")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What a client calls itself reaches the log as printable ASCII only, whatever the
// log's format lets through.
func TestHostileHelloInTheLog(t *testing.T) {
	var log lockedBuffer
	gate := &smtpdtest.Gate{}
	_, addr := start(t, gate, smtpd.Settings{}, func(c *smtpd.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
	})
	c := dial(t, addr)
	c.want("", "220 ")
	got := c.want("EHLO \u202eevil\u009b31m\xff\xfe"+strings.Repeat("x", 500), "250-")
	if strings.Contains(got, "evil") {
		t.Error("the name is echoed")
	}
	c.want("QUIT", "221 ")
	waitFor(t, func() bool { return strings.Contains(log.String(), "smtp session") })
	line := log.String()
	for i := range len(line) - 1 {
		if line[i] < ' ' || line[i] > '~' {
			t.Fatalf("octet %#x in the log: %q", line[i], line)
		}
	}
	if !strings.Contains(line, `evil`) || len(line) > 1000 {
		t.Errorf("log: %s", line)
	}
}
