package gate

import (
	"sluice"
	"sluice/check"
	"sluice/mailauth"
	"sluice/message"
)

// Observation is a judged message after its reply was decided, for those who
// count or read along. It is valid until the observer returns: the message's
// bytes are unmapped afterwards.
type Observation struct {
	Conn     *sluice.Conn
	Envelope *sluice.Envelope
	Auth     *mailauth.Auth // may be nil
	Message  *message.Message
	Notes    *check.Notes
	Verdict  *sluice.Verdict
	Action   sluice.Action
	Reply    sluice.Reply
	ID       string
	// Trapped messages went to a spamtrap, and to nobody else.
	Trapped bool
}

// observe tells the observer, if there is one.
func (s *session) observe(j *judged, reply sluice.Reply) {
	if f := s.gate.cfg.Observe; f != nil && j.msg != nil {
		f(&Observation{Conn: s.conn, Envelope: j.env, Auth: s.tx.auth, Message: j.msg, Notes: j.notes, Verdict: &j.verdict, Action: j.action, Reply: reply,
			ID: j.id, Trapped: len(s.tx.traps) > 0 && len(s.tx.traps) == len(j.env.Rcpts)})
	}
}
