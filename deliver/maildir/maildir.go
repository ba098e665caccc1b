// Package maildir delivers into a Maildir: the next hop for trying Sluice out
// without a mail server, and for archives.
package maildir

import (
	"context"
	"errors"

	"sluice"
	"sluice/internal/durable"
)

// Config says where.
type Config struct {
	Dir      string     // the Maildir; tmp, new and cur are made in it
	FS       durable.FS // nil: the operating system's
	Hostname string     // part of file names
}

// Maildir is a [sluice.Deliverer]. It is safe for concurrent use.
type Maildir struct{ cfg Config }

var _ sluice.Deliverer = (*Maildir)(nil)

// New makes the folders.
func New(cfg Config) (*Maildir, error) { return &Maildir{cfg: cfg}, nil }

// Deliver implements [sluice.Deliverer].
func (m *Maildir) Deliver(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
	out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
	for i, rc := range d.Envelope.Rcpts {
		out[i] = sluice.Outcome{Recipient: rc.Address, Reply: sluice.ReplyTo(nil), Err: errors.New("maildir: not ready")}
	}
	return out
}

// Extensions implements [sluice.Deliverer].
func (m *Maildir) Extensions(context.Context) sluice.Extensions {
	return sluice.Extensions{EightBit: true, SMTPUTF8: true, Known: true}
}

// Close implements [sluice.Deliverer].
func (m *Maildir) Close() error { return nil }
