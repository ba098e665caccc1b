package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"sluice"
	"sluice/store"
)

// queued is a record on its way to the disk.
type queued struct {
	record *sluice.Record
	bytes  int64
}

// op is a write whose caller waits. A nil do is a flush: it only waits for the
// records queued before it.
type op struct {
	ctx     context.Context
	durable bool // fsync before the answer
	do      func(ctx context.Context, tx *sql.Tx) error
	done    chan error
}

// Append queues a record and returns at once. The caller must not change r, or
// what it points to, afterwards.
func (s *Store) Append(r *sluice.Record) {
	q := queued{record: r, bytes: weigh(r)}
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		s.dropped.Add(1)
		return
	}
	if s.queuedBytes.Add(q.bytes) > s.cfg.QueueBytes {
		s.queuedBytes.Add(-q.bytes)
		s.dropped.Add(1)
		return
	}
	select {
	case s.queue <- q:
	default:
		s.queuedBytes.Add(-q.bytes)
		s.dropped.Add(1)
	}
}

// weigh estimates the memory that a record holds on to.
func weigh(r *sluice.Record) int64 {
	n := 1024 + len(r.Subject) + len(r.MessageID) + len(r.Reply.Text) + len(r.Envelope.From) + len(r.Conn.Hello.Name)
	n += 128 * (len(r.Envelope.Rcpts) + len(r.Decisions) + len(r.Outcomes) + len(r.Verdict.Ledger))
	for i := range r.Verdict.Ledger {
		n += len(r.Verdict.Ledger[i].Detail)
	}
	for _, a := range r.Authenticated {
		n += 32 + len(a.Domain)
	}
	for i := range r.Files {
		n += 160 + len(r.Files[i].Name) + len(r.Files[i].In)
		for _, list := range [][]string{r.Files[i].Links, r.Files[i].Signs} {
			for _, s := range list {
				n += 16 + len(s)
			}
		}
	}
	return int64(n)
}

// LogStats counts what became of appended records.
func (s *Store) LogStats() sluice.LogStats {
	return sluice.LogStats{
		Written: s.written.Load(),
		Dropped: s.dropped.Load(),
		Failed:  s.failed.Load(),
		Queued:  len(s.queue),
	}
}

// Flush waits until the records queued before it are written or counted as
// failed; a failure is its error.
func (s *Store) Flush(ctx context.Context) error {
	return s.submit(&op{ctx: ctx})
}

// mutate runs do in a transaction of its own. Durable ones are on the disk, not
// only in the kernel, when it returns.
func (s *Store) mutate(ctx context.Context, durable bool, do func(ctx context.Context, tx *sql.Tx) error) error {
	return s.submit(&op{ctx: ctx, durable: durable, do: do})
}

func (s *Store) submit(o *op) error {
	o.done = make(chan error, 1)
	select {
	case s.ops <- o:
	case <-s.done:
		return s.explain(errClosed)
	case <-o.ctx.Done():
		return s.explain(o.ctx.Err())
	}
	// The writer has it and always answers; waiting here keeps "returned"
	// and "written" the same moment.
	err := <-o.done
	if o.do == nil {
		return err // a batch's error is explained already
	}
	return s.explain(err)
}

// run is the writer. It ends when stop is closed and the queue is empty.
func (s *Store) run() {
	defer close(s.done)
	var batch []*sluice.Record
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	flush := func() error {
		timer.Stop()
		err := s.writeBatch(batch)
		clear(batch)
		batch = batch[:0]
		return err
	}
	// drain takes what is queued right now; records that come meanwhile wait.
	drain := func() (err error) {
		for n := len(s.queue); n > 0; n-- {
			batch = append(batch, s.take(<-s.queue))
			if len(batch) >= s.cfg.BatchRecords {
				if e := flush(); err == nil {
					err = e
				}
			}
		}
		if e := flush(); err == nil {
			err = e
		}
		return err
	}
	for {
		select {
		case q := <-s.queue:
			if len(batch) == 0 {
				timer.Reset(s.cfg.BatchDelay)
			}
			batch = append(batch, s.take(q))
			if len(batch) >= s.cfg.BatchRecords {
				_ = flush() // counted and logged
			}
		case <-timer.C:
			_ = flush()
		case o := <-s.ops:
			if o.do == nil {
				o.done <- drain()
			} else {
				o.done <- s.transact(o)
			}
		case <-s.stop:
			_ = drain()
			return
		}
	}
}

func (s *Store) take(q queued) *sluice.Record {
	s.queuedBytes.Add(-q.bytes)
	return q.record
}

func (s *Store) transact(o *op) error {
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if o.durable {
		if _, err := s.write.ExecContext(o.ctx, "PRAGMA synchronous=FULL"); err != nil {
			return err
		}
		defer func() { _, _ = s.write.Exec("PRAGMA synchronous=NORMAL") }()
	}
	tx, err := s.write.BeginTx(o.ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := o.do(o.ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// writeBatch writes records in one transaction and accounts for them. A record
// that can't be written is lost from the log, so mail goes on; it is counted.
func (s *Store) writeBatch(batch []*sluice.Record) error {
	if len(batch) == 0 {
		return nil
	}
	n, err := s.insertRecords(batch)
	s.written.Add(uint64(n))
	s.failed.Add(uint64(len(batch) - n))
	was := s.trouble.Load()
	if err != nil {
		err = s.explain(err)
		s.trouble.Store(&err)
		if was == nil || (*was).Error() != err.Error() {
			s.cfg.Log.Error("message log can't be written", slog.Any("error", err), slog.Int("records", len(batch)-n))
		}
		return err
	}
	if was != nil {
		s.trouble.Store(nil)
		s.cfg.Log.Info("message log is written again", slog.Uint64("failed", s.failed.Load()))
	}
	return nil
}

// insertRecords says how many records are in the database now.
func (s *Store) insertRecords(batch []*sluice.Record) (int, error) {
	// No deadline of its own: the busy timeout bounds the wait for a lock.
	ctx := context.Background()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	row, err := tx.PrepareContext(ctx, `
		INSERT INTO message (id, tenant, time, action, actions, threat, haystack, relayed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, time = excluded.time, action = excluded.action,
			actions = excluded.actions, threat = excluded.threat, haystack = excluded.haystack, relayed = excluded.relayed
		RETURNING seq`)
	if err != nil {
		return 0, err
	}
	defer row.Close()
	doc, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO message_document (seq, document) VALUES (?, ?)`)
	if err != nil {
		return 0, err
	}
	defer doc.Close()
	forget, err := tx.PrepareContext(ctx, `DELETE FROM message_file WHERE seq = ?`)
	if err != nil {
		return 0, err
	}
	defer forget.Close()
	file, err := tx.PrepareContext(ctx, `INSERT INTO message_file (seq, n, sha256, name, inside) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	n := 0
	var bad error // a record that can't be encoded doesn't spoil the others
	for _, r := range batch {
		text, err := encodeRecord(r)
		if err != nil {
			bad = err
			continue
		}
		var seq int64
		err = row.QueryRowContext(ctx, r.ID, r.Tenant, nanos(r.Time), r.Action(), int64(store.Actions(r)), r.Verdict.Threat,
			[]byte(store.Haystack(r.ID, r.Envelope.From, r.Subject, r.Recipients())), []byte(store.RelayedID(r))).Scan(&seq)
		if err != nil {
			return 0, err
		}
		if _, err := doc.ExecContext(ctx, seq, text); err != nil {
			return 0, err
		}
		if _, err := forget.ExecContext(ctx, seq); err != nil { // a replaced row's
			return 0, err
		}
		for i := range r.Files {
			f := &r.Files[i]
			sum := []byte{}
			if !f.SHA256.IsZero() {
				sum = f.SHA256[:]
			}
			if _, err := file.ExecContext(ctx, seq, i, sum, []byte(store.FileName(f.Name)), []byte(store.Inside(f))); err != nil {
				return 0, err
			}
		}
		n++
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return n, bad
}
