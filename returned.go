package sluice

import (
	"context"
	"time"
)

// Returned is a notice about mail that a user of ours sent and we relayed: the trace on
// what came back is ours (package trace).
type Returned struct {
	ID     string    // of the transaction in which the mail left
	Sent   time.Time // when it left
	To     string    // its reverse-path, to whom the notice came
	Failed int       // recipients that failed for good; 0: it was delayed or delivered
	Notice string    // id of the transaction that brought the notice
	At     time.Time
}

// Bounced is told of notices about mail that we relayed, each once. An error is the
// operator's, and nothing is told again.
type Bounced interface {
	Bounced(ctx context.Context, r Returned) error
}
