package users

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice"
	"sluice/judge/policy"
	"sluice/reason"
	"sluice/subscriber/cases"
)

// Gate lets held mail go, and knows what is clean.
type Gate interface {
	Release(ctx context.Context, id, by string) error
	Policy() policy.Policy
}

const (
	tickEvery  = 20 * time.Second
	sweepEvery = time.Hour
	// keepCases is how long a case that ended is kept: figures are told by the year.
	keepCases = 400 * 24 * time.Hour
	// afterStart is how old the end of a case may be whose held mail is looked for when a
	// process begins: the one before may have been killed in between.
	afterStart = 48 * time.Hour
)

// Run follows the cases until ctx ends.
func (u *Users) Run(ctx context.Context, g Gate, held sluice.QuarantineIndex) {
	tick, sweep := time.NewTicker(tickEvery), time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer sweep.Stop()
	if u.telling != nil {
		var wg sync.WaitGroup
		wg.Go(func() { u.telling.Run(ctx) })
		defer wg.Wait()
	}
	u.ended(ctx, g, held, func(c *sluice.Case) { u.told(c, cases.Clean) }) // who was freed may not know yet
	for {
		select {
		case id := <-u.released:
			u.letGo(ctx, g, held, id)
		case now := <-tick.C:
			if err := errors.Join(u.Warden.Tick(ctx, now), u.Warden.Save(ctx, now, false)); err != nil && ctx.Err() == nil {
				u.cfg.Trace.Error("cases of our users can't be written; it is tried again", "error", err)
			}
		case now := <-sweep.C:
			if n, err := u.cfg.Cases.SweepCases(ctx, now.Add(-keepCases)); err != nil {
				u.cfg.Trace.Error("old cases can't be deleted; it is tried again", "error", err)
			} else if n > 0 {
				u.cfg.Trace.Info("old cases deleted", "cases", n)
			}
			u.ended(ctx, g, held, func(*sluice.Case) {})
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			now := time.Now()
			if err := errors.Join(u.Warden.Tick(ctx, now), u.Warden.Save(ctx, now, true)); err != nil {
				u.cfg.Trace.Error("what was learned of our users isn't saved whole", "error", err)
			}
			return
		}
	}
}

// ended lets go what cases hold that ended a short time ago, and tells each of them.
func (u *Users) ended(ctx context.Context, g Gate, held sluice.QuarantineIndex, each func(*sluice.Case)) {
	since := time.Now().Add(-afterStart)
	for _, state := range []sluice.CaseState{sluice.CaseWatched, sluice.CaseClosed, sluice.CaseFalseAlarm} {
		q := sluice.CaseQuery{State: state, Limit: sluice.MaxPage}
		for {
			page, err := u.cfg.Cases.ListCases(ctx, q)
			if err != nil {
				u.cfg.Trace.Error("cases that ended can't be read", "error", err)
				return
			}
			for _, c := range page {
				if c.Updated.After(since) {
					u.letGo(ctx, g, held, c.ID)
					each(c)
				}
			}
			if len(page) < q.Page() {
				break
			}
			q.Before = page[len(page)-1].ID
		}
	}
}

// letGo releases the mail that a case holds and nothing else speaks against. The rest
// stays in quarantine until it expires or an admin looks at it.
func (u *Users) letGo(ctx context.Context, g Gate, held sluice.QuarantineIndex, id string) {
	c, err := u.cfg.Cases.Case(ctx, id)
	if err != nil {
		u.cfg.Trace.Error("held mail isn't let go: the case can't be read", "case", id, "error", err)
		return
	}
	switch c.State {
	case sluice.CaseWatched, sluice.CaseClosed, sluice.CaseFalseAlarm:
	default:
		return // held again meanwhile
	}
	gone, stays := 0, 0
	q := sluice.Query{Since: c.Opened.Add(-time.Hour), Limit: sluice.MaxPage}
	p := g.Policy()
	for {
		page, err := held.Quarantined(ctx, q)
		if err != nil {
			u.cfg.Trace.Error("held mail isn't let go: the quarantine can't be read; it is tried again within the hour", "case", id, "error", err)
			return
		}
		for _, m := range page {
			switch {
			case !of(m, id) || !m.Released.IsZero() || m.Pending:
			case policy.Decide(m.Verdict, p, "", policy.Circumstances{}).Action != sluice.Accept:
				stays++
			default:
				if err := g.Release(ctx, m.ID, "case "+id); err != nil {
					u.cfg.Trace.Error("held mail can't be released", "id", m.ID, "case", id, "error", err)
					continue
				}
				gone++
			}
		}
		if len(page) < q.Page() {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	if gone+stays > 0 {
		u.cfg.Trace.Info("mail that was held for a case", "case", id, "released", gone, "stays", stays)
	}
}

// of says whether a message is held for a case.
func of(m *sluice.Quarantined, id string) bool {
	for _, c := range m.Verdict.Ledger {
		if c.Reason == reason.AccountHeld {
			return c.Detail == "case "+id
		}
	}
	return false
}
