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
	db, name, mark, err := Open(cfg.URL, cfg.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("directory/sql: %w", err)
	}
	s := &Source{db: db, name: name}
	if s.query, s.use, err = parameters(cfg.Query, mark); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("directory/sql: query: %w", err)
	}
	s.db.SetMaxOpenConns(cfg.MaxConns)
	s.db.SetMaxIdleConns(cfg.MaxConns)
	s.db.SetConnMaxIdleTime(cfg.MaxIdle)
	return s, nil
}

// Open prepares a database of either kind for reading, without connecting. The name is
// for people, and mark is how its driver writes parameters: "$" numbers them, "?" doesn't.
func Open(address, passwordFile string) (db *sql.DB, name, mark string, err error) {
	switch scheme, rest, _ := strings.Cut(address, ":"); scheme {
	case "sqlite":
		db, name, err = openSQLite(strings.TrimPrefix(rest, "//"))
		return db, name, "?", err
	case "postgres", "postgresql":
		db, name, err = openPostgres(address, passwordFile)
		return db, name, "$", err
	}
	return nil, "", "", errors.New("want sqlite:PATH or postgres://HOST/DATABASE")
}

func openSQLite(path string) (*sql.DB, string, error) {
	if path == "" {
		return nil, "", errors.New("sqlite: no path given")
	}
	// mode=ro: a lookup never makes or changes a database, whatever the query says.
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(1000)"}).String()
	db, err := sql.Open("sqlite", dsn)
	return db, "sqlite " + path, err
}

func openPostgres(address, passwordFile string) (*sql.DB, string, error) {
	conf, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, "", err // pgx hides the password in it
	}
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "sluice"
	}
	var options []stdlib.OptionOpenDB
	if passwordFile != "" {
		options = append(options, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
			password, err := directory.ReadPassword(passwordFile)
			c.Password = password
			return err
		}))
		if _, err := os.Stat(passwordFile); err != nil {
			return nil, "", err
		}
	}
	return stdlib.OpenDB(*conf, options...), fmt.Sprintf("postgres %s:%d/%s", conf.Host, conf.Port, conf.Database), nil
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

// parameters are those of a directory's query.
func parameters(query, mark string) (string, []int, error) {
	text, use, err := Parameters(query, mark, "the address", "its local part", "its domain")
	if err == nil && !slices.Contains(use, 0) && !slices.Contains(use, 1) {
		err = errors.New("neither $1 (the address) nor $2 (its local part) is in it: it says the same of all")
	}
	return text, use, err
}

// Parameters finds $1, $2 and so on outside quotes and comments, and writes them as the
// driver wants them: PostgreSQL refuses parameters that aren't used, so those that are get
// new numbers in the order in which they come. Names say what they are, nine at most. It
// returns which of them, counted from 0, the parameters of the written query are.
func Parameters(query, mark string, names ...string) (string, []int, error) {
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
			return "", nil, errors.New("a parameter without a name; write " + legend(names, " for "))
		case query[i] != '$' || i+1 == len(query) || query[i+1] < '0' || query[i+1] > '9':
			out.WriteByte(query[i])
			i++
			continue
		}
		j := i + 1
		for j < len(query) && query[j] >= '0' && query[j] <= '9' {
			j++
		}
		if j != i+2 || query[i+1] < '1' || int(query[i+1]-'0') > len(names) {
			return "", nil, fmt.Errorf("%s: there are %s", query[i:j], legend(names, ": "))
		}
		v := int(query[i+1] - '1')
		if number[v] == 0 {
			use = append(use, v)
			number[v] = len(use)
		}
		fmt.Fprintf(&out, "%s%d", mark, number[v])
		i = j
	}
	return out.String(), use, nil
}

// legend lists the parameters with what they are.
func legend(names []string, between string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = fmt.Sprintf("$%d%s%s", i+1, between, n)
	}
	return strings.Join(list, ", ")
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
