// Package talk holds one conversation of a simulated SMTP client: it speaks a
// dialect, obeys or doesn't, attacks in the ways that bots do, and records what
// the server said. It is an attacker on purpose; package swarm says who talks
// when.
package talk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Bounds on what a server may make a client read and keep.
const (
	maxLine    = 4096
	maxLines   = 200
	maxReplies = 256
)

// How a session can break off.
var (
	errCut    = errors.New("talk: the server ended the session")
	errOver   = errors.New("talk: the client's patience ran out")
	errAbsent = errors.New("talk: the server doesn't answer")
)

// Client is one connection of a simulated source.
type Client struct {
	cfg      Config
	conn     net.Conn
	r        *bufio.Reader
	s        *Session
	d        Dialect
	rng      *rand.Rand
	end      time.Time // when the client gives up
	wrote    time.Time // when the last write ended
	offers   map[string]string
	first    string // the first line of a greeting that was read alone
	secret   Account
	quitting bool // QUIT went out behind the dot
}

// Config is what one connection needs.
type Config struct {
	Addr     string     // the server's door
	Server   string     // its name, for TLS
	Source   netip.Addr // bound before connecting; the zero address for any
	Implicit bool       // TLS from the start
	Dialect  Dialect
	Account  Account // to log in with, where it has a User
	Rand     *rand.Rand
	Patience time.Duration // how long the client stays at most
}

// Run holds one connection from beginning to end, with act for what is said, and
// records it in s. It ends early when ctx does.
func Run(ctx context.Context, cfg Config, s *Session, act func(*Client) error) {
	c, err := dial(ctx, cfg, s)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Now()) })
		if cfg.Implicit {
			err = c.startTLS()
		}
		if err == nil {
			err = act(c)
		}
		if errors.Is(err, errOver) && s.Attacker {
			c.ended()
		}
		stop()
		c.close()
	}
	s.Seconds, s.stayed = time.Since(s.Start).Seconds(), errors.Is(err, errOver)
	if err != nil && !errors.Is(err, errCut) && !errors.Is(err, errRefused) && (s.Honest || !errors.Is(err, errOver)) {
		s.Problem = err.Error()
	}
	s.judge()
}

// dial connects from the source's own address.
func dial(ctx context.Context, cfg Config, s *Session) (*Client, error) {
	d := net.Dialer{Timeout: cfg.Patience}
	if cfg.Source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: cfg.Source.AsSlice()}
	}
	s.Start = time.Now()
	conn, err := d.DialContext(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errAbsent, err)
	}
	s.Reached = "connect"
	end := time.Now().Add(cfg.Patience)
	if t, ok := ctx.Deadline(); ok && t.Before(end) {
		end = t
	}
	_ = conn.SetDeadline(end)
	return &Client{cfg: cfg, d: cfg.Dialect, rng: cfg.Rand, secret: cfg.Account, conn: conn, r: bufio.NewReaderSize(conn, maxLine),
		s: s, end: end, wrote: time.Now(), offers: map[string]string{}}, nil
}

// send writes b in the dialect's segments; phase is what it belongs to.
func (c *Client) send(phase, b string) error {
	c.s.reach(phase)
	// Who talks early does so at once.
	if early := c.s.Sent == 0 && c.d.Wait != "220"; c.d.Gap > 0 && !early && !c.sleep(c.d.Gap) {
		return errOver
	}
	return c.raw([]byte(b), c.d.Segment, 2*time.Millisecond)
}

// raw writes b, n octets at a time (0 for all at once) with a pause between.
func (c *Client) raw(b []byte, n int, pause time.Duration) error {
	if n <= 0 {
		n = len(b)
	}
	for len(b) > 0 {
		k, err := c.conn.Write(b[:min(n, len(b))])
		c.s.Sent += int64(k)
		if err != nil {
			return c.broken(err)
		}
		if b = b[k:]; len(b) > 0 && !c.sleep(pause) {
			return errOver
		}
	}
	c.wrote = time.Now()
	return nil
}

// broken tells the server's end of a connection from the client's own.
func (c *Client) broken(err error) error {
	var t net.Error
	if errors.As(err, &t) && t.Timeout() {
		return errOver
	}
	c.s.Cut = true
	return errCut
}

// sleep waits, not longer than the client's patience.
func (c *Client) sleep(d time.Duration) bool {
	left := time.Until(c.end)
	time.Sleep(min(d, left))
	return d < left
}

// readLine reads one line of a reply, without its end.
func (c *Client) readLine() (string, error) {
	b, err := c.r.ReadSlice('\n')
	c.s.Got += int64(len(b))
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("talk: a reply line over %d octets", maxLine)
	}
	if err != nil {
		return "", c.broken(err)
	}
	return string(bytes.TrimRight(b, "\r\n")), nil
}

// read takes one reply to what was sent in phase.
func (c *Client) read(phase string) (Reply, []string, error) {
	var lines []string
	for {
		l := c.first
		if c.first = ""; l == "" {
			var err error
			if l, err = c.readLine(); err != nil {
				return Reply{}, lines, err
			}
		}
		lines = append(lines, l)
		code, more, ok := parseReply(l)
		if !ok || len(lines) > maxLines {
			return Reply{}, lines, fmt.Errorf("talk: no SMTP reply: %.60q", l)
		}
		if more {
			continue
		}
		return c.s.note(phase, code, enhanced(l), time.Since(c.wrote)), lines, nil
	}
}

// parseReply splits a reply line: its code, whether more lines follow.
func parseReply(l string) (code int, more, ok bool) {
	if len(l) < 3 {
		return 0, false, false
	}
	for i := range 3 {
		if l[i] < '0' || l[i] > '9' {
			return 0, false, false
		}
		code = code*10 + int(l[i]-'0')
	}
	if code < 200 || code > 599 {
		return 0, false, false
	}
	if len(l) == 3 || l[3] == ' ' {
		return code, false, true
	}
	return code, l[3] == '-', l[3] == '-'
}

// enhanced is the enhanced status code in a reply line (RFC 2034), or "".
func enhanced(l string) string {
	if len(l) < 4 {
		return ""
	}
	w, _, _ := strings.Cut(l[4:], " ")
	parts := strings.Split(w, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || parts[0] < "2" || parts[0] > "5" {
		return ""
	}
	for _, p := range parts[1:] {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return ""
		}
	}
	return w
}

// ask sends one command and reads its reply.
func (c *Client) ask(phase, line string) (Reply, []string, error) {
	if err := c.send(phase, c.d.line(line)); err != nil {
		return c.last(phase, err)
	}
	return c.read(phase)
}

// last looks for a reply that the server wrote before it closed: a client whose
// write fails may still find it in its buffer.
func (c *Client) last(phase string, err error) (Reply, []string, error) {
	if errors.Is(err, errCut) {
		if rep, lines, e := c.read(phase); e == nil {
			return rep, lines, errCut
		}
	}
	return Reply{}, nil, err
}

// hold keeps the connection, reading what comes, until the server ends it or
// the client's patience does.
func (c *Client) hold(phase string) error {
	for {
		l, err := c.readLine()
		if err != nil {
			return err
		}
		if code, more, ok := parseReply(l); ok && !more {
			c.s.note(phase, code, enhanced(l), time.Since(c.wrote))
		}
	}
}

// ended looks whether the server has closed a connection that the client has
// given up without reading.
func (c *Client) ended() {
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	for n := 0; n < 16<<20; n += c.r.Buffered() {
		_, _ = c.r.Discard(c.r.Buffered())
		if _, err := c.r.Peek(1); err != nil {
			_ = c.broken(err)
			return
		}
	}
}

// startTLS turns the connection into TLS.
func (c *Client) startTLS() error {
	t := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: c.cfg.Server})
	if err := t.Handshake(); err != nil {
		return c.broken(err)
	}
	c.conn, c.r, c.s.TLS = t, bufio.NewReaderSize(t, maxLine), true
	clear(c.offers)
	return nil
}

// close ends the connection as the dialect does, by TCP reset where it aborts.
func (c *Client) close() {
	if t, ok := c.conn.(*net.TCPConn); ok && c.d.Quit == "abort" {
		_ = t.SetLinger(0)
	}
	_ = c.conn.Close()
}
