// Package urllist knows bad places in the web: lists in local files (addresses, hosts
// and domains; plain, as a hosts file, or as the CSV of URLhaus), read anew when they
// change, and lists of domains in the DNS, whose health is looked after as that of all
// DNS lists.
package urllist

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/message/links"
)

// Kind says what a listing means.
type Kind uint8

// The kinds.
const (
	Bad    Kind = iota + 1 // phishing, malware, spam
	Abused                 // an honest site that others abuse, or one of mixed repute
)

// Finding is one list's word on a link.
type Finding struct {
	List    string // its name; never its key
	Entry   string // what is listed: a URL, a host or a domain; printable
	Meaning string // a few words; "" where the list has none
	Kind    Kind
}

// File is one list in a file.
type File struct {
	Path string
	Name string // what people see; "": the file's base name is not shown, "URL list" is
	Kind Kind   // 0: Bad
}

// Config says which files there are. Zero fields have defaults.
type Config struct {
	Files      []File
	MaxBytes   int64         // of one file; 0: 256 MB
	MaxEntries int           // of one file; 0: 2 million
	Every      time.Duration // between two looks at the files; 0: 30 s
	Now        func() time.Time
	Log        *slog.Logger // of files that are read or can't be; nil: none
}

// Set is the lists in files. It is safe for concurrent use.
type Set struct {
	cfg   Config
	seed  maphash.Seed
	files []*file
}

type file struct {
	File
	loaded atomic.Pointer[entries]

	mu     sync.Mutex // of a reload
	info   fs.FileInfo
	health Health
}

// Health is a list in a file as people see it.
type Health struct {
	Path    string    `json:"path"`
	Name    string    `json:"name"`
	Entries int       `json:"entries"`
	Skipped int       `json:"skipped"` // lines that are no entry
	Read    time.Time `json:"read,omitzero"`
	Changed time.Time `json:"changed,omitzero"` // the file's own time
	Why     string    `json:"why,omitempty"`    // it can't be read now; what was read before is in use
}

// New reads the lists. One that can't be read is an error.
func New(c Config) (*Set, error) {
	if c.MaxBytes <= 0 {
		c.MaxBytes = 256 << 20
	}
	if c.MaxEntries <= 0 {
		c.MaxEntries = 2_000_000
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
	s := &Set{cfg: c, seed: maphash.MakeSeed()}
	for _, f := range c.Files {
		if f.Name == "" {
			f.Name = "URL list"
		}
		if f.Kind == 0 {
			f.Kind = Bad
		}
		s.files = append(s.files, &file{File: f, health: Health{Path: f.Path, Name: f.Name}})
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
	return changed, err
}

func (s *Set) reload(f *file) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	if err == nil && f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return false, nil // good or bad, it is as it was
	}
	var e *entries
	if err == nil {
		f.info = info
		e, err = s.read(f.Path)
	}
	if err != nil {
		err = fmt.Errorf("urllist: %s: %w", f.Path, err)
		if f.health.Why != err.Error() {
			s.cfg.Log.Warn("URL list", "path", f.Path, "why", err.Error())
		}
		f.health.Why = err.Error()
		return false, err
	}
	f.loaded.Store(e)
	f.health = Health{Path: f.Path, Name: f.Name, Entries: len(e.keys), Skipped: e.skipped, Read: s.cfg.Now(), Changed: info.ModTime()}
	s.cfg.Log.Info("URL list", "path", f.Path, "entries", len(e.keys), "skipped", e.skipped)
	return true, nil
}

func (s *Set) read(path string) (*entries, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	limited := &io.LimitedReader{R: f, N: s.cfg.MaxBytes}
	e, err := parse(limited, s.seed, s.cfg.MaxEntries)
	if err == nil && limited.N <= 0 {
		err = fmt.Errorf("more than %d octets", s.cfg.MaxBytes)
	}
	return e, err
}

// Health is the state of each list, in the order of the configuration.
func (s *Set) Health() []Health {
	if s == nil {
		return nil
	}
	out := make([]Health, len(s.files))
	for i, f := range s.files {
		f.mu.Lock()
		out[i] = f.health
		f.mu.Unlock()
	}
	return out
}

// maxLabels bounds how many names above a host are looked up.
const maxLabels = 6

// Lookup finds a link in the files: its address with and without query, its host, and
// the domains above the host down to the organization's. A nil set knows nothing.
func (s *Set) Lookup(l *links.Link) (found []Finding) {
	if s == nil || l.Host == "" {
		return nil
	}
	var keys []string
	for _, f := range s.files {
		e := f.loaded.Load()
		if e == nil || len(e.keys) == 0 {
			continue
		}
		if keys == nil {
			keys = questions(l)
		}
		for _, k := range keys {
			if id, ok := e.keys[maphash.String(s.seed, k)]; ok {
				found = append(found, Finding{List: f.Name, Entry: k[1:], Meaning: e.names[id], Kind: f.Kind})
				break // one word of each list
			}
		}
	}
	return found
}

// What a key is of.
const (
	ofURL    = "u"
	ofHost   = "h" // this host alone
	ofDomain = "d" // and all below
)

// questions are the keys under which a link may be listed, the most precise first.
func questions(l *links.Link) []string {
	keys := make([]string, 0, 10)
	full := address(l)
	keys = append(keys, ofURL+full)
	if i := strings.IndexByte(full, '?'); i >= 0 {
		keys = append(keys, ofURL+full[:i])
	}
	keys = append(keys, ofHost+l.Host, ofDomain+l.Host)
	org := links.OrgDomain(l.Host)
	for host, n := l.Host, 0; host != org && n < maxLabels; n++ {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			break
		}
		host = rest
		keys = append(keys, ofDomain+host)
	}
	if last := keys[len(keys)-1]; last[1:] != org {
		keys = append(keys, ofDomain+org)
	}
	return keys
}

// address is a link in the one form that is compared: host, port, path and query,
// without scheme, user and fragment, dots in the path resolved.
func address(l *links.Link) string {
	path, _, _ := strings.Cut(l.Path, "#")
	path, query, asks := strings.Cut(path, "?")
	path = resolve(path)
	if asks {
		path += "?" + query
	}
	if l.Port != "" && l.Port != "80" && l.Port != "443" {
		return l.Host + ":" + l.Port + path
	}
	return l.Host + path
}

// resolve takes "." and ".." out of a path as browsers do (RFC 3986 5.2.4).
func resolve(path string) string {
	path = strings.ReplaceAll(path, `\`, "/")
	if path == "" {
		return "/"
	}
	if !strings.Contains(path, "/.") {
		return path
	}
	var kept []string
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch part {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, part)
		}
	}
	return "/" + strings.Join(kept, "/")
}
