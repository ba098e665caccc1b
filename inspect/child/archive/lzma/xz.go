package lzma

import (
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

var errXZ = errors.New("xz: header is damaged")

// XZ decodes .xz files: all blocks of all streams in them.
type XZ struct {
	in    *source
	block io.Reader // of the open block, behind its filters
	z     *Reader2
	check byte
	sum   hash.Hash
	began bool
	blank bool  // at least one stream ended
	start int64 // of the open block, to find its padding
	err   error
}

// NewXZ reads the file from its start.
func NewXZ(r io.Reader) *XZ { return &XZ{in: newSource(r)} }

// Consumed is how much of the input was used.
func (x *XZ) Consumed() int64 { return x.in.consumed + int64(x.in.pos) }

// Read implements io.Reader.
func (x *XZ) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.block == nil {
			x.err = x.open()
			continue
		}
		n, err := x.block.Read(p)
		if x.sum != nil {
			x.sum.Write(p[:n])
		}
		if err == io.EOF {
			err = x.close()
		}
		x.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

func (x *XZ) bytes(b []byte) error {
	for i := range b {
		b[i] = x.in.next()
	}
	return x.in.err
}

// open reads up to the next block: stream headers, indexes and footers are behind
// it then. The end of the file is where no further stream begins.
func (x *XZ) open() error {
	if !x.began {
		var h [12]byte
		if err := x.bytes(h[:]); err != nil {
			if x.blank {
				return io.EOF // zeros may fill up the end
			}
			return err
		}
		for x.blank && string(h[:4]) == "\x00\x00\x00\x00" {
			copy(h[:], h[4:])
			if x.bytes(h[8:]) != nil {
				return io.EOF
			}
		}
		if string(h[:6]) != "\xfd7zXZ\x00" {
			if x.blank {
				return ErrTrailing
			}
			return errXZ
		}
		x.check = h[7] & 15
		x.began = true
	}
	size := x.in.next()
	if x.in.err != nil {
		return x.in.err
	}
	if size == 0 {
		return x.index()
	}
	return x.header(size)
}

// ErrTrailing is the error of [XZ] where something else stands behind the last stream.
var ErrTrailing = errors.New("xz: other data behind the end")

func (x *XZ) header(size byte) error {
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if err := x.bytes(h[1:]); err != nil {
		return err
	}
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(h[len(h)-4:]) {
		return errXZ
	}
	flags := body[1]
	rest := body[2:]
	for _, f := range []byte{0x40, 0x80} {
		if flags&f != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return errXZ
			}
			rest = rest[n:]
		}
	}
	type filter struct {
		id    uint64
		props []byte
	}
	var filters []filter
	for range int(flags&3) + 1 {
		id, n := binary.Uvarint(rest)
		if n <= 0 {
			return errXZ
		}
		size, m := binary.Uvarint(rest[n:])
		if m <= 0 || size > uint64(len(rest)-n-m) {
			return errXZ
		}
		filters = append(filters, filter{id, rest[n+m : n+m+int(size)]})
		rest = rest[n+m+int(size):]
	}
	last := filters[len(filters)-1]
	if last.id != 0x21 || len(last.props) != 1 {
		return errXZ
	}
	// The block shares the source, so that what follows it is at hand.
	x.z = &Reader2{in: x.in, w: &window{keep: int(min(max(DictSize(last.props[0]), 1<<12), MaxDict))}}
	x.z.d.in, x.z.d.w = x.in, x.z.w
	x.z.end = 0
	x.block = x.z
	for i := len(filters) - 2; i >= 0; i-- {
		r, err := Filter(filters[i].id, filters[i].props, x.block)
		if err != nil {
			return err
		}
		x.block = r
	}
	switch x.check {
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	default:
		x.sum = nil
	}
	x.start = x.Consumed()
	return nil
}

// checkSizes are the lengths of the sums behind a block, by their id.
var checkSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// close reads the padding and the sum of the block that ended.
func (x *XZ) close() error {
	for (x.Consumed()-x.start)%4 != 0 && x.in.err == nil {
		x.in.next()
	}
	sum := make([]byte, checkSizes[x.check])
	if err := x.bytes(sum); err != nil {
		return err
	}
	x.block, x.z = nil, nil
	if x.sum == nil {
		return nil
	}
	want := x.sum.Sum(nil) // big endian, the file is little
	for i := range want {
		if want[i] != sum[len(sum)-1-i] {
			return errors.New("xz: checksum is wrong")
		}
	}
	return nil
}

// index skips the list of blocks and the footer of a stream.
func (x *XZ) index() error {
	from := x.Consumed() - 1
	count := x.uvarint()
	for i := uint64(0); i < 2*count && x.in.err == nil; i++ {
		x.uvarint()
	}
	for (x.Consumed()-from)%4 != 0 && x.in.err == nil {
		x.in.next()
	}
	var foot [16]byte
	if err := x.bytes(foot[:]); err != nil {
		return err
	}
	if string(foot[14:]) != "YZ" {
		return errXZ
	}
	x.began, x.blank = false, true
	return nil
}

func (x *XZ) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 63; shift += 7 {
		c := x.in.next()
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	return v
}
