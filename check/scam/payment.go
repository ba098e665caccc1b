package scam

import "sluice/reason"

// paymentChange: a supplier's or partner's account has a new number, so that the next
// payment goes elsewhere. The invoice itself may be real.
var paymentChange = &class{
	reason: reason.BECPaymentChange,
	asks:   []string{"bank-change", "pay-new-account"},
	with:   []string{"old-account", "invoice-due", "urgent", "secret", "no-calls", "confirm-receipt"},
	facts:  []fact{freeAuthor, freeReply, otherReply, account, attachment, shortWords},
}

// payment: the boss needs a transfer today, or asks whether one can be made.
var payment = &class{
	reason: reason.BECPayment,
	asks:   []string{"transfer", "pay-invoice-now"},
	with:   []string{"available", "favour", "urgent", "secret", "no-calls", "in-meeting", "deal", "bank-details-follow", "confirm-receipt"},
	facts:  []fact{freeAuthor, freeReply, otherReply, account, shortWords},
}
