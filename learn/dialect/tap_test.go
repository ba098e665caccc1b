package dialect_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/learn/dialect"
	"sluice/smtpd"
	"sluice/smtpd/smtpdtest"
)

// tap stands between a client and a server of ours, and writes down what is said,
// inside TLS too. What comes in one piece goes on in one piece.
type tap struct {
	t      *testing.T
	l      net.Listener
	server string
	cert   tls.Certificate

	mu     sync.Mutex
	talks  []*talk
	hellos []*tls.ClientHelloInfo
}

// talk is one connection through the tap.
type talk struct {
	tap            *tap
	client, server net.Conn

	mu      sync.Mutex
	steps   []dialect.Step
	waiting []int // indexes of the steps whose reply hasn't come
	codes   map[int][]int
	text    bool // after 354
	tail    []byte
	chunk   int // octets of BDAT still to come
	swapped chan struct{}
	done    chan struct{}
}

func newTap(t *testing.T, server string, cert tls.Certificate) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{t: t, l: l, server: server, cert: cert}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server)
			if err != nil {
				c.Close()
				continue
			}
			k := &talk{tap: p, client: c, server: s, codes: map[int][]int{}, swapped: make(chan struct{}, 1), done: make(chan struct{})}
			p.mu.Lock()
			p.talks = append(p.talks, k)
			p.mu.Unlock()
			go k.replies()
			go k.commands()
		}
	}()
	return p
}

func (p *tap) port() string {
	_, port, _ := net.SplitHostPort(p.l.Addr().String())
	return port
}

func (p *tap) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.talks)
}

// first waits for the end of the first conversation and returns it.
func (p *tap) first() *talk {
	for range 250 {
		if p.count() > 0 {
			p.mu.Lock()
			k := p.talks[0]
			p.mu.Unlock()
			select {
			case <-k.done:
				return k
			case <-time.After(10 * time.Second):
				p.t.Error("the conversation does not end")
				return nil
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// commands passes the client's octets on.
func (k *talk) commands() {
	buf := make([]byte, 256<<10)
	for {
		n, err := k.read(buf)
		if n > 0 {
			start := k.hear(buf[:n])
			if _, err := k.server.Write(buf[:n]); err != nil {
				break
			}
			if start {
				select {
				case <-k.swapped:
				case <-k.done:
				}
			}
		}
		if err != nil {
			break
		}
	}
	if c, ok := k.server.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	} else {
		k.server.Close()
	}
}

// read waits for a piece, and a moment for more: what a client sends without
// waiting for us comes in one piece, however the system cuts it.
func (k *talk) read(buf []byte) (n int, err error) {
	const moment = 10 * time.Millisecond
	n, err = k.client.Read(buf)
	k.mu.Lock()
	lull := k.text || k.chunk > 0 // a message is no command
	k.mu.Unlock()
	for err == nil && n < len(buf) && !lull {
		_ = k.client.SetReadDeadline(time.Now().Add(moment))
		var more int
		more, err = k.client.Read(buf[n:])
		n += more
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	_ = k.client.SetReadDeadline(time.Time{})
	return n, err
}

// hear writes down one piece of the client's and says whether it ends with
// STARTTLS.
func (k *talk) hear(b []byte) (startTLS bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(b) > 0 {
		switch {
		case k.chunk > 0:
			n := min(k.chunk, len(b))
			k.chunk -= n
			b = b[n:]
			continue
		case k.text:
			all := append(k.tail, b...)
			i := bytes.Index(all, []byte("\r\n.\r\n"))
			if i < 0 {
				k.tail = bytes.Clone(all[max(0, len(all)-4):])
				return false
			}
			b = all[i+5:]
			k.text, k.tail = false, nil
			continue
		}
		i := bytes.IndexByte(b, '\n') + 1
		if i == 0 {
			i = len(b) // the tests' clients write whole lines
		}
		line := string(b[:i])
		b = b[i:]
		k.waiting = append(k.waiting, len(k.steps))
		verb := strings.ToUpper(strings.TrimSpace(line))
		if size, ok := strings.CutPrefix(verb, "BDAT "); ok {
			word, _, _ := strings.Cut(size, " ")
			k.chunk, _ = strconv.Atoi(word)
			line = strings.Replace(line, word, "1000", 1)
		}
		k.steps = append(k.steps, dialect.Step{Line: neutral(line), More: len(b) > 0})
		startTLS = verb == "STARTTLS"
	}
	return startTLS
}

// neutral takes out what differs from one run to the next.
func neutral(line string) string {
	if i := strings.Index(strings.ToUpper(line), " SIZE="); i >= 0 {
		j := i + len(" SIZE=")
		for j < len(line) && line[j] >= '0' && line[j] <= '9' {
			j++
		}
		line = line[:i+len(" SIZE=")] + "1000" + line[j:]
	}
	return line
}

// replies passes the server's replies on, and starts TLS on both sides.
func (k *talk) replies() {
	defer close(k.done)
	defer k.client.Close()
	defer k.server.Close()
	buf := make([]byte, 64<<10)
	var line []byte
	greeted := false
	for {
		n, err := k.server.Read(buf)
		if n == 0 && err != nil {
			return
		}
		start := false
		k.mu.Lock()
		for _, c := range buf[:n] {
			line = append(line, c)
			if c != '\n' {
				continue
			}
			code, err := strconv.Atoi(string(line[:3]))
			last := err == nil && line[3] == ' '
			line = line[:0]
			if !last {
				continue
			}
			if !greeted {
				greeted = true
				continue
			}
			start = k.answered(code) || start
		}
		k.mu.Unlock()
		if _, err := k.client.Write(buf[:n]); err != nil {
			return
		}
		if start && !k.startTLS() {
			return
		}
	}
}

// answered files a reply and says whether TLS begins behind it.
func (k *talk) answered(code int) bool {
	if len(k.waiting) == 0 {
		return false
	}
	i := k.waiting[0]
	k.codes[i] = append(k.codes[i], code)
	verb := strings.ToUpper(strings.TrimSpace(k.steps[i].Line))
	if verb == "DATA" && code == 354 {
		k.text = true
		return false // the reply to the text is still to come
	}
	k.waiting = k.waiting[1:]
	if verb == "STARTTLS" && code != 220 {
		k.swapped <- struct{}{} // go on in clear text
	}
	return verb == "STARTTLS" && code == 220
}

func (k *talk) startTLS() bool {
	defer func() { k.swapped <- struct{}{} }()
	server := tls.Client(k.server, &tls.Config{InsecureSkipVerify: true})
	client := tls.Server(k.client, &tls.Config{
		Certificates: []tls.Certificate{k.tap.cert},
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			k.tap.mu.Lock()
			defer k.tap.mu.Unlock()
			k.tap.hellos = append(k.tap.hellos, h)
			return nil, nil
		},
	})
	if server.Handshake() != nil || client.Handshake() != nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.client, k.server = client, server
	k.codes[len(k.steps)-1] = append(k.codes[len(k.steps)-1], -1)
	return true
}

// recording puts commands and replies into the order in which our machine sees
// them.
func (k *talk) recording(client, version, variant, ended string) dialect.Recording {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := dialect.Recording{Client: client, Version: version, Variant: variant, Ended: ended}
	for i, s := range k.steps {
		r.Steps = append(r.Steps, s)
		for _, c := range k.codes[i] {
			if c < 0 {
				r.Steps = append(r.Steps, dialect.Step{TLS: true})
			} else {
				r.Steps = append(r.Steps, dialect.Step{Code: c})
			}
		}
	}
	return r
}

// certificate is one for "mx.sluice.example" that nobody signed.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: dialect.OurName}, DNSNames: []string{dialect.OurName, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serving is a server of ours and what it saw of the dialect.
type serving struct {
	addr string
	gate *smtpdtest.Gate

	mu   sync.Mutex
	conn []*sluice.Conn
	ids  map[dialect.Stage]string // of the first connection, when the gate was asked
}

func serve(t *testing.T, v variant, cert tls.Certificate) *serving {
	t.Helper()
	s := &serving{gate: &smtpdtest.Gate{}, ids: map[dialect.Stage]string{}}
	see := func(stage dialect.Stage) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if id := s.ids[stage]; len(s.conn) == 1 && id == "" {
			s.ids[stage] = dialect.ID(s.conn[0].Dialect, stage)
		}
	}
	s.gate.OnOpen = func(c *sluice.Conn) sluice.Reply {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conn = append(s.conn, c)
		return sluice.Reply{Code: 220}
	}
	s.gate.OnHello = func(*sluice.Conn) sluice.Reply { see(dialect.StageHello); return sluice.Reply{Code: 250} }
	s.gate.OnMail = func(string) sluice.Reply {
		see(dialect.StageMail)
		return sluice.Reply{Code: 250, Enhanced: "2.1.0", Text: "OK"}
	}
	s.gate.OnRcpt = func(to string) sluice.Reply { see(dialect.StageRcpt); return v.rcpt(to) }
	s.gate.OnData = func() sluice.Reply { see(dialect.StageData); return sluice.Reply{Code: 354} }
	s.gate.OnMessage = func(context.Context, []byte) sluice.Reply {
		if v.dot.Code != 0 {
			return v.dot
		}
		return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Accepted"}
	}
	set := smtpd.Settings{Hostname: dialect.OurName, Extensions: func(context.Context) sluice.Extensions {
		if v.few {
			return sluice.Extensions{}
		}
		return sluice.Extensions{EightBit: true, SMTPUTF8: true, DSN: true}
	}}
	if v.tls {
		set.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	server := smtpd.New(smtpd.Config{Gate: s.gate, SpoolDir: t.TempDir(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Settings: set})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // what a failed test left open is cut
		<-ended
	})
	return s
}

// end waits until the first session is over and returns how it ended and its
// dialect.
func (s *serving) end(t *testing.T) (string, sluice.Dialect) {
	t.Helper()
	for range 500 {
		if e := s.gate.Ended(); len(e) > 0 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return e[0], s.conn[0].Dialect
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the session does not end")
	return "", sluice.Dialect{}
}

func (s *serving) fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn[0].TLS == nil {
		return ""
	}
	return s.conn[0].TLS.Fingerprint
}
