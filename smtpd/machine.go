package smtpd

import (
	"bytes"
	"strconv"

	"sluice"
	"sluice/learn/dialect"
	"sluice/smtp"
)

// EventKind says what the machine wants from its driver.
type EventKind uint8

// The events. Those marked (answer) stop the machine until [Machine.Answer].
const (
	NeedInput EventKind = iota // nothing to do: send the output, then feed more octets
	Flush                      // send the output, then go on with the same octets
	Sync                       // say with Machine.Synced whether the client has spoken already
	Connect                    // (answer) a new connection: the greeting
	Hello                      // (answer) EHLO or HELO
	Mail                       // (answer) a transaction begins
	Rcpt                       // (answer) one recipient
	Data                       // (answer) DATA, or the first BDAT
	Content                    // octets of the message; valid until the next call
	Message                    // (answer) the message is complete
	Violation                  // (answer) the client broke the protocol
	Reset                      // the transaction is void
	StartTLS                   // send the output, shake hands, then Machine.TLSStarted
	Auth                       // (answer) a client offers credentials
	XClient                    // the peer is another client from here on; Connect follows
	Closed                     // send the output and close the connection
)

// Event is one step of the conversation.
type Event struct {
	Kind EventKind
	// Reset: the transaction that was open is void; tell the session before
	// anything else.
	Reset     bool
	Hello     sluice.Hello     // Hello
	Address   string           // Mail, Rcpt: without brackets and source route
	Params    []sluice.Param   // Mail, Rcpt
	Content   []byte           // Content
	Violation sluice.Violation // Violation
	Ended     string           // Closed: one of the sluice.Ended… words
	// Credentials belong to Auth. Keep them no longer than the answer takes.
	Credentials *sluice.Credentials
	// Forward says for whom the peer speaks. In XClient it isn't nil and holds
	// until the next one. In Mail, nil means that nothing has changed; else tell
	// the session before anything but Reset.
	Forward *Forward
	// Each: answer this Message with AnswerEach, one reply for each accepted
	// recipient (RFC 2033 4.2). Answer gives them all the same.
	Each bool
}

// MachineConfig is what a machine needs to know. Machines share it and never
// write to it.
type MachineConfig struct {
	Hostname string // our own name
	Door     string // sluice.DoorSMTP, which "" means too, DoorSubmission or DoorLMTP
	StartTLS bool   // offer STARTTLS
	TLS      bool   // TLS is on from the first octet (RFC 8314 3.3)
	// Mechanisms are those of AUTH, as advertised: "PLAIN", "LOGIN",
	// "OAUTHBEARER". Only a submission door has AUTH, and only inside TLS.
	Mechanisms []string
	// ClearTextAuth allows AUTH without TLS, which shows passwords to everybody
	// on the way: for tests on loopback.
	ClearTextAuth bool
	Limits        Limits // no field may be zero
}

// Peer is what a client may do that is a host of ours. To others these commands
// are unknown.
type Peer struct {
	XClient  bool // be another client for the rest of the connection
	XForward bool // speak for another client in one transaction
}

// outputHigh is how much output makes the machine ask for a flush.
const outputHigh = 4096

// maxSwallowLine bounds what is read of an over-long command line.
const maxSwallowLine = 64 << 10

// maxDetail bounds the octets of the input quoted in a violation.
const maxDetail = 64

type state uint8

const (
	stateConnect     state = iota
	stateCommand           // between commands or inside a command line
	stateSwallowLine       // inside an over-long command line
	stateText              // inside the text after DATA
	stateChunk             // inside a chunk after BDAT
	stateTLS               // STARTTLS was answered
	stateAuth              // the client owes a response to a challenge
	stateXClient           // XCLIENT was taken
	stateClosed
)

// Machine is one SMTP conversation as a state machine. The driver feeds octets to
// Next and answers its events; replies collect in an output that the driver sends
// whenever Next has taken all octets. A machine isn't safe for concurrent use.
type Machine struct {
	cfg   *MachineConfig
	offer sluice.Extensions // what EHLO advertises beside our own
	state state
	await EventKind // the event that waits for its answer; NeedInput: none

	off  int64  // octets taken so far
	line []byte // the start of a command line whose end hasn't come
	out  []byte // replies to send

	esmtp   bool // the last greeting was EHLO: extensions apply
	greeted bool
	silent  bool // we haven't greeted yet
	teased  bool // the first line of the greeting is sent, the last isn't
	refused bool // refused at connect: only QUIT is left (RFC 5321 3.1)
	tls     bool
	slow    bool

	trans    bool // MAIL was accepted
	smtputf8 bool // with SMTPUTF8
	rcpts    int  // accepted recipients

	commands, errors, refusals, transactions int

	trace dialect.Trace // how the client speaks

	sync  syncPoint          // not syncNone: a reply is held until the driver says who spoke
	held  sluice.Reply       // that reply, or the one for an over-long line
	pend  []sluice.Violation // violations to report
	xfer  *transfer          // from DATA or the first BDAT to the end of the message
	ended string             // set with stateClosed

	broken    sluice.Reason // the kind of the Violation that waits for its answer
	swallowed int           // octets of an over-long command line

	peer   Peer      // what the client may do as a host of ours
	authed bool      // AUTH succeeded
	hush   bool      // AUTH was tried: what looks like a command may be a secret
	auth   *exchange // from AUTH to its end
	hop    *hop      // not nil once the peer has spoken for another client
}

// syncPoint is a place where the client must wait for our reply.
type syncPoint uint8

const (
	syncNone syncPoint = iota
	syncGreeting
	syncHello
	syncData
	syncTLS
	syncAuth    // a challenge
	syncXClient // the greeting after XCLIENT
	syncPlain   // any other command that must be the last of its group
)

// NewMachine starts a conversation. The first event is Connect.
func NewMachine(cfg *MachineConfig) *Machine {
	return &Machine{cfg: cfg, silent: true, tls: cfg.TLS}
}

// Offer sets what the next hops can take; EHLO advertises it. Call it before the
// answer to a Hello event.
func (m *Machine) Offer(e sluice.Extensions) { m.offer = e }

// Allow lets the client speak for others. Call it before the answer to the first
// Connect event.
func (m *Machine) Allow(p Peer) { m.peer = p }

// TakeOutput returns the replies to send, nil where there are none.
func (m *Machine) TakeOutput() []byte {
	out := m.out
	m.out = nil
	return out
}

// TakeSlow says whether a reply in the output asked to be sent slowly.
func (m *Machine) TakeSlow() bool {
	slow := m.slow
	m.slow = false
	return slow
}

// Offset is the number of octets taken so far.
func (m *Machine) Offset() int64 { return m.off }

// Receiving says whether the client is sending a message.
func (m *Machine) Receiving() bool { return m.state == stateText || m.state == stateChunk }

// Partial says whether the machine is inside a command line.
func (m *Machine) Partial() bool { return len(m.line) > 0 || m.state == stateSwallowLine }

// InTransaction says whether MAIL was accepted and the transaction isn't over.
func (m *Machine) InTransaction() bool { return m.trans }

// Next takes octets from in and returns how many, and what the driver must do.
// With NeedInput it has taken them all. It must not be called while an event
// waits for its answer. Octets that may hold a secret are overwritten in the
// caller's buffer once they are taken.
func (m *Machine) Next(in []byte) (int, Event) {
	if m.await != NeedInput {
		panic("smtpd: Next before Answer")
	}
	taken := 0
	for {
		if ev, ok := m.due(); ok {
			return taken, ev
		}
		if taken == len(in) {
			return taken, Event{}
		}
		var n int
		var ev Event
		switch rest := in[taken:]; m.state {
		case stateCommand:
			n, ev = m.nextCommand(rest)
		case stateSwallowLine:
			n = m.swallowLine(rest)
		case stateText:
			n, ev = m.nextText(rest)
		case stateChunk:
			n, ev = m.nextChunk(rest)
		case stateAuth:
			n, ev = m.nextResponse(rest)
		}
		m.off += int64(n)
		taken += n
		if ev.Kind != NeedInput {
			return taken, m.emit(ev)
		}
	}
}

// due returns the event that doesn't need input.
func (m *Machine) due() (Event, bool) {
	switch {
	case len(m.pend) > 0:
		v := m.pend[0]
		if m.pend = m.pend[1:]; len(m.pend) == 0 {
			m.pend = nil
		}
		m.broken = v.Kind
		return m.emit(Event{Kind: Violation, Violation: v}), true
	case m.sync != syncNone:
		return m.emit(Event{Kind: Sync}), true
	case m.state == stateClosed:
		return Event{Kind: Closed, Ended: m.ended}, true
	case m.state == stateConnect:
		return m.emit(Event{Kind: Connect}), true
	case m.state == stateTLS:
		return m.emit(Event{Kind: StartTLS, Reset: m.trans}), true
	case m.state == stateXClient:
		m.state = stateConnect
		return m.emit(Event{Kind: XClient, Forward: m.hop.client.forward()}), true
	case m.xfer != nil:
		if ev, ok := m.xferDue(); ok {
			return m.emit(ev), true
		}
	}
	if len(m.out) >= outputHigh {
		return Event{Kind: Flush}, true
	}
	return Event{}, false
}

func (m *Machine) emit(ev Event) Event {
	switch ev.Kind {
	case NeedInput, Flush, Content, Reset, Closed, XClient:
	default:
		m.await = ev.Kind
	}
	return ev
}

// ourTrouble stands for a reply that the gate didn't give.
var ourTrouble = sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "Local trouble, not your fault; please try again later"}

// Answer answers the event that Next returned last.
func (m *Machine) Answer(r sluice.Reply) {
	kind := m.await
	m.await = NeedInput
	if kind != Violation && (r.Code < 200 || r.Code > 599) {
		closes := r.Close
		r = ourTrouble
		r.Close = closes
	}
	switch kind {
	case Connect:
		m.state = stateCommand
		switch {
		case !r.Positive():
			m.refused, m.silent = true, false
			m.reply(r)
		case m.silent:
			m.hold(syncGreeting, r)
		default: // after XCLIENT; it was looked for early octets before
			m.sayGreeting()
		}
	case Hello:
		m.hold(syncHello, r)
	case Mail:
		m.trans = r.Positive()
		m.answered(r)
	case Rcpt:
		if r.Positive() {
			m.rcpts++
		}
		m.answered(r)
	case Data:
		if m.xfer.chunked {
			if !r.Positive() {
				m.xfer.blind = true
				m.xfer.refuse(r)
			}
			m.state = stateChunk
			return
		}
		m.hold(syncData, r)
	case Message:
		m.answerMessage(r, nil)
	case Auth:
		m.answerAuth(r)
	case Violation:
		m.answerViolation(m.broken, r)
	default:
		panic("smtpd: Answer without an event that waits for one")
	}
}

// answered sends the gate's reply to MAIL or RCPT, at once where the client may
// pipeline.
func (m *Machine) answered(r sluice.Reply) {
	if r.Permanent() {
		if m.refusals++; m.refusals >= m.cfg.Limits.Refusals && !r.Close {
			m.violate(TooManyErrors, m.off, nil)
			return
		}
	}
	if m.esmtp {
		m.reply(r)
		return
	}
	m.hold(syncPlain, r)
}

// hold keeps a reply back until the driver has looked whether the client spoke
// before it.
func (m *Machine) hold(at syncPoint, r sluice.Reply) { m.sync, m.held = at, r }

// Synced answers a Sync event: early is the start of what the client has sent
// behind the last command without waiting for our reply, empty where it waits as
// it must. The octets are only quoted; Next doesn't see them by this.
func (m *Machine) Synced(early []byte) {
	if m.await != Sync {
		panic("smtpd: Synced without Sync")
	}
	at, r := m.sync, m.held
	m.await, m.sync, m.held = NeedInput, syncNone, sluice.Reply{}
	m.traceSync(at, early)
	if len(early) > 0 {
		kind := EarlyPipelining // RFC 2920 3.1
		switch at {
		case syncGreeting:
			kind = EarlyTalker // RFC 5321 3.1: the client waits for the greeting
			if m.teased {
				m.sayGreeting() // so that the refusal is a reply of its own, with one code
			}
		case syncTLS:
			kind = StartTLSInjection // RFC 3207 4.2
		}
		m.violate(kind, m.off, early)
		m.endExchange()
		return
	}
	switch at {
	case syncGreeting:
		m.silent = false
		m.sayGreeting()
	case syncHello:
		m.sayHello(r)
	case syncData:
		m.sayData(r)
	case syncTLS:
		m.reply(r)
		m.state = stateTLS
	case syncAuth:
		m.reply(r)
		m.state = stateAuth
	case syncXClient:
		m.state = stateXClient
	case syncPlain:
		m.reply(r)
	}
}

func (m *Machine) sayGreeting() {
	if m.teased {
		m.teased = false
		m.out = append(m.out, "220 ESMTP ready\r\n"...)
		return
	}
	m.out = smtp.AppendReply(m.out, 220, "", m.greeting())
}

func (m *Machine) greeting() string {
	if m.lmtp() {
		return m.cfg.Hostname + " LMTP Sluice"
	}
	return m.cfg.Hostname + " ESMTP Sluice"
}

// Tease sends the first line of a greeting of two (RFC 5321 4.2.1), so that a
// client that takes any line for a greeting gives itself away. It belongs to the
// Sync event of the greeting and does nothing elsewhere.
func (m *Machine) Tease() {
	if m.await == Sync && m.sync == syncGreeting && !m.lmtp() && !m.teased {
		m.teased = true
		m.out = append(append(append(m.out, "220-"...), m.greeting()...), '\r', '\n')
	}
}

// TLSStarted says that the handshake is done. The client must greet again, and
// everything it said in clear text is forgotten (RFC 3207 4.2).
func (m *Machine) TLSStarted() {
	if m.await != StartTLS {
		panic("smtpd: TLSStarted without StartTLS")
	}
	m.await, m.state, m.tls = NeedInput, stateCommand, true
	m.trace.TLS()
	m.greeted, m.esmtp, m.authed, m.offer = false, false, false, sluice.Extensions{}
	m.endTransaction()
}

// Refuse makes the machine refuse the message that is coming in: the rest is read
// and thrown away, and r is the reply at its end.
func (m *Machine) Refuse(r sluice.Reply) {
	if m.xfer != nil {
		m.xfer.refuse(r)
	}
}

// Shut ends the conversation with a reply from outside the protocol: a deadline,
// a shutdown.
func (m *Machine) Shut(r sluice.Reply, ended string) {
	r.Close = true
	m.reply(r)
	m.ended, m.await, m.sync, m.pend = ended, NeedInput, syncNone, nil
	m.held = sluice.Reply{}
}

// Lost says that the connection is gone. It returns a violation to report where
// that cut a chunk short.
func (m *Machine) Lost() (sluice.Violation, bool) {
	cut := m.state == stateChunk && m.xfer.left > 0
	v := sluice.Violation{Kind: ChunkCutShort, Phase: sluice.PhaseData, Offset: m.off}
	if cut {
		v.Detail = strconv.FormatInt(m.xfer.left, 10) + " octets of the chunk are missing"
	}
	m.state, m.ended = stateClosed, sluice.EndedLost
	return v, cut
}

// reply writes one reply and closes where it says so.
func (m *Machine) reply(r sluice.Reply) {
	m.trace.Reply(r.Code)
	m.out = smtp.AppendReply(m.out, r.Code, r.Enhanced, r.Text)
	m.slow = m.slow || r.Slow
	if r.Close || r.Code == 421 {
		m.close(sluice.EndedRefused)
	}
}

func (m *Machine) close(ended string) {
	m.state, m.ended = stateClosed, ended
	m.dropLine()
	m.endExchange()
	m.xfer = nil
}

// say writes a fixed reply.
func (m *Machine) say(code int, enhanced, text string) {
	m.reply(sluice.Reply{Code: code, Enhanced: enhanced, Text: text})
}

// fail refuses a command; too many of those end the session.
func (m *Machine) fail(code int, enhanced, text string) {
	if m.errors++; m.errors >= m.cfg.Limits.Errors {
		m.violate(TooManyErrors, m.off, nil)
		return
	}
	m.say(code, enhanced, text)
}

// failBy refuses a command with words of the gate's.
func (m *Machine) failBy(kind sluice.Reason) {
	if m.errors++; m.errors >= m.cfg.Limits.Errors {
		kind = TooManyErrors
	}
	m.violate(kind, m.off, nil)
}

// violate puts a violation in the queue. The octets are quoted in its detail.
func (m *Machine) violate(kind sluice.Reason, off int64, octets []byte) {
	v := sluice.Violation{Kind: kind, Phase: m.phase(), Offset: off}
	if !m.Receiving() {
		if octets = withoutSecrets(octets); m.hush {
			octets = nil
		}
	}
	if kind == AuthNeedsTLS {
		v.Phase = sluice.PhaseAuth
	}
	if len(octets) > 0 {
		v.Detail = strconv.QuoteToASCII(string(octets[:min(len(octets), maxDetail)]))
	}
	m.pend = append(m.pend, v)
}

func (m *Machine) phase() sluice.Phase {
	switch {
	case m.auth != nil:
		return sluice.PhaseAuth
	case m.xfer != nil:
		return sluice.PhaseData
	case m.trans:
		return sluice.PhaseRcpt
	case m.greeted:
		return sluice.PhaseMail
	case m.silent:
		return sluice.PhaseConnect
	}
	return sluice.PhaseHello
}

// violationRule is what the door does where the gate has no words of its own.
type violationRule struct {
	reply sluice.Reply
	close bool // close even if the gate's reply doesn't say so
}

var violationRules = map[sluice.Reason]violationRule{
	BareCR:              {sluice.Reply{Code: 554, Enhanced: "5.6.0", Text: "Bare CR received: lines end with CRLF only"}, true},
	BareLF:              {sluice.Reply{Code: 554, Enhanced: "5.6.0", Text: "Bare LF received: lines end with CRLF only"}, true},
	Smuggling:           {sluice.Reply{Code: 554, Enhanced: "5.6.0", Text: "Only CRLF.CRLF ends a message"}, true},
	NUL:                 {sluice.Reply{Code: 554, Enhanced: "5.6.0", Text: "NUL octet received"}, true},
	TextLineTooLong:     {sluice.Reply{Code: 554, Enhanced: "5.6.0", Text: "A line of the message is too long"}, false},
	CommandTooLong:      {sluice.Reply{Code: 500, Enhanced: "5.5.2", Text: "Command line too long"}, false},
	MessageTooBig:       {sluice.Reply{Code: 552, Enhanced: "5.3.4", Text: "Message too big"}, false},
	EarlyTalker:         {sluice.Reply{Code: 554, Enhanced: "5.5.1", Text: "You spoke before the greeting"}, true},
	EarlyPipelining:     {sluice.Reply{Code: 554, Enhanced: "5.5.1", Text: "You did not wait for the reply"}, true},
	StartTLSInjection:   {sluice.Reply{Code: 554, Enhanced: "5.5.1", Text: "Clear text behind STARTTLS"}, true},
	NotSMTP:             {sluice.Reply{Code: 554, Enhanced: "5.5.1", Text: "This is an SMTP port"}, true},
	TooManyErrors:       {sluice.Reply{Code: 421, Enhanced: "4.7.0", Text: "Too many errors"}, true},
	TooManyTransactions: {sluice.Reply{Code: 421, Enhanced: "4.7.0", Text: "Too many transactions; connect again"}, true},
	TooManyCommands:     {sluice.Reply{Code: 421, Enhanced: "4.7.0", Text: "Too many commands"}, true},
	BadChunk:            {sluice.Reply{Code: 501, Enhanced: "5.5.4", Text: "Syntax: BDAT size [LAST]"}, true},
	AuthNeedsTLS:        {sluice.Reply{Code: 538, Enhanced: "5.7.11", Text: "Logins need an encrypted connection; send STARTTLS first"}, false},
	AuthRequired:        {sluice.Reply{Code: 530, Enhanced: "5.7.0", Text: "This port is for our own users; log in first, or send to port 25"}, false},
}

// answerViolation sends the refusal, at once or at the end of what is being read.
// A violation is never answered positively, whatever the gate says.
func (m *Machine) answerViolation(kind sluice.Reason, r sluice.Reply) {
	rule := violationRules[kind]
	if !r.Temporary() && !r.Permanent() {
		r = rule.reply
		if r.Enhanced == "5.6.0" && !m.Receiving() {
			r.Enhanced = "5.5.2" // the same octets in a command
		}
	}
	r.Close = r.Close || rule.close
	switch {
	case m.Receiving():
		if kind == Smuggling {
			m.xfer.refusal = sluice.Reply{} // the graver word
		}
		m.xfer.refuse(r)
	case kind == CommandTooLong:
		m.held = r
		m.state = stateSwallowLine
	default:
		m.reply(r)
	}
}

// swallowLine reads to the end of an over-long command line, then answers it.
func (m *Machine) swallowLine(in []byte) int {
	in = in[:min(len(in), maxSwallowLine-m.swallowed)]
	n := bytes.IndexByte(in, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(in)
	}
	clear(in[:n]) // it may be a secret
	m.swallowed += n
	if !ended && m.swallowed < maxSwallowLine {
		return n
	}
	r := m.held
	m.swallowed, m.held, m.state = 0, sluice.Reply{}, stateCommand
	if r.Close || !ended {
		r.Close = true
		m.reply(r)
		return n
	}
	m.off += int64(n) // as in nextCommand
	m.fail(r.Code, r.Enhanced, r.Text)
	m.off -= int64(n)
	return n
}
