package zip

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
)

// entry is one file as a header describes it.
type entry struct {
	name    []byte
	flags   uint16
	method  uint16
	dos     uint32 // time and date
	crc     uint32
	packed  uint64
	size    uint64
	local   int64 // of the local header
	data    int64 // of the packed bytes
	extra   []byte
	links   bool // a symbolic link of Unix
	central bool // it stands in the directory
}

func (e *entry) encrypted() bool { return e.flags&1 != 0 }
func (e *entry) later() bool     { return e.flags&8 != 0 } // sizes follow the data
func (e *entry) folder() bool {
	return len(e.name) > 0 && (e.name[len(e.name)-1] == '/' || e.name[len(e.name)-1] == '\\') && e.size == 0
}

const (
	endLen     = 22
	endSearch  = 65535 + endLen // APPNOTE 4.3.16: the comment has at most 65,535 bytes
	centralLen = 46
	localLen   = 30
)

// listing is both readings of an archive.
type listing struct {
	entries []entry // those of the directory, then those that only local headers show
	end     int64   // behind the end record and its comment; 0 where there is none
	shift   int64   // bytes in front of the archive
	cut     bool    // more than were asked for
	broken  string  // what is wrong with the directory
}

// AtEnd says whether an end record stands where unpackers look for it.
func AtEnd(b []byte) bool {
	end, _ := findEnd(b)
	return end >= 0
}

// findEnd looks for the end record from the back, and prefers one whose comment
// ends with the file. behind is the end of its comment.
func findEnd(b []byte) (end, behind int64) {
	from := max(0, len(b)-endSearch)
	tail := b[from:]
	first := int64(-1)
	for hi := len(tail); ; {
		at := bytes.LastIndex(tail[:hi], []byte("PK\x05\x06"))
		if at < 0 {
			break
		}
		hi = at
		if len(tail)-at < endLen {
			continue
		}
		next := at + endLen + int(binary.LittleEndian.Uint16(tail[at+20:]))
		if next == len(tail) {
			return int64(from + at), int64(from + next)
		}
		if first < 0 && next < len(tail) {
			first, behind = int64(from+at), int64(from+next)
		}
	}
	return first, behind
}

// Names lists the entries by both readings, at most max.
func Names(b []byte, max int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, e := range list(b, max).entries {
			if !yield(string(e.name)) {
				return
			}
		}
	}
}

// First is the content of the first entry where it is stored and of that name, and
// at most max bytes: EPUB and OpenDocument say there what they are.
func First(b []byte, name string, max int) string {
	e, ok := localHeader(b, 0)
	if !ok || string(e.name) != name || e.method != 0 {
		return ""
	}
	n := e.packed
	if e.later() { // its length follows: what is behind it is read with it
		n = uint64(max)
	}
	return string(b[e.data:min(e.data+int64(min(n, uint64(max))), int64(len(b)))])
}

// list reads the directory, and the local headers that stand in no entry's data.
func list(b []byte, max int) listing {
	var l listing
	end, behind := findEnd(b)
	if end >= 0 {
		l.end = behind
		l.central(b, end, max)
	} else {
		l.broken = "no end record"
	}
	l.locals(b, max)
	return l
}

// central reads the directory that an end record leads to.
func (l *listing) central(b []byte, end int64, max int) {
	size := int64(binary.LittleEndian.Uint32(b[end+12:]))
	off := int64(binary.LittleEndian.Uint32(b[end+16:]))
	count := int64(binary.LittleEndian.Uint16(b[end+10:]))
	stop := end
	if s, o, n, at, ok := zip64End(b, end); ok && (size == 0xffffffff || off == 0xffffffff || count == 0xffff) {
		size, off, count, stop = s, o, n, at
	}
	start := stop - size // right even where something stands in front of the archive
	if start < 0 || start >= int64(len(b)) || !bytes.HasPrefix(b[start:], []byte("PK\x01\x02")) {
		if off >= 0 && off < stop && bytes.HasPrefix(b[off:], []byte("PK\x01\x02")) {
			start = off
		} else if size != 0 || count != 0 {
			l.broken = "the end record leads to no directory"
			return
		} else {
			return
		}
	}
	l.shift = start - off
	dir := b[start:stop]
	var seen int64
	for len(dir) >= centralLen && string(dir[:4]) == "PK\x01\x02" {
		if len(l.entries) >= max {
			l.cut = true
			return
		}
		e, n := centralHeader(dir)
		if n > len(dir) {
			l.broken = "the directory is cut short"
		}
		e.local += l.shift
		if e.local < 0 || e.local >= int64(len(b)) {
			e.local = -1
		}
		e.data = -1
		if lh, ok := localHeader(b, e.local); ok {
			e.data = lh.data
		}
		l.entries = append(l.entries, e)
		seen++
		dir = dir[min(n, len(dir)):]
	}
	if seen != count && seen&0xffff != count {
		l.broken = "the end record counts other entries than the directory has"
	}
}

func zip64End(b []byte, end int64) (size, off, count, at int64, ok bool) {
	if end < 20 || string(b[end-20:end-16]) != "PK\x06\x07" {
		return
	}
	at = int64(binary.LittleEndian.Uint64(b[end-12:]))
	for _, p := range []int64{at, end - 20 - 56} {
		if p >= 0 && p <= end-20-56 && string(b[p:p+4]) == "PK\x06\x06" {
			count = int64(binary.LittleEndian.Uint64(b[p+32:]))
			size = int64(binary.LittleEndian.Uint64(b[p+40:]))
			off = int64(binary.LittleEndian.Uint64(b[p+48:]))
			if size < 0 || off < 0 {
				return 0, 0, 0, 0, false
			}
			return size, off, count, p, true
		}
	}
	return
}

// centralHeader reads a header of at least centralLen bytes, and returns how long it
// is with all that belongs to it.
func centralHeader(d []byte) (entry, int) {
	n, x, c := int(binary.LittleEndian.Uint16(d[28:])), int(binary.LittleEndian.Uint16(d[30:])), int(binary.LittleEndian.Uint16(d[32:]))
	e := entry{
		flags: binary.LittleEndian.Uint16(d[8:]), method: binary.LittleEndian.Uint16(d[10:]), dos: binary.LittleEndian.Uint32(d[12:]),
		crc: binary.LittleEndian.Uint32(d[16:]), packed: uint64(binary.LittleEndian.Uint32(d[20:])), size: uint64(binary.LittleEndian.Uint32(d[24:])),
		local: int64(binary.LittleEndian.Uint32(d[42:])), central: true,
	}
	e.links = d[5] == 3 && binary.LittleEndian.Uint32(d[38:])>>28 == 0xa
	e.name = d[centralLen:min(centralLen+n, len(d))]
	if from := centralLen + n; from < len(d) {
		e.extra = d[from:min(from+x, len(d))]
	}
	e.zip64(true)
	return e, centralLen + n + x + c
}

func localHeader(b []byte, at int64) (entry, bool) {
	if at < 0 || at+localLen > int64(len(b)) || string(b[at:at+4]) != "PK\x03\x04" {
		return entry{}, false
	}
	d := b[at:]
	n, x := int64(binary.LittleEndian.Uint16(d[26:])), int64(binary.LittleEndian.Uint16(d[28:]))
	e := entry{
		flags: binary.LittleEndian.Uint16(d[6:]), method: binary.LittleEndian.Uint16(d[8:]), dos: binary.LittleEndian.Uint32(d[10:]),
		crc: binary.LittleEndian.Uint32(d[14:]), packed: uint64(binary.LittleEndian.Uint32(d[18:])), size: uint64(binary.LittleEndian.Uint32(d[22:])),
		local: at, data: at + localLen + n + x,
	}
	if e.data > int64(len(b)) {
		return entry{}, false
	}
	e.name = d[localLen : localLen+n]
	e.extra = d[localLen+n : localLen+n+x]
	e.zip64(false)
	return e, true
}

// field returns an extra field.
func (e *entry) field(id uint16) ([]byte, bool) {
	for x := e.extra; len(x) >= 4; {
		n := int(binary.LittleEndian.Uint16(x[2:]))
		if 4+n > len(x) {
			return nil, false
		}
		if binary.LittleEndian.Uint16(x) == id {
			return x[4 : 4+n], true
		}
		x = x[4+n:]
	}
	return nil, false
}

// zip64 reads the long sizes. APPNOTE 4.5.3
func (e *entry) zip64(central bool) {
	x, ok := e.field(1)
	if !ok {
		return
	}
	take := func(v *uint64, short uint64) {
		if *v == short && len(x) >= 8 {
			*v = binary.LittleEndian.Uint64(x)
			x = x[8:]
		}
	}
	take(&e.size, 0xffffffff)
	take(&e.packed, 0xffffffff)
	if central {
		at := uint64(e.local)
		take(&at, 0xffffffff)
		e.local = int64(at)
	}
	if e.packed > 1<<62 {
		e.packed = 1 << 62
	}
}

// span is what an entry covers.
type span struct{ from, to int64 }

// spans lists the covered parts in order of their start.
func (l *listing) spans(b []byte) []span {
	var out []span
	for i := range l.entries {
		e := &l.entries[i]
		if e.data < 0 {
			continue
		}
		to := e.data + int64(min(e.packed, uint64(len(b))))
		out = append(out, span{e.local, min(to, int64(len(b)))})
	}
	slices.SortFunc(out, func(a, b span) int { return int(a.from - b.from) })
	return out
}

// locals adds entries that stand between those of the directory.
func (l *listing) locals(b []byte, max int) {
	covered := l.spans(b)
	var at int64
	for at < int64(len(b)) {
		for len(covered) > 0 && covered[0].to <= at {
			covered = covered[1:]
		}
		stop := int64(len(b))
		if len(covered) > 0 {
			if covered[0].from <= at {
				at = covered[0].to
				continue
			}
			stop = covered[0].from
		}
		i := bytes.Index(b[at:stop], []byte("PK\x03\x04"))
		if i < 0 {
			at = stop
			continue
		}
		at += int64(i)
		e, ok := localHeader(b, at)
		if !ok {
			at += 4
			continue
		}
		if len(l.entries) >= max {
			l.cut = true
			return
		}
		l.entries = append(l.entries, e)
		at = e.data
		if next := e.data + int64(min(e.packed, uint64(len(b)))); !e.later() && next <= stop {
			at = next
		}
	}
}
