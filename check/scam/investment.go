package scam

import "sluice/reason"

// investment: sure returns, a mentor, a platform nobody knows; or the lost coins that
// somebody recovers.
var investment = &class{
	reason: reason.ScamInvestment,
	asks:   []string{"invest", "recovery"},
	with:   []string{"returns", "trading", "other-channel", "coin", "urgent", "secrecy-deal", "wrong-number"},
	facts:  []fact{freeAuthor, freeReply, otherReply, coin, millionSum},
}
