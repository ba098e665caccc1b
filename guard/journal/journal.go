// Package journal remembers which entries of a memory changed since they were
// last written down, and reads them back.
package journal

import (
	"context"
	"fmt"
	"sync"

	"sluice"
)

// batch is how many memos are written at a time.
const batch = 256

// Journal is a bounded set of keys. Its methods are safe for concurrent use.
type Journal[K comparable] struct {
	mu    sync.Mutex
	keys  map[K]struct{}
	most  int
	saves sync.Mutex // one Save at a time, so that an older state never overwrites a newer one
}

// New makes a Journal of at most so many keys; what comes beyond is not noted, and
// written when it changes next.
func New[K comparable](most int) *Journal[K] {
	return &Journal[K]{keys: map[K]struct{}{}, most: most}
}

// Note says that the entry of a key changed.
func (j *Journal[K]) Note(key K) {
	j.mu.Lock()
	if len(j.keys) < j.most {
		j.keys[key] = struct{}{}
	}
	j.mu.Unlock()
}

// Save writes what changed, as memo renders it, and says how many; memo returns
// false for what is gone. What couldn't be written stays noted.
func (j *Journal[K]) Save(ctx context.Context, memos sluice.Memos, memo func(K) (sluice.Memo, bool)) (int, error) {
	j.saves.Lock()
	defer j.saves.Unlock()
	j.mu.Lock()
	changed := j.keys
	j.keys = make(map[K]struct{})
	j.mu.Unlock()

	written := 0
	var keys []K
	var rows []sluice.Memo
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		if err := memos.PutMemos(ctx, rows); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		written += len(rows)
		for _, k := range keys {
			delete(changed, k)
		}
		keys, rows = keys[:0], rows[:0]
		return nil
	}
	for k := range changed {
		m, ok := memo(k)
		if !ok {
			delete(changed, k)
			continue
		}
		keys, rows = append(keys, k), append(rows, m)
		if len(rows) == batch {
			if err := flush(); err != nil {
				j.again(changed)
				return written, err
			}
		}
	}
	if err := flush(); err != nil {
		j.again(changed)
		return written, err
	}
	return written, nil
}

func (j *Journal[K]) again(keys map[K]struct{}) {
	for k := range keys {
		j.Note(k)
	}
}

// Load calls each for every memo of a kind and says how many it took. Memos for which
// it fails are left out, and the error counts them.
func Load(ctx context.Context, memos sluice.Memos, kind string, each func(sluice.Memo) (bool, error)) (int, error) {
	taken, bad, first := 0, 0, error(nil)
	err := memos.EachMemo(ctx, kind, func(m sluice.Memo) error {
		switch ok, e := each(m); {
		case e != nil && bad == 0:
			bad, first = 1, fmt.Errorf("%.80q: %w", m.Key, e)
		case e != nil:
			bad++
		case ok:
			taken++
		}
		return ctx.Err()
	})
	if err != nil {
		return taken, fmt.Errorf("load %s: %w", kind, err)
	}
	if bad > 0 {
		return taken, fmt.Errorf("load %s: %d memos can't be read, such as %w", kind, bad, first)
	}
	return taken, nil
}
