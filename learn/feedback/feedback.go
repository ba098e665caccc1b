// Package feedback owns what labels do: it decides what one is worth, writes it
// down, and learns from it.
//
// What is learned is a fold over one ordered log. Nothing else changes the text
// model: a node that reads the same log comes to the same model, bit for bit, and
// its own labels take the same way. What a label is worth is decided once, where it
// comes in, and is part of its entry. A label that is taken back is left out, as if
// it had never been given: an older snapshot is taken and the log replayed without
// it, while readers keep the old model.
//
// Everybody may label; not everybody is believed. Users teach the slow weights only,
// are believed as far as others agreed with them, and count a few times for one
// campaign. After every few labels mail that is known to be wanted is read anew;
// where that got worse, the labels that did it are found and taken back.
//
// DESIGN.md in this folder has the reasons and the figures.
package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/feedback/golden"
	"sluice/learn/text/online"
	"sluice/message"
)

// Campaigns is what labels teach beside the text model; [campaign.Memory] is one.
type Campaigns interface {
	Print(*message.Message) *campaign.Print
	Label(*campaign.Print, campaign.Label) bool
}

// Config is what New needs. Log, Text, Clock and Folder must be set; zero fields of
// the rest take the default.
type Config struct {
	Log sluice.FeedbackLog
	// Text is the learner whose model readers use. The room is the only one that
	// teaches it.
	Text *online.Learner
	// Campaigns may be nil. Where it starts empty CampaignsEmpty must be set: then
	// all labels of the log are given to it again.
	Campaigns      Campaigns
	CampaignsEmpty bool
	// Golden may be nil: then nothing guards the model.
	Golden *golden.Set

	// FS and Folder hold what this node knows of its own; default the operating
	// system's.
	FS     durable.FS
	Folder string
	// Snapshots of the text model; default files in Folder. Nodes with one log may
	// share them.
	Snapshots Snapshots

	Clock func() time.Time
	Trace *slog.Logger // default: discards

	Keep          time.Duration // how long a label can be taken back by replay; default 30 days
	Remember      time.Duration // how long entries stay in the log; default three times Keep
	SnapshotEvery int           // labels; default 500
	SnapshotsKept int           // default 8, at least 3
	GuardEvery    int           // labels between two looks at the golden mail; default 200
	// Quarantine is where golden mail counts as lost, in decibel of the text model;
	// default 12.8, which is P = 0.95.
	Quarantine float64

	// What one user may say in a day, while new and later, and what all users and
	// traps together may; default 20, 100 and 20,000.
	NewReporterDay, ReporterDay, Day int
	CampaignDay                      int // labels of one campaign by one reporter in a day; default 3
}

func (c *Config) defaults() error {
	switch {
	case c.Log == nil || c.Text == nil || c.Clock == nil:
		return errors.New("feedback: a log, a learner and a clock are needed")
	case c.Folder == "":
		return errors.New("feedback: a folder is needed")
	}
	if c.FS == nil {
		c.FS = durable.OS{}
	}
	if c.Snapshots == nil {
		c.Snapshots = &Files{FS: c.FS, Folder: c.Folder}
	}
	if c.Trace == nil {
		c.Trace = slog.New(slog.DiscardHandler)
	}
	c.Keep = cmp.Or(max(c.Keep, 0), 30*day)
	c.Remember = max(cmp.Or(c.Remember, 3*c.Keep), c.Keep)
	c.SnapshotEvery = cmp.Or(max(c.SnapshotEvery, 0), 500)
	c.SnapshotsKept = max(cmp.Or(c.SnapshotsKept, 8), 3)
	c.GuardEvery = cmp.Or(max(c.GuardEvery, 0), 200)
	c.Quarantine = cmp.Or(c.Quarantine, 12.8)
	c.NewReporterDay = cmp.Or(max(c.NewReporterDay, 0), 20)
	c.ReporterDay = cmp.Or(max(c.ReporterDay, 0), 100)
	c.Day = cmp.Or(max(c.Day, 0), 20_000)
	c.CampaignDay = cmp.Or(max(c.CampaignDay, 0), 3)
	return nil
}

const day = 24 * time.Hour

// Room takes labels and keeps the models. It is safe for concurrent use.
type Room struct {
	cfg  Config
	wake chan struct{} // room for one

	// work is held by whoever changes the text model; taken before mu.
	work chan struct{}
	text cursor
	// guard is the model that the golden mail was last read by.
	guard baseline

	mu     sync.Mutex
	ledger *ledger // what the log says beside the model

	stats counters
}

var _ sluice.Teacher = (*Room)(nil)

// cursor says where the text model stands in the log.
type cursor struct {
	loaded bool
	seq    int64 // the last entry that is learned
	// knows is the last entry whose undoing is obeyed: labels up to seq that are
	// taken back by an entry up to knows were left out.
	knows    int64
	snapshot int // labels since the last snapshot
	guard    int // labels since the last look at the golden mail
}

// counters are read while the room works.
type counters struct {
	seq, head                                     atomic.Int64
	learned, skipped, damaged, inexact, rebuilds  atomic.Uint64
	applied, held, refused, guardRuns, guardTaken atomic.Uint64
	rebuilding, loaded                            atomic.Bool
	golden, goldenLost                            atomic.Int64
}

// Stats counts since start, but for Seq, Head and what golden mail there is.
type Stats struct {
	Seq, Head              int64  // the last entry learned, and known
	Learned                uint64 // labels, replays not counted
	Skipped                uint64 // of another extractor
	Damaged                uint64 // features or prints that couldn't be read
	Inexact                uint64 // labels taken back by counter-training because no snapshot was left
	Rebuilds               uint64 // replays
	Rebuilding             bool
	Applied, Held, Refused uint64 // labels that came in here
	GuardRuns, GuardTaken  uint64 // looks at the golden mail; labels that were taken back after them
	Golden, GoldenLost     int64  // wanted mail at the last look, and how much of it was over the threshold
}

// Stats counts.
func (r *Room) Stats() Stats {
	s := &r.stats
	return Stats{
		Seq: s.seq.Load(), Head: s.head.Load(), Learned: s.learned.Load(), Skipped: s.skipped.Load(), Damaged: s.damaged.Load(),
		Inexact: s.inexact.Load(), Rebuilds: s.rebuilds.Load(), Rebuilding: s.rebuilding.Load(),
		Applied: s.applied.Load(), Held: s.held.Load(), Refused: s.refused.Load(),
		GuardRuns: s.guardRuns.Load(), GuardTaken: s.guardTaken.Load(), Golden: s.golden.Load(), GoldenLost: s.goldenLost.Load(),
	}
}

// New makes a Room. It reads nothing yet: a store that is away keeps no node from
// starting. [Room.Run] or [Room.CatchUp] loads.
func New(cfg Config) (*Room, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	return &Room{cfg: cfg, wake: make(chan struct{}, 1), work: make(chan struct{}, 1), ledger: newLedger()}, nil
}

// Run learns from the log until ctx ends: after each label given here, and at each
// tick what others wrote. A tick a minute is right. What goes wrong is said in the
// log, and tried again at the next tick.
func (r *Room) Run(ctx context.Context, tick <-chan time.Time) {
	trouble := ""
	step := func(what string, err error) {
		switch {
		case ctx.Err() != nil:
		case err != nil && err.Error() != trouble:
			trouble = err.Error()
			r.cfg.Trace.Error("labels: "+what, slog.Any("error", err))
		case err == nil && trouble != "" && what == learning:
			trouble = ""
			r.cfg.Trace.Info("labels are learned again")
		}
	}
	step(learning, r.CatchUp(ctx))
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			step(learning, r.CatchUp(ctx))
		case <-tick:
			step(learning, r.CatchUp(ctx))
			step("look after the log", r.Tidy(ctx))
		}
	}
}

const learning = "learn from the log"

// poke wakes Run.
func (r *Room) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// lock takes work; the caller gives it back by unlock.
func (r *Room) lock(ctx context.Context) error {
	select {
	case r.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("feedback: %w", ctx.Err())
	}
}

func (r *Room) unlock() { <-r.work }

// Tidy writes the golden mail down, removes snapshots that are too many and entries
// that are too old, and looks at the golden mail where a few labels came since. Run
// calls it.
func (r *Room) Tidy(ctx context.Context) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	var errs []error
	if r.text.loaded {
		if r.text.guard >= min(guardBurst, r.cfg.GuardEvery) {
			errs = append(errs, r.watch(ctx))
		}
		errs = append(errs, r.sweep(ctx))
	}
	if g := r.cfg.Golden; g != nil {
		errs = append(errs, r.cfg.FS.MkdirAll(r.cfg.Folder), g.Save(r.cfg.FS, r.goldenFile(), r.cfg.Clock()))
	}
	return errors.Join(errs...)
}

// LoadGolden reads the golden mail of the last run. The error is for the trace: the
// set is empty then, and fills anew.
func (r *Room) LoadGolden() error {
	if r.cfg.Golden == nil {
		return nil
	}
	return r.cfg.Golden.Load(r.cfg.FS, r.goldenFile())
}

// Close writes the golden mail down. Run must have ended; the learner is closed by
// its owner, afterwards.
func (r *Room) Close() error {
	if r.cfg.Golden == nil {
		return nil
	}
	if err := r.cfg.FS.MkdirAll(r.cfg.Folder); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	return r.cfg.Golden.Flush(r.cfg.FS, r.goldenFile(), r.cfg.Clock())
}

// SaveCampaigns runs save, which writes the campaign memory down, while no label
// reaches it, and then notes which labels it has. A crash between the two gives it
// some labels twice.
func (r *Room) SaveCampaigns(save func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := save(); err != nil {
		return err
	}
	return r.noteCampaigns()
}
