package scam

import "sluice/reason"

// job: easy work at home, paid well by a stranger: money is to be passed on, checks
// cashed, parcels forwarded.
var job = &class{
	reason: reason.ScamJob,
	asks:   []string{"job-offer", "job-tasks"},
	with:   []string{"job-pay", "job-easy", "apply-by-mail", "details", "other-channel", "urgent", "job-check"},
	facts:  []fact{freeAuthor, freeReply, otherReply, phoneNumber},
}
