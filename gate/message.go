package gate

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"sluice"
	"sluice/check"
	"sluice/explain"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/message"
	"sluice/reason"
)

// judged is a message with what was made of it.
type judged struct {
	id        string
	env       *sluice.Envelope
	msg       *message.Message
	notes     *check.Notes // what was worked out of msg
	verdict   sluice.Verdict
	decisions []sluice.Decision
	each      bool          // every recipient gets a reply of its own (LMTP)
	action    sluice.Action // of the whole transaction
	why       sluice.Reason // leads the reply where action refuses
	good, bad float64       // what it tells of those who sent it, see [outcome]
}

// Message implements [sluice.Session].
func (s *session) Message(ctx context.Context, body sluice.Content) sluice.Reply {
	return s.message(ctx, body, false)[0]
}

// MessageEach implements [sluice.Session].
func (s *session) MessageEach(ctx context.Context, body sluice.Content) []sluice.Reply {
	return s.message(ctx, body, true)
}

// message judges a message and hands it on. It returns one reply, or with each
// one for every recipient.
func (s *session) message(ctx context.Context, body sluice.Content, each bool) (replies []sluice.Reply) {
	tx := s.tx
	if tx == nil || tx.void || tx.route == nil && tx.traps == nil && !tx.desk {
		return []sluice.Reply{{Code: 503, Enhanced: "5.5.1", Text: "No transaction"}}
	}
	j := &judged{id: tx.env.ID, env: &tx.env, each: each}
	n := 1
	if each {
		n = len(tx.env.Rcpts)
	}
	var outcomes []sluice.Outcome
	defer func() {
		if p := recover(); p != nil {
			// Promise 2: an unknown failure is ours, and temporary.
			s.gate.cfg.Logger.Error("panic while handling a message", "id", j.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			s.gate.cfg.Metrics.panics.Inc()
			j.action, j.why = sluice.Defer, reason.InternalPanic
			replies = slices.Repeat([]sluice.Reply{s.refusal(j)}, n)
		}
		s.record(j, outcomes, replies[0])
		if !tx.desk {
			s.learnFrom(j, replies[0])
		}
		s.tx = nil
	}()
	if tx.desk {
		return s.report(ctx, j, body.Bytes(), n)
	}
	s.judge(ctx, j, body.Bytes())
	if each {
		replies, outcomes = s.actEach(ctx, j, body.Bytes())
		return replies
	}
	var reply sluice.Reply
	reply, outcomes = s.act(ctx, j, body.Bytes())
	return []sluice.Reply{reply}
}

// judge parses the message, runs its checks under the budget and decides for
// each recipient.
func (s *session) judge(ctx context.Context, j *judged, raw []byte) {
	ctx, cancel := context.WithTimeout(ctx, s.set.Budget)
	defer cancel()
	start := s.gate.cfg.Clock()
	j.msg, j.notes = message.Parse(raw, message.DefaultLimits()), new(check.Notes)
	in := &check.Input{Conn: s.conn, Envelope: j.env, Message: j.msg, Auth: s.who(), Now: start, Notes: j.notes}
	for _, p := range [...]sluice.Phase{sluice.PhaseHeader, sluice.PhaseMessage} {
		s.tx.ledger = append(s.tx.ledger, s.set.Pipeline.Run(ctx, p, in, s.evidence())...)
	}
	s.weigh(j)
	s.decide(j)
	s.restrict(ctx, j)
	j.good, j.bad = outcome(s.evidence(), s.set.Weights, s.set.Policy, s.tx.traps != nil)
	if j.action != sluice.Accept {
		j.good = 0
	}
	s.gate.cfg.Metrics.judged.Observe(s.gate.cfg.Clock().Sub(start).Seconds())
}

func (s *session) weigh(j *judged) {
	j.verdict = verdict.Weigh(s.evidence(), s.set.Weights)
	s.stamp(&j.verdict)
}

// decide asks policy for every recipient, then for the one reply that SMTP has.
func (s *session) decide(j *judged) {
	p := s.set.Policy
	if s.tx.route != nil && s.tx.route.Policy != nil {
		p = *s.tx.route.Policy
	}
	c := policy.Circumstances{AlreadyAccepted: s.conn.AlreadyAccepted, Trusted: s.conn.Trusted}
	for _, rc := range j.env.Rcpts {
		d := policy.Decide(j.verdict, p, rc.Address, c)
		if s.tx.traps[rc.Address] {
			d.Action, d.Why = sluice.QuarantineIt, reason.Spamtrap
		}
		j.decisions = append(j.decisions, d)
	}
	if j.each {
		for _, d := range j.decisions {
			j.action = max(j.action, d.Action)
		}
	} else {
		j.action, j.decisions = policy.Combine(j.decisions)
	}
	for _, d := range j.decisions {
		if d.Action == j.action {
			j.why = d.Why
			break
		}
	}
	if j.action == sluice.Accept && j.verdict.Hard == "" {
		j.verdict.Threat = sluice.ThreatNone // what is simply delivered is called no names
	}
}

// refusal renders the reply to a refused or deferred message.
func (s *session) refusal(j *judged) sluice.Reply {
	e, _ := reason.Lookup(string(j.why))
	if e.ID == reason.AccountStopped {
		return s.say(j.why, j.id, sluice.PhaseMessage, &j.verdict)
	}
	shown := &j.verdict
	if j.action == sluice.Defer {
		shown = &sluice.Verdict{} // it waits for another cause than what speaks against it
	}
	return explain.Reply(j.action, j.why, j.verdict, s.options(j.id, sluice.PhaseMessage, shown, e.Code, j.why))
}
