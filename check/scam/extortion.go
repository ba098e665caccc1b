package scam

import "sluice/reason"

// extortion: I have seen you, pay in coin, or all will know.
var extortion = &class{
	reason: reason.Extortion, coins: true,
	asks:  []string{"coin", "pay-me"},
	with:  []string{"recorded", "contacts", "hacked", "deadline", "silence", "shame"},
	facts: []fact{coin, noLink},
}

// threat: pay, or something blows up, breaks down or is published.
var threat = &class{
	reason: reason.ExtortionThreat, coins: true,
	asks:  []string{"coin", "pay-me"},
	with:  []string{"violence", "ddos", "leak", "deadline", "silence"},
	facts: []fact{coin, noLink},
}
