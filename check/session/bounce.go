package session

import (
	"strconv"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newBounce looks at the envelope of the null sender. A delivery report goes to
// the one who sent the message (RFC 5321 4.5.5), so it has one recipient.
func newBounce() check.Checker {
	return check.Func(check.Info{
		Name: "session/bounce", Phase: sluice.PhaseData, Group: sluice.GroupSession, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.NullSenderManyRcpt},
	}, func(in *check.Input) []sluice.Evidence {
		e := in.Envelope
		if e == nil || e.From != "" || len(e.Rcpts) < 2 || local(in.Conn) {
			return nil
		}
		return []sluice.Evidence{check.Found(reason.NullSenderManyRcpt, strconv.Itoa(len(e.Rcpts))+" recipients")}
	})
}
