package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"sluice"
)

// Columns of a feedback entry; the large ones come last, so that a list doesn't
// read them.
const (
	feedbackColumns = `seq, id, tenant, time, spam, source, by, kind, of, threat, recipients, state, why, trust, trusted, extractor`
	feedbackAll     = feedbackColumns + `, features, print`
)

// AddFeedback appends an entry and sets its Seq.
func (s *Store) AddFeedback(ctx context.Context, f *sluice.Feedback) error {
	return s.AddFeedbacks(ctx, []*sluice.Feedback{f})
}

// AddFeedbacks appends entries in one transaction and sets their Seq.
func (s *Store) AddFeedbacks(ctx context.Context, list []*sluice.Feedback) error {
	return s.mutate(ctx, true, func(ctx context.Context, tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT INTO feedback (id, tenant, time, spam, source, by, kind, of, threat,
				recipients, state, why, trust, trusted, extractor, features, print)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`)
		if err != nil {
			return err
		}
		defer put.Close()
		for _, f := range list {
			to, err := json.Marshal(escapeAll(f.To))
			if err != nil {
				return err
			}
			err = put.QueryRowContext(ctx, f.ID, f.Tenant, nanos(f.Time), f.Spam, f.Source, f.By, f.Kind, f.Of, f.Threat,
				string(to), f.State, f.Why, finite(f.Trust), f.Trusted, f.Extractor, blob(f.Features), blob(f.Print)).Scan(&f.Seq)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// blob is b as a value that isn't NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// FeedbackSince returns up to limit entries after seq, in order. Numbers are given
// inside the one transaction that may write, so none appears behind a later one.
func (s *Store) FeedbackSince(ctx context.Context, seq int64, limit int) ([]*sluice.Feedback, error) {
	if limit <= 0 {
		return nil, nil
	}
	return s.feedback(ctx, true, `SELECT `+feedbackAll+` FROM feedback WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit)
}

// FeedbackEntry returns one.
func (s *Store) FeedbackEntry(ctx context.Context, seq int64) (*sluice.Feedback, error) {
	list, err := s.feedback(ctx, true, `SELECT `+feedbackAll+` FROM feedback WHERE seq = ?`, seq)
	if err == nil && len(list) == 0 {
		err = s.explain(sluice.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// ListFeedback returns a page, newest first, without Features and Print.
func (s *Store) ListFeedback(ctx context.Context, q sluice.FeedbackQuery) ([]*sluice.Feedback, error) {
	var sel selection
	if q.Tenant != "" {
		sel.and("tenant = ?", q.Tenant)
	}
	if q.By != "" {
		sel.and("by = ?", q.By)
	}
	if q.ID != "" {
		sel.and("id = ?", q.ID)
	}
	if q.State != "" {
		sel.and("state = ?", q.State)
	}
	if q.Kind != "" {
		sel.and("kind = ?", q.Kind)
	}
	if q.Before > 0 {
		sel.and("seq < ?", q.Before)
	}
	return s.feedback(ctx, false, `SELECT `+feedbackColumns+` FROM feedback `+sel.where()+` ORDER BY seq DESC LIMIT ?`,
		append(sel.args, q.Page())...)
}

func (s *Store) feedback(ctx context.Context, all bool, query string, args ...any) ([]*sluice.Feedback, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []*sluice.Feedback
	for rows.Next() {
		f := new(sluice.Feedback)
		var at int64
		var to string
		into := []any{&f.Seq, &f.ID, &f.Tenant, &at, &f.Spam, &f.Source, &f.By, &f.Kind, &f.Of, &f.Threat, &to,
			&f.State, &f.Why, &f.Trust, &f.Trusted, &f.Extractor}
		if all {
			into = append(into, &f.Features, &f.Print)
		}
		if err := rows.Scan(into...); err != nil {
			return nil, s.explain(err)
		}
		if err := json.Unmarshal([]byte(to), &f.To); err != nil {
			return nil, s.explain(err)
		}
		f.Time = moment(at)
		f.To = some(unescapeAll(f.To))
		f.Features, f.Print = some(f.Features), some(f.Print)
		out = append(out, f)
	}
	return out, s.explain(rows.Err())
}

// some is a list in which no element and none at all are the same.
func some[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Entries of the log are large.
const sweepFeedback = 200

// SweepFeedback deletes entries older than t up to and with seq, some at a time.
func (s *Store) SweepFeedback(ctx context.Context, t time.Time, seq int64) (int, error) {
	return s.sweep(ctx, sweepFeedback, `DELETE FROM feedback WHERE seq IN
		(SELECT seq FROM feedback WHERE time < ? AND seq <= ? ORDER BY time LIMIT ?)`, nanos(t), seq, sweepFeedback)
}
