package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sluice"
	"sluice/check"
	checktext "sluice/check/text"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/rejudge"
	"sluice/config"
	"sluice/learn/text"
	"sluice/message"
	"sluice/replay"
)

type replayCmd struct {
	Config   string          `help:"Settings to try (TOML)." type:"path" placeholder:"FILE"`
	Was      string          `help:"Settings in force until now, for refusals before the message." type:"path" placeholder:"FILE"`
	Data     string          `help:"Data folder of the daemon." placeholder:"DIR"`
	Since    config.Duration `help:"Only the last while, such as 7d or 12h." placeholder:"TIME"`
	Examples int             `default:"5" help:"Show so many messages of each change."`
	JSON     bool            `help:"As JSON."`
}

// Run judges the log again under the settings given.
func (c *replayCmd) Run(a *app) error {
	was, err := config.Load(c.Was, config.Flags{Data: c.Data})
	if err != nil {
		return fmt.Errorf("replay: --was: %w", err)
	}
	return place{Config: c.Config, Data: c.Data}.with(a, func(r *daemon.Rooms, cfg *config.Config) error {
		log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		here, err := build.NewLearning(cfg, r.Store, nil, false, log)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		defer here.Text.Close()
		if err := here.CatchUp(a.ctx); err != nil {
			return fmt.Errorf("replay: what was learned here: %w", err)
		}
		catalogues, err := build.Catalogues(a.ctx, r.Store)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		now := time.Now()
		rc := replay.Config{Then: build.Terms(was), Now: build.Terms(cfg), Model: text.Default().Version() + here.Version(),
			Text: anew(r, checktext.Model(text.Default(), here.Model)), Catalogue: func(v string) map[sluice.Reason]float64 { return catalogues[v] }}
		run := rejudge.Config{Log: r.Store, Replayer: replay.New(rc), Until: now, Examples: c.Examples, JSON: c.JSON, Stdout: a.stdout, Stderr: a.stderr}
		if c.Since.Duration > 0 {
			run.Since = now.Add(-c.Since.Duration)
		}
		_, err = rejudge.Run(a.ctx, run)
		return err
	})
}

// anew asks the text models about messages that are in quarantine.
func anew(r *daemon.Rooms, model check.Checker) func(context.Context, *sluice.Record) (sluice.Evidence, bool) {
	return func(ctx context.Context, rec *sluice.Record) (e sluice.Evidence, ok bool) {
		if rec.Action() != sluice.QuarantineIt {
			return e, false
		}
		_, body, err := r.Quarantine.Open(ctx, rec.ID)
		if err != nil {
			return e, false // released, or gone
		}
		raw, err := io.ReadAll(body)
		if err := body.Close(); err != nil {
			return e, false
		}
		if err != nil {
			return e, false
		}
		found, err := model.Check(ctx, &check.Input{Conn: &rec.Conn, Envelope: &rec.Envelope, Message: message.Parse(raw, message.DefaultLimits()), Now: rec.Time})
		if err != nil || len(found) == 0 {
			return e, false
		}
		return found[0], true
	}
}
