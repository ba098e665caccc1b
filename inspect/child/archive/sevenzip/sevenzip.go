// Package sevenzip opens 7z archives. It reads the format itself: the library that
// does has no bound on the memory a header asks for.
package sevenzip

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/lzma"
	"sluice/inspect/child/archive/zip"
)

// Magic begins every archive.
const Magic = "7z\xbc\xaf\x27\x1c"

// Decoder opens archives of this format.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "7z".
func (Decoder) Name() string { return "7z" }

// Types is 7z alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.SevenZip} }

// archive is one file at work.
type archive struct {
	w      *child.Work
	b      []byte
	good   []string // passwords that worked
	cached map[string][]byte
	rounds uint64 // spent on keys
	locked bool
}

// maxHeader bounds the header when it is unpacked.
const maxHeader = 16 << 20

// Open lists and unpacks.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if len(b) < 32 || string(b[:6]) != Magic {
		return errors.New("no start header")
	}
	a := &archive{w: w, b: b, cached: map[string][]byte{}}
	off, size := binary.LittleEndian.Uint64(b[12:]), binary.LittleEndian.Uint64(b[20:])
	if size == 0 {
		return nil // an empty archive
	}
	if off > uint64(len(b)) || size > uint64(len(b)) || 32+off+size > uint64(len(b)) {
		return errors.New("the header lies behind the end of the file")
	}
	raw := b[32+off : 32+off+size]
	if end := 32 + off + size; end < uint64(len(b)) {
		w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", uint64(len(b))-end))
	}
	if crc32.ChecksumIEEE(raw) != binary.LittleEndian.Uint32(b[28:]) {
		w.Fact(inspect.Damaged, "7z: checksum of the header is wrong")
	}
	defer func() {
		if a.locked {
			w.Mark(inspect.Encrypted)
		}
	}()
	for range 4 { // a header may be packed, and that one too
		r := &reader{b: raw}
		switch r.number() {
		case idHeader:
			s, files := r.header()
			if err := a.emit(&s, files); err != nil {
				return err
			}
			return r.err
		case idEncodedHeader:
			s := r.streams()
			if r.err != nil || len(s.folders) != 1 {
				return errHeader
			}
			var err error
			if raw, err = a.packedHeader(&s); raw == nil {
				return err
			}
		default:
			return errHeader
		}
	}
	return errHeader
}

// packedHeader unpacks a header. It is nil without an error where it is locked.
func (a *archive) packedHeader(s *streams) ([]byte, error) {
	f := &s.folders[0]
	try := func(password string) ([]byte, error) {
		r, err := a.folder(s, f, password)
		if err != nil {
			return nil, err
		}
		out, err := a.w.ReadAll(io.LimitReader(r, int64(min(f.size(), maxHeader))), maxHeader)
		if err != nil {
			return nil, err
		}
		if f.hasCRC && crc32.ChecksumIEEE(out) != f.crc {
			return nil, errors.New("checksum of the header is wrong")
		}
		return out, nil
	}
	if !f.encrypted() {
		return try("")
	}
	a.locked = true
	for _, p := range a.w.Passwords() {
		out, err := try(p)
		if errors.Is(err, child.ErrBudget) {
			return nil, err
		}
		if err == nil {
			a.works(p)
			return out, nil
		}
	}
	// Not even the names can be read.
	_, err := a.w.Emit(child.Entry{Name: "", Encrypted: true, Method: "aes-256", Size: -1})
	return nil, err
}

func (a *archive) works(p string) {
	if !slices.Contains(a.good, p) {
		a.good = append(a.good, p)
	}
	a.w.Fact(inspect.PasswordWorked, p)
}

// emit goes through the folders, which are solid, and lists what has no content.
func (a *archive) emit(s *streams, files []file) error {
	at := 0
	next := func() *file { // the next one with a stream
		for ; at < len(files); at++ {
			if files[at].hasStream {
				at++
				return &files[at-1]
			}
		}
		return nil
	}
	for i := range files {
		if f := &files[i]; !f.hasStream && f.emptyFile {
			if _, err := a.w.Emit(child.Entry{Name: f.name, Size: 0, Bytes: []byte{}}); err != nil {
				return err
			}
		}
	}
	for i := range s.folders {
		fo := &s.folders[i]
		var in []*file
		for range fo.files {
			f := next()
			if f == nil {
				break
			}
			in = append(in, f)
		}
		if len(in) == 0 {
			continue
		}
		if err := a.solid(s, fo, in); err != nil {
			return err
		}
	}
	return nil
}

// solid unpacks the files of one folder in a row.
func (a *archive) solid(s *streams, fo *folder, files []*file) error {
	r, err := a.open(s, fo, files[0])
	if err != nil {
		if errors.Is(err, child.ErrBudget) {
			return err
		}
		kind := inspect.Damaged
		switch {
		case errors.Is(err, errMethod):
			kind = inspect.Unsupported
		case errors.Is(err, errLocked):
			a.locked = true
		}
		for _, f := range files {
			i, eerr := a.w.Emit(child.Entry{Name: f.name, Method: fo.name(), Size: int64(min(f.size, 1<<62)), Encrypted: fo.encrypted()})
			if eerr != nil {
				return eerr
			}
			if kind == inspect.Unsupported {
				a.w.FactOf(i, kind, "7z: "+err.Error())
			}
		}
		if kind == inspect.Damaged && !errors.Is(err, errLocked) {
			a.w.Fact(kind, "7z: "+err.Error())
		}
		return nil
	}
	for _, f := range files {
		e := child.Entry{Name: f.name, Method: fo.name(), Size: int64(min(f.size, 1<<62)), Encrypted: fo.encrypted()}
		c := &checked{r: r, left: f.size, want: f.crc, known: f.hasCRC}
		e.Body = c
		if f.size == 0 {
			e.Body, e.Bytes = nil, []byte{}
		}
		i, err := a.w.Emit(e)
		if err != nil {
			return err
		}
		if f.attr>>28 == 0xa && f.attr&0x8000 != 0 {
			a.w.FactOf(i, inspect.LinkEntry, f.name)
		}
		if c.left > 0 && c.err == nil { // a file larger than is read: on to the next one
			if _, err := io.Copy(io.Discard, a.w.Reader(c)); errors.Is(err, child.ErrBudget) {
				return err
			}
		}
	}
	return nil
}

// checked is one file of a solid block.
type checked struct {
	r     io.Reader
	left  uint64
	sum   uint32
	want  uint32
	known bool
	err   error
}

func (c *checked) Read(p []byte) (int, error) {
	if c.left == 0 {
		if c.known && c.sum != c.want {
			c.err = errors.New("7z: checksum is wrong")
			return 0, c.err
		}
		return 0, io.EOF
	}
	n, err := c.r.Read(p[:min(uint64(len(p)), c.left)])
	c.left -= uint64(n)
	c.sum = crc32.Update(c.sum, crc32.IEEETable, p[:n])
	if err == io.EOF {
		err = nil
		if c.left > 0 && n == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	c.err = err
	return n, err
}

var errLocked = errors.New("no password fits")

// open returns what a folder holds. For an encrypted one it tries passwords on the
// first file.
func (a *archive) open(s *streams, fo *folder, first *file) (io.Reader, error) {
	if !fo.encrypted() {
		return a.folder(s, fo, "")
	}
	a.locked = true
	for _, p := range append(slices.Clone(a.good), a.w.Passwords()...) {
		if err := a.w.Err(); err != nil {
			return nil, err
		}
		r, err := a.folder(s, fo, p)
		if errors.Is(err, errMethod) {
			return nil, err
		}
		if err != nil {
			continue
		}
		c := &checked{r: r, left: first.size, want: first.crc, known: first.hasCRC}
		n, err := io.Copy(io.Discard, a.w.Reader(io.LimitReader(c, a.w.Budget().File)))
		if errors.Is(err, child.ErrBudget) {
			return nil, err
		}
		if err == nil && (first.hasCRC || uint64(n) == first.size) {
			a.works(p)
			return a.folder(s, fo, p)
		}
	}
	return nil, errLocked
}

// Methods by their ids.
const (
	mCopy    = 0
	mDelta   = 3
	mX86     = 4
	mPPC     = 5
	mARM     = 7
	mARMT    = 8
	mSPARC   = 9
	mARM64   = 10
	mLZMA2   = 0x21
	mLZMA    = 0x030101
	mPPMd    = 0x030401
	mBCJ     = 0x03030103
	mBCJ2    = 0x0303011b
	mDeflate = 0x040108
	mDef64   = 0x040109
	mBzip2   = 0x040202
	mZstd    = 0x04f71101
	mAES     = 0x06f10701
)

var methodNames = map[uint64]string{mCopy: "store", mLZMA: "lzma", mLZMA2: "lzma2", mPPMd: "ppmd", mDeflate: "deflate", mDef64: "deflate64", mBzip2: "bzip2", mZstd: "zstd", mAES: "aes-256"}

// name is the method that packs.
func (f *folder) name() string {
	name := ""
	for _, c := range f.coders {
		n, ok := methodNames[c.id]
		if !ok {
			continue
		}
		if name != "" {
			name = n + " " + name
		} else {
			name = n
		}
	}
	return name
}

func (f *folder) encrypted() bool {
	return slices.ContainsFunc(f.coders, func(c coder) bool { return c.id == mAES })
}

var errMethod = errors.New("method isn't unpacked here")

// folder builds the chain of readers.
func (a *archive) folder(s *streams, f *folder, password string) (io.Reader, error) {
	m := f.main()
	if m < 0 {
		return nil, errHeader
	}
	return a.output(s, f, m, password, 0)
}

// output is what one output of a folder yields. Coders feed each other without a
// circle, which the depth makes sure.
func (a *archive) output(s *streams, f *folder, out int, password string, depth int) (io.Reader, error) {
	if depth > maxCoders {
		return nil, errHeader
	}
	in := 0
	at := out
	for i := range f.coders {
		c := &f.coders[i]
		if at >= c.out {
			at -= c.out
			in += c.in
			continue
		}
		if c.out != 1 || c.in != 1 && c.id != mBCJ2 || c.id == mBCJ2 && c.in != 4 {
			return nil, errMethod
		}
		var ins []io.Reader
		for k := range c.in {
			r, err := a.input(s, f, in+k, password, depth)
			if err != nil {
				return nil, err
			}
			ins = append(ins, r)
		}
		return a.coder(c, ins, f.sizes[out], password)
	}
	return nil, errHeader
}

func (a *archive) input(s *streams, f *folder, in int, password string, depth int) (io.Reader, error) {
	if out := f.bind(in); out >= 0 {
		return a.output(s, f, out, password, depth+1)
	}
	i := slices.Index(f.packed, in)
	if i < 0 || f.packedAt+i >= len(s.packSize) {
		return nil, errHeader
	}
	i += f.packedAt
	at := 32 + s.packPos
	for _, n := range s.packSize[:i] {
		at += n
	}
	if at > uint64(len(a.b)) || s.packPos > uint64(len(a.b)) {
		return nil, errors.New("packed data lie behind the end of the file")
	}
	return bytes.NewReader(a.b[at:min(at+min(s.packSize[i], uint64(len(a.b))), uint64(len(a.b)))]), nil
}

func (a *archive) coder(c *coder, in []io.Reader, size uint64, password string) (io.Reader, error) {
	known := int64(min(size, 1<<62))
	switch c.id {
	case mCopy:
		return in[0], nil
	case mLZMA:
		if len(c.props) < 5 {
			return nil, errHeader
		}
		return lzma.NewReader(in[0], c.props[0], binary.LittleEndian.Uint32(c.props[1:]), known)
	case mLZMA2:
		if len(c.props) < 1 {
			return nil, errHeader
		}
		return io.LimitReader(lzma.NewReader2(in[0], lzma.DictSize(c.props[0])), known), nil
	case mDeflate:
		return io.LimitReader(flate.NewReader(in[0]), known), nil
	case mDef64:
		return io.LimitReader(zip.NewDeflate64(bufio.NewReader(in[0])), known), nil
	case mBzip2:
		return io.LimitReader(bzip2.NewReader(in[0]), known), nil
	case mZstd:
		d, err := zstd.NewReader(in[0], zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return nil, err
		}
		return io.LimitReader(d, known), nil
	case mAES:
		r, err := a.decrypt(in[0], c.props, password)
		if err != nil {
			return nil, err
		}
		return io.LimitReader(r, known), nil
	case mBCJ2:
		return newBCJ2(in, known), nil
	case mBCJ, mX86:
		return lzma.Filter(lzma.X86, nil, in[0])
	case mDelta:
		return lzma.Filter(lzma.Delta, c.props, in[0])
	case mPPC, 0x03030205:
		return lzma.Filter(lzma.PPC, nil, in[0])
	case mARM, 0x03030501:
		return lzma.Filter(lzma.ARM, nil, in[0])
	case mARMT, 0x03030701:
		return lzma.Filter(lzma.ARMT, nil, in[0])
	case mSPARC, 0x03030805:
		return lzma.Filter(lzma.SPARC, nil, in[0])
	case mARM64:
		return lzma.Filter(lzma.ARM64, nil, in[0])
	}
	return nil, errMethod
}
