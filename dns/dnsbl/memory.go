package dnsbl

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/table"
)

// subject is what lists are asked about: the address of a client, or a name.
type subject struct {
	addr netip.Addr
	name string
}

func (x subject) String() string {
	if x.name != "" {
		return x.name
	}
	return x.addr.String()
}

// entry is what the lists said about one client or name. It may outlive its place in the
// table: who waits or asks holds the entry itself.
type entry struct {
	about subject

	// What the entry is worth to the table, which reads it at any time.
	visits atomic.Int64 // beyond the first, a while apart
	last   atomic.Int64 // the last one that counted, in Unix nanoseconds

	mu     sync.Mutex
	slots  []slot
	flying int           // questions under way
	landed chan struct{} // closed when flying falls to zero; nil while it is zero

	// result is what the slots amount to, as of epoch, until a time in Unix
	// nanoseconds; zero: not made yet.
	result Result
	epoch  uint64
	until  int64
}

// slot is one list's word on the client.
type slot struct {
	heard  *outcome // nil: nothing yet
	until  int64    // Unix nanoseconds: how long it is good
	flying bool
}

// newMemory is a table of clients in which a flood of addresses that come once pushes
// out others of its kind, and no regular client.
func newMemory(entries int) *table.Table[subject, *entry] {
	return table.New[subject](table.Config[*entry]{Capacity: entries, Worth: worth})
}

// worth is the number of visits beyond the first; it fades with the hours since.
func worth(e **entry, now time.Time) float64 {
	if *e == nil {
		return 0
	}
	hours := float64(now.UnixNano()-(*e).last.Load()) / float64(time.Hour)
	return float64((*e).visits.Load()) / (1 + max(hours, 0))
}

// apart is the least time between two visits that count: one session asks more than
// once.
const apart = time.Minute

// visit finds or makes the client's entry, and counts the visit.
func (s *Set) visit(x subject, now time.Time) *entry {
	e, ok := s.memory.Get(x)
	if ok && now.UnixNano()-e.last.Load() < int64(apart) {
		return e
	}
	s.memory.Update(x, now, func(v **entry) {
		if *v == nil {
			*v = &entry{about: x, slots: make([]slot, len(s.lists))}
		} else {
			(*v).visits.Add(1)
		}
		(*v).last.Store(now.UnixNano())
		e = *v
	})
	return e
}
