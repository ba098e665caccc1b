// Package compound reads compound files (MS-CFB), the container of old Office,
// Outlook items and installers. It allocates by what the file holds, never by what
// it declares, and follows no chain twice.
package compound

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Entry is a stream or storage.
type Entry struct {
	Name    string
	Parent  int // index in Entries; -1 for the root and for entries that no storage lists
	Storage bool
	ClassID string // lower case, without braces
	Size    uint64
	start   uint32
	mini    bool
	left    uint32
	right   uint32
	child   uint32
}

// File is a parsed directory. Entries[0] is the root.
type File struct {
	Entries []Entry
	b       []byte
	shift   uint // of a sector
	fat     []uint32
	minifat []uint32
	ministr []byte
}

const (
	endOfChain = 0xfffffffe
	free       = 0xffffffff
	none       = 0xffffffff
	maxSector  = 0xfffffffa
)

var errChain = errors.New("compound: a chain of sectors is broken")

// Parse reads the header, allocation tables and the directory, of which at most max
// entries. A file that is damaged gives what could be read beside the error; the
// file is nil where nothing could.
func Parse(b []byte, max int) (*File, error) {
	if len(b) < 512 || string(b[:8]) != "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" {
		return nil, errors.New("compound: no header")
	}
	f := &File{b: b, shift: uint(binary.LittleEndian.Uint16(b[30:]))}
	if f.shift != 9 && f.shift != 12 {
		return nil, fmt.Errorf("compound: sectors of 2^%d bytes", f.shift)
	}
	f.table()
	dir, derr := f.chain(binary.LittleEndian.Uint32(b[48:]), max*128)
	for at := 0; at+128 <= len(dir) && len(f.Entries) < max; at += 128 {
		f.Entries = append(f.Entries, f.entry(dir[at:at+128]))
	}
	if len(f.Entries) == 0 {
		return nil, errors.New("compound: no directory")
	}
	f.link()
	raw, _ := f.chain(binary.LittleEndian.Uint32(b[60:]), len(b))
	for ; len(raw) >= 4; raw = raw[4:] {
		f.minifat = append(f.minifat, binary.LittleEndian.Uint32(raw))
	}
	root := &f.Entries[0]
	f.ministr, _ = f.chain(root.start, int(min(root.Size, uint64(len(b)))))
	return f, derr
}

// table reads the sectors that hold the file allocation table: those named in the
// header, and those of the double-indirect list.
func (f *File) table() {
	var sectors []uint32
	for i := range 109 {
		sectors = append(sectors, binary.LittleEndian.Uint32(f.b[76+4*i:]))
	}
	limit := len(f.b)>>f.shift + 1
	next := binary.LittleEndian.Uint32(f.b[68:])
	for seen := 0; next < maxSector && seen < limit; seen++ {
		s := f.sector(next)
		if len(s) < 1<<f.shift {
			break
		}
		for at := 0; at < len(s)-4; at += 4 {
			sectors = append(sectors, binary.LittleEndian.Uint32(s[at:]))
		}
		next = binary.LittleEndian.Uint32(s[len(s)-4:])
	}
	for _, n := range sectors {
		if n >= maxSector {
			continue
		}
		s := f.sector(n)
		for ; len(s) >= 4 && len(f.fat) < limit; s = s[4:] {
			f.fat = append(f.fat, binary.LittleEndian.Uint32(s))
		}
		if len(f.fat) >= limit {
			break
		}
	}
}

// sector returns a sector's bytes, fewer at the end of the file.
func (f *File) sector(n uint32) []byte {
	at := (uint64(n) + 1) << f.shift
	if at >= uint64(len(f.b)) {
		return nil
	}
	return f.b[at:min(at+1<<f.shift, uint64(len(f.b)))]
}

// chain joins the sectors that follow each other, at most limit bytes. It shares
// memory with the file where they stand in a row.
func (f *File) chain(start uint32, limit int) ([]byte, error) {
	var out []byte
	steps := len(f.b)>>f.shift + 1
	for n := start; n != endOfChain; {
		if len(out) >= limit {
			return out[:limit], nil
		}
		s := f.sector(n)
		if s == nil || steps == 0 || int(n) >= len(f.fat) {
			return out, errChain
		}
		steps--
		out = append(out, s...)
		n = f.fat[n]
	}
	return out[:min(len(out), limit)], nil
}

func (f *File) entry(d []byte) Entry {
	n := min(int(binary.LittleEndian.Uint16(d[64:])), 64)
	var u []uint16
	for i := 0; i+1 < n; i += 2 {
		c := binary.LittleEndian.Uint16(d[i:])
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	e := Entry{Name: string(utf16.Decode(u)), Parent: -1, Storage: d[66] == 1 || d[66] == 5,
		left: binary.LittleEndian.Uint32(d[68:]), right: binary.LittleEndian.Uint32(d[72:]), child: binary.LittleEndian.Uint32(d[76:]),
		start: binary.LittleEndian.Uint32(d[116:]), Size: binary.LittleEndian.Uint64(d[120:])}
	if f.shift == 9 {
		e.Size &= 0xffffffff // MS-CFB 2.6.3
	}
	g := d[80:96]
	if strings.Trim(string(g), "\x00") != "" {
		e.ClassID = fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g), binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:])
	}
	e.mini = e.Size < uint64(binary.LittleEndian.Uint32(f.b[56:])) && d[66] != 5
	return e
}

// link finds the parent of each entry by walking the trees of siblings once.
func (f *File) link() {
	seen := make([]bool, len(f.Entries))
	seen[0] = true
	type step struct {
		n      uint32
		parent int
	}
	stack := []step{{f.Entries[0].child, 0}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.n == none || int64(s.n) >= int64(len(f.Entries)) || seen[s.n] {
			continue
		}
		e := &f.Entries[s.n]
		seen[s.n] = true
		e.Parent = s.parent
		stack = append(stack, step{e.left, s.parent}, step{e.right, s.parent})
		if e.Storage {
			stack = append(stack, step{e.child, int(s.n)})
		}
	}
}

// Read returns the content of stream i, at most limit bytes.
func (f *File) Read(i, limit int) ([]byte, error) {
	e := f.Entries[i]
	limit = int(min(uint64(limit), e.Size))
	if !e.mini {
		b, err := f.chain(e.start, limit)
		if err == nil && len(b) < limit {
			err = errChain
		}
		return b, err
	}
	var out []byte
	for n, steps := e.start, len(f.ministr)/64+1; len(out) < limit; steps-- {
		at := uint64(n) * 64
		if at >= uint64(len(f.ministr)) || int64(n) >= int64(len(f.minifat)) || steps == 0 {
			return out, errChain
		}
		out = append(out, f.ministr[at:min(at+64, uint64(len(f.ministr)))]...)
		n = f.minifat[n]
		if n == endOfChain {
			break
		}
	}
	if len(out) < limit {
		return out, errChain
	}
	return out[:limit], nil
}

// Children lists the entries of a storage, in the order of the directory.
func (f *File) Children(storage int) []int {
	var out []int
	for i := range f.Entries {
		if i > 0 && f.Entries[i].Parent == storage {
			out = append(out, i)
		}
	}
	return out
}

// Find returns the entry of that name in a storage, or -1. Names have no case.
func (f *File) Find(storage int, name string) int {
	return slices.IndexFunc(f.Entries, func(e Entry) bool { return e.Parent == storage && strings.EqualFold(e.Name, name) })
}
