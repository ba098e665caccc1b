// Package pace bounds how often somebody who is known by name may do something. Its
// memory is bounded, and time is an argument.
package pace

import (
	"time"

	"sluice/internal/table"
)

// Limiter lets each name do burst things at once, and one more every so often.
type Limiter struct {
	burst int
	every time.Duration
	rows  *table.Table[string, time.Time] // when the name's bucket is full again
}

// New makes a limiter that keeps up to names of them; where there are more, those
// whose buckets are full again are forgotten first.
func New(burst int, every time.Duration, names int) *Limiter {
	return &Limiter{burst: burst, every: every, rows: table.New[string](table.Config[time.Time]{Capacity: names,
		Worth: func(full *time.Time, now time.Time) float64 { return float64(full.Sub(now)) }})}
}

// Allow takes n from the bucket of name. Where there aren't so many it takes none,
// and says how long it is until there are. More than the burst are let through where
// the bucket is full: whoever comes once must not wait for ever.
func (l *Limiter) Allow(name string, n int, now time.Time) (wait time.Duration, ok bool) {
	l.rows.Update(name, now, func(full *time.Time) {
		from := now
		if full.After(now) {
			from = *full
		}
		room := time.Duration(min(n, l.burst)) * l.every
		if wait = from.Add(room).Sub(now) - time.Duration(l.burst)*l.every; wait > 0 {
			return
		}
		wait, ok = 0, true
		*full = from.Add(time.Duration(n) * l.every)
	})
	return wait, ok
}
