package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"sluice"
)

// Bounds of the ledger.
const (
	mostReporters = 50_000
	mostFates     = 1 << 16 // labels taken back or accepted that are remembered
)

// ledger is what the log says beside the model: who gave labels and what became of
// them. It is a fold over all entries, made anew at each start.
type ledger struct {
	seq       int64
	reporters map[string]*reporter
	prints    prints
	gone      map[int64]fate  // labels that were taken back
	refused   map[int64]bool  // labels that waited, and were refused
	accepted  map[int64]int64 // held labels that count, and the entry that said so
	campaigns int64           // the last entry that the campaign memory has
	read      bool            // campaigns was read from its file

	day   int64 // of the newest entry
	today int   // labels of users and traps on that day
}

// fate is what took a label back.
type fate struct {
	by      int64
	counter bool
}

func newLedger() *ledger {
	return &ledger{reporters: map[string]*reporter{}, prints: newPrints(), gone: map[int64]fate{}, refused: map[int64]bool{}, accepted: map[int64]int64{}}
}

// trustedSource says whether a label's source is believed.
func trustedSource(s sluice.Source) bool {
	return s == sluice.SourceAdmin || s == sluice.SourceLearn || s == sluice.SourceTrap || s == sluice.SourceRelease
}

// What counts of agreement and dispute come to.
const (
	agreementHalf = 90 * day
	doubt         = 4    // a new reporter's disputes, on paper
	userWeight    = 0.25 // of a user's word in the campaign memory: the best alone tips no verdict, two do
	proven        = 0.9  // agreement from which a user may contradict the model
	peerWeight    = 0.25 // of an agreement with another user, times that user's trust
	guardWeight   = 5    // of a label that the guard took back
)

// reporter is one who gave labels. Users and trusted sources of one name are two.
type reporter struct {
	name             string
	trusted          bool
	labels           int
	agreed, disputed float64
	faded, last      time.Time
	held             bool // by the guard, until an admin accepts one of their labels
	day              int64
	today            int
}

// key of a reporter in the table.
func reporterKey(by string, trusted bool) string {
	by = strings.ToLower(by)
	if trusted {
		return "t" + by
	}
	return "u" + by
}

// agreement is the share of labels that others saw the same way, low while there
// are few.
func (p *reporter) agreement() float64 { return (p.agreed + 1) / (p.agreed + p.disputed + 1 + doubt) }

func (p *reporter) trust() float64 {
	switch {
	case p.trusted:
		return 1
	case p.held:
		return 0
	}
	return p.agreement()
}

func (p *reporter) fade(now time.Time) {
	if d := now.Sub(p.faded); d > 0 && !p.faded.IsZero() {
		f := math.Exp2(-float64(d) / float64(agreementHalf))
		p.agreed, p.disputed = p.agreed*f, p.disputed*f
	}
	if now.After(p.faded) {
		p.faded = now
	}
}

// reporter finds or makes one.
func (l *ledger) reporter(by string, trusted bool, now time.Time) *reporter {
	key := reporterKey(by, trusted)
	p := l.reporters[key]
	if p == nil {
		if len(l.reporters) >= mostReporters {
			l.dropReporters()
		}
		p = &reporter{name: by, trusted: trusted, faded: now}
		l.reporters[key] = p
	}
	p.fade(now)
	return p
}

// dropReporters forgets an eighth: those that said least lately. The held stay.
func (l *ledger) dropReporters() {
	keys := slices.SortedFunc(maps.Keys(l.reporters), func(a, b string) int {
		x, y := l.reporters[a], l.reporters[b]
		if x.held != y.held {
			if x.held {
				return 1
			}
			return -1
		}
		return cmp.Or(x.last.Compare(y.last), cmp.Compare(a, b))
	})
	for _, key := range keys[:max(len(keys)/8, 1)] {
		delete(l.reporters, key)
	}
}

func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// know reads the log to its end; mu is held. After an error it goes on from there
// the next time.
func (r *Room) know(ctx context.Context) error {
	l := r.ledger
	if !l.read {
		if err := r.readCampaigns(); err != nil {
			return err
		}
		l.read = true
	}
	for {
		page, err := r.cfg.Log.FeedbackSince(ctx, l.seq, pageSize)
		if err != nil {
			return fmt.Errorf("feedback: the log of labels can't be read: %w", err)
		}
		for _, f := range page {
			if err := r.note(ctx, f); err != nil {
				return err
			}
			l.seq = f.Seq
			r.stats.head.Store(f.Seq)
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// note takes one entry into the ledger, and into the campaign memory.
func (r *Room) note(ctx context.Context, f *sluice.Feedback) error {
	l := r.ledger
	var of *sluice.Feedback
	if f.Kind != sluice.FeedbackLabel {
		var err error
		if of, err = r.cfg.Log.FeedbackEntry(ctx, f.Of); err != nil && !errors.Is(err, sluice.ErrNotFound) {
			return fmt.Errorf("feedback: the log of labels can't be read: %w", err)
		}
	}
	switch f.Kind {
	case sluice.FeedbackLabel:
		l.noteLabel(f)
	case sluice.FeedbackAccept:
		if _, twice := l.accepted[f.Of]; twice || f.Of >= f.Seq {
			return nil
		}
		if _, late := l.gone[f.Of]; late || l.refused[f.Of] {
			return nil
		}
		l.accepted[f.Of] = f.Seq
		bound(l.accepted)
		if of != nil {
			p := l.reporter(of.By, trustedSource(of.Source), f.Time)
			p.held = false
			p.agreed += 1.5
			l.prints.trusted(printOf(of), f)
		}
	case sluice.FeedbackUndo, sluice.FeedbackCounter:
		if _, twice := l.gone[f.Of]; twice || l.refused[f.Of] || f.Of >= f.Seq {
			return nil
		}
		if f.State == sluice.FeedbackRefused { // of a label that waited: no model has it
			if _, late := l.accepted[f.Of]; late {
				return nil
			}
			l.refused[f.Of] = true
			bound(l.refused)
		} else {
			l.gone[f.Of] = fate{f.Seq, f.Kind == sluice.FeedbackCounter}
			bound(l.gone)
		}
		if of != nil {
			l.noteUndo(f, of)
			l.prints.forget(printOf(of), of)
		}
	default:
		return nil
	}
	if f.Seq > l.campaigns {
		r.labelCampaign(f, of)
		l.campaigns = f.Seq
	}
	return nil
}

// bound forgets the oldest fates: those labels are long behind every snapshot.
func bound[T any](m map[int64]T) {
	if len(m) <= mostFates {
		return
	}
	for _, seq := range slices.Sorted(maps.Keys(m))[:mostFates/8] {
		delete(m, seq)
	}
}

func (l *ledger) noteLabel(f *sluice.Feedback) {
	trusted := trustedSource(f.Source)
	p := l.reporter(f.By, trusted, f.Time)
	p.labels++
	if f.Time.After(p.last) {
		p.last = f.Time
	}
	if d := dayOf(f.Time); d > p.day {
		p.day, p.today = d, 1
	} else {
		p.today++
	}
	if !trusted || f.Source == sluice.SourceTrap {
		if d := dayOf(f.Time); d > l.day {
			l.day, l.today = d, 1
		} else {
			l.today++
		}
	}
	switch {
	case f.State == sluice.FeedbackRefused:
	case trusted:
		l.prints.trusted(printOf(f), f)
	default:
		l.prints.heard(p, printOf(f), f)
		if f.State == sluice.FeedbackHeld && !p.held {
			p.disputed += 0.5
		}
	}
}

// noteUndo is what it says of a reporter that one of their labels was taken back.
func (l *ledger) noteUndo(f, of *sluice.Feedback) {
	if trustedSource(of.Source) || strings.EqualFold(f.By, of.By) {
		return
	}
	p := l.reporter(of.By, false, f.Time)
	if f.By == Guard {
		p.disputed += guardWeight
		p.held = true
		return
	}
	p.disputed++
}

// Reporters lists those who gave labels, latest first, at most limit.
func (r *Room) Reporters(ctx context.Context, limit int) ([]sluice.Reporter, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.know(ctx); err != nil {
		return nil, err
	}
	list := slices.SortedFunc(maps.Values(r.ledger.reporters), func(a, b *reporter) int {
		return cmp.Or(b.last.Compare(a.last), cmp.Compare(a.name, b.name))
	})
	out := make([]sluice.Reporter, 0, min(len(list), max(limit, 0)))
	for _, p := range list[:cap(out)] {
		out = append(out, sluice.Reporter{Name: p.name, Labels: p.labels, Agreed: p.agreed, Disputed: p.disputed, Trust: p.trust(), Last: p.last})
	}
	return out, nil
}
