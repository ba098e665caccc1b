package sluice

import (
	"context"
	"errors"
	"slices"
	"time"
)

// CaseState says how far the case of a subscriber has come.
type CaseState string

// The states, in the order of a case that goes well. Closed, false alarm and merged
// are ends; the others are live.
const (
	CaseOpen       CaseState = "open"        // suspected; mail is limited at most
	CaseHeld       CaseState = "held"        // mail is kept from leaving
	CaseNotified   CaseState = "notified"    // held or limited, and the subscriber was told, with proof
	CaseRemediated CaseState = "remediated"  // somebody answers for it that the cause is gone
	CaseWatched    CaseState = "watched"     // mail leaves again, with tighter limits
	CaseClosed     CaseState = "closed"      // clean to the end of the watch, or closed by an admin
	CaseFalseAlarm CaseState = "false_alarm" // there was nothing
	CaseMerged     CaseState = "merged"      // goes on as another case
)

// Live says whether the case goes on.
func (s CaseState) Live() bool {
	switch s {
	case CaseClosed, CaseFalseAlarm, CaseMerged:
		return false
	}
	return true
}

// CaseKind is what seems to be wrong, which decides how the subscriber may be told:
// who has stolen an account reads its mail too.
type CaseKind string

// The kinds.
const (
	CaseInfected CaseKind = "infected" // a device that is not under its owner's control
	CaseStolen   CaseKind = "stolen"   // an account whose password others know
)

// Restriction is what happens to a subject's outgoing mail. Others' mail isn't
// concerned.
type Restriction string

// The restrictions, mildest first.
const (
	RestrictNone   Restriction = ""
	RestrictClamp  Restriction = "clamp"  // only so many messages an hour; more is deferred
	RestrictReauth Restriction = "reauth" // a new authentication is asked for
	RestrictReply  Restriction = "reply"  // refused, with a link to the page
	RestrictHold   Restriction = "hold"   // taken, and kept in quarantine
)

// CaseSignal sums up what of one kind spoke for the case.
type CaseSignal struct {
	Kind   string    `json:"kind"` // as in subscriber/signal
	Count  int       `json:"count"`
	Points float64   `json:"points"` // the most that it weighed at any time, in decibel
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Detail string    `json:"detail,omitzero"` // of the last one; hostile
	// ID is of a message in the log where the last one was seen, "" for none.
	ID string `json:"id,omitzero"`
}

// ProofLevel says how sure it is that a notice reached the subscriber.
type ProofLevel string

// The levels, weakest first. Only the last two tell that the subscriber can know;
// opened is a hint, since scanners open links and load pictures.
const (
	ProofTried        ProofLevel = "tried"    // about to be sent: written down before
	ProofFailed       ProofLevel = "failed"   // this try came to nothing
	ProofAccepted     ProofLevel = "accepted" // by a system on the way
	ProofOpened       ProofLevel = "opened"
	ProofDelivered    ProofLevel = "delivered"    // into the mailbox, onto the phone
	ProofAcknowledged ProofLevel = "acknowledged" // by an act of the subscriber
)

// CaseNotice is one try to tell the subscriber on one channel. Its times are zero
// where that didn't happen.
type CaseNotice struct {
	ID           string    `json:"id"`      // of the try, unique in the case
	Channel      string    `json:"channel"` // "mail", "sms", "webhook", "portal", …
	Address      string    `json:"address,omitzero"`
	Tried        time.Time `json:"tried"`
	Accepted     time.Time `json:"accepted,omitzero"`
	Delivered    time.Time `json:"delivered,omitzero"`
	Opened       time.Time `json:"opened,omitzero"`
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	Failed       time.Time `json:"failed,omitzero"`
	Detail       string    `json:"detail,omitzero"` // of the last answer; hostile
}

// CaseStep is one line of a case's audit. Steps are added and never changed.
type CaseStep struct {
	Time  time.Time `json:"time"`
	Actor string    `json:"actor"` // "sluice", "subscriber", an account of the console
	What  string    `json:"what"`  // the event, as in subscriber/cases
	From  CaseState `json:"from,omitzero"`
	To    CaseState `json:"to,omitzero"`
	Note  string    `json:"note,omitzero"` // hostile
}

// Case is the file of one subscriber whose device or account seems to send what its
// owner doesn't know of. A subject has at most one live case. Only subscriber/cases
// changes one; strings may be hostile.
type Case struct {
	ID       string
	Tenant   string   `json:",omitzero"`
	Subject  string   // the key of the subject: "account:bob"
	Kind     CaseKind `json:",omitzero"`
	State    CaseState
	Restrict Restriction `json:",omitzero"`
	Points   float64     `json:",omitzero"` // of the posterior, highest since it was opened, in decibel
	Own      bool        `json:",omitzero"` // own observation speaks for it, not reports alone

	// When a step was first reached, or zero. Restarted by a recurrence: Held,
	// Notified, Remediated, Watched, Until.
	Opened     time.Time `json:",omitzero"`
	FirstAbuse time.Time `json:",omitzero"` // the earliest signal that counted
	Held       time.Time `json:",omitzero"`
	Told       time.Time `json:",omitzero"` // the first proof that the subscriber can know: delivered or acknowledged; stays
	Notified   time.Time `json:",omitzero"` // the same since the last recurrence
	Confirmed  time.Time `json:",omitzero"` // the subscriber answered
	Remediated time.Time `json:",omitzero"`
	Watched    time.Time `json:",omitzero"`
	Until      time.Time `json:",omitzero"` // end of the watch
	Escalated  time.Time `json:",omitzero"` // an admin was called
	Closed     time.Time `json:",omitzero"`
	Updated    time.Time `json:",omitzero"` // of the last change

	Recurred     int `json:",omitzero"` // abuse seen again after a remedy
	Reopened     int `json:",omitzero"`
	SelfReleases int `json:",omitzero"` // by the subscriber
	Let          int `json:",omitzero"` // messages that left before the hold, since the first abuse
	Kept         int `json:",omitzero"` // messages held
	LeftSteps    int `json:",omitzero"` // steps beyond the bound, not kept

	Signals []CaseSignal `json:",omitzero"`
	Notices []CaseNotice `json:",omitzero"`
	Steps   []CaseStep   `json:",omitzero"`
	Merged  []string     `json:",omitzero"` // cases that went on as this one
	Into    string       `json:",omitzero"` // CaseMerged: which one it went on as

	// Version counts changes: [Cases.PutCase] refuses a case that changed meanwhile.
	Version int `json:",omitzero"`
}

// Clone returns a case that shares nothing mutable with c.
func (c *Case) Clone() *Case {
	d := *c
	d.Signals, d.Notices, d.Steps, d.Merged = slices.Clone(c.Signals), slices.Clone(c.Notices), slices.Clone(c.Steps), slices.Clone(c.Merged)
	return &d
}

// ErrConflict is what stores return for a row that changed since it was read, or
// for a second live case of a subject.
var ErrConflict = errors.New("changed meanwhile")

// CaseQuery selects cases, newest first. Zero fields don't filter.
type CaseQuery struct {
	Tenant  string
	Subject string
	State   CaseState
	Live    bool      // only live ones
	Since   time.Time // opened then or later
	Until   time.Time // opened before
	Text    string    // in id or subject, case-insensitively
	Before  string    // ID of the last one of the page before
	Limit   int       // default 50, at most MaxPage
}

// Page is the number of cases that the query may yield.
func (q CaseQuery) Page() int { return Query{Limit: q.Limit}.Page() }

// Cases keeps cases of subscribers.
type Cases interface {
	// PutCase adds a case of Version 0, or replaces one whose Version is the same, and
	// counts Version up in c; else ErrConflict. It is on disk afterwards.
	PutCase(ctx context.Context, c *Case) error
	// Case returns one; ErrNotFound.
	Case(ctx context.Context, id string) (*Case, error)
	// ListCases returns a page.
	ListCases(ctx context.Context, q CaseQuery) ([]*Case, error)
	// SweepCases deletes cases that ended before t and says how many. Live ones stay.
	SweepCases(ctx context.Context, t time.Time) (int, error)
}
