// Package voices takes what people say of messages to the memories of who speaks under
// which name. It stands around whoever learns from labels.
package voices

import (
	"context"
	"errors"
	"log/slog"

	"sluice"
	"sluice/learn/speaker"
	"sluice/message"
)

// Voices is a [sluice.Teacher] that tells the memories of each label that it was given
// with its message. Labels of other nodes and of commands come without one: they reach
// the text model by the log, and the memories of the node that they were given to.
type Voices struct {
	sluice.Teacher
	ledger *speaker.Ledger
	log    sluice.Log // knows what was proved when a message came
	trace  *slog.Logger
}

// Around makes one.
func Around(t sluice.Teacher, l *speaker.Ledger, log sluice.Log, trace *slog.Logger) *Voices {
	return &Voices{t, l, log, trace}
}

// Teach implements [sluice.Teacher].
func (v *Voices) Teach(ctx context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	f, err := v.Teacher.Teach(ctx, l)
	if err == nil {
		v.told(f, v.label(ctx, l, f))
	}
	return f, err
}

func (v *Voices) label(ctx context.Context, l *sluice.Label, f *sluice.Feedback) error {
	if l.ID == "" || len(l.Raw) == 0 {
		return nil // nobody knows what was proved, or what it said
	}
	rec, err := v.log.Record(ctx, l.ID)
	if err != nil {
		if errors.Is(err, sluice.ErrNotFound) {
			return nil // too old
		}
		return err
	}
	said, ok := speaker.Of(rec.Tenant, message.Parse(l.Raw, message.DefaultLimits()), rec.Authenticated)
	if !ok {
		return nil
	}
	return v.ledger.Label(ctx, f, said)
}

// Undo implements [sluice.Teacher].
func (v *Voices) Undo(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	f, err := v.Teacher.Undo(ctx, seq, by)
	if err == nil {
		v.told(f, v.ledger.Decide(ctx, f))
	}
	return f, err
}

// Accept implements [sluice.Teacher].
func (v *Voices) Accept(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	f, err := v.Teacher.Accept(ctx, seq, by)
	if err == nil {
		v.told(f, v.ledger.Decide(ctx, f))
	}
	return f, err
}

// told says in the log what the memories weren't told; the label counts all the same.
func (v *Voices) told(f *sluice.Feedback, err error) {
	if err != nil {
		v.trace.Error("a label didn't reach the memories of senders", "entry", f.Seq, "error", err)
	}
}
