package gate

import (
	"context"
	"fmt"
	"io"

	"sluice"
	"sluice/gate/route"
	"sluice/message"
	"sluice/message/header"
)

// msgHeader is what prepare needs of a message.
type msgHeader interface{ Header() *header.Header }

// Release sends a quarantined message on to its recipients through the outbox
// and labels it as wanted. It returns after the outbox has it on disk.
func (g *Gate) Release(ctx context.Context, id, by string) error {
	q, r, err := g.cfg.Quarantine.Open(ctx, id)
	if err != nil {
		return fmt.Errorf("release %s: %w", id, err)
	}
	defer r.Close()
	if !q.Released.IsZero() {
		return fmt.Errorf("release %s: it was released already, on %s", id, q.Released.Format("2 January 2006 15:04"))
	}
	raw, err := io.ReadAll(io.LimitReader(r, q.Size+1))
	if err != nil {
		return fmt.Errorf("release %s: %w", id, err)
	}
	if int64(len(raw)) != q.Size {
		return fmt.Errorf("release %s: the file holds %d bytes, its description says %d", id, len(raw), q.Size)
	}
	set, now := g.Settings(), g.cfg.Clock()
	m := message.Parse(raw, message.DefaultLimits())
	d := prepare(set, &q.Conn, &q.Envelope, &q.Verdict, sluice.Accept, "", nil, nil, m, q.Envelope.Rcpts, raw, now)
	if len(q.Envelope.Rcpts) > 0 { // all on one route, or to postmaster
		rt, _ := set.Routes.Of(q.Envelope.Rcpts[0].Address, q.Envelope.Outbound)
		g.sign(set, rt, &q.Conn, m, d, now)
	}
	if err := g.cfg.Outbox.Put(ctx, d); err != nil {
		return fmt.Errorf("release %s: %w", id, err)
	}
	if err := g.cfg.Quarantine.MarkReleased(ctx, id, now); err != nil {
		// It is on its way: a second release is a lesser evil than a lost one.
		return fmt.Errorf("release %s: sent on, but not marked: %w", id, err)
	}
	q.Released = now
	if err := g.cfg.Index.IndexQuarantined(ctx, q); err != nil {
		g.cfg.Logger.Error("quarantine index: run sluice quarantine reindex", "id", id, "error", err)
	}
	return nil
}

// Delete removes a quarantined message for good.
func (g *Gate) Delete(ctx context.Context, id, by string) error {
	if err := g.cfg.Quarantine.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	if err := g.cfg.Index.Unindex(ctx, id); err != nil {
		return fmt.Errorf("delete %s: the message is gone, its row in the index is not: %w", id, err)
	}
	g.cfg.Logger.Info("quarantine: deleted", "id", id, "by", by)
	return nil
}

// Deliver hands a message of the outbox to its route.
func (g *Gate) Deliver(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
	set := g.Settings()
	groups := map[*route.Route][]int{}
	out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
	for i, rc := range d.Envelope.Rcpts {
		rt, _ := set.Routes.Of(rc.Address, d.Envelope.Outbound)
		if rt == nil {
			out[i] = sluice.Outcome{Recipient: rc.Address, Reply: sluice.Reply{Code: 451, Enhanced: "4.3.5", Text: "No route"},
				Err: fmt.Errorf("no route for domain %q any more", sluice.DomainOf(rc.Address))}
			continue
		}
		groups[rt] = append(groups[rt], i)
	}
	for rt, idx := range groups {
		env := *d.Envelope
		env.Rcpts = nil
		for _, i := range idx {
			env.Rcpts = append(env.Rcpts, d.Envelope.Rcpts[i])
		}
		part := *d
		part.Envelope = &env
		for k, o := range rt.Deliverer.Deliver(ctx, &part) {
			out[idx[k]] = o
		}
	}
	return out
}
