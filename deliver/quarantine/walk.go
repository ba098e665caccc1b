package quarantine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/internal/durable"
)

// pendingLife is how long after a message was written a relay could still be
// answered, with much to spare: the whole of one is bounded by 300 s.
const pendingLife = time.Hour

// files lists every file: fn gets its id, its extension and its size.
func (s *Store) eachFile(ctx context.Context, fn func(dir, id, ext string, size int64) error) error {
	shards, err := s.fs.List(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	for _, shard := range shards {
		if !shard.Dir || len(shard.Name) != 2 {
			continue
		}
		dir := path.Join(s.cfg.Dir, shard.Name)
		list, err := s.fs.List(dir)
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		for _, e := range list {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("quarantine: %w", err)
			}
			ext := path.Ext(e.Name)
			id := strings.TrimSuffix(e.Name, ext)
			if e.Dir || ext != durable.TempSuffix && (!validID(id) || s.dir(id) != dir) {
				continue // not ours: left alone
			}
			if err := fn(dir, id, ext, e.Size); err != nil {
				return err
			}
		}
	}
	return nil
}

// count takes stock, for the quota.
func (s *Store) count(ctx context.Context) error {
	s.mu.Lock()
	s.added.bytes, s.added.files = 0, 0
	s.mu.Unlock()
	var bytes int64
	var files int
	err := s.eachFile(ctx, func(_, _, ext string, size int64) error {
		if ext == extDone || ext == extPending {
			bytes += size
			files++
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// What came meanwhile may have been counted or not: rather too much.
	s.bytes, s.files = bytes+s.added.bytes, files+s.added.files
	return nil
}

// Recover removes what a crash left behind: pending messages (no 250 was sent
// for them), unfinished files, and notes of messages that are gone. It says how
// many messages were pending. Only the daemon calls it, at start, before any Put.
func (s *Store) Recover(ctx context.Context) (pending int, err error) {
	touched := map[string]bool{}
	err = s.eachFile(ctx, func(dir, id, ext string, _ int64) error {
		switch ext {
		case extPending:
			pending++
		case durable.TempSuffix:
		case extReleased:
			r, err := s.fs.Open(s.name(id, extDone))
			if err == nil {
				return r.Close()
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		default:
			return nil
		}
		touched[dir] = true
		if err := s.fs.Remove(path.Join(dir, id+ext)); err != nil {
			return fmt.Errorf("quarantine: recover: %w", err)
		}
		return nil
	})
	if err != nil {
		return pending, err
	}
	for dir := range touched {
		if err := s.fs.SyncDir(dir); err != nil {
			return pending, fmt.Errorf("quarantine: recover: %w", err)
		}
	}
	return pending, s.count(ctx)
}

// Each implements [sluice.Quarantine]. Broken files are reported first.
func (s *Store) Each(ctx context.Context, fn func(*sluice.Quarantined, error) error) error {
	type found struct {
		id, ext string
		stored  time.Time
	}
	var all []found
	err := s.eachFile(ctx, func(_, id, ext string, _ int64) error {
		if ext != extDone && ext != extPending {
			return nil
		}
		q, b, err := s.open(id, ext)
		switch {
		case err == nil:
			all = append(all, found{id, ext, q.Stored})
			return b.Close()
		case errors.Is(err, fs.ErrNotExist), ext == extPending:
			return nil // gone meanwhile, or still being written
		}
		return fn(nil, fmt.Errorf("quarantine: %s: %w", id, err))
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b found) int {
		if c := a.stored.Compare(b.stored); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	for _, f := range all {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		q, b, err := s.open(f.id, f.ext)
		if errors.Is(err, fs.ErrNotExist) && f.ext == extPending {
			q, b, err = s.open(f.id, extDone) // committed meanwhile
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			q, err = nil, fmt.Errorf("quarantine: %s: %w", f.id, err)
		default:
			err = b.Close()
		}
		if err := fn(q, err); err != nil {
			return err
		}
	}
	return nil
}

// Sweep deletes what has expired by now, and pending messages that nobody can
// be waiting for any more, and counts anew. It returns the ids of deleted
// messages, so that their rows can go too.
func (s *Store) Sweep(ctx context.Context, now time.Time) (deleted []string, err error) {
	var failed error
	err = s.eachFile(ctx, func(_, id, ext string, _ int64) error {
		if ext != extDone && ext != extPending {
			return nil
		}
		q, b, err := s.open(id, ext)
		if err != nil {
			return nil // broken ones are for a person to look at
		}
		_ = b.Close()
		due := q.Expires
		if ext == extPending {
			due = q.Stored.Add(pendingLife)
		}
		if now.Before(due) {
			return nil
		}
		switch err := s.remove(id, ext); {
		case err == nil && ext == extDone:
			deleted = append(deleted, id)
		case err != nil && !errors.Is(err, sluice.ErrNotFound):
			failed = errors.Join(failed, err)
		}
		return nil
	})
	return deleted, errors.Join(err, failed, s.count(ctx))
}

// Reindex rebuilds an index from the files and says how many messages it holds
// now and how many files could not be read. Pending messages are left out.
func (s *Store) Reindex(ctx context.Context, index sluice.QuarantineIndex) (kept, broken int, err error) {
	err = index.ReplaceIndex(ctx, func(yield func(*sluice.Quarantined) error) error {
		kept, broken = 0, 0
		return s.Each(ctx, func(q *sluice.Quarantined, err error) error {
			switch {
			case err != nil:
				broken++
				return nil
			case q.Pending:
				return nil
			}
			kept++
			return yield(q)
		})
	})
	if err != nil {
		return 0, broken, fmt.Errorf("quarantine: reindex: %w", err)
	}
	return kept, broken, nil
}
