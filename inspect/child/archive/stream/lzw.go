package stream

import (
	"errors"
	"io"
)

var errLZW = errors.New("compress: data is damaged")

// lzw reads the output of compress: codes of 9 to 16 bits, in groups of eight.
type lzw struct {
	in     []byte
	pos    uint // in bits
	base   uint // where the present group of codes began
	max    uint
	clears bool // code 256 clears the table
	width  uint
	next   int
	prev   int // -1 at the start
	first  byte
	parent [1 << 16]uint16
	suffix [1 << 16]byte
	out    []byte
	err    error
}

func newLZW(b []byte) (*lzw, error) {
	if len(b) < 3 {
		return nil, io.ErrUnexpectedEOF
	}
	z := &lzw{in: b[3:], max: uint(b[2] & 31), clears: b[2]&0x80 != 0, width: 9, prev: -1}
	if z.max < 9 || z.max > 16 {
		return nil, errLZW
	}
	z.next = 256
	if z.clears {
		z.next = 257
	}
	return z, nil
}

// code reads the next one; false at the end.
func (z *lzw) code() (int, bool) {
	if z.pos+z.width > uint(len(z.in))*8 {
		return 0, false
	}
	v := 0
	for i := range z.width {
		at := z.pos + i
		v |= int(z.in[at/8]>>(at%8)&1) << i
	}
	z.pos += z.width
	return v, true
}

// align skips to the end of the group of eight codes: compress writes whole groups.
func (z *lzw) align() {
	group := z.width * 8
	if over := (z.pos - z.base) % group; over != 0 {
		z.pos += group - over
	}
	z.base = z.pos
}

func (z *lzw) Read(p []byte) (int, error) {
	for len(z.out) == 0 && z.err == nil {
		z.step()
	}
	if len(z.out) == 0 {
		return 0, z.err
	}
	n := copy(p, z.out)
	z.out = z.out[n:]
	return n, nil
}

func (z *lzw) step() {
	if z.next > 1<<z.width-1 && z.width < z.max {
		z.align()
		z.width++
	}
	c, ok := z.code()
	switch {
	case !ok:
		z.err = io.EOF
		return
	case c == 256 && z.clears:
		z.align()
		z.width, z.next, z.prev = 9, 256, -1
		return
	case z.prev < 0:
		if c > 255 {
			z.err = errLZW
			return
		}
		z.first = byte(c)
		z.out = append(z.out[:0:0], byte(c))
		z.prev = c
		z.enter()
		return
	case c > z.next:
		z.err = errLZW
		return
	}
	var back []byte
	at := c
	if c == z.next { // the string that is being made: the last one and its own first byte
		back = append(back, z.first)
		at = z.prev
	}
	for at > 255 && len(back) <= 1<<16 {
		back = append(back, z.suffix[at])
		at = int(z.parent[at])
	}
	z.first = byte(at)
	back = append(back, z.first)
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	z.out = back
	if z.next < 1<<z.max {
		z.parent[z.next], z.suffix[z.next] = uint16(z.prev), z.first
		z.next++
	}
	z.prev = c
}

// enter accounts for the code behind a cleared table, which adds no string.
func (z *lzw) enter() {
	if z.clears && z.next == 256 {
		z.next = 257
	}
}
