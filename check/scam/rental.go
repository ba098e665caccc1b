package scam

import "sluice/reason"

// rental: a home too good and too cheap, whose owner is abroad and sends the keys.
var rental = &class{
	reason: reason.ScamRental,
	asks:   []string{"rent-deposit", "keys-by-mail"},
	with:   []string{"rental", "owner-abroad", "details", "no-visit", "urgent"},
	facts:  []fact{freeAuthor, freeReply, otherReply},
}
