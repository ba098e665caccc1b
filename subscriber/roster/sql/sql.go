// Package sql is a directory of subscribers in a database: SQLite or PostgreSQL. The
// columns of a row have the names of a roster.Entry; contacts, addresses and networks are
// JSON.
package sql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	source "sluice/directory/sql"
	"sluice/subscriber"
	"sluice/subscriber/roster"
)

// Config says which database and what to ask. Zero values get the default.
type Config struct {
	URL          string // as that of directory/sql
	PasswordFile string
	// Find gives one row for a trace: $1 is the account, $2 the sender's address, $3 the
	// client's address, $4 the time of the connection in UTC as "2006-01-02 15:04:05".
	// What isn't known is "".
	//
	//	SELECT account, class, language, contacts FROM customer WHERE account = $1
	Find string
	// Key gives one row for the key $1, of which an entry without a key has "account:" and
	// the account.
	Key      string
	MaxConns int // default 4
}

// Source is the directory. It is safe for concurrent use; put it behind a
// [roster.Cached].
type Source struct {
	db         *sql.DB
	name       string
	find, byID query
}

// query is one, with which values it takes.
type query struct {
	text string
	use  []int
}

var _ subscriber.Directory = (*Source)(nil)

// New prepares the source. Nothing is connected yet.
func New(cfg Config) (*Source, error) {
	db, name, mark, err := source.Open(cfg.URL, cfg.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("roster/sql: %w", err)
	}
	s := &Source{db: db, name: name}
	for _, q := range []struct {
		what, text string
		to         *query
		names      []string
	}{{"find", cfg.Find, &s.find, []string{"the account", "the sender's address", "the client's address", "the time"}}, {"key", cfg.Key, &s.byID, []string{"the key"}}} {
		q.to.text, q.to.use, err = source.Parameters(q.text, mark, q.names...)
		if err == nil && len(q.to.use) == 0 {
			err = errors.New("no parameter in it: it says the same of all")
		}
		if err != nil {
			_ = db.Close()
			return nil, fmt.Errorf("roster/sql: %s: %w", q.what, err)
		}
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 4
	}
	db.SetMaxOpenConns(cfg.MaxConns)
	db.SetMaxIdleConns(cfg.MaxConns)
	db.SetConnMaxIdleTime(time.Minute)
	return s, nil
}

// Close closes the connections.
func (s *Source) Close() error { return s.db.Close() }

// Find implements [subscriber.Directory].
func (s *Source) Find(ctx context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	client, at := "", ""
	if t.Client.IsValid() {
		client = t.Client.Unmap().String()
	}
	if !t.Time.IsZero() {
		at = t.Time.UTC().Format(time.DateTime)
	}
	return s.ask(ctx, s.find, t.Account, t.Address, client, at)
}

// Subject implements [subscriber.Directory].
func (s *Source) Subject(ctx context.Context, key string) (subscriber.Subject, bool, error) {
	return s.ask(ctx, s.byID, key)
}

func (s *Source) ask(ctx context.Context, q query, values ...string) (none subscriber.Subject, ok bool, err error) {
	args := make([]any, len(q.use))
	for i, u := range q.use {
		if strings.IndexByte(values[u], 0) >= 0 {
			return none, false, nil // no text of a database holds it
		}
		args[i] = values[u]
	}
	e, ok, err := s.row(ctx, q.text, args)
	if err != nil || !ok {
		if err != nil {
			err = fmt.Errorf("roster/sql: %s: %w", s.name, err)
		}
		return none, false, err
	}
	found, err := e.Subject()
	if err != nil {
		return none, false, fmt.Errorf("roster/sql: %s: %w", s.name, err)
	}
	return found, true, nil
}

// row reads the first row by the names of its columns.
func (s *Source) row(ctx context.Context, text string, args []any) (e roster.Entry, ok bool, err error) {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return e, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return e, false, rows.Err()
	}
	columns, err := rows.Columns()
	if err != nil {
		return e, false, err
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return e, false, err
	}
	texts := map[string]*string{"key": &e.Key, "tenant": &e.Tenant, "account": &e.Account, "name": &e.Name, "class": &e.Class, "language": &e.Language, "zone": &e.Zone}
	lists := map[string]any{"contacts": &e.Contacts, "addresses": &e.Addresses, "networks": &e.Networks}
	for i, c := range columns {
		v := values[i].String
		switch name := strings.ToLower(c); {
		case texts[name] != nil:
			*texts[name] = v
		case lists[name] != nil:
			if v == "" {
				continue
			}
			if err := json.Unmarshal([]byte(v), lists[name]); err != nil {
				return e, false, fmt.Errorf("column %s: %w", name, err)
			}
		default:
			return e, false, fmt.Errorf("column %.40q: an entry has key, tenant, account, name, class, language, zone, contacts, addresses, networks", c)
		}
	}
	return e, true, nil
}
