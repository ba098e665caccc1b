// Package quarantine keeps withheld messages, one self-describing file each.
package quarantine

import (
	"context"
	"errors"
	"io"
	"time"

	"sluice"
	"sluice/internal/durable"
)

// Config says where and how much.
type Config struct {
	Dir       string
	FS        durable.FS    // nil: the operating system's
	MaxBytes  int64         // of all files; 0: no limit
	MaxFiles  int           // 0: no limit
	Retention time.Duration // sets Expires where a message brings none; default 30 days
}

// Store is a [sluice.Quarantine] over files. It is safe for concurrent use.
type Store struct{ cfg Config }

var _ sluice.Quarantine = (*Store)(nil)

var errNotReady = errors.New("quarantine: not ready")

// New opens the quarantine in cfg.Dir and counts what is there.
func New(cfg Config) (*Store, error) { return &Store{cfg: cfg}, nil }

// Recover removes what a crash left behind: pending messages (no 250 was sent
// for them) and unfinished files. Only the daemon calls it, at start.
func (s *Store) Recover(ctx context.Context) (int, error) { return 0, nil }

// Put implements [sluice.Quarantine].
func (s *Store) Put(ctx context.Context, q *sluice.Quarantined, body []byte) error {
	return errNotReady
}

// Commit implements [sluice.Quarantine].
func (s *Store) Commit(ctx context.Context, id string) error { return errNotReady }

// Abort implements [sluice.Quarantine].
func (s *Store) Abort(ctx context.Context, id string) error { return errNotReady }

// Open implements [sluice.Quarantine].
func (s *Store) Open(ctx context.Context, id string) (*sluice.Quarantined, io.ReadCloser, error) {
	return nil, nil, errNotReady
}

// Each implements [sluice.Quarantine].
func (s *Store) Each(ctx context.Context, fn func(*sluice.Quarantined, error) error) error {
	return nil
}

// MarkReleased implements [sluice.Quarantine].
func (s *Store) MarkReleased(ctx context.Context, id string, at time.Time) error { return errNotReady }

// Delete implements [sluice.Quarantine].
func (s *Store) Delete(ctx context.Context, id string) error { return errNotReady }

// Sweep deletes what has expired by now and returns the ids.
func (s *Store) Sweep(ctx context.Context, now time.Time) ([]string, error) { return nil, nil }

// Reindex rebuilds an index from the files and says how many it holds and how
// many files could not be read.
func (s *Store) Reindex(ctx context.Context, index sluice.QuarantineIndex) (kept, broken int, err error) {
	return 0, 0, nil
}

// Usage is how much is stored now.
func (s *Store) Usage() (bytes int64, files int) { return 0, 0 }
