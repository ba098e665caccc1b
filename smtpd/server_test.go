package smtpd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	netsmtp "net/smtp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
