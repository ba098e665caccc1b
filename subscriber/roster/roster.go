// Package roster is the directory of subscribers: who is behind an account, an address or
// a line, how they are reached, in which language. It comes from a file ([File]), from a
// database (roster/sql), from LDAP (roster/ldap) or from a service by HTTP (roster/http).
// [Cached] stands before those that are asked over a network, and [First] asks several in
// turn.
//
// All of them speak of an [Entry], whose words are the same in a line of the file, an
// answer by HTTP and the columns of a query.
package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/subscriber"
)

// Entry is one subscriber as sources write one. Only one of Key and Account is needed.
type Entry struct {
	Key       string               `json:"key,omitzero"` // default "account:" and the account
	Tenant    string               `json:"tenant,omitzero"`
	Account   string               `json:"account,omitzero"`
	Addresses []string             `json:"addresses,omitzero"` // sender addresses, where the door knows no account
	Networks  []string             `json:"networks,omitzero"`  // "192.0.2.7", "2001:db8:1::/48"
	Name      string               `json:"name,omitzero"`
	Class     string               `json:"class,omitzero"`    // person, business, bulk, server, exempt
	Language  string               `json:"language,omitzero"` // "de"
	Zone      string               `json:"zone,omitzero"`     // "Europe/Berlin"
	Contacts  []subscriber.Contact `json:"contacts,omitzero"`
}

// Bounds of an entry.
const (
	maxEntry    = 64 << 10 // octets of its JSON
	maxText     = 512      // of one string
	maxContacts = 16
	maxNetworks = 256
)

var classes = map[string]subscriber.Class{"": subscriber.Person, "person": subscriber.Person, "business": subscriber.Business,
	"bulk": subscriber.Bulk, "server": subscriber.Server, "exempt": subscriber.Exempt}

// Parse reads the JSON of an entry. Words that aren't known are refused: a mistyped
// "class" would hold a newsletter.
func Parse(b []byte) (Entry, error) {
	var e Entry
	if len(b) > maxEntry {
		return e, fmt.Errorf("over %d octets", maxEntry)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, err
	}
	if d.More() {
		return e, errors.New("more than one object")
	}
	return e, nil
}

// Subject checks the entry and makes what the warden wants of it.
func (e *Entry) Subject() (subscriber.Subject, error) {
	s := subscriber.Subject{Key: e.Key, Tenant: e.Tenant, Account: e.Account, Name: e.Name, Language: e.Language, Contacts: e.Contacts}
	if s.Key == "" && e.Account != "" {
		s.Key = "account:" + e.Account
	}
	var ok bool
	if s.Class, ok = classes[e.Class]; !ok {
		return s, fmt.Errorf("class %.40q", e.Class)
	}
	texts := []string{s.Key, s.Tenant, s.Account, s.Name, s.Language, e.Zone}
	for _, c := range e.Contacts {
		if c.Channel == "" || c.Address == "" {
			return s, errors.New("a contact without a channel or an address")
		}
		texts = append(texts, c.Channel, c.Address)
	}
	for _, t := range texts {
		if len(t) > maxText || !utf8.ValidString(t) || strings.ContainsFunc(t, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return s, fmt.Errorf("text %.40q", t)
		}
	}
	switch {
	case s.Key == "":
		return s, errors.New("neither a key nor an account")
	case len(e.Contacts) > maxContacts:
		return s, fmt.Errorf("%d contacts; %d are allowed", len(e.Contacts), maxContacts)
	case len(e.Networks) > maxNetworks || len(e.Addresses) > maxNetworks:
		return s, fmt.Errorf("over %d networks or addresses", maxNetworks)
	}
	if e.Zone != "" {
		zone, err := time.LoadLocation(e.Zone)
		if err != nil {
			return s, fmt.Errorf("zone %.40q", e.Zone)
		}
		s.Zone = zone
	}
	return s, nil
}

// prefix reads a network or a single address.
func prefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("network %.60q", s)
	}
	a = a.Unmap()
	return a.Prefix(a.BitLen())
}

// fold is how accounts and addresses are compared: the ASCII letters without case.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// First asks directories in turn and takes the first answer. One in trouble doesn't hide
// those behind it; its error comes only where none of them knows.
type First []subscriber.Directory

// Find implements [subscriber.Directory].
func (f First) Find(ctx context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	return f.ask(func(d subscriber.Directory) (subscriber.Subject, bool, error) { return d.Find(ctx, t) })
}

// Subject implements [subscriber.Directory].
func (f First) Subject(ctx context.Context, key string) (subscriber.Subject, bool, error) {
	return f.ask(func(d subscriber.Directory) (subscriber.Subject, bool, error) { return d.Subject(ctx, key) })
}

func (f First) ask(q func(subscriber.Directory) (subscriber.Subject, bool, error)) (subscriber.Subject, bool, error) {
	var errs []error
	for _, d := range f {
		s, ok, err := q(d)
		if ok {
			return s, true, nil
		}
		errs = append(errs, err)
	}
	return subscriber.Subject{}, false, errors.Join(errs...)
}
