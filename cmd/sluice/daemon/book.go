package daemon

import (
	"context"
	"errors"
	"log/slog"

	"sluice/cmd/sluice/build"
	"sluice/complaint/desk"
	"sluice/config"
	"sluice/store/sqlite"
)

// Book is the log of labels of a data folder, for commands beside a daemon: what it
// writes, the daemon learns within seconds.
type Book struct {
	*build.Learning
	*sqlite.Store
	desk  *desk.Desk
	rooms *Rooms
}

// OpenBook opens it.
func OpenBook(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Book, error) {
	r, err := OpenRooms(ctx, cfg, log, false)
	if err != nil {
		return nil, err
	}
	b := &Book{Store: r.Store, rooms: r}
	if b.Learning, err = build.NewTeacher(cfg, r.Store, log); err == nil {
		b.desk, err = build.Desk(cfg, b.Learning, r.Store, r.Quarantine, log)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Clean takes a copy out of a mailbox back to what came to us.
func (b *Book) Clean(ctx context.Context, raw []byte) ([]byte, string) { return b.desk.Clean(ctx, raw) }

// Close closes the log.
func (b *Book) Close() error {
	if b.Learning != nil {
		b.Text.Close()
	}
	return b.rooms.Close()
}
