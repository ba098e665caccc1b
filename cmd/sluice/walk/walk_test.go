package walk

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/explain"
	"sluice/guard"
	"sluice/reason"
)

// step is one refusal and the way to it.
type step struct {
	why    string       // the reason that the page begins with
	phase  sluice.Phase // where it is stated
	want   string       // "550 5.7.1"
	set    func(*world) // before the port opens
	warm   func(*world) // after
	say    []string     // what the client says after the greeting; the reply to the last is the refusal
	early  bool         // the refusal stands in place of the greeting
	direct func(w *world) []string
	desk   bool // answered with the postmaster's address in place of a link
}

const (
	ehlo = "EHLO walker.sender.example\r\n"
	mail = "MAIL FROM:<ann@sender.example>\r\n"
	rcpt = "RCPT TO:<" + recipient + ">\r\n"
	data = "DATA\r\n"
	head = "From: ann@sender.example\r\nTo: walker@a.example\r\nSubject: minutes\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n"
	text = head + "\r\nThe minutes are on the wiki.\r\n.\r\n"
)

func whole(last ...string) []string { return append([]string{ehlo, mail, rcpt, data}, last...) }

// hop sets what the next hop answers.
func hop(code int, enhanced, text string) func(*world) {
	return func(w *world) { w.hop = sluice.Reply{Code: code, Enhanced: enhanced, Text: text} }
}

// port gives the port a memory with settings of its own.
func port(change func(*guard.Config)) func(*world) {
	return func(w *world) {
		c := guard.Config{}
		if change != nil {
			change(&c)
		}
		w.guarded(c)
	}
}

func submission(err error) func(*world) {
	return func(w *world) {
		w.door.Door = sluice.DoorSubmission
		w.door.Settings.Mechanisms, w.door.Settings.ClearTextAuth = []string{"PLAIN"}, true
		w.gate.Settings.Login = logins{err}
	}
}

// user restricts all users.
func user(r sluice.Restriction) func(*world) {
	return func(w *world) {
		submission(nil)(w)
		w.gate.Settings.Users = restricted(r)
	}
}

var wrongLogin = &sluice.Error{Reply: sluice.Reply{Code: 535}, Why: reason.AuthFailed, Err: errors.New("wrong")}

const plain = "AUTH PLAIN AGFubgB3cm9uZw==\r\n" // ann, wrong

// steps are the refusals that the door, the port, recipients and the way out make. Codes
// are those of the table of replies that the catalogue follows; see the sources there.
var steps = []step{
	// In place of a greeting.
	{why: reason.ClientBanned, phase: sluice.PhaseConnect, want: "554 5.7.1", set: port(nil), early: true, warm: func(w *world) {
		for range 5 {
			w.guard.Offend(time.Now(), netip.MustParseAddr(client), reason.SMTPSmuggling, 10)
		}
	}},
	{why: reason.DNSBLBlocked, phase: sluice.PhaseConnect, want: "554 5.7.1", set: port(nil), early: true, warm: func(w *world) {
		for range 5 {
			w.guard.Offend(time.Now(), netip.MustParseAddr(client), reason.DNSBLBlocked, 10)
		}
	}},
	{why: reason.ConnectionRate, phase: sluice.PhaseConnect, want: "421 4.7.0", early: true, set: port(func(c *guard.Config) { c.Rates.Connections = 1 }), warm: greet(1)},
	{why: reason.ConnectionLimit, phase: sluice.PhaseConnect, want: "421 4.7.0", early: true, set: func(w *world) { w.door.Settings.Limits.ConnsPerClient = 1 }, warm: greet(1)},
	{why: reason.Overload, phase: sluice.PhaseConnect, want: "421 4.3.2", early: true, set: func(w *world) { w.door.Settings.Limits.Conns = 4 }, warm: greet(3)},

	// Against the protocol.
	{why: reason.EarlyTalker, phase: sluice.PhaseConnect, want: "554 5.5.1", set: func(w *world) {
		port(nil)(w)
		w.gate.Settings.GreetPause = 5 * time.Second
	}, direct: func(w *world) []string {
		c := w.dial()
		c.say(ehlo) // the rest of the greeting
		return c.read()
	}},
	{why: reason.StarttlsInjection, phase: sluice.PhaseMail, want: "554 5.5.1", set: func(w *world) { w.door.Settings.TLS = certificate(w.t) },
		say: []string{ehlo, "STARTTLS\r\n" + mail}},
	{why: reason.NotSMTP, phase: sluice.PhaseHello, want: "554 5.5.1", say: []string{"GET / HTTP/1.1\r\n"}},
	{why: reason.CommandTooLong, phase: sluice.PhaseHello, want: "500 5.5.2", say: []string{"EHLO " + strings.Repeat("a", 2000) + "\r\n"}},
	{why: reason.NULOctet, phase: sluice.PhaseHello, want: "554 5.6.0", say: []string{"EHLO a\x00b\r\n"}},
	{why: reason.BareLF, phase: sluice.PhaseHello, want: "554 5.6.0", say: []string{"EHLO a\n"}},
	{why: reason.BareCR, phase: sluice.PhaseHello, want: "554 5.6.0", say: []string{"EHLO a\rb\r\n"}},
	{why: reason.EarlyPipelining, phase: sluice.PhaseHello, want: "554 5.5.1", say: []string{ehlo + mail}},
	{why: reason.TooManyErrors, phase: sluice.PhaseMail, want: "421 4.7.0", set: func(w *world) { w.door.Settings.Limits.Errors = 1 }, say: []string{ehlo, "FOO\r\n"}},
	{why: reason.TooManyCommands, phase: sluice.PhaseMail, want: "421 4.7.0", set: func(w *world) { w.door.Settings.Limits.Commands = 2 }, say: []string{ehlo, "NOOP\r\n", "NOOP\r\n"}},
	{why: reason.TooManyTransactions, phase: sluice.PhaseMail, want: "421 4.7.0", set: func(w *world) { w.door.Settings.Limits.Transactions = 1 }, say: []string{ehlo, mail, "RSET\r\n", mail}},
	{why: reason.SMTPSmuggling, phase: sluice.PhaseData, want: "554 5.6.0", say: whole(head + "\r\nx\n.\n\r\n.\r\n")},
	{why: reason.BareLF, phase: sluice.PhaseData, want: "554 5.6.0", say: whole(head + "\r\nx\ny\r\n.\r\n")},
	{why: reason.BareCR, phase: sluice.PhaseData, want: "554 5.6.0", say: whole(head + "\r\nx\ry\r\n.\r\n")},
	{why: reason.NULOctet, phase: sluice.PhaseData, want: "554 5.6.0", say: whole(head + "\r\nx\x00y\r\n.\r\n")},
	{why: reason.TextLineTooLong, phase: sluice.PhaseData, want: "554 5.6.0", say: whole(head + "\r\n" + strings.Repeat("x", 20_000) + "\r\n.\r\n")},
	{why: reason.MessageTooBig, phase: sluice.PhaseData, want: "552 5.3.4", set: func(w *world) { w.door.Settings.Limits.Message = 2000 }, say: whole(head + "\r\n" + strings.Repeat("xyz\r\n", 800) + ".\r\n")},
	{why: reason.MessageTooBig, phase: sluice.PhaseMail, want: "552 5.3.4", set: func(w *world) { w.door.Settings.Limits.Message = 2000 }, say: []string{ehlo, "MAIL FROM:<ann@sender.example> SIZE=99999\r\n"}},
	{why: reason.BDATSyntax, phase: sluice.PhaseRcpt, want: "501 5.5.4", say: []string{ehlo, mail, rcpt, "BDAT many\r\n"}},
	{why: reason.OutOfMemoryBudget, phase: sluice.PhaseData, want: "452 4.3.1", set: func(w *world) { w.door.Budget = 1 }, say: whole(text)},
	{why: reason.CommandTimeout, phase: sluice.PhaseRcpt, want: "421 4.4.2", set: func(w *world) { w.door.Settings.Timeouts.Idle = 700 * time.Millisecond }, say: []string{ehlo, mail, ""}},
	{why: reason.DataTimeout, phase: sluice.PhaseData, want: "421 4.4.2", set: func(w *world) { w.door.Settings.Timeouts.DataIdle = 200 * time.Millisecond }, say: whole(head)},
	{why: reason.SessionTimeout, phase: sluice.PhaseMail, want: "421 4.4.2", set: func(w *world) { w.door.Settings.Timeouts.Session = 900 * time.Millisecond }, say: []string{ehlo, ""}},

	// Our own users.
	{why: reason.AuthRequired, phase: sluice.PhaseMail, want: "530 5.7.0", set: submission(wrongLogin), say: []string{ehlo, mail}},
	{why: reason.AuthNeedsTLS, phase: sluice.PhaseAuth, want: "538 5.7.11", set: func(w *world) {
		submission(wrongLogin)(w)
		w.door.Settings.ClearTextAuth = false
	}, say: []string{ehlo, plain}},
	{why: reason.AuthFailed, phase: sluice.PhaseAuth, want: "535 5.7.8", set: submission(wrongLogin), say: []string{ehlo, plain}},
	{why: reason.AuthFailed, phase: sluice.PhaseAuth, want: "421 4.7.0", set: submission(wrongLogin), say: []string{ehlo, plain, plain, plain}},
	{why: reason.AuthTemporary, phase: sluice.PhaseAuth, want: "454 4.7.0", set: submission(errors.New("no login server: " + secret)), say: []string{ehlo, plain}},

	{why: reason.AuthGuessing, phase: sluice.PhaseAuth, want: "421 4.7.0", set: func(w *world) {
		submission(wrongLogin)(w)
		port(func(c *guard.Config) { c.Logins.Tries = 2 })(w)
		w.door.Settings.Timeouts.Slow = time.Millisecond
	}, direct: guessing},

	// Users of ours whose device or account somebody else seems to use.
	{why: reason.AccountReauth, phase: sluice.PhaseMail, want: "530 5.7.0", set: user(sluice.RestrictReauth), say: []string{ehlo, plain, mail}},
	{why: reason.AccountStopped, phase: sluice.PhaseMail, want: "550 5.7.1", set: user(sluice.RestrictReply), say: []string{ehlo, plain, mail}},
	{why: reason.AccountClamped, phase: sluice.PhaseMessage, want: "450 4.7.1", set: user(sluice.RestrictClamp), say: []string{ehlo, plain, mail, rcpt, data, text}},

	// Senders and recipients.
	{why: reason.SenderRate, phase: sluice.PhaseMail, want: "450 4.7.28", set: port(func(c *guard.Config) { c.Rates.Messages = 1 }), say: append(whole(text), mail)},
	{why: reason.NullMXSender, phase: sluice.PhaseRcpt, want: "550 5.7.27", set: asks(`{"sender.example": {"MX": ["0 ."]}}`), say: []string{ehlo, mail, rcpt}},
	{why: reason.SenderDomainNxdomain, phase: sluice.PhaseRcpt, want: "550 5.1.8", set: asks(`{"other.example": {"A": ["192.0.2.9"]}}`), say: []string{ehlo, mail, rcpt}},
	{why: reason.RelayDenied, phase: sluice.PhaseRcpt, want: "550 5.7.1", say: []string{ehlo, mail, "RCPT TO:<very.private.name@elsewhere.example>\r\n"}},
	{why: reason.RelayDenied, phase: sluice.PhaseRcpt, want: "550 5.7.1", say: []string{ehlo, mail, "RCPT TO:<very.private.name%elsewhere.example@a.example>\r\n"}},
	{why: reason.MixedRecipients, phase: sluice.PhaseRcpt, want: "452 4.5.3", say: []string{ehlo, mail, rcpt, "RCPT TO:<very.private.name@c.example>\r\n"}},
	{why: reason.TLSRequiredHere, phase: sluice.PhaseRcpt, want: "550 5.7.10", say: []string{ehlo, mail, "RCPT TO:<very.private.name@t.example>\r\n"}},
	{why: reason.RecipientUnknown, phase: sluice.PhaseRcpt, want: "550 5.1.1", set: port(nil), say: []string{ehlo, mail, "RCPT TO:<not.very.private.name@a.example>\r\n"}},
	{why: reason.RecipientsUnavailable, phase: sluice.PhaseRcpt, want: "451 4.3.0", say: []string{ehlo, mail, "RCPT TO:<unsure@d.example>\r\n"}},
	{why: reason.BackendDeferred, phase: sluice.PhaseRcpt, want: "452 4.2.2", say: []string{ehlo, mail, "RCPT TO:<full@a.example>\r\n"}},
	{why: reason.Greylisted, phase: sluice.PhaseRcpt, want: "451 4.7.1", set: func(w *world) {
		port(nil)(w)
		w.gate.Settings.Policy.GreyAt = 0.01
	}, say: []string{ehlo, mail, rcpt}},
	{why: reason.Harvest, phase: sluice.PhaseRcpt, want: "550 5.7.1", set: func(w *world) {
		port(nil)(w)
		w.door.Settings.Timeouts.Slow = time.Millisecond
	}, direct: harvest},

	// What our own trouble and the next hop make.
	{why: reason.ShuttingDown, phase: sluice.PhaseMail, want: "421 4.3.2", direct: leaving},
	{why: reason.InternalPanic, phase: sluice.PhaseMessage, want: "451 4.3.0", say: whole("X-State: INTERNAL_PANIC\r\n" + text)},
	{why: reason.CheckRequired, phase: sluice.PhaseMessage, want: "451 4.3.0", say: whole("X-State: CHECK_REQUIRED\r\n" + text)},
	{why: reason.Unwanted, phase: sluice.PhaseMessage, want: "550 5.7.1", say: whole("X-State: UNWANTED\r\n" + text)},
	{why: reason.Unwanted, phase: sluice.PhaseMessage, want: "550 5.7.1", say: whole("X-State: TOO_MANY_ERRORS\r\n" + text)}, // another threat's class
	{why: reason.CheckIncomplete, phase: sluice.PhaseMessage, want: "451 4.3.0", say: whole("X-State: CHECK_INCOMPLETE\r\n" + text)},
	{why: reason.ScanTimeout, phase: sluice.PhaseMessage, want: "451 4.3.0", say: whole("X-State: SCAN_TIMEOUT\r\n" + text)},
	{why: reason.LocalError, phase: sluice.PhaseMessage, want: "451 4.3.0", set: breakQuarantine(errors.New("disk: " + secret)), say: whole("X-State: hold\r\n" + text)},
	{why: reason.QuarantineFailed, phase: sluice.PhaseMessage, want: "451 4.3.0", set: breakQuarantine(&sluice.Error{Reply: sluice.Reply{Code: 451}, Why: reason.QuarantineFailed}), say: whole("X-State: hold\r\n" + text)},
	{why: reason.DiskFull, phase: sluice.PhaseMessage, want: "452 4.3.1", set: breakQuarantine(&sluice.Error{Reply: sluice.Reply{Code: 452}, Why: reason.DiskFull}), say: whole("X-State: hold\r\n" + text)},
	{why: reason.BackendRejected, phase: sluice.PhaseMessage, want: "550 5.1.1", set: hop(550, "5.1.1", "<"+recipient+">: user unknown in virtual mailbox table"), say: whole(text)},
	{why: reason.BackendRejected, phase: sluice.PhaseMessage, want: "552 5.0.0", set: hop(552, "", strings.Repeat("over quota ", 100)), say: whole(text)},
	{why: reason.BackendDeferred, phase: sluice.PhaseMessage, want: "451 4.2.1", set: hop(421, "4.2.1", "mailbox busy\x1b[31m"), say: whole(text)},
	{why: reason.BackendGarbage, phase: sluice.PhaseMessage, want: "451 4.5.0", set: hop(503, "5.5.1", "bad sequence"), say: whole(text)},
	{why: reason.BackendBusy, phase: sluice.PhaseMessage, want: "451 4.3.2", set: hop(451, "4.3.2", "All connections to the next mail server are in use"), say: whole(text)},
	{why: reason.BackendDown, phase: sluice.PhaseMessage, want: "451 4.4.1", set: hop(451, "4.4.1", "The next mail server can't be reached now"), say: whole(text)},
	{why: reason.BackendLost, phase: sluice.PhaseMessage, want: "451 4.4.2", set: hop(451, "4.4.2", "The connection to the next mail server broke"), say: whole(text)},
	{why: reason.BackendTLS, phase: sluice.PhaseMessage, want: "451 4.7.5", set: hop(451, "4.7.5", "No secure connection to the next mail server"), say: whole(text)},
	{why: reason.No8BitRoute, phase: sluice.PhaseMessage, want: "554 5.6.3", set: hop(554, "5.6.3", "The next mail server takes no 8-bit text"), say: whole(text)},
	{why: reason.NoSMTPUTF8Route, phase: sluice.PhaseMessage, want: "553 5.6.7", set: hop(553, "5.6.7", "The next mail server takes no internationalized mail"), say: whole(text)},
	{why: reason.BackendRejected, phase: sluice.PhaseMessage, want: "550 5.1.1", set: func(w *world) {
		hop(550, "5.1.1", "unknown: "+recipient+", key")(w)
		w.door.Door, w.lmtp = sluice.DoorLMTP, true
	}, say: []string{"LHLO walker.sender.example\r\n", mail, rcpt, "RCPT TO:<walker@a.example>\r\n", data, text}},
	{why: reason.BackendGarbage, phase: sluice.PhaseMessage, want: "451 4.5.0", set: hop(530, "5.7.0", "login first"), say: whole(text)},
}

// leaving hears, where a transaction of its own was left to its end, that there won't be
// another one.
func leaving(w *world) []string {
	c := w.dial()
	c.read()
	for _, raw := range []string{ehlo, mail, rcpt, data} {
		c.say(raw)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.server.Shutdown(context.WithoutCancel(w.t.Context())) }()
	for {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil { // the port is closed: so the end has begun
			break
		}
		_ = conn.Close()
	}
	if got := c.say(text + mail); got[0][:3] != "250" {
		w.t.Errorf("the message that was on its way: %q", got)
	}
	got := c.read()
	if err := <-ended; err != nil {
		w.t.Error(err)
	}
	return got
}

// shutting hears that the gateway ends.
func shutting(w *world) []string {
	c := w.dial()
	c.read()
	ended := make(chan error, 1)
	go func() { ended <- w.server.Shutdown(context.WithoutCancel(w.t.Context())) }()
	got := c.read()
	_ = c.conn.Close()
	if err := <-ended; err != nil {
		w.t.Error(err)
	}
	return got
}

// greet opens connections that stay.
func greet(n int) func(*world) {
	return func(w *world) {
		for range n {
			w.dial().read()
		}
	}
}

// full is a quarantine that takes nothing.
type full struct {
	sluice.Quarantine
	err error
}

func (f full) Put(context.Context, *sluice.Quarantined, []byte) error { return f.err }

func breakQuarantine(err error) func(*world) {
	return func(w *world) { w.gate.Quarantine = full{w.gate.Quarantine, err} }
}

// harvest guesses recipients until it gets the one answer to all.
func harvest(w *world) []string {
	c := w.dial()
	c.read()
	c.say(ehlo)
	c.say(mail)
	var last []string
	for i := range 60 {
		last = c.say(fmt.Sprintf("RCPT TO:<wild.guess%d@a.example>\r\n", i))
		if strings.HasPrefix(last[0], "550 5.7.1") {
			break
		}
	}
	return last
}

// guessing tries passwords until no more are heard.
func guessing(w *world) []string {
	var last []string
	for round := range 20 {
		c := w.dial()
		if last = c.read(); !strings.HasPrefix(last[0], "220") {
			break
		}
		c.say(ehlo)
		for i := range 2 {
			secret := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x00ann\x00wrong%d-%d", round, i))
			if last = c.say("AUTH PLAIN " + secret + "\r\n"); strings.HasPrefix(last[0], "421") {
				return last
			}
		}
	}
	return last
}

// walk goes to the refusal.
func (s *step) walk(w *world) []string {
	if s.direct != nil {
		return s.direct(w)
	}
	c := w.dial()
	got := c.read()
	if s.early {
		return got
	}
	for i, raw := range s.say {
		got = c.say(raw)
		if i < len(s.say)-1 && got[0][0] == '5' && s.want[0] != '4' {
			w.t.Fatalf("on the way, to %.60q: %q", raw, got)
		}
	}
	return got
}

// generated makes a step for every reason that a check may state, where it may lead a
// refusal: before the message by the sender's own words, else by a field of it.
func generated() []step {
	var out []step
	elsewhere := covered()
	for _, e := range reason.All() {
		if e.Code/100 != 5 && e.Hard != "stop" || e.Group == "delivery" {
			continue
		}
		if inSteps(e.ID) || elsewhere[e.ID] != "" {
			continue
		}
		s := step{why: e.ID, phase: sluice.PhaseMessage, want: fmt.Sprintf("%d %s", e.Code, e.Enhanced), say: whole("X-State: " + e.ID + "\r\n" + text)}
		var phase sluice.Phase
		if phase.UnmarshalText([]byte(e.Phase)) == nil && phase < sluice.PhaseData {
			s.phase, s.say = sluice.PhaseRcpt, []string{ehlo, "MAIL FROM:<" + strings.ToLower(e.ID) + "@sender.example>\r\n", rcpt}
		} else if e.Hard != "stop" && !strings.HasPrefix(e.Enhanced, "5.7.") {
			s.want = "550 5.7.1" // the sum decides, not the fault alone
		}
		out = append(out, s)
	}
	return out
}

// covered are the reasons that other tests of this package come by, each with the test:
// the replies without a link, the cut that nobody hears, and what never leads.
func covered() map[string]string {
	out := map[string]string{reason.BDATCutShort: "TestCutShort"}
	for _, s := range withoutLink {
		if s.why != "" {
			out[s.why] = "TestWithoutLink"
		}
	}
	for _, id := range temporary {
		out[id] = "TestTemporary"
	}
	return out
}

// inSteps says whether a reason has a step of its own.
func inSteps(id string) bool {
	return slices.ContainsFunc(slices.Concat(steps, reports, lints), func(s step) bool { return s.why == id })
}

func TestEveryRefusal(t *testing.T) {
	all := slices.Concat(steps, reports, lints, generated())
	walked := map[string]bool{}
	for _, s := range all {
		walked[s.why] = true
		t.Run(fmt.Sprintf("%s at %v", s.why, s.phase), func(t *testing.T) {
			w := newWorld(t)
			if s.set != nil {
				s.set(w)
			}
			w.start()
			if s.warm != nil {
				s.warm(w)
			}
			before := time.Now()
			lines := s.walk(w)
			if w.lmtp {
				lines = w.each(lines)
			}
			r := parse(t, lines)
			if got := fmt.Sprintf("%d %s", r.code, r.enhanced); got != s.want {
				t.Errorf("got %s, want %s: %q", got, s.want, r.lines)
			}
			fits(t, &s, r)
			if s.desk {
				recorded(t, w, &s, r)
			} else {
				opens(t, w, &s, r, before)
			}
		})
	}
	elsewhere := covered()
	for _, e := range reason.All() {
		switch test := elsewhere[e.ID]; {
		case e.Code != 0 && !walked[e.ID] && test == "":
			t.Errorf("%s: nothing provokes it", e.ID)
		case walked[e.ID] && test != "":
			t.Errorf("%s is provoked here, and by %s", e.ID, test)
		}
	}
	for id, test := range elsewhere {
		if _, ok := reason.Lookup(id); !ok {
			t.Errorf("%s of %s is no reason", id, test)
		}
	}
}

// fits checks the code against its phase, and the words against what they may not tell.
func fits(t *testing.T, s *step, r reply) {
	t.Helper()
	allowed := map[sluice.Phase][]int{
		sluice.PhaseConnect: {421, 450, 500, 521, 554, 550},
		sluice.PhaseHello:   {421, 450, 500, 501, 550, 554},
		sluice.PhaseTLS:     {454, 530, 550, 554},
		sluice.PhaseAuth:    {421, 454, 534, 535, 538},
		sluice.PhaseMail:    {421, 450, 451, 452, 501, 530, 550, 552, 553, 554},
		sluice.PhaseRcpt:    {421, 450, 451, 452, 501, 550, 551, 552, 553, 554, 556},
		sluice.PhaseData:    {421, 451, 452, 501, 550, 552, 554},
		sluice.PhaseMessage: {450, 451, 452, 550, 552, 553, 554},
	}
	if !slices.Contains(allowed[s.phase], r.code) {
		t.Errorf("%d is no code for the phase %v", r.code, s.phase)
	}
	tellsNothing(t, "the reply", r.text)
	if r.ref == "" || (r.token == "") != s.desk {
		t.Errorf("no reference, or not the link that it should have, in %q", r.text)
	}
}

var numbers = regexp.MustCompile(`[+−-]\d+\.\d|0\.9\d|[0-9.]+ (points|dB)`)

func tellsNothing(t *testing.T, where, text string) {
	t.Helper()
	low := strings.ToLower(text)
	for _, s := range []string{recipient, "very.private.name", "wild.guess", "key0123abcd", "limit=", "viagra"} {
		if strings.Contains(low, s) {
			t.Errorf("%s tells %q: %s", where, s, text)
		}
	}
	if m := numbers.FindString(text); m != "" {
		t.Errorf("%s tells a number: %s", where, m)
	}
}

// opens follows the link and checks that the page is about this very event.
func opens(t *testing.T, w *world, s *step, r reply, before time.Time) {
	t.Helper()
	if r.token == "" {
		return
	}
	code, body := w.pages.Get("/why/" + r.token)
	if code != 200 {
		t.Fatalf("the page answers %d", code)
	}
	page := html.UnescapeString(body)
	class, _, _ := strings.Cut(r.text, ":")
	kind := "Your message was not accepted"
	switch {
	case s.phase == sluice.PhaseAuth:
		kind = "Your login was not accepted"
	case r.code/100 == 4:
		kind = "Your message has to wait"
	}
	facts, err := w.gate.Sealer.Open(r.token, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if d := facts.Time.Sub(before); d < -2*time.Second || d > time.Minute {
		t.Errorf("the page's time is %v", facts.Time)
	}
	if facts.Phase != s.phase {
		t.Errorf("the page says phase %v, want %v", facts.Phase, s.phase)
	}
	e, _ := reason.Lookup(s.why)
	for _, want := range []string{r.ref, client, kind, "<h1>" + class + "</h1>", s.why, explain.Escape(e.Page, 10_000)} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q; the reply is %q", want, r.text)
		}
	}
	tellsNothing(t, "the page", page)
}

// withoutLink are the replies that carry no reference: a client's own slip in the
// protocol isn't an event that somebody asks about, and a page would say no more than
// the reply. They keep the form of all replies, and tell nothing either.
var withoutLink = []step{
	{want: "421 4.3.2", direct: shutting},
	{want: "500 5.5.2", say: []string{ehlo, "FOO\r\n"}},
	{want: "503 5.5.1", say: []string{mail}},
	{want: "503 5.5.1", say: []string{ehlo, rcpt}},
	{want: "503 5.5.1", say: []string{ehlo, data}},
	{want: "503 5.5.1", say: []string{ehlo, mail, mail}},
	{want: "501 5.5.4", say: []string{"EHLO\r\n"}},
	{want: "501 5.5.4", say: []string{ehlo, "MAIL ann@sender.example\r\n"}},
	{want: "501 5.1.7", say: []string{ehlo, "MAIL FROM:<ann@@sender.example>\r\n"}},
	{want: "501 5.1.3", say: []string{ehlo, mail, "RCPT TO:<very.private.name@@a.example>\r\n"}},
	{want: "555 5.5.4", say: []string{ehlo, "MAIL FROM:<ann@sender.example> FOO=1\r\n"}},
	{want: "502 5.5.1", say: []string{ehlo, "STARTTLS\r\n"}},
	{want: "502 5.5.1", say: []string{ehlo, "EXPN list\r\n"}},
	{want: "553 5.6.7", say: []string{ehlo, "MAIL FROM:<j\xc3\xb6rg@sender.example>\r\n"}},
	{why: reason.TooManyRecipients, want: "452 4.5.3", set: func(w *world) { w.door.Settings.Limits.Recipients = 1 }, say: []string{ehlo, mail, rcpt, "RCPT TO:<walker@a.example>\r\n"}},
	{want: "554 5.5.1", say: []string{ehlo, mail, "RCPT TO:<unsure@d.example>\r\n", data}},
}

func TestWithoutLink(t *testing.T) {
	for _, s := range withoutLink {
		t.Run(s.want+" "+strings.TrimSpace(strings.Join(s.say[max(0, len(s.say)-1):], "")), func(t *testing.T) {
			w := newWorld(t)
			if s.set != nil {
				s.set(w)
			}
			w.start()
			r := parse(t, s.walk(w))
			if got := fmt.Sprintf("%d %s", r.code, r.enhanced); got != s.want {
				t.Errorf("got %s, want %s: %q", got, s.want, r.lines)
			}
			if e, ok := reason.Lookup(s.why); s.why != "" && (!ok || s.want != fmt.Sprintf("%d %s", e.Code, e.Enhanced)) {
				t.Errorf("the catalogue has %d %s for %s", e.Code, e.Enhanced, s.why)
			}
			tellsNothing(t, "the reply", r.text)
			if r.token != "" {
				t.Error("it has a link now: let TestEveryRefusal open it")
			}
		})
	}
}
