package online

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Bounds of one message's features, over what any message can have.
const (
	maxLearned = 1 << 18 // features; entries of parts
	// MaxStored is the most octets that MarshalBinary writes.
	MaxStored = 1 << 20
)

// ErrExtractor is behind the error about features of another extractor: what they
// say can't be learned, only the message could be read anew.
var ErrExtractor = errors.New("features of another extractor")

// MarshalBinary writes the features so that the label can be learned without the
// message: the extractor's version, then for each view how many slots it has and
// their distances in rising order, then for each block of the text the places
// of its features in the words view, in the same way. All numbers are unsigned varints. A
// usual message has 5 to 15 kB. What comes back teaches a State the same, bit for
// bit, as f.
func (f *Features) MarshalBinary() ([]byte, error) {
	f = f.Sorted()
	if len(f.index) > maxLearned || len(f.parts) > maxLearned {
		return nil, fmt.Errorf("online: %d features, %d by part, are too many", len(f.index), len(f.parts))
	}
	b := binary.AppendUvarint(make([]byte, 0, 2*len(f.index)+len(f.parts)+64), Extractor)
	start := int32(0)
	for _, end := range f.ends {
		b = appendRising(b, f.index[start:end])
		start = end
	}
	b = binary.AppendUvarint(b, uint64(len(f.blocks)))
	var places []uint32
	start = 0
	for _, end := range f.blocks {
		places = places[:0]
		for _, p := range f.parts[start:end] {
			places = append(places, p&placeMask)
		}
		slices.Sort(places)
		b = appendRising(b, places)
		start = end
	}
	return b, nil
}

func appendRising(b []byte, all []uint32) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	next := uint32(0)
	for _, v := range all {
		b = binary.AppendUvarint(b, uint64(v-next))
		next = v + 1
	}
	return b
}

// UnmarshalBinary reads what MarshalBinary wrote, and nothing else: octets left
// over, numbers out of range or longer than they need to be are errors. For
// features of another extractor errors.Is(err, ErrExtractor).
func (f *Features) UnmarshalBinary(b []byte) error {
	r := rising{b: b}
	if len(b) > MaxStored {
		return errStored
	}
	if v := r.uvarint(math.MaxUint32); r.bad {
		return errStored
	} else if v != Extractor {
		return fmt.Errorf("online: %w: %d, not %d", ErrExtractor, v, Extractor)
	}
	g := Features{sorted: true}
	for v := range g.ends {
		g.index = r.list(g.index, tableSize)
		g.ends[v] = int32(len(g.index))
	}
	words := uint64(g.ends[viewWords] - g.ends[viewWords-1])
	n := r.uvarint(maxBlock)
	if n > 0 && n <= 2 { // Extract makes none of a text that is one segment
		r.bad = true
	}
	var places, last []uint32 // last is the block, from 1, that had a word last
	if n > 0 {
		last = make([]uint32, words)
	}
	for k := range uint32(n) {
		places = r.list(places[:0], words)
		if r.bad || len(g.parts)+len(places) > maxLearned {
			return errStored
		}
		start := len(g.parts)
		for _, p := range places {
			entry := p
			if last[p] > 0 {
				entry |= (k + 1 - last[p]) << backShift
			}
			last[p] = k + 1
			g.parts = append(g.parts, entry)
		}
		slices.Sort(g.parts[start:])
		g.blocks = append(g.blocks, int32(len(g.parts)))
	}
	if r.bad || len(r.b) > 0 {
		return errStored
	}
	g.weigh()
	*f = g
	return nil
}

var errStored = errors.New("online: not the features of a message")

// rising reads lists of rising numbers.
type rising struct {
	b   []byte
	bad bool
}

func (r *rising) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || v > most || n > 1 && r.b[n-1] == 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// list appends a list of numbers below limit to dst.
func (r *rising) list(dst []uint32, limit uint64) []uint32 {
	n := r.uvarint(maxLearned)
	if n > uint64(len(r.b)) || len(dst)+int(n) > maxLearned { // each takes an octet at least
		r.bad = true
		return dst
	}
	dst = slices.Grow(dst, int(n))
	next := uint64(0)
	for range n {
		next += r.uvarint(limit)
		if r.bad || next >= limit {
			r.bad = true
			return dst
		}
		dst = append(dst, uint32(next))
		next++
	}
	return dst
}
