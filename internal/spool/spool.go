// Package spool holds the bytes of messages in flight: in pooled memory while
// they are small, beyond that in an unlinked file of mode 0600 that is mapped for
// reading. One budget bounds all of them together.
//
// A read fault on the mapping (a failing disk) is a SIGBUS. Goroutines that read
// [Buffer.Bytes] call debug.SetPanicOnFault(true), so that it becomes a panic for
// their recover barrier.
package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrBudget says that the messages in flight use up the budget.
var ErrBudget = errors.New("spool: no room for more messages in flight")

// Config sets up a pool.
type Config struct {
	Dir    string // for the files; "": os.TempDir
	Budget int64  // octets of all buffers together; 0: 256 MB
	Memory int    // octets of one buffer kept in memory, at most 256 KB; 0: 256 KB
}

// maxMemory is the largest class of memory, and the size of a file's writes.
const maxMemory = 256 << 10

// classes are the sizes of pooled memory: the mean message fits the first.
var classes = [...]int{16 << 10, 64 << 10, maxMemory}

// Pool makes buffers. It is safe for concurrent use.
type Pool struct {
	dir    string
	budget int64
	memory int
	used   atomic.Int64
	free   [len(classes)]sync.Pool
}

// New makes a pool. It doesn't touch the folder.
func New(cfg Config) *Pool {
	p := &Pool{dir: cfg.Dir, budget: cfg.Budget, memory: cfg.Memory}
	if p.dir == "" {
		p.dir = os.TempDir()
	}
	if p.budget <= 0 {
		p.budget = 256 << 20
	}
	if p.memory <= 0 || p.memory > maxMemory {
		p.memory = maxMemory
	}
	return p
}

// Used is the number of octets in flight.
func (p *Pool) Used() int64 { return p.used.Load() }

// Full says whether the budget is used up.
func (p *Pool) Full() bool { return p.used.Load() >= p.budget }

func (p *Pool) take(n int) bool {
	if p.used.Add(int64(n)) > p.budget {
		p.used.Add(-int64(n))
		return false
	}
	return true
}

// memoryFor returns empty memory of at least n octets, n ≤ maxMemory.
func (p *Pool) memoryFor(n int) *[]byte {
	for i, size := range classes {
		if n <= size {
			if b, ok := p.free[i].Get().(*[]byte); ok {
				return b
			}
			b := make([]byte, 0, size)
			return &b
		}
	}
	panic("spool: more memory than the largest class")
}

func (p *Pool) giveBack(b *[]byte) {
	for i, size := range classes {
		if cap(*b) == size {
			*b = (*b)[:0]
			p.free[i].Put(b)
		}
	}
}

// Buffer takes one message. It isn't safe for concurrent use, but for Bytes after
// Seal.
type Buffer struct {
	pool   *Pool
	mem    *[]byte // the message, or the part that isn't in the file yet
	file   *os.File
	size   int64
	mapped []byte
	err    error
}

// New returns an empty buffer. The caller must Release it.
func (p *Pool) New() *Buffer { return &Buffer{pool: p} }

// Size is the number of octets written.
func (b *Buffer) Size() int64 { return b.size }

// Write appends all of src or fails: with [ErrBudget], or with the file's error,
// such as a full disk. After an error the buffer can only be released.
func (b *Buffer) Write(src []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if !b.pool.take(len(src)) {
		b.err = ErrBudget
		return 0, b.err
	}
	b.size += int64(len(src))
	if b.err = b.put(src); b.err != nil {
		return 0, b.err
	}
	return len(src), nil
}

func (b *Buffer) put(src []byte) error {
	if b.file == nil && b.size <= int64(b.pool.memory) {
		b.grow(int(b.size))
		*b.mem = append(*b.mem, src...)
		return nil
	}
	if b.file == nil {
		if err := b.open(); err != nil {
			return err
		}
		b.grow(maxMemory)
	}
	for {
		n := copy((*b.mem)[len(*b.mem):cap(*b.mem)], src)
		*b.mem = (*b.mem)[:len(*b.mem)+n]
		if src = src[n:]; len(src) == 0 {
			return nil
		}
		if err := b.flush(); err != nil {
			return err
		}
	}
}

// grow makes room for n octets of memory in all.
func (b *Buffer) grow(n int) {
	if b.mem == nil {
		b.mem = b.pool.memoryFor(n)
		return
	}
	if n <= cap(*b.mem) {
		return
	}
	more := b.pool.memoryFor(n)
	*more = append(*more, *b.mem...)
	b.pool.giveBack(b.mem)
	b.mem = more
}

func (b *Buffer) open() error {
	// O_TMPFILE makes a file without a name; not every file system has it.
	fd, err := unix.Open(b.pool.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		b.file = os.NewFile(uintptr(fd), "spool")
		return nil
	}
	f, err := os.CreateTemp(b.pool.dir, ".sluice-spool-*") // mode 0600
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return fmt.Errorf("spool: %w", err)
	}
	b.file = f
	return nil
}

func (b *Buffer) flush() error {
	if _, err := b.file.Write(*b.mem); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	*b.mem = (*b.mem)[:0]
	return nil
}

// Seal ends writing and makes the whole message readable.
func (b *Buffer) Seal() error {
	if b.err != nil || b.file == nil || b.mapped != nil {
		return b.err
	}
	if b.err = b.flush(); b.err != nil {
		return b.err
	}
	m, err := unix.Mmap(int(b.file.Fd()), 0, int(b.size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		b.err = fmt.Errorf("spool: mmap: %w", err)
		return b.err
	}
	b.mapped = m
	b.file.Close() // the mapping keeps the file
	b.file = nil
	b.pool.giveBack(b.mem)
	b.mem = nil
	return nil
}

// Bytes is the message after Seal. It is valid until Release; nobody may write to
// it.
func (b *Buffer) Bytes() []byte {
	switch {
	case b.mapped != nil:
		return b.mapped
	case b.mem != nil:
		return *b.mem
	}
	return nil
}

// Release gives memory, file and budget back. It can be called again.
func (b *Buffer) Release() {
	if b.pool == nil {
		return
	}
	if b.mapped != nil {
		_ = unix.Munmap(b.mapped) // fails only for a bad address
	}
	if b.file != nil {
		b.file.Close() // unlinked: nothing to lose
	}
	if b.mem != nil {
		b.pool.giveBack(b.mem)
	}
	b.pool.used.Add(-b.size)
	*b = Buffer{err: errReleased}
}

var errReleased = errors.New("spool: buffer was released")
