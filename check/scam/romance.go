package scam

import "sluice/reason"

// romance: a stranger who is lonely, or who has the wrong number and stays.
var romance = &class{
	reason: reason.ScamRomance,
	asks:   []string{"friendship", "wrong-number"},
	with:   []string{"feelings", "about-me", "write-private", "greeting", "other-channel"},
	facts:  []fact{freeAuthor, freeReply, otherReply, noLink},
}
