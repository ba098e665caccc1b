// Package traces wires what knows our own mail again: the key of traces, the memory of
// which domains' mail carries them, and the check that reads notices.
package traces

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/backscatter"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/gate"
	"sluice/learn/outbound"
	"sluice/trace"
)

// Traces makes and reads traces. A nil one makes none, and has no checks.
type Traces struct {
	Keys  *trace.Keys
	sent  *outbound.Table
	memos sluice.Memos
	log   *slog.Logger
	came  chan sluice.Returned
}

// New makes what a data folder's secret gives, and loads what was known. What can't be
// read is forgotten: then notices are believed for another while.
func New(ctx context.Context, cfg *config.Config, memos sluice.Memos, log *slog.Logger) (*Traces, error) {
	site, err := secret.Site(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	t := &Traces{memos: memos, log: log, came: make(chan sluice.Returned, queue)}
	if t.Keys, err = trace.New(secret.For(site, "trace")); err != nil {
		return nil, err
	}
	if t.sent, err = outbound.New(outbound.Config{Key: secret.For(site, "outbound"), All: cfg.Submission.Only}); err != nil {
		return nil, err
	}
	if _, err := t.sent.Load(ctx, time.Now(), memos); err != nil {
		log.Error("whose mail carries traces is forgotten", "error", err)
	}
	return t, nil
}

// Value is the trace of a message that leaves: of our own users' mail, and of no other. It
// is [gate.Settings.Trace].
func (t *Traces) Value(conn *sluice.Conn, env *sluice.Envelope, now time.Time) string {
	if t == nil || conn.AlreadyAccepted || conn.Stored || conn.Auth == "" && !env.Outbound {
		return ""
	}
	t.sent.Sent(now, env.From)
	return t.Keys.Value(env.ID, env.From, now)
}

// Checks are those that read notices.
func (t *Traces) Checks() []check.Checker {
	if t == nil {
		return nil
	}
	return backscatter.Checks(backscatter.Config{Keys: t.Keys, Traced: t.sent.Traced})
}

// Observe notes a notice about mail that we relayed. It returns at once.
func (t *Traces) Observe(o *gate.Observation) {
	if t == nil || !o.Reply.Positive() {
		return // it comes again, or never came
	}
	seen, ok := check.Noted[*backscatter.Seen](o.Notes)
	if !ok {
		return
	}
	if r, ours := seen.Returned(o.ID, time.Now()); ours {
		select {
		case t.came <- r:
		default:
			t.log.Warn("notices of mail that came back arrive faster than they can be told", "id", r.ID, "notice", r.Notice)
		}
	}
}

const (
	queue     = 1000 // notices that wait to be told
	saveEvery = time.Minute
	patience  = 10 * time.Second
)

// Run tells of notices and saves what was learned, until ctx ends.
func (t *Traces) Run(ctx context.Context, to ...sluice.Bounced) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case r := <-t.came:
			t.tell(ctx, r, to)
		case <-tick.C:
			t.save(ctx, t.sent.Save)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for n := len(t.came); n > 0; n-- {
				t.tell(ctx, <-t.came, to)
			}
			t.save(ctx, t.sent.Flush)
			return
		}
	}
}

func (t *Traces) tell(ctx context.Context, r sluice.Returned, to []sluice.Bounced) {
	t.log.Info("mail of ours came back", "id", r.ID, "notice", r.Notice, "sent", r.Sent, "failed", r.Failed)
	for _, b := range to {
		ctx, cancel := context.WithTimeout(ctx, patience)
		if err := b.Bounced(ctx, r); err != nil {
			t.log.Error("mail of ours came back, and that couldn't be counted", "id", r.ID, "notice", r.Notice, "error", err)
		}
		cancel()
	}
}

func (t *Traces) save(ctx context.Context, save func(context.Context, time.Time, sluice.Memos) (int, error)) {
	if _, err := save(ctx, time.Now(), t.memos); err != nil && ctx.Err() == nil {
		t.log.Error("whose mail carries traces can't be saved; it is tried again", "error", err)
	}
}
