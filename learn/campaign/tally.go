package campaign

import (
	"math"
	"math/bits"
)

// tally counts different things in 16 octets (HyperLogLog, Flajolet et al. 2007, with
// 32 registers of four bits): exact to about one up to eight, within a fifth up to a
// million. It fades: one halving takes one from every register.
type tally [16]byte

const registers = 32

// add counts a hash.
func (t *tally) add(h uint64) {
	i := h % registers
	rank := byte(min(bits.TrailingZeros64(h>>5)+1, 15))
	shift := i % 2 * 4
	if b := &t[i/2]; *b>>shift&15 < rank {
		*b = *b&^(15<<shift) | rank<<shift
	}
}

// halve takes half of what was counted away.
func (t *tally) halve() {
	for i, b := range t {
		if b&15 > 0 {
			b--
		}
		if b>>4 > 0 {
			b -= 16
		}
		t[i] = b
	}
}

// count estimates how many different hashes were added.
func (t *tally) count() float64 {
	sum, empty := 0.0, 0
	for _, b := range t {
		for _, r := range [2]byte{b & 15, b >> 4} {
			sum += math.Ldexp(1, -int(r))
			if r == 0 {
				empty++
			}
		}
	}
	const alpha = 0.697 // for 32 registers
	e := alpha * registers * registers / sum
	if e <= 2.5*registers && empty > 0 {
		return registers * math.Log(registers/float64(empty))
	}
	return e
}

// marks is a small set of hashes: 64 bits, one each. It tells up to some sixty apart.
type marks uint64

func (m *marks) add(h uint64) { *m |= 1 << (h % 64) }

func (m marks) count() int {
	empty := 64 - bits.OnesCount64(uint64(m))
	return int(math.Round(64 * math.Log(64/math.Max(float64(empty), 0.5))))
}

// bloom is a set of names in 256 bits (Bloom 1970), four bits a name: a stranger among
// ten passes with one in two thousand.
type bloom [4]uint64

func (b *bloom) add(h uint64) {
	for i := range 4 {
		n := h >> (8 * i) & 255
		b[n/64] |= 1 << (n % 64)
	}
}

func (b *bloom) has(h uint64) bool {
	for i := range 4 {
		if n := h >> (8 * i) & 255; b[n/64]>>(n%64)&1 == 0 {
			return false
		}
	}
	return true
}

// full says that more names would let every stranger pass.
func (b *bloom) full() bool {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n > 128
}

// merge adds what another tally has counted.
func (t *tally) merge(o *tally) {
	for i, b := range o {
		t[i] = max(t[i]&15, b&15) | max(t[i]&0xf0, b&0xf0)
	}
}
