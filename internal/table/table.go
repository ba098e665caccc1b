// Package table is a bounded map for what strangers may fill: counts of networks,
// bans, cached answers. It never grows beyond its capacity, has no goroutine, and
// can't be flushed by a flood of keys that nobody will see again.
//
// # What is kept
//
// Every value has a worth at a time, which the owner defines. A table has two
// parts. The protected part, 7/8 of the capacity, only takes entries of positive
// worth: while it has room, all of them; then one that is worth more than the
// least worthy of eight entries picked at random, which gives way to the other
// part. The rest is the probation part, where new entries start: when it is full,
// the least worthy of eight picked at random is forgotten. So a protected entry
// can only be displaced by one of greater worth, however many keys come, and a
// flood of worthless ones churns an eighth of the memory.
//
// Worth has to be earned by what can't be made up: mail that was wanted, a test
// that was passed, failures of one client again and again. What every first packet
// gets must be worth 0.
//
// # Cost
//
// Every operation is O(1): a lookup, and at most seventeen calls of Worth. With
// netip.Addr as key and 100,000 entries, Get and Update of a present key take about
// 65 ns and a new key in a full table 210; with a million, the processor waits for
// its memory twice, and they take 200 and 580. Keys are hashed with a seed of the
// process, so that nobody can aim at a bucket. The table is cut into shards with a
// lock each. Memory grows with the entries, in steps, up to
//
//	capacity × (sizeof(K) + sizeof(V) + 4 + 8…16) bytes
//
// where 4 are the kept hash and 8 to 16 the index; while a shard grows its old
// copy comes on top. Keys and values may hold pointers; the memory behind them is
// the owner's to bound.
package table

import (
	"hash/maphash"
	"iter"
	"sync"
	"time"
)

// Config sets up a Table.
type Config[V any] struct {
	// Capacity is the most entries that are kept, 16 to 100 million; rounded up to
	// a multiple of the number of shards, at most 256.
	Capacity int
	// Worth says how much would be lost with a value; 0 for one that says nothing
	// (yet), below 0 for one that is over and goes first. It must be quick, must
	// not call the table, and should fade with time. It may not be nil.
	//
	// Where all values are worth 0, only the probation part is ever used, and a
	// newcomer takes the place of a random one. Where all are worth the same, more
	// than 0, the first ones stay until they are deleted or worth less.
	Worth func(v *V, now time.Time) float64
}

// Stats counts what a table did.
type Stats struct {
	Len       int // entries
	Protected int // of them in the protected part
	Capacity  int
	Forgotten uint64 // entries that gave way to others since start
}

// Table is a bounded map. Its methods are safe for concurrent use.
type Table[K comparable, V any] struct {
	seed   maphash.Seed
	worth  func(*V, time.Time) float64
	shift  uint // shard = hash >> shift
	shards []shard[K, V]
}

// sample is how many entries compete for the place that is taken away.
const sample = 8

// New makes an empty table.
func New[K comparable, V any](c Config[V]) *Table[K, V] {
	if c.Worth == nil {
		panic("table: Config.Worth is nil")
	}
	c.Capacity = min(max(c.Capacity, 16), 100_000_000)
	n, bits := 1, uint(0)
	for n < 256 && c.Capacity/n > 1024 {
		n, bits = n*2, bits+1
	}
	each := (c.Capacity + n - 1) / n
	t := &Table[K, V]{seed: maphash.MakeSeed(), worth: c.Worth, shift: 64 - bits, shards: make([]shard[K, V], n)}
	for i := range t.shards {
		s := &t.shards[i]
		s.room[probation] = max(each/8, 1)
		s.room[protected] = each - s.room[probation]
		s.random = maphash.Comparable(t.seed, i) | 1
	}
	return t
}

// locate hashes a key: its shard, and its hash inside the shard.
func (t *Table[K, V]) locate(key K) (*shard[K, V], uint32) {
	h := maphash.Comparable(t.seed, key)
	return &t.shards[h>>t.shift], uint32(h)
}

// Get returns the value of a key.
func (t *Table[K, V]) Get(key K) (v V, ok bool) {
	s, h := t.locate(key)
	s.mu.Lock()
	if p := s.find(key, h); p >= 0 {
		v, ok = s.at(s.index[p]).value, true
	}
	s.mu.Unlock()
	return v, ok
}

// Update lets f change the value of a key, the zero value where the key is new.
// f runs under a lock: it must be short and must not call the table. An entry may
// be forgotten right away where others are worth more.
func (t *Table[K, V]) Update(key K, now time.Time, f func(v *V)) {
	s, h := t.locate(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	var p place
	if i := s.find(key, h); i >= 0 {
		p = s.index[i]
	} else {
		p = s.add(key, h, now, t.worth)
	}
	f(&s.at(p).value)
	s.promote(p, now, t.worth)
}

// Amend is Update for a key that is there; it says whether it was.
func (t *Table[K, V]) Amend(key K, now time.Time, f func(v *V)) bool {
	s, h := t.locate(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(key, h)
	if p < 0 {
		return false
	}
	f(&s.at(s.index[p]).value)
	s.promote(s.index[p], now, t.worth)
	return true
}

// Delete forgets a key and says whether it was there.
func (t *Table[K, V]) Delete(key K) bool {
	s, h := t.locate(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(key, h)
	if p < 0 {
		return false
	}
	s.remove(p)
	return true
}

// Each calls f for every entry until it returns false, in no order. f runs under
// a lock of a part of the table: it must be short and must not call the table. It
// may change the value.
func (t *Table[K, V]) Each(f func(key K, v *V) bool) {
	for i := range t.shards {
		if !t.shards[i].each(f) {
			return
		}
	}
}

// DeleteFunc forgets every entry for which f returns true and says how many. f
// runs as that of Each does.
func (t *Table[K, V]) DeleteFunc(f func(key K, v *V) bool) int {
	n := 0
	for i := range t.shards {
		n += t.shards[i].deleteFunc(f)
	}
	return n
}

// All yields copies of all entries, in no order and without a lock: what changes
// meanwhile may be seen or not.
func (t *Table[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		var copied []entry[K, V]
		for i := range t.shards {
			s := &t.shards[i]
			s.mu.Lock()
			copied = append(append(copied[:0], s.part[protected]...), s.part[probation]...)
			s.mu.Unlock()
			for j := range copied {
				if !yield(copied[j].key, copied[j].value) {
					return
				}
			}
		}
	}
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.Stats().Len }

// Stats counts the entries and what was forgotten.
func (t *Table[K, V]) Stats() Stats {
	var out Stats
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		out.Protected += len(s.part[protected])
		out.Len += len(s.part[protected]) + len(s.part[probation])
		out.Capacity += s.room[protected] + s.room[probation]
		out.Forgotten += s.forgotten
		s.mu.Unlock()
	}
	return out
}

// The parts of a shard.
const (
	probation = 0
	protected = 1
)

// place is where an entry stands: the part in the lowest bit, its position there,
// and in the highest bits a tag of its hash, so that a search touches hardly any
// entry but the right one.
type place uint32

const (
	tagMask place = 0xfff00000
	none    place = 0xffffffff // marks a free position of the index; no part is that large
)

func placeOf(part, i int) place { return place(i<<1 | part) }

func (p place) part() int { return int(p & 1) }
func (p place) pos() int  { return int(p &^ tagMask >> 1) }

type entry[K comparable, V any] struct {
	key   K
	value V
	hash  uint32
}

// shard is a table of its own behind one lock. Its parts are dense, so that a
// random position is a random entry; index finds them, with open addressing.
type shard[K comparable, V any] struct {
	mu        sync.Mutex
	index     []place
	part      [2][]entry[K, V]
	room      [2]int
	random    uint64
	forgotten uint64
	_         [64]byte // shards' locks don't share a cache line
}

func (s *shard[K, V]) at(p place) *entry[K, V] { return &s.part[p.part()][p.pos()] }

// slot is where the search for a hash begins. The highest bits chose the shard,
// so the index takes the lowest.
func (s *shard[K, V]) slot(h uint32) int { return int(h) & (len(s.index) - 1) }

// find returns the position of a key in the index, or -1.
func (s *shard[K, V]) find(key K, h uint32) int {
	if len(s.index) == 0 {
		return -1
	}
	for i := s.slot(h); ; i = (i + 1) & (len(s.index) - 1) {
		p := s.index[i]
		if p == none {
			return -1
		}
		if (place(h)^p)&tagMask == 0 {
			if e := s.at(p); e.hash == h && e.key == key {
				return i
			}
		}
	}
}

// pointer returns the position in the index that leads to p, whose tag doesn't
// matter.
func (s *shard[K, V]) pointer(p place) int {
	i := s.slot(s.at(p).hash)
	for (s.index[i]^p)&^tagMask != 0 {
		i = (i + 1) & (len(s.index) - 1)
	}
	return i
}

// link writes a new entry into the index, which grows so that at least half of it
// is free.
func (s *shard[K, V]) link(p place) {
	if n := len(s.part[0]) + len(s.part[1]); 2*n > len(s.index) {
		s.index = make([]place, max(2*len(s.index), 16))
		for i := range s.index {
			s.index[i] = none
		}
		for part := range s.part {
			for i := range s.part[part] {
				s.put(placeOf(part, i))
			}
		}
		return // p is one of them
	}
	s.put(p)
}

func (s *shard[K, V]) put(p place) {
	i := s.slot(s.at(p).hash)
	for s.index[i] != none {
		i = (i + 1) & (len(s.index) - 1)
	}
	s.point(i, p)
}

// point lets a position of the index lead to p.
func (s *shard[K, V]) point(i int, p place) {
	s.index[i] = place(s.at(p).hash)&tagMask | p&^tagMask
}

// unlink frees a position of the index and moves those behind it up, so that no
// search stops early.
func (s *shard[K, V]) unlink(i int) {
	mask := len(s.index) - 1
	for j := (i + 1) & mask; s.index[j] != none; j = (j + 1) & mask {
		home := s.slot(s.at(s.index[j]).hash)
		if (j-home)&mask >= (j-i)&mask {
			s.index[i], i = s.index[j], j
		}
	}
	s.index[i] = none
}

// remove deletes the entry at a position of the index. The last entry of its part
// takes its place.
func (s *shard[K, V]) remove(i int) {
	p := s.index[i]
	s.unlink(i)
	part := p.part()
	last := placeOf(part, len(s.part[part])-1)
	if p.pos() != last.pos() {
		j := s.pointer(last)
		*s.at(p) = *s.at(last)
		s.point(j, p)
	}
	*s.at(last) = entry[K, V]{} // lets go of what it pointed to
	s.part[part] = s.part[part][:len(s.part[part])-1]
}

// insert puts a new entry into a part that has room.
func (s *shard[K, V]) insert(e entry[K, V], part int) {
	s.part[part] = append(s.grown(part), e)
	s.link(placeOf(part, len(s.part[part])-1))
}

// grown makes room for one more entry, never for more than the part may hold.
func (s *shard[K, V]) grown(part int) []entry[K, V] {
	list := s.part[part]
	if len(list) < cap(list) {
		return list
	}
	bigger := make([]entry[K, V], len(list), min(max(2*len(list), 8), s.room[part]))
	copy(bigger, list)
	return bigger
}

// add takes a new key in, on probation, and returns its place.
func (s *shard[K, V]) add(key K, h uint32, now time.Time, worth func(*V, time.Time) float64) place {
	if len(s.part[probation]) == s.room[probation] {
		victim, _ := s.least(probation, now, worth)
		s.remove(s.pointer(victim))
		s.forgotten++
	}
	s.insert(entry[K, V]{key: key, hash: h}, probation)
	return placeOf(probation, len(s.part[probation])-1)
}

// promote moves an entry on probation into the protected part if it deserves that.
func (s *shard[K, V]) promote(p place, now time.Time, worth func(*V, time.Time) float64) {
	if p.part() == protected {
		return
	}
	w := worth(&s.at(p).value, now)
	if w <= 0 {
		return
	}
	if len(s.part[protected]) < s.room[protected] {
		e := *s.at(p)
		s.remove(s.pointer(p))
		s.insert(e, protected)
		return
	}
	victim, least := s.least(protected, now, worth)
	if w <= least {
		return
	}
	i, j := s.pointer(p), s.pointer(victim)
	a, b := s.at(p), s.at(victim)
	*a, *b = *b, *a
	s.point(i, victim)
	s.point(j, p)
}

// least finds the least worthy of a few entries of a part that isn't empty.
func (s *shard[K, V]) least(part int, now time.Time, worth func(*V, time.Time) float64) (place, float64) {
	list := s.part[part]
	best, lowest := 0, 0.0
	for k := range sample {
		i := int(s.next() % uint64(len(list)))
		if w := worth(&list[i].value, now); k == 0 || w < lowest {
			best, lowest = i, w
		}
		if lowest < 0 {
			break // it is over: nothing is lost with it
		}
	}
	return placeOf(part, best), lowest
}

// next is xorshift64 (Marsaglia 2003): good enough to pick entries that nobody
// outside can aim at, since the seed is secret.
func (s *shard[K, V]) next() uint64 {
	s.random ^= s.random << 13
	s.random ^= s.random >> 7
	s.random ^= s.random << 17
	return s.random
}

func (s *shard[K, V]) each(f func(K, *V) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for part := range s.part {
		for i := range s.part[part] {
			if e := &s.part[part][i]; !f(e.key, &e.value) {
				return false
			}
		}
	}
	return true
}

func (s *shard[K, V]) deleteFunc(f func(K, *V) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for part := range s.part {
		for i := len(s.part[part]) - 1; i >= 0; i-- { // the one that moves up was asked before
			if e := &s.part[part][i]; f(e.key, &e.value) {
				s.remove(s.pointer(placeOf(part, i)))
				n++
			}
		}
	}
	return n
}
