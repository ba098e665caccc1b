// Package hashlist knows files by their digests: lists in local files (SHA-256 for the
// file itself, TLSH for its relatives), read anew when they change, and lists in the
// DNS, whose health is looked after as that of all DNS lists.
package hashlist

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/engine"
	"sluice/engine/tlsh"
)

// File is one list.
type File struct {
	Path string
	Name string      // of the engine in findings; "": "hashlist"
	Kind engine.Kind // of a file that is listed; 0: Malware. A relative is Suspicious.
}

// Config says which lists there are. Zero fields have defaults.
type Config struct {
	Files []File
	// Distance is how far a relative is at most (TLSH); 0: 30, negative: nobody is, at
	// most 200, where nothing is related any more.
	Distance int
	// The most that is read of one file: octets (0: 256 MB), digests (0: 2 million),
	// TLSH digests (0: 100,000).
	MaxBytes            int64
	MaxEntries, MaxNear int
	// Every is the time between two looks at the files; 0: 30 s.
	Every time.Duration
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // of files that are read or can't be; nil: none
}

// MinSize is the least size of a file that is looked up, in octets: lists of malware
// hold digests of empty files and of line ends, which everybody sends.
const MinSize = 16

// MaxNearSize is the largest file whose relatives are looked for, in octets: it takes
// 10 ns an octet.
const MaxNearSize = 8 << 20

const (
	defaultDistance   = 30
	defaultMaxBytes   = 256 << 20
	defaultMaxEntries = 2_000_000
	defaultMaxNear    = 100_000
)

// Set is the lists. It is safe for concurrent use.
type Set struct {
	cfg   Config
	files []*file
	has   atomic.Bool // any TLSH digest
}

type file struct {
	File
	loaded atomic.Pointer[loaded]

	mu     sync.Mutex // of a reload
	info   fs.FileInfo
	health FileHealth
}

// loaded is a list in use; it isn't written to.
type loaded struct {
	entries
	// first is where the TLSH digests of a key begin in near, which is sorted by keys;
	// nil where there are none.
	first []int32
}

// FileHealth is a list as people see it.
type FileHealth struct {
	Path    string    `json:"path"`
	Name    string    `json:"name"`
	Entries int       `json:"entries"`
	Near    int       `json:"near"`
	Read    time.Time `json:"read"`          // when it was read
	Changed time.Time `json:"changed"`       // the file's own time
	Why     string    `json:"why,omitempty"` // it can't be read now; what was read before is in use
}

// New reads the lists. One that can't be read is an error.
func New(c Config) (*Set, error) {
	if c.Distance == 0 {
		c.Distance = defaultDistance
	}
	c.Distance = min(c.Distance, 200)
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.MaxEntries <= 0 {
		c.MaxEntries = defaultMaxEntries
	}
	if c.MaxNear <= 0 {
		c.MaxNear = defaultMaxNear
	}
	if c.Every <= 0 {
		c.Every = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Set{cfg: c}
	for _, f := range c.Files {
		if f.Name == "" {
			f.Name = "hashlist"
		}
		if f.Kind == 0 {
			f.Kind = engine.Malware
		}
		s.files = append(s.files, &file{File: f, health: FileHealth{Path: f.Path, Name: f.Name}})
	}
	if _, err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Run looks at the files from time to time, until ctx ends.
func (s *Set) Run(ctx context.Context) {
	t := time.NewTicker(s.cfg.Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_, _ = s.Reload() // what went wrong is in the log and in Health
		}
	}
}

// Reload reads the files that have changed. Of one that can't be read, what was read
// before stays in use.
func (s *Set) Reload() (changed bool, err error) {
	for _, f := range s.files {
		c, e := s.reload(f)
		changed = changed || c
		err = errors.Join(err, e)
	}
	has := false
	for _, f := range s.files {
		if l := f.loaded.Load(); l != nil && len(l.near) > 0 {
			has = true
		}
	}
	s.has.Store(has && s.cfg.Distance >= 0)
	return changed, err
}

func (s *Set) reload(f *file) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	if err == nil && f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return false, nil // good or bad, it is as it was
	}
	var l *loaded
	if err == nil {
		f.info = info
		l, err = s.read(f.Path)
	}
	if err != nil {
		err = fmt.Errorf("hashlist: %s: %w", f.Path, err)
		if f.health.Why != err.Error() {
			s.cfg.Log.Warn("hash list", "path", f.Path, "why", err.Error())
		}
		f.health.Why = err.Error()
		return false, err
	}
	f.loaded.Store(l)
	f.health = FileHealth{Path: f.Path, Name: f.Name, Entries: len(l.sums), Near: len(l.near), Read: s.cfg.Now(), Changed: info.ModTime()}
	s.cfg.Log.Info("hash list", "path", f.Path, "entries", len(l.sums), "near", len(l.near))
	return true, nil
}

func (s *Set) read(path string) (*loaded, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	limited := &io.LimitedReader{R: f, N: s.cfg.MaxBytes}
	e, err := parse(limited, s.cfg.MaxEntries, s.cfg.MaxNear)
	switch {
	case err != nil:
		return nil, err
	case limited.N <= 0:
		return nil, fmt.Errorf("more than %d octets", s.cfg.MaxBytes)
	}
	l := &loaded{entries: *e}
	if len(e.near) > 0 {
		slices.SortFunc(l.near, func(a, b near) int { return int(a.digest.Key()) - int(b.digest.Key()) })
		l.first = make([]int32, 1<<16+1)
		for _, n := range l.near {
			l.first[int(n.digest.Key())+1]++
		}
		for i := range 1 << 16 {
			l.first[i+1] += l.first[i]
		}
	}
	return l, nil
}

// Lookup finds a file by its SHA-256. It is for files of [MinSize] at least.
func (s *Set) Lookup(sum [sha256.Size]byte) (engine.Finding, bool) {
	for _, f := range s.files {
		l := f.loaded.Load()
		if l == nil {
			continue
		}
		if id, ok := l.sums[sum]; ok {
			return engine.Finding{Engine: f.Name, Signature: signature(l.names[id], fmt.Sprintf("SHA-256 %x", sum[:8])), Kind: f.Kind}, true
		}
	}
	return engine.Finding{}, false
}

// Near finds the nearest relative of a file by its TLSH digest.
func (s *Set) Near(d tlsh.Digest) (engine.Finding, bool) {
	best, found := s.cfg.Distance, false
	var out engine.Finding
	for key := range keys(d.Key(), best) {
		if tlsh.KeyDistance(key, d.Key()) > best {
			continue // something nearer has been found since
		}
		for _, f := range s.files {
			l := f.loaded.Load()
			if l == nil || l.first == nil {
				continue
			}
			for _, n := range l.near[l.first[key]:l.first[int(key)+1]] {
				distance, ok := tlsh.Within(d, n.digest, best)
				if !ok {
					continue
				}
				best, found = distance-1, true
				name := signature(l.names[n.name], "TLSH "+n.digest.String()[:18])
				out = engine.Finding{Engine: f.Name, Signature: fmt.Sprintf("like %s (distance %d)", name, distance), Kind: engine.Suspicious}
			}
		}
	}
	return out, found
}

// keys are those that are at most most from a key: the lengths around it, going round,
// with the ratios around it.
func keys(key uint16, most int) iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		lengths, ratios := min(max(most/12, 1), 127), min(1+most/12, 7)
		for i := -lengths; i <= lengths; i++ {
			for j := -ratios; j <= ratios+1; j++ {
				for k := -ratios; k <= ratios+1; k++ {
					if j > ratios && ratios < 7 || k > ratios && ratios < 7 {
						continue // eight away is the same from both sides, and once
					}
					x := uint16(byte(key>>8)+byte(i))<<8 | uint16((int(key>>4)+j)&15)<<4 | uint16((int(key)+k)&15)
					if tlsh.KeyDistance(x, key) <= most && !yield(x) {
						return
					}
				}
			}
		}
	}
}

// HasNear says whether any list has digests of relatives.
func (s *Set) HasNear() bool { return s.has.Load() }

// Find looks a file up by all its digests; where says where it is.
func (s *Set) Find(data []byte, sum [sha256.Size]byte, where string) []engine.Finding {
	if f := s.exact(len(data), sum, where); f != nil || !s.HasNear() || len(data) > MaxNearSize {
		return f
	}
	d, err := tlsh.Sum(data)
	if err != nil {
		return nil
	}
	return s.relative(d, where)
}

// Known is Find for a file whose digests somebody else made, TLSH in text and "" where
// there is none. A text that is no digest finds nothing.
func (s *Set) Known(size int, sum [sha256.Size]byte, digest, where string) []engine.Finding {
	if f := s.exact(size, sum, where); f != nil || !s.HasNear() || digest == "" {
		return f
	}
	d, err := tlsh.Parse(digest)
	if err != nil {
		return nil
	}
	return s.relative(d, where)
}

func (s *Set) exact(size int, sum [sha256.Size]byte, where string) []engine.Finding {
	if size < MinSize {
		return nil
	}
	f, ok := s.Lookup(sum)
	return located(f, ok, where)
}

func (s *Set) relative(d tlsh.Digest, where string) []engine.Finding {
	f, ok := s.Near(d)
	return located(f, ok, where)
}

func located(f engine.Finding, ok bool, where string) []engine.Finding {
	if !ok {
		return nil
	}
	f.Where = where
	return []engine.Finding{f}
}

func signature(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// Health is the state of each list, in the order of the configuration.
func (s *Set) Health() []FileHealth {
	out := make([]FileHealth, len(s.files))
	for i, f := range s.files {
		f.mu.Lock()
		out[i] = f.health
		f.mu.Unlock()
	}
	return out
}
