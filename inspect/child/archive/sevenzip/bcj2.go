package sevenzip

import (
	"bufio"
	"errors"
	"io"
)

var errBCJ2 = errors.New("bcj2: data is damaged")

// bcj2 joins what the filter of that name took apart: the program without the
// targets of its calls and jumps, the targets of both, and range coded bits that
// say which of them were taken out.
type bcj2 struct {
	main, call, jump, rc *bufio.Reader
	left                 int64
	probs                [2 + 256]uint16
	rng, code            uint32
	began                bool
	prev                 byte
	at                   uint32 // position in the output
	out                  [5]byte
	wait                 []byte // of out, to be given away
	err                  error
}

func newBCJ2(in []io.Reader, size int64) *bcj2 {
	z := &bcj2{main: bufio.NewReader(in[0]), call: bufio.NewReader(in[1]), jump: bufio.NewReader(in[2]), rc: bufio.NewReader(in[3]), left: size}
	for i := range z.probs {
		z.probs[i] = 1 << 10
	}
	return z
}

func (z *bcj2) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && z.left > 0 {
		if len(z.wait) > 0 {
			k := copy(p[n:], z.wait[:min(int64(len(z.wait)), z.left)])
			z.wait = z.wait[k:]
			z.left -= int64(k)
			n += k
			continue
		}
		if z.err != nil {
			break
		}
		c, err := z.main.ReadByte()
		if err != nil {
			z.err = err
			break
		}
		p[n] = c
		n++
		z.left--
		z.at++
		if c&0xfe == 0xe8 || z.prev == 0x0f && c&0xf0 == 0x80 {
			z.branch(c)
		} else {
			z.prev = c
		}
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	if z.left == 0 {
		return 0, io.EOF
	}
	if z.err == io.EOF {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, z.err
}

// branch decides about one call or jump.
func (z *bcj2) branch(c byte) {
	i := 1
	switch c {
	case 0xe8:
		i = 2 + int(z.prev)
	case 0xe9:
		i = 1
	default:
		i = 0
	}
	z.prev = c
	if !z.bit(&z.probs[i]) || z.err != nil {
		return
	}
	from := z.jump
	if c == 0xe8 {
		from = z.call
	}
	var b [4]byte
	if _, err := io.ReadFull(from, b[:]); err != nil {
		z.err = errBCJ2
		return
	}
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	z.at += 4
	v -= z.at
	z.out = [5]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
	z.wait = z.out[:4]
	z.prev = z.out[3]
}

func (z *bcj2) bit(p *uint16) bool {
	if !z.began {
		z.began = true
		z.rng = 0xffffffff
		for range 5 {
			z.code = z.code<<8 | uint32(z.next())
		}
	}
	v := uint32(*p)
	bound := z.rng >> 11 * v
	var bit bool
	if z.code < bound {
		z.rng = bound
		*p = uint16(v + (2048-v)>>5)
	} else {
		z.rng -= bound
		z.code -= bound
		*p = uint16(v - v>>5)
		bit = true
	}
	if z.rng < 1<<24 {
		z.rng <<= 8
		z.code = z.code<<8 | uint32(z.next())
	}
	return bit
}

func (z *bcj2) next() byte {
	c, err := z.rc.ReadByte()
	if err != nil && z.err == nil {
		z.err = errBCJ2
	}
	return c
}
