package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"sluice"
	"sluice/internal/peek"
	"sluice/smtp"
)

// extensions are what EHLO offered.
type extensions struct {
	sluice.Extensions
	size       bool // SIZE, with or without a limit
	pipelining bool
	startTLS   bool
	authPlain  bool // AUTH with PLAIN (RFC 4616)
	authLogin  bool // AUTH with LOGIN
	authBearer bool // AUTH with OAUTHBEARER (RFC 7628)
}

// conn is one connection to a next hop, used by one goroutine at a time.
type conn struct {
	net.Conn
	raw  net.Conn // below TLS
	cfg  *Config
	addr string
	ext  extensions

	in      []byte // read, not yet parsed: in[from:to]
	from    int
	to      int
	parser  smtp.ReplyParser
	scratch []byte // commands being built

	broken    bool // not fit for another message
	handshook bool // STARTTLS was tried
	used      bool // taken from the idle ones
	unclean   bool // a transaction was left open: RSET before the next
	since     time.Time
}

func newConn(nc net.Conn, cfg *Config, addr string) *conn {
	return &conn{Conn: nc, raw: nc, cfg: cfg, addr: addr, in: make([]byte, 2048)}
}

// interrupt makes the running and all later calls fail.
func (c *conn) interrupt() { _ = c.raw.SetDeadline(time.Unix(1, 0)) }

func (c *conn) close() {
	c.broken = true
	_ = c.raw.Close() // no close_notify: it could block
}

// quit says goodbye without waiting for an answer. It must not block: a write
// to an idle connection has room in the socket's buffer or fails.
func (c *conn) quit() {
	_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.WriteString(c, "QUIT\r\n")
}

// errInterrupted is what a deadline set by interrupt means.
var errInterrupted = errors.New("sender went away")

// deadline sets the time for what comes next, unless ctx is done.
func (c *conn) deadline(ctx context.Context, d time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	// interrupt may have come before: its deadline would be overwritten.
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errInterrupted, context.Cause(ctx))
	}
	return nil
}

// reply reads one whole reply.
func (c *conn) reply() (smtp.Reply, error) {
	c.parser.Reset()
	for {
		if c.from < c.to {
			n, done, err := c.parser.Feed(c.in[c.from:c.to])
			c.from += n
			if err != nil {
				return smtp.Reply{}, err
			}
			if done {
				return c.parser.Reply(), nil
			}
		}
		n, err := c.Read(c.in)
		c.from, c.to = 0, n
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return smtp.Reply{}, err
		}
	}
}

// send writes commands, unless a reply is there that none of the earlier ones
// asked for: it would be taken for theirs.
func (c *conn) send(b []byte) error {
	if c.from != c.to {
		return errEarly
	}
	_, err := c.Write(b)
	return err
}

// command sends one command and reads its reply.
func (c *conn) command(line string) (smtp.Reply, error) {
	c.scratch = append(append(c.scratch[:0], line...), '\r', '\n')
	if err := c.send(c.scratch); err != nil {
		return smtp.Reply{}, err
	}
	return c.reply()
}

// quiet says whether a connection stands and has said nothing that no command
// asked for. Such octets, taken for the answer to the next command, would make a
// refusal an acceptance one step later.
func (c *conn) quiet() bool { return c.from == c.to && peek.At(c.raw) == peek.Nothing }

// start reads the greeting, says EHLO, starts TLS and logs in.
func (c *conn) start(ctx context.Context, mode TLSMode, name string) *failure {
	if err := c.deadline(ctx, c.cfg.ConnectTimeout); err != nil {
		return lost(c.addr, err)
	}
	if c.cfg.Implicit {
		if err := c.handshake(mode, name); err != nil {
			return &failure{reply: noTLS, err: fmt.Errorf("relay: %s: TLS: %w", c.addr, err)}
		}
	}
	r, err := c.reply()
	if err != nil {
		return lost(c.addr+": greeting", err)
	}
	if r.Code != 220 {
		return refused(c.addr+": greeting", r)
	}
	if err := c.deadline(ctx, c.cfg.CommandTimeout); err != nil {
		return lost(c.addr, err)
	}
	if f := c.hello(); f != nil {
		return f
	}
	if !c.cfg.Implicit {
		if f := c.secure(mode, name); f != nil {
			return f
		}
	}
	if c.cfg.Login != nil {
		return c.login(ctx)
	}
	return nil
}

// secure starts TLS as mode wants it.
func (c *conn) secure(mode TLSMode, name string) *failure {
	switch {
	case mode == TLSNone || mode == TLSMay && !c.ext.startTLS:
		return nil
	case !c.ext.startTLS:
		return &failure{reply: noTLS, err: fmt.Errorf("relay: %s: STARTTLS is required and not offered", c.addr)}
	}
	if f := c.startTLS(mode, name); f != nil {
		if f.reply != nonsense {
			f.reply = noTLS
		}
		return f
	}
	return c.hello() // RFC 3207 4.2: all knowledge from before is forgotten
}

func (c *conn) hello() *failure {
	verb := "EHLO "
	if c.cfg.LMTP {
		verb = "LHLO "
	}
	r, err := c.command(verb + c.cfg.Hello)
	if err == nil && r.Code/100 == 5 && !c.cfg.LMTP {
		// RFC 5321 3.2: a server that doesn't know EHLO.
		verb = "HELO "
		r, err = c.command(verb + c.cfg.Hello)
	}
	where := c.addr + ": " + verb[:4]
	if err != nil {
		return lost(where, err)
	}
	if r.Code != 250 {
		return refused(where, r)
	}
	c.ext = extensions{Extensions: sluice.Extensions{Known: true}}
	if verb != "HELO " {
		c.ext.read(r.Lines[1:])
	}
	return nil
}

// read takes EHLO's lines (RFC 5321 4.1.1.1); those that are no extension are
// passed over.
func (e *extensions) read(lines []string) {
	for _, line := range lines {
		key, arg := line, ""
		for i := range len(line) {
			if line[i] == ' ' {
				key, arg = line[:i], line[i+1:]
				break
			}
		}
		switch {
		case smtp.EqualFold(key, "SIZE"):
			e.size = true
			if n, err := smtp.ParseSize(arg); err == nil {
				e.Size = n
			}
		case smtp.EqualFold(key, "8BITMIME"):
			e.EightBit = true
		case smtp.EqualFold(key, "SMTPUTF8"):
			e.SMTPUTF8 = true
		case smtp.EqualFold(key, "DSN"):
			e.DSN = true
		case smtp.EqualFold(key, "PIPELINING"):
			e.pipelining = true
		case smtp.EqualFold(key, "STARTTLS"):
			e.startTLS = true
		case smtp.EqualFold(key, "AUTH"):
			for m := range strings.FieldsSeq(arg) {
				e.authPlain = e.authPlain || smtp.EqualFold(m, "PLAIN")
				e.authLogin = e.authLogin || smtp.EqualFold(m, "LOGIN")
				e.authBearer = e.authBearer || smtp.EqualFold(m, "OAUTHBEARER")
			}
		}
	}
}

func (c *conn) startTLS(mode TLSMode, name string) *failure {
	where := c.addr + ": STARTTLS"
	c.handshook = true
	r, err := c.command("STARTTLS")
	if err != nil {
		return lost(where, err)
	}
	if r.Code != 220 {
		return refused(where, r)
	}
	// Clear text behind the reply would be taken for text that came through
	// TLS (the STARTTLS injection).
	if c.from != c.to {
		return lost(where, errEarly)
	}
	if err := c.handshake(mode, name); err != nil {
		return lost(where, err)
	}
	return nil
}

// handshake puts TLS on the connection.
func (c *conn) handshake(mode TLSMode, name string) error {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.cfg.TLSConfig != nil {
		conf = c.cfg.TLSConfig.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName = name
	}
	switch mode {
	case TLSMay:
		conf.InsecureSkipVerify = true //nolint:gosec // RFC 7435: better than clear text
	case TLSFingerprint:
		pin(conf, c.cfg.Fingerprints)
	}
	tc := tls.Client(c.raw, conf)
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.Conn = tc
	return nil
}
