package scam

import "sluice/reason"

// giftCard: buy cards for clients or staff, and send the codes.
var giftCard = &class{
	reason: reason.BECGiftCard,
	asks:   []string{"gift-buy", "gift-codes"},
	with:   []string{"gift-card", "surprise", "in-meeting", "no-calls", "urgent", "secret", "favour", "reimburse", "available"},
	facts:  []fact{freeAuthor, freeReply, otherReply, shortWords},
}
