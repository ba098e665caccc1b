// Package outbox is the one small durable queue: mail that we write ourselves,
// mail released from quarantine, and the rest of a split transaction. It never
// writes a bounce: what can't be delivered ends in a folder and an alarm.
package outbox

import (
	"context"
	"errors"
	"time"

	"sluice"
	"sluice/internal/durable"
)

// Config says where the queue lies and who takes its mail.
type Config struct {
	Dir     string
	FS      durable.FS // nil: the operating system's
	Deliver func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome
	Backoff func(attempt int) time.Duration // default: 1 min doubling to 1 h
	Expire  time.Duration                   // default 5 days
	Workers int                             // deliveries at a time; default 4
	Alarm   func(Alarm)                     // may be nil
}

// Alarm tells an admin about mail that could not be delivered. The message
// stays in the folder "failed".
type Alarm struct {
	ID       string
	Outcomes []sluice.Outcome // of the recipients that failed
	Expired  bool             // gave up after Config.Expire; else refused for good
}

// Outbox is a [sluice.Outbox] over files. It is safe for concurrent use.
type Outbox struct{ cfg Config }

var _ sluice.Outbox = (*Outbox)(nil)

// New opens the queue and finds what waits there. Nothing is sent before Run.
func New(cfg Config) (*Outbox, error) { return &Outbox{cfg: cfg}, nil }

// Put implements [sluice.Outbox].
func (o *Outbox) Put(ctx context.Context, d *sluice.Delivery) error {
	return errors.New("outbox: not ready")
}

// Run delivers until ctx ends, and returns after the last delivery has.
func (o *Outbox) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Len is the number of messages that wait.
func (o *Outbox) Len() int { return 0 }
