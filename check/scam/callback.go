package scam

import "sluice/reason"

// callback: a charge you don't know, and a number where somebody waits.
var callback = &class{
	reason: reason.CallbackInvoice,
	asks:   []string{"call"},
	with:   []string{"charge", "cancel", "brand", "deadline", "urgent"},
	facts:  []fact{phoneNumber, noLink, freeAuthor, freeReply},
}

// support: your computer is ill, or its protection ends today.
var support = &class{
	reason: reason.ScamTechSupport,
	asks:   []string{"infected", "protection-ends"},
	with:   []string{"call", "renew", "remote-help", "brand", "urgent", "deadline", "data-loss"},
	facts:  []fact{phoneNumber, freeAuthor, freeReply},
}
