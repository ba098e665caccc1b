// Package sql is a source of recipients in a database: SQLite or PostgreSQL. One
// query with parameters asks for one form of an address; a row is a yes.
package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"sluice"
	"sluice/directory"
)

// Config says which database and what to ask. Zero values get the default.
type Config struct {
	// URL is "sqlite:PATH" or "postgres://USER@HOST:PORT/DATABASE?sslmode=…".
	URL          string
	PasswordFile string // PostgreSQL: holds the password, read at each connect
	// Query gives at least one row where the mailbox exists. $1 is the address, $2
	// its local part, $3 its domain; at least one of $1 and $2 must be there. It is
	// asked for the address, then without its extension, then for "@domain" (only
	// where $1 is there), until there is a row.
	Query    string
	MaxConns int           // default 4
	MaxIdle  time.Duration // then an unused connection is closed; default 1 min
}

// Source is the source. It is safe for concurrent use.
type Source struct {
	db    *sql.DB
	name  string
	query string
	use   []int // which of address, local, domain the query's parameters are
}

var _ directory.Source = (*Source)(nil)

// New prepares the source. Nothing is connected yet.
func New(cfg Config) (*Source, error) {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 4
	}
	if cfg.MaxIdle <= 0 {
		cfg.MaxIdle = time.Minute
	}
	s := &Source{}
	var mark string
	var err error
	switch scheme, rest, _ := strings.Cut(cfg.URL, ":"); scheme {
	case "sqlite":
		mark = "?"
		err = s.openSQLite(strings.TrimPrefix(rest, "//"))
	case "postgres", "postgresql":
		mark = "$"
		err = s.openPostgres(&cfg)
	default:
		err = errors.New("want sqlite:PATH or postgres://HOST/DATABASE")
	}
	if err != nil {
		return nil, fmt.Errorf("directory/sql: %w", err)
	}
	if s.query, s.use, err = parameters(cfg.Query, mark); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("directory/sql: query: %w", err)
	}
	s.db.SetMaxOpenConns(cfg.MaxConns)
	s.db.SetMaxIdleConns(cfg.MaxConns)
	s.db.SetConnMaxIdleTime(cfg.MaxIdle)
	return s, nil
}

func (s *Source) openSQLite(path string) (err error) {
	if path == "" {
		return errors.New("sqlite: no path given")
	}
	s.name = "sqlite " + path
	// mode=ro: a lookup never makes or changes a database, whatever the query says.
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(1000)"}).String()
	s.db, err = sql.Open("sqlite", dsn)
	return err
}

func (s *Source) openPostgres(cfg *Config) error {
	conf, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return err // pgx hides the password in it
	}
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "sluice"
	}
	s.name = fmt.Sprintf("postgres %s:%d/%s", conf.Host, conf.Port, conf.Database)
	var options []stdlib.OptionOpenDB
	if path := cfg.PasswordFile; path != "" {
		options = append(options, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
			password, err := directory.ReadPassword(path)
			c.Password = password
			return err
		}))
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	s.db = stdlib.OpenDB(*conf, options...)
	return nil
}

// Close closes the connections.
func (s *Source) Close() error { return s.db.Close() }

// Name implements [directory.Source].
func (s *Source) Name() string { return s.name }

// Trouble implements [directory.Source]: trouble comes with the answers.
func (s *Source) Trouble() string { return "" }

// Lookup implements [directory.Source].
func (s *Source) Lookup(ctx context.Context, q *directory.Query) (sluice.Listing, error) {
	for _, f := range q.Forms {
		switch {
		case f.Domain == "":
			continue // a local part for all domains is for lists
		case f.Local == "" && !slices.Contains(s.use, 0):
			continue // "@domain" is a whole address only
		case strings.IndexByte(f.Address, 0) >= 0:
			continue // no text of a database holds it
		}
		found, err := s.has(ctx, f)
		if err != nil {
			return sluice.Listing{}, err
		}
		if found {
			return sluice.Listing{Presence: sluice.Present, Source: s.name}, nil
		}
	}
	return sluice.Listing{Presence: sluice.Absent, Source: s.name}, nil
}

func (s *Source) has(ctx context.Context, f directory.Form) (bool, error) {
	values := [...]string{f.Address, f.Local, f.Domain}
	args := make([]any, len(s.use))
	for i, u := range s.use {
		args[i] = values[u]
	}
	rows, err := s.db.QueryContext(ctx, s.query, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	found := rows.Next()
	return found, rows.Err()
}

// maxQuery bounds a query.
const maxQuery = 16 << 10

// parameters finds $1, $2 and $3 outside quotes and comments, and writes them as
// the driver wants them: PostgreSQL refuses parameters that aren't used, so those
// that are get new numbers in the order in which they come.
func parameters(query, mark string) (string, []int, error) {
	if len(query) > maxQuery {
		return "", nil, fmt.Errorf("over %d octets", maxQuery)
	}
	var out strings.Builder
	var use []int
	number := map[int]int{}
	for i := 0; i < len(query); {
		n := skip(query[i:])
		switch {
		case n > 0:
			out.WriteString(query[i : i+n])
			i += n
			continue
		case query[i] == ';' && strings.TrimSpace(query[i+1:]) != "":
			return "", nil, errors.New("more than one statement")
		case query[i] == '?' && mark == "?":
			return "", nil, errors.New("a parameter without a name; write $1 for the address, $2 for its local part, $3 for its domain")
		case query[i] != '$' || i+1 == len(query) || query[i+1] < '0' || query[i+1] > '9':
			out.WriteByte(query[i])
			i++
			continue
		}
		j := i + 1
		for j < len(query) && query[j] >= '0' && query[j] <= '9' {
			j++
		}
		if j != i+2 || query[i+1] < '1' || query[i+1] > '3' {
			return "", nil, fmt.Errorf("%s: there are $1 (the address), $2 (its local part) and $3 (its domain)", query[i:j])
		}
		v := int(query[i+1] - '1')
		if number[v] == 0 {
			use = append(use, v)
			number[v] = len(use)
		}
		fmt.Fprintf(&out, "%s%d", mark, number[v])
		i = j
	}
	if number[0] == 0 && number[1] == 0 {
		return "", nil, errors.New("neither $1 (the address) nor $2 (its local part) is in it: it says the same of all")
	}
	return out.String(), use, nil
}

// skip is the length of the quoted text or comment that s starts with, 0 for none.
func skip(s string) int {
	end := func(from int, mark string) int {
		if i := strings.Index(s[from:], mark); i >= 0 {
			return from + i + len(mark)
		}
		return len(s)
	}
	switch {
	case s[0] == '\'' || s[0] == '"':
		return end(1, s[:1]) // a doubled quote is the start of the next text
	case strings.HasPrefix(s, "--"):
		return end(2, "\n")
	case strings.HasPrefix(s, "/*"):
		return end(2, "*/")
	}
	return 0
}
