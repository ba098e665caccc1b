package sevenzip

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
)

var errHeader = errors.New("header is damaged")

// Ids of the parts of a header.
const (
	idEnd           = 0
	idHeader        = 1
	idArchive       = 2
	idAdditional    = 3
	idMainStreams   = 4
	idFiles         = 5
	idPackInfo      = 6
	idUnpackInfo    = 7
	idSubStreams    = 8
	idSize          = 9
	idCRC           = 10
	idFolder        = 11
	idCodersSize    = 12
	idNumUnpack     = 13
	idEmptyStream   = 14
	idEmptyFile     = 15
	idAnti          = 16
	idNames         = 17
	idAttributes    = 21
	idEncodedHeader = 23
)

// Bounds. Counts are compared with them, and with what the header's bytes allow.
const (
	maxCoders  = 32
	maxStreams = 32
	maxFolders = 100_000
)

// coder is one step of a folder's packing.
type coder struct {
	id      uint64
	in, out int
	props   []byte
}

// folder is a solid block: coders that feed each other.
type folder struct {
	coders   []coder
	in, out  int
	binds    [][2]int // input from output
	packed   []int    // inputs that come from the file
	sizes    []uint64 // of each output
	crc      uint32
	hasCRC   bool
	files    int // streams of files in it
	packedAt int // index of its first packed stream
}

// streams is what a header says about packed data.
type streams struct {
	packPos  uint64
	packSize []uint64
	folders  []folder
	sizes    []uint64 // of files, folder after folder
	crcs     []uint32
	hasCRC   []bool
}

// file is one entry.
type file struct {
	name      string
	hasStream bool
	emptyFile bool
	attr      uint32
	size      uint64
	crc       uint32
	hasCRC    bool
}

// reader takes a header apart. The first error stands.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errHeader
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// number reads the variable form: the ones at the top of the first byte count the
// bytes that follow.
func (r *reader) number() uint64 {
	first := r.byte()
	var v uint64
	mask := byte(0x80)
	for i := range 8 {
		if first&mask == 0 {
			return v | uint64(first&(mask-1))<<(8*i)
		}
		v |= uint64(r.byte()) << (8 * i)
		mask >>= 1
	}
	return v
}

// count reads a number of things that take at least one bit each of what follows,
// or that are bounded by max.
func (r *reader) count(max int) int {
	n := r.number()
	if n > uint64(max) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) bits(n int) []bool {
	if n > len(r.b)*8 {
		r.fail()
		return nil
	}
	out := make([]bool, n)
	var c byte
	for i := range n {
		if i%8 == 0 {
			c = r.byte()
		}
		out[i] = c>>(7-i%8)&1 == 1
	}
	return out
}

// defined reads a list of flags, or that all are set.
func (r *reader) defined(n int) []bool {
	if r.byte() == 0 {
		return r.bits(n)
	}
	if n > maxEntries {
		r.fail()
		return nil
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = true
	}
	return out
}

func (r *reader) digests(n int) (crcs []uint32, has []bool) {
	has = r.defined(n)
	crcs = make([]uint32, len(has))
	for i, ok := range has {
		if ok {
			crcs[i] = r.uint32()
		}
	}
	return crcs, has
}

// streams reads StreamsInfo.
func (r *reader) streams() streams {
	var s streams
	for r.err == nil {
		switch r.number() {
		case idEnd:
			if s.sizes == nil {
				s.plain()
			}
			return s
		case idPackInfo:
			r.packInfo(&s)
		case idUnpackInfo:
			r.unpackInfo(&s)
		case idSubStreams:
			r.subStreams(&s)
		default:
			r.fail()
		}
	}
	return s
}

// plain sets one file for each folder.
func (s *streams) plain() {
	for i := range s.folders {
		f := &s.folders[i]
		f.files = 1
		s.sizes = append(s.sizes, f.size())
		s.crcs = append(s.crcs, f.crc)
		s.hasCRC = append(s.hasCRC, f.hasCRC)
	}
}

func (r *reader) packInfo(s *streams) {
	s.packPos = r.number()
	n := r.count(len(r.b))
	for r.err == nil {
		switch r.number() {
		case idEnd:
			return
		case idSize:
			for range n {
				s.packSize = append(s.packSize, r.number())
				if r.err != nil {
					return
				}
			}
		case idCRC:
			r.digests(n)
		default:
			r.fail()
		}
	}
}

func (r *reader) unpackInfo(s *streams) {
	if r.number() != idFolder {
		r.fail()
	}
	n := r.count(min(maxFolders, len(r.b)))
	if r.byte() != 0 { // folders elsewhere
		r.fail()
	}
	at := 0
	for range n {
		f := r.folder()
		if r.err != nil {
			return
		}
		f.packedAt = at
		at += len(f.packed)
		s.folders = append(s.folders, f)
	}
	if r.number() != idCodersSize {
		r.fail()
	}
	for i := range s.folders {
		f := &s.folders[i]
		for range f.out {
			f.sizes = append(f.sizes, r.number())
		}
		if r.err != nil {
			return
		}
	}
	for r.err == nil {
		switch r.number() {
		case idEnd:
			return
		case idCRC:
			crcs, has := r.digests(n)
			for i := range has {
				s.folders[i].crc, s.folders[i].hasCRC = crcs[i], has[i]
			}
		default:
			r.fail()
		}
	}
}

func (r *reader) folder() folder {
	var f folder
	n := r.count(maxCoders)
	for range n {
		flags := r.byte()
		c := coder{in: 1, out: 1}
		for _, b := range r.bytes(uint64(flags & 15)) {
			c.id = c.id<<8 | uint64(b)
		}
		if flags&0x10 != 0 {
			c.in, c.out = r.count(maxStreams), r.count(maxStreams)
		}
		if flags&0x20 != 0 {
			c.props = r.bytes(r.number())
		}
		if flags&0x80 != 0 {
			r.fail()
		}
		f.in += c.in
		f.out += c.out
		f.coders = append(f.coders, c)
	}
	if r.err != nil || f.out == 0 || f.in > maxStreams || f.out > maxStreams || f.in < f.out-1 {
		r.fail()
		return f
	}
	for range f.out - 1 {
		in, out := r.count(f.in-1), r.count(f.out-1)
		f.binds = append(f.binds, [2]int{in, out})
	}
	packed := f.in - len(f.binds)
	if packed == 1 {
		for i := range f.in {
			if f.bind(i) < 0 {
				f.packed = append(f.packed, i)
			}
		}
		if len(f.packed) != 1 {
			r.fail()
		}
		return f
	}
	for range packed {
		f.packed = append(f.packed, r.count(f.in-1))
	}
	return f
}

// bind returns the output that feeds an input, or -1.
func (f *folder) bind(in int) int {
	for _, b := range f.binds {
		if b[0] == in {
			return b[1]
		}
	}
	return -1
}

// main is the output that nothing takes: the folder's content; -1 where there is none.
func (f *folder) main() int {
	for out := range f.out {
		used := false
		for _, b := range f.binds {
			used = used || b[1] == out
		}
		if !used {
			return out
		}
	}
	return -1
}

func (f *folder) size() uint64 {
	if m := f.main(); m >= 0 && m < len(f.sizes) {
		return f.sizes[m]
	}
	return 0
}

// maxEntries bounds the files of an archive, with room over what a budget allows.
const maxEntries = 1 << 20

func (r *reader) subStreams(s *streams) {
	id := r.number()
	for i := range s.folders {
		s.folders[i].files = 1
	}
	if id == idNumUnpack {
		total := 0
		for i := range s.folders {
			s.folders[i].files = r.count(maxEntries)
			if total += s.folders[i].files; total > maxEntries {
				r.fail()
				return
			}
		}
		id = r.number()
	}
	s.sizes = []uint64{}
	for i := range s.folders {
		f := &s.folders[i]
		left := f.size()
		for k := range f.files {
			v := left
			if k < f.files-1 {
				if id != idSize { // their sizes are missing
					r.fail()
					return
				}
				if v = r.number(); v > left {
					r.fail()
					return
				}
			}
			left -= v
			s.sizes = append(s.sizes, v)
			if r.err != nil {
				return
			}
		}
	}
	if id == idSize {
		id = r.number()
	}
	s.crcs, s.hasCRC = make([]uint32, len(s.sizes)), make([]bool, len(s.sizes))
	unknown := s.digestSlots()
	for r.err == nil && id != idEnd {
		if id != idCRC {
			r.fail()
			return
		}
		crcs, has := r.digests(len(unknown))
		for i := range has {
			s.crcs[unknown[i]], s.hasCRC[unknown[i]] = crcs[i], has[i]
		}
		id = r.number()
	}
}

// digestSlots lists the files whose sums stand in their own list: all but those
// that are alone in a folder which has one.
func (s *streams) digestSlots() []int {
	var out []int
	at := 0
	for _, f := range s.folders {
		if f.files == 1 && f.hasCRC {
			s.crcs[at], s.hasCRC[at] = f.crc, true
			at++
			continue
		}
		for range f.files {
			out = append(out, at)
			at++
		}
	}
	return out
}

// header reads the main header.
func (r *reader) header() (s streams, files []file) {
	for r.err == nil {
		switch r.number() {
		case idEnd:
			return s, files
		case idArchive:
			for id := r.number(); id != idEnd && r.err == nil; id = r.number() {
				r.bytes(r.number())
			}
		case idAdditional:
			r.streams()
		case idMainStreams:
			s = r.streams()
		case idFiles:
			files = r.files(&s)
		default:
			r.fail()
		}
	}
	return s, files
}

func (r *reader) files(s *streams) []file {
	// Each has at least the end of its name, two bytes, in what follows; headers
	// without names are of no use to anybody.
	files := make([]file, r.count(min(maxEntries, len(r.b)/2)))
	var empty, emptyFile []bool
	for r.err == nil {
		id := r.number()
		if id == idEnd {
			break
		}
		p := &reader{b: r.bytes(r.number())}
		switch id {
		case idEmptyStream:
			empty = p.bits(len(files))
		case idEmptyFile:
			n := 0
			for _, e := range empty {
				if e {
					n++
				}
			}
			emptyFile = p.bits(n)
		case idNames:
			if p.byte() != 0 {
				r.fail()
			}
			for i := range files {
				files[i].name = p.name()
			}
		case idAttributes:
			has := p.defined(len(files))
			p.byte()
			for i := range has {
				if has[i] {
					files[i].attr = p.uint32()
				}
			}
		}
		if p.err != nil {
			r.fail()
		}
	}
	at, blank := 0, 0
	for i := range files {
		f := &files[i]
		if i < len(empty) && empty[i] {
			f.emptyFile = blank < len(emptyFile) && emptyFile[blank]
			blank++
			continue
		}
		f.hasStream = true
		if at >= len(s.sizes) {
			r.fail()
			break
		}
		f.size, f.crc, f.hasCRC = s.sizes[at], s.crcs[at], s.hasCRC[at]
		at++
	}
	return files
}

// name reads UTF-16 up to a zero.
func (r *reader) name() string {
	var u []uint16
	for len(r.b) >= 2 {
		c := binary.LittleEndian.Uint16(r.b)
		r.b = r.b[2:]
		if c == 0 {
			return string(utf16.Decode(u))
		}
		if len(u) < 4096 {
			u = append(u, c)
		}
	}
	r.fail()
	return ""
}
