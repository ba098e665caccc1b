// Package smtpdtest has a gate for tests of doors and of what stands behind them:
// it answers by script and records what it was asked.
package smtpdtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sluice"
)

// Gate is a scriptable sluice.Gate. The zero value accepts everything. Set the
// functions before use; nil ones give the default answer.
type Gate struct {
	OnOpen        func(*sluice.Conn) sluice.Reply
	OnHello       func(*sluice.Conn) sluice.Reply
	OnAdmit       func(a sluice.Arrival) sluice.Admission
	OnAuth        func(c sluice.Credentials) sluice.Reply
	OnMessageEach func(body []byte) []sluice.Reply // of an LMTP session
	OnMail        func(from string) sluice.Reply
	OnRcpt        func(to string) sluice.Reply
	OnData        func() sluice.Reply
	OnMessage     func(ctx context.Context, body []byte) sluice.Reply
	OnViolation   func(sluice.Violation) sluice.Reply // default: the zero reply, so that the door's own words are used

	mu       sync.Mutex
	calls    []string
	messages [][]byte
	seen     []sluice.Violation
	closed   []string
}

// Calls returns what all sessions asked, one line a call, in order.
func (g *Gate) Calls() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.calls...)
}

// Messages returns copies of the messages that arrived.
func (g *Gate) Messages() [][]byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([][]byte(nil), g.messages...)
}

// Violations returns what was reported.
func (g *Gate) Violations() []sluice.Violation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]sluice.Violation(nil), g.seen...)
}

// Ended returns how the sessions ended that are over.
func (g *Gate) Ended() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.closed...)
}

func (g *Gate) call(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, fmt.Sprintf(format, args...))
}

// Admit asks OnAdmit; nil lets everybody in.
func (g *Gate) Admit(a sluice.Arrival) sluice.Admission {
	if g.OnAdmit != nil {
		return g.OnAdmit(a)
	}
	return sluice.Admission{}
}

// Open starts a session.
func (g *Gate) Open(_ context.Context, c *sluice.Conn) (sluice.Session, sluice.Reply) {
	g.call("connect")
	r := sluice.Reply{Code: 220}
	if g.OnOpen != nil {
		r = g.OnOpen(c)
	}
	return &session{gate: g, conn: c}, r
}

type session struct {
	gate  *Gate
	conn  *sluice.Conn
	rcpts int // accepted in this transaction
}

var ok = sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "OK"}

func (s *session) Hello(context.Context) sluice.Reply {
	s.gate.call("hello %s %q", s.conn.Hello.Verb, s.conn.Hello.Name)
	if s.gate.OnHello != nil {
		return s.gate.OnHello(s.conn)
	}
	return ok
}

func (s *session) Auth(_ context.Context, c sluice.Credentials) sluice.Reply {
	s.gate.call("auth %s %q %q", c.Mechanism, c.Authorize, c.User)
	if s.gate.OnAuth != nil {
		return s.gate.OnAuth(c)
	}
	return sluice.Reply{Code: 235, Enhanced: "2.7.0", Text: "Authenticated"}
}

func (s *session) Forwarded(context.Context) {
	s.gate.call("forwarded %s %q", s.conn.Client, s.conn.Hello.Name)
}

func (s *session) MessageEach(ctx context.Context, body sluice.Content) []sluice.Reply {
	if s.gate.OnMessageEach != nil {
		return s.gate.OnMessageEach(body.Bytes())
	}
	return slices.Repeat([]sluice.Reply{s.Message(ctx, body)}, s.rcpts)
}

func (s *session) TLS(context.Context) { s.gate.call("tls %s", s.conn.TLS.Version) }

func (s *session) Mail(_ context.Context, from string, params []sluice.Param) sluice.Reply {
	s.gate.call("mail %q%s", from, FormatParams(params))
	s.rcpts = 0
	if s.gate.OnMail != nil {
		return s.gate.OnMail(from)
	}
	return sluice.Reply{Code: 250, Enhanced: "2.1.0", Text: "Sender OK"}
}

func (s *session) Rcpt(_ context.Context, to string, params []sluice.Param) sluice.Reply {
	s.gate.call("rcpt %q%s", to, FormatParams(params))
	r := sluice.Reply{Code: 250, Enhanced: "2.1.5", Text: "Recipient OK"}
	if s.gate.OnRcpt != nil {
		r = s.gate.OnRcpt(to)
	}
	if r.Positive() {
		s.rcpts++
	}
	return r
}

func (s *session) Data(context.Context) sluice.Reply {
	s.gate.call("data")
	if s.gate.OnData != nil {
		return s.gate.OnData()
	}
	return sluice.Reply{Code: 354}
}

func (s *session) Message(ctx context.Context, body sluice.Content) sluice.Reply {
	b := bytes.Clone(body.Bytes())
	s.gate.call("message %d", len(b))
	s.gate.mu.Lock()
	s.gate.messages = append(s.gate.messages, b)
	s.gate.mu.Unlock()
	if s.gate.OnMessage != nil {
		return s.gate.OnMessage(ctx, b)
	}
	return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Accepted"}
}

func (s *session) Violation(_ context.Context, v sluice.Violation) sluice.Reply {
	s.gate.call("violation %s", v.Kind)
	s.gate.mu.Lock()
	s.gate.seen = append(s.gate.seen, v)
	s.gate.mu.Unlock()
	if s.gate.OnViolation != nil {
		return s.gate.OnViolation(v)
	}
	return sluice.Reply{}
}

func (s *session) Reset() { s.gate.call("reset") }

func (s *session) Close(ended string) {
	s.gate.call("close %s", ended)
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	s.gate.closed = append(s.gate.closed, ended)
}

// FormatParams writes parameters as they stand in a command, each with a space
// before it.
func FormatParams(params []sluice.Param) string {
	var b strings.Builder
	for _, p := range params {
		b.WriteString(" " + p.Key)
		if p.Value != "" {
			b.WriteString("=" + p.Value)
		}
	}
	return b.String()
}
