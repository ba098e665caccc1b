// Package sqlite keeps everything a node remembers in one SQLite file: the
// message log, the index of the quarantine, the feedback log, tenants and
// accounts.
//
// One goroutine writes. The message log reaches it by a bounded queue that is
// written in batches, so the port never waits for the disk: what doesn't fit
// the queue is dropped and counted, what can't be written is counted as failed.
// All other writes wait for their answer. Readers have connections of their own
// and see the last committed state (write-ahead log).
//
// Strings in the file may hold any octets a sender wrote: columns bind them as
// they are, documents map them to JSON and back without loss.
//
// The schema moves forward by the numbered files in schema/; a file of a newer
// program is refused, never guessed at.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"sluice"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// Config says where the database is and how it writes. Only Path is needed.
type Config struct {
	Path string // the file; its folder must exist

	QueueRecords int           // records waiting for the disk, default 8192
	QueueBytes   int64         // their rough size, default 64 MB
	BatchRecords int           // records of one transaction, default 512
	BatchDelay   time.Duration // the longest a record waits for company, default 200 ms
	BusyTimeout  time.Duration // how long to wait for another process's lock, default 5 s
	Readers      int           // connections for reading, default 4

	Log *slog.Logger // default: discards
}

func (c *Config) defaults() {
	if c.QueueRecords <= 0 {
		c.QueueRecords = 8192
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = 64 << 20
	}
	if c.BatchRecords <= 0 {
		c.BatchRecords = 512
	}
	if c.BatchDelay <= 0 {
		c.BatchDelay = 200 * time.Millisecond
	}
	if c.BusyTimeout <= 0 {
		c.BusyTimeout = 5 * time.Second
	}
	if c.Readers <= 0 {
		c.Readers = 4
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Store is a [sluice.Store] in one SQLite file. It is safe for concurrent use,
// also by several processes on one machine.
type Store struct {
	cfg   Config
	write *sql.DB // one connection, used by the writer goroutine only
	read  *sql.DB

	queue chan queued
	ops   chan *op
	stop  chan struct{}
	done  chan struct{}
	close sync.Once

	// closing guards queue: Append holds it for reading while it sends.
	closing sync.RWMutex
	closed  bool

	queuedBytes              atomic.Int64
	written, dropped, failed atomic.Uint64
	trouble                  atomic.Pointer[error] // why the last batch failed

	index replacement
}

var _ sluice.Store = (*Store)(nil)

// Open opens the file, makes it where it is missing, and brings its schema up to
// date. The error says in words what is wrong with a file that can't be used.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg.defaults()
	if err := touch(cfg.Path); err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s := &Store{
		cfg:   cfg,
		queue: make(chan queued, cfg.QueueRecords),
		ops:   make(chan *op),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	var err error
	if s.write, err = s.dial(1, "_txlock=immediate"); err != nil {
		return nil, s.explain(err)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(s.explain(err), s.write.Close())
	}
	if s.read, err = s.dial(cfg.Readers, "_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(s.explain(err), s.write.Close())
	}
	go s.run()
	return s, nil
}

// touch makes the file readable by its owner only: SQLite would obey the umask,
// and gives its side files the rights of the main one.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) dial(conns int, extra string) (*sql.DB, error) {
	path, err := filepath.Abs(s.cfg.Path)
	if err != nil {
		return nil, err
	}
	// auto_vacuum only acts on a new file, before its first table.
	// synchronous NORMAL loses no consistency, and at a power cut at most the
	// last log rows; writes that matter more ask for FULL.
	dsn := (&url.URL{Scheme: "file", Path: path}).String() + fmt.Sprintf(
		"?_pragma=busy_timeout(%d)&_pragma=auto_vacuum(incremental)&_pragma=journal_mode(WAL)"+
			"&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)&%s",
		s.cfg.BusyTimeout.Milliseconds(), extra)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// errNewer refuses a file that a newer program has written.
var errNewer = errors.New("the database was written by a newer version of this program")

func (s *Store) migrate(ctx context.Context) error {
	if err := s.write.PingContext(ctx); err != nil {
		return err
	}
	files, err := fs.Sub(schemaFiles, "schema")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; have > newest {
		return fmt.Errorf("%w (schema %d, known up to %d)", errNewer, have, newest)
	}
	_, err = p.Up(ctx)
	return err
}

// Close writes what is queued and closes the file. Records appended later are
// dropped and counted.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		s.closing.Lock()
		s.closed = true
		s.closing.Unlock()
		close(s.stop)
		<-s.done
		err = errors.Join(s.read.Close(), s.write.Close())
	})
	return err
}

// Health says why log records can't be written at the moment, nil while all is
// well.
func (s *Store) Health() error {
	if p := s.trouble.Load(); p != nil {
		return *p
	}
	return nil
}
