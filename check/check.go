// Package check defines what a check is. The checks themselves live in one
// folder per evidence group, one file each; they state facts and never act.
package check

import (
	"context"
	"time"

	"sluice"
	"sluice/mailauth"
	"sluice/message"
)

// Cost is a class of effort; the pipeline runs cheap checks first.
type Cost uint8

// The cost classes.
const (
	Trivial Cost = iota // a few comparisons
	Cheap               // microseconds
	Heavy               // reads the whole message
	Remote              // asks somebody else
)

// Absence says what a check's failure to answer means for the message.
type Absence uint8

// The meanings.
const (
	Open      Absence = iota // judge without it
	Temporary                // 451: the answer matters
	Closed                   // treat as a hard stop
)

// Info declares a check.
type Info struct {
	Name     string // lower case, stable: "structure/mime"
	Phase    sluice.Phase
	Group    sluice.Group
	Cost     Cost
	Deadline time.Duration // 0: the phase's budget
	Absent   Absence
	Always   bool            // run it though the verdict can't change: its answer goes into the message's header
	Reasons  []sluice.Reason // what it may state; a test compares with the catalogue
}

// Input is all that a check may look at. Message is nil before the message
// phase. Checks don't write to any of it.
type Input struct {
	Conn     *sluice.Conn
	Envelope *sluice.Envelope
	Message  *message.Message
	Auth     *mailauth.Auth // who the client and the sender are; nil where nobody can be asked
	Now      time.Time
	Notes    *Notes // what was worked out of this message so far; may be nil
}

// Checker states facts about an Input. It must be safe for concurrent use, may
// not keep the Input, and stops when ctx ends. An error is recorded as an
// Unknown of the check's first reason.
type Checker interface {
	Info() Info
	Check(ctx context.Context, in *Input) ([]sluice.Evidence, error)
}
