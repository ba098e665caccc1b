package gate

import (
	"context"
	"slices"

	"sluice"
	"sluice/explain"
	"sluice/reason"
)

// actEach is act for LMTP (RFC 2033 4.2): every recipient has a reply of its own,
// so nothing needs to be combined, split or held for later. Each reply is true
// for its recipient alone.
func (s *session) actEach(ctx context.Context, j *judged, raw []byte) ([]sluice.Reply, []sluice.Outcome) {
	replies := make([]sluice.Reply, len(j.decisions))
	var relay, hold, copies []int
	strongest := sluice.Accept
	for i, d := range j.decisions {
		switch d.Action {
		case sluice.Reject, sluice.Defer, sluice.Drop:
			e, _ := reason.Lookup(string(d.Why))
			replies[i] = explain.Reply(d.Action, d.Why, j.verdict, s.options(j.id, sluice.PhaseMessage, &j.verdict, e.Code, d.Why))
			s.refused(d.Why, sluice.PhaseMessage, replies[i])
		case sluice.Accept, sluice.Tag, sluice.Banner, sluice.Strip:
			relay = append(relay, i)
			if d.Action == sluice.Strip {
				copies = append(copies, i)
			}
			strongest = max(strongest, d.Action)
		default:
			hold = append(hold, i)
		}
	}
	answer := func(at []int, r sluice.Reply) {
		for _, i := range at {
			replies[i] = r
		}
	}
	if len(hold) > 0 {
		q := s.quarantined(j, pick(j.env.Rcpts, hold), int64(len(raw)))
		if err := s.gate.cfg.Quarantine.Put(ctx, q, raw); err != nil {
			kept := j.action
			answer(hold, s.trouble("quarantine", j, err))
			j.action = kept
		} else {
			s.index(ctx, q)
			answer(hold, s.accepted(j))
		}
	}
	if len(relay) == 0 {
		return replies, nil
	}
	var kept *sluice.Quarantined
	if len(copies) > 0 {
		kept = s.quarantined(j, pick(j.env.Rcpts, copies), int64(len(raw)))
		kept.ID, kept.Pending = s.gate.newID(), true
		if err := s.gate.cfg.Quarantine.Put(ctx, kept, raw); err != nil {
			answer(relay, s.trouble("quarantine", j, err))
			return replies, nil
		}
	}
	all := j.action
	j.action = strongest // what those who get it see on it
	outcomes := s.tx.route.Deliverer.Deliver(ctx, s.delivery(ctx, j, pick(j.env.Rcpts, relay), raw))
	j.action = all
	for k, i := range relay {
		switch o := outcomes[k]; {
		case o.Delivered():
			replies[i] = s.accepted(j)
		default:
			replies[i] = s.backendRefusal(j, outcomes[k:k+1], !o.Reply.Permanent())
		}
	}
	if kept != nil {
		s.keep(ctx, kept, slices.ContainsFunc(outcomes, sluice.Outcome.Delivered))
	}
	return replies, outcomes
}

// keep ends the wait of a copy whose stripped twin was delivered, or not.
func (s *session) keep(ctx context.Context, q *sluice.Quarantined, delivered bool) {
	ctx = context.WithoutCancel(ctx)
	var err error
	if delivered {
		err = s.gate.cfg.Quarantine.Commit(ctx, q.ID)
	} else {
		err = s.gate.cfg.Quarantine.Abort(ctx, q.ID)
	}
	if err != nil {
		s.gate.cfg.Logger.Error("quarantine: the original of a stripped message is lost", "id", q.ID, "delivered", delivered, "error", err)
		return
	}
	if q.Pending = false; delivered {
		s.index(ctx, q)
	}
}

func pick(rcpts []sluice.Recipient, at []int) []sluice.Recipient {
	out := make([]sluice.Recipient, len(at))
	for k, i := range at {
		out[k] = rcpts[i]
	}
	return out
}
