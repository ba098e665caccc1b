package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap/zapcore"
)

// bridge passes certmagic's log on. Failures come by its events in one sentence
// each, so all that it logs itself is for who looks closer.
type bridge struct {
	log    *slog.Logger
	fields []zapcore.Field
}

// Enabled implements [zapcore.LevelEnabler].
func (b bridge) Enabled(zapcore.Level) bool {
	return b.log.Enabled(context.Background(), slog.LevelDebug)
}

// With implements [zapcore.Core].
func (b bridge) With(f []zapcore.Field) zapcore.Core {
	b.fields = append(b.fields[:len(b.fields):len(b.fields)], f...)
	return b
}

// Check implements [zapcore.Core].
func (b bridge) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) {
		return c.AddCore(e, b)
	}
	return c
}

// Write implements [zapcore.Core].
func (b bridge) Write(e zapcore.Entry, f []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, list := range [][]zapcore.Field{b.fields, f} {
		for _, f := range list {
			f.AddTo(enc)
		}
	}
	b.log.Debug("acme: "+e.Message, "level", e.Level.String(), "fields", enc.Fields)
	return nil
}

// Sync implements [zapcore.Core].
func (b bridge) Sync() error { return nil }
