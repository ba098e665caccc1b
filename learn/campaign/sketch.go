package campaign

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The MinHash (Broder 1997): for each of Slots orders of all shingles the first one
// of a text. Two texts share the first one with a chance that is their Jaccard
// similarity J.
const (
	slots     = 128
	bands     = 12  // looked up and kept
	rows      = 2   // slots of a band: texts of J = 0.5 share a band with 80 %, of 0.7 with 99 %
	mostKept  = 256 // shingles of a text that count: those with the least hashes
	sketchLen = slots / 64
)

// Sketch is the MinHash of a set, folded: its bands by which alike sets find each
// other, and one bit of each slot by which their similarity is estimated (b-bit
// minwise hashing, Li and König 2010). The standard error of the estimate is below
// 0.09.
type Sketch struct {
	N     int           // different shingles, 0 where the set is too small to say anything
	Bands [bands]uint64 // keyed hashes
	Bits  [sketchLen]uint64

	// Least are the hashes of the shingles that count, in order: samples of texts of
	// which one holds the other meet here. They aren't stored with a Print.
	Least []uint64
}

// Similarity estimates the Jaccard similarity of the sets of two sketches, 0…1.
func Similarity(a, b *[2]uint64) float64 {
	same := slots - bits.OnesCount64(a[0]^b[0]) - bits.OnesCount64(a[1]^b[1])
	return max(0, float64(2*same-slots)/slots)
}

// sketcher makes sketches under a key, which keeps strangers from making texts that
// meet on purpose.
type sketcher struct {
	key    uint64
	orders [slots]uint64
}

func newSketcher(key uint64) *sketcher {
	s := &sketcher{key: mix(key ^ 0x9e3779b97f4a7c15)}
	x := s.key
	for i := range s.orders {
		x += 0x9e3779b97f4a7c15
		s.orders[i] = mix(x) | 1
	}
	return s
}

// mix is the finalizer of splitmix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// word hashes one word.
func (s *sketcher) word(w []byte) uint64 {
	h := s.key ^ uint64(len(w))
	for len(w) >= 8 {
		h = mix(h ^ binary.LittleEndian.Uint64(w))
		w = w[8:]
	}
	var last uint64
	for i, c := range w {
		last |= uint64(c) << (8 * i)
	}
	return mix(h ^ last)
}

// name hashes a text to which a kind gives a room of its own.
func (s *sketcher) name(kind byte, n string) uint64 {
	return mix(s.word([]byte(n)) + uint64(kind))
}

// shingles collects runs of n words.
type shingles struct {
	n    int
	last [5]uint64 // hashes of the last words
	seen int
	all  []uint64
}

func (g *shingles) add(h uint64) {
	copy(g.last[1:g.n], g.last[:g.n-1])
	g.last[0] = h
	if g.seen++; g.seen < g.n {
		return
	}
	var sum uint64
	for i := range g.n {
		sum += bits.RotateLeft64(g.last[i]*0x9e3779b97f4a7c15, 17*i)
	}
	g.all = append(g.all, mix(sum))
}

// sketch folds a set of shingles; one with fewer than least has N = 0.
func (s *sketcher) sketch(kind byte, all []uint64, least int) (out Sketch) {
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) < least {
		return out
	}
	out.N = len(all)
	all = all[:min(len(all), mostKept)]
	out.Least = slices.Clone(all)
	var first [slots]uint64
	for i, order := range &s.orders {
		m := ^uint64(0)
		for _, h := range all {
			m = min(m, h*order)
		}
		first[i] = m
		out.Bits[i/64] |= mix(m^uint64(i)) & 1 << (i % 64)
	}
	for b := range out.Bands {
		h := s.key + uint64(kind)<<8 + uint64(b)
		for r := range rows {
			h = mix(h ^ first[b*rows+r])
		}
		out.Bands[b] = h
	}
	return out
}
