package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"sluice"
)

// errClosed answers writes after Close.
var errClosed = errors.New("the store is closed")

// explain wraps a database error with words for an operator: what happened to
// which file, and what helps. nil stays nil; no row is [sluice.ErrNotFound].
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, sluice.ErrNotFound):
		return fmt.Errorf("sqlite: %w", sluice.ErrNotFound)
	case errors.Is(err, errNewer):
		return fmt.Errorf("sqlite: %s: %w; run the newer one or restore a copy from before its start", s.cfg.Path, err)
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		// The low octet is the primary code, the rest tells variants apart.
		if words := trouble[e.Code()&0xff]; words != "" {
			return fmt.Errorf("sqlite: %s: %s: %w", s.cfg.Path, words, err)
		}
	}
	return fmt.Errorf("sqlite: %s: %w", s.cfg.Path, err)
}

var trouble = map[int]string{
	sqlite3.SQLITE_FULL:     "the disk is full",
	sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
	sqlite3.SQLITE_BUSY:     "another process keeps the database locked",
	sqlite3.SQLITE_LOCKED:   "another process keeps the database locked",
	sqlite3.SQLITE_CORRUPT:  "the file is damaged; move it away and start again, then run quarantine reindex",
	sqlite3.SQLITE_NOTADB:   "this is no database of ours; move it away and start again, then run quarantine reindex",
	sqlite3.SQLITE_IOERR:    "the disk reports an error",
	sqlite3.SQLITE_CANTOPEN: "the file can't be opened",
	sqlite3.SQLITE_PERM:     "no permission to use the file",
}
