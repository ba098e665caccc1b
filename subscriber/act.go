package subscriber

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice"
	"sluice/subscriber/baseline"
	"sluice/subscriber/cases"
)

// clear forgets what spoke against a subject; until pardon, more is needed for a new
// case.
func (w *Warden) clear(subject string, now, pardon time.Time) {
	w.doubts.Update(w.hash("subject", subject), now, func(x *suspicion) bool {
		x.Ledger.Clear()
		x.Let, x.Since = 0, 0
		if !pardon.IsZero() {
			x.Pardon = uint32(pardon.Unix())
		}
		return true
	})
}

// act takes steps in one case on somebody's word; they are on disk when it returns.
func (w *Warden) act(ctx context.Context, id string, events ...cases.Event) (*sluice.Case, error) {
	w.files.Lock()
	c, told, err := w.steps(ctx, id, events)
	w.files.Unlock()
	w.tell(told)
	if err != nil {
		return nil, err
	}
	return c.Clone(), nil
}

func (w *Warden) steps(ctx context.Context, id string, events []cases.Event) (*sluice.Case, []change, error) {
	c := w.live[id]
	if c == nil {
		var err error
		if c, err = w.cfg.Cases.Case(ctx, id); err != nil {
			return nil, nil, fmt.Errorf("subscriber: %w", err)
		}
	}
	var what []cases.What
	c, err := w.commit(ctx, c, true, func(c *sluice.Case) error {
		what = what[:0]
		for _, e := range events {
			if err := cases.Apply(c, e, w.cfg.Rules); err != nil {
				return err
			}
			what = append(what, e.What)
		}
		return nil
	}, &what)
	if err != nil {
		return nil, nil, err
	}
	return c, w.settled(c, what), nil
}

// Case returns a case, as it is in memory where it is live; ErrNotFound.
func (w *Warden) Case(ctx context.Context, id string) (*sluice.Case, error) {
	w.files.Lock()
	c := w.live[id]
	w.files.Unlock()
	if c != nil {
		return c.Clone(), nil
	}
	return w.cfg.Cases.Case(ctx, id)
}

// Confirm is the subscriber's word that the steps are done: mail flows again, once a
// case, under watch. For a stolen account the means must be more than a mailed link:
// cases.ErrSecond; the second time it needs an admin: cases.ErrOnce.
func (w *Warden) Confirm(ctx context.Context, now time.Time, id string, by cases.Means) (*sluice.Case, error) {
	return w.release(ctx, now, id, cases.Event{What: cases.Confirmed, Actor: cases.Subscriber, Means: by})
}

// Remedy is an admin's word for the same.
func (w *Warden) Remedy(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	return w.release(ctx, now, id, cases.Event{What: cases.Remedied, Actor: admin, Note: note})
}

func (w *Warden) release(ctx context.Context, now time.Time, id string, e cases.Event) (*sluice.Case, error) {
	e.Time = now
	c, err := w.act(ctx, id, e, cases.Event{What: cases.Watching, Time: now, Actor: e.Actor})
	if err == nil {
		w.clear(c.Subject, now, time.Time{})
	}
	return c, err
}

// Close ends a case by an admin's word.
func (w *Warden) Close(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	c, err := w.act(ctx, id, cases.Event{What: cases.ClosedBy, Time: now, Actor: admin, Note: note})
	if err == nil {
		w.clear(c.Subject, now, time.Time{})
	}
	return c, err
}

// pardon is for how long a false alarm makes another one harder.
const pardon = 14 * 24 * time.Hour

// FalseAlarm ends a case in which there was nothing, by an admin's word. For 14 days the
// subject needs ten decibels more for another one.
func (w *Warden) FalseAlarm(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	c, err := w.act(ctx, id, cases.Event{What: cases.FalseAlarm, Time: now, Actor: admin, Note: note})
	if err == nil {
		w.clear(c.Subject, now, now.Add(pardon))
		w.habits.Update(w.hash("subject", c.Subject), now, func(h *baseline.State) bool { h.Wanted(now); return true })
	}
	return c, err
}

// Reopen goes on with a case that ended, by an admin's word.
func (w *Warden) Reopen(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	return w.act(ctx, id, cases.Event{What: cases.Reopened, Time: now, Actor: admin, Note: note})
}

// Note adds words to a case.
func (w *Warden) Note(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	if note == "" {
		return nil, errors.New("subscriber: no words")
	}
	return w.act(ctx, id, cases.Event{What: cases.Noted, Time: now, Actor: admin, Note: note})
}

// Hold restricts a subject by an admin's word, whatever is known of it. A live case goes
// on; else one is opened.
func (w *Warden) Hold(ctx context.Context, now time.Time, s *Subject, r sluice.Restriction, admin, note string) (*sluice.Case, error) {
	held := cases.Event{What: cases.Held, Time: now, Actor: admin, Note: note, Restrict: cmp.Or(r, sluice.RestrictHold)}
	w.files.Lock()
	if id, ok := w.bySub[s.Key]; ok {
		again := w.live[id].State == sluice.CaseWatched || w.live[id].State == sluice.CaseRemediated
		w.files.Unlock()
		if again {
			held.What = cases.Recurred
		}
		return w.act(ctx, id, held)
	}
	c := cases.New(w.cfg.ID(), s.Tenant, s.Key, cases.Event{Time: now, Actor: admin})
	what := []cases.What{cases.Opened, cases.Held}
	c, err := w.commit(ctx, c, true, func(c *sluice.Case) error { return cases.Apply(c, held, w.cfg.Rules) }, &what)
	var told []change
	if err == nil {
		w.counts.opened.Add(1)
		told = w.settled(c, what)
	}
	w.files.Unlock()
	w.tell(told)
	if err != nil {
		return nil, err
	}
	return c.Clone(), nil
}

// Merge lets the live case other go on as the case id: two subjects were found to be
// the same subscriber.
func (w *Warden) Merge(ctx context.Context, now time.Time, id, other, admin, note string) (*sluice.Case, error) {
	w.files.Lock()
	c, told, err := w.merge(ctx, now, id, other, admin, note)
	w.files.Unlock()
	w.tell(told)
	if err != nil {
		return nil, err
	}
	return c.Clone(), nil
}

func (w *Warden) merge(ctx context.Context, now time.Time, id, other, admin, note string) (*sluice.Case, []change, error) {
	a, b := w.live[id], w.live[other]
	if a == nil || b == nil || a == b {
		return nil, nil, fmt.Errorf("subscriber: two live cases are needed: %w", sluice.ErrNotFound)
	}
	// The one that goes on first: were the second write lost, the other would go on as
	// well, and could be merged again.
	var none []cases.What
	end := b.Clone()
	e := cases.Event{Time: now, Actor: admin, Note: note}
	a, err := w.commit(ctx, a, true, func(c *sluice.Case) error {
		if slices.Contains(c.Merged, other) {
			return nil
		}
		end = b.Clone()
		return cases.Absorb(c, end, e, w.cfg.Rules)
	}, &none)
	if err != nil {
		return nil, nil, err
	}
	what := []cases.What{cases.Merged}
	e.What, e.Other = cases.Merged, a.ID
	b, err = w.commit(ctx, b, true, func(c *sluice.Case) error { return cases.Apply(c, e, w.cfg.Rules) }, &what)
	if err != nil {
		return nil, nil, err
	}
	return a, w.settled(b, what), nil
}

// ErrLater is what Try returns where a limit is reached: ask again later.
var ErrLater = errors.New("subscriber: not now: too many notices")

// Untold lists live cases whose subscribers are restricted and not yet told, those that
// have waited longest first. It doesn't look at quiet hours: see [Warden.Quiet].
func (w *Warden) Untold(limit int) []*sluice.Case {
	w.files.Lock()
	var list []*sluice.Case
	for _, c := range w.live {
		if c.State == sluice.CaseHeld && c.Notified.IsZero() && c.Version > 0 {
			list = append(list, c)
		}
	}
	w.files.Unlock()
	slices.SortFunc(list, func(a, b *sluice.Case) int { return cmp.Or(a.Held.Compare(b.Held), cmp.Compare(a.ID, b.ID)) })
	list = list[:min(max(limit, 0), len(list))]
	for i := range list {
		list[i] = list[i].Clone()
	}
	return list
}

// Quiet says whether now is no hour to tell the subject of a case. Nobody waits longer
// than half of the time in which it should be told.
func (w *Warden) Quiet(now time.Time, c *sluice.Case, zone *time.Location) bool {
	from, to := w.cfg.QuietFrom, w.cfg.QuietTo
	if from == to || now.Sub(c.Held) >= w.cfg.Rules.TellWithin/2 {
		return false
	}
	if zone == nil {
		zone = time.UTC
	}
	h := now.In(zone).Hour()
	if from < to {
		return h >= from && h < to
	}
	return h >= from || h < to
}

// Try journals a notice that is about to be sent: n has ID, Channel and Address. Only
// after it returned without an error may it be sent. ErrLater: a limit is reached.
func (w *Warden) Try(ctx context.Context, now time.Time, id string, n sluice.CaseNotice) (*sluice.Case, error) {
	w.files.Lock()
	if c := w.live[id]; c != nil {
		day := 0
		for _, t := range c.Notices {
			if now.Sub(t.Tried) < 24*time.Hour {
				day++
			}
		}
		if day >= w.cfg.NoticesPerDay || !w.notices.take(now, w.cfg.NoticesPerHour) {
			w.files.Unlock()
			return nil, ErrLater
		}
	}
	w.files.Unlock()
	return w.act(ctx, id, cases.Event{What: cases.Noticed, Time: now, Notice: n, Level: sluice.ProofTried})
}

// Proof writes down what came of a try. Doing it twice changes nothing.
func (w *Warden) Proof(ctx context.Context, now time.Time, id, try string, level sluice.ProofLevel, detail string) (*sluice.Case, error) {
	if level == sluice.ProofTried {
		return nil, errors.New("subscriber: a try is no proof")
	}
	w.files.Lock()
	channel := ""
	if c := w.live[id]; c != nil {
		for _, n := range c.Notices {
			if n.ID == try {
				channel = n.Channel
			}
		}
	}
	w.files.Unlock()
	actor := cases.Sluice
	if level == sluice.ProofAcknowledged {
		actor = cases.Subscriber
	}
	return w.act(ctx, id, cases.Event{What: cases.Noticed, Time: now, Actor: actor, Level: level,
		Notice: sluice.CaseNotice{ID: try, Channel: channel, Detail: detail}})
}
