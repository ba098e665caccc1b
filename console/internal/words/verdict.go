package words

import "sluice"

// verbs name actions as what was done.
var verbs = map[sluice.Action]string{
	sluice.Accept: "accepted", sluice.Tag: "tagged", sluice.Banner: "bannered", sluice.Strip: "stripped",
	sluice.QuarantineIt: "quarantined", sluice.Defer: "deferred", sluice.Reject: "rejected", sluice.Drop: "dropped", sluice.Hold: "held",
}

// threats are named as people name them.
var threats = map[sluice.Threat]string{
	sluice.ThreatNone: "", sluice.ThreatSpam: "spam", sluice.ThreatBulk: "bulk mail", sluice.ThreatPhish: "phishing", sluice.ThreatScam: "scam",
	sluice.ThreatCopycat: "imitation", sluice.ThreatMalware: "malware", sluice.ThreatBot: "bot", sluice.ThreatAttack: "attack",
}

// Verb is an action as what was done, "" for one that has no word.
func Verb(a sluice.Action) string { return verbs[a] }

// Threat is what a message may be, "" for nothing.
func Threat(t sluice.Threat) string { return threats[t] }
