package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/netip"
	"time"

	"sluice"
)

var _ sluice.Appeals = (*Store)(nil)

const appealColumns = `id, time, text, document, state, by, decided`

// appealDoc is what an appeal has that nobody searches for.
type appealDoc struct {
	Asker   netip.Addr    `json:"asker,omitzero"`
	Event   int64         `json:"event,omitzero"` // Unix nanoseconds
	Client  netip.Addr    `json:"client,omitzero"`
	Hello   []byte        `json:"hello,omitzero"`
	Phase   sluice.Phase  `json:"phase,omitzero"`
	Threat  sluice.Threat `json:"threat,omitzero"`
	Code    int           `json:"code,omitzero"`
	Reasons []string      `json:"reasons,omitzero"`
}

// PutAppeal adds one, if there is none with its ID, and says whether it did.
func (s *Store) PutAppeal(ctx context.Context, a *sluice.Appeal) (added bool, err error) {
	d := appealDoc{Asker: a.Asker, Event: nanos(a.Event), Client: a.Client, Hello: []byte(a.Hello), Phase: a.Phase, Threat: a.Threat, Code: a.Code}
	for _, r := range a.Reasons {
		d.Reasons = append(d.Reasons, escape(string(r)))
	}
	doc, err := json.Marshal(d)
	if err != nil {
		return false, s.explain(err)
	}
	state := a.State
	if state == "" {
		state = sluice.AppealNew
	}
	err = s.mutate(ctx, false, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO appeal (`+appealColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			escape(a.ID), nanos(a.Time), []byte(a.Text), string(doc), state, escape(a.By), nanos(a.Decided))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		added = n > 0
		return err
	})
	return added && err == nil, err
}

// Appeal returns one.
func (s *Store) Appeal(ctx context.Context, id string) (*sluice.Appeal, error) {
	list, err := s.appeals(ctx, `SELECT `+appealColumns+` FROM appeal WHERE id = ?`, escape(id))
	if err == nil && len(list) == 0 {
		err = s.explain(sluice.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// ListAppeals returns a page, newest first.
func (s *Store) ListAppeals(ctx context.Context, q sluice.AppealQuery) ([]*sluice.Appeal, error) {
	var sel selection
	if q.State != "" {
		sel.and("state = ?", q.State)
	}
	if q.Before != "" {
		sel.and("(time, seq) < (SELECT time, seq FROM appeal WHERE id = ?)", escape(q.Before))
	}
	return s.appeals(ctx, `SELECT `+appealColumns+` FROM appeal `+sel.where()+` ORDER BY time DESC, seq DESC LIMIT ?`, append(sel.args, q.Page())...)
}

func (s *Store) appeals(ctx context.Context, query string, args ...any) ([]*sluice.Appeal, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []*sluice.Appeal
	for rows.Next() {
		a := new(sluice.Appeal)
		var at, decided int64
		var text []byte
		var doc string
		if err := rows.Scan(&a.ID, &at, &text, &doc, &a.State, &a.By, &decided); err != nil {
			return nil, s.explain(err)
		}
		var d appealDoc
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			return nil, s.explain(err)
		}
		a.ID, a.By, a.Text, a.Time, a.Decided = unescape(a.ID), unescape(a.By), string(text), moment(at), moment(decided)
		a.Asker, a.Event, a.Client, a.Hello, a.Phase, a.Threat, a.Code = d.Asker, moment(d.Event), d.Client, string(d.Hello), d.Phase, d.Threat, d.Code
		for _, r := range d.Reasons {
			a.Reasons = append(a.Reasons, sluice.Reason(unescape(r)))
		}
		out = append(out, a)
	}
	return out, s.explain(rows.Err())
}

// MarkAppeal sets state, who and when.
func (s *Store) MarkAppeal(ctx context.Context, id string, state sluice.AppealState, by string, at time.Time) error {
	return s.mutate(ctx, true, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE appeal SET state = ?, by = ?, decided = ? WHERE id = ?`, state, escape(by), nanos(at), escape(id))
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

// Rows that one sweep of appeals deletes at a time.
const sweepAppeal = 500

// SweepAppeals deletes appeals made before t, some at a time.
func (s *Store) SweepAppeals(ctx context.Context, t time.Time) (int, error) {
	return s.sweep(ctx, sweepAppeal, `DELETE FROM appeal WHERE seq IN
		(SELECT seq FROM appeal WHERE time < ? ORDER BY time LIMIT ?)`, nanos(t), sweepAppeal)
}
