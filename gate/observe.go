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
	// Good and Bad are what the message tells of those who sent it, from evidence that
	// doesn't rest on earlier outcomes: 1 where it was clearly wanted and delivered,
	// clearly unwanted; both 0 where it can't be told, and for mail of our own users and
	// relays.
	Good, Bad float64
	// Trapped messages went to a spamtrap, and to nobody else.
	Trapped bool
}

// observe tells the observer, if there is one.
func (s *session) observe(j *judged, reply sluice.Reply) {
	if f := s.gate.cfg.Observe; f != nil && j.msg != nil {
		o := s.observation(j, reply)
		if !s.conn.Trusted && !s.conn.AlreadyAccepted && s.conn.Auth == "" {
			o.Good, o.Bad = j.good, j.bad
			if !reply.Positive() {
				o.Good = 0
			}
		}
		f(o)
	}
}

func (s *session) observation(j *judged, reply sluice.Reply) *Observation {
	return &Observation{Conn: s.conn, Envelope: j.env, Auth: s.tx.auth, Message: j.msg, Notes: j.notes, Verdict: &j.verdict, Action: j.action, Reply: reply,
		ID: j.id, Trapped: len(s.tx.traps) > 0 && len(s.tx.traps) == len(j.env.Rcpts)}
}
