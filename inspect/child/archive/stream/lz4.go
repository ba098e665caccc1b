package stream

import (
	"encoding/binary"
	"errors"
	"io"
)

var errLZ4 = errors.New("lz4: data is damaged")

// lz4 reads frames of the LZ4 frame format 1.6, and the legacy one. Sums are not
// compared: what unpacks is looked at.
type lz4 struct {
	in     io.Reader
	out    []byte // the last 64 kB that matches refer to, then what waits
	read   int
	legacy bool
	began  bool
	any    bool // a frame was there
	flags  byte
	err    error
}

func newLZ4(in io.Reader) *lz4 { return &lz4{in: in} }

// maxBlock is what a block may hold, packed or not: 4 MB in frames, 8 MB in the
// legacy format, whose packed blocks may be a little larger.
const maxBlock = 8<<20 + 64<<10

func (z *lz4) Read(p []byte) (int, error) {
	for z.read == len(z.out) && z.err == nil {
		z.err = z.block()
	}
	n := copy(p, z.out[z.read:])
	z.read += n
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, z.err
}

func (z *lz4) word() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(z.in, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// frame reads the next frame's header; skippable frames are passed over.
func (z *lz4) frame() error {
	for {
		magic, err := z.word()
		if err != nil {
			if z.any && err == io.EOF {
				return io.EOF
			}
			if z.any {
				return errMore
			}
			return io.ErrUnexpectedEOF
		}
		switch {
		case magic>>4 == 0x184d2a5:
			n, err := z.word()
			if err != nil {
				return io.ErrUnexpectedEOF
			}
			if _, err := io.CopyN(io.Discard, z.in, int64(n)); err != nil {
				return io.ErrUnexpectedEOF
			}
			z.any = true
		case magic == 0x184c2102:
			z.legacy, z.began, z.any = true, true, true
			return nil
		case magic == 0x184d2204:
			var h [2]byte
			if _, err := io.ReadFull(z.in, h[:]); err != nil || h[0]>>6 != 1 {
				return errLZ4
			}
			n := int64(1) // the header's sum
			if h[0]&8 != 0 {
				n += 8
			}
			if h[0]&1 != 0 {
				n += 4
			}
			if _, err := io.CopyN(io.Discard, z.in, n); err != nil {
				return io.ErrUnexpectedEOF
			}
			z.flags, z.legacy, z.began, z.any = h[0], false, true, true
			return nil
		default:
			if z.any {
				return errMore
			}
			return errLZ4
		}
	}
}

func (z *lz4) block() error {
	if !z.began {
		if err := z.frame(); err != nil {
			return err
		}
		z.out, z.read = z.out[:0], 0
	}
	n, err := z.word()
	if err != nil {
		if z.legacy && err == io.EOF {
			return io.EOF
		}
		return io.ErrUnexpectedEOF
	}
	raw := n>>31 == 1
	if !z.legacy {
		n &= 1<<31 - 1
		if n == 0 { // end mark
			z.began = false
			if z.flags&4 != 0 {
				_, err = z.word()
			}
			return err
		}
	}
	if n > maxBlock {
		return errLZ4
	}
	// It grows as it is read: the length is the file's word only.
	packed, err := io.ReadAll(io.LimitReader(z.in, int64(n)))
	if err != nil || len(packed) < int(n) {
		return io.ErrUnexpectedEOF
	}
	if keep := len(z.out) - 64<<10; keep > 0 {
		z.out = append(z.out[:0], z.out[keep:]...)
	}
	z.read = len(z.out)
	if raw && !z.legacy {
		z.out = append(z.out, packed...)
	} else if z.out, err = unpackLZ4(z.out, packed); err != nil {
		return err
	}
	if !z.legacy && z.flags&16 != 0 {
		_, err = z.word()
	}
	return err
}

// unpackLZ4 appends what a block holds.
func unpackLZ4(out, b []byte) ([]byte, error) {
	start := len(out)
	long := func(n int) int {
		if n != 15 {
			return n
		}
		for len(b) > 0 {
			c := b[0]
			b = b[1:]
			n += int(c)
			if c != 255 {
				break
			}
		}
		return n
	}
	for len(b) > 0 {
		token := b[0]
		b = b[1:]
		n := long(int(token >> 4))
		if n > len(b) {
			return out, errLZ4
		}
		out = append(out, b[:n]...)
		b = b[n:]
		if len(b) == 0 {
			return out, nil // the last sequence has no match
		}
		if len(b) < 2 {
			return out, errLZ4
		}
		d := int(binary.LittleEndian.Uint16(b))
		b = b[2:]
		n = long(int(token&15)) + 4
		if d == 0 || d > len(out) || len(out)-start+n > maxBlock {
			return out, errLZ4
		}
		for range n {
			out = append(out, out[len(out)-d])
		}
	}
	return out, nil
}
