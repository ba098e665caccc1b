// Package cab opens Cabinet files (MS-CAB): stored and MSZIP folders are unpacked,
// Quantum and LZX ones listed.
package cab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder opens cabinets.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "cab".
func (Decoder) Name() string { return "cab" }

// Types is cab alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.Cab} }

// folder is a row of blocks that are packed as one.
type folder struct {
	at     uint32
	blocks int
	method uint16
}

// file is an entry.
type file struct {
	name   string
	size   uint32
	at     uint32 // in the unpacked folder
	folder uint16
}

// methodNames by the low bits of a folder's type.
var methodNames = [4]string{"store", "mszip", "quantum", "lzx"}

// header is what stands in front of the files.
type header struct {
	folders []folder
	files   []byte
	count   int
	reserve int // bytes in front of each block's data
	split   bool
}

// Open lists, and unpacks what it can.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if bytes.HasPrefix(b, []byte("ISc(")) {
		w.Fact(inspect.Unsupported, "cab: InstallShield")
		return nil
	}
	h, err := parse(b)
	if err != nil {
		return err
	}
	if size := binary.LittleEndian.Uint32(b[8:]); uint64(size) < uint64(len(b)) {
		w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", uint64(len(b))-uint64(size)))
	}
	if h.split {
		w.Fact(inspect.SplitVolume, "one of several cabinets")
	}
	var open *block
	last := -1
	rest := h.files
	for range h.count {
		f, n, ok := nextFile(rest)
		if !ok {
			return errors.New("the list of files is cut short")
		}
		rest = rest[n:]
		e := child.Entry{Name: f.name, Size: int64(f.size), Method: "store"}
		if int(f.folder) >= len(h.folders) {
			// 0xfffd and up: the file continues in another cabinet.
			i, err := w.Emit(e)
			if err != nil {
				return err
			}
			w.FactOf(i, inspect.SplitVolume, "continues in another cabinet")
			continue
		}
		fo := &h.folders[f.folder]
		e.Method = methodNames[fo.method&3]
		if fo.method&15 > 1 {
			i, err := w.Emit(e)
			if err != nil {
				return err
			}
			w.FactOf(i, inspect.Unsupported, "cab: "+e.Method)
			continue
		}
		// Files of a folder stand in a row; one that goes back starts it anew.
		if open == nil || last != int(f.folder) || uint64(f.at) < open.given {
			open = &block{b: b, at: int64(fo.at), left: fo.blocks, reserve: h.reserve, method: fo.method & 15}
			last = int(f.folder)
		}
		if skip := uint64(f.at) - open.given; skip > 0 {
			if _, err := io.CopyN(io.Discard, w.Reader(open), int64(skip)); errors.Is(err, child.ErrBudget) {
				return err
			}
		}
		e.Body = exactly(open, int64(f.size))
		if _, err := w.Emit(e); err != nil {
			return err
		}
	}
	return nil
}

// exactly reads n bytes, and says so where there are fewer.
func exactly(r io.Reader, n int64) io.Reader { return &exact{r, n} }

type exact struct {
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// parse reads the header and the folders. MS-CAB 2.1, 2.2
func parse(b []byte) (header, error) {
	var h header
	if len(b) < 36 || string(b[:4]) != "MSCF" {
		return h, errors.New("no header")
	}
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
	files := int64(binary.LittleEndian.Uint32(b[16:]))
	folders, flags := u16(26), u16(30)
	h.count = u16(28)
	at := 36
	perFolder := 0
	if flags&4 != 0 {
		if len(b) < 40 {
			return h, io.ErrUnexpectedEOF
		}
		perFolder, h.reserve = int(b[38]), int(b[39])
		at = 40 + u16(36)
	}
	h.split = flags&3 != 0
	for range (flags&1 + flags>>1&1) * 2 { // names of the cabinets around it
		if at > len(b) {
			return h, io.ErrUnexpectedEOF
		}
		n := bytes.IndexByte(b[at:min(at+256, len(b))], 0)
		if n < 0 {
			return h, errors.New("a name has no end")
		}
		at += n + 1
	}
	for range folders {
		if at+8 > len(b) {
			return h, errors.New("the list of folders is cut short")
		}
		h.folders = append(h.folders, folder{binary.LittleEndian.Uint32(b[at:]), u16(at + 4), binary.LittleEndian.Uint16(b[at+6:])})
		at += 8 + perFolder
	}
	if files > int64(len(b)) {
		return h, errors.New("the list of files lies behind the end")
	}
	h.files = b[files:]
	return h, nil
}

// nextFile reads an entry of the list. MS-CAB 2.3
func nextFile(b []byte) (f file, n int, ok bool) {
	if len(b) < 17 {
		return f, 0, false
	}
	end := bytes.IndexByte(b[16:min(16+257, len(b))], 0)
	if end < 0 {
		return f, 0, false
	}
	return file{name: string(b[16 : 16+end]), size: binary.LittleEndian.Uint32(b), at: binary.LittleEndian.Uint32(b[4:]),
		folder: binary.LittleEndian.Uint16(b[8:])}, 16 + end + 1, true
}

// block reads a folder: block after block, each of at most 32 kB unpacked.
type block struct {
	b       []byte
	at      int64
	left    int
	reserve int
	method  uint16
	out     []byte
	wait    []byte
	given   uint64
	err     error
}

const maxBlock = 32 << 10

func (r *block) Read(p []byte) (int, error) {
	for len(r.wait) == 0 && r.err == nil {
		r.err = r.next()
	}
	if len(r.wait) == 0 {
		return 0, r.err
	}
	n := copy(p, r.wait)
	r.wait = r.wait[n:]
	r.given += uint64(n)
	return n, nil
}

func (r *block) next() error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	if r.at < 0 || r.at+8 > int64(len(r.b)) {
		return io.ErrUnexpectedEOF
	}
	packed, size := int64(binary.LittleEndian.Uint16(r.b[r.at+4:])), int(binary.LittleEndian.Uint16(r.b[r.at+6:]))
	from := r.at + 8 + int64(r.reserve)
	if from+packed > int64(len(r.b)) {
		return io.ErrUnexpectedEOF
	}
	data := r.b[from : from+packed]
	r.at = from + packed
	if r.method == 0 {
		r.wait = data
		return nil
	}
	if len(data) < 2 || string(data[:2]) != "CK" {
		return errors.New("cab: no MSZIP block")
	}
	if size > maxBlock {
		return errors.New("cab: a block of more than 32 kB")
	}
	// The history of one block is the dictionary of the next. MS-MCI 2.1
	z := flate.NewReaderDict(bytes.NewReader(data[2:]), r.out)
	out, err := io.ReadAll(io.LimitReader(z, maxBlock+1))
	if err == nil && len(out) > maxBlock {
		err = errors.New("cab: a block of more than 32 kB")
	}
	r.out = append(r.out, out...)
	if over := len(r.out) - maxBlock; over > 0 {
		r.out = append(r.out[:0:0], r.out[over:]...)
	}
	r.wait = out
	return err
}
