package sluice

import (
	"context"
	"time"
)

// Label is what somebody says of a message.
type Label struct {
	Raw    []byte // the message, as near as possible to how it came
	ID     string // of its row in the log, "" where nobody knows
	Tenant string
	Spam   bool
	Threat Threat // what a bad message is, where that was said
	Source Source
	By     string   // who: an account of the console, an address, a trap
	To     []string // whose mail it was, where that is known

	// What is left of a message whose body nobody has, where Raw is empty: as in
	// [Feedback].
	Extractor int
	Features  []byte
	Print     []byte
}

// Source is the way by which a label came.
type Source string

// The sources.
const (
	SourceAdmin   Source = "admin"   // console or command line
	SourceLearn   Source = "learn"   // sluice learn, from folders that somebody sorted
	SourceTrap    Source = "trap"    // mail to a spamtrap
	SourceRelease Source = "release" // let go from quarantine
	SourceReport  Source = "report"  // a message to a report address
	SourceFolder  Source = "folder"  // moved into or out of a junk folder
)

// FeedbackKind says what an entry of the log does.
type FeedbackKind string

// The kinds.
const (
	FeedbackLabel   FeedbackKind = "label"
	FeedbackUndo    FeedbackKind = "undo"    // takes the label Of back, as if it had never been
	FeedbackCounter FeedbackKind = "counter" // trains against the label Of, which is older than what can be replayed
	FeedbackAccept  FeedbackKind = "accept"  // lets the held label Of count from here on, as an admin's
)

// FeedbackState says what came of a label.
type FeedbackState string

// The states. They were decided once, where the label came in, and are part of the
// log: every node that replays it comes to the same model.
const (
	FeedbackApplied FeedbackState = "applied"
	FeedbackHeld    FeedbackState = "held"    // waits for an admin; nothing learned from it
	FeedbackRefused FeedbackState = "refused" // nothing learned from it, for Why
)

// Feedback is one entry of the ordered log of labels that every model replays. An
// entry never changes: what is taken back is another entry.
type Feedback struct {
	Seq    int64 // order of arrival, given by the store; starts at 1 and never goes back
	Kind   FeedbackKind
	Of     int64 // the entry that it is about; 0 for a label
	ID     string
	Tenant string
	Time   time.Time
	Spam   bool
	Threat Threat
	Source Source
	By     string
	To     []string
	State  FeedbackState
	Why    string  // of a label that was held or refused
	Trust  float64 // 0…1, what the word of By was worth
	// Trusted labels teach the fast weights as well.
	Trusted   bool
	Extractor int    // what made Features
	Features  []byte // hashed; no words
	Print     []byte // of the campaign memory
}

// FeedbackQuery selects entries, newest first. Zero fields don't filter.
type FeedbackQuery struct {
	Tenant string
	By     string
	ID     string
	State  FeedbackState
	Kind   FeedbackKind
	Before int64 // Seq of the last entry of the page before
	Limit  int   // default 50, at most MaxPage
}

// Page is the number of entries that the query may yield.
func (q FeedbackQuery) Page() int { return Query{Limit: q.Limit}.Page() }

// FeedbackLog is the ordered log of labels.
type FeedbackLog interface {
	// AddFeedback appends an entry and sets its Seq. It is on disk afterwards.
	AddFeedback(ctx context.Context, f *Feedback) error
	// FeedbackSince returns up to limit entries after seq, in order. An entry of a
	// lower Seq than one that was returned never appears later.
	FeedbackSince(ctx context.Context, seq int64, limit int) ([]*Feedback, error)
	// FeedbackEntry returns one; ErrNotFound.
	FeedbackEntry(ctx context.Context, seq int64) (*Feedback, error)
	// ListFeedback returns a page, newest first, without Features and Print.
	ListFeedback(ctx context.Context, q FeedbackQuery) ([]*Feedback, error)
	// SweepFeedback deletes entries older than t up to and with seq, and says how
	// many: what a snapshot doesn't hold is never swept.
	SweepFeedback(ctx context.Context, t time.Time, seq int64) (int, error)
}

// Reporter is what is known of one who gives labels.
type Reporter struct {
	Name     string // as Feedback.By
	Labels   int
	Agreed   float64 // faded counts of labels that turned out as the others see it
	Disputed float64
	Trust    float64 // 0…1
	Last     time.Time
}

// Teacher takes labels and takes them back.
type Teacher interface {
	// Teach decides what a label is worth, writes it down and learns from it. A
	// held or refused label is no error; the entry says so.
	Teach(ctx context.Context, l *Label) (*Feedback, error)
	// Undo takes a label back.
	Undo(ctx context.Context, seq int64, by string) (*Feedback, error)
	// Accept lets a held label count.
	Accept(ctx context.Context, seq int64, by string) (*Feedback, error)
	// Reporters lists those who gave labels, latest first, at most limit.
	Reporters(ctx context.Context, limit int) ([]Reporter, error)
}
