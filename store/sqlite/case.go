package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sluice"
	"sluice/store"
)

var _ sluice.Cases = (*Store)(nil)

// caseDoc is a case as JSON can hold it: with its strings mapped.
func caseDoc(c *sluice.Case, f func(string) string) *sluice.Case {
	d := c.Clone()
	store.NormalCase(d)
	d.ID, d.Tenant, d.Subject, d.Into = f(d.ID), f(d.Tenant), f(d.Subject), f(d.Into)
	d.Kind, d.State, d.Restrict = sluice.CaseKind(f(string(d.Kind))), sluice.CaseState(f(string(d.State))), sluice.Restriction(f(string(d.Restrict)))
	d.Points = finite(d.Points)
	for i := range d.Signals {
		s := &d.Signals[i]
		s.Kind, s.Detail, s.ID, s.Points = f(s.Kind), f(s.Detail), f(s.ID), finite(s.Points)
	}
	for i := range d.Notices {
		n := &d.Notices[i]
		n.ID, n.Channel, n.Address, n.Detail = f(n.ID), f(n.Channel), f(n.Address), f(n.Detail)
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		s.Actor, s.What, s.Note = f(s.Actor), f(s.What), f(s.Note)
	}
	for i := range d.Merged {
		d.Merged[i] = f(d.Merged[i])
	}
	return d
}

// PutCase adds a case of Version 0, or replaces one whose Version is the same.
func (s *Store) PutCase(ctx context.Context, c *sluice.Case) error {
	if c.ID == "" || c.Subject == "" {
		return s.explain(errors.New("a case without an id or a subject"))
	}
	d := caseDoc(c, escape)
	d.Version++
	doc, err := encode(d)
	if err != nil {
		return s.explain(err)
	}
	live := 0
	if d.State.Live() {
		live = 1
	}
	hay := []byte(store.Fold(c.ID + "\n" + c.Subject))
	err = s.mutate(ctx, true, func(ctx context.Context, tx *sql.Tx) error {
		have := 0
		err := tx.QueryRowContext(ctx, `SELECT version FROM subscriber_case WHERE id = ?`, d.ID).Scan(&have)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		others := 0
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM subscriber_case WHERE tenant = ? AND subject = ? AND live = 1 AND id <> ?`,
			d.Tenant, d.Subject, d.ID).Scan(&others); err != nil {
			return err
		}
		if have != c.Version || live == 1 && others > 0 {
			return sluice.ErrConflict
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO subscriber_case (id, tenant, subject, state, live, opened, closed, version, haystack, document)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, subject = excluded.subject, state = excluded.state, live = excluded.live,
				opened = excluded.opened, closed = excluded.closed, version = excluded.version, haystack = excluded.haystack, document = excluded.document`,
			d.ID, d.Tenant, d.Subject, d.State, live, nanos(d.Opened), nanos(d.Closed), d.Version, hay, doc)
		return err
	})
	if err == nil {
		c.Version++
	}
	return err
}

// Case returns one.
func (s *Store) Case(ctx context.Context, id string) (*sluice.Case, error) {
	list, err := s.cases(ctx, `SELECT document FROM subscriber_case WHERE id = ?`, escape(id))
	if err == nil && len(list) == 0 {
		err = s.explain(sluice.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// ListCases returns a page, newest first.
func (s *Store) ListCases(ctx context.Context, q sluice.CaseQuery) ([]*sluice.Case, error) {
	var sel selection
	if q.Tenant != "" {
		sel.and("tenant = ?", escape(q.Tenant))
	}
	if q.Subject != "" {
		sel.and("subject = ?", escape(q.Subject))
	}
	if q.State != "" {
		sel.and("state = ?", escape(string(q.State)))
	}
	if q.Live {
		sel.and("live = 1")
	}
	if !q.Since.IsZero() {
		sel.and("opened >= ?", nanos(q.Since))
	}
	if !q.Until.IsZero() {
		sel.and("opened < ?", nanos(q.Until))
	}
	if q.Text != "" {
		sel.and("instr(haystack, ?) > 0", []byte(store.Fold(q.Text)))
	}
	if q.Before != "" {
		sel.and("(opened, id) < (SELECT opened, id FROM subscriber_case WHERE id = ?)", escape(q.Before))
	}
	return s.cases(ctx, `SELECT document FROM subscriber_case `+sel.where()+` ORDER BY opened DESC, id DESC LIMIT ?`, append(sel.args, q.Page())...)
}

func (s *Store) cases(ctx context.Context, query string, args ...any) ([]*sluice.Case, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []*sluice.Case
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, s.explain(err)
		}
		var c sluice.Case
		if err := decode(text, &c); err != nil {
			return nil, s.explain(err)
		}
		out = append(out, caseDoc(&c, unescape))
	}
	return out, s.explain(rows.Err())
}

// Rows that one sweep of cases deletes at a time.
const sweepCases = 200

// SweepCases deletes cases that ended before t, some at a time.
func (s *Store) SweepCases(ctx context.Context, t time.Time) (int, error) {
	return s.sweep(ctx, sweepCases, `DELETE FROM subscriber_case WHERE seq IN
		(SELECT seq FROM subscriber_case WHERE live = 0 AND closed < ? LIMIT ?)`, nanos(t), sweepCases)
}
