package roster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"sluice/subscriber"
)

// list is a roster in memory.
type list struct {
	keys, accounts, addresses map[string]*subscriber.Subject
	networks                  bart.Table[*subscriber.Subject]
}

// maxEntries bounds a file.
const maxEntries = 2_000_000

// parseFile reads entries, one JSON object a line; empty lines and those that start with
// "#" are passed over. Nothing at all is an error, as is anything that stands for two
// subscribers.
func parseFile(b []byte) (*list, error) {
	l := &list{keys: map[string]*subscriber.Subject{}, accounts: map[string]*subscriber.Subject{}, addresses: map[string]*subscriber.Subject{}}
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		e, err := Parse(line)
		if err == nil {
			err = l.add(&e)
		}
		if err == nil && len(l.keys) > maxEntries {
			err = fmt.Errorf("over %d subscribers", maxEntries)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if len(l.keys) == 0 {
		return nil, errors.New("no subscriber in it")
	}
	return l, nil
}

func (l *list) add(e *Entry) error {
	s, err := e.Subject()
	if err != nil {
		return err
	}
	put := func(m map[string]*subscriber.Subject, what, k string) error {
		if m[k] != nil {
			return fmt.Errorf("%s %.60q stands for two", what, k)
		}
		m[k] = &s
		return nil
	}
	err = put(l.keys, "key", s.Key)
	if err == nil && s.Account != "" {
		err = put(l.accounts, "account", fold(s.Account))
	}
	for _, a := range e.Addresses {
		if err == nil {
			err = put(l.addresses, "address", fold(a))
		}
	}
	for _, n := range e.Networks {
		p, err1 := prefix(n)
		if err1 != nil {
			return err1
		}
		if _, ok := l.networks.Get(p); ok {
			return fmt.Errorf("network %v stands for two", p)
		}
		l.networks.Insert(p, &s)
	}
	return err
}

// find looks for the account first, then for the line (the most specific network), then
// for the sender's address: nobody proves that one.
func (l *list) find(t subscriber.Trace) (subscriber.Subject, bool) {
	if s := l.accounts[fold(t.Account)]; t.Account != "" && s != nil {
		return *s, true
	}
	if t.Account == "" && t.Client.IsValid() {
		if s, ok := l.networks.Lookup(t.Client.Unmap()); ok {
			return *s, true
		}
	}
	if s := l.addresses[fold(t.Address)]; t.Account == "" && t.Address != "" && s != nil {
		return *s, true
	}
	return subscriber.Subject{}, false
}

// File is a roster in a file, which is read again when it changes. One that can't be
// read, isn't understood or is empty keeps what was read last.
type File struct {
	path    string
	max     int64
	content atomic.Pointer[list]
	next    atomic.Int64 // when to look again, Unix nanoseconds

	mu       sync.Mutex
	trouble  error
	modified time.Time
	size     int64
}

// How often a file is looked at, when somebody asks; and how old its last change must be,
// so that one being written isn't read.
const (
	every  = time.Second
	settle = time.Second
)

// MaxFile is the largest file, in octets.
const MaxFile = 512 << 20

// NewFile opens a roster. One that can't be read is an error: without it nobody would be
// told.
func NewFile(path string) (*File, error) {
	f := &File{path: path, max: MaxFile}
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	f.next.Store(time.Now().Add(every).UnixNano())
	return f, nil
}

// Trouble says why the file as it is now doesn't count, "" where it does.
func (f *File) Trouble() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.trouble == nil {
		return ""
	}
	return f.trouble.Error()
}

func (f *File) read() error {
	h, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer h.Close()
	info, err := h.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", f.path)
	case info.Size() > f.max:
		return fmt.Errorf("%s has %d octets; %d are allowed", f.path, info.Size(), f.max)
	case f.content.Load() != nil && info.ModTime().Equal(f.modified) && info.Size() == f.size:
		return f.trouble
	case f.content.Load() != nil && time.Since(info.ModTime()).Abs() < settle:
		return f.trouble
	}
	b, err := io.ReadAll(io.LimitReader(h, f.max))
	if err != nil {
		return err
	}
	f.modified, f.size = info.ModTime(), int64(len(b))
	l, err := parseFile(b)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.content.Store(l)
	return nil
}

// now is the content, which is looked at again once in a while.
func (f *File) now() *list {
	next, now := f.next.Load(), time.Now()
	if now.UnixNano() >= next && f.next.CompareAndSwap(next, now.Add(every).UnixNano()) {
		f.mu.Lock()
		f.trouble = f.read()
		f.mu.Unlock()
	}
	return f.content.Load()
}

// Find implements [subscriber.Directory].
func (f *File) Find(_ context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	s, ok := f.now().find(t)
	return s, ok, nil
}

// Subject implements [subscriber.Directory].
func (f *File) Subject(_ context.Context, key string) (subscriber.Subject, bool, error) {
	if s := f.now().keys[key]; s != nil {
		return *s, true, nil
	}
	return subscriber.Subject{}, false, nil
}

// Len is the number of subscribers.
func (f *File) Len() int { return len(f.now().keys) }
