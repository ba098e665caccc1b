package scam

import (
	"sluice"
	"sluice/check"
	"sluice/reason"
)

// A lure is a pretext and an act that bait a link. Honest senders write the same, so a
// lure is worth little alone; who may say so is for others to find out.
type lure struct {
	reason       sluice.Reason
	pretext, act string
}

var lures = []lure{
	{reason.CredentialLure, "account-threat", "account-act"},
	{reason.PrizeLure, "prize", "prize-act"},
	{reason.ParcelLure, "parcel", "parcel-act"},
}

// lures states those that the message shows beside a link.
func (r *Reading) lures() []sluice.Evidence {
	if r.links == 0 {
		return nil
	}
	var out []sluice.Evidence
	for _, l := range lures {
		if r.has(l.pretext) && r.has(l.act) {
			out = append(out, check.Found(l.reason, l.pretext+" ("+r.words[l.pretext]+"), "+l.act+" ("+r.words[l.act]+")"))
		}
	}
	return out
}
