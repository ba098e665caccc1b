package directory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"sluice"
)

// entry is one remembered answer.
type entry struct {
	listing sluice.Listing
	asked   int64  // when it came, Unix nanoseconds
	ends    int64  // until then it holds
	calm    int64  // until then nobody is asked about a yes that has ended
	used    int64  // last counted use
	uses    uint32 // counted at most once a minute
}

// useEvery is how often a use is counted: asking again and again within a minute
// makes nothing worth more.
const useEvery = int64(time.Minute)

// fade is the time after which what isn't used is worth half.
const fade = float64(12 * time.Hour)

// worth makes known mailboxes outlive any flood of other addresses: a no is worth
// nothing, and an address that was taken once (a catch-all takes all) never
// displaces one that was used twice.
func (d *Directory) worth(e *entry, now time.Time) float64 {
	t := now.UnixNano()
	switch {
	case e.listing.Presence == sluice.Present && t < e.ends+int64(d.cfg.StaleFor):
		return float64(e.uses+1) * math.Exp2(-float64(t-e.used)/fade)
	case t >= e.ends:
		return -1
	}
	return 0
}

// counts are of the cache.
type counts struct {
	hits, misses, stale, refused atomic.Uint64
}

// Stats are counters since the start, and what the cache holds.
type Stats struct {
	Hits    uint64 // answered from the cache
	Misses  uint64 // had to ask or to wait for one who asked
	Stale   uint64 // a yes after its end, since no source answered
	Refused uint64 // CantTell, since too many lookups were under way
	Entries int    // remembered
	Running int    // lookups under way
}

// Stats returns the counters.
func (d *Directory) Stats() Stats {
	d.mu.Lock()
	running := len(d.flights)
	d.mu.Unlock()
	return Stats{Hits: d.counts.hits.Load(), Misses: d.counts.misses.Load(), Stale: d.counts.stale.Load(),
		Refused: d.counts.refused.Load(), Entries: d.cache.Len(), Running: running}
}

// flight is a question under way.
type flight struct {
	done    chan struct{}
	listing sluice.Listing
	err     error
}

// remembered answers from the cache, or asks once for all who want to know.
func (d *Directory) remembered(ctx context.Context, q question) (sluice.Listing, error) {
	now := time.Now()
	t := now.UnixNano()
	e, ok := d.cache.Get(q.key)
	if ok && t < e.ends {
		d.counts.hits.Add(1)
		if t-e.used >= useEvery {
			d.cache.Amend(q.key, now, func(e *entry) { e.used, e.uses = t, e.uses+1 })
		}
		if e.listing.Presence == sluice.Present && t-e.asked > (e.ends-e.asked)/4*3 {
			d.start(ctx, q, d.cfg.MaxLookups/2) // renews it; nobody waits
		}
		if e.listing.Presence == sluice.CantTell {
			return e.listing, errRecent
		}
		return e.listing, nil
	}
	if ok && t < e.calm {
		return d.stale(e, t, sluice.Listing{}, errRecent)
	}
	d.counts.misses.Add(1)
	f := d.start(ctx, q, d.cfg.MaxLookups)
	if f == nil {
		d.counts.refused.Add(1)
		return d.stale(e, t, sluice.Listing{}, fmt.Errorf("directory: %w", ErrBusy))
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return d.stale(e, t, sluice.Listing{}, fmt.Errorf("directory: %w", context.Cause(ctx)))
	}
	if f.listing.Presence != sluice.CantTell {
		return f.listing, nil
	}
	return d.stale(e, t, f.listing, f.err)
}

// errRecent stands for the trouble of a moment ago, which the source's health
// tells in full.
var errRecent = errors.New("directory: no source could answer a moment ago")

// stale gives a yes whose time is over where nobody knows better. It is without
// the back end's words of that time: the mailbox may have room again.
func (d *Directory) stale(e entry, t int64, l sluice.Listing, err error) (sluice.Listing, error) {
	if e.listing.Presence == sluice.Present && t < e.ends+int64(d.cfg.StaleFor) {
		d.counts.stale.Add(1)
		return sluice.Listing{Presence: sluice.Present, Source: e.listing.Source, Reply: l.Reply}, nil
	}
	return l, err
}

// start asks, unless somebody does, and returns the question under way; nil where
// limit are under way already. The question outlives ctx: whoever asks next gets
// the answer.
func (d *Directory) start(ctx context.Context, q question, limit int) *flight {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.flights[q.key]; f != nil {
		return f
	}
	if d.closed || len(d.flights) >= limit {
		return nil
	}
	f := &flight{done: make(chan struct{})}
	d.flights[q.key] = f
	d.running.Go(func() {
		f.listing, f.err = q.ask(context.WithoutCancel(ctx))
		d.keep(q.key, f.listing)
		d.mu.Lock()
		delete(d.flights, q.key)
		d.mu.Unlock()
		close(f.done)
	})
	return f
}

// keep remembers an answer for as long as it is good for.
func (d *Directory) keep(key string, l sluice.Listing) {
	life := d.cfg.TroubleFor
	switch {
	case l.Presence == sluice.Present && l.Reply.Code != 0:
		life = min(d.cfg.PresentFor, time.Minute) // the mailbox's state, not its being there
	case l.Presence == sluice.Present:
		life = d.cfg.PresentFor
	case l.Presence == sluice.Absent:
		life = d.cfg.AbsentFor
	}
	now := time.Now()
	t := now.UnixNano()
	d.cache.Update(key, now, func(e *entry) {
		if l.Presence == sluice.CantTell && e.listing.Presence == sluice.Present && t < e.ends+int64(d.cfg.StaleFor) {
			e.calm = t + int64(life)
			return // a yes outlives its source's trouble
		}
		if e.used == 0 {
			e.used = t
		}
		e.listing, e.asked, e.ends, e.calm = l, t, t+int64(life), 0
	})
}
