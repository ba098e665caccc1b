// Package subscriber finds those of our own users whose devices or accounts send what
// their owners don't know of, keeps their mail from leaving, and follows each case until
// it is clean (RFC 6561).
//
// # How it is used
//
// A [Warden] is asked and told by those who see mail, logins and reports:
//
//	subject, ok, err := directory.Find(ctx, trace)   // who sends; may wait; else Unlisted(trace)
//	d := w.Standing(now, &subject)                    // at AUTH and MAIL: memory only
//	d := w.Login(ctx, now, &subject, login)           // after a login
//	d := w.Judge(ctx, now, &subject, message)         // at the final dot, once there is a verdict,
//	                                                  // before the message goes anywhere
//	w.Refused, w.Bounced, w.Signal                    // what is found out later
//	w.Report(ctx, now, report)                        // what others say
//	w.Tick(ctx, now)                                  // every minute
//	w.Save(ctx, now), w.Load(ctx, now)                // memory, to and from the store
//
// The decision of Judge holds for that very message: what tips the scale is itself held.
// A decision never waits for the store: a case that can't be written counts from memory
// and is written by the next Tick.
//
// Cases are told to the subscriber by others (a notice room): [Warden.Untold] lists who
// has to be told, [Warden.Try] journals a try before it is made and keeps to the limits,
// [Warden.Proof] writes down what came of it. [Warden.Confirm] is the self-service
// page's button, [Warden.Remedy], [Warden.Close], [Warden.FalseAlarm], [Warden.Reopen],
// [Warden.Merge], [Warden.Hold] and [Warden.Note] the admin's.
//
// # What can't happen
//
// Reports alone neither open a case nor hold anybody, whatever their number: see
// subscriber/signal. Own observation must bring [Config.OwnLeast] of a hold's points.
// So many holds an hour and no more are made without an admin, so that a model gone
// wrong can't lock everybody out. All memory is bounded.
//
// Time is an argument everywhere, and randomness of the configuration.
package subscriber

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/internal/shelf"
	"sluice/internal/table"
	"sluice/subscriber/baseline"
	"sluice/subscriber/cases"
	"sluice/subscriber/signal"
)

// Config sets up a Warden. Zero fields but Key, Cases and ID take the default.
type Config struct {
	// Key is the site's secret under which subjects are hashed in what is stored of
	// their habits, at least 16 octets.
	Key []byte
	// Cases keeps the cases.
	Cases sluice.Cases
	// Memos keeps baselines and signals across restarts; nil: they start anew.
	Memos sluice.Memos
	// ID makes a case's identifier: random, at least 8 characters, fit for an address.
	ID func() string
	// Relayed finds mail that a report names; nil: no report counts.
	Relayed Relayed
	// Directory finds the subjects of reports; nil: [Unlisted] ones only.
	Directory Directory

	Weights *signal.Weights  // default signal.DefaultWeights
	Limits  *baseline.Limits // default baseline.DefaultLimits
	Rules   cases.Rules

	OpenAt   float64 // posterior in decibel at which a case is opened; default 8 (P 0.86)
	HoldAt   float64 // … and mail restricted; default 13 (P 0.95)
	OwnLeast float64 // what own observation must bring to a case and to a hold; default 12
	// WatchAt is by how much both are lower while a subscriber is watched; default 8.
	WatchAt float64

	// Restrict is what is done by class; what isn't named is held. Exempt is never
	// restricted.
	Restrict map[Class]sluice.Restriction
	// ClampTo is how many messages an hour a clamped subscriber may send, and a watched
	// one that usually sends less; default 10.
	ClampTo int

	HoldsPerHour   int // without an admin; default 50
	NoticesPerHour int // tries of all cases; default 1000
	NoticesPerDay  int // tries of one case; default 12
	ReportsPerDay  int // of one reporter about one subject; default 5
	// QuietFrom and QuietTo are hours of the subscriber's day in which nobody is told,
	// unless it has waited for half of Rules.TellWithin; equal: none. Default 22 to 7.
	QuietFrom, QuietTo int

	Capacity  int           // subscribers whose habits are remembered; default 200,000, at most 250,000
	Suspects  int           // subscribers of whom signals are remembered; default a tenth of Capacity
	Live      int           // live cases; default 20,000
	SaveEvery time.Duration // default 10 minutes
	// RefreshEvery is how often live cases are read again, for what other nodes and the
	// command line changed; default 1 minute.
	RefreshEvery time.Duration

	// Changed is told of each step that is on disk, outside of all locks; it may not
	// change the case. Of two steps of a case at the same moment the later may be told
	// first.
	Changed func(c *sluice.Case, what cases.What)
	Log     *slog.Logger // default: discards
}

func setDefault[T int | float64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

func (c *Config) defaults() error {
	switch {
	case len(c.Key) < 16:
		return errors.New("subscriber: the key has under 16 octets")
	case c.Cases == nil || c.ID == nil:
		return errors.New("subscriber: cases and identifiers are needed")
	}
	if c.Weights == nil {
		w := signal.DefaultWeights()
		c.Weights = &w
	}
	if c.Limits == nil {
		l := baseline.DefaultLimits()
		c.Limits = &l
	}
	c.Rules = c.Rules.WithDefaults()
	setDefault(&c.OpenAt, 8)
	setDefault(&c.HoldAt, 13)
	c.HoldAt = max(c.HoldAt, c.OpenAt)
	setDefault(&c.OwnLeast, 12)
	setDefault(&c.WatchAt, 8)
	setDefault(&c.ClampTo, 10)
	setDefault(&c.HoldsPerHour, 50)
	setDefault(&c.NoticesPerHour, 1000)
	setDefault(&c.NoticesPerDay, 12)
	setDefault(&c.ReportsPerDay, 5)
	if c.QuietFrom == 0 && c.QuietTo == 0 {
		c.QuietFrom, c.QuietTo = 22, 7
	}
	setDefault(&c.Capacity, 200_000)
	c.Capacity = min(c.Capacity, 250_000) // a bucket of the shelf holds 64 kB
	setDefault(&c.Suspects, max(c.Capacity/10, 1000))
	setDefault(&c.Live, 20_000)
	setDefault(&c.SaveEvery, 10*time.Minute)
	setDefault(&c.RefreshEvery, time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// key is a subject as it is stored.
type key uint64

// suspicion is what is remembered of a subject's signals.
type suspicion struct {
	Ledger signal.Ledger
	Let    uint32 // messages that left since the first of them
	Since  uint32 // when that was, seconds since 1970; 0: nothing
	Pardon uint32 // until then an admin's word speaks for the subject
}

// crowd counts the accounts that one network acts for on a day.
type crowd struct {
	day   int32
	stage uint8
	bits  uint64
	usual float32
}

// Warden watches the subscribers. Its methods are safe for concurrent use.
type Warden struct {
	cfg    Config
	habits *shelf.Shelf[key, baseline.State]
	doubts *shelf.Shelf[key, suspicion]
	crowds *table.Table[netip.Prefix, crowd]
	prints *table.Table[key, spread]
	told   *table.Table[reported, tally]
	keeper shelf.Keeper

	// standing is what the hot path reads. Lock order: files, then standing; a shard of
	// a table is never locked with either.
	standingMu sync.RWMutex
	standing   map[string]standing

	files   sync.Mutex // held while a case is changed and written
	live    map[string]*sluice.Case
	bySub   map[string]string       // subject → id of its live case
	dirty   map[string][]cases.What // changed in memory only: what waits to be told
	fresh   time.Time               // when the store was read last
	holds   bucket
	notices bucket

	counts counts
}

// standing is what the hot path has to know of a live case.
type standing struct {
	id       string
	state    sluice.CaseState
	restrict sluice.Restriction
	kept     *atomic.Int64
	texts    *atomic.Int64 // that were remembered: see spread
}

type counts struct {
	judged, kept, opened, refusedCases, refusedHolds, reports, reportsRefused atomic.Uint64
}

// Stats are counters since the start, and what is remembered.
type Stats struct {
	Judged, Kept          uint64 // messages
	Opened                uint64 // cases
	Unwritten             int    // cases that aren't on disk as they are
	RefusedCases          uint64 // not opened, since too many are live
	RefusedHolds          uint64 // not held by the hourly limit
	Reports, ReportsNone  uint64 // that counted, that didn't
	Live                  int
	Subscribers, Suspects int
}

// New makes a Warden that knows nothing. See [Warden.Load].
func New(cfg Config) (*Warden, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	w := &Warden{cfg: cfg, standing: map[string]standing{}, live: map[string]*sluice.Case{}, bySub: map[string]string{}, dirty: map[string][]cases.What{}}
	w.habits = shelf.New[key]("habit", cfg.Capacity, func(s *baseline.State, now time.Time) float64 { return s.Worth(now) })
	w.doubts = shelf.New[key]("doubt", cfg.Suspects, w.worth)
	// Networks of most accounts stay; of those with one, which are nearly all, the first.
	w.crowds = table.New[netip.Prefix](table.Config[crowd]{Capacity: max(20_000, cfg.Capacity), Worth: func(c *crowd, now time.Time) float64 {
		if now.Unix()/86400-int64(c.day) > crowdFor {
			return -1
		}
		return max(float64(c.usual), float64(bits.OnesCount64(c.bits)))
	}})
	w.prints = table.New[key](table.Config[spread]{Capacity: max(20_000, cfg.Capacity/2), Worth: func(s *spread, now time.Time) float64 {
		if now.Unix()/86400-int64(s.day) > spreadFor {
			return -1
		}
		return float64(bits.OnesCount64(s.bits))
	}})
	w.told = table.New[reported](table.Config[tally]{Capacity: 50_000, Worth: func(t *tally, now time.Time) float64 {
		if now.Unix()/86400-int64(t.day) >= reportsFor {
			return -1
		}
		return float64(t.n)
	}})
	w.keeper = shelf.Keeper{Kind: "subscriber", Mark: fmt.Sprintf("%016x", w.hash("mark", "")), Every: cfg.SaveEvery, Shelves: []shelf.Kept{w.habits, w.doubts}}
	return w, nil
}

// hash is a subject's or report's place in what is stored.
func (w *Warden) hash(what, s string) key {
	var buf [160]byte // longer ones grow out of it
	b := append(append(append(append(append(buf[:0], w.cfg.Key...), 0), what...), 0), s...)
	sum := sha256.Sum256(b)
	return key(max(binary.BigEndian.Uint64(sum[:]), 1))
}

// worth makes those with the most own evidence stay.
func (w *Warden) worth(s *suspicion, now time.Time) float64 {
	sum := s.Ledger.Sum(w.cfg.Weights, now)
	switch {
	case sum.Own >= 1:
		return sum.Own
	case int64(s.Pardon) > now.Unix():
		return 0.5
	case s.Ledger.Empty(w.cfg.Weights, now):
		return -1
	}
	return 0
}

// Load reads live cases and what is remembered of subscribers. An error about the
// latter leaves it empty; without the cases nobody who is held would stay held, so then
// it is to be called again.
func (w *Warden) Load(ctx context.Context, now time.Time) error {
	if err := w.refresh(ctx, now, true); err != nil {
		return err
	}
	if w.cfg.Memos == nil {
		return nil
	}
	if _, err := w.keeper.Load(ctx, now, w.cfg.Memos); err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	return nil
}

// Save writes what changed in memory, at most every Config.SaveEvery; with flush at
// once.
func (w *Warden) Save(ctx context.Context, now time.Time, flush bool) error {
	if w.cfg.Memos == nil {
		return nil
	}
	save := w.keeper.Save
	if flush {
		save = w.keeper.Flush
	}
	if _, err := save(ctx, now, w.cfg.Memos); err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	return nil
}

// Stats counts.
func (w *Warden) Stats() Stats {
	c := &w.counts
	w.files.Lock()
	live, unwritten := len(w.live), len(w.dirty)
	w.files.Unlock()
	return Stats{Judged: c.judged.Load(), Kept: c.kept.Load(), Opened: c.opened.Load(), Unwritten: unwritten,
		RefusedCases: c.refusedCases.Load(), RefusedHolds: c.refusedHolds.Load(), Reports: c.reports.Load(), ReportsNone: c.reportsRefused.Load(),
		Live: live, Subscribers: w.habits.Stats().Len, Suspects: w.doubts.Stats().Len}
}

// bucket lets so many through in an hour: it fills evenly.
type bucket struct {
	left float64
	last time.Time
}

func (b *bucket) take(now time.Time, perHour int) bool {
	most := float64(perHour)
	if b.last.IsZero() {
		b.left = most
	} else if d := now.Sub(b.last); d > 0 {
		b.left = min(most, b.left+most*d.Hours())
	}
	b.last = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
