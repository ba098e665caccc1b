package scam

import "sluice/reason"

// channel: the opener. Are you there, give me your mobile number, I can't talk.
var channel = &class{
	reason: reason.BECChannel,
	asks:   []string{"available", "your-number", "other-channel"},
	with:   []string{"favour", "in-meeting", "no-calls", "urgent", "secret", "reply-only"},
	facts:  []fact{freeAuthor, freeReply, otherReply, shortWords, noLink},
}
