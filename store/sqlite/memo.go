package sqlite

import (
	"context"
	"database/sql"
	"time"

	"sluice"
	"sluice/store"
)

// Pages in which memos are read and deleted, so that neither a reader nor the
// writer holds the database for long.
const (
	memoPage  = 1000
	sweepMemo = 1000
)

// PutMemos adds or replaces all of them, or none.
func (s *Store) PutMemos(ctx context.Context, memos []sluice.Memo) error {
	if err := store.CheckMemos(memos); err != nil {
		return s.explain(err)
	}
	if len(memos) == 0 {
		return nil
	}
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO memo (kind, key, value, updated) VALUES (?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer put.Close()
		for i := range memos {
			m := &memos[i]
			value := m.Value
			if value == nil {
				value = []byte{} // nil would be NULL
			}
			if _, err := put.ExecContext(ctx, m.Kind, []byte(m.Key), value, nanos(m.Updated)); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachMemo yields a kind's, until each returns an error. It reads page by page,
// so each may take its time and use the store.
func (s *Store) EachMemo(ctx context.Context, kind string, each func(sluice.Memo) error) error {
	for after := []byte(""); ; { // no key is empty
		page, err := s.memos(ctx, kind, after)
		if err != nil {
			return s.explain(err)
		}
		for i := range page {
			if err := each(page[i]); err != nil {
				return err
			}
		}
		if len(page) < memoPage {
			return nil
		}
		after = []byte(page[len(page)-1].Key)
	}
}

// memos reads the page behind a key.
func (s *Store) memos(ctx context.Context, kind string, after []byte) ([]sluice.Memo, error) {
	rows, err := s.read.QueryContext(ctx,
		`SELECT key, value, updated FROM memo WHERE kind = ? AND key > ? ORDER BY key LIMIT ?`, kind, after, memoPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []sluice.Memo
	for rows.Next() {
		var key []byte
		var at int64
		m := sluice.Memo{Kind: kind}
		if err := rows.Scan(&key, &m.Value, &at); err != nil {
			return nil, err
		}
		m.Key, m.Updated = string(key), moment(at)
		out = append(out, m)
	}
	return out, rows.Err()
}

// DropMemos deletes those of a kind last updated before t, some at a time.
func (s *Store) DropMemos(ctx context.Context, kind string, t time.Time) (int, error) {
	return s.sweep(ctx, sweepMemo, `DELETE FROM memo WHERE kind = ?1 AND key IN
		(SELECT key FROM memo WHERE kind = ?1 AND updated < ?2 LIMIT ?3)`, kind, nanos(t), sweepMemo)
}
