package dns

import (
	"hash/maphash"
	"sync"
	"time"
)

// shards spread lookups over locks.
const shards = 16

// memory is what a Cache remembers, in shards that each forget what was least
// recently used. No lock is held while another is taken.
type memory struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	entries map[key]*entry
	flights map[key]*flight
	recent  entry // the ring's head: next is the most recently used
	bytes   int
	evicted uint64

	maxEntries, maxBytes int
}

type entry struct {
	key key
	known
	expires    time.Time
	retry      time.Time // data past their time are served without asking before it
	size       int
	prev, next *entry
}

// found is what the memory has for a key.
type found struct {
	known
	fresh  bool    // to be used
	old    bool    // to be used where the servers don't answer
	flight *flight // which may be under way where it isn't fresh
}

func (m *memory) init(entries, bytes int) {
	m.seed = maphash.MakeSeed()
	for i := range m.shards {
		s := &m.shards[i]
		s.entries, s.flights = map[key]*entry{}, map[key]*flight{}
		s.recent.prev, s.recent.next = &s.recent, &s.recent
		s.maxEntries, s.maxBytes = max(entries/shards, 1), max(bytes/shards, 1)
	}
}

func (m *memory) shard(k key) *shard {
	return &m.shards[maphash.String(m.seed, k.name)%shards]
}

// look is what there is for a key now.
func (m *memory) look(k key, now time.Time) found {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look(k, now)
}

// take looks, and makes f the key's flight where one is needed and none is
// under way.
func (m *memory) take(k key, now time.Time, f *flight) found {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.look(k, now)
	if !found.fresh && found.flight == nil {
		s.flights[k] = f
		found.flight = f
	}
	return found
}

// land ends a key's flight.
func (m *memory) land(k key) {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, k)
}

// keep remembers data or a denial until a time, and returns it as given.
func (m *memory) keep(k key, what known, expires time.Time) known {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(&entry{key: k, known: what, expires: expires})
	return what
}

// fail remembers a failure. Data past their time stay, and are returned in its
// place.
func (m *memory) fail(k key, what known, now time.Time) known {
	s := m.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[k]; e != nil && e.usable(now) {
		e.retry = now.Add(staleRetry)
		return e.stale()
	}
	s.put(&entry{key: k, known: what, expires: now.Add(failureTTL)})
	return what
}

// usable says whether data may be served past their time.
func (e *entry) usable(now time.Time) bool {
	return e.err == nil && now.Sub(e.expires) < maxStale
}

func (e *entry) stale() known {
	a := e.answer
	a.Cached, a.Stale, a.TTL = true, true, staleTTL // RFC 8767 4
	return known{answer: a}
}

func (s *shard) look(k key, now time.Time) found {
	e := s.entries[k]
	if e == nil {
		return found{flight: s.flights[k]}
	}
	s.use(e)
	if left := e.expires.Sub(now); left > 0 {
		f := found{known: e.known, fresh: true}
		f.answer.Cached = true
		if e.firm() {
			f.answer.TTL = left
		}
		return f
	}
	f := found{flight: s.flights[k]}
	if e.usable(now) {
		f.known, f.old, f.fresh = e.stale(), true, now.Before(e.retry)
	}
	return f
}

func (s *shard) put(e *entry) {
	if old := s.entries[e.key]; old != nil {
		s.drop(old)
	}
	e.size = e.cost()
	if e.size > s.maxBytes {
		return
	}
	s.entries[e.key] = e
	s.bytes += e.size
	s.link(e)
	for len(s.entries) > s.maxEntries || s.bytes > s.maxBytes {
		s.drop(s.recent.prev)
		s.evicted++
	}
}

// What an entry takes beside its strings: the structs and the map's share, and
// the same for a record. Measured with a margin by TestMemoryBytes.
const (
	entryCost  = 384
	recordCost = 112
)

func (e *entry) cost() int {
	n := entryCost + len(e.key.name) + len(e.answer.Canonical)
	for _, r := range e.answer.Records {
		n += recordCost + len(r.Name) + len(r.Host) + len(r.Text)
	}
	if e.err != nil {
		n += 64
	}
	return n
}

func (s *shard) use(e *entry) {
	if s.recent.next != e {
		e.prev.next, e.next.prev = e.next, e.prev
		s.link(e)
	}
}

func (s *shard) link(e *entry) {
	e.prev, e.next = &s.recent, s.recent.next
	e.prev.next, e.next.prev = e, e
}

func (s *shard) drop(e *entry) {
	e.prev.next, e.next.prev = e.next, e.prev
	delete(s.entries, e.key)
	s.bytes -= e.size
}
