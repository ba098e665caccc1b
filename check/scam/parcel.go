package scam

import "sluice/reason"

// parcelFee: something waits for you, if you pay a little first.
var parcelFee = &class{
	reason: reason.ScamParcel,
	asks:   []string{"parcel-act"},
	with:   []string{"parcel", "deadline", "urgent", "click", "return-sender", "card-details"},
	facts:  []fact{freeAuthor, freeReply, otherReply, webLink},
}
