// Package quarantine keeps withheld messages, one self-describing file each:
// description, envelope, verdict and the message as it came. The files are the
// truth; a database row only helps to find them.
//
// A message lies in DIR/xy/ID.sq, where xy are the first characters of its
// random id. ID.pending is a message whose relay to other recipients has not
// been answered yet, or one that is still being written: both mean that no
// sender was told 250, so [Store.Recover] drops them after a crash. ID.rel notes
// a release. The format is that of package box.
package quarantine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice"
	"sluice/deliver/internal/filed"
	"sluice/internal/durable"
	"sluice/internal/durable/box"
)

// ErrFull is the quota: the sender gets 452 4.3.1 and keeps the message.
var ErrFull = errors.New("quarantine: full")

const (
	extDone     = ".sq"
	extPending  = ".pending"
	extReleased = ".rel"

	formatName = "sluice-quarantine 1"
)

// Config says where and how much.
type Config struct {
	Dir       string
	FS        durable.FS    // nil: the operating system's
	MaxBytes  int64         // of all files as stored; 0: no limit
	MaxFiles  int           // 0: no limit
	Retention time.Duration // sets Expires where a message brings none; default 30 days
}

// Store is a [sluice.Quarantine] over files. It is safe for concurrent use, and
// other processes may read, release and delete beside it.
type Store struct {
	cfg    Config
	fs     durable.FS
	format *box.Format
	made   sync.Map   // folders known to last
	relMu  sync.Mutex // one writer of .rel files at a time

	mu    sync.Mutex
	bytes int64 // used and reserved
	files int
	added struct { // since the last count began
		bytes int64
		files int
	}
}

var _ sluice.Quarantine = (*Store)(nil)

// New opens the quarantine in cfg.Dir and counts what is there.
func New(cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, errors.New("quarantine: no folder given")
	}
	if cfg.FS == nil {
		cfg.FS = durable.OS{}
	}
	if cfg.Retention == 0 {
		cfg.Retention = 30 * 24 * time.Hour
	}
	s := &Store{cfg: cfg, fs: cfg.FS, format: box.NewFormat(formatName)}
	if err := s.fs.MkdirAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	return s, s.count(context.Background())
}

// Put implements [sluice.Quarantine]. It sets q.Size, and q.ID, q.Stored and
// q.Expires where they are zero. Beyond the quota, or on a full disk, the error
// is [ErrFull] and carries the reply 452 4.3.1.
func (s *Store) Put(ctx context.Context, q *sluice.Quarantined, body []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	if q.ID == "" {
		q.ID = rand.Text()
	}
	if !validID(q.ID) {
		return fmt.Errorf("quarantine: %q can't be an id", q.ID)
	}
	if q.Stored.IsZero() {
		q.Stored = time.Now().UTC()
	}
	if q.Expires.IsZero() {
		q.Expires = q.Stored.Add(s.cfg.Retention)
	}
	q.Size = int64(len(body))
	estimate := int64(len(body)) + 1024
	if !s.reserve(estimate) {
		return full(ErrFull)
	}
	size, err := s.put(q, body)
	if err != nil {
		s.release(estimate, 1)
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return full(fmt.Errorf("%w: %w", ErrFull, err))
		}
		return fmt.Errorf("quarantine: %w", err)
	}
	s.release(estimate-size, 0)
	return nil
}

func full(err error) error {
	return &sluice.Error{Reply: sluice.Reply{Code: 452, Enhanced: "4.3.1", Text: "Storage is full; please try again later"}, Err: err}
}

// sizer counts what is written.
type sizer struct {
	w io.Writer
	n int64
}

func (s *sizer) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	return n, err
}

func (s *Store) put(q *sluice.Quarantined, body []byte) (int64, error) {
	dir := s.dir(q.ID)
	pending, done := s.name(q.ID, extPending), s.name(q.ID, extDone)
	f, err := s.create(dir, pending)
	if err != nil {
		return 0, err
	}
	var size int64
	err = durable.Finish(f, func(w io.Writer) error {
		// Holding the name ID.pending, we may look whether ID.sq is taken.
		if r, err := s.fs.Open(done); err == nil {
			_ = r.Close()
			return fmt.Errorf("%s: %w", q.ID, fs.ErrExist)
		}
		c := &sizer{w: w}
		defer func() { size = c.n }()
		return s.format.Write(c, encode(q), body)
	})
	if err == nil && !q.Pending {
		err = s.fs.Rename(pending, done)
	}
	if err == nil {
		err = s.fs.SyncDir(dir)
	}
	if err != nil {
		// Whichever name it has now: nobody will be told that it is kept.
		_ = s.fs.Remove(pending)
		if !q.Pending && !errors.Is(err, fs.ErrExist) {
			_ = s.fs.Remove(done)
		}
		return 0, err
	}
	return size, nil
}

// create makes a file, and its folder where there is none, or none any more.
func (s *Store) create(dir, name string) (durable.File, error) {
	if err := s.mkdir(dir); err != nil {
		return nil, err
	}
	f, err := s.fs.Create(name)
	if errors.Is(err, fs.ErrNotExist) {
		s.made.Delete(dir)
		if err := s.mkdir(dir); err != nil {
			return nil, err
		}
		f, err = s.fs.Create(name)
	}
	return f, err
}

// Commit implements [sluice.Quarantine]. A second Commit does nothing.
func (s *Store) Commit(ctx context.Context, id string) error {
	if !validID(id) {
		return notFound(id)
	}
	err := s.fs.Rename(s.name(id, extPending), s.name(id, extDone))
	if errors.Is(err, fs.ErrNotExist) {
		r, oerr := s.fs.Open(s.name(id, extDone))
		if oerr != nil {
			return notFound(id)
		}
		err = r.Close()
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir(id))
	}
	if err != nil {
		return fmt.Errorf("quarantine: commit %s: %w", id, err)
	}
	return nil
}

// Abort implements [sluice.Quarantine]. It never touches a committed message.
func (s *Store) Abort(ctx context.Context, id string) error { return s.remove(id, extPending) }

// Delete implements [sluice.Quarantine]. It never touches a pending message.
func (s *Store) Delete(ctx context.Context, id string) error { return s.remove(id, extDone) }

func (s *Store) remove(id, ext string) error {
	if !validID(id) {
		return notFound(id)
	}
	name := s.name(id, ext)
	var size int64
	if r, err := s.fs.Open(name); err == nil {
		size = r.Size()
		_ = r.Close()
	}
	err := s.fs.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound(id)
	}
	if err == nil {
		s.release(size, 1)
		if ext == extDone {
			if err = s.fs.Remove(s.name(id, extReleased)); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	if err == nil {
		err = s.fs.SyncDir(s.dir(id))
	}
	if err != nil {
		return fmt.Errorf("quarantine: delete %s: %w", id, err)
	}
	return nil
}

// release notes are small: {"Released":"2026-01-02T15:04:05Z"}.
type releaseNote struct{ Released time.Time }

const maxReleaseNote = 1 << 10

// MarkReleased implements [sluice.Quarantine].
func (s *Store) MarkReleased(ctx context.Context, id string, at time.Time) error {
	s.relMu.Lock()
	defer s.relMu.Unlock()
	if !validID(id) {
		return notFound(id)
	}
	r, err := s.fs.Open(s.name(id, extDone))
	if errors.Is(err, fs.ErrNotExist) {
		return notFound(id)
	}
	if err == nil {
		_ = r.Close()
		var js []byte
		if js, err = json.Marshal(releaseNote{at.UTC()}); err == nil {
			err = durable.WriteFile(s.fs, s.name(id, extReleased), js)
		}
	}
	if err != nil {
		return fmt.Errorf("quarantine: release %s: %w", id, err)
	}
	return nil
}

// released reads the note of a release; a damaged one counts as none.
func (s *Store) released(id string) time.Time {
	r, err := s.fs.Open(s.name(id, extReleased))
	if err != nil {
		return time.Time{}
	}
	defer r.Close()
	var note releaseNote
	if r.Size() <= maxReleaseNote {
		if err := json.NewDecoder(io.NewSectionReader(r, 0, r.Size())).Decode(&note); err != nil {
			return time.Time{}
		}
	}
	return note.Released
}

// Open implements [sluice.Quarantine]. The whole file is verified before it
// returns. A pending message can be looked at; q.Pending says so, and it must
// not be released.
func (s *Store) Open(ctx context.Context, id string) (*sluice.Quarantined, io.ReadCloser, error) {
	if !validID(id) {
		return nil, nil, notFound(id)
	}
	for _, ext := range []string{extDone, extPending} {
		q, b, err := s.open(id, ext)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("quarantine: %s: %w", id, err)
		}
		rc, err := b.Read()
		if err != nil {
			_ = b.Close()
			return nil, nil, fmt.Errorf("quarantine: %s: %w", id, err)
		}
		return q, rc, nil
	}
	return nil, nil, notFound(id)
}

// open reads the description; the caller closes the box.
func (s *Store) open(id, ext string) (*sluice.Quarantined, *box.Box, error) {
	r, err := s.fs.Open(s.name(id, ext))
	if err != nil {
		return nil, nil, err
	}
	b, err := s.format.Open(r)
	if err != nil {
		return nil, nil, err
	}
	q, err := decode(b.Meta)
	if err == nil && q.ID != id {
		err = fmt.Errorf("%w: holds the message %.64q", box.ErrTorn, q.ID)
	}
	if err != nil {
		_ = b.Close()
		return nil, nil, err
	}
	q.Size = b.Content
	q.Pending = ext == extPending
	q.Released = s.released(id)
	return q, b, nil
}

func encode(q *sluice.Quarantined) *sluice.Quarantined {
	c := *q
	c.Envelope = filed.Pack(q.Envelope)
	c.Conn.Hello.Name = filed.PackString(q.Conn.Hello.Name)
	c.Pending, c.Released = false, time.Time{} // said by the file's name and its note
	return &c
}

// decode reads the description. Octets of Subject and of details that were no
// UTF-8 have become U+FFFD; the envelope is exact.
func decode(js []byte) (*sluice.Quarantined, error) {
	q := &sluice.Quarantined{}
	if err := json.Unmarshal(js, q); err != nil {
		return nil, fmt.Errorf("%w: %w", box.ErrTorn, err)
	}
	q.Envelope = filed.Unpack(q.Envelope)
	q.Conn.Hello.Name = filed.UnpackString(q.Conn.Hello.Name)
	return q, nil
}

func notFound(id string) error { return fmt.Errorf("quarantine: %.64q: %w", id, sluice.ErrNotFound) }

// validID allows what can stand in a file name everywhere and can't leave the
// folder.
func validID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func (s *Store) dir(id string) string { return path.Join(s.cfg.Dir, strings.ToLower(id[:2])) }

func (s *Store) name(id, ext string) string { return path.Join(s.dir(id), id+ext) }

func (s *Store) mkdir(dir string) error {
	if _, ok := s.made.Load(dir); ok {
		return nil
	}
	if err := s.fs.MkdirAll(dir); err != nil {
		return err
	}
	s.made.Store(dir, true)
	return nil
}

func (s *Store) reserve(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.MaxBytes > 0 && s.bytes+n > s.cfg.MaxBytes || s.cfg.MaxFiles > 0 && s.files+1 > s.cfg.MaxFiles {
		return false
	}
	s.bytes += n
	s.files++
	s.added.bytes += n
	s.added.files++
	return true
}

func (s *Store) release(n int64, files int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes = max(s.bytes-n, 0)
	s.files = max(s.files-files, 0)
}

// Usage is how much is stored now, as far as this process knows; [Store.Sweep]
// counts again.
func (s *Store) Usage() (bytes int64, files int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes, s.files
}
