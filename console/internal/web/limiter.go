package web

import (
	"net/netip"
	"sync"
	"time"
)

// Limiter lets each client do Burst things at once and one more every Every. Its
// table is bounded: where it is full of clients that are still being limited,
// all newcomers share one row. IPv6 clients count by their /64. The zero value
// isn't usable; fields are set before use.
type Limiter struct {
	Burst int
	Every time.Duration
	Size  int // rows, at most

	mu   sync.Mutex
	rows map[netip.Prefix]time.Time // when the client's bucket is full again
}

// shared is the row of those for whom there was no room.
var shared = netip.Prefix{}

// Allow takes one from the client's bucket. Where it is empty, it says how long
// to wait.
func (l *Limiter) Allow(a netip.Addr, now time.Time) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows == nil {
		l.rows = make(map[netip.Prefix]time.Time)
	}
	key := network(a)
	full, ok := l.rows[key]
	if !ok && len(l.rows) >= l.Size {
		for k, t := range l.rows { // rare: only at a full table
			if !t.After(now) {
				delete(l.rows, k)
			}
		}
		if len(l.rows) >= l.Size {
			key = shared
			full = l.rows[key]
		}
	}
	if full.Before(now) {
		full = now
	}
	full = full.Add(l.Every)
	if wait := full.Sub(now) - time.Duration(l.Burst)*l.Every; wait > 0 {
		return wait, false
	}
	l.rows[key] = full
	return 0, true
}

func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return shared
	}
	return p
}
