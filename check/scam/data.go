package scam

import "sluice/reason"

// data: tax forms of all employees, the list of debtors with their addresses: what
// the next fraud is made of.
var data = &class{
	reason: reason.BECData,
	asks:   []string{"tax-forms", "aging-report", "staff-list"},
	with:   []string{"send-file", "urgent", "secret", "no-calls", "in-meeting", "available", "favour", "quick-review"},
	facts:  []fact{freeAuthor, freeReply, otherReply, shortWords},
}
