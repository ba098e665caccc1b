// Package system holds what whole-program tests need: a built binary, a sink
// that remembers what it acknowledged, and an SMTP client that says exactly
// what it is told. The tests here start the daemon as a user would, kill it, and
// watch its system calls.
package system

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var build struct {
	sync.Once
	path string
	err  error
}

// Binary builds the sluice command once a test run and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	build.Do(func() {
		dir, err := os.MkdirTemp("", "sluice-bin-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "sluice")
		cmd := exec.Command("go", "build", "-o", build.path, "sluice/cmd/sluice")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go build: %v\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Cleanup removes the built binary; TestMain calls it.
func Cleanup() {
	if build.path != "" {
		_ = os.RemoveAll(filepath.Dir(build.path))
	}
}

// FreePort returns a loopback address that nobody listens on right now.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Sink is a next hop that takes everything and remembers the value of one
// header field of each message it has answered 250.
type Sink struct {
	Addr  string
	field string
	ln    net.Listener
	mu    sync.Mutex
	seen  map[string]int
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// NewSink starts one; field is the header field that tells messages apart.
func NewSink(t testing.TB, field string) *Sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Sink{Addr: l.Addr().String(), field: strings.ToLower(field) + ":", ln: l, seen: map[string]int{}, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *Sink) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Sink) close() {
	_ = s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Seen returns how often each message was taken.
func (s *Sink) Seen() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.seen))
	for k, v := range s.seen {
		out[k] = v
	}
	return out
}

func (s *Sink) serve(c net.Conn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, 32<<10)
	say := func(t string) bool { _, err := fmt.Fprintf(c, "%s\r\n", t); return err == nil }
	if !say("220 sink") {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " "); verb {
		case "EHLO":
			say("250-sink\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 8BITMIME")
		case "DATA":
			say("354 go")
			id, ok := s.body(r)
			if !ok {
				return
			}
			s.mu.Lock()
			s.seen[id]++
			s.mu.Unlock()
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

// body reads to the dot; without one there is no message.
func (s *Sink) body(r *bufio.Reader) (id string, ok bool) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", false
		}
		if line == ".\r\n" {
			return id, true
		}
		if id == "" && len(line) > len(s.field) && strings.EqualFold(line[:len(s.field)], s.field) {
			id = strings.TrimSpace(line[len(s.field):])
		}
	}
}

// Client is an SMTP client for tests.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
}

// Dial connects and reads the greeting.
func Dial(addr string) (*Client, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	cl := &Client{c, bufio.NewReader(c)}
	if _, err := cl.reply(); err != nil {
		return nil, err
	}
	return cl, nil
}

// Close drops the connection without a word.
func (c *Client) Close() { _ = c.conn.Close() }

// Say sends one line, or raw bytes that end in one, and returns the reply's last line.
func (c *Client) Say(line string) (string, error) {
	_ = c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		return "", err
	}
	return c.reply()
}

func (c *Client) reply() (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if len(line) >= 4 && line[3] != '-' {
			return strings.TrimRight(line, "\r\n"), nil
		}
	}
}

// Send runs one transaction; msg has CRLF ends and needs no dot-stuffing.
func (c *Client) Send(from string, to []string, msg string) (string, error) {
	steps := []string{"MAIL FROM:<" + from + ">"}
	for _, a := range to {
		steps = append(steps, "RCPT TO:<"+a+">")
	}
	for _, s := range append(steps, "DATA") {
		r, err := c.Say(s)
		if err != nil || r[0] != '2' && r[0] != '3' {
			return r, err
		}
	}
	return c.Say(msg + "\r\n.")
}
