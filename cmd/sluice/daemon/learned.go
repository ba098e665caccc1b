package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/learn/text/online"
	"sluice/store/sqlite"
)

// Learned is the text model that a daemon on the same data has by now; nil where
// nothing was learned. It is for commands that judge stored mail.
func Learned(ctx context.Context, cfg *config.Config, log *slog.Logger) (*online.Model, error) {
	s, err := LearnedState(ctx, cfg, log)
	if s == nil || err != nil {
		return nil, err
	}
	return s.Model(), nil
}

// LearnedState is what Learned is made of, for commands that learn on, beside the
// daemon and not for it.
func LearnedState(ctx context.Context, cfg *config.Config, log *slog.Logger) (*online.State, error) {
	path := filepath.Join(cfg.Data, database)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: path, Log: log})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	l, err := build.NewLearning(cfg, store, nil, false, log)
	if err != nil {
		return nil, err
	}
	defer l.Text.Close()
	if err := l.CatchUp(ctx); err != nil {
		return nil, err
	}
	var state *online.State
	err = l.Text.Do(ctx, func(s *online.State) error {
		state = s // the learner ends here
		return nil
	})
	return state, err
}
