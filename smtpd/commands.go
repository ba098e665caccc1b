package smtpd

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"

	"sluice"
	"sluice/smtp"
)

// nextCommand collects a command line and obeys it.
func (m *Machine) nextCommand(in []byte) (int, Event) {
	if len(m.line) == 0 && otherProtocol(in[0]) {
		m.violate(NotSMTP, m.off, in[:1])
		return 0, Event{}
	}
	line, n, long := m.takeLine(in, m.lineLimit(in))
	if long {
		m.violate(CommandTooLong, m.off+int64(n), nil)
	}
	if line == nil {
		return n, Event{}
	}
	// The offset counts the line as taken from here on; Next adds what this
	// call returns, so it must be taken off again.
	m.off += int64(n)
	m.trace.Command(line, m.cfg.Hostname, n < len(in))
	ev := m.command(line)
	m.off -= int64(n)
	if m.cfg.Door == sluice.DoorSubmission {
		clear(line) // it may have been a secret
	}
	return n, ev
}

// takeLine collects a line: it returns nil where its end hasn't come, and long
// where it has more than limit octets; then n is how many were taken up to there.
func (m *Machine) takeLine(in []byte, limit int) (line []byte, n int, long bool) {
	n = bytes.IndexByte(in, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(in)
	}
	if len(m.line)+n > limit {
		n = limit - len(m.line)
		m.dropLine()
		clear(in[:n])
		return nil, n, true
	}
	if ended && len(m.line) == 0 {
		return in[:n], n, false
	}
	m.keep(in[:n])
	if !ended {
		return nil, n, false
	}
	line, m.line = m.line, nil
	return line, n, false
}

// keep adds a piece to the line. The line may hold a secret, so nothing of it is
// left elsewhere.
func (m *Machine) keep(piece []byte) {
	if need := len(m.line) + len(piece); need > cap(m.line) {
		grown := make([]byte, len(m.line), max(need, 2*cap(m.line), 64))
		copy(grown, m.line)
		clear(m.line)
		m.line = grown
	}
	m.line = append(m.line, piece...)
	clear(piece)
}

func (m *Machine) dropLine() {
	clear(m.line)
	m.line = nil
}

// otherProtocol knows the first octet of a TLS record and of an SSL 2 hello.
func otherProtocol(c byte) bool { return c == 0x16 || c == 0x80 }

// httpVerbs are the methods by which a browser or a bot can be led here.
var httpVerbs = []string{"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI"}

// http says whether the line is an HTTP request.
func http(line []byte) bool {
	verb, _, ok := bytes.Cut(line, []byte(" "))
	return ok && slices.Contains(httpVerbs, string(verb))
}

// command obeys one line, CRLF included. m.off is behind it.
func (m *Machine) command(line []byte) Event {
	if http(line) { // with whatever line end
		m.violate(NotSMTP, m.off-int64(len(line)), line)
		return Event{}
	}
	if kind, at, ok := lineFault(line); ok {
		m.violate(kind, m.off-int64(len(line)-at), line)
		return Event{}
	}
	line = line[:len(line)-2]
	first := m.commands == 0
	if m.commands++; m.commands > m.cfg.Limits.Commands {
		m.violate(TooManyCommands, m.off, nil)
		return Event{}
	}
	if arg, ok := cutAuth(line); ok {
		m.hush = true
		if !m.refused && m.cfg.Door == sluice.DoorSubmission {
			return m.authenticate(arg)
		}
	}
	cmd, err := smtp.ParseCommand(line)
	if err != nil && first && len(line) > 0 {
		m.violate(NotSMTP, m.off-int64(len(line)+2), line)
		return Event{}
	}
	if err != nil {
		m.fail(500, "5.5.2", "Not a command")
		return Event{}
	}
	if m.refused && cmd.Verb != "QUIT" {
		m.fail(503, "5.5.1", "This connection was refused; only QUIT is left")
		return Event{}
	}
	switch cmd.Verb {
	case "EHLO", "HELO", "LHLO":
		return m.hello(cmd)
	case "MAIL":
		return m.mail(cmd.Arg)
	case "RCPT":
		return m.rcpt(cmd.Arg)
	case "DATA":
		return m.data(cmd.Arg)
	case "BDAT":
		return m.bdat(cmd.Arg)
	case "RSET":
		return m.rset(cmd.Arg)
	case "STARTTLS":
		m.starttls(cmd.Arg)
	case "NOOP": // RFC 5321 4.1.1.9: an argument is ignored
		m.hold(syncPlain, sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "OK"})
	case "VRFY":
		if cmd.Arg == "" {
			m.fail(501, "5.5.4", "VRFY needs an address")
			break
		}
		// RFC 5321 3.5.3, 7.3: say nothing about who exists.
		m.hold(syncPlain, sluice.Reply{Code: 252, Enhanced: "2.0.0", Text: "Cannot tell; send mail and see"})
	case "HELP":
		m.hold(syncPlain, sluice.Reply{Code: 214, Enhanced: "2.0.0", Text: "See RFC 5321"})
	case "QUIT":
		if cmd.Arg != "" {
			m.fail(501, "5.5.4", "QUIT takes no argument")
			break
		}
		m.say(221, "2.0.0", "Bye")
		m.close(sluice.EndedQuit)
	case "AUTH": // on a door without it
		m.errors += blindAuth
		m.fail(502, "5.5.1", "Command not offered here")
	case "EXPN", "ETRN", "TURN":
		m.fail(502, "5.5.1", "Command not offered here")
	case "XCLIENT":
		m.xclient(cmd.Arg)
	case "XFORWARD":
		m.xforward(cmd.Arg)
	default:
		m.unknown()
	}
	return Event{}
}

// failGreet asks for a greeting.
func (m *Machine) failGreet() {
	verb := "EHLO"
	if m.lmtp() {
		verb = "LHLO"
	}
	m.fail(503, "5.5.1", "Send "+verb+" first")
}

func (m *Machine) unknown() { m.fail(500, "5.5.2", "Unknown command") }

// lineFault finds the first octet that no command line may hold: it ends with
// CRLF, and neither CR, LF nor NUL stands elsewhere (RFC 5321 2.3.8).
func lineFault(line []byte) (kind sluice.Reason, at int, found bool) {
	end := len(line) - 1 // the LF
	i := bytes.IndexAny(line[:end], "\x00\r")
	switch {
	case i >= 0 && line[i] == 0:
		return NUL, i, true
	case i < 0:
		return BareLF, end, true
	case i < end-1:
		return BareCR, i, true
	}
	return "", 0, false
}

func (m *Machine) hello(cmd smtp.Command) Event {
	switch lhlo := cmd.Verb == "LHLO"; {
	case m.lmtp() && !lhlo:
		m.fail(500, "5.5.1", "This is LMTP; send LHLO") // RFC 2033 4.1
		return Event{}
	case lhlo && !m.lmtp():
		m.unknown()
		return Event{}
	case cmd.Arg == "":
		m.fail(501, "5.5.4", cmd.Verb+" needs your host name")
		return Event{}
	}
	// RFC 5321 4.1.4: a greeting is a RSET as well.
	reset := m.trans
	m.endTransaction()
	m.greeted, m.esmtp = false, cmd.Verb != "HELO"
	hello := sluice.Hello{Verb: cmd.Verb, Name: cmd.Arg}
	if said := m.hop.hello(); said.Verb != "" {
		hello = said // the client's own, as XCLIENT had it
	}
	return Event{Kind: Hello, Reset: reset, Hello: hello}
}

// sayHello answers EHLO or HELO. Only our own name is in it.
func (m *Machine) sayHello(r sluice.Reply) {
	if !r.Positive() {
		m.esmtp = false
		m.answered(r)
		return
	}
	m.greeted = true
	if !m.esmtp {
		m.offer = sluice.Extensions{Size: m.offer.Size} // nobody was told of the others
		m.out = smtp.AppendReply(m.out, 250, "", m.cfg.Hostname)
		return
	}
	lines := append(make([]string, 0, 12), m.cfg.Hostname,
		"PIPELINING", "SIZE "+strconv.FormatInt(m.maxSize(), 10), "ENHANCEDSTATUSCODES", "CHUNKING")
	if m.cfg.StartTLS && !m.tls {
		lines = append(lines, "STARTTLS")
	}
	if m.offer.EightBit {
		lines = append(lines, "8BITMIME")
	}
	if m.offer.SMTPUTF8 {
		lines = append(lines, "SMTPUTF8")
	}
	if m.offer.DSN {
		lines = append(lines, "DSN")
	}
	if m.offersAuth() {
		lines = append(lines, "AUTH "+strings.Join(m.cfg.Mechanisms, " "))
	}
	if m.peer.XClient {
		lines = append(lines, xclientKeyword)
	}
	if m.peer.XForward {
		lines = append(lines, xforwardKeyword)
	}
	m.out = smtp.AppendReplyLines(m.out, 250, lines)
}

// maxSize is the lower of our limit and the next hops'.
func (m *Machine) maxSize() int64 {
	if m.offer.Size > 0 {
		return min(m.offer.Size, m.cfg.Limits.Message)
	}
	return m.cfg.Limits.Message
}

func (m *Machine) starttls(arg string) {
	switch {
	case arg != "":
		m.fail(501, "5.5.4", "STARTTLS takes no argument")
	case !m.cfg.StartTLS:
		m.fail(502, "5.5.1", "Command not offered here")
	case m.tls:
		m.fail(503, "5.5.1", "TLS is on already")
	case !m.esmtp || !m.greeted:
		m.failGreet()
	case m.xfer != nil:
		m.fail(503, "5.5.1", "Finish the message first")
	default:
		m.hold(syncTLS, sluice.Reply{Code: 220, Enhanced: "2.0.0", Text: "Ready to start TLS"})
	}
}

func (m *Machine) mail(arg string) Event {
	switch {
	case !m.greeted:
		m.failGreet()
		return Event{}
	case m.trans:
		m.fail(503, "5.5.1", "A transaction is open already")
		return Event{}
	case m.cfg.Door == sluice.DoorSubmission && !m.authed:
		m.failBy(AuthRequired) // RFC 6409 4.3, RFC 4954 4
		return Event{}
	}
	if m.transactions++; m.transactions > m.cfg.Limits.Transactions {
		m.violate(TooManyTransactions, m.off, nil)
		return Event{}
	}
	cmd, err := smtp.ParseMail(arg)
	if err != nil {
		m.failPath(err, "5.1.7", "MAIL FROM:<address>")
		return Event{}
	}
	var smtputf8 bool
	for _, p := range cmd.Params {
		size, code, enhanced, text := m.mailParam(p)
		switch {
		case code != 0:
			m.fail(code, enhanced, text)
			return Event{}
		case size > m.maxSize():
			// RFC 1870 6.1: refuse early what is declared too big.
			m.violate(MessageTooBig, m.off, nil)
			return Event{}
		}
		smtputf8 = smtputf8 || p.Is("SMTPUTF8")
	}
	if cmd.Address.UTF8 && !smtputf8 {
		m.fail(553, "5.6.7", "A non-ASCII address needs SMTPUTF8") // RFC 6531 3.5
		return Event{}
	}
	m.smtputf8 = smtputf8
	return Event{Kind: Mail, Address: cmd.Address.Raw, Params: params(cmd.Params), Forward: m.hop.forMail()}
}

// mailParam checks one parameter of MAIL; code is 0 where it is fine.
func (m *Machine) mailParam(p smtp.Param) (size int64, code int, enhanced, text string) {
	ok := true
	switch {
	case p.Is("SIZE") && m.esmtp:
		n, err := smtp.ParseSize(p.Value)
		size, ok = n, err == nil
	case p.Is("BODY") && m.offer.EightBit: // RFC 6152 2
		ok = smtp.EqualFold(p.Value, "7BIT") || smtp.EqualFold(p.Value, "8BITMIME")
	case p.Is("SMTPUTF8") && m.offer.SMTPUTF8: // RFC 6531 3.4
		ok = p.Value == ""
	case p.Is("RET") && m.offer.DSN: // RFC 3461 4.3
		ok = smtp.EqualFold(p.Value, "FULL") || smtp.EqualFold(p.Value, "HDRS")
	case p.Is("ENVID") && m.offer.DSN: // RFC 3461 4.4
		ok = p.Value != "" && len(p.Value) <= 100
	case p.Is("AUTH") && m.offersAuth(): // RFC 4954 5
		ok = authParam(p.Value)
	default:
		// RFC 5321 4.1.1.11: not understood, so not passed on.
		return 0, 555, "5.5.4", "Parameter not offered here"
	}
	if !ok {
		return 0, 501, "5.5.4", "Bad value of a parameter"
	}
	return size, 0, "", ""
}

func (m *Machine) rcpt(arg string) Event {
	switch {
	case !m.trans:
		m.fail(503, "5.5.1", "Send MAIL first")
		return Event{}
	case m.xfer != nil:
		m.fail(503, "5.5.1", "Chunks have begun")
		return Event{}
	case m.rcpts >= m.cfg.Limits.Recipients:
		// RFC 5321 4.5.3.1.10: the client sends the rest in another transaction.
		m.answered(sluice.Reply{Code: 452, Enhanced: "4.5.3", Text: "Too many recipients; send the rest in a new transaction"})
		return Event{}
	}
	cmd, err := smtp.ParseRcpt(arg)
	if err != nil {
		m.failPath(err, "5.1.3", "RCPT TO:<address>")
		return Event{}
	}
	for _, p := range cmd.Params {
		ok := true
		switch {
		case p.Is("NOTIFY") && m.offer.DSN: // RFC 3461 4.1
			ok = notify(p.Value)
		case p.Is("ORCPT") && m.offer.DSN: // RFC 3461 4.2
			ok = len(p.Value) <= 500 && strings.IndexByte(p.Value, ';') > 0
		default:
			m.fail(555, "5.5.4", "Parameter not offered here")
			return Event{}
		}
		if !ok {
			m.fail(501, "5.5.4", "Bad value of a parameter")
			return Event{}
		}
	}
	if cmd.Address.UTF8 && !m.smtputf8 {
		m.fail(553, "5.6.7", "A non-ASCII address needs SMTPUTF8")
		return Event{}
	}
	return Event{Kind: Rcpt, Address: cmd.Address.Raw, Params: params(cmd.Params)}
}

// notify checks NOTIFY's value: NEVER, or a list of the other three.
func notify(value string) bool {
	if smtp.EqualFold(value, "NEVER") {
		return true
	}
	for word := range strings.SplitSeq(value, ",") {
		if !smtp.EqualFold(word, "SUCCESS") && !smtp.EqualFold(word, "FAILURE") && !smtp.EqualFold(word, "DELAY") {
			return false
		}
	}
	return true
}

// failPath words a syntax error of MAIL or RCPT.
func (m *Machine) failPath(err error, enhanced, want string) {
	switch {
	case errors.Is(err, smtp.ErrParam), errors.Is(err, smtp.ErrParamTwin):
		m.fail(501, "5.5.4", "Bad parameter")
	case errors.Is(err, smtp.ErrArgument):
		m.fail(501, "5.5.4", "Syntax: "+want)
	case errors.Is(err, smtp.ErrPathTooLong):
		m.fail(501, enhanced, "Address too long")
	default:
		m.fail(501, enhanced, "Bad address; syntax: "+want)
	}
}

func params(ps []smtp.Param) []sluice.Param {
	if len(ps) == 0 {
		return nil
	}
	out := make([]sluice.Param, 0, len(ps))
	for _, p := range ps {
		if !p.Is("AUTH") { // RFC 4954 5: we vouch for nobody, so nobody is named
			out = append(out, sluice.Param(p))
		}
	}
	return out
}

func (m *Machine) rset(arg string) Event {
	if arg != "" {
		m.fail(501, "5.5.4", "RSET takes no argument")
		return Event{}
	}
	was := m.trans
	m.endTransaction()
	r := sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Forgotten"}
	if m.esmtp || !m.greeted {
		m.reply(r)
	} else {
		m.hold(syncPlain, r)
	}
	if was {
		return Event{Kind: Reset}
	}
	return Event{}
}

func (m *Machine) endTransaction() {
	m.trans, m.smtputf8, m.rcpts, m.xfer = false, false, 0, nil
	m.hop.endTransaction()
}
