package sluice

import (
	"context"
	"net/netip"
	"time"
)

// AppealState says what became of an appeal.
type AppealState string

// The states.
const (
	AppealNew      AppealState = "new"
	AppealGranted  AppealState = "granted"  // the refusal was a mistake
	AppealDeclined AppealState = "declined" // it stays
)

// MaxAppeal is how long the text of an appeal may be, in characters.
const MaxAppeal = 1000

// Appeal is what the sender of refused mail says against the refusal, on the page that
// the reply links to. Nobody gets a mail for it. The facts are those of the sealed
// token, so it doesn't need the record of the event.
type Appeal struct {
	ID      string    // the reference of the refusal: there is one appeal for each
	Time    time.Time // when it was made
	Text    string    // hostile, at most MaxAppeal characters
	Asker   netip.Addr
	Event   time.Time  // when it was refused
	Client  netip.Addr // who was refused
	Hello   string     // as the client sent it, hostile
	Phase   Phase
	Threat  Threat
	Code    int
	Reasons []Reason // the leading one first

	State   AppealState
	By      string // who decided
	Decided time.Time
}

// AppealQuery selects appeals, newest first. Zero fields don't filter.
type AppealQuery struct {
	State  AppealState
	Before string // ID of the last one of the page before
	Limit  int    // default 50, at most MaxPage
}

// Page is the number of appeals that the query may yield.
func (q AppealQuery) Page() int { return Query{Limit: q.Limit}.Page() }

// Appeals is the admin's queue of appeals.
type Appeals interface {
	// PutAppeal adds one and says whether it did: where there is one with the same ID,
	// that one stays as it is.
	PutAppeal(ctx context.Context, a *Appeal) (bool, error)
	// Appeal returns one; ErrNotFound.
	Appeal(ctx context.Context, id string) (*Appeal, error)
	// ListAppeals returns a page, newest first.
	ListAppeals(ctx context.Context, q AppealQuery) ([]*Appeal, error)
	// MarkAppeal sets state, who and when; ErrNotFound.
	MarkAppeal(ctx context.Context, id string, state AppealState, by string, at time.Time) error
	// SweepAppeals deletes appeals made before t and says how many.
	SweepAppeals(ctx context.Context, t time.Time) (int, error)
}
