package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"sluice"
	"sluice/config"
	"sluice/deliver/outbox"
	"sluice/deliver/quarantine"
	"sluice/store/sqlite"
)

// database is the file of the message log, the labels and the memos.
const database = "sluice.db"

// Rooms are the places that keep things: what a daemon holds open, and what the
// admin's commands open beside it.
type Rooms struct {
	cfg        *config.Config
	Log        *slog.Logger
	Store      *sqlite.Store
	Quarantine *quarantine.Store
	Outbox     *outbox.Outbox
	deliver    func(context.Context, *sluice.Delivery) []sluice.Outcome
	spool      string
	lock       *os.File
}

// OpenRooms opens the data folder. The daemon takes its lock; commands work
// beside a running daemon and don't.
func OpenRooms(ctx context.Context, cfg *config.Config, log *slog.Logger, daemon bool) (_ *Rooms, err error) {
	r := &Rooms{cfg: cfg, Log: log, spool: filepath.Join(cfg.Data, "spool")}
	defer func() {
		if err != nil {
			_ = r.Close() // the first error is the one to tell
		}
	}()
	if !daemon {
		if _, err := os.Stat(cfg.Data); err != nil {
			return nil, fmt.Errorf("no data in %s: start sluice serve there first, or say where with --data: %w", cfg.Data, err)
		}
	}
	for _, dir := range []string{cfg.Data, r.spool} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("data folder: %w; choose another with --data", err)
		}
	}
	if daemon {
		if err := r.takeLock(); err != nil {
			return nil, err
		}
	}
	if r.Store, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(cfg.Data, database), Log: log}); err != nil {
		return nil, err
	}
	if r.Quarantine, err = quarantine.New(quarantine.Config{Dir: filepath.Join(cfg.Data, "quarantine"),
		MaxBytes: int64(cfg.Keep.QuarantineSize), Retention: cfg.Keep.Quarantine.Duration}); err != nil {
		return nil, err
	}
	r.Outbox, err = outbox.New(outbox.Config{Dir: filepath.Join(cfg.Data, "outbox"), Expire: cfg.Keep.Outbox.Duration,
		Deliver: func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome { return r.deliver(ctx, d) }, Alarm: r.alarm})
	if err != nil {
		return nil, err
	}
	if !daemon {
		return r, nil
	}
	dropped, err := r.Quarantine.Recover(ctx)
	if dropped > 0 {
		log.Info("quarantine: unfinished messages dropped; their senders got no 250 and still have them", "messages", dropped)
	}
	return r, err
}

// takeLock keeps a second daemon off the same data.
func (r *Rooms) takeLock() error {
	f, err := os.OpenFile(filepath.Join(r.cfg.Data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("another sluice serve uses %s; stop it, or choose another folder with --data", r.cfg.Data)
		}
		return fmt.Errorf("data folder: lock: %w", err)
	}
	r.lock = f
	return nil
}

func (r *Rooms) alarm(a outbox.Alarm) {
	r.Log.Error("outbox: a message could not be delivered; it is kept in the folder failed", "id", a.ID, "expired", a.Expired, "recipients", len(a.Outcomes))
}

// work runs what goes on beside the mail until ctx ends.
func (r *Rooms) work(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Outbox.Run(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("outbox stopped", "error", err)
		}
	})
	wg.Go(func() {
		for t := time.NewTicker(time.Hour); ; {
			r.sweep(ctx)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return
			}
		}
	})
	wg.Wait()
}

// sweep lets go of what is past its time.
func (r *Rooms) sweep(ctx context.Context) {
	now := time.Now()
	if n, err := r.Store.Sweep(ctx, now.Add(-r.cfg.Keep.Log.Duration)); err != nil {
		r.Log.Error("log: sweeping old rows", "error", err)
	} else if n > 0 {
		r.Log.Info("log: old rows removed", "rows", n)
	}
	if _, err := r.Store.SweepReports(ctx, now.Add(-r.cfg.Reports.Keep.Duration)); err != nil {
		r.Log.Error("reports: sweeping old rows", "error", err)
	}
	if _, err := r.Store.SweepReviews(ctx, now.Add(-r.cfg.Keep.Log.Duration)); err != nil {
		r.Log.Error("reviews: sweeping old ones", "error", err)
	}
	if _, err := r.Store.SweepAppeals(ctx, now.Add(-r.cfg.Keep.Log.Duration)); err != nil {
		r.Log.Error("appeals: sweeping old ones", "error", err)
	}
	ids, err := r.Quarantine.Sweep(ctx, now)
	if err != nil {
		r.Log.Error("quarantine: sweeping", "error", err)
	}
	for _, id := range ids {
		if err := r.Store.Unindex(ctx, id); err != nil && !errors.Is(err, sluice.ErrNotFound) {
			r.Log.Error("quarantine index: run sluice quarantine reindex", "id", id, "error", err)
		}
	}
}

// health says what is wrong, or nil.
func (r *Rooms) health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := r.Store.CountAccounts(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := r.Store.Health(); err != nil {
		return fmt.Errorf("message log: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(r.cfg.Data, &st); err == nil && st.Bavail*uint64(st.Bsize) < 64<<20 {
		return fmt.Errorf("disk: under 64 MB left in %s", r.cfg.Data)
	}
	return nil
}

// observe shows the rooms' gauges.
func (r *Rooms) observe(reg prometheus.Registerer) {
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "sluice", Name: name, Help: help}, f))
	}
	gauge("log_dropped", "Log rows dropped because the disk was too slow.", func() float64 { return float64(r.Store.LogStats().Dropped) })
	gauge("log_failed", "Log rows that could not be written.", func() float64 { return float64(r.Store.LogStats().Failed) })
	gauge("log_queued", "Log rows that wait.", func() float64 { return float64(r.Store.LogStats().Queued) })
	gauge("outbox_messages", "Messages that wait in the outbox.", func() float64 { return float64(r.Outbox.Len()) })
	gauge("quarantine_messages", "Messages in quarantine.", func() float64 { _, n := r.Quarantine.Usage(); return float64(n) })
	gauge("quarantine_bytes", "Bytes in quarantine.", func() float64 { b, _ := r.Quarantine.Usage(); return float64(b) })
}

// Close closes the database and lets another daemon in.
func (r *Rooms) Close() error {
	var err error
	if r.Store != nil {
		err = r.Store.Close()
	}
	if r.lock != nil {
		err = errors.Join(err, r.lock.Close())
	}
	return err
}
