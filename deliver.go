package sluice

import (
	"context"
	"io"
	"time"
)

// Delivery is a message to hand on for some recipients.
type Delivery struct {
	ID       string
	Envelope *Envelope // Rcpts already cut down to those served here
	Header   []byte    // our trace and result fields, CRLF ends, put before the body
	Body     []byte    // the message after rewrite, CRLF ends
	Utf8     bool      // has 8-bit header octets, or non-ASCII addresses: SMTPUTF8 (RFC 6531) where it was declared
	EightBit bool      // has 8-bit body octets: needs 8BITMIME (RFC 6152) at the next hop
}

// Outcome is what became of one recipient.
type Outcome struct {
	Recipient string
	Reply     Reply // the next hop's answer, or ours where it gave none
	Err       error // operator's view; nil on success
	Unknown   bool  // no answer after our final dot: it may have been accepted
}

// Delivered says whether somebody durable has the message for this recipient.
func (o Outcome) Delivered() bool { return o.Err == nil && o.Reply.Code/100 == 2 }

// Deliverer hands messages to a next hop and waits for its answer.
type Deliverer interface {
	// Deliver returns one outcome per recipient, in order. It never returns
	// success before the next hop has said 2xx (or the files are synced), and
	// maps every failure that isn't the next hop's own 5xx to 4xx.
	Deliver(ctx context.Context, d *Delivery) []Outcome
	// Extensions says what the next hop can take (probed, cached). A hop that
	// can't be asked right now yields its last known answer, or none.
	Extensions(ctx context.Context) Extensions
	Close() error
}

// Extensions are the ESMTP extensions that depend on the next hop.
type Extensions struct {
	Size     int64 // 0: no limit known
	EightBit bool
	SMTPUTF8 bool
	DSN      bool
	Known    bool // false: never reached yet
}

// Quarantined describes one message in quarantine. The file is the truth; an
// index row can be rebuilt from it.
type Quarantined struct {
	ID       string // also the file's name; random
	Tenant   string
	Envelope Envelope
	Conn     Conn
	Verdict  Verdict
	Stored   time.Time
	Expires  time.Time
	Size     int64
	Subject  string // decoded, hostile
	Pending  bool   // written before a relay whose answer isn't known yet
	Released time.Time
}

// Quarantine keeps messages durably.
type Quarantine interface {
	// Put writes the message and returns after file and folder are synced.
	Put(ctx context.Context, q *Quarantined, body []byte) error
	// Commit ends Pending after the next hop's 2xx; Abort removes the file.
	Commit(ctx context.Context, id string) error
	Abort(ctx context.Context, id string) error
	// Open returns the description and the original bytes.
	Open(ctx context.Context, id string) (*Quarantined, io.ReadCloser, error)
	// Each walks all files, oldest first. A file that can't be read is
	// reported by a nil Quarantined and an error, and the walk goes on.
	Each(ctx context.Context, fn func(*Quarantined, error) error) error
	// MarkReleased notes the release in the file; Delete removes it.
	MarkReleased(ctx context.Context, id string, at time.Time) error
	Delete(ctx context.Context, id string) error
}

// Outbox is the one small durable queue: mail that we write ourselves or that
// was released from quarantine. Put returns after the file is synced.
type Outbox interface {
	Put(ctx context.Context, d *Delivery) error
}
