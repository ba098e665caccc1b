package complaint

import (
	"strings"

	"sluice"
)

// Proof is what the caller can prove of who sent a report. Only users of this site
// teach: a stranger who could would poison the model for everybody.
type Proof struct {
	// Account is the login of an SMTP AUTH session; "" without one.
	Account string
	// Author is the address in From where it is proved: DMARC passed with alignment
	// for its domain (RFC 9989 4.4); "" otherwise.
	Author string
	// Inside says that the client stands in a network whose senders are users of
	// this site, and speaks for itself. Sender and From are what such a client
	// claims.
	Inside       bool
	Sender, From string
	// Local says whether a domain, in lower case, is of this site.
	Local func(domain string) bool
}

// Who is the name under which a report teaches, "" where nothing proves a user of
// this site. It is an account's name or a lower-case address; the same person gets
// the same name by each way where the login is the address.
func Who(p Proof) string {
	local := func(addr string) bool {
		d := sluice.DomainOf(addr)
		return d != "" && sluice.LocalOf(addr) != "" && p.Local != nil && p.Local(d)
	}
	switch {
	case p.Account != "":
		return strings.ToLower(p.Account)
	case local(p.Author):
		return strings.ToLower(p.Author)
	case p.Inside && local(p.Sender):
		return strings.ToLower(p.Sender)
	case p.Inside && local(p.From):
		return strings.ToLower(p.From)
	}
	return ""
}
