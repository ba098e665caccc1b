package gate

import (
	"context"

	"sluice"
	"sluice/message"
)

// Examined is a stored message with its verdict.
type Examined struct {
	Record  sluice.Record
	Action  sluice.Action
	Message *message.Message
}

// Examine takes a message through the phases of a session, in the same order
// and with the same checks, and hands it to nobody. It is what scan and lint
// run: a stored message gets the verdict that a live one would. What a gate
// remembers it learns from, as if the message had been answered as the policy
// says.
func (g *Gate) Examine(ctx context.Context, c *sluice.Conn, env sluice.Envelope, raw []byte) *Examined {
	s := g.open(ctx, c)
	if c.Hello.Name != "" {
		s.Hello(ctx)
	}
	if c.TLS != nil {
		s.run(ctx, sluice.PhaseTLS, nil)
	}
	if len(env.Rcpts) == 0 {
		env.Rcpts = []sluice.Recipient{{}}
	}
	if env.ID == "" {
		env.ID = g.newID()
	}
	if env.Received.IsZero() {
		env.Received = g.cfg.Clock()
	}
	s.tx = &transaction{env: env}
	s.tx.auth = s.auth.Begin(&s.tx.env)
	s.run(ctx, sluice.PhaseMail, &s.tx.env)
	for _, rc := range env.Rcpts {
		one := env
		one.Rcpts = []sluice.Recipient{rc}
		s.run(ctx, sluice.PhaseRcpt, &one)
	}
	s.run(ctx, sluice.PhaseData, &s.tx.env)
	j := &judged{id: env.ID, env: &s.tx.env}
	s.judge(ctx, j, raw)
	reply := sluice.Reply{Code: 250}
	switch j.action {
	case sluice.Reject:
		reply.Code = 550
	case sluice.Defer:
		reply.Code = 451
	}
	s.learnFrom(j, reply)
	s.observe(j, reply)
	files, left := seen(j)
	return &Examined{Action: j.action, Message: j.msg, Record: sluice.Record{ID: j.id, Time: env.Received, Conn: *c,
		Envelope: env, Subject: j.msg.View().Subject, MessageID: j.msg.Header().Get("Message-Id"), Size: int64(len(raw)),
		Phase: sluice.PhaseMessage, Verdict: j.verdict, Decisions: j.decisions, Micros: since(g.cfg.Clock, env.Received),
		Files: files, FilesLeft: left, Authenticated: s.who().Known().Authenticated(true)}}
}
