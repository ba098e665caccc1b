package gate

import (
	"context"
	"slices"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// Users follows what our own users send, beside what each message says: package
// subscriber stands behind it. Its methods may ask a directory, and then heed the
// context; a directory in trouble must not stop mail.
type Users interface {
	// Login is told of each successful login.
	Login(ctx context.Context, c *sluice.Conn)
	// Standing says what is done to mail of a client that has logged in before it is
	// read. Only RestrictReauth and RestrictReply refuse it then.
	Standing(ctx context.Context, c *sluice.Conn, from string) Restricted
	// Judge is asked for each judged message before anybody gets it, with how many
	// recipients of it don't exist. Its answer is for this very message.
	Judge(ctx context.Context, o *Observation, unknown int) Restricted
	// Refused is told how many recipients the next hop didn't know.
	Refused(ctx context.Context, c *sluice.Conn, env *sluice.Envelope, n int)
}

// Restricted is what is done to mail of one of our users.
type Restricted struct {
	Restrict sluice.Restriction
	Case     string
	Page     string // address of the user's own page, "" for none
}

// standing refuses what a restricted user begins to send.
func (s *session) standing(ctx context.Context, from string) (sluice.Reply, bool) {
	if s.set.Users == nil || s.conn.Auth == "" {
		return sluice.Reply{}, false
	}
	r := s.set.Users.Standing(ctx, s.conn, from)
	var why sluice.Reason
	switch r.Restrict {
	case sluice.RestrictReauth:
		why = reason.AccountReauth
	case sluice.RestrictReply:
		why = reason.AccountStopped
	default:
		return sluice.Reply{}, false
	}
	s.tx.ledger = append(s.tx.ledger, restricted(why, r, sluice.PhaseMail))
	s.tx.page = r.Page
	v := s.verdict()
	reply := s.say(why, s.tx.env.ID, sluice.PhaseMail, &v)
	s.refused(why, sluice.PhaseMail, reply)
	s.tx.void, s.tx.voidPhase, s.tx.voidReply = true, sluice.PhaseMail, reply
	return reply, true
}

func restricted(why sluice.Reason, r Restricted, p sluice.Phase) sluice.Evidence {
	e := check.Found(why, "case "+r.Case)
	e.Phase = p
	return e
}

// sends says whether the client may send to other systems: a user, or a machine of ours.
func (s *session) sends() bool {
	return s.conn.Auth != "" || s.conn.Trusted && s.set.Senders != nil && s.set.Senders(s.conn.Client.Addr())
}

// ours says whether the transaction is mail that our users send.
func (s *session) ours(env *sluice.Envelope) bool {
	return s.set.Users != nil && !s.conn.AlreadyAccepted && (s.conn.Auth != "" || s.conn.Trusted && env.Outbound)
}

// restrict keeps, limits or refuses a message of a user whose case asks for it. What is
// refused or kept already stays so.
func (s *session) restrict(ctx context.Context, j *judged) {
	if !s.ours(j.env) {
		return
	}
	r := s.set.Users.Judge(ctx, s.observation(j, sluice.Reply{}), s.tx.misses)
	var to sluice.Action
	var why sluice.Reason
	switch r.Restrict {
	case sluice.RestrictNone:
		return
	case sluice.RestrictClamp:
		to, why = sluice.Defer, reason.AccountClamped
	case sluice.RestrictReply:
		to, why = sluice.Reject, reason.AccountStopped
	default: // a new login is asked for at the next message; this one is safe
		to, why = sluice.QuarantineIt, reason.AccountHeld
	}
	s.tx.ledger = append(s.tx.ledger, restricted(why, r, sluice.PhaseMessage))
	s.weigh(j)
	if j.action > sluice.Strip && !(j.action == sluice.QuarantineIt && to == sluice.Reject) {
		return
	}
	s.tx.page, j.action, j.why = r.Page, to, why
	for i := range j.decisions {
		j.decisions[i].Action, j.decisions[i].Why = to, why
	}
}

// undelivered tells how many recipients of our user's message don't exist elsewhere.
func (s *session) undelivered(ctx context.Context, j *judged, outcomes []sluice.Outcome) {
	if !s.ours(j.env) {
		return
	}
	n := 0
	for _, o := range outcomes {
		// RFC 3463 3.2: bad mailbox, bad system, and moved without an address.
		if o.Reply.Permanent() && slices.Contains([]string{"5.1.1", "5.1.2", "5.1.6"}, o.Reply.Enhanced) {
			n++
		}
	}
	if n > 0 {
		s.set.Users.Refused(ctx, s.conn, j.env, n)
	}
}
