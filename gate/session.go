package gate

import (
	"context"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/explain"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/mailauth"
	"sluice/reason"
)

// session follows one connection. A door drives it from one goroutine.
type session struct {
	gate *Gate
	set  *Settings
	conn *sluice.Conn

	// ledger is what the connection showed: it counts in every transaction.
	ledger []sluice.Evidence
	auth   *mailauth.Auth
	tx     *transaction
	ended  bool
}

// transaction is one MAIL … dot.
type transaction struct {
	env     sluice.Envelope
	auth    *mailauth.Auth
	route   *Route
	ledger  []sluice.Evidence // beyond the connection's
	refused []sluice.Outcome  // recipients refused, bounded
	misses  int               // recipients refused in all

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
	in := &check.Input{Conn: s.conn, Envelope: env, Auth: s.auth, Now: s.gate.cfg.Clock()}
	if s.tx != nil {
		in.Auth = s.tx.auth
	}
	found := s.set.Pipeline.Run(ctx, phase, in, s.evidence())
	if s.tx == nil {
		s.ledger = append(s.ledger, found...)
	} else {
		s.tx.ledger = append(s.tx.ledger, found...)
	}
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

// Auth implements [sluice.Session].
func (s *session) Auth(context.Context, sluice.Credentials) sluice.Reply {
	return explain.Reason(reason.AuthTemporary, explain.Options{Ref: s.gate.newID(), Postmaster: s.set.Postmaster})
}

// Forwarded implements [sluice.Session].
func (s *session) Forwarded(ctx context.Context) {
	s.Reset()
	s.ledger = nil
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
	applyParams(&s.tx.env, params)
	s.tx.auth = s.auth.Begin(&s.tx.env)
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

// Rcpt implements [sluice.Session].
func (s *session) Rcpt(ctx context.Context, to string, params []sluice.Param) sluice.Reply {
	tx := s.tx
	if tx == nil || tx.void {
		return sluice.Reply{Code: 503, Enhanced: "5.5.1", Text: "MAIL first"}
	}
	route, addr := s.set.Routes.find(to)
	if route == nil || hidesRoute(addr) {
		return s.refuseRcpt(to, reason.RelayDenied)
	}
	if tx.route != nil && (route.Key != tx.route.Key || route.Tenant != tx.route.Tenant) {
		// The first recipient fixed the transaction's key: one reply at the
		// dot can't speak for two next hops.
		return s.refuseRcpt(to, reason.MixedRecipients)
	}
	env := tx.env
	env.Tenant = route.Tenant
	env.Rcpts = []sluice.Recipient{{Address: addr, Params: params}}
	before := len(tx.ledger)
	s.run(ctx, sluice.PhaseRcpt, &env)
	if why := s.hardStop(); why != "" && !policy.IsExempt(addr) {
		tx.ledger = tx.ledger[:before] // it spoke of this recipient, which isn't in the transaction
		return s.refuseRcpt(to, why)
	}
	tx.route, tx.env.Tenant = route, route.Tenant
	tx.env.Rcpts = append(tx.env.Rcpts, env.Rcpts[0])
	return sluice.Reply{Code: 250, Enhanced: "2.1.5", Text: "Recipient noted"}
}

// refuseRcpt answers one recipient and remembers that for the log.
func (s *session) refuseRcpt(to string, why sluice.Reason) sluice.Reply {
	v := s.verdict()
	e, _ := reason.Lookup(string(why))
	r := explain.Reason(why, s.options(s.tx.env.ID, sluice.PhaseRcpt, &v, e.Code))
	s.tx.misses++
	if len(s.tx.refused) < maxRefused {
		s.tx.refused = append(s.tx.refused, sluice.Outcome{Recipient: to, Reply: r})
	}
	s.gate.cfg.Metrics.refused(why, sluice.PhaseRcpt)
	return r
}

// Data implements [sluice.Session].
func (s *session) Data(ctx context.Context) sluice.Reply {
	if s.tx == nil || s.tx.void || len(s.tx.env.Rcpts) == 0 {
		return sluice.Reply{Code: 554, Enhanced: "5.5.1", Text: "No valid recipients"}
	}
	s.run(ctx, sluice.PhaseData, &s.tx.env)
	return sluice.Reply{Code: 354, Text: "End data with <CR><LF>.<CR><LF>"}
}

// Violation implements [sluice.Session]. The transaction, if any, is over: it is
// logged once, at its reset, with every violation that its input held.
func (s *session) Violation(_ context.Context, v sluice.Violation) sluice.Reply {
	e := check.Found(v.Kind, v.Detail)
	e.Phase, e.Range = v.Phase, sluice.Range{Off: int(v.Offset)}
	s.ledger = append(s.ledger, e)
	id := s.gate.newID()
	if s.tx != nil {
		id = s.tx.env.ID
	}
	vd := s.verdict()
	c, _ := reason.Lookup(string(v.Kind))
	r := explain.Reason(v.Kind, s.options(id, v.Phase, &vd, c.Code))
	s.gate.cfg.Metrics.refused(v.Kind, v.Phase)
	if s.tx == nil {
		s.recordRefusal(id, v.Phase, vd, r)
	} else {
		s.tx.void, s.tx.voidPhase, s.tx.voidReply = true, v.Phase, r
	}
	return r
}

// verdict weighs what is known now.
func (s *session) verdict() sluice.Verdict {
	v := verdict.Weigh(s.evidence(), s.set.Weights)
	v.Versions = s.set.Versions
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
	s.Reset()
	s.gate.cfg.Metrics.ended.WithLabelValues(ended).Inc()
	s.gate.cfg.Metrics.seconds.Observe(s.gate.cfg.Clock().Sub(s.conn.Start).Seconds())
}

func since(clock func() time.Time, t time.Time) int64 { return clock().Sub(t).Microseconds() }
