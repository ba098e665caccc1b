package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"sluice"
	"sluice/store"
)

// Record returns one row of the log.
func (s *Store) Record(ctx context.Context, id string) (*sluice.Record, error) {
	var text string
	err := s.read.QueryRowContext(ctx,
		`SELECT document FROM message JOIN message_document USING (seq) WHERE id = ?`, id).Scan(&text)
	if err != nil {
		return nil, s.explain(err)
	}
	r, err := decodeRecord(text)
	return r, s.explain(err)
}

// Records returns a page of the log, newest first. An id in Before that isn't
// there (any more) is [sluice.ErrNotFound].
func (s *Store) Records(ctx context.Context, q sluice.Query) ([]*sluice.Record, error) {
	sel := selection{table: "message", time: "time"}
	if err := sel.build(ctx, s.read, q); err != nil {
		return nil, s.explain(err)
	}
	if q.Action != nil {
		sel.and("actions & ? <> 0", int64(1)<<*q.Action)
	}
	if cond, args := files(q); cond != "" {
		sel.and(cond, args...)
	}
	if id := store.RelayedNeedle(q); id != "" {
		sel.and("relayed = ? AND relayed <> x''", []byte(id)) // as the index says
	}
	// The inner query walks narrow rows only; documents are read for the page.
	sel.args = append(sel.args, q.Page())
	rows, err := s.read.QueryContext(ctx, `
		SELECT document FROM (SELECT seq, time FROM message `+sel.where()+` ORDER BY time DESC, seq DESC LIMIT ?)
		JOIN message_document USING (seq) ORDER BY time DESC, seq DESC`, sel.args...)
	if err != nil {
		return nil, s.explain(err)
	}
	out, err := collect(rows, decodeRecord)
	return out, s.explain(err)
}

const countActions = `SELECT action, count(*) FROM message WHERE time >= ?1 AND (?2 = '' OR tenant = ?2) GROUP BY action`

// CountActions counts records since t by their strongest action.
func (s *Store) CountActions(ctx context.Context, tenant string, t time.Time) (map[sluice.Action]int, error) {
	rows, err := s.read.QueryContext(ctx, countActions, nanos(t), tenant)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	out := make(map[sluice.Action]int)
	for rows.Next() {
		var a sluice.Action
		var n int
		if err := rows.Scan(&a, &n); err != nil {
			return nil, s.explain(err)
		}
		out[a] = n
	}
	return out, s.explain(rows.Err())
}

// sweepRows is how many rows one transaction deletes, so that the log's queue
// never waits long.
const sweepRows = 1000

// Sweep deletes rows older than t, some at a time, and gives their space back.
func (s *Store) Sweep(ctx context.Context, t time.Time) (int, error) {
	return s.sweep(ctx, sweepRows,
		`DELETE FROM message WHERE seq IN (SELECT seq FROM message WHERE time < ? ORDER BY time LIMIT ?)`, nanos(t), sweepRows)
}

// sweep repeats a DELETE of at most limit rows until fewer were left.
func (s *Store) sweep(ctx context.Context, limit int64, query string, args ...any) (int, error) {
	total := 0
	for {
		var n int64
		err := s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, query, args...)
			if err != nil {
				return err
			}
			if n, err = res.RowsAffected(); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `PRAGMA incremental_vacuum(1024)`)
			return err
		})
		if err != nil {
			return total, err
		}
		total += int(n)
		if n < limit {
			return total, nil
		}
	}
}

// selection gathers the conditions that log and quarantine queries share.
type selection struct {
	table, time string
	conds       []string
	args        []any
}

func (s *selection) and(cond string, args ...any) {
	s.conds = append(s.conds, cond)
	s.args = append(s.args, args...)
}

func (s *selection) where() string {
	if len(s.conds) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(s.conds, " AND ")
}

// build adds what q asks for, but actions.
func (s *selection) build(ctx context.Context, db *sql.DB, q sluice.Query) error {
	if q.Before != "" {
		var at, seq int64
		err := db.QueryRowContext(ctx, `SELECT `+s.time+`, seq FROM `+s.table+` WHERE id = ?`, q.Before).Scan(&at, &seq)
		if err != nil {
			return err
		}
		s.and("("+s.time+", seq) < (?, ?)", at, seq)
	}
	if q.Tenant != "" {
		s.and("tenant = ?", q.Tenant)
	}
	if !q.Since.IsZero() {
		s.and(s.time+" >= ?", nanos(q.Since))
	}
	if !q.Until.IsZero() {
		s.and(s.time+" < ?", nanos(q.Until))
	}
	if q.Threat != nil {
		s.and("threat = ?", *q.Threat)
	}
	if needle := store.Needle(q); needle != "" {
		s.and("instr(haystack, ?) > 0", []byte(needle)) // both blobs: compared octet by octet
	}
	return nil
}

// files is the condition on rows of message that q's file makes, "" for none. A digest
// is found by its index. A name is looked for message by message, newest first, so that
// a page of a common one is soon full.
func files(q sluice.Query) (cond string, args []any) {
	name, inside := store.FileNeedle(q), store.InsideNeedle(q)
	cond = byName
	if !q.SHA256.IsZero() {
		cond, args = bySum, []any{q.SHA256[:]}
	}
	if name != "" {
		cond, args = cond+` AND instr(f.name, ?) > 0`, append(args, []byte(name))
	}
	if inside != "" {
		cond, args = cond+` AND instr(f.inside, ?) > 0`, append(args, []byte(inside))
	}
	if len(args) == 0 {
		return "", nil
	}
	return cond + `)`, args
}

// Each is closed by a bracket, behind what else the file must be.
const (
	bySum  = `message.seq IN (SELECT f.seq FROM message_file f WHERE f.sha256 <> x'' AND f.sha256 = ?`
	byName = `EXISTS (SELECT 1 FROM message_file f WHERE f.seq = message.seq`
)

// collect decodes one document a row.
func collect[T any](rows *sql.Rows, decode func(string) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		v, err := decode(text)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
