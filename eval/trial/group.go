package trial

import (
	"time"

	"sluice/learn/campaign"
)

// printKey hashes fingerprints alike in all of a run's memories. Nothing of them is
// kept, so it is no secret.
const printKey = 1

// fingerprint is what near duplicates are found by where nobody has grouped them.
type fingerprint struct{ *campaign.Print }

// firsts returns the first message of each group of near duplicates, in the order of
// the list: the ones that no label of a copy has helped with.
func firsts(all []Judged) []Judged {
	var out []Judged
	groups := map[string]bool{}
	var seen *campaign.Memory
	// A band of a fingerprint has twelve, and no run may forget one.
	fingerprints := 24*len(all) + 1024
	s := campaign.Sighting{Time: time.Unix(1e9, 0)}
	for _, j := range all {
		if j.group != "" {
			if !groups[j.group] {
				groups[j.group] = true
				out = append(out, j)
			}
			continue
		}
		if seen == nil {
			seen = campaign.New(campaign.Config{Fingerprints: fingerprints, Clusters: 2*len(all) + 1024, Key: printKey})
		}
		if len(seen.Look(j.print.Print, s)) == 0 {
			out = append(out, j)
		}
		seen.Observe(j.print.Print, s)
	}
	return out
}
