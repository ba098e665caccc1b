package gate

import (
	"context"
	"slices"

	"sluice"
	"sluice/mailauth"
	"sluice/message"
	"sluice/reason"
)

// Desk takes what users report: mail to the report addresses, which is read and
// learned from, and goes no further (package complaint/desk).
type Desk interface {
	// Takes says whether an address is a report address.
	Takes(addr string) bool
	// Clean takes a message out of a mailbox back to what came to us, and finds the id
	// of its row in the log, "" for none.
	Clean(ctx context.Context, raw []byte) (clean []byte, id string)
	// Take reads a report and returns the reply to its final dot. The error is the
	// operator's: the reply has been chosen for it.
	Take(ctx context.Context, conn *sluice.Conn, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message) (sluice.Reply, error)
}

// reports says whether an address is one for reports.
func (s *session) reports(addr string) bool {
	d := s.set.Desk
	return d != nil && d.Takes(addr)
}

// rcptDesk accepts a report address. Who may report is found out at the final dot,
// where their domain has proved itself; a client that nobody would hear isn't
// heard here either. A report has no other recipients, since it is full of what is
// refused to them.
func (s *session) rcptDesk(ctx context.Context, to string, params []sluice.Param) sluice.Reply {
	tx := s.tx
	if len(tx.env.Rcpts) > 0 && !tx.desk {
		return s.refuseRcpt(to, reason.MixedRecipients)
	}
	env := tx.env
	env.Rcpts = []sluice.Recipient{{Address: to, Params: params}}
	before := len(tx.ledger)
	s.run(ctx, sluice.PhaseRcpt, &env)
	if why := s.early(to); why != "" {
		tx.ledger = tx.ledger[:before]
		return s.refuseRcpt(to, why)
	}
	tx.desk = true
	tx.env.Rcpts = append(tx.env.Rcpts, env.Rcpts[0])
	return sluice.Reply{Code: 250, Enhanced: "2.1.5", Text: "Recipient noted"}
}

// report hands a message to the desk. It isn't judged, and nothing is learned of who
// brought it.
func (s *session) report(ctx context.Context, j *judged, raw []byte, n int) []sluice.Reply {
	ctx, cancel := context.WithTimeout(ctx, s.set.Budget)
	defer cancel()
	j.msg = message.Parse(raw, message.DefaultLimits())
	reply, err := s.set.Desk.Take(ctx, s.conn, j.env, s.who(), j.msg)
	switch {
	case err != nil:
		s.gate.cfg.Logger.Error("a report was not taken, its sender keeps it", "id", j.id, "error", err)
		s.gate.cfg.Metrics.trouble.WithLabelValues("desk").Inc()
		j.action, j.why = sluice.Defer, reason.LocalError
	case reply.Permanent():
		j.action = sluice.Reject
	case reply.Temporary():
		j.action = sluice.Defer
	}
	for _, rc := range j.env.Rcpts {
		j.decisions = append(j.decisions, sluice.Decision{Recipient: rc.Address, Action: j.action})
	}
	return slices.Repeat([]sluice.Reply{reply}, n)
}
