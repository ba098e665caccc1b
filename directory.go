package sluice

import "context"

// Presence says whether a mailbox exists.
type Presence uint8

// The presences. CantTell is no answer: a source that is away or doesn't know the
// domain. It never counts as Absent.
const (
	CantTell Presence = iota
	Present
	Absent
)

var presenceNames = [...]string{"can't tell", "present", "absent"}

func (p Presence) String() string { return name(presenceNames[:], int(p)) }

// Listing is what a directory says of one address.
type Listing struct {
	Presence Presence
	Source   string // which source answered: "file /etc/recipients", "ldap://…", "smtp://…"
	// Reply is the back end's own words where it refused the address for another
	// reason than not knowing it (mailbox full, disabled); zero otherwise.
	Reply Reply
}

// Directory knows who receives mail here.
type Directory interface {
	// Lookup finds an address: without brackets, its domain in lower-case
	// A-labels, its local part as the sender wrote it. It returns CantTell with an
	// error where the source is in trouble.
	Lookup(ctx context.Context, address string) (Listing, error)
}
