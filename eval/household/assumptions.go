package main

import (
	"math"
	"math/rand/v2"
	"time"

	"sluice"
)

// pool is a measured kind of mail: how many of n messages the judge left alone, tagged,
// held in quarantine and refused by the sum of their evidence.
type pool struct {
	accepted, tagged, quarantined, refused float64
}

// The pools, from docs/measurements.md ("Judging stored mail", part test): mail that
// no weight was fitted to where there is such. Where none of 4,229 personal messages was
// held, half a one is assumed (Jeffreys).
var (
	modernSpam  = pool{6, 13, 17, 9}       // foff_milter, spam: .87 at the tag
	modernPhish = pool{133, 321, 507, 284} // phishing_pot: .89
	plainPhish  = pool{85, 32, 36, 0}      // nazario: .44
	personal    = pool{4227, 2, 0.5, 0}    // easy ham, lists and Enron
	commercial  = pool{135, 7, 5, 0}       // hard ham and foff_milter's: letters to many, shops
)

// edges are the points between which a pool's messages lie evenly: the thresholds of
// judge/policy.
var edges = [5]float64{-20, 3.7, 12.8, 30, 45}

// points are those of the message at u of 0…1 of the pool, the worst at 1.
func (p *pool) points(u float64) float64 {
	shares := [4]float64{p.accepted, p.tagged, p.quarantined, p.refused}
	all := shares[0] + shares[1] + shares[2] + shares[3]
	u *= all
	for i, s := range shares {
		if u < s || i == len(shares)-1 {
			return edges[i] + (edges[i+1]-edges[i])*min(max(u/max(s, 1e-9), 0), 1)
		}
		u -= s
	}
	return edges[0]
}

// worse shifts u so that errs times as many are judged as bad.
func worse(u, errs float64) float64 { return 1 - min((1-u)/errs, 1) }

// likeness is the share of the variance of points that copies of one text have in common:
// within and between the near-duplicate groups of the corpora's split, phishing_pot .84
// (326 groups), SpamAssassin spam .86, lists spam .88, nazario .78.
const likeness = 0.84

// alike is where a copy of a text with z stands in its pool, 0…1; without a generator,
// where the middle one does.
func alike(z float64, r *rand.Rand) float64 {
	x := math.Sqrt(likeness) * z
	if r != nil {
		x += math.Sqrt(1-likeness) * r.NormFloat64()
	}
	return 0.5 * math.Erfc(-x/math.Sqrt2)
}

// What is assumed of abuse. Families have equal parts in the infected; the issue of the
// simulation names their rates.
const (
	slowGap     = 72 * time.Minute // 20 messages a day
	burstGap    = 1800 * time.Millisecond
	snowGap     = 10 * time.Minute // each account of a herd
	stolenGap   = 90 * time.Second
	herd        = 10   // accounts of one snowshoe sender
	ownProgram  = 0.1  // of slow and burst bots drive the owner's mail program
	byOwner     = 0.6  // of lateral phish does
	foreign     = 0.8  // of thieves come from another country
	nearCopy    = 0.81 // of the copies of a campaign are known again (learn/campaign, whole groups: .82, .92, .84, .65)
	inboundSpam = 0.6  // of bots' campaigns are seen inbound as well: judged
	inboundOwn  = 0.3  // … of herds' and thieves', and lateral phish never
	campaigns   = 10   // botnets; each sends one campaign for 1 to 4 days: judged
	badList     = 0.15 // of recipients of a bought list are refused as unknown
	bounceRate  = 0.03 // … bounce later
	trapRate    = 0.0005
	naturalEnd  = 40 * day // median-free exponential: devices are replaced
)

// What is assumed of reports.
const (
	complains  = 0.01 // of recipients of abuse that got through report it by a feedback loop
	grumbles   = 2e-4 // of recipients of letters to many
	sinkhole   = 0.4  // chance that a feed names an infected host on a day
	wrongShare = 0.10 // of reports name an innocent
	duplicates = 0.30 // come twice
	takenBack  = 0.2  // of wrong ones are taken back
	forwards   = 5e-5 // of ordinary messages forward spam to somebody who asked for it
	mistyped   = 0.02 // of new recipients don't exist
	newFriend  = 0.12 // of ordinary recipients are new
)

// What is assumed of people: notice NDSS 2019 (walled garden: 92 % clean in 14 days) and
// SOUPS 2018 (self-release: 71 % clean at the first one).
const (
	deadMailbox = 0.03
	noSecond    = 0.10
	answers     = 0.92
	cleansFirst = 0.71
	cleansAdmin = 0.90
)

const day = 24 * time.Hour

// threat of a campaign.
func (c *campaign) verdict(u float64) sluice.Verdict {
	v := sluice.Verdict{Points: c.pool.points(u)}
	if v.Points >= edges[1] {
		v.Threat = c.threat
	}
	return v
}
