// Package lzma decodes LZMA and LZMA2. Unlike others it allocates the window as the
// output grows: a header that asks for four gigabytes costs nothing.
package lzma

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxDict is how far back a match may reach. Files that were packed with a larger
// dictionary unpack as long as their matches stay within it.
const MaxDict = 64 << 20

var (
	errData = errors.New("lzma: data is damaged")
	errFar  = fmt.Errorf("lzma: a match reaches back more than %d MB", MaxDict>>20)
)

// source is the packed input, with a fast way to the next byte.
type source struct {
	r        io.Reader
	buf      []byte
	pos      int
	consumed int64 // in buffers before this one
	err      error
}

func newSource(r io.Reader) *source { return &source{r: r, buf: make([]byte, 0, 16<<10)} }

// next returns zeros behind the end, and keeps the error.
func (s *source) next() byte {
	if s.pos == len(s.buf) && !s.fill() {
		return 0
	}
	c := s.buf[s.pos]
	s.pos++
	return c
}

func (s *source) fill() bool {
	if s.err != nil {
		return false
	}
	s.consumed += int64(len(s.buf))
	s.pos = 0
	s.buf = s.buf[:0]
	for range 100 {
		n, err := s.r.Read(s.buf[:cap(s.buf)])
		s.buf = s.buf[:n]
		if n > 0 {
			return true
		}
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			s.err = err
			return false
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// window is the output: what matches refer to, and what was not yet read.
type window struct {
	buf  []byte
	read int // of buf
	keep int // how far back a match may reach
	base int // matches don't reach in front of it
}

// slide forgets what no match may reach.
func (w *window) slide() {
	if w.read < len(w.buf) || len(w.buf) < w.keep+max(w.keep/4, 64<<10) {
		return
	}
	cut := len(w.buf) - w.keep
	w.buf = append(w.buf[:0], w.buf[cut:]...)
	w.read = len(w.buf)
	w.base = max(0, w.base-cut)
}

func (w *window) give(p []byte) int {
	n := copy(p, w.buf[w.read:])
	w.read += n
	return n
}

func (w *window) copyMatch(dist uint32, n int) error {
	d := int64(dist) + 1
	have := int64(len(w.buf) - w.base)
	if d > have {
		if d > int64(w.keep) && w.keep == MaxDict {
			return errFar
		}
		return errData
	}
	from := len(w.buf) - int(d)
	if n <= int(d) {
		w.buf = append(w.buf, w.buf[from:from+n]...)
		return nil
	}
	for i := range n {
		w.buf = append(w.buf, w.buf[from+i])
	}
	return nil
}

// prob is an adaptive probability.
type prob = uint16

const probInit = 1 << 10

func fresh(p []prob) {
	for i := range p {
		p[i] = probInit
	}
}

type lengths struct {
	choice [2]prob
	low    [16][8]prob
	mid    [16][8]prob
	high   [256]prob
}

func (l *lengths) reset() {
	fresh(l.choice[:])
	for i := range l.low {
		fresh(l.low[i][:])
		fresh(l.mid[i][:])
	}
	fresh(l.high[:])
}

// decoder is the state between symbols.
type decoder struct {
	in         *source
	w          *window
	code, rng  uint32
	lc, lp, pb uint32
	state      uint32
	rep        [4]uint32
	literal    []prob
	isMatch    [12 << 4]prob
	isRep      [12]prob
	isRep0     [12]prob
	isRep1     [12]prob
	isRep2     [12]prob
	isRep0Long [12 << 4]prob
	slot       [4][64]prob
	special    [115]prob
	align      [16]prob
	length     lengths
	repLength  lengths
	produced   uint64 // output since the start, for positions
	ended      bool   // the end marker came
}

// setProps takes the byte that holds lc, lp and pb.
func (d *decoder) setProps(b byte) error {
	if b >= 9*5*5 {
		return errData
	}
	d.lc, d.lp, d.pb = uint32(b%9), uint32(b/9%5), uint32(b/45)
	n := 0x300 << (d.lc + d.lp) // at most 12 bits: 6 MB
	if cap(d.literal) < n {
		d.literal = make([]prob, n)
	}
	d.literal = d.literal[:n]
	return nil
}

func (d *decoder) resetState() {
	d.state, d.rep = 0, [4]uint32{}
	fresh(d.literal)
	fresh(d.isMatch[:])
	fresh(d.isRep[:])
	fresh(d.isRep0[:])
	fresh(d.isRep1[:])
	fresh(d.isRep2[:])
	fresh(d.isRep0Long[:])
	for i := range d.slot {
		fresh(d.slot[i][:])
	}
	fresh(d.special[:])
	fresh(d.align[:])
	d.length.reset()
	d.repLength.reset()
}

// start reads the first five bytes of range coded data.
func (d *decoder) start() error {
	if d.in.next() != 0 && d.in.err == nil {
		return errData
	}
	d.rng, d.code = 0xffffffff, 0
	for range 4 {
		d.code = d.code<<8 | uint32(d.in.next())
	}
	return d.in.err
}

func (d *decoder) bit(p *prob) uint32 {
	v := uint32(*p)
	bound := d.rng >> 11 * v
	var bit uint32
	if d.code < bound {
		d.rng = bound
		*p = prob(v + (2048-v)>>5)
	} else {
		d.rng -= bound
		d.code -= bound
		*p = prob(v - v>>5)
		bit = 1
	}
	if d.rng < 1<<24 {
		d.rng <<= 8
		d.code = d.code<<8 | uint32(d.in.next())
	}
	return bit
}

func (d *decoder) tree(p []prob, bits int) uint32 {
	m := uint32(1)
	for range bits {
		m = m<<1 | d.bit(&p[m])
	}
	return m - 1<<bits
}

func (d *decoder) reverse(p []prob, bits uint32) uint32 {
	m, sym := uint32(1), uint32(0)
	for i := range bits {
		b := d.bit(&p[m])
		m = m<<1 | b
		sym |= b << i
	}
	return sym
}

func (d *decoder) direct(bits uint32) uint32 {
	var v uint32
	for range bits {
		d.rng >>= 1
		d.code -= d.rng
		t := 0 - d.code>>31
		d.code += d.rng & t
		v = v<<1 + t + 1
		if d.rng < 1<<24 {
			d.rng <<= 8
			d.code = d.code<<8 | uint32(d.in.next())
		}
	}
	return v
}

func (d *decoder) lengthOf(l *lengths, pos uint32) int {
	if d.bit(&l.choice[0]) == 0 {
		return int(d.tree(l.low[pos][:], 3)) + 2
	}
	if d.bit(&l.choice[1]) == 0 {
		return int(d.tree(l.mid[pos][:], 3)) + 10
	}
	return int(d.tree(l.high[:], 8)) + 18
}

func (d *decoder) distance(n int) uint32 {
	slot := d.tree(d.slot[min(n-2, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := slot>>1 - 1
	dist := (2 | slot&1) << bits
	if slot < 14 {
		return dist + d.reverse(d.special[dist-slot:], bits)
	}
	return dist + d.direct(bits-4)<<4 + d.reverse(d.align[:], 4)
}

func (d *decoder) literalByte() {
	w := d.w
	var prev uint32
	if len(w.buf) > w.base {
		prev = uint32(w.buf[len(w.buf)-1])
	}
	at := (uint32(d.produced)&(1<<d.lp-1))<<d.lc + prev>>(8-d.lc)
	p := d.literal[0x300*at:][:0x300]
	sym := uint32(1)
	if d.state >= 7 {
		var match uint32
		if back := int(d.rep[0]) + 1; back <= len(w.buf) {
			match = uint32(w.buf[len(w.buf)-back])
		}
		for sym < 0x100 {
			mb := match >> 7 & 1
			match <<= 1
			b := d.bit(&p[(1+mb)<<8+sym])
			sym = sym<<1 | b
			if b != mb {
				break
			}
		}
	}
	for sym < 0x100 {
		sym = sym<<1 | d.bit(&p[sym])
	}
	w.buf = append(w.buf, byte(sym))
	d.produced++
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

// run decodes until the window holds target bytes, and a little more, or the end
// marker comes.
func (d *decoder) run(target int) error {
	for len(d.w.buf) < target {
		if d.in.err != nil {
			return d.in.err
		}
		pos := uint32(d.produced) & (1<<d.pb - 1)
		if d.bit(&d.isMatch[d.state<<4+pos]) == 0 {
			d.literalByte()
			continue
		}
		var n int
		if d.bit(&d.isRep[d.state]) == 0 {
			d.rep[3], d.rep[2], d.rep[1] = d.rep[2], d.rep[1], d.rep[0]
			n = d.lengthOf(&d.length, pos)
			d.state = after(d.state, 7, 10)
			d.rep[0] = d.distance(n)
			if d.rep[0] == 0xffffffff {
				d.ended = true
				return d.in.err
			}
		} else {
			short, err := d.repeat(pos)
			if err != nil {
				return err
			}
			if short {
				continue
			}
			n = d.lengthOf(&d.repLength, pos)
			d.state = after(d.state, 8, 11)
		}
		if err := d.w.copyMatch(d.rep[0], n); err != nil {
			if d.in.err != nil {
				return d.in.err
			}
			return err
		}
		d.produced += uint64(n)
	}
	return d.in.err
}

// repeat chooses among the last distances. short is a match of one byte, done.
func (d *decoder) repeat(pos uint32) (short bool, err error) {
	if d.bit(&d.isRep0[d.state]) == 0 {
		if d.bit(&d.isRep0Long[d.state<<4+pos]) == 0 {
			d.state = after(d.state, 9, 11)
			err := d.w.copyMatch(d.rep[0], 1)
			d.produced++
			return true, err
		}
		return false, nil
	}
	var dist uint32
	if d.bit(&d.isRep1[d.state]) == 0 {
		dist = d.rep[1]
	} else {
		if d.bit(&d.isRep2[d.state]) == 0 {
			dist = d.rep[2]
		} else {
			dist = d.rep[3]
			d.rep[3] = d.rep[2]
		}
		d.rep[2] = d.rep[1]
	}
	d.rep[1] = d.rep[0]
	d.rep[0] = dist
	return false, nil
}

func after(state, literal, match uint32) uint32 {
	if state < 7 {
		return literal
	}
	return match
}

// Reader decodes one LZMA stream.
type Reader struct {
	d    decoder
	left int64 // output that is to come; below 0: until the marker
	err  error
}

// NewReader reads LZMA data without a header: props is its first byte, dict the
// declared dictionary, size the unpacked size, or below 0 where a marker ends it.
func NewReader(r io.Reader, props byte, dict uint32, size int64) (*Reader, error) {
	z := &Reader{left: size}
	z.d.in = newSource(r)
	z.d.w = &window{keep: int(min(max(dict, 1<<12), MaxDict))}
	if err := z.d.setProps(props); err != nil {
		return nil, err
	}
	z.d.resetState()
	if err := z.d.start(); err != nil {
		return nil, err
	}
	return z, nil
}

// NewAlone reads a .lzma file: 13 bytes of header stand in front.
func NewAlone(r io.Reader) (*Reader, error) {
	var h [13]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint64(h[5:]))
	if size < -1 {
		return nil, errData
	}
	return NewReader(r, h[0], binary.LittleEndian.Uint32(h[1:]), size)
}

// Consumed is how much of the input was used.
func (z *Reader) Consumed() int64 { return z.d.in.consumed + int64(z.d.in.pos) }

// Read implements io.Reader.
func (z *Reader) Read(p []byte) (int, error) {
	w := z.d.w
	if w.read == len(w.buf) && z.err == nil && len(p) > 0 {
		z.more(len(p))
	}
	if n := w.give(p); n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, z.err
}

// more decodes the next piece.
func (z *Reader) more(want int) {
	w := z.d.w
	w.slide()
	n := min(want, 64<<10)
	if z.left >= 0 {
		n = int(min(int64(n), z.left))
	}
	if n == 0 {
		z.err = io.EOF
		return
	}
	before := len(w.buf)
	err := z.d.run(before + n)
	got := len(w.buf) - before
	if z.left >= 0 {
		if int64(got) > z.left {
			w.buf = w.buf[:before+int(z.left)]
			got, err = int(z.left), errData
		}
		z.left -= int64(got)
	}
	switch {
	case err != nil:
		z.err = err
	case z.d.ended && z.left > 0:
		z.err = io.ErrUnexpectedEOF
	case z.d.ended:
		z.err = io.EOF
	}
}

// Reader2 decodes LZMA2, the format of chunks in xz and 7z.
type Reader2 struct {
	d     decoder
	in    *source
	w     *window
	left  int  // output of this chunk
	raw   bool // this chunk is stored
	props bool // properties were given
	began bool // the dictionary was reset
	end   int64
	err   error
}

// NewReader2 reads chunks until the one that ends them.
func NewReader2(r io.Reader, dict uint32) *Reader2 {
	z := &Reader2{in: newSource(r), w: &window{keep: int(min(max(dict, 1<<12), MaxDict))}}
	z.d.in, z.d.w = z.in, z.w
	return z
}

// DictSize reads the byte in which LZMA2 declares its dictionary.
func DictSize(b byte) uint32 {
	if b >= 40 {
		return 0xffffffff
	}
	return (2 | uint32(b)&1) << (b/2 + 11)
}

// Consumed is how much of the input was used.
func (z *Reader2) Consumed() int64 { return z.in.consumed + int64(z.in.pos) }

// Read implements io.Reader.
func (z *Reader2) Read(p []byte) (int, error) {
	for z.w.read == len(z.w.buf) && z.err == nil && len(p) > 0 {
		z.err = z.more(len(p))
	}
	if n := z.w.give(p); n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, z.err
}

func (z *Reader2) more(want int) error {
	if z.left == 0 {
		return z.chunk()
	}
	z.w.slide()
	before := len(z.w.buf)
	n := min(want, z.left, 64<<10)
	if z.raw {
		for range n {
			c := z.in.next()
			if z.in.err != nil {
				break
			}
			z.w.buf = append(z.w.buf, c)
		}
		z.d.produced += uint64(len(z.w.buf) - before)
		z.left -= len(z.w.buf) - before
		return z.in.err
	}
	err := z.d.run(before + n)
	got := len(z.w.buf) - before
	if got > z.left || z.d.ended {
		z.w.buf = z.w.buf[:before+min(got, z.left)]
		return errData
	}
	z.left -= got
	if err == nil && z.left == 0 {
		if used := z.Consumed(); used != z.end {
			return errData // the chunk is shorter or longer than it says
		}
	}
	return err
}

// chunk reads the header of the next one.
func (z *Reader2) chunk() error {
	c := z.in.next()
	switch {
	case z.in.err != nil:
		return z.in.err
	case c == 0:
		return io.EOF
	case c > 2 && c < 0x80:
		return errData
	}
	reset := c == 1 || c >= 0xe0
	if !reset && !z.began {
		return errData
	}
	if reset {
		z.began = true
		z.w.base = len(z.w.buf)
		z.d.produced = 0
	}
	size := int(z.in.next())<<8 | int(z.in.next())
	if c < 0x80 {
		z.raw, z.left = true, size+1
		return z.in.err
	}
	z.raw, z.left = false, int(c&0x1f)<<16+size+1
	packed := int64(z.in.next())<<8 | int64(z.in.next())
	if c >= 0xc0 {
		props := z.in.next()
		if err := z.d.setProps(props); err != nil {
			return err
		}
		if z.d.lc+z.d.lp > 4 {
			return errData
		}
		z.props = true
	}
	if !z.props {
		return errData
	}
	if c >= 0xa0 {
		z.d.resetState()
	}
	z.end = z.Consumed() + packed + 1
	return z.d.start()
}
