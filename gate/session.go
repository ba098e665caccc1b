package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/gate/route"
	"sluice/guard/greylist"
	"sluice/judge/verdict"
	"sluice/learn/dialect"
	"sluice/live"
	"sluice/mailauth"
)

// session follows one connection. A door drives it from one goroutine.
type session struct {
	gate *Gate
	set  *Settings
	conn *sluice.Conn

	// ledger is what the connection showed: it counts in every transaction.
	ledger  []sluice.Evidence
	auth    *mailauth.Auth
	tx      *transaction
	ended   bool
	paused  bool // the greeting was held back to hear who talks early
	harvest bool // it guesses recipients
	hostile bool // it did what only attackers do
	wanted  bool // it sent a message that was wanted
	answers *greylist.Session

	failures int // logins that failed
	waits    int // recipients that were greylisted
	visit    live.Visit
}

// transaction is one MAIL … dot.
type transaction struct {
	env     sluice.Envelope
	auth    *mailauth.Auth
	route   *route.Route
	ledger  []sluice.Evidence // beyond the connection's
	refused []sluice.Outcome  // recipients refused, bounded
	misses  int               // recipients refused in all

	traps    map[string]bool // accepted recipients that nobody has; nil: none
	desk     bool            // all recipients are report addresses
	returned bool            // the client came again after the greylist had asked it to
	page     string          // of a restricted user of ours, in place of that on the refusal

	// A violation ends the transaction; its reply is what the log tells.
	void      bool
	voidPhase sluice.Phase
	voidReply sluice.Reply
}

// maxRefused bounds the refused recipients that one record keeps.
const maxRefused = 20

// evidence is the connection's ledger and the transaction's.
func (s *session) evidence() []sluice.Evidence {
	out := append([]sluice.Evidence(nil), s.ledger...)
	if s.tx != nil {
		out = append(out, s.tx.ledger...)
	}
	return out
}

// run executes a phase's checks and files what they found: facts of the
// connection stay for its life, the rest for the transaction's.
func (s *session) run(ctx context.Context, phase sluice.Phase, env *sluice.Envelope) {
	in := &check.Input{Conn: s.conn, Envelope: env, Auth: s.who(), Now: s.gate.cfg.Clock()}
	s.visit.Phase(phase)
	found := s.set.Pipeline.Run(ctx, phase, in, s.evidence())
	if s.tx == nil {
		s.ledger = append(s.ledger, found...)
	} else {
		s.tx.ledger = append(s.tx.ledger, found...)
	}
}

// who is what can be asked about the client and the sender: of users who logged in
// nothing, since that says who they are. Where they sit, and what their own domain's
// policies say of that place, must not count against them.
func (s *session) who() *mailauth.Auth {
	switch {
	case s.conn.Auth != "":
		return nil
	case s.tx != nil:
		return s.tx.auth
	}
	return s.auth
}

// forgive forgets what was found out about a client before it logged in, but for
// what stops it.
func (s *session) forgive() {
	s.ledger = slices.DeleteFunc(s.ledger, func(e sluice.Evidence) bool { return e.Hard == sluice.Soft })
}

// hardStop returns the first hard stop found so far, or "".
func (s *session) hardStop() sluice.Reason {
	for _, e := range s.evidence() {
		if e.Hard == sluice.HardStop && e.State == sluice.Found {
			return e.Reason
		}
	}
	return ""
}

// Hello implements [sluice.Session].
func (s *session) Hello(ctx context.Context) sluice.Reply {
	s.Reset()
	s.passedGreeting()
	s.dropPhase(sluice.PhaseHello) // a second EHLO replaces the first
	s.run(ctx, sluice.PhaseHello, nil)
	return sluice.Reply{Code: 250, Text: s.set.Hostname}
}

func (s *session) dropPhase(p sluice.Phase) {
	kept := s.ledger[:0]
	for _, e := range s.ledger {
		if e.Phase != p {
			kept = append(kept, e)
		}
	}
	s.ledger = kept
}

// TLS implements [sluice.Session]. What was said in clear text is forgotten
// (RFC 3207 4.2); what was seen of the connection is not.
func (s *session) TLS(ctx context.Context) {
	s.Reset()
	s.dropPhase(sluice.PhaseHello)
	s.run(ctx, sluice.PhaseTLS, nil)
}

// Forwarded implements [sluice.Session].
func (s *session) Forwarded(ctx context.Context) {
	s.Reset()
	s.visit.Forwarded(s.gate.cfg.Clock(), s.conn.Client.Addr())
	// What another client did before isn't this one's.
	s.ledger, s.answers = nil, nil
	s.harvest, s.hostile, s.wanted, s.waits = false, false, false, 0
	if s.set.Verifier != nil {
		s.auth = s.set.Verifier.Open(s.conn)
	}
	s.run(ctx, sluice.PhaseConnect, nil)
	s.run(ctx, sluice.PhaseHello, nil)
}

// Mail implements [sluice.Session].
func (s *session) Mail(ctx context.Context, from string, params []sluice.Param) sluice.Reply {
	s.Reset()
	s.tx = &transaction{env: sluice.Envelope{ID: s.gate.newID(), From: from, Params: params, Received: s.gate.cfg.Clock()}}
	if r, over := s.overRate(from); over {
		return r
	}
	applyParams(&s.tx.env, params)
	s.tx.auth = s.auth.Begin(&s.tx.env)
	if r, refused := s.standing(ctx, from); refused {
		return r
	}
	s.run(ctx, sluice.PhaseMail, &s.tx.env)
	return sluice.Reply{Code: 250, Enhanced: "2.1.0", Text: "Sender noted"}
}

func applyParams(e *sluice.Envelope, params []sluice.Param) {
	for _, p := range params {
		switch strings.ToUpper(p.Key) {
		case "SIZE":
			e.Size = parseSize(p.Value)
		case "BODY":
			e.Body = strings.ToUpper(p.Value)
		case "SMTPUTF8":
			e.SMTPUTF8 = true
		}
	}
}

func parseSize(s string) int64 {
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' || n > 1<<50 {
			return 0
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n
}

// Data implements [sluice.Session].
func (s *session) Data(ctx context.Context) sluice.Reply {
	if s.tx == nil || s.tx.void || len(s.tx.env.Rcpts) == 0 {
		return sluice.Reply{Code: 554, Enhanced: "5.5.1", Text: "No valid recipients"}
	}
	s.run(ctx, sluice.PhaseData, &s.tx.env)
	if g := s.gate.cfg.Port.Guard; g != nil && !s.conn.Trusted && !s.conn.AlreadyAccepted {
		g.Message(s.gate.cfg.Clock(), s.sending(s.tx.env.From, len(s.tx.env.Rcpts))) // counts; MAIL has asked
	}
	return sluice.Reply{Code: 354, Text: "End data with <CR><LF>.<CR><LF>"}
}

// Violation implements [sluice.Session]. The transaction, if any, is over: it is
// logged once, at its reset, with every violation that its input held.
func (s *session) Violation(_ context.Context, v sluice.Violation) sluice.Reply {
	e := check.Found(v.Kind, v.Detail)
	e.Phase, e.Range = v.Phase, sluice.Range{Off: int(v.Offset)}
	s.ledger = append(s.ledger, e)
	s.offend(v.Kind)
	id := s.gate.newID()
	if s.tx != nil {
		id = s.tx.env.ID
	}
	vd := s.verdict()
	r := s.say(v.Kind, id, v.Phase, &vd)
	s.refused(v.Kind, v.Phase, r)
	if s.tx == nil {
		s.recordBot(id, v.Phase, vd, r)
	} else {
		s.tx.void, s.tx.voidPhase, s.tx.voidReply = true, v.Phase, r
	}
	return r
}

// verdict weighs what is known now.
func (s *session) verdict() sluice.Verdict {
	v := verdict.Weigh(s.evidence(), s.set.Weights)
	s.stamp(&v)
	return v
}

// Reset implements [sluice.Session].
func (s *session) Reset() {
	switch tx := s.tx; {
	case tx == nil:
	case tx.void:
		s.recordRefusal(tx.env.ID, tx.voidPhase, s.verdict(), tx.voidReply)
	case tx.misses > 0:
		s.recordRefusal(tx.env.ID, sluice.PhaseRcpt, s.verdict(), tx.refused[len(tx.refused)-1].Reply)
	}
	s.tx = nil
}

// Close implements [sluice.Session].
func (s *session) Close(ended string) {
	if s.ended {
		return
	}
	s.ended = true
	if ended == sluice.EndedQuit {
		s.passedGreeting() // it waited, though it had nothing to say
	}
	s.Reset()
	s.judgeVisit()
	now := s.gate.cfg.Clock()
	if d := s.conn.Dialect; d != (sluice.Dialect{}) {
		s.visit.Dialect(now, dialect.ID(d, dialect.StageEnd), d)
	}
	s.visit.Closed(now)
	s.gate.cfg.Metrics.ended.WithLabelValues(ended).Inc()
	s.gate.cfg.Metrics.seconds.Observe(s.gate.cfg.Clock().Sub(s.conn.Start).Seconds())
}

func since(clock func() time.Time, t time.Time) int64 { return clock().Sub(t).Microseconds() }
