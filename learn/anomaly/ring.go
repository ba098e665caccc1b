package anomaly

import (
	"cmp"
	"slices"
	"time"
)

// levels are the steps in which scores are counted.
const levels = 1000

// event is a message of the window.
type event struct {
	point uint64
	score uint16 // in 1/levels, when it came
	day   uint16
}

// ring is a tenant's window, and what was queued today.
type ring struct {
	events []event
	next   int // where the next one goes once the ring is full
	counts [levels + 1]int32
	last   uint16 // day of the last event
	queued []queued
	today  uint16

	dirty [maxPieces]bool // pieces that a save has to write
	all   bool            // all of them
}

const maxPieces = 100_000/piece + 1

// queued is a message of today's queue.
type queued struct {
	ID    string
	Key   hash
	Score uint16
}

// score is the share of the window's messages that are at least as unsuspicious in
// every dimension, with the window's size.
func (r *ring) score(p uint64, since uint16) (share float64, of int) {
	covered := 0
	if since == 0 || len(r.events) == 0 {
		return 0, 0
	}
	for i := range r.events {
		e := &r.events[i]
		if e.day < since {
			continue
		}
		of++
		if covers(p, e.point) {
			covered++
		}
	}
	if of == 0 {
		return 0, 0
	}
	return float64(covered) / float64(of), of
}

// observe scores a message, then takes it in.
func (r *ring) observe(cfg *Config, now time.Time, p Point, id string, key hash) Result {
	today := days(now)
	since := max(int(today)-int(cfg.Span/day)+1, 1)
	r.expire(uint16(since))
	share, of := r.score(p.pack(), uint16(since))
	out := Result{Point: p, Score: share}
	step := uint16(share*levels + 0.5)
	for _, n := range r.counts[step+1:] {
		out.Above += int(n)
	}
	if of >= cfg.Warmup && share >= cfg.Floor && out.Above < cfg.Budget*r.days(uint16(since), today) {
		out.Queue, out.Replaces = r.enqueue(cfg.Budget, today, queued{id, key, step})
	}
	r.add(cfg.Window, event{p.pack(), step, today})
	return out
}

// days is how many days the window has.
func (r *ring) days(since, today uint16) int {
	first := today
	if len(r.events) > 0 {
		first = r.events[r.oldest()].day
	}
	return int(today) - int(max(first, since)) + 1
}

// oldest is the place of the first event; the ring must have one.
func (r *ring) oldest() int { return r.next % len(r.events) }

// expire takes what is too old out of the counts; it stays in the ring until it is
// overwritten, marked by day 0.
func (r *ring) expire(since uint16) {
	if len(r.events) == 0 {
		return
	}
	for i := range r.events {
		e := &r.events[(r.next+i)%len(r.events)]
		if e.day >= since {
			return // in order of days
		}
		if e.day != 0 {
			r.counts[e.score]--
			e.day = 0
		}
	}
}

func (r *ring) add(window int, e event) {
	// A clock that was set back must not break the order of days.
	e.day = max(e.day, r.last)
	r.last = e.day
	r.counts[e.score]++
	if len(r.events) < window {
		r.dirty[len(r.events)/piece] = true
		r.events = append(r.events, e)
		return
	}
	if old := &r.events[r.next]; old.day != 0 {
		r.counts[old.score]--
	}
	r.dirty[r.next/piece] = true
	r.events[r.next] = e
	r.next = (r.next + 1) % len(r.events)
}

// enqueue takes a message into today's queue, if there is room or a worse one.
func (r *ring) enqueue(budget int, today uint16, q queued) (taken bool, replaces string) {
	if today > r.today {
		r.today, r.queued = today, r.queued[:0]
	}
	worst := func(a, b queued) int { return cmp.Compare(a.Score, b.Score) }
	at := slices.IndexFunc(r.queued, func(x queued) bool { return x.Key == q.Key })
	switch {
	case at >= 0 && r.queued[at].Score >= q.Score:
		return false, ""
	case at >= 0: // the better one of the same
	case len(r.queued) < budget:
		r.queued = append(r.queued, q)
		return true, ""
	default:
		low := slices.MinFunc(r.queued, worst)
		if low.Score >= q.Score {
			return false, ""
		}
		at = slices.IndexFunc(r.queued, func(x queued) bool { return x.ID == low.ID })
	}
	replaces = r.queued[at].ID
	r.queued[at] = q
	return true, replaces
}
