// Package checks lists the checks that need nothing but the message and the
// session, and the DNS where the session can ask it: no store, no model.
package checks

import (
	"net/netip"

	"sluice/check"
	"sluice/check/attachment"
	"sluice/check/brand"
	checkcorrespondent "sluice/check/correspondent"
	"sluice/check/identity"
	"sluice/check/link"
	"sluice/check/lure"
	"sluice/check/recipient"
	"sluice/check/scam"
	"sluice/check/session"
	"sluice/check/structure"
	"sluice/check/text"
	"sluice/learn/correspondent"
)

// Config says who we are and what the admin has decided.
type Config struct {
	Names []string     // our host names
	Addrs []netip.Addr // our public addresses
	// Learned knows what came of a dialect before; nil: nothing.
	Learned session.Learned
	// Inspected: somebody looks into files, so that what a zip's directory says is left
	// to them.
	Inspected bool
	// Correspondents knows who writes to whom; nil: nobody is known.
	Correspondents *correspondent.Table
	// Brands has the admin's brands and what was learned of names; zero: as shipped.
	Brands brand.Config
	// People gives the admin's list of protected people; nil: there is none.
	People func() *correspondent.People
	// Lists gives the admin's lists in force; nil for none.
	Lists func() *recipient.Lists
}

// Checks returns all of them; what needs a model is added by who has it.
func Checks(c Config) []check.Checker {
	if c.Lists == nil {
		c.Lists = func() *recipient.Lists { return nil }
	}
	var out []check.Checker
	for _, list := range [][]check.Checker{
		session.Checks(session.Config{Names: c.Names, Addrs: c.Addrs, Learned: c.Learned}),
		recipient.Checks(c.Lists),
		identity.Checks(),
		structure.Checks(structure.Config{Names: c.Names}),
		link.Checks(),
		lure.Checks(),
		attachment.Checks(c.Inspected),
		text.Checks(),
		brand.Checks(c.Brands),
		checkcorrespondent.PeopleChecks(c.People),
		scam.Checks(scam.Config{Correspondents: c.Correspondents}),
	} {
		out = append(out, list...)
	}
	return out
}
