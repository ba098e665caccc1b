package system

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/deliver/delivertest"
)

// TestStop asks the daemon to stop while a message waits for the next hop: the
// message is finished, a session between commands is told to come back, one in
// the middle of a transaction may end it, nobody new gets in.
func TestStop(t *testing.T) {
	back := delivertest.NewServer(t, delivertest.Script{Faults: fault(delivertest.Dot, delivertest.Fault{Hang: true, Times: 1})})
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, more: "[[domain]]\nnames = [\"slow.example\"]\nrelay = [\"smtp://" + back.Addr + "\"]\n"})
	idle, busy, waiting := d.dial(), d.dial(), d.dial()
	for _, c := range []*Client{idle, busy, waiting} {
		defer c.Close()
	}
	for _, l := range []string{"MAIL FROM:<ann@sender.example>", "RCPT TO:<bob@a.example>", "DATA"} {
		if r, err := busy.Say(l); err != nil || r[0] > '3' {
			t.Fatalf("%s: %s %v", l, r, err)
		}
	}
	waits := make(chan string, 1)
	go func() {
		r, err := waiting.Send("ann@sender.example", []string{"bob@slow.example"}, clean("waiting"))
		if err != nil {
			r = err.Error()
		}
		waits <- r
	}()
	eventually(t, "the message waits for the next hop", func() bool {
		cmds := back.Commands()
		return len(cmds) > 0 && cmds[len(cmds)-1] == "DATA"
	})
	d.signal(syscall.SIGTERM)
	if r, err := idle.Reply(); err != nil || !strings.HasPrefix(r, "421 4.3.2 ") || !idle.Silent() {
		t.Errorf("an idle session: %s %v", r, err)
	}
	eventually(t, "nobody new gets in", func() bool {
		c, err := net.DialTimeout("tcp", d.addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if r, err := busy.Say(clean("busy") + "\r\n."); err != nil || !strings.HasPrefix(r, "250 ") || sink.Seen()["busy"] != 1 {
		t.Errorf("a transaction under way: %s %v, at the next hop: %v", r, err, sink.Seen())
	}
	if r, err := busy.Reply(); err != nil || !strings.HasPrefix(r, "421 4.3.2 ") {
		t.Errorf("and then: %s %v", r, err)
	}
	back.DropAll()
	if r := <-waits; !strings.HasPrefix(r, "451 4.4.2 ") {
		t.Errorf("the message that waited: %s", r)
	}
	d.stop(syscall.SIGTERM)
	if rows := lines(t, d.sluice("log", "--json")); len(rows) != 2 { // written before the end
		t.Errorf("the log has %d messages of 2: %v", len(rows), rows)
	}
}

// certificate writes a self-signed one for a name, and returns the files.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// startTLS opens a session and secures it.
func startTLS(t *testing.T, d *daemon) (*Client, *tls.Conn) {
	t.Helper()
	c := d.dial()
	if r, err := c.Say("STARTTLS"); err != nil || !strings.HasPrefix(r, "220 ") {
		c.Close()
		t.Fatalf("STARTTLS: %s %v", r, err)
	}
	// The test looks at the certificate itself.
	tc := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	_ = tc.SetDeadline(time.Now().Add(patience))
	if err := tc.Handshake(); err != nil {
		tc.Close()
		t.Fatal(err)
	}
	return NewClient(tc), tc
}

// TestStartTLS sends a message through TLS, changes the certificate under a
// running session, and tries what attackers do with STARTTLS.
func TestStartTLS(t *testing.T) {
	sink := NewSink(t, "X-Test", nil)
	dir := t.TempDir()
	cert, key := certificate(t, dir, "first.example")
	d := serve(t, setup{relay: "smtp://" + sink.Addr, more: "[tls]\ncert = \"" + cert + "\"\nkey = \"" + key + "\"\n"})

	old, tc := startTLS(t, d)
	defer old.Close()
	if got := tc.ConnectionState().PeerCertificates[0].Subject.CommonName; got != "first.example" {
		t.Errorf("certificate of %s", got)
	}
	if r, err := old.Say("MAIL FROM:<ann@sender.example>"); err != nil || !strings.HasPrefix(r, "503 ") {
		t.Errorf("MAIL before a new EHLO: %s %v", r, err) // RFC 3207 4.2: what was said is forgotten
	}
	if _, err := old.Say("EHLO client.sender.example"); err != nil {
		t.Fatal(err)
	}
	if r, err := old.Send("ann@sender.example", []string{"bob@a.example"}, clean("secure")); err != nil || r[0] != '2' {
		t.Errorf("through TLS: %s %v", r, err)
	}

	// A new certificate, and then one that is broken: the last good one stays.
	certificate(t, dir, "second.example")
	d.signal(syscall.SIGHUP)
	name := func() string {
		c, tc := startTLS(t, d)
		defer c.Close()
		return tc.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	eventually(t, "the new certificate is used", func() bool { return name() == "second.example" })
	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	eventually(t, "the log says that the certificate is bad", func() bool {
		return strings.Contains(d.log.String(), "the old settings stay in force")
	})
	if got := name(); got != "second.example" {
		t.Errorf("after a broken certificate: %s", got)
	}
	if r, err := old.Send("ann@sender.example", []string{"bob@a.example"}, clean("same session")); err != nil || r[0] != '2' {
		t.Errorf("the session from before: %s %v", r, err)
	}
	if seen := sink.Seen(); seen["secure"] != 1 || seen["same session"] != 1 {
		t.Errorf("at the next hop: %v", seen)
	}

	// Clear text behind STARTTLS is an attack and never a command.
	c := d.dial()
	defer c.Close()
	if _, err := c.Write([]byte("STARTTLS\r\nMAIL FROM:<eve@evil.example>\r\n")); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Reply(); err != nil || r[0] != '5' && r[0] != '4' {
		t.Errorf("clear text behind STARTTLS: %s %v", r, err)
	}
}

// TestSlowClients: a client that says one octet at a time, and never stops, is
// cut by the total deadline of a command, a message and a session.
func TestSlowClients(t *testing.T) {
	t.Parallel() // it mostly waits
	d := serve(t, setup{limits: "message = \"2s\"\nsession = \"6s\"\ncommand = \"2s\""})
	for _, tc := range []struct {
		name  string
		begin []string // what is said at a normal pace
		drip  string   // said every 50 ms after that
		least time.Duration
		limit time.Duration
	}{
		{"silence", nil, "", time.Second, 2 * time.Second},
		{"command", nil, "x", time.Second, 2 * time.Second},
		{"message", []string{"MAIL FROM:<ann@sender.example>", "RCPT TO:<bob@a.example>", "DATA"}, "x", time.Second, 2 * time.Second},
		{"session", nil, "RSET\r\n", 5 * time.Second, 6 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := d.dial()
			defer c.Close()
			for _, l := range tc.begin {
				if r, err := c.Say(l); err != nil || r[0] > '3' {
					t.Fatalf("%s: %s %v", l, r, err)
				}
			}
			start, stop := time.Now(), make(chan struct{})
			defer close(stop)
			go drip(c, tc.drip, stop)
			r, err := c.Reply()
			for err == nil && strings.HasPrefix(r, "250 ") { // RSET's
				r, err = c.Reply()
			}
			// A drop that is on its way when the connection closes resets it, and
			// takes the last words along.
			if !errors.Is(err, syscall.ECONNRESET) && (err != nil || !strings.HasPrefix(r, "421 4.4.2 ")) {
				t.Errorf("cut with %q %v, want 421 4.4.2 …", r, err)
			}
			if took := time.Since(start); took < tc.least || took > tc.limit+3*time.Second {
				t.Errorf("was heard for %v, want about %v", took, tc.limit)
			}
		})
	}
}

// drip says what every 50 ms until stop is closed.
func drip(c *Client, what string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
			_, _ = c.Write([]byte(what)) // the reader sees what is wrong
		}
	}
}

// TestConnectionLimit: a client over its limit is told so, others aren't hurt, and
// ended connections count no more.
func TestConnectionLimit(t *testing.T) {
	d := serve(t, setup{limits: "connections_per_client = 3"})
	var open []*Client
	for range 3 {
		// The connection by which the test saw that the daemon is there may count
		// for a moment yet.
		eventually(t, "the client gets in", func() bool {
			c, err := Dial(d.addr)
			if err == nil {
				open = append(open, c)
			}
			return err == nil
		})
	}
	for _, c := range open {
		defer c.Close()
	}
	if c, err := Dial(d.addr); err == nil || !strings.Contains(err.Error(), "421 4.7.0 ") {
		t.Errorf("the fourth: %v", err)
		if err == nil {
			c.Close()
		}
	}
	other := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 5 * time.Second}
	nc, err := other.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(nc)
	defer c.Close()
	if r, err := c.Reply(); err != nil || !strings.HasPrefix(r, "220 ") {
		t.Errorf("another client: %s %v", r, err)
	}
	if r, err := open[0].Say("QUIT"); err != nil || !strings.HasPrefix(r, "221 ") {
		t.Errorf("QUIT: %s %v", r, err)
	}
	eventually(t, "the client gets in again", func() bool {
		c, err := Dial(d.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}
