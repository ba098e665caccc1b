// Package file is a source of recipients in a text file, which is read again when
// it changes.
//
// One entry a line: an address, "@domain" for all of a domain, or a local part
// that counts in every domain. What follows an entry after white space is passed
// over, so that the maps of other mail systems ("key value", and "key: value") can
// be named as they are. "#" at the start makes a comment; a line that starts with
// white space goes on with the one before.
//
// A file that can't be read, isn't understood, or is empty keeps the content that
// was read last: half a file must not make mailboxes unknown.
package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/directory"
)

// Config says which file. Zero values get the default.
type Config struct {
	Path          string
	CaseSensitive bool  // local parts differ by case
	MaxSize       int64 // octets; a longer file is refused; default 64 MB
	// Settle is how old the last change must be before the file is read again, so
	// that one being written isn't; default 1 s. At most 10 s.
	Settle time.Duration
}

// every is how often the file is looked at, when somebody asks.
const every = time.Second

// File is the source. It is safe for concurrent use.
type File struct {
	cfg  Config
	name string

	content atomic.Pointer[content]
	next    atomic.Int64 // when to look again, Unix nanoseconds

	mu      sync.Mutex // held while the file is looked at and read
	trouble string
	seen    stamp // of what was read or refused last
}

// content is what was read last.
type content struct {
	entries directory.Entries
	read    time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	info     os.FileInfo // os.SameFile knows an exchanged file by it
}

func (s stamp) same(o stamp) bool {
	return s.info != nil && s.modified.Equal(o.modified) && s.size == o.size && os.SameFile(s.info, o.info)
}

var _ directory.Instant = (*File)(nil)

// New opens the file. One that can't be read yet is no error: the source says
// that it can't tell until it can, and why.
func New(cfg Config) (*File, error) {
	if cfg.Path == "" {
		return nil, errors.New("directory/file: no path given")
	}
	if cfg.MaxSize <= 0 {
		cfg.MaxSize = 64 << 20
	}
	if cfg.Settle <= 0 {
		cfg.Settle = time.Second
	}
	cfg.Settle = min(cfg.Settle, 10*time.Second)
	f := &File{cfg: cfg, name: "file " + cfg.Path}
	f.look(time.Now())
	return f, nil
}

// Name implements [directory.Source].
func (f *File) Name() string { return f.name }

// Instant implements [directory.Instant].
func (f *File) Instant() {}

// Trouble implements [directory.Source].
func (f *File) Trouble() string {
	f.look(time.Now())
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

// Lookup implements [directory.Source].
func (f *File) Lookup(_ context.Context, q *directory.Query) (sluice.Listing, error) {
	f.look(time.Now())
	c := f.content.Load()
	if c == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		return sluice.Listing{}, errors.New(f.trouble)
	}
	out := sluice.Listing{Presence: sluice.Absent, Source: f.name}
	if c.entries.Match(q.Forms) {
		out.Presence = sluice.Present
	}
	return out, nil
}

// look reads the file again if it has changed, at most once in a while. Only the
// one that finds it changed waits for that.
func (f *File) look(now time.Time) {
	next := f.next.Load()
	if now.UnixNano() < next || !f.next.CompareAndSwap(next, now.Add(every).UnixNano()) {
		if f.content.Load() == nil {
			f.mu.Lock() // the first reading is waited for
			defer f.mu.Unlock()
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := f.read(now)
	switch {
	case err != nil:
		f.trouble = err.Error()
		if c := f.content.Load(); c != nil {
			f.trouble += "; what it held at " + c.read.UTC().Format(time.DateTime) + " still counts"
		}
	case entries != nil:
		f.trouble = ""
		f.content.Store(&content{entries: entries, read: now})
	}
}

// read returns the entries of a file that has changed, and nil where it hasn't or
// is still being written. The trouble with a file that hasn't changed stays.
func (f *File) read(now time.Time) (directory.Entries, error) {
	h, err := os.Open(f.cfg.Path)
	if err != nil {
		f.seen = stamp{}
		return nil, err
	}
	defer h.Close()
	before, err := stat(h)
	if err != nil {
		f.seen = stamp{}
		return nil, err
	}
	age := now.Sub(before.modified)
	if before.same(f.seen) || f.content.Load() != nil && age >= 0 && age < f.cfg.Settle {
		return nil, nil
	}
	f.seen = before
	if !before.info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", f.cfg.Path)
	}
	if before.size > f.cfg.MaxSize {
		return nil, fmt.Errorf("%s has %d octets; %d are allowed", f.cfg.Path, before.size, f.cfg.MaxSize)
	}
	b, err := io.ReadAll(io.LimitReader(h, f.cfg.MaxSize))
	if err != nil {
		return nil, err
	}
	if after, err := stat(h); err != nil || !after.same(before) || int64(len(b)) != before.size {
		f.seen = stamp{} // it changed meanwhile: again, soon
		return nil, nil
	}
	entries, err := Parse(b, f.cfg.CaseSensitive)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.cfg.Path, err)
	}
	return entries, nil
}

func stat(h *os.File) (stamp, error) {
	info, err := h.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stamp{modified: info.ModTime(), size: info.Size(), info: info}, nil
}

// Bounds of a file: a line, and how much of a bad one an error shows.
const (
	maxLine  = 64 << 10
	maxShown = 80
)

// Parse reads the entries of a file. A file without any is an error, since it is
// what a program leaves that died while writing.
func Parse(b []byte, caseSensitive bool) (directory.Entries, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	entries := directory.Entries{}
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if len(line) > maxLine {
			return nil, fmt.Errorf("line %d: over %d octets", n, maxLine)
		}
		switch blank := len(bytes.TrimSpace(line)) == 0; {
		case blank, line[0] == '#':
			continue
		case (line[0] == ' ' || line[0] == '\t') && len(entries) == 0:
			return nil, fmt.Errorf("line %d: it starts with white space, as if it went on with a line before", n)
		case line[0] == ' ' || line[0] == '\t':
			continue // goes on with a value
		}
		key := entry(strings.TrimRight(string(line), "\r\n"))
		if key == "" {
			continue
		}
		if err := entries.Add(key, caseSensitive); err != nil {
			return nil, fmt.Errorf("line %d: %q is %w", n, key[:min(len(key), maxShown)], err)
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("no entry in it")
	}
	return entries, nil
}

// entry is the part of a line before the value.
func entry(line string) string {
	end := 0
	if strings.HasPrefix(line, `"`) { // a quoted local part may hold spaces
		for end = 1; end < len(line) && line[end] != '"'; end++ {
			if line[end] == '\\' {
				end++
			}
		}
		end = min(end, len(line))
	}
	if i := strings.IndexAny(line[end:], " \t"); i >= 0 {
		line = line[:end+i]
	}
	return strings.TrimSuffix(line, ":")
}
