package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sluice"
	"sluice/reason"
)

// Authenticator proves the credentials of our users at the mail server that knows
// them, by logging in there in their place (RFC 4954). Each login has a connection
// of its own, and nothing of it is kept.
type Authenticator struct{ relay *Relay }

var _ sluice.Authenticator = (*Authenticator)(nil)

// NewAuthenticator makes one; cfg says where the server is and how TLS to it is
// verified. Login and LMTP don't apply.
func NewAuthenticator(cfg Config) (*Authenticator, error) {
	if cfg.Login != nil || cfg.LMTP {
		return nil, errors.New("relay: an authenticator has no login of its own and speaks SMTP")
	}
	r, err := New(cfg)
	if err != nil {
		return nil, err
	}
	for _, h := range r.hosts {
		if cfg.TLS < TLSVerify && !h.loopback() {
			return nil, fmt.Errorf("relay: passwords for %s need TLS that is verified: anybody on the way could read them", h.addr)
		}
	}
	return &Authenticator{r}, nil
}

// Login implements [sluice.Authenticator]. The account is the user's name as it was
// sent, in lower case where it is an address, so that limits and logs know one
// account by one name.
func (a *Authenticator) Login(ctx context.Context, cr sluice.Credentials, _ *sluice.Conn) (string, error) {
	lines, err := exchange(cr)
	if err != nil {
		return "", denied(err)
	}
	var last error
	for _, h := range a.relay.order() {
		refusal, err := h.prove(ctx, cr, lines)
		switch {
		case err != nil:
			last = err
		case refusal != nil:
			return "", denied(refusal)
		default:
			return account(cr), nil
		}
	}
	return "", &sluice.Error{Reply: sluice.Reply{Code: 454, Enhanced: "4.7.0", Text: "Logins can't be checked just now; try again later"},
		Why: reason.AuthTemporary, Err: last}
}

func account(cr sluice.Credentials) string {
	name := cr.User
	if cr.Authorize != "" {
		name = cr.Authorize
	}
	return lower(name)
}

// denied is the one answer to a wrong name, a wrong password and a disabled
// account: it never tells which.
func denied(err error) error {
	return &sluice.Error{Reply: sluice.Reply{Code: 535, Enhanced: "5.7.8", Text: "This name and password do not fit"}, Why: reason.AuthFailed, Err: err}
}

// exchange is what each mechanism sends: the lines after its name, in clear.
func exchange(cr sluice.Credentials) (map[string][]string, error) {
	for _, part := range [...]string{cr.User, cr.Authorize, cr.Secret} {
		if strings.ContainsAny(part, "\x00\r\n") || len(part) > maxSecret {
			return nil, errors.New("relay: credentials with a line end or NUL, or too long")
		}
	}
	if cr.User == "" && cr.Authorize == "" || cr.Secret == "" {
		return nil, errors.New("relay: credentials without a name or a secret")
	}
	if cr.Mechanism == "OAUTHBEARER" {
		who := cr.Authorize
		if who == "" {
			who = cr.User
		}
		// RFC 7628 3.1; "=" and "," of a name are escaped (RFC 5801 4).
		who = strings.NewReplacer("=", "=3D", ",", "=2C").Replace(who)
		return map[string][]string{"OAUTHBEARER": {"n,a=" + who + ",\x01auth=Bearer " + cr.Secret + "\x01\x01"}}, nil
	}
	lines := map[string][]string{"PLAIN": {cr.Authorize + "\x00" + cr.User + "\x00" + cr.Secret}}
	if cr.Authorize == "" || cr.Authorize == cr.User { // LOGIN knows one name only
		lines["LOGIN"] = []string{cr.User, cr.Secret}
	}
	return lines, nil
}

// maxSecret leaves room for the long tokens of OAuth.
const maxSecret = 8 << 10

// prove logs in at one host. The refusal is the host's word on the credentials;
// the error is trouble on the way to it.
func (h *host) prove(ctx context.Context, cr sluice.Credentials, lines map[string][]string) (refusal, trouble error) {
	c, f := h.acquire(ctx, true)
	if f != nil {
		return nil, f.err
	}
	defer func() {
		clear(c.scratch[:cap(c.scratch)])
		if !c.broken {
			c.quit()
		}
		c.close() // AUTH comes once in a session (RFC 4954 4)
		h.release(c)
	}()
	stop := context.AfterFunc(ctx, c.interrupt)
	defer stop()
	if c.Conn == c.raw && !local(c.raw) {
		return nil, fmt.Errorf("relay: %s: AUTH: no login without TLS", c.addr)
	}
	offered := ""
	for _, m := range [...]struct {
		name string
		has  bool
	}{{"OAUTHBEARER", c.ext.authBearer}, {"PLAIN", c.ext.authPlain}, {"LOGIN", c.ext.authLogin}} {
		if m.has && lines[m.name] != nil {
			offered = m.name
			break
		}
	}
	if offered == "" {
		return nil, fmt.Errorf("relay: %s: AUTH: the server offers no mechanism for %s", c.addr, cr.Mechanism)
	}
	return c.proveBy(ctx, offered, lines[offered])
}

// proveBy runs one mechanism: its name, then a line for each challenge.
func (c *conn) proveBy(ctx context.Context, mechanism string, lines []string) (refusal, trouble error) {
	where := fmt.Sprintf("relay: %s: AUTH %s", c.addr, mechanism)
	line := "AUTH " + mechanism
	if first := encode(lines[0]); mechanism != "LOGIN" && len(line)+1+len(first) <= maxInitial {
		line, lines = line+" "+first, lines[1:]
	}
	for {
		if err := c.deadline(ctx, c.cfg.CommandTimeout); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		r, err := c.command(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", where, err)
		case r.Code == 235:
			return nil, nil
		case r.Code == 334 && len(lines) > 0:
			line, lines = encode(lines[0]), lines[1:]
		case r.Code == 334 && mechanism == "OAUTHBEARER":
			line, mechanism = encode("\x01"), "" // RFC 7628 3.2.3: the error was in the challenge
		case r.Code == 535 || r.Code == 534 || r.Code == 550 || r.Code == 501:
			// The server may repeat what we sent: only the code is kept.
			return fmt.Errorf("%s: refused: %d %s", where, r.Code, r.Enhanced), nil
		default:
			return nil, fmt.Errorf("%s: %d %s is no answer to a login", where, r.Code, r.Enhanced)
		}
	}
}
