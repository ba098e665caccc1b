package sluice

import (
	"context"
	"time"
)

// ReviewState says what an admin made of a message in the queue.
type ReviewState string

// The states.
const (
	ReviewNew  ReviewState = "new"
	ReviewSeen ReviewState = "seen" // looked at, nothing said
	ReviewGood ReviewState = "good"
	ReviewBad  ReviewState = "bad"
)

// Review is one delivered message that an admin may want to look at: it ranked
// highest among its tenant's, by what was unusual about it (learn/anomaly). It
// accuses nobody, and changed no verdict.
type Review struct {
	ID      string // the envelope's
	Tenant  string
	Time    time.Time
	From    string // the author's address; hostile
	To      []string
	Subject string   // decoded, hostile
	Score   float64  // 0…1: the share of other mail that was no more suspicious in any way
	Why     []string // what was unusual, in words of ours

	// What a label teaches, as in [Feedback]: no words of the message, whose body isn't
	// kept. Lists leave both out.
	Extractor int
	Features  []byte
	Print     []byte

	State   ReviewState
	By      string // who decided
	Decided time.Time
}

// ReviewQuery selects reviews, newest first. Zero fields don't filter.
type ReviewQuery struct {
	Tenant string
	State  ReviewState
	Before string // ID of the last one of the page before
	Limit  int    // default 50, at most MaxPage
}

// Page is the number of reviews that the query may yield.
func (q ReviewQuery) Page() int { return Query{Limit: q.Limit}.Page() }

// Reviews is the admin's queue of delivered mail to look at.
type Reviews interface {
	// PutReview adds one. One with the same ID stays as it is.
	PutReview(ctx context.Context, r *Review) error
	// DropReview takes one out again, if nobody has looked at it; a better one took
	// its place. One that isn't there is no error.
	DropReview(ctx context.Context, id string) error
	// Review returns one; ErrNotFound.
	Review(ctx context.Context, id string) (*Review, error)
	// ListReviews returns a page, newest first, without Features and Print.
	ListReviews(ctx context.Context, q ReviewQuery) ([]*Review, error)
	// MarkReview sets state, who and when; ErrNotFound.
	MarkReview(ctx context.Context, id string, state ReviewState, by string, at time.Time) error
	// SweepReviews deletes reviews of messages older than t and says how many.
	SweepReviews(ctx context.Context, t time.Time) (int, error)
}
