package subscriber

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice"
	"sluice/subscriber/cases"
)

// change is one step that is on disk.
type change struct {
	c    *sluice.Case
	what cases.What
}

// tell calls the hook, outside of the lock.
func (w *Warden) tell(list []change) {
	if w.cfg.Changed == nil {
		return
	}
	for _, ch := range list {
		w.cfg.Changed(ch.c, ch.what)
	}
}

// proceed opens, goes on with, or holds a subject's case.
func (w *Warden) proceed(ctx context.Context, p proceeding) Decision {
	w.files.Lock()
	c, told := w.advance(ctx, p)
	w.files.Unlock()
	w.tell(told)
	if c == nil {
		return Decision{Points: p.sum.Total}
	}
	return Decision{Restrict: c.Restrict, Case: c.ID, Watched: c.State == sluice.CaseWatched, Points: p.sum.Total}
}

func (w *Warden) advance(ctx context.Context, p proceeding) (*sluice.Case, []change) {
	c := w.live[w.bySub[p.subject.Key]]
	if c == nil {
		if !p.own {
			return nil, nil
		}
		if len(w.live) >= w.cfg.Live {
			w.counts.refusedCases.Add(1)
			return nil, nil
		}
		c = w.earlier(ctx, p.subject.Key, p.now)
	}
	// A limited hold is decided once, before anything is tried twice.
	restrict := w.restriction(p.subject)
	may := func(c *sluice.Case) bool {
		holds := c != nil && c.State.Live() && c.State != sluice.CaseOpen && c.State != sluice.CaseRemediated && c.State != sluice.CaseWatched
		if !p.hold || restrict == sluice.RestrictNone || holds {
			return false
		}
		if !w.holds.take(p.now, w.cfg.HoldsPerHour) {
			w.counts.refusedHolds.Add(1)
			w.cfg.Log.Warn("subscriber: nobody more is held this hour", "subject", p.subject.Key, "points", p.sum.Total)
			return false
		}
		return true
	}(c)
	var what []cases.What
	step := func(c *sluice.Case) error {
		what = what[:0]
		return w.play(c, &p, restrict, may, &what)
	}
	if c == nil {
		e := cases.Event{Time: p.now, Points: p.sum.Total, Own: p.own, Kind: p.kind}
		c = cases.New(w.cfg.ID(), p.subject.Tenant, p.subject.Key, e)
		c.FirstAbuse, c.Let = p.since, p.let
		w.counts.opened.Add(1)
		step = func(c *sluice.Case) error {
			what = append(what[:0], cases.Opened)
			if c.Version > 0 {
				what = what[:0] // another node was quicker
			}
			return w.play(c, &p, restrict, may, &what)
		}
	}
	c, err := w.commit(ctx, c, false, step, &what)
	if err != nil {
		w.cfg.Log.Error("subscriber: case", "subject", p.subject.Key, "error", err)
		return w.live[w.bySub[p.subject.Key]], nil
	}
	return c, w.settled(c, what)
}

// settled are the steps to tell of, now that they are on disk.
func (w *Warden) settled(c *sluice.Case, what []cases.What) []change {
	if _, waits := w.dirty[c.ID]; waits || c.Version == 0 {
		return nil
	}
	out := make([]change, len(what))
	for i := range what {
		out[i] = change{c, what[i]}
	}
	return out
}

// play takes the steps of a proceeding.
func (w *Warden) play(c *sluice.Case, p *proceeding, restrict sluice.Restriction, hold bool, what *[]cases.What) error {
	take := func(e cases.Event) error {
		err := cases.Apply(c, e, w.cfg.Rules)
		if err == nil && e.What != cases.Seen {
			*what = append(*what, e.What)
		}
		return err
	}
	if !c.State.Live() {
		if err := take(cases.Event{What: cases.Reopened, Time: p.now, Points: p.sum.Total, Own: p.own}); err != nil {
			return err
		}
		c.Let += p.let
	}
	for _, e := range p.seen() {
		if err := take(e); err != nil {
			return err
		}
	}
	if !hold {
		return nil
	}
	switch c.State {
	case sluice.CaseOpen:
		c.Let = max(c.Let, p.let)
		return take(cases.Event{What: cases.Held, Time: p.now, Restrict: restrict})
	case sluice.CaseRemediated, sluice.CaseWatched:
		c.Let += p.let
		return take(cases.Event{What: cases.Recurred, Time: p.now, Points: p.sum.Total, Own: p.own, Restrict: restrict})
	}
	return nil
}

// earlier is a case of the subject that ended a short time ago, nil for none. A store
// that doesn't answer has none: then another one is made.
func (w *Warden) earlier(ctx context.Context, subject string, now time.Time) *sluice.Case {
	list, err := w.cfg.Cases.ListCases(ctx, sluice.CaseQuery{Subject: subject, Limit: 1})
	if err != nil || len(list) == 0 || !list[0].State.Live() && !cases.Resumes(list[0], now, w.cfg.Rules) {
		return nil
	}
	return list[0]
}

// commit changes a copy of the case, writes it, and keeps it. With the files locked.
// Where the case changed meanwhile, it is read again and f repeated. Where the store
// fails, the change counts from memory and is written later, unless it must be on disk:
// then nothing has changed. Small changes, which leave no step, always wait for the next
// tick.
func (w *Warden) commit(ctx context.Context, c *sluice.Case, must bool, f func(*sluice.Case) error, what *[]cases.What) (*sluice.Case, error) {
	var err error
	for range 3 {
		next := c.Clone()
		if err := f(next); err != nil {
			return c, err
		}
		w.count(next)
		if c.Version > 0 && len(next.Steps) == len(c.Steps) && next.LeftSteps == c.LeftSteps && !must {
			w.keep(next)
			w.wait(next.ID, nil)
			return next, nil
		}
		if err = w.cfg.Cases.PutCase(ctx, next); err == nil {
			*what = append(w.dirty[next.ID], *what...)
			delete(w.dirty, next.ID)
			w.keep(next)
			return next, nil
		}
		if !errors.Is(err, sluice.ErrConflict) {
			if must {
				return c, fmt.Errorf("subscriber: %w", err)
			}
			w.cfg.Log.Error("subscriber: a case isn't on disk", "case", next.ID, "error", err)
			w.keep(next)
			w.wait(next.ID, *what)
			return next, nil
		}
		other, err1 := w.stored(ctx, c)
		if err1 != nil {
			return c, fmt.Errorf("subscriber: %w", err1)
		}
		c = other
	}
	return c, fmt.Errorf("subscriber: %w", err)
}

// stored reads the case again, or the live one that another node opened for the subject.
func (w *Warden) stored(ctx context.Context, c *sluice.Case) (*sluice.Case, error) {
	other, err := w.cfg.Cases.Case(ctx, c.ID)
	if err == nil && other.Version != c.Version {
		w.keep(other)
		return other, nil
	}
	list, err1 := w.cfg.Cases.ListCases(ctx, sluice.CaseQuery{Subject: c.Subject, Live: true, Limit: 1})
	if err1 != nil || len(list) == 0 {
		return nil, cmp.Or(err1, err, sluice.ErrConflict)
	}
	w.drop(c)
	w.keep(list[0])
	return list[0], nil
}

func (w *Warden) wait(id string, what []cases.What) { w.dirty[id] = append(w.dirty[id], what...) }

// count moves the messages that the hot path has counted into the case.
func (w *Warden) count(c *sluice.Case) {
	if st, ok := w.stands(c.Subject); ok && st.id == c.ID {
		c.Kept += int(st.kept.Swap(0))
	}
}

// keep takes the case as the one that counts.
func (w *Warden) keep(c *sluice.Case) {
	if !c.State.Live() {
		w.drop(c)
		return
	}
	w.live[c.ID], w.bySub[c.Subject] = c, c.ID
	w.standingMu.Lock()
	st, ok := w.standing[c.Subject]
	if !ok || st.id != c.ID {
		st = newStanding(c)
	}
	st.state, st.restrict = c.State, c.Restrict
	w.standing[c.Subject] = st
	w.standingMu.Unlock()
}

// drop forgets a case that isn't live any more.
func (w *Warden) drop(c *sluice.Case) {
	delete(w.live, c.ID)
	if w.bySub[c.Subject] != c.ID {
		return
	}
	delete(w.bySub, c.Subject)
	w.standingMu.Lock()
	delete(w.standing, c.Subject)
	w.standingMu.Unlock()
}

// refresh reads the live cases, so that what other nodes and the command line did
// counts here.
func (w *Warden) refresh(ctx context.Context, now time.Time, force bool) error {
	w.files.Lock()
	defer w.files.Unlock()
	if since := now.Sub(w.fresh); !force && since >= 0 && since < w.cfg.RefreshEvery {
		return nil
	}
	there := map[string]bool{}
	q := sluice.CaseQuery{Live: true, Limit: sluice.MaxPage}
	for {
		list, err := w.cfg.Cases.ListCases(ctx, q)
		if err != nil {
			return fmt.Errorf("subscriber: cases: %w", err)
		}
		for _, c := range list {
			there[c.ID] = true
			if _, waits := w.dirty[c.ID]; !waits {
				w.keep(c)
			}
		}
		if len(list) < q.Page() || len(there) >= 2*w.cfg.Live {
			break
		}
		q.Before = list[len(list)-1].ID
	}
	for id, c := range w.live {
		if _, waits := w.dirty[id]; !waits && !there[id] {
			w.drop(c)
		}
	}
	w.fresh = now
	return nil
}

// Tick does what time asks for: writes what waits, closes cases that are clean or came
// to nothing, calls an admin. Call it every minute. The error is the store's; the next
// tick tries again.
func (w *Warden) Tick(ctx context.Context, now time.Time) error {
	err := w.refresh(ctx, now, false)
	w.files.Lock()
	var told []change
	ids := make([]string, 0, len(w.live))
	for id := range w.live {
		ids = append(ids, id)
	}
	slices.Sort(ids) // the same on every run
	for _, id := range ids {
		c := w.live[id]
		due := cases.Due(c, now, w.cfg.Rules)
		_, waits := w.dirty[id]
		st, _ := w.stands(c.Subject)
		if len(due) == 0 && !waits && (st.kept == nil || st.kept.Load() == 0) {
			continue
		}
		var what []cases.What
		next, err1 := w.commit(ctx, c, true, func(c *sluice.Case) error {
			what = what[:0]
			for _, e := range cases.Due(c, now, w.cfg.Rules) {
				if err := cases.Apply(c, cases.Event{What: e, Time: now}, w.cfg.Rules); err != nil {
					return err
				}
				what = append(what, e)
			}
			return nil
		}, &what)
		if err1 != nil {
			err = errors.Join(err, err1)
			continue
		}
		if next.State == sluice.CaseClosed {
			w.clear(next.Subject, now, time.Time{})
		}
		told = append(told, w.settled(next, what)...)
	}
	w.files.Unlock()
	w.tell(told)
	return err
}
