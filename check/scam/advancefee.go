package scam

import (
	"math"

	"sluice/reason"
)

// advanceFee: a stranger, a sum of money, and a reason why it will be yours, whether
// an inheritance, a prize or a gift. First there is a fee.
var advanceFee = &class{
	reason: reason.AdvanceFeeHint, surer: reason.AdvanceFee, surerAt: math.Log(0.9 / 0.1),
	asks:  []string{"claim", "share", "money", "details", "lottery", "charity-gift"},
	with:  []string{"death", "bank", "secrecy-deal", "persona", "greeting", "fee", "secret", "urgent", "contact-agent", "illness"},
	facts: []fact{millionSum, freeAuthor, freeReply, otherReply, noLink},
}

// loan: money for everybody at three per cent, no questions asked; the fee comes
// first here too.
var loan = &class{
	reason: reason.ScamLoan,
	asks:   []string{"loan-offer"},
	with:   []string{"loan-terms", "apply-by-mail", "greeting", "details", "urgent"},
	facts:  []fact{millionSum, freeAuthor, freeReply, otherReply, noLink},
}
