package lookalike

// slots is one part of the map from hashes to names: a sorted array with gaps, eight
// octets a place. A place holds the hash and the name; its home follows from the hash,
// and every place stands at its home or as near behind it as order allows. So a search
// ends at the first greater place, mostly in one cache line though four of five places
// are taken, and the array grows and closes gaps without looking at names. Several
// names may stand under one hash.
type slots struct {
	places []uint64 // hash<<32 | id+1; 0 is free
	homes  int      // places that are anybody's home; the rest is for what overflows
	n      int
}

const (
	shardBits = 8
	// maxSame bounds how many names one hash leads to: beyond it the word is so
	// common that it is nobody's.
	maxSame = 16
	fullAt  = 80 // percent of the homes
)

func (s *slots) home(hash uint32) int { return int(uint64(hash) * uint64(s.homes) >> 32) }

// at is where a key stands or would stand: the first free or greater place.
func (s *slots) at(key uint64) int {
	i := s.home(uint32(key >> 32))
	for i < len(s.places) && s.places[i] != 0 && s.places[i] < key {
		i++
	}
	return i
}

// add puts a name under a hash; false where enough stand there. force disregards that.
func (s *slots) add(hash, id uint32, force bool) bool {
	if (s.n+1)*100 > s.homes*fullAt {
		s.grow()
	}
	first := s.at(uint64(hash) << 32)
	same := 0
	for i := first; i < len(s.places) && uint32(s.places[i]>>32) == hash && s.places[i] != 0; i++ {
		if uint32(s.places[i]) == id+1 {
			return true
		}
		same++
	}
	if same >= maxSame && !force {
		return false
	}
	key := uint64(hash)<<32 | uint64(id+1)
	for !s.put(key) {
		s.grow()
	}
	s.n++
	return true
}

// put makes room for a key; false where there is none up to the end.
func (s *slots) put(key uint64) bool {
	i := s.at(key)
	free := i
	for free < len(s.places) && s.places[free] != 0 {
		free++
	}
	if free == len(s.places) {
		return false
	}
	copy(s.places[i+1:free+1], s.places[i:free])
	s.places[i] = key
	return true
}

// find appends the names under a hash to ids, whose capacity bounds how many.
func (s *slots) find(hash uint32, ids []uint32) []uint32 {
	if s.n == 0 {
		return ids
	}
	for i := s.at(uint64(hash) << 32); i < len(s.places) && uint32(s.places[i]>>32) == hash && s.places[i] != 0 && len(ids) < cap(ids); i++ {
		ids = append(ids, uint32(s.places[i])-1)
	}
	return ids
}

// remove takes a name from under a hash and moves up what stands behind its home.
func (s *slots) remove(hash, id uint32) {
	if s.n == 0 {
		return
	}
	key := uint64(hash)<<32 | uint64(id+1)
	i := s.at(key)
	if i == len(s.places) || s.places[i] != key {
		return
	}
	s.n--
	for i++; i < len(s.places) && s.places[i] != 0 && s.home(uint32(s.places[i]>>32)) < i; i++ {
		s.places[i-1] = s.places[i]
	}
	s.places[i-1] = 0
}

// grow by a quarter: a table that is always nearly full is a small one.
func (s *slots) grow() {
	old := s.places
	for {
		s.homes = max(16, s.homes+s.homes/4)
		s.places = make([]uint64, s.homes+16+s.homes/256)
		next, ok := 0, true
		for _, key := range old { // in order: each goes behind the last
			if key == 0 {
				continue
			}
			i := max(next, s.home(uint32(key>>32)))
			if ok = i < len(s.places); !ok {
				break
			}
			s.places[i], next = key, i+1
		}
		if ok {
			return
		}
	}
}
