package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"sluice"
)

var _ sluice.Reviews = (*Store)(nil)

const (
	reviewColumns = `id, tenant, time, sender, subject, document, score, extractor, state, by, decided`
	reviewAll     = reviewColumns + `, features, print`
)

// reviewDoc is what a review has that nobody searches for.
type reviewDoc struct {
	To  []string `json:"to,omitzero"`
	Why []string `json:"why,omitzero"`
}

// PutReview adds one. One with the same ID stays as it is.
func (s *Store) PutReview(ctx context.Context, r *sluice.Review) error {
	doc, err := json.Marshal(reviewDoc{escapeAll(r.To), escapeAll(r.Why)})
	if err != nil {
		return s.explain(err)
	}
	state := r.State
	if state == "" {
		state = sluice.ReviewNew
	}
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO review (id, tenant, time, sender, subject, document, score, extractor,
				features, print, state, by, decided)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			escape(r.ID), escape(r.Tenant), nanos(r.Time), []byte(r.From), []byte(r.Subject), string(doc), finite(r.Score), r.Extractor,
			blob(r.Features), blob(r.Print), state, escape(r.By), nanos(r.Decided))
		return err
	})
}

// DropReview takes one out again, if nobody has looked at it.
func (s *Store) DropReview(ctx context.Context, id string) error {
	return s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM review WHERE id = ? AND state = ?`, escape(id), sluice.ReviewNew)
		return err
	})
}

// Review returns one.
func (s *Store) Review(ctx context.Context, id string) (*sluice.Review, error) {
	list, err := s.reviews(ctx, true, `SELECT `+reviewAll+` FROM review WHERE id = ?`, escape(id))
	if err == nil && len(list) == 0 {
		err = s.explain(sluice.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// ListReviews returns a page, newest first, without Features and Print.
func (s *Store) ListReviews(ctx context.Context, q sluice.ReviewQuery) ([]*sluice.Review, error) {
	var sel selection
	if q.Tenant != "" {
		sel.and("tenant = ?", escape(q.Tenant))
	}
	if q.State != "" {
		sel.and("state = ?", q.State)
	}
	if q.Before != "" {
		sel.and("(time, seq) < (SELECT time, seq FROM review WHERE id = ?)", escape(q.Before))
	}
	return s.reviews(ctx, false, `SELECT `+reviewColumns+` FROM review `+sel.where()+` ORDER BY time DESC, seq DESC LIMIT ?`,
		append(sel.args, q.Page())...)
}

func (s *Store) reviews(ctx context.Context, all bool, query string, args ...any) ([]*sluice.Review, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []*sluice.Review
	for rows.Next() {
		r := new(sluice.Review)
		var at, decided int64
		var from, subject []byte
		var text string
		into := []any{&r.ID, &r.Tenant, &at, &from, &subject, &text, &r.Score, &r.Extractor, &r.State, &r.By, &decided}
		if all {
			into = append(into, &r.Features, &r.Print)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, s.explain(err)
		}
		var doc reviewDoc
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			return nil, s.explain(err)
		}
		r.ID, r.Tenant, r.By = unescape(r.ID), unescape(r.Tenant), unescape(r.By)
		r.From, r.Subject, r.Time, r.Decided = string(from), string(subject), moment(at), moment(decided)
		r.To, r.Why = some(unescapeAll(doc.To)), some(unescapeAll(doc.Why))
		r.Features, r.Print = some(r.Features), some(r.Print)
		out = append(out, r)
	}
	return out, s.explain(rows.Err())
}

// MarkReview sets state, who and when.
func (s *Store) MarkReview(ctx context.Context, id string, state sluice.ReviewState, by string, at time.Time) error {
	return s.mutate(ctx, true, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE review SET state = ?, by = ?, decided = ? WHERE id = ?`, state, escape(by), nanos(at), escape(id))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			if err == nil {
				err = sluice.ErrNotFound
			}
			return err
		}
		return nil
	})
}

// Rows that one sweep of reviews deletes at a time.
const sweepReview = 500

// SweepReviews deletes reviews of messages older than t, some at a time.
func (s *Store) SweepReviews(ctx context.Context, t time.Time) (int, error) {
	return s.sweep(ctx, sweepReview, `DELETE FROM review WHERE seq IN
		(SELECT seq FROM review WHERE time < ? ORDER BY time LIMIT ?)`, nanos(t), sweepReview)
}
