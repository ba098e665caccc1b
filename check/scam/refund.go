package scam

import "sluice/reason"

// refund: the tax office owes you money and needs your card.
var refund = &class{
	reason: reason.ScamRefund,
	asks:   []string{"refund"},
	with:   []string{"tax-office", "refund-form", "urgent", "deadline", "card-details", "click"},
	facts:  []fact{freeAuthor, freeReply, otherReply, webLink},
}
