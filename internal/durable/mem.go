package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
)

// Mem is a file system in memory for tests. It knows what was synced, so that
// [Mem.Crash] can show what a power cut would have left.
//
// The model is that of a careful pessimist: unsynced data may be missing, cut
// short or zero; unsynced entries of a folder may each be there or not, in any
// combination; a rename inside one folder is atomic, one between two folders
// is not.
type Mem struct {
	mu   sync.Mutex
	root *memDir

	// Before, if set, is called before each operation that changes something
	// or syncs; an error it returns is the operation's, which then does
	// nothing. It may call Crash. Set it before use.
	Before func(op Op) error
}

// Op is one operation on a [Mem].
type Op struct {
	Kind string // "create", "write", "sync", "close", "rename", "remove", "mkdir", "syncdir"
	Name string
}

var _ FS = (*Mem)(nil)

type memNode struct {
	dir    *memDir // nil: a file
	data   []byte
	synced int // data[:synced] lasts; files only ever grow
}

type memDir struct {
	live, synced map[string]*memNode
	pending      []change // since the last sync, in order
}

// change is one atomic change of a folder's entries.
type change struct {
	del, add string
	node     *memNode
}

func (c change) apply(m map[string]*memNode) {
	if c.del != "" {
		delete(m, c.del)
	}
	if c.add != "" {
		m[c.add] = c.node
	}
}

func (d *memDir) do(c change) {
	c.apply(d.live)
	d.pending = append(d.pending, c)
}

func newMemDir() *memDir {
	return &memDir{live: map[string]*memNode{}, synced: map[string]*memNode{}}
}

// NewMem makes an empty file system.
func NewMem() *Mem { return &Mem{root: newMemDir()} }

// Crash returns what a power cut now would leave. Without rnd nothing that was
// not synced survives; with it, chance decides about each unsynced thing.
func (m *Mem) Crash(rnd *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mem{root: m.root.crash(rnd)}
}

func (d *memDir) crash(rnd *rand.Rand) *memDir {
	left := maps.Clone(d.synced)
	for _, c := range d.pending {
		if rnd != nil && rnd.IntN(2) == 0 {
			c.apply(left)
		}
	}
	out := newMemDir()
	for _, name := range slices.Sorted(maps.Keys(left)) {
		n := left[name].crash(rnd)
		out.live[name], out.synced[name] = n, n
	}
	return out
}

func (n *memNode) crash(rnd *rand.Rand) *memNode {
	if n.dir != nil {
		return &memNode{dir: n.dir.crash(rnd)}
	}
	data := bytes.Clone(n.data[:n.synced])
	if rest := n.data[n.synced:]; rnd != nil && len(rest) > 0 {
		switch rnd.IntN(4) {
		case 0: // nothing of it
		case 1: // a part
			data = append(data, rest[:rnd.IntN(len(rest)+1)]...)
		case 2: // the length was written, the data was not
			data = append(data, make([]byte, len(rest))...)
		case 3:
			data = append(data, rest...)
		}
	}
	return &memNode{data: data, synced: len(data)}
}

func (m *Mem) before(kind, name string) error {
	if m.Before == nil {
		return nil
	}
	return m.Before(Op{kind, name})
}

func pathErr(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// walk finds the folder dir. The caller holds mu.
func (m *Mem) walk(dir string) *memDir {
	d := m.root
	for part := range strings.SplitSeq(path.Clean(dir), "/") {
		if part == "" || part == "." {
			continue
		}
		n := d.live[part]
		if n == nil || n.dir == nil {
			return nil
		}
		d = n.dir
	}
	return d
}

// find finds the folder that holds name, and the entry, nil where it is not.
func (m *Mem) find(name string) (*memDir, string, *memNode) {
	dir, base := path.Split(path.Clean(name))
	d := m.walk(dir)
	if d == nil {
		return nil, base, nil
	}
	return d, base, d.live[base]
}

// Create implements [FS].
func (m *Mem) Create(name string) (File, error) {
	if err := m.before("create", name); err != nil {
		return nil, pathErr("create", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, n := m.find(name)
	switch {
	case d == nil:
		return nil, pathErr("create", name, fs.ErrNotExist)
	case n != nil:
		return nil, pathErr("create", name, fs.ErrExist)
	}
	n = &memNode{}
	d.do(change{add: base, node: n})
	return &memFile{m: m, n: n, name: name}, nil
}

type memFile struct {
	m      *Mem
	n      *memNode
	name   string
	closed bool
}

func (f *memFile) Write(p []byte) (int, error) {
	err := f.m.before("write", f.name)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return 0, pathErr("write", f.name, fs.ErrClosed)
	}
	if err != nil { // a full disk takes some of it
		p = p[:len(p)/2]
	}
	f.n.data = append(f.n.data, p...)
	if err != nil {
		return len(p), pathErr("write", f.name, err)
	}
	return len(p), nil
}

func (f *memFile) Sync() error {
	if err := f.m.before("sync", f.name); err != nil {
		return pathErr("sync", f.name, err)
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.synced = len(f.n.data)
	return nil
}

func (f *memFile) Close() error {
	err := f.m.before("close", f.name)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return pathErr("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	if err != nil {
		return pathErr("close", f.name, err)
	}
	return nil
}

type memReader struct{ *bytes.Reader }

func (memReader) Close() error { return nil }

// Open implements [FS].
func (m *Mem) Open(name string) (Reader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _, n := m.find(name)
	if n == nil || n.dir != nil {
		return nil, pathErr("open", name, fs.ErrNotExist)
	}
	return memReader{bytes.NewReader(bytes.Clone(n.data))}, nil
}

// Rename implements [FS].
func (m *Mem) Rename(from, to string) error {
	if err := m.before("rename", to); err != nil {
		return pathErr("rename", from, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fd, fbase, n := m.find(from)
	td, tbase, _ := m.find(to)
	if n == nil || td == nil {
		return pathErr("rename", from, fs.ErrNotExist)
	}
	if fd == td {
		fd.do(change{del: fbase, add: tbase, node: n})
		return nil
	}
	td.do(change{add: tbase, node: n})
	fd.do(change{del: fbase})
	return nil
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	if err := m.before("remove", name); err != nil {
		return pathErr("remove", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, n := m.find(name)
	switch {
	case n == nil:
		return pathErr("remove", name, fs.ErrNotExist)
	case n.dir != nil && len(n.dir.live) > 0:
		return pathErr("remove", name, errors.New("folder not empty"))
	}
	d.do(change{del: base})
	return nil
}

// MkdirAll implements [FS].
func (m *Mem) MkdirAll(dir string) error {
	if err := m.before("mkdir", dir); err != nil {
		return pathErr("mkdir", dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.root
	for part := range strings.SplitSeq(path.Clean(dir), "/") {
		if part == "" || part == "." {
			continue
		}
		n := d.live[part]
		if n == nil {
			n = &memNode{dir: newMemDir()}
			d.do(change{add: part, node: n})
			d.sync()
		}
		if n.dir == nil {
			return pathErr("mkdir", dir, fs.ErrExist)
		}
		d = n.dir
	}
	return nil
}

func (d *memDir) sync() {
	d.synced = maps.Clone(d.live)
	d.pending = nil
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(dir string) error {
	if err := m.before("syncdir", dir); err != nil {
		return pathErr("syncdir", dir, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.walk(dir)
	if d == nil {
		return pathErr("syncdir", dir, fs.ErrNotExist)
	}
	d.sync()
	return nil
}

// List implements [FS].
func (m *Mem) List(dir string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.walk(dir)
	if d == nil {
		return nil, nil
	}
	out := make([]Entry, 0, len(d.live))
	for _, name := range slices.Sorted(maps.Keys(d.live)) {
		n := d.live[name]
		out = append(out, Entry{Name: name, Dir: n.dir != nil, Size: int64(len(n.data))})
	}
	return out, nil
}
