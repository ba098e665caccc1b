package system

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// patience is how long a client waits for one reply.
const patience = 30 * time.Second

// Client is an SMTP client that says exactly what it is told.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
}

// Dial connects and reads the greeting. A greeting that is no 220 is an error
// that quotes it.
func Dial(addr string) (*Client, error) {
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	c := NewClient(nc)
	r, err := c.Reply()
	if err == nil && !strings.HasPrefix(r, "220") {
		err = fmt.Errorf("greeting: %s", r)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// NewClient speaks SMTP on nc, which may be TLS.
func NewClient(nc net.Conn) *Client { return &Client{nc, bufio.NewReader(nc)} }

// Close drops the connection without a word.
func (c *Client) Close() { _ = c.conn.Close() }

// Write sends raw octets.
func (c *Client) Write(b []byte) (int, error) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	return c.conn.Write(b)
}

// Say sends a line, or raw octets that lack their last CRLF, and returns the last
// line of the reply.
func (c *Client) Say(line string) (string, error) {
	if _, err := c.Write([]byte(line + "\r\n")); err != nil {
		return "", err
	}
	return c.Reply()
}

// Reply reads one reply and returns its last line.
func (c *Client) Reply() (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
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

// Silent says whether the peer has closed the connection and said nothing more.
func (c *Client) Silent() bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, err := c.r.ReadByte()
	return errors.Is(err, io.EOF)
}

// Send runs one transaction, a command at a time. msg has CRLF ends and needs no
// dot-stuffing. It returns the first refusal, or the reply to the dot.
func (c *Client) Send(from string, to []string, msg string) (string, error) {
	for _, s := range append(envelope(from, to), "DATA") {
		r, err := c.Say(s)
		if err != nil || r[0] != '2' && r[0] != '3' {
			return r, err
		}
	}
	return c.Say(msg + "\r\n.")
}

// Pipeline is Send with MAIL, RCPT and DATA in one write (RFC 2920). After a
// refusal the connection is of no more use.
func (c *Client) Pipeline(from string, to []string, msg string) (string, error) {
	cmds := append(envelope(from, to), "DATA")
	if _, err := c.Write([]byte(strings.Join(cmds, "\r\n") + "\r\n")); err != nil {
		return "", err
	}
	for range cmds {
		r, err := c.Reply()
		if err != nil || r[0] != '2' && r[0] != '3' {
			return r, err
		}
	}
	return c.Say(msg + "\r\n.")
}

// Chunks is Send with BDAT: two chunks, all of it in one write (RFC 3030). After a
// refusal the connection is of no more use.
func (c *Client) Chunks(from string, to []string, msg string) (string, error) {
	var b strings.Builder
	cmds := envelope(from, to)
	for _, l := range cmds {
		b.WriteString(l + "\r\n")
	}
	msg += "\r\n"
	half := len(msg) / 2
	fmt.Fprintf(&b, "BDAT %d\r\n%sBDAT %d LAST\r\n%s", half, msg[:half], len(msg)-half, msg[half:])
	if _, err := c.Write([]byte(b.String())); err != nil {
		return "", err
	}
	last := ""
	for range len(cmds) + 2 {
		r, err := c.Reply()
		if err != nil || r[0] != '2' {
			return r, err // what follows is read by nobody: the caller hangs up
		}
		last = r
	}
	return last, nil
}

func envelope(from string, to []string) []string {
	out := []string{"MAIL FROM:<" + from + ">"}
	for _, a := range to {
		out = append(out, "RCPT TO:<"+a+">")
	}
	return out
}
