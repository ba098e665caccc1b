package callahead

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"sluice/internal/peek"
	"sluice/smtp"
)

// conn is one conversation with the back end, used by one goroutine at a time.
type conn struct {
	net.Conn
	raw      net.Conn // below TLS
	host     string   // as configured
	timeout  time.Duration
	parser   smtp.ReplyParser
	in       [2048]byte
	from, to int // in[from:to] is read and not yet parsed

	startTLS, utf8 bool // offered
	handshook      bool // STARTTLS was tried
	open           bool // a transaction is under way: RSET before the next
	asked, refused int
}

// Bounds of one conversation. Servers slow down or hang up on a client that names
// many unknown recipients (Postfix by default after 10 errors), so a new one is
// begun in time.
const (
	maxAsked   = 100
	maxRefused = 8
)

// errNoise is a back end that speaks out of turn: what it says would be taken for
// the answer to the next question.
var errNoise = errors.New("it said something that nothing asked for")

// Usable implements [pool.Conn]: a kept connection that has said something, or has
// ended, can't serve.
func (c *conn) Usable() bool { return c.from == c.to && peek.At(c.raw) == peek.Nothing }

// Bye implements [pool.Conn]. It must not block: a write to an idle connection has
// room in the socket's buffer or fails.
func (c *conn) Bye() {
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.WriteString(c, "QUIT\r\n")
	_ = c.raw.Close()
}

// Drop implements [pool.Conn].
func (c *conn) Drop() { _ = c.raw.Close() }

// reply reads one whole reply.
func (c *conn) reply() (smtp.Reply, error) {
	c.parser.Reset()
	for {
		if c.from < c.to {
			n, done, err := c.parser.Feed(c.in[c.from:c.to])
			c.from += n
			switch {
			case err != nil:
				return smtp.Reply{}, err
			case done:
				return c.parser.Reply(), nil
			}
		}
		n, err := c.Read(c.in[:])
		c.from, c.to = 0, n
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return smtp.Reply{}, err
		}
	}
}

// command sends one command and reads its reply, both within the time for one.
func (c *conn) command(ctx context.Context, line string) (smtp.Reply, error) {
	if c.from != c.to {
		return smtp.Reply{}, errNoise
	}
	if err := c.limit(ctx); err != nil {
		return smtp.Reply{}, err
	}
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		return smtp.Reply{}, err
	}
	return c.reply()
}

// limit sets the time for the next exchange: that of one command, or what is left
// of the lookup's.
func (c *conn) limit(ctx context.Context) error {
	end := time.Now().Add(c.timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	if err := c.SetDeadline(end); err != nil {
		return err
	}
	return ctx.Err()
}

// expect is command with one code that is right.
func (c *conn) expect(ctx context.Context, line string, code int) (smtp.Reply, error) {
	r, err := c.command(ctx, line)
	verb, _, _ := strings.Cut(line, " ")
	switch {
	case err != nil:
		return r, fmt.Errorf("%s: %w", verb, err)
	case r.Code != code:
		return r, fmt.Errorf("%s: it said %s", verb, words(r))
	}
	return r, nil
}

// words are a reply in quotes, for errors.
func words(r smtp.Reply) string {
	e := r.Enhanced.String()
	if e != "" {
		e += " "
	}
	return fmt.Sprintf("%d %s%.200q", r.Code, e, r.Text())
}

// begin reads the greeting, says EHLO or LHLO, and starts TLS where it can.
func (c *conn) begin(ctx context.Context, cfg *Config, mode TLSMode) error {
	if err := c.limit(ctx); err != nil {
		return err
	}
	r, err := c.reply()
	switch {
	case err != nil:
		return fmt.Errorf("greeting: %w", err)
	case r.Code != 220:
		return fmt.Errorf("greeting: it said %s", words(r))
	}
	if err := c.hello(ctx, cfg); err != nil {
		return err
	}
	switch {
	case mode == TLSNone, mode == TLSMay && !c.startTLS:
		return nil
	case !c.startTLS:
		return errors.New("STARTTLS is required and not offered")
	}
	if err := c.secure(ctx, cfg, mode); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	return c.hello(ctx, cfg) // RFC 3207 4.2: what was said before is forgotten
}

func (c *conn) hello(ctx context.Context, cfg *Config) error {
	verb := "EHLO "
	if cfg.LMTP {
		verb = "LHLO "
	}
	r, err := c.expect(ctx, verb+cfg.Hello, 250)
	if err != nil && r.Code/100 == 5 && !cfg.LMTP {
		// RFC 5321 3.2: a server that doesn't know EHLO.
		r, err = c.expect(ctx, "HELO "+cfg.Hello, 250)
	}
	if err != nil {
		return err
	}
	c.startTLS, c.utf8 = false, false
	for _, line := range r.Lines[1:] {
		key, _, _ := strings.Cut(line, " ")
		c.startTLS = c.startTLS || smtp.EqualFold(key, "STARTTLS")
		c.utf8 = c.utf8 || smtp.EqualFold(key, "SMTPUTF8")
	}
	return nil
}

func (c *conn) secure(ctx context.Context, cfg *Config, mode TLSMode) error {
	c.handshook = true
	if _, err := c.expect(ctx, "STARTTLS", 220); err != nil {
		return err
	}
	if c.from != c.to {
		return errNoise // clear text behind the reply would pass for text through TLS
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLSConfig != nil {
		conf = cfg.TLSConfig.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName = "localhost"
		if name, _, err := net.SplitHostPort(c.host); err == nil {
			conf.ServerName = name
		}
	}
	conf.InsecureSkipVerify = mode == TLSMay //nolint:gosec // RFC 7435: better than clear text
	tc := tls.Client(c.raw, conf)
	if err := tc.HandshakeContext(ctx); err != nil {
		return err
	}
	c.Conn = tc
	return nil
}

// transaction opens one, from the null sender: what is asked for is where bounces
// go too, and no loop can come of it (RFC 5321 4.5.5).
func (c *conn) transaction(ctx context.Context, utf8 bool) error {
	if c.open {
		if _, err := c.expect(ctx, "RSET", 250); err != nil {
			return err
		}
		c.open = false
	}
	line := "MAIL FROM:<>"
	if utf8 {
		line += " SMTPUTF8"
	}
	r, err := c.command(ctx, line)
	switch {
	case err != nil:
		return fmt.Errorf("MAIL: %w", err)
	case r.Code != 250:
		return &refusal{step: "MAIL", reply: r}
	}
	c.open = true
	return nil
}

// rcpt asks for one recipient.
func (c *conn) rcpt(ctx context.Context, address string) (smtp.Reply, error) {
	c.asked++
	r, err := c.command(ctx, "RCPT TO:<"+address+">")
	if err != nil {
		return r, fmt.Errorf("RCPT: %w", err)
	}
	if r.Code >= 400 {
		c.refused++
	}
	if r.Code == 421 {
		return r, &refusal{step: "RCPT", reply: r} // RFC 5321 3.8: it hangs up
	}
	return r, nil
}

// refusal is a reply that speaks of the conversation, not of a recipient.
type refusal struct {
	step  string
	reply smtp.Reply
}

func (r *refusal) Error() string { return r.step + ": it said " + words(r.reply) }
