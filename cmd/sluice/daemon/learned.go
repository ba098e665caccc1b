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
	return l.Model(), nil
}
