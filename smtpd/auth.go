package smtpd

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice"
	"sluice/smtp"
)

// This file is AUTH (RFC 4954) with the mechanisms PLAIN (RFC 4616), LOGIN and
// OAUTHBEARER (RFC 7628). Lines that may hold a secret stay octets, which are
// overwritten; the one string made of it is in the event's Credentials.

// maxResponse bounds a response in BASE64, without CRLF (RFC 4954 4).
const maxResponse = 12288

// maxAuthLine bounds an AUTH command with an initial response. RFC 4954 4 keeps it
// to a command's limit; clients with long tokens don't.
const maxAuthLine = maxResponse + 64

// maxName bounds a user's name (RFC 4616 2).
const maxName = 255

// exchange is an AUTH command whose final reply hasn't been sent.
type exchange struct {
	mechanism string
	named     bool // LOGIN: the user's name was sent
	user      string
	refusal   sluice.Reply // OAUTHBEARER: the reply behind the client's answer to the error
}

// bearerError is the error of a refused token (RFC 7628 3.2.2).
const bearerError = `{"status":"invalid_token","schemes":"bearer"}`

// blindAuth is how many errors more an AUTH counts for that nobody offered: programs
// that guess passwords don't read what is offered, others hardly ever try it twice.
const blindAuth = 6

// offersAuth says whether AUTH is advertised.
func (m *Machine) offersAuth() bool {
	return m.cfg.Door == sluice.DoorSubmission && len(m.cfg.Mechanisms) > 0 && (m.tls || m.cfg.ClearTextAuth)
}

// cutAuth returns what stands behind the verb where the line is an AUTH command.
func cutAuth(line []byte) (arg []byte, ok bool) {
	const verb = "AUTH"
	if len(line) < len(verb) || !smtp.EqualFold(string(line[:len(verb)]), verb) {
		return nil, false
	}
	arg = line[len(verb):]
	return arg, len(arg) == 0 || arg[0] == ' ' || arg[0] == '\t'
}

// withoutSecrets cuts octets that are to be quoted behind an AUTH command.
func withoutSecrets(b []byte) []byte {
	for i := range b {
		if i > 0 && alnum(b[i-1]) {
			continue
		}
		if arg, ok := cutAuth(b[i:]); ok {
			return b[:len(b)-len(arg)]
		}
	}
	return b
}

func alnum(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// lineLimit is how long the command line may get that goes on with in.
func (m *Machine) lineLimit(in []byte) int {
	limit := m.cfg.Limits.CommandLine
	if m.cfg.Door != sluice.DoorSubmission {
		return limit
	}
	var start [len("AUTH ")]byte
	n := copy(start[:], m.line)
	n += copy(start[n:], in)
	if _, ok := cutAuth(start[:n]); ok {
		return max(limit, maxAuthLine)
	}
	return limit
}

// authenticate obeys AUTH.
func (m *Machine) authenticate(arg []byte) Event {
	name, initial, _ := bytes.Cut(bytes.Trim(arg, " \t"), []byte(" "))
	if !m.greeted || !m.offersAuth() {
		m.errors += blindAuth
	}
	switch {
	case len(m.cfg.Mechanisms) == 0:
		m.fail(502, "5.5.1", "Command not offered here")
	case len(name) == 0:
		m.fail(501, "5.5.4", "AUTH needs a mechanism")
	case !m.greeted || !m.esmtp:
		m.failGreet()
	case m.authed:
		// RFC 4954 4. So it is in a transaction: none begins without a login.
		m.fail(503, "5.5.1", "Logged in already")
	case !m.offersAuth():
		m.failBy(AuthNeedsTLS)
	default:
		i := slices.IndexFunc(m.cfg.Mechanisms, func(s string) bool {
			return len(s) == len(name) && smtp.EqualFold(s, string(name))
		})
		if i < 0 {
			m.fail(504, "5.5.4", "Mechanism not offered here")
			break
		}
		m.auth = &exchange{mechanism: m.cfg.Mechanisms[i]}
		switch initial = bytes.TrimLeft(initial, " "); {
		case len(initial) == 0 && m.auth.mechanism == "LOGIN":
			m.challenge("Username:")
		case len(initial) == 0:
			m.challenge("")
		case string(initial) == "=": // RFC 4954 4: an empty initial response
			return m.response(nil)
		default:
			return m.response(initial)
		}
	}
	return Event{}
}

// challenge asks the client for a response; it must wait for the question.
func (m *Machine) challenge(text string) {
	m.hold(syncAuth, sluice.Reply{Code: 334, Text: base64.StdEncoding.EncodeToString([]byte(text))})
}

func (m *Machine) endExchange() { m.auth = nil }

// failAuth ends the exchange for a malformed response.
func (m *Machine) failAuth(code int, enhanced, text string) Event {
	m.endExchange()
	m.fail(code, enhanced, text)
	return Event{}
}

// nextResponse collects the response to a challenge.
func (m *Machine) nextResponse(in []byte) (int, Event) {
	line, n, long := m.takeLine(in, maxResponse+2)
	if long {
		m.endExchange()
		m.held = sluice.Reply{Code: 500, Enhanced: "5.5.6", Text: "Response too long"} // RFC 4954 4
		m.state = stateSwallowLine
	}
	if line == nil {
		return n, Event{}
	}
	m.off += int64(n) // as in nextCommand
	ev := m.responseLine(line)
	clear(line)
	m.off -= int64(n)
	return n, ev
}

func (m *Machine) responseLine(line []byte) Event {
	m.state = stateCommand
	if kind, at, ok := lineFault(line); ok {
		m.violate(kind, m.off-int64(len(line)-at), nil)
		m.endExchange()
		return Event{}
	}
	line = line[:len(line)-2]
	switch {
	case m.auth.refusal.Code != 0:
		// RFC 7628 3.2.3: %x01, or whatever; it was only to be waited for.
		m.refuseAuth(m.auth.refusal)
		return Event{}
	case string(line) == "*": // RFC 4954 4
		return m.failAuth(501, "5.7.0", "Cancelled")
	}
	return m.response(line)
}

// response takes a response in BASE64.
func (m *Machine) response(coded []byte) Event {
	b := make([]byte, base64.StdEncoding.DecodedLen(len(coded)))
	defer clear(b)
	n, err := base64.StdEncoding.Strict().Decode(b, coded)
	if err != nil {
		return m.failAuth(501, "5.5.2", "Not BASE64")
	}
	c := &sluice.Credentials{Mechanism: m.auth.mechanism}
	ok := false
	switch data := b[:n]; c.Mechanism {
	case "PLAIN":
		var authorize, user, secret []byte
		authorize, user, secret, ok = plain(data)
		c.Authorize, c.User, c.Secret = string(authorize), string(user), string(secret)
	case "OAUTHBEARER":
		var token []byte
		c.User, token, ok = bearer(data)
		c.Secret = string(token)
	case "LOGIN":
		if !m.auth.named {
			if !validName(data) {
				break
			}
			m.auth.named, m.auth.user = true, string(data)
			m.challenge("Password:")
			return Event{}
		}
		c.User, ok = m.auth.user, validSecret(data)
		c.Secret = string(data)
	}
	if !ok {
		return m.failAuth(501, "5.5.2", "Malformed response")
	}
	return Event{Kind: Auth, Credentials: c}
}

// answerAuth sends the gate's reply to credentials.
func (m *Machine) answerAuth(r sluice.Reply) {
	m.state = stateCommand
	switch {
	case r.Code < 300:
		m.endExchange()
		if m.authed = true; r.Code != 235 {
			r.Code, r.Enhanced, r.Text = 235, "2.7.0", "Logged in"
		}
		m.reply(r)
	case r.Code < 400:
		m.refuseAuth(ourTrouble)
	case r.Code == 535 && !r.Close && m.auth.mechanism == "OAUTHBEARER":
		m.auth.refusal = r
		m.challenge(bearerError)
	default:
		m.refuseAuth(r)
	}
}

func (m *Machine) refuseAuth(r sluice.Reply) {
	m.endExchange()
	if r.Permanent() {
		if m.errors++; m.errors >= m.cfg.Limits.Errors && !r.Close {
			m.violate(TooManyErrors, m.off, nil)
			return
		}
	}
	m.reply(r)
}

// plain reads [authzid] NUL authcid NUL passwd (RFC 4616 2).
func plain(b []byte) (authorize, user, secret []byte, ok bool) {
	authorize, b, _ = bytes.Cut(b, []byte{0})
	user, secret, _ = bytes.Cut(b, []byte{0})
	return authorize, user, secret, (len(authorize) == 0 || validName(authorize)) && validName(user) && validSecret(secret)
}

func validName(b []byte) bool {
	return len(b) > 0 && len(b) <= maxName && utf8.Valid(b) &&
		!bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 })
}

func validSecret(b []byte) bool {
	return len(b) > 0 && utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// bearer reads the client's first message of OAUTHBEARER (RFC 7628 3.1):
//
//	n,a=user@example.org,^Ahost=server.example.org^Aauth=Bearer token^A^A
func bearer(b []byte) (user string, token []byte, ok bool) {
	header, pairs, _ := bytes.Cut(b, []byte{1})
	flag, header, ok1 := bytes.Cut(header, []byte(","))
	name, rest, ok2 := bytes.Cut(header, []byte(","))
	// Channel binding ("p") isn't offered.
	if !ok1 || !ok2 || len(rest) > 0 || string(flag) != "n" && string(flag) != "y" {
		return "", nil, false
	}
	if len(name) > 0 {
		if user, ok = saslName(name); !ok {
			return "", nil, false
		}
	}
	pairs, ok = bytes.CutSuffix(pairs, []byte{1, 1})
	if !ok {
		return "", nil, false
	}
	for pair := range bytes.SplitSeq(pairs, []byte{1}) {
		key, value, has := bytes.Cut(pair, []byte("="))
		switch {
		case !has || len(key) == 0:
			return "", nil, false
		case string(key) == "auth" && token == nil:
			const scheme = "Bearer "
			if len(value) <= len(scheme) || !smtp.EqualFold(string(value[:len(scheme)]), scheme) {
				return "", nil, false
			}
			token = value[len(scheme):]
		case string(key) == "auth":
			return "", nil, false
		}
	}
	return user, token, validToken(token)
}

// saslName reads "a=" and a name in which "=2C" is a comma and "=3D" an equals
// sign (RFC 5801 4).
func saslName(b []byte) (string, bool) {
	b, ok := bytes.CutPrefix(b, []byte("a="))
	s := strings.NewReplacer("=2C", ",", "=3D", "=", "=", "\x00").Replace(string(b))
	return s, ok && validName([]byte(s))
}

// validToken checks the b64token of RFC 6750 2.1.
func validToken(b []byte) bool {
	b = bytes.TrimRight(b, "=")
	return len(b) > 0 && !bytes.ContainsFunc(b, func(r rune) bool {
		return r > '~' || !alnum(byte(r)) && !strings.ContainsRune("-._~+/", r)
	})
}

// authParam checks the value of MAIL's AUTH parameter (RFC 4954 5).
func authParam(value string) bool { return value != "" && len(value) <= 500 }
