package subscriber

import (
	"context"
	"net/netip"
	"time"
)

// Trace is what is known of who sends: the login, the sender's address, the network.
type Trace struct {
	Tenant  string
	Account string     // authenticated, "" for none
	Address string     // reverse path
	Client  netip.Addr // the client, or the first hop that isn't ours
	Door    string
	Time    time.Time // of the connection: dynamic addresses move
}

// Class is what a subscriber is, by the operator's word.
type Class string

// The classes. What isn't known is a person.
const (
	Person   Class = "person"
	Business Class = "business"
	Bulk     Class = "bulk"   // newsletters: large volumes are expected
	Server   Class = "server" // machines that send by themselves
	Exempt   Class = "exempt" // never restricted; cases are opened for the admin only
)

// Contact is one way to reach a subscriber.
type Contact struct {
	Channel string `json:"channel"` // "mail", "sms", "webhook"
	Address string `json:"address"`
	// Same says that whoever has the account reads this too: its own mailbox.
	Same bool `json:"same,omitzero"`
}

// Subject is one subscriber: an account, or a line whose address is the subscriber's.
type Subject struct {
	// Key names the subject for ever: "account:bob", "line:4711", "address:192.0.2.7".
	Key      string
	Tenant   string
	Account  string // "" where the line is the subscriber
	Name     string // for people
	Class    Class
	Language string         // "de"; "" for the site's
	Zone     *time.Location // for quiet hours; nil: UTC
	Contacts []Contact      // in the order in which they are tried
}

// Second says whether there is a contact that a thief of the account doesn't have.
func (s *Subject) Second() bool {
	for _, c := range s.Contacts {
		if !c.Same {
			return true
		}
	}
	return false
}

// Directory knows the subscribers.
type Directory interface {
	// Find tells who is behind a trace. False without an error means that nobody is
	// known there; an error, that the directory is in trouble.
	Find(ctx context.Context, t Trace) (Subject, bool, error)
	// Subject finds one by its key, as Find returned it.
	Subject(ctx context.Context, key string) (Subject, bool, error)
}

// Unlisted is the subject that stands for a trace that no directory knows: the account,
// or else the client's address (IPv6: its /64). False where there is neither.
func Unlisted(t Trace) (Subject, bool) {
	switch {
	case t.Account != "":
		s := Subject{Key: "account:" + t.Account, Tenant: t.Tenant, Account: t.Account, Class: Person}
		return s, true
	case t.Client.IsValid():
		a := t.Client.Unmap()
		if a.Is6() {
			p, _ := a.Prefix(64)
			return Subject{Key: "network:" + p.String(), Tenant: t.Tenant, Class: Person}, true
		}
		return Subject{Key: "address:" + a.String(), Tenant: t.Tenant, Class: Person}, true
	}
	return Subject{}, false
}
