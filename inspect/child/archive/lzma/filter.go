package lzma

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Filters of xz and 7z by their ids in xz.
const (
	Delta = 3
	X86   = 4
	PPC   = 5
	IA64  = 6
	ARM   = 7
	ARMT  = 8
	SPARC = 9
	ARM64 = 10
)

// Filter undoes a filter that made programs pack better.
func Filter(id uint64, props []byte, r io.Reader) (io.Reader, error) {
	switch id {
	case Delta:
		if len(props) != 1 {
			return nil, errData
		}
		return &delta{r: r, n: int(props[0]) + 1}, nil
	case X86:
		return &branch{r: r, step: (&x86{}).step}, nil
	case PPC:
		return &branch{r: r, step: ppc}, nil
	case ARM:
		return &branch{r: r, step: arm}, nil
	case ARMT:
		return &branch{r: r, step: armt}, nil
	case SPARC:
		return &branch{r: r, step: sparc}, nil
	case ARM64:
		return &branch{r: r, step: arm64}, nil
	}
	return nil, fmt.Errorf("lzma: unknown filter %#x", id)
}

// delta adds the byte that stood n before.
type delta struct {
	r   io.Reader
	n   int
	old [256]byte
	at  byte
}

func (d *delta) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for i := range p[:n] {
		p[i] += d.old[d.at-byte(d.n)]
		d.old[d.at] = p[i]
		d.at++
	}
	return n, err
}

// branch turns absolute targets of calls back into relative ones. step converts as
// much of b as it can, which stands at pos, and returns how much is done; the rest
// waits for more.
type branch struct {
	r    io.Reader
	step func(b []byte, pos uint32) int
	buf  []byte
	done int // of buf, converted
	out  int // of buf, given away
	pos  uint32
	err  error
}

func (f *branch) Read(p []byte) (int, error) {
	for f.out == f.done {
		if f.err != nil {
			return 0, f.err
		}
		f.buf = append(f.buf[:0], f.buf[f.done:]...)
		f.out, f.done = 0, 0
		have := len(f.buf)
		if cap(f.buf) < have+32<<10 {
			f.buf = append(make([]byte, 0, have+32<<10), f.buf...)
		}
		n, err := f.r.Read(f.buf[have : have+32<<10])
		f.buf = f.buf[:have+n]
		f.done = f.step(f.buf, f.pos)
		f.pos += uint32(f.done)
		if err != nil {
			f.err = err
			f.done = len(f.buf) // the last bytes hold no whole instruction
		}
	}
	n := copy(p, f.buf[f.out:f.done])
	f.out += n
	return n, nil
}

// x86 keeps what it saw of the last opcodes.
type x86 struct {
	mask uint32
	last uint32 // how long ago the last opcode was, in bytes
	init bool
}

func odd(b byte) bool { return b == 0 || b == 0xff }

// step follows the filter of the XZ specification: calls and jumps (E8, E9) whose
// operand looks like a near target.
func (x *x86) step(b []byte, pos uint32) int {
	if !x.init {
		x.init, x.last = true, 5
	}
	if len(b) < 5 {
		return 0
	}
	allowed := [8]bool{true, true, true, false, true, false, false, false}
	bits := [8]uint32{0, 1, 2, 2, 3, 3, 3, 3}
	prev := int64(-1) - int64(x.last) + 1 // index of the last opcode, negative before b
	if x.last > 5 {
		prev = -6
	}
	i := 0
	end := len(b) - 4
	for i < end {
		if b[i]&0xfe != 0xe8 {
			i++
			continue
		}
		off := int64(i) - prev
		prev = int64(i)
		if off > 5 {
			x.mask = 0
		} else {
			for range off {
				x.mask &= 0x77
				x.mask <<= 1
			}
		}
		v := b[i+4]
		if odd(v) && allowed[x.mask>>1&7] && x.mask>>1 < 0x10 {
			src := binary.LittleEndian.Uint32(b[i+1:])
			var dst uint32
			for {
				dst = src - (pos + uint32(i) + 5)
				if x.mask == 0 {
					break
				}
				k := bits[x.mask>>1&7]
				if !odd(byte(dst >> (24 - k*8))) {
					break
				}
				src = dst ^ (1<<(32-k*8) - 1)
			}
			dst &= 0x1ffffff
			if dst&0x1000000 != 0 {
				dst |= 0xff000000
			}
			binary.LittleEndian.PutUint32(b[i+1:], dst)
			i += 5
			x.mask = 0
		} else {
			i++
			x.mask |= 1
			if odd(v) {
				x.mask |= 0x10
			}
		}
	}
	x.last = uint32(int64(i) - prev)
	return i
}

func ppc(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		if v := binary.BigEndian.Uint32(b[i:]); v&0xfc000003 == 0x48000001 {
			binary.BigEndian.PutUint32(b[i:], 0x48000001|(v-(pos+uint32(i)))&0x03fffffc)
		}
	}
	return i
}

func arm(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		if b[i+3] == 0xeb {
			v := (binary.LittleEndian.Uint32(b[i:])&0xffffff)<<2 - (pos + uint32(i) + 8)
			v = v >> 2 & 0xffffff
			b[i], b[i+1], b[i+2] = byte(v), byte(v>>8), byte(v>>16)
		}
	}
	return i
}

func armt(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 2 {
		if b[i+1]&0xf8 != 0xf0 || b[i+3]&0xf8 != 0xf8 {
			continue
		}
		src := (uint32(b[i+1])&7)<<19 | uint32(b[i])<<11 | (uint32(b[i+3])&7)<<8 | uint32(b[i+2])
		v := (src<<1 - (pos + uint32(i) + 4)) >> 1
		b[i+1], b[i], b[i+3], b[i+2] = 0xf0|byte(v>>19)&7, byte(v>>11), 0xf8|byte(v>>8)&7, byte(v)
		i += 2
	}
	return i
}

func sparc(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		if b[i] == 0x40 && b[i+1]&0xc0 == 0 || b[i] == 0x7f && b[i+1]&0xc0 == 0xc0 {
			v := (binary.BigEndian.Uint32(b[i:])<<2 - (pos + uint32(i))) >> 2
			v = (0-v>>22&1)<<22&0x3fffffff | v&0x3fffff | 0x40000000
			binary.BigEndian.PutUint32(b[i:], v)
		}
	}
	return i
}

func arm64(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		pc := pos + uint32(i)
		v := binary.LittleEndian.Uint32(b[i:])
		switch {
		case v>>26 == 0x25:
			binary.LittleEndian.PutUint32(b[i:], 0x94000000|(v-pc>>2)&0x03ffffff)
		case v&0x9f000000 == 0x90000000:
			src := v>>29&3 | v>>3&0x1ffffc
			if (src+0x020000)&0x1c0000 != 0 {
				continue
			}
			dst := src - pc>>12
			v = v&0x9000001f | (dst&3)<<29 | (dst&0x3fffc)<<3 | (0-dst&0x020000)&0xe00000
			binary.LittleEndian.PutUint32(b[i:], v)
		}
	}
	return i
}
