package gate

import (
	"log/slog"
	"net/netip"

	"sluice"
	"sluice/check"
	"sluice/check/inspect"
	"sluice/explain"
	"sluice/explain/ref"
	"sluice/learn/dialect"
	"sluice/reason"
)

// record logs one judged message: one wide line, and the row behind the console
// and sluice explain.
func (s *session) record(j *judged, outcomes []sluice.Outcome, reply sluice.Reply) {
	r := &sluice.Record{ID: j.id, Tenant: j.env.Tenant, Time: j.env.Received, Conn: *s.conn, Envelope: *j.env,
		Phase: sluice.PhaseMessage, Verdict: j.verdict, Decisions: j.decisions,
		Outcomes: append(outcomes, s.tx.refused...), Reply: reply, Micros: since(s.gate.cfg.Clock, j.env.Received)}
	r.Files, r.FilesLeft = seen(j)
	r.Authenticated = s.who().Known().Authenticated(j.msg != nil)
	s.stamp(&r.Verdict)
	if j.msg != nil {
		r.Size = int64(len(j.msg.Raw))
		r.Subject = j.msg.View().Subject
		r.MessageID = j.msg.Header().Get("Message-Id")
	}
	s.gate.cfg.Log.Append(r)
	m := s.gate.cfg.Metrics
	m.messages.WithLabelValues(j.action.String(), j.verdict.Threat.String()).Inc()
	for _, c := range j.verdict.Ledger {
		if c.State == sluice.Found && (c.Points != 0 || c.Hard != sluice.Soft) {
			m.reasons.WithLabelValues(string(c.Reason)).Inc()
		}
	}
	s.visit.Judged(s.gate.cfg.Clock(), j.action, j.verdict.Threat)
	s.gate.cfg.Logger.Info("message", wide(r, j.action.String())...)
	s.observe(j, reply)
}

// stamp says by what a verdict was made, where that isn't said yet: a message that was
// never weighed has versions too.
func (s *session) stamp(v *sluice.Verdict) {
	if v.Versions != (sluice.Versions{}) {
		return
	}
	v.Versions = s.set.Versions
	if f := s.set.Learned; f != nil {
		v.Versions.Model += f()
	}
}

// seen is what was found in the files of a message.
func seen(j *judged) (list []sluice.FileSeen, left int) {
	if l, ok := check.Noted[*inspect.Looked](j.notes); ok {
		return l.Seen()
	}
	return nil, 0
}

// recordRefusal logs a transaction that ended before a message was judged.
func (s *session) recordRefusal(id string, phase sluice.Phase, v sluice.Verdict, reply sluice.Reply) {
	s.stamp(&v)
	r := &sluice.Record{ID: id, Time: s.gate.cfg.Clock(), Conn: *s.conn, Phase: phase, Verdict: v, Reply: reply,
		Authenticated: s.who().Known().Authenticated(false)}
	action := sluice.Reject
	if reply.Temporary() {
		action = sluice.Defer
	}
	if tx := s.tx; tx != nil {
		r.Tenant, r.Envelope, r.Outcomes = tx.env.Tenant, tx.env, tx.refused
		r.Micros = since(s.gate.cfg.Clock, tx.env.Received)
		for _, o := range tx.refused {
			r.Decisions = append(r.Decisions, sluice.Decision{Recipient: o.Recipient, Action: action})
		}
	}
	if len(r.Decisions) == 0 {
		r.Decisions = []sluice.Decision{{Action: action}}
	}
	r.Envelope.ID = id
	s.gate.cfg.Log.Append(r)
	s.gate.cfg.Logger.Info("refused", wide(r, action.String())...)
}

// recordBot is recordRefusal for clients that showed themselves before they had a
// sender: under attack only a sample of them gets a row and a line, all are counted.
func (s *session) recordBot(id string, phase sluice.Phase, v sluice.Verdict, reply sluice.Reply) {
	if g := s.gate.cfg.Port.Guard; g == nil || g.Sample(s.gate.cfg.Clock()) {
		s.recordRefusal(id, phase, v, reply)
	}
}

// wide is the log line: the same facts as the record. Hostile text is escaped.
func wide(r *sluice.Record, action string) []any {
	reasons := make([]string, 0, len(r.Verdict.Ledger))
	for _, c := range r.Verdict.Ledger {
		if c.State == sluice.Found && (c.Points != 0 || c.Hard != sluice.Soft) {
			reasons = append(reasons, string(c.Reason))
		}
	}
	return []any{
		slog.String("id", r.ID), slog.String("session", r.Conn.ID), slog.String("client", r.Conn.Client.Addr().String()),
		slog.String("dialect", dialect.ID(r.Conn.Dialect, dialect.StageMail)),
		slog.String("helo", explain.Escape(r.Conn.Hello.Name, 255)), slog.String("from", explain.Escape(r.Envelope.From, 320)),
		slog.Int("rcpts", len(r.Envelope.Rcpts)), slog.Int64("size", r.Size), slog.Int("files", len(r.Files)+r.FilesLeft), slog.String("phase", r.Phase.String()),
		slog.String("action", action), slog.String("threat", r.Verdict.Threat.String()), slog.Float64("points", r.Verdict.Points),
		slog.String("hard", string(r.Verdict.Hard)), slog.Any("reasons", reasons), slog.Int("code", r.Reply.Code),
		slog.String("enhanced", r.Reply.Enhanced), slog.Int64("us", r.Micros),
	}
}

// facts are what the sealed token carries: no recipient, no points, no trap.
func (s *session) facts(id string, phase sluice.Phase, v *sluice.Verdict, code int, lead sluice.Reason) ref.Facts {
	f := ref.Facts{ID: id, Time: s.gate.cfg.Clock(), Node: s.set.Node, Client: clientOf(s.conn), Helo: s.conn.Hello.Name,
		Phase: phase, Threat: v.Threat, Code: code}
	if lead != "" {
		f.Reasons = append(f.Reasons, lead)
	}
	for _, c := range v.Ledger {
		// A page that names a trap would clean a spammer's list.
		if c.Reason != lead && c.Reason != reason.Spamtrap && c.State == sluice.Found && (c.Points > 0 || c.Hard == sluice.HardStop) {
			f.Reasons = append(f.Reasons, c.Reason)
		}
	}
	return f
}

func clientOf(c *sluice.Conn) netip.Addr { return c.Client.Addr().Unmap() }
