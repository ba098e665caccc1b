package relay

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"sluice/smtp"
)

// Login is who we are at a smart host (RFC 4954). It prints without the
// password.
type Login struct {
	User     string
	Password string
}

// String is the user alone.
func (l Login) String() string { return l.User }

// GoString is String.
func (l Login) GoString() string { return l.User }

// maxLogin is the longest name or password: RFC 4616 wants no more taken.
const maxLogin = 255

// check refuses what no mechanism could send, and to show a password to whoever
// is on the way: TLS that is not verified keeps out listeners, not impostors.
func (l *Login) check(hosts []*host, mode TLSMode) error {
	for _, part := range [...]struct{ what, text string }{{"user", l.User}, {"password", l.Password}} {
		switch {
		case part.text == "":
			return fmt.Errorf("relay: the %s to log in with is empty", part.what)
		case len(part.text) > maxLogin:
			return fmt.Errorf("relay: the %s to log in with has %d octets; %d are allowed", part.what, len(part.text), maxLogin)
		case strings.ContainsAny(part.text, "\x00\r\n"):
			return fmt.Errorf("relay: the %s to log in with holds a line end or NUL", part.what)
		}
	}
	for _, h := range hosts {
		if mode < TLSVerify && !h.loopback() {
			return fmt.Errorf("relay: a login at %s needs TLS that is verified, by names or by fingerprint: anybody on the way could read the password", h.addr)
		}
	}
	return nil
}

// loopback says whether what is sent to this host stays on this machine.
func (h *host) loopback() bool {
	if h.network == "unix" || smtp.EqualFold(h.name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(h.name)
	return err == nil && a.Unmap().IsLoopback()
}

// local says the same of a connection that stands: "localhost" is only a name.
func local(nc net.Conn) bool {
	switch a := nc.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// loginPause is how long a refused login keeps us from trying again: many wrong
// passwords in a row make servers lock accounts and addresses out.
const loginPause = 30 * time.Second

// login says who we are. A refusal is about our set-up, never about the message.
func (c *conn) login(ctx context.Context) *failure {
	where := c.addr + ": AUTH"
	fail := func(format string, args ...any) *failure {
		return &failure{reply: setUp, err: fmt.Errorf("relay: "+where+": "+format, args...)}
	}
	if c.Conn == c.raw && !local(c.raw) {
		return fail("no login without TLS")
	}
	l := c.cfg.Login
	// The whole exchange: a first line, and what follows each 334.
	var lines []string
	switch plain := encode("\x00" + l.User + "\x00" + l.Password); {
	case c.ext.authPlain && len(plain) <= maxInitial:
		lines = []string{"AUTH PLAIN " + plain}
	case c.ext.authPlain: // RFC 4954 4: a long initial response has its own line
		lines = []string{"AUTH PLAIN", plain}
	case c.ext.authLogin:
		lines = []string{"AUTH LOGIN", encode(l.User), encode(l.Password)}
	default:
		return fail("the server offers neither PLAIN nor LOGIN to log in as %q; see whether it wants TLS or another port", l.User)
	}
	defer func() { clear(c.scratch[:cap(c.scratch)]) }()
	for i, line := range lines {
		if err := c.deadline(ctx, c.cfg.CommandTimeout); err != nil {
			return lost(where, err)
		}
		r, err := c.command(line)
		last := i == len(lines)-1
		switch {
		case err != nil:
			return lost(where, err)
		case last && r.Code == 235, !last && r.Code == 334:
			continue
		case r.Code < 400:
			return lost(where, fmt.Errorf("%w: %d", errNonsense, r.Code))
		}
		f := fail("login as %q refused: %d %s %q", l.User, r.Code, r.Enhanced, l.redact(r.Text()))
		f.noLogin = r.Code >= 500
		return f
	}
	return nil
}

// maxInitial leaves room for "AUTH PLAIN " and CRLF in a line of 512 octets.
const maxInitial = 512 - 13

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// redact takes out of a server's words whatever it may have repeated of our
// password, in clear text or as it was sent: every run of shown octets or more,
// in any case of letters.
func (l *Login) redact(s string) string {
	const shown = 4
	secrets := lower(l.Password + "\x00" + encode(l.Password) + "\x00" + encode("\x00"+l.User+"\x00"+l.Password))
	s = cut(strings.ReplaceAll(s, l.Password, "…"), 600)
	low := lower(s)
	var out strings.Builder
	hidden := 0 // octets from here on that belong to a secret
	for i := range len(s) {
		if i+shown <= len(s) && strings.Contains(secrets, low[i:i+shown]) {
			if hidden == 0 {
				out.WriteString("…")
			}
			hidden = shown
		}
		if hidden > 0 {
			hidden--
			continue
		}
		out.WriteByte(s[i])
	}
	return cut(out.String(), 300)
}

// lower changes ASCII letters only, so that no octet moves.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// errNoLogin stands before the refusal that is remembered.
var errNoLogin = errors.New("login is not tried again yet")

// refusedLogin is the failure of a login refused a moment ago, or nil.
func (h *host) refusedLogin(now time.Time) *failure {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Before(h.noLogin) {
		return &failure{reply: setUp, err: fmt.Errorf("%w: %w", errNoLogin, h.noLoginErr)}
	}
	return nil
}

// noteLogin remembers a refusal for loginPause.
func (h *host) noteLogin(f *failure, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noLogin, h.noLoginErr = now.Add(loginPause), f.err
}
