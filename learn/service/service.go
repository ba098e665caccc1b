// Package service knows who sends mail for others: the services through which firms,
// shops, clinics and schools speak, by the domains under which those sign, greet and
// count clicks. One table ships with a release; what a site sees is learned beside it:
// which name is used under which signature ([Memory]).
//
// The table says who carries a message, never that it is good: anybody can be a
// customer. It is needed so that a name which doesn't fit its domain, a bounce address
// elsewhere, or links to a stranger aren't held against mail that came through the
// channel made for it.
package service

import (
	_ "embed"
	"fmt"
	"strings"

	"sluice/message/links"
)

// Date is as of when the table was true.
const Date = "2026-11"

// Kind is what a service does for others.
type Kind uint8

// The kinds.
const (
	None          Kind = iota
	Bulk               // newsletters and campaigns
	Transactional      // receipts and notices, or any mail by a relay
	Shop               // shop platforms and markets
	Desk               // help desks, customer relations
	Clinic             // practices and clinics
	Till               // points of sale, bookings
	Review             // reviews and ratings
	Invoice            // invoices, payments, payroll
	Form               // forms and sites that anybody makes
	Share              // files, signatures, documents, meetings
	Event              // tickets, events, memberships, donations
	People             // recruiting, schools, parishes, groups
	Mailbox            // mailboxes
	Hosting            // web space and servers with mail
	Gateway            // filters of outgoing mail
	kinds
)

var kindNames = [kinds]string{"", "bulk", "transactional", "shop", "desk", "clinic", "till", "review", "invoice", "form", "share", "event", "people", "mailbox", "hosting", "gateway"}

// String is the kind's word in the table.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return ""
}

// Sends says whether the service's trade is to send for its customers, whom it knows
// and bills, and whose names its mail carries. Mailboxes, hosts and filters pass on
// what they are given.
func (k Kind) Sends() bool { return k > None && k < Mailbox }

// Open says whether anybody may have the service write to a stranger at once, with
// words of his own inside mail of the service's: forms, files, documents, invoices,
// tickets of a help desk. Its signature proves the service and not the writer.
func (k Kind) Open() bool {
	switch k {
	case Form, Share, Invoice, Desk, Event:
		return true
	}
	return false
}

// Service is one entry of the table.
type Service struct {
	Name string // "Mailchimp"; dashes stand for spaces
	Kind Kind
	org  string // the name in brackets
}

//go:embed services.txt
var text string

// shipped is never written to once the program runs.
var shipped, count = func() (map[string]*Service, int) {
	t, n, err := parse(text)
	if err != nil {
		panic("service: " + err.Error()) // a test reads the table
	}
	return t, n
}()

// parse reads lines of kind, name and domains.
func parse(text string) (map[string]*Service, int, error) {
	out, n := map[string]*Service{}, 0
	line := 0
	for l := range strings.Lines(text) {
		line++
		f := strings.Fields(l)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		k := None
		for i := Bulk; i < kinds; i++ {
			if kindNames[i] == f[0] {
				k = i
			}
		}
		if k == None || len(f) < 3 {
			return nil, 0, fmt.Errorf("line %d: want kind, name and domains", line)
		}
		s := &Service{Name: f[1], Kind: k, org: "(" + f[1] + ")"}
		n++
		for _, d := range f[2:] {
			if old := out[d]; old != nil {
				return nil, 0, fmt.Errorf("line %d: %s is of %s already", line, d, old.Name)
			}
			out[d] = s
		}
	}
	return out, n, nil
}

// Count is how many services the table has.
func Count() int { return count }

// maxLabels bounds a look-up; no entry has more labels than four.
const maxLabels = 8

// Of returns the service that a host or a domain belongs to, in lower case; nil where
// it is none's. Names below an entry are the entry's, so that a customer's
// "shop.myshopify.com" is the platform's.
func Of(host string) *Service {
	for range maxLabels {
		if s := shipped[host]; s != nil {
			return s
		}
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return nil
		}
		host = rest
	}
	return nil
}

// Org is the organization that answers for a host: all domains of one service are one,
// under its name in brackets, which no domain has; else the registered domain.
func Org(host string) string {
	if s := Of(host); s != nil && s.Kind != Mailbox {
		return s.org
	}
	return links.OrgDomain(host)
}

// OrgOf is [Org] of a host whose registered domain is known.
func OrgOf(host, registered string) string {
	if s := Of(host); s != nil && s.Kind != Mailbox {
		return s.org
	}
	return registered
}
