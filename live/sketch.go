package live

import (
	"hash/maphash"
	"math"

	"sluice"
)

// halfLife of activity, in seconds.
const halfLife = 600

// event is what is counted for a key.
type event struct {
	sessions, refused, refusals float64
	why                         sluice.Reason
	dialect                     sluice.Dialect
}

// slot is one key that is followed.
type slot[K comparable] struct {
	key    K
	at     int     // its place in the heap
	weight float64 // activity, with what was inherited from keys before it
	event          // what was seen of this key, faded; why and dialect the last ones
	total  struct {
		sessions, refused, refusals uint64 // since it is followed
	}
	since int64
}

// sketch follows the most active keys. Weights are in units of the time base: an event
// counts 2^((now-base)/halfLife), so that nothing has to be faded before it is read.
type sketch[K comparable] struct {
	size   int
	index  map[K]*slot[K]
	heap   []*slot[K] // the least weight first
	last   int64      // time of the newest event
	base   int64
	unit   float64 // an event's weight at last
	random uint64
}

func newSketch[K comparable](size int) sketch[K] {
	return sketch[K]{size: size, index: make(map[K]*slot[K], size), heap: make([]*slot[K], 0, size), unit: 1,
		random: maphash.Comparable(maphash.MakeSeed(), size) | 1}
}

// move goes on to a time. A clock that was set back moves the base along: what was
// just seen is as fresh as before.
func (s *sketch[K]) move(now int64) {
	switch {
	case now == s.last:
		return
	case now < s.last && s.last-now <= tolerance:
		return
	case now < s.last:
		s.base -= s.last - now
		s.last = now
		return
	}
	s.last = now
	if now-s.base > 40*halfLife {
		f := math.Exp2(-float64(now-s.base) / halfLife)
		for _, x := range s.heap { // the order stays, up to what is zero by now
			x.weight *= f
			x.sessions, x.refused, x.refusals = x.sessions*f, x.refused*f, x.refusals*f
		}
		s.base = now
	}
	s.unit = math.Exp2(float64(now-s.base) / halfLife)
}

func (s *sketch[K]) add(now int64, key K, e event) {
	s.move(now)
	x := s.index[key]
	weight := s.unit * (e.sessions + e.refused + e.refusals)
	if x == nil {
		if x = s.take(key, weight); x == nil {
			return
		}
	}
	x.weight += weight
	x.sessions += s.unit * e.sessions
	x.refused += s.unit * e.refused
	x.refusals += s.unit * e.refusals
	x.total.sessions += uint64(e.sessions)
	x.total.refused += uint64(e.refused)
	x.total.refusals += uint64(e.refusals)
	if e.why != "" {
		x.why = e.why
	}
	if e.dialect != (sluice.Dialect{}) {
		x.dialect = e.dialect
	}
	s.sink(x.at)
}

// take finds a slot for a new key, nil where it isn't admitted.
func (s *sketch[K]) take(key K, weight float64) *slot[K] {
	if len(s.heap) < s.size {
		x := &slot[K]{key: key, at: len(s.heap), since: s.last}
		s.heap = append(s.heap, x)
		s.index[key] = x
		s.rise(x.at)
		return x
	}
	least := s.heap[0]
	if s.chance()*(least.weight+weight) >= weight {
		return nil
	}
	delete(s.index, least.key)
	*least = slot[K]{key: key, at: least.at, weight: least.weight, since: s.last}
	s.index[key] = least
	return least
}

// chance is a random number from 0 to 1 (xorshift64*).
func (s *sketch[K]) chance() float64 {
	s.random ^= s.random >> 12
	s.random ^= s.random << 25
	s.random ^= s.random >> 27
	return float64(s.random*0x2545f4914f6cdd1d>>11) / (1 << 53)
}

func (s *sketch[K]) swap(i, j int) {
	h := s.heap
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (s *sketch[K]) rise(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if s.heap[up].weight <= s.heap[i].weight {
			return
		}
		s.swap(i, up)
		i = up
	}
}

func (s *sketch[K]) sink(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(s.heap); c++ {
			if s.heap[c].weight < s.heap[least].weight {
				least = c
			}
		}
		if least == i {
			return
		}
		s.swap(i, least)
		i = least
	}
}

// copied returns all slots with faded counts at a time.
func (s *sketch[K]) copied(now int64) []slot[K] {
	s.move(now)
	out := make([]slot[K], len(s.heap))
	for i, x := range s.heap {
		out[i] = *x
		out[i].sessions, out[i].refused, out[i].refusals = x.sessions/s.unit, x.refused/s.unit, x.refusals/s.unit
	}
	return out
}
