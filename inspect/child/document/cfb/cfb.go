// Package cfb reads compound files ([MS-CFB]), the boxes in which Office keeps
// binary documents and macros. It takes what it can get: a loop or a hole in one
// chain ends that stream and nothing else, and entries that hang in no storage
// are listed like the others, since Office and attackers both leave them about.
// It allocates by the bytes that are there, never by a number they declare.
package cfb

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
)

// Magic begins every compound file.
const Magic = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"

// MaxEntries bounds the directory.
const MaxEntries = 20_000

// maxDepth bounds storages in each other.
const maxDepth = 32

// Special sector numbers, [MS-CFB] 2.1.
const (
	maxSector  = 0xFFFFFFFA
	endOfChain = 0xFFFFFFFE
	noStream   = 0xFFFFFFFF
)

// Entry is a stream or a storage.
type Entry struct {
	Path    string // names joined by "/"; "?" stands in front of what hangs in no storage
	Name    string
	Storage bool
	CLSID   [16]byte // of storages
	Size    int64    // as declared, of streams
	start   uint32
}

// File is an opened compound file.
type File struct {
	Entries []Entry // the root storage first, its path is ""
	Broken  string  // what was wrong with the structure, "" for nothing

	b          []byte
	shift      uint
	cutoff     int64
	fat        []uint32
	miniFAT    []uint32
	miniStream []byte
}

// Open reads the tables of a file. b is kept. The error says that there is no
// directory to read.
func Open(b []byte) (*File, error) {
	if len(b) < 512 || string(b[:8]) != Magic {
		return nil, errors.New("cfb: no compound file")
	}
	f := &File{b: b, shift: 9, cutoff: 4096}
	if s := u16(b[30:]); s == 9 || s == 12 {
		f.shift = uint(s)
	} else {
		f.broken("sector size")
	}
	if c := u32(b[56:]); c != 4096 {
		f.broken("mini stream cutoff")
	}
	f.readFAT()
	dir := f.chain(u32(b[48:]), int64(len(b)))
	if len(dir) < 128 {
		return nil, errors.New("cfb: no directory")
	}
	raw := f.directory(dir)
	if len(raw) == 0 {
		return nil, errors.New("cfb: empty directory")
	}
	if root := raw[0]; root.start <= maxSector {
		f.miniStream = f.chain(root.start, root.size)
		for b := f.chain(u32(b[60:]), int64(len(b))); len(b) >= 4; b = b[4:] {
			f.miniFAT = append(f.miniFAT, u32(b))
		}
	}
	f.walk(raw)
	return f, nil
}

// Find returns the first entry with that path, in any case of letters.
func (f *File) Find(path string) (Entry, bool) {
	for _, e := range f.Entries {
		if strings.EqualFold(e.Path, path) {
			return e, true
		}
	}
	return Entry{}, false
}

// Read returns at most limit bytes of a stream: as much as its chain holds.
func (f *File) Read(e Entry, limit int) []byte {
	if e.Storage || e.Size <= 0 {
		return nil
	}
	n := min(e.Size, int64(limit))
	if e.Size >= f.cutoff {
		return f.chain(e.start, n)
	}
	var out []byte
	at := e.start
	for range len(f.miniFAT) {
		off := int64(at) << 6
		if at > maxSector || off >= int64(len(f.miniStream)) || int64(len(out)) >= n {
			break
		}
		out = append(out, f.miniStream[off:min(off+64, int64(len(f.miniStream)))]...)
		if int(at) >= len(f.miniFAT) {
			break
		}
		at = f.miniFAT[at]
	}
	return out[:min(int64(len(out)), n)]
}

func (f *File) broken(what string) {
	if f.Broken == "" {
		f.Broken = what
	}
}

// sector is nil for one that isn't in the file; the last may be short.
func (f *File) sector(n uint32) []byte {
	off := (int64(n) + 1) << f.shift
	if n > maxSector || off >= int64(len(f.b)) {
		return nil
	}
	return f.b[off:min(off+1<<f.shift, int64(len(f.b)))]
}

// sectors is how many the file holds: no chain is longer.
func (f *File) sectors() int { return len(f.b)>>f.shift + 1 }

func (f *File) readFAT() {
	add := func(n uint32) {
		s := f.sector(n)
		for ; len(s) >= 4 && len(f.fat) <= f.sectors(); s = s[4:] {
			f.fat = append(f.fat, u32(s))
		}
	}
	for i := range 109 {
		if n := u32(f.b[76+4*i:]); n <= maxSector {
			add(n)
		}
	}
	// [MS-CFB] 2.5: the last number of a DIFAT sector is the next one's.
	next := u32(f.b[68:])
	for range f.sectors() {
		s := f.sector(next)
		if len(s) < 1<<f.shift || len(f.fat) > f.sectors() {
			break
		}
		for i := 0; i+8 <= len(s); i += 4 {
			if n := u32(s[i:]); n <= maxSector {
				add(n)
			}
		}
		next = u32(s[len(s)-4:])
	}
}

// chain joins the sectors from start on, at most limit bytes.
func (f *File) chain(start uint32, limit int64) []byte {
	// Most streams lie in one piece: those need no copy.
	if first := f.sector(start); int64(len(first)) >= limit {
		return first[:max(limit, 0)]
	}
	var out []byte
	at := start
	for range f.sectors() {
		s := f.sector(at)
		if s == nil {
			if at != endOfChain {
				f.broken("a chain ends outside of the file")
			}
			break
		}
		out = append(out, s...)
		if int64(len(out)) >= limit {
			return out[:limit]
		}
		if int(at) >= len(f.fat) {
			f.broken("a chain without a table")
			break
		}
		at = f.fat[at]
	}
	return out
}

// node is an entry of the directory as it stands there, [MS-CFB] 2.6.
type node struct {
	name               string
	kind               byte
	left, right, child uint32
	clsid              [16]byte
	start              uint32
	size               int64
}

func (f *File) directory(b []byte) []node {
	var out []node
	for ; len(b) >= 128 && len(out) < MaxEntries; b = b[128:] {
		n := node{kind: b[66], left: u32(b[68:]), right: u32(b[72:]), child: u32(b[76:]), start: u32(b[116:]), size: int64(u32(b[120:]))}
		copy(n.clsid[:], b[80:])
		var u []uint16
		for i := 0; i < 64; i += 2 {
			c := u16(b[i:])
			if c == 0 {
				break
			}
			u = append(u, c)
		}
		n.name = string(utf16.Decode(u))
		out = append(out, n)
	}
	return out
}

// walk lists what hangs below the root, then what hangs nowhere.
func (f *File) walk(nodes []node) {
	type place struct {
		at    uint32
		path  string
		depth int
	}
	seen := make([]bool, len(nodes))
	seen[0] = true
	f.Entries = append(f.Entries, Entry{Name: nodes[0].name, Storage: true, CLSID: nodes[0].clsid})
	follow := func(todo []place) {
		for len(todo) > 0 {
			p := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if p.at == noStream {
				continue
			}
			if int64(p.at) >= int64(len(nodes)) || seen[p.at] || p.depth > maxDepth {
				f.broken("the directory's tree")
				continue
			}
			n := nodes[p.at]
			seen[p.at] = true
			path := p.path + n.name
			if len(path) > 1024 {
				path = path[:1024]
			}
			if n.kind == 1 || n.kind == 2 {
				f.Entries = append(f.Entries, Entry{Path: path, Name: n.name, Storage: n.kind == 1, CLSID: n.clsid, Size: n.size, start: n.start})
			}
			todo = append(todo, place{n.right, p.path, p.depth}, place{n.left, p.path, p.depth})
			if n.kind == 1 {
				todo = append(todo, place{n.child, path + "/", p.depth + 1})
			}
		}
	}
	follow([]place{{nodes[0].child, "", 1}})
	for i, n := range nodes {
		if !seen[i] && (n.kind == 1 || n.kind == 2) && n.name != "" {
			follow([]place{{uint32(i), "?/", 1}})
		}
	}
}

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
