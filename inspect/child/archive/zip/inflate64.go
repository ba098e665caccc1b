package zip

import (
	"errors"
	"io"
)

var errInflate64 = errors.New("deflate64: data is damaged")

// inflate64 undoes Deflate64: deflate with a window of 64 kB, a last length code
// of 16 extra bits, and two more codes for distances.
type inflate64 struct {
	in     io.ByteReader
	bits   uint32
	n      uint
	win    [64 << 10]byte
	at     int    // next place in the window
	out    []byte // waits to be read
	left   int    // of a stored block
	length huffman
	dist   huffman
	inside int // of a block: 0 none, 1 stored, 2 packed
	last   bool
	err    error
}

// NewDeflate64 unpacks Deflate64, which other containers use too.
func NewDeflate64(in io.ByteReader) io.Reader { return &inflate64{in: in} }

// huffman is a canonical code: how many codes of each length, and their symbols.
type huffman struct {
	count  [16]uint16
	symbol [288]uint16
}

func (h *huffman) build(lengths []byte) error {
	*h = huffman{}
	for _, n := range lengths {
		h.count[n]++
	}
	left := 1
	for n := 1; n < 16; n++ {
		left = left<<1 - int(h.count[n])
		if left < 0 {
			return errInflate64
		}
	}
	var offset [16]uint16
	for n := 1; n < 15; n++ {
		offset[n+1] = offset[n] + h.count[n]
	}
	for s, n := range lengths {
		if n != 0 {
			h.symbol[offset[n]] = uint16(s)
			offset[n]++
		}
	}
	h.count[0] = 0
	return nil
}

func (z *inflate64) need(n uint) uint32 {
	for z.n < n {
		c, err := z.in.ReadByte()
		if err != nil && z.err == nil {
			z.err = io.ErrUnexpectedEOF
		}
		z.bits |= uint32(c) << z.n
		z.n += 8
	}
	v := z.bits & (1<<n - 1)
	z.bits >>= n
	z.n -= n
	return v
}

func (z *inflate64) symbol(h *huffman) int {
	code, first, index := 0, 0, 0
	for n := 1; n < 16; n++ {
		code |= int(z.need(1))
		count := int(h.count[n])
		if code-count < first {
			return int(h.symbol[index+code-first])
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	if z.err == nil {
		z.err = errInflate64
	}
	return 0
}

// Read implements io.Reader.
func (z *inflate64) Read(p []byte) (int, error) {
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

func (z *inflate64) put(c byte) {
	z.win[z.at] = c
	z.at = (z.at + 1) & (len(z.win) - 1)
	z.out = append(z.out, c)
}

// step unpacks a piece.
func (z *inflate64) step() {
	z.out = make([]byte, 0, 16<<10)
	switch z.inside {
	case 0:
		if z.last {
			z.err = io.EOF
			return
		}
		z.block()
	case 1:
		for z.left > 0 && len(z.out) < 8<<10 && z.err == nil {
			c := byte(z.need(8))
			if z.err != nil {
				return
			}
			z.put(c)
			z.left--
		}
		if z.left == 0 {
			z.inside = 0
		}
	case 2:
		for len(z.out) < 8<<10 && z.inside == 2 && z.err == nil {
			z.code()
		}
	}
}

// block reads the head of the next one.
func (z *inflate64) block() {
	z.last = z.need(1) == 1
	switch z.need(2) {
	case 0:
		z.bits, z.n = 0, 0
		n := z.need(16)
		if z.need(16) != n^0xffff && z.err == nil {
			z.err = errInflate64
		}
		z.left, z.inside = int(n), 1
	case 1:
		var l [288]byte
		for i := range l {
			switch {
			case i < 144:
				l[i] = 8
			case i < 256:
				l[i] = 9
			case i < 280:
				l[i] = 7
			default:
				l[i] = 8
			}
		}
		d := [32]byte{}
		for i := range d {
			d[i] = 5
		}
		z.begin(l[:], d[:])
	case 2:
		z.dynamic()
	default:
		z.err = errInflate64
	}
}

func (z *inflate64) begin(lengths, dists []byte) {
	if err := errors.Join(z.length.build(lengths), z.dist.build(dists)); err != nil && z.err == nil {
		z.err = errInflate64
	}
	z.inside = 2
}

var order = [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (z *inflate64) dynamic() {
	nl, nd, nc := int(z.need(5))+257, int(z.need(5))+1, int(z.need(4))+4
	if nl > 286 {
		z.err = errInflate64
		return
	}
	var first [19]byte
	for i := range nc {
		first[order[i]] = byte(z.need(3))
	}
	var h huffman
	if err := h.build(first[:]); err != nil {
		z.err = err
		return
	}
	var l [320]byte
	for i := 0; i < nl+nd && z.err == nil; {
		s := z.symbol(&h)
		if s < 16 {
			l[i] = byte(s)
			i++
			continue
		}
		var v byte
		var n int
		switch s {
		case 16:
			if i == 0 {
				z.err = errInflate64
				return
			}
			v, n = l[i-1], 3+int(z.need(2))
		case 17:
			n = 3 + int(z.need(3))
		default:
			n = 11 + int(z.need(7))
		}
		if i+n > nl+nd {
			z.err = errInflate64
			return
		}
		for range n {
			l[i] = v
			i++
		}
	}
	if z.err == nil {
		z.begin(l[:nl], l[nl:nl+nd])
	}
}

// code unpacks one literal or match.
func (z *inflate64) code() {
	s := z.symbol(&z.length)
	switch {
	case z.err != nil:
		return
	case s < 256:
		z.put(byte(s))
		return
	case s == 256:
		z.inside = 0
		return
	case s > 285:
		z.err = errInflate64
		return
	}
	n := 0
	switch {
	case s < 265:
		n = s - 257 + 3
	case s == 285:
		n = 3 + int(z.need(16))
	default:
		extra := uint(s-261) / 4
		n = 3 + (4+(s-261)%4)<<extra + int(z.need(extra))
	}
	d := z.symbol(&z.dist)
	dist := d + 1
	if d >= 4 {
		extra := uint(d-2) / 2
		dist = 1 + (2+d&1)<<extra + int(z.need(extra))
	}
	for range n {
		if z.err != nil {
			return
		}
		z.put(z.win[(z.at-dist)&(len(z.win)-1)])
	}
}
