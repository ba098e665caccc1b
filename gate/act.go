package gate

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/explain"
	"sluice/judge/verdict"
	"sluice/mailauth/authres"
	"sluice/reason"
)

// act gives the message to somebody durable, or refuses it, and returns the
// reply to the final dot.
func (s *session) act(ctx context.Context, j *judged, raw []byte) (sluice.Reply, []sluice.Outcome) {
	switch j.action {
	case sluice.Reject, sluice.Defer, sluice.Drop:
		r := s.refusal(j)
		s.refused(j.why, sluice.PhaseMessage, r)
		return r, nil
	}
	var relay, hold []sluice.Recipient
	for i, d := range j.decisions {
		switch d.Action {
		case sluice.Strip: // they get the rest; the original is kept for them
			relay, hold = append(relay, j.env.Rcpts[i]), append(hold, j.env.Rcpts[i])
		case sluice.Accept, sluice.Tag, sluice.Banner:
			relay = append(relay, j.env.Rcpts[i])
		default:
			hold = append(hold, j.env.Rcpts[i])
		}
	}
	var held *sluice.Quarantined
	if len(hold) > 0 {
		held = s.quarantined(j, hold, int64(len(raw)))
		held.Pending = len(relay) > 0
		if err := s.gate.cfg.Quarantine.Put(ctx, held, raw); err != nil {
			return s.trouble("quarantine", j, err), nil
		}
	}
	if len(relay) == 0 {
		s.index(ctx, held)
		return s.accepted(j), nil
	}
	outcomes := s.tx.route.Deliverer.Deliver(ctx, s.delivery(ctx, j, relay, raw))
	return s.settle(ctx, j, raw, held, relay, outcomes), outcomes
}

// settle turns the next hop's answers into one reply and finds a durable place
// for every recipient that it didn't take, once it has taken one.
func (s *session) settle(ctx context.Context, j *judged, raw []byte, held *sluice.Quarantined, relay []sluice.Recipient, outcomes []sluice.Outcome) sluice.Reply {
	g := s.gate
	var later, never []sluice.Recipient
	taken := 0
	s.undelivered(ctx, j, outcomes)
	for i, o := range outcomes {
		switch {
		case o.Delivered():
			taken++
		case o.Reply.Permanent():
			never = append(never, relay[i])
		default:
			later = append(later, relay[i])
		}
	}
	if taken == 0 {
		if held != nil {
			if err := g.cfg.Quarantine.Abort(ctx, held.ID); err != nil {
				g.cfg.Logger.Error("quarantine: a pending message stays until the next start", "id", held.ID, "error", err)
			}
		}
		return s.backendRefusal(j, outcomes, len(later) > 0)
	}
	// The next hop has it for somebody, so a 4xx now would make duplicates:
	// everything from here on tries hard, and says 4xx only where a recipient
	// would else lose the message. The client may be gone; the work is not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if held != nil {
		if err := g.cfg.Quarantine.Commit(ctx, held.ID); err != nil {
			return s.trouble("quarantine", j, err)
		}
		held.Pending = false
		s.index(ctx, held)
	}
	if len(later) > 0 {
		d := s.delivery(ctx, j, later, raw)
		d.ID = g.newID()
		if err := g.cfg.Outbox.Put(ctx, d); err != nil {
			return s.trouble("outbox", j, err)
		}
	}
	if len(never) > 0 {
		q := s.quarantined(j, never, int64(len(raw)))
		q.ID = g.newID()
		if err := g.cfg.Quarantine.Put(ctx, q, raw); err != nil {
			return s.trouble("quarantine", j, err)
		}
		s.index(ctx, q)
		g.cfg.Metrics.split.Inc()
		g.cfg.Logger.Warn("the next hop took a message for some recipients and refused it for others; theirs is in quarantine",
			"id", j.id, "quarantine", q.ID, "recipients", len(never))
	}
	return s.accepted(j)
}

// backendRefusal is the truthful code where nobody took the message: 4xx before
// 5xx, so that a sender tries again as long as one recipient may still get it.
func (s *session) backendRefusal(j *judged, outcomes []sluice.Outcome, temporary bool) sluice.Reply {
	pick := outcomes[0]
	for _, o := range outcomes {
		if temporary && !o.Reply.Permanent() || !temporary && o.Reply.Permanent() {
			pick = o
			break
		}
	}
	s.gate.cfg.Metrics.backend.WithLabelValues(pick.Reply.String()[:1]).Inc()
	s.gate.cfg.Logger.Warn("the next hop did not take a message", "id", j.id, "route", s.tx.route.Key,
		"reply", pick.Reply.String(), "error", pick.Err, "unknown", pick.Unknown)
	r := pick.Reply
	switch {
	case r.Code == 421: // it ends the next hop's session, not ours
		r.Code = 451
	case r.Positive(): // never a false 250
		r = sluice.ReplyTo(pick.Err)
	}
	why, code := explain.RelayedReason(r)
	// The page tells of the next hop's refusal; what we found is not its cause.
	return explain.Relayed(r, s.options(j.id, sluice.PhaseMessage, &sluice.Verdict{}, code, why))
}

// accepted is the one honest positive reply: it doesn't say whether the message
// is in a mailbox or held for review, because that would teach spammers.
func (s *session) accepted(j *judged) sluice.Reply {
	return explain.Reply(sluice.Accept, "", j.verdict, explain.Options{Ref: j.id})
}

// trouble is our own failure: logged for the operator, temporary for the peer.
func (s *session) trouble(where string, j *judged, err error) sluice.Reply {
	s.gate.cfg.Logger.Error(where+": message not accepted, the sender keeps it", "id", j.id, "error", err)
	s.gate.cfg.Metrics.trouble.WithLabelValues(where).Inc()
	j.action, j.why = sluice.Defer, reason.LocalError
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Reply.Temporary() {
		j.why = e.Why
		return explain.Failure(err, s.options(j.id, sluice.PhaseMessage, &j.verdict, e.Reply.Code, e.Why))
	}
	return s.refusal(j)
}

// indexPatience is how long a message's reply waits for the index.
const indexPatience = 2 * time.Second

// index is best effort: the file is the truth, and reindex finds it. A database
// that another process holds must not keep senders waiting in a row.
func (s *session) index(ctx context.Context, q *sluice.Quarantined) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), indexPatience)
	defer cancel()
	if err := s.gate.cfg.Index.IndexQuarantined(ctx, q); err != nil {
		s.gate.cfg.Logger.Error("quarantine index: run sluice quarantine reindex", "id", q.ID, "error", err)
	}
}

func (s *session) quarantined(j *judged, rcpts []sluice.Recipient, size int64) *sluice.Quarantined {
	env := *j.env
	env.Rcpts = rcpts
	now := s.gate.cfg.Clock()
	return &sluice.Quarantined{ID: j.id, Tenant: env.Tenant, Envelope: env, Conn: *s.conn, Verdict: j.verdict,
		Stored: now, Expires: now.Add(s.set.Retention), Size: size, Subject: j.msg.View().Subject}
}

// delivery prepares the message for the next hop: incoming forgeries of our
// fields removed, ours on top, every other byte as it came.
func (s *session) delivery(ctx context.Context, j *judged, rcpts []sluice.Recipient, raw []byte) *sluice.Delivery {
	var results string
	if found := s.tx.auth.Results(); len(found) > 0 {
		results = authres.Format(s.set.Hostname, found)
	}
	now := s.gate.cfg.Clock()
	var parts []rewrite.Part
	if slices.ContainsFunc(j.decisions, func(d sluice.Decision) bool { return d.Action == sluice.Strip }) {
		parts = s.stripped(j)
	}
	changes := s.annotations(j)
	d := prepare(s.set, s.conn, j.env, &j.verdict, j.action, results, parts, changes, j.msg, rcpts, raw, now)
	s.gate.sign(s.set, s.tx.route, s.conn, j.msg, d, now)
	if len(parts)+len(changes) > 0 || tagged(&j.verdict, j.action, s.set.Policy) && s.set.SubjectTag != "" {
		s.seal(ctx, j, d, now)
	}
	return d
}

// prepare builds a delivery; release uses it too.
func prepare(set *Settings, conn *sluice.Conn, full *sluice.Envelope, v *sluice.Verdict, action sluice.Action,
	results string, parts []rewrite.Part, changes []rewrite.Change, m msgHeader, rcpts []sluice.Recipient, raw []byte, now time.Time) *sluice.Delivery {
	env := *full
	env.Rcpts = rcpts
	edits := rewrite.Edits{AuthServID: set.Hostname, Parts: parts, Changes: changes}
	if tagged(v, action, set.Policy) {
		edits.SubjectTag = set.SubjectTag
	}
	var mark string
	if set.Trace != nil {
		mark = set.Trace(conn, full, now)
	}
	edits.Traced = mark != ""
	body := rewrite.Edit(raw, *m.Header(), edits)
	head := rewrite.Headers(rewrite.Options{Hostname: set.Hostname, Conn: conn, Envelope: &env, Verdict: v,
		Action: action, Results: results, Required: verdict.Points(set.Policy.TagAt), Now: now, Trace: mark})
	utf8, eight := highBits(raw, m.Header().Range.Off+m.Header().Range.Len)
	for _, c := range changes { // a banner may be the first that isn't ASCII
		eight = eight || hasHigh(c.Text)
	}
	return &sluice.Delivery{ID: env.ID, Envelope: &env, Header: head, Body: body,
		Utf8: utf8 || env.SMTPUTF8 && hasHigh(addresses(&env)), EightBit: eight}
}

func addresses(e *sluice.Envelope) []byte {
	b := []byte(e.From)
	for _, r := range e.Rcpts {
		b = append(b, r.Address...)
	}
	return b
}

// highBits says whether header and body hold octets over 127.
func highBits(raw []byte, split int) (head, body bool) {
	if split < 0 || split > len(raw) {
		split = len(raw)
	}
	return hasHigh(raw[:split]), hasHigh(raw[split:])
}

func hasHigh(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
