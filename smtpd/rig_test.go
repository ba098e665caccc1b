package smtpd

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"sluice"
	"sluice/smtpd/smtpdtest"
)

// rig drives a machine without a server: it feeds octets, answers events by
// script and writes down what happens.
type rig struct {
	m       *Machine
	answers map[EventKind][]sluice.Reply // the next answers; then the default
	log     func(line string)            // events and replies
	body    []byte                       // content since the transfer began
	bodies  []string                     // complete messages
	out     []byte                       // replies not logged yet
	closed  bool
	offer   sluice.Extensions
	peer    Peer
	each    [][]sluice.Reply // the next answers to LMTP messages; then the default for all
}

var defaults = map[EventKind]sluice.Reply{
	Connect: {Code: 220},
	Hello:   {Code: 250},
	Mail:    {Code: 250, Enhanced: "2.1.0", Text: "Sender OK"},
	Rcpt:    {Code: 250, Enhanced: "2.1.5", Text: "Recipient OK"},
	Data:    {Code: 354},
	Message: {Code: 250, Enhanced: "2.0.0", Text: "Accepted"},
	Auth:    {Code: 235, Enhanced: "2.7.0", Text: "Logged in"},
}

func newRig(cfg *MachineConfig, offer sluice.Extensions, log func(string)) *rig {
	return &rig{m: NewMachine(cfg), answers: map[EventKind][]sluice.Reply{}, log: log, offer: offer}
}

// feed gives one group of octets: what the client sends without waiting. It is
// given in pieces, each as long as piece says; behind a sync point whatever is
// left of the group is early.
func (r *rig) feed(group []byte, piece func(left int) int) {
	in := group[:0:0]
	rest := bytes.Clone(group) // the machine overwrites secrets
	for !r.closed {
		n, ev := r.m.Next(in)
		in = in[n:]
		if ev.Kind == NeedInput {
			if len(in) > 0 {
				panic("NeedInput, and octets are left")
			}
			r.flush()
			if len(rest) == 0 {
				return
			}
			n := min(max(piece(len(rest)), 1), len(rest))
			in, rest = rest[:n:n], rest[n:]
			continue
		}
		r.event(ev, func() []byte { return append(append([]byte(nil), in...), rest...) })
	}
}

func (r *rig) event(ev Event, early func() []byte) {
	if ev.Reset {
		r.note("reset")
	}
	switch ev.Kind {
	case Sync:
		r.m.Synced(early())
		return
	case Content:
		r.body = append(r.body, ev.Content...)
		return
	case Flush:
		r.flush()
		return
	case Closed:
		r.flush()
		r.note("closed %s", ev.Ended)
		r.closed = true
		return
	case Reset:
		r.body = nil
		r.note("reset")
		return
	case StartTLS:
		r.flush()
		r.note("tls")
		r.m.TLSStarted()
		return
	case XClient:
		r.note("xclient%s", formatForward(ev.Forward))
		return
	case Connect:
		r.m.Allow(r.peer)
		r.note("connect")
	case Auth:
		r.note("auth %s %q %q %q", ev.Credentials.Mechanism, ev.Credentials.Authorize, ev.Credentials.User, ev.Credentials.Secret)
		if ev.Credentials.Secret == "wrong" {
			r.m.Answer(sluice.Reply{Code: 535, Enhanced: "5.7.8", Text: "Login refused"})
			return
		}
	case Hello:
		r.note("hello %s %q", ev.Hello.Verb, ev.Hello.Name)
		r.m.Offer(r.offer)
	case Mail:
		if ev.Forward != nil {
			r.note("forwarded%s", formatForward(ev.Forward))
		}
		r.note("mail %q%s", ev.Address, smtpdtest.FormatParams(ev.Params))
	case Rcpt:
		r.note("rcpt %q%s", ev.Address, smtpdtest.FormatParams(ev.Params))
	case Data:
		r.body = nil
		r.note("data")
	case Message:
		body := string(r.body)
		r.body = nil
		r.bodies = append(r.bodies, body)
		if len(body) > 100 {
			body = body[:40] + "…" + body[len(body)-40:]
		}
		r.note("message %d %+q", len(r.bodies[len(r.bodies)-1]), body)
		if ev.Each && len(r.each) > 0 {
			r.m.AnswerEach(r.each[0])
			r.each = r.each[1:]
			return
		}
	case Violation:
		v := ev.Violation
		r.note("violation %s at %d in %s %s", v.Kind, v.Offset, v.Phase, v.Detail)
	}
	answer := defaults[ev.Kind]
	if q := r.answers[ev.Kind]; len(q) > 0 {
		answer, r.answers[ev.Kind] = q[0], q[1:]
	}
	r.m.Answer(answer)
}

func formatForward(f *Forward) string {
	var b strings.Builder
	add := func(key string, has bool, value any) {
		if has {
			fmt.Fprintf(&b, " %s=%v", key, value)
		}
	}
	add("client", f.Client.IsValid(), f.Client)
	add("local", f.Local.IsValid(), f.Local)
	add("hello", f.Hello.Verb != "", fmt.Sprintf("%s %q", f.Hello.Verb, f.Hello.Name))
	add("login", f.Login != "", strconv.Quote(f.Login))
	return b.String()
}

func (r *rig) note(format string, args ...any) {
	r.log("E: " + strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

// flush logs the complete reply lines.
func (r *rig) flush() {
	r.out = append(r.out, r.m.TakeOutput()...)
	for {
		line, rest, ok := strings.Cut(string(r.out), "\r\n")
		if !ok {
			break
		}
		r.out = []byte(rest)
		r.log("S: " + line)
	}
	if len(r.out) > 0 {
		panic("a reply without a line end")
	}
}

// testConfig is a machine's configuration with limits that tests can reach.
func testConfig() *MachineConfig {
	return DefaultMachineConfig("mx.example")
}
