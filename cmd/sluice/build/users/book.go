package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/subscriber"
	"sluice/subscriber/cases"
)

// Book is the cases beside a daemon that may be running: what is written here, it reads
// within a minute.
type Book struct {
	*subscriber.Warden
	cases sluice.Cases
	close func() error
}

// NewBook opens it; done is called at the end.
func NewBook(cfg *config.Config, store sluice.Cases, done func() error, log *slog.Logger) (*Book, error) {
	key, err := secret.Site(cfg.Data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribers: %w", err), done())
	}
	s := cfg.Subscribers
	w, err := subscriber.New(subscriber.Config{Key: secret.For(key, "subscriber"), Cases: store, ID: caseID, Log: log, Capacity: 1000,
		Rules: cases.Rules{Watch: s.Watch.Duration, TellWithin: s.TellWithin.Duration, AnswerIn: s.AnswerIn.Duration}})
	if err != nil {
		return nil, errors.Join(err, done())
	}
	return &Book{w, store, done}, nil
}

// ListCases lists them.
func (b *Book) ListCases(ctx context.Context, q sluice.CaseQuery) ([]*sluice.Case, error) {
	return b.cases.ListCases(ctx, q)
}

// CloseCase ends a case by an admin's word.
func (b *Book) CloseCase(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error) {
	return b.Warden.Close(ctx, now, id, admin, note)
}

// Close lets go of the store.
func (b *Book) Close() error { return b.close() }

// Book is the same beside this very daemon: what is decided counts at once.
func (u *Users) Book() *Book {
	return &Book{u.Warden, u.cfg.Cases, func() error { return nil }}
}
