package swarm

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
	errCut    = errors.New("swarm: the server ended the session")
	errOver   = errors.New("swarm: the client's patience ran out")
	errAbsent = errors.New("swarm: the server doesn't answer")
)

// client is one connection of a simulated source.
type client struct {
	cfg      *Config
	conn     net.Conn
	r        *bufio.Reader
	s        *Session
	d        Dialect
	rng      *rand.Rand
	end      time.Time // when the client gives up
	wrote    time.Time // when the last write ended
	offers   map[string]string
	first    string // the first line of a greeting that was read alone
	secret   account
	quitting bool // QUIT went out behind the dot
}

// dial connects from the source's own address.
func dial(ctx context.Context, cfg *Config, s *Session, addr string, from netip.Addr, patience time.Duration) (*client, error) {
	d := net.Dialer{Timeout: patience}
	if from.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	s.Start = time.Now()
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errAbsent, err)
	}
	s.Reached = "connect"
	end := time.Now().Add(patience)
	if t, ok := ctx.Deadline(); ok && t.Before(end) {
		end = t
	}
	_ = conn.SetDeadline(end)
	return &client{cfg: cfg, conn: conn, r: bufio.NewReaderSize(conn, maxLine), s: s, end: end, wrote: time.Now(), offers: map[string]string{}}, nil
}

// send writes b in the dialect's segments; phase is what it belongs to.
func (c *client) send(phase, b string) error {
	c.s.reach(phase)
	// Who talks early does so at once.
	if early := c.s.Sent == 0 && c.d.Wait != "220"; c.d.Gap > 0 && !early && !c.sleep(c.d.Gap) {
		return errOver
	}
	return c.raw([]byte(b), c.d.Segment, 2*time.Millisecond)
}

// raw writes b, n octets at a time (0 for all at once) with a pause between.
func (c *client) raw(b []byte, n int, pause time.Duration) error {
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
func (c *client) broken(err error) error {
	var t net.Error
	if errors.As(err, &t) && t.Timeout() {
		return errOver
	}
	c.s.Cut = true
	return errCut
}

// sleep waits, not longer than the client's patience.
func (c *client) sleep(d time.Duration) bool {
	left := time.Until(c.end)
	time.Sleep(min(d, left))
	return d < left
}

// readLine reads one line of a reply, without its end.
func (c *client) readLine() (string, error) {
	b, err := c.r.ReadSlice('\n')
	c.s.Got += int64(len(b))
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("swarm: a reply line over %d octets", maxLine)
	}
	if err != nil {
		return "", c.broken(err)
	}
	return string(bytes.TrimRight(b, "\r\n")), nil
}

// read takes one reply to what was sent in phase.
func (c *client) read(phase string) (Reply, []string, error) {
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
			return Reply{}, lines, fmt.Errorf("swarm: no SMTP reply: %.60q", l)
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
	if strings.Count(w, ".") != 2 || w[0] < '2' || w[0] > '5' || strings.Trim(w, "0123456789.") != "" {
		return ""
	}
	return w
}

// ask sends one command and reads its reply.
func (c *client) ask(phase, line string) (Reply, []string, error) {
	if err := c.send(phase, c.d.line(line)); err != nil {
		return c.last(phase, err)
	}
	return c.read(phase)
}

// last looks for a reply that the server wrote before it closed: a client whose
// write fails may still find it in its buffer.
func (c *client) last(phase string, err error) (Reply, []string, error) {
	if errors.Is(err, errCut) {
		if rep, lines, e := c.read(phase); e == nil {
			return rep, lines, errCut
		}
	}
	return Reply{}, nil, err
}

// hold keeps the connection, reading what comes, until the server ends it or
// the client's patience does.
func (c *client) hold(phase string) error {
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
func (c *client) ended() {
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
func (c *client) startTLS() error {
	t := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, ServerName: c.cfg.Name})
	if err := t.Handshake(); err != nil {
		return c.broken(err)
	}
	c.conn, c.r, c.s.TLS = t, bufio.NewReaderSize(t, maxLine), true
	clear(c.offers)
	return nil
}

// close ends the connection as the dialect does, by TCP reset where it aborts.
func (c *client) close() {
	if t, ok := c.conn.(*net.TCPConn); ok && c.d.Quit == "abort" {
		_ = t.SetLinger(0)
	}
	_ = c.conn.Close()
}
