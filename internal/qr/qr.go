// Package qr writes QR codes (ISO/IEC 18004): bytes only, versions 1 to 10. Tests and
// generators of test mail use it; it reads nothing.
package qr

import (
	"errors"
	"slices"
)

// Level is how much of a code may be damaged.
type Level int

// The levels: about 7, 15, 25 and 30 percent.
const (
	Low Level = iota
	Medium
	Quartile
	High
)

// Code is a square of modules.
type Code struct {
	Size    int
	modules []bool // dark
	fixed   []bool // belongs to the frame, not to the data
}

// Dark says whether a module is dark; those outside are light.
func (c *Code) Dark(x, y int) bool {
	return 0 <= x && x < c.Size && 0 <= y && y < c.Size && c.modules[y*c.Size+x]
}

const maxVersion = 10

// Per level and version: codewords of error correction in a block, and blocks
// (table 9 of the standard).
var (
	eccWords = [4][maxVersion]int{
		{7, 10, 15, 20, 26, 18, 20, 24, 30, 18}, {10, 16, 26, 18, 24, 16, 18, 22, 22, 26},
		{13, 22, 18, 26, 18, 24, 18, 22, 20, 24}, {17, 28, 22, 16, 22, 28, 26, 26, 24, 28}}
	eccBlocks = [4][maxVersion]int{
		{1, 1, 1, 1, 1, 2, 2, 2, 2, 4}, {1, 1, 1, 2, 2, 4, 4, 4, 5, 5},
		{1, 1, 2, 2, 4, 4, 6, 6, 8, 8}, {1, 1, 2, 4, 4, 4, 5, 6, 8, 8}}
)

// Encode makes the smallest code that holds a text.
func Encode(text string, l Level) (*Code, error) {
	for v := 1; v <= maxVersion; v++ {
		room := dataWords(v, l)
		counter := 8
		if v >= 10 {
			counter = 16
		}
		if 4+counter+8*len(text) > 8*room {
			continue
		}
		var b bitWriter
		b.write(4, 4) // bytes
		b.write(len(text), counter)
		for i := range len(text) {
			b.write(int(text[i]), 8)
		}
		b.write(0, min(4, 8*room-b.n))
		for b.n%8 != 0 {
			b.write(0, 1)
		}
		for pad := 0xEC; len(b.bytes) < room; pad ^= 0xEC ^ 0x11 {
			b.bytes = append(b.bytes, byte(pad))
		}
		return draw(v, l, interleave(b.bytes, v, l)), nil
	}
	return nil, errors.New("qr: the text is too long")
}

type bitWriter struct {
	bytes []byte
	n     int
}

func (b *bitWriter) write(v, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if b.n%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[b.n/8] |= byte(v>>i&1) << (7 - b.n%8)
		b.n++
	}
}

// rawWords is the room of a version for data and correction, in bytes.
func rawWords(v int) int {
	n := (16*v+128)*v + 64
	if v >= 2 {
		a := v/7 + 2
		n -= (25*a-10)*a - 55
		if v >= 7 {
			n -= 36
		}
	}
	return n / 8
}

func dataWords(v int, l Level) int { return rawWords(v) - eccWords[l][v-1]*eccBlocks[l][v-1] }

// interleave cuts data into blocks, adds the correction of each, and mixes them.
func interleave(data []byte, v int, l Level) []byte {
	blocks, ecc := eccBlocks[l][v-1], eccWords[l][v-1]
	raw := rawWords(v)
	short := blocks - raw%blocks
	g := generator(ecc)
	var parts, checks [][]byte
	for i := range blocks {
		n := raw/blocks - ecc
		if i >= short {
			n++
		}
		parts = append(parts, data[:n])
		checks = append(checks, remainder(data[:n], g))
		data = data[n:]
	}
	var out []byte
	for _, set := range [][][]byte{parts, checks} {
		for i := range len(set[len(set)-1]) {
			for _, p := range set {
				if i < len(p) {
					out = append(out, p[i])
				}
			}
		}
	}
	return out
}

// multiply is the product in the field of 256 elements modulo x^8+x^4+x^3+x^2+1.
func multiply(a, b byte) byte {
	p := 0
	for i := 7; i >= 0; i-- {
		p = p<<1 ^ p>>7*0x11D
		p ^= int(b>>i&1) * int(a)
	}
	return byte(p)
}

func generator(n int) []byte {
	g := make([]byte, n)
	g[n-1] = 1
	root := byte(1)
	for range n {
		for j := range g {
			g[j] = multiply(g[j], root)
			if j+1 < n {
				g[j] ^= g[j+1]
			}
		}
		root = multiply(root, 2)
	}
	return g
}

func remainder(data, g []byte) []byte {
	r := make([]byte, len(g))
	for _, b := range data {
		f := b ^ r[0]
		copy(r, r[1:])
		r[len(r)-1] = 0
		for i := range r {
			r[i] ^= multiply(g[i], f)
		}
	}
	return r
}

func draw(v int, l Level, words []byte) *Code {
	n := 17 + 4*v
	c := &Code{Size: n, modules: make([]bool, n*n), fixed: make([]bool, n*n)}
	for i := range n {
		c.set(6, i, i%2 == 0)
		c.set(i, 6, i%2 == 0)
	}
	for _, at := range [][2]int{{3, 3}, {n - 4, 3}, {3, n - 4}} {
		for dy := -4; dy <= 4; dy++ {
			for dx := -4; dx <= 4; dx++ {
				ring := max(dx, -dx, dy, -dy)
				c.set(at[0]+dx, at[1]+dy, ring != 2 && ring != 4)
			}
		}
	}
	marks := alignments(v)
	for i, x := range marks {
		for j, y := range marks {
			if i == 0 && j == 0 || i == 0 && j == len(marks)-1 || i == len(marks)-1 && j == 0 {
				continue
			}
			for dy := -2; dy <= 2; dy++ {
				for dx := -2; dx <= 2; dx++ {
					c.set(x+dx, y+dy, max(dx, -dx, dy, -dy) != 1)
				}
			}
		}
	}
	c.format(l, 0)
	if v >= 7 {
		rem := v
		for range 12 {
			rem = rem<<1 ^ rem>>11*0x1F25
		}
		for i := range 18 {
			bit := (v<<12|rem)>>i&1 == 1
			a, b := n-11+i%3, i/3
			c.set(a, b, bit)
			c.set(b, a, bit)
		}
	}
	c.data(words)
	return c.masked(l)
}

func (c *Code) set(x, y int, dark bool) {
	if 0 <= x && x < c.Size && 0 <= y && y < c.Size {
		c.modules[y*c.Size+x], c.fixed[y*c.Size+x] = dark, true
	}
}

func alignments(v int) []int {
	if v == 1 {
		return nil
	}
	n := v/7 + 2
	step := (v*8 + n*3 + 5) / (n*4 - 4) * 2
	out := []int{6}
	for p := 17 + 4*v - 7 - (n-2)*step; len(out) < n; p += step {
		out = append(out, p)
	}
	return out
}

// format writes the level and the mask, twice.
func (c *Code) format(l Level, mask int) {
	data := [4]int{1, 0, 3, 2}[l]<<3 | mask
	rem := data
	for range 10 {
		rem = rem<<1 ^ rem>>9*0x537
	}
	bits := (data<<10 | rem) ^ 0x5412
	bit := func(i int) bool { return bits>>i&1 == 1 }
	for i := range 6 {
		c.set(8, i, bit(i))
	}
	c.set(8, 7, bit(6))
	c.set(8, 8, bit(7))
	c.set(7, 8, bit(8))
	for i := 9; i < 15; i++ {
		c.set(14-i, 8, bit(i))
	}
	for i := range 8 {
		c.set(c.Size-1-i, 8, bit(i))
	}
	for i := 8; i < 15; i++ {
		c.set(8, c.Size-15+i, bit(i))
	}
	c.set(8, c.Size-8, true)
}

// data lays bits in columns of two, from the right, up and down.
func (c *Code) data(words []byte) {
	i := 0
	for right := c.Size - 1; right >= 1; right -= 2 {
		if right == 6 {
			right = 5
		}
		for step := range c.Size {
			y := step
			if (right+1)&2 == 0 {
				y = c.Size - 1 - step
			}
			for x := right; x > right-2; x-- {
				if at := y*c.Size + x; !c.fixed[at] && i < 8*len(words) {
					c.modules[at] = words[i/8]>>(7-i%8)&1 == 1
					i++
				}
			}
		}
	}
}

// masked flips modules by the mask that leaves the fewest long runs. A reader takes
// any.
func (c *Code) masked(l Level) *Code {
	var best *Code
	least := 0
	for mask := range 8 {
		m := &Code{Size: c.Size, modules: slices.Clone(c.modules), fixed: slices.Clone(c.fixed)}
		for y := range m.Size {
			for x := range m.Size {
				at := y*m.Size + x
				m.modules[at] = m.modules[at] != (!m.fixed[at] && flips(mask, x, y))
			}
		}
		m.format(l, mask)
		if p := m.runs(); best == nil || p < least {
			best, least = m, p
		}
	}
	return best
}

func flips(mask, x, y int) bool {
	switch mask {
	case 0:
		return (x+y)%2 == 0
	case 1:
		return y%2 == 0
	case 2:
		return x%3 == 0
	case 3:
		return (x+y)%3 == 0
	case 4:
		return (x/3+y/2)%2 == 0
	case 5:
		return x*y%2+x*y%3 == 0
	case 6:
		return (x*y%2+x*y%3)%2 == 0
	}
	return ((x+y)%2+x*y%3)%2 == 0
}

// runs counts modules that continue a run of five or more.
func (c *Code) runs() (n int) {
	for _, turned := range []bool{false, true} {
		for a := range c.Size {
			run := 0
			for b := range c.Size {
				x, y := b, a
				px := b - 1
				py := a
				if turned {
					x, y, px, py = a, b, a, b-1
				}
				if b > 0 && c.Dark(x, y) == c.Dark(px, py) {
					if run++; run >= 5 {
						n++
					}
				} else {
					run = 1
				}
			}
		}
	}
	return n
}
