package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"sluice"
	"sluice/store"
)

// replacement remembers what happens to the index while it is rebuilt from the
// files, so that the rebuilt one is as new as the old.
type replacement struct {
	one sync.Mutex // one rebuild at a time

	mu      sync.Mutex
	running bool
	removed map[string]struct{} // unindexed since the rebuild began
}

func (r *replacement) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.removed = true, make(map[string]struct{})
}

func (r *replacement) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.removed = false, nil
}

func (r *replacement) note(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		r.removed[id] = struct{}{}
	}
}

// IndexQuarantined adds or replaces one row.
func (s *Store) IndexQuarantined(ctx context.Context, q *sluice.Quarantined) error {
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		// A new seq each time tells a rebuild that this row is newer than it.
		return insertQuarantined(ctx, tx, "quarantine", "OR REPLACE", q)
	})
}

func insertQuarantined(ctx context.Context, tx *sql.Tx, table, or string, q *sluice.Quarantined) error {
	text, err := encodeQuarantined(q)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT `+or+` INTO `+table+` (id, tenant, stored, pending, threat, haystack, document)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		q.ID, q.Tenant, nanos(q.Stored), q.Pending, q.Verdict.Threat,
		[]byte(store.Haystack(q.ID, q.Envelope.From, q.Subject, q.Envelope.Addresses())), text)
	return err
}

// Unindex removes one row; one that isn't there is [sluice.ErrNotFound].
func (s *Store) Unindex(ctx context.Context, id string) error {
	s.index.note(id)
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM quarantine WHERE id = ?`, id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = sluice.ErrNotFound
		}
		return err
	})
}

// Quarantined returns a page of the index, newest first.
func (s *Store) Quarantined(ctx context.Context, q sluice.Query) ([]*sluice.Quarantined, error) {
	sel := selection{table: "quarantine", time: "stored"}
	if err := sel.build(ctx, s.read, q); err != nil {
		return nil, s.explain(err)
	}
	if !q.Pending {
		sel.and("pending = 0")
	}
	if cond, args := files(q); cond != "" {
		sel.and(`EXISTS (SELECT 1 FROM message WHERE message.id = quarantine.id AND `+cond+`)`, args...)
	}
	sel.args = append(sel.args, q.Page())
	rows, err := s.read.QueryContext(ctx,
		`SELECT document FROM quarantine `+sel.where()+` ORDER BY stored DESC, seq DESC LIMIT ?`, sel.args...)
	if err != nil {
		return nil, s.explain(err)
	}
	out, err := collect(rows, decodeQuarantined)
	return out, s.explain(err)
}

// ReplaceIndex swaps the index for what each yields. Rows are staged first, so
// neither readers nor the log wait while the files are read, and an error of
// each leaves the index as it was. What is indexed or unindexed meanwhile stays
// so.
func (s *Store) ReplaceIndex(ctx context.Context, each func(yield func(*sluice.Quarantined) error) error) error {
	s.index.one.Lock()
	defer s.index.one.Unlock()
	s.index.begin()
	defer s.index.end()

	// The staging table lives in the writer's connection only.
	var newest int64
	err := s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS temp.staging`); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `CREATE TEMP TABLE staging (id TEXT PRIMARY KEY, tenant TEXT, stored INTEGER,
			pending INTEGER, threat INTEGER, haystack BLOB, document TEXT)`); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM quarantine`).Scan(&newest)
	})
	if err != nil {
		return err
	}
	var pending []*sluice.Quarantined
	stage := func() error {
		err := s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
			for _, q := range pending {
				if err := insertQuarantined(ctx, tx, "temp.staging", "OR REPLACE", q); err != nil {
					return err
				}
			}
			return nil
		})
		pending = pending[:0]
		return err
	}
	err = each(func(q *sluice.Quarantined) error {
		pending = append(pending, store.CloneQuarantined(q))
		if len(pending) < 100 {
			return nil
		}
		return stage()
	})
	if err == nil {
		err = stage()
	}
	if err == nil {
		err = s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
			return s.swap(ctx, tx, newest)
		})
	}
	if drop := s.mutate(context.WithoutCancel(ctx), false, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS temp.staging`)
		return err
	}); err == nil {
		err = drop
	}
	return err
}

// swap puts the staged rows in place of those up to newest.
func (s *Store) swap(ctx context.Context, tx *sql.Tx, newest int64) error {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for id := range s.index.removed {
		if _, err := tx.ExecContext(ctx, `DELETE FROM temp.staging WHERE id = ?`, id); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM quarantine WHERE seq <= ?`, newest); err != nil {
		return err
	}
	// OR IGNORE: a row indexed meanwhile is newer than the file that was read.
	_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO quarantine (id, tenant, stored, pending, threat, haystack, document)
		SELECT id, tenant, stored, pending, threat, haystack, document FROM temp.staging ORDER BY stored, id`)
	return err
}
