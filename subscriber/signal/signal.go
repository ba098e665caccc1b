// Package signal weighs what is seen of a subscriber over time: which kinds of signals
// there are, what each is worth, how it fades, and how far one kind and one source can
// count.
//
// Weights are decibels of odds, as everywhere: the sum of what is left of all signals
// and a prior is the log-odds that the subscriber's device or account sends what its
// owner doesn't know of. Signals of one group are correlated, so each group is clipped
// as one. What others say is the group Outside: its cap keeps reports alone from
// opening a case, however many come, and [Ledger.Own] tells what we saw ourselves.
//
// A [Ledger] has a fixed size. Own observations and outside ones have places of their
// own in it, so that no flood of reports displaces what was seen.
package signal

import (
	"fmt"
	"time"
)

// Kind is what was seen.
type Kind uint8

// The kinds. The zero value is none.
const (
	None Kind = iota

	// What the mail was.
	SpamMail     // own mail judged as spam; strength by the verdict
	PhishMail    // judged as phish, scam or copycat
	MalwareMail  // malware found in it
	CampaignMail // a near-duplicate of a campaign known from inbound mail, or of what held subscribers send
	LateralPhish // phish to colleagues
	OddMail      // tag level: suspicious, no more

	// Whom it went to.
	UnknownRecipients // many that don't exist
	TrapHit           // a spamtrap
	BounceStorm       // many bounces came back

	// How it was sent.
	RateJump   // far more messages than usual
	FanOut     // far more new recipients than usual
	OddHours   // when this subscriber never sends
	NewDialect // by another program than ever before

	// Where from, by which logins.
	NewCountry      // a login from a country without precedent
	Travel          // two places that nobody reaches in that time
	ManyAddresses   // one account from many networks
	ManyAccounts    // many accounts from the same network
	FailedElsewhere // logins as others from the same place failed

	// What others say.
	AbuseReport // ARF or XARF about mail that we relayed
	FeedReport  // a feed such as Shadowserver's names the subscriber's address
	DMARCFail   // receivers report failures for a sender we relayed
	AddressList // the subscriber's own address on a DNS list
	NotSpam     // a report is taken back, or the recipient wanted it: speaks for the subscriber

	// Ledgers are stored with the kinds' numbers: what is new stands at the end.

	Strangers // a new program writes to nobody whom the subscriber knows

	// Kinds is one more than the highest kind.
	Kinds
)

// Group is a family of correlated kinds.
type Group uint8

// The groups.
const (
	Content Group = iota
	Reach
	Conduct
	Access
	Outside

	Groups
)

var groupNames = [Groups]string{"content", "reach", "conduct", "access", "outside"}

func (g Group) String() string {
	if g < Groups {
		return groupNames[g]
	}
	return fmt.Sprintf("group(%d)", uint8(g))
}

// Weight says what a kind is worth.
type Weight struct {
	Name  string
	Group Group
	// Points is the worth of one signal at strength 1, in decibel.
	Points float64
	// HalfLife is after what time half of it is left.
	HalfLife time.Duration
	// PerSource is the most that signals of one source are worth: a campaign, a
	// reporter, a trap. Kind is the most of all sources together.
	PerSource, PerKind float64
	Why                string // where the number comes from
}

// Weights are those of all kinds, with the clips of the groups.
type Weights struct {
	Prior  float64 // log-odds of a subscriber of whom nothing is known, in decibel
	Kinds  [Kinds]Weight
	Groups [Groups]float64
}

const day = 24 * time.Hour

// DefaultWeights are judged, not fitted: no corpus of subscribers is public. They are
// checked by a simulation, and follow from three bars. The prior is the share of
// infected subscribers that operators report, about 1 % over a quarter, broken down to
// an hour in which one acts: 1 in 1,000. One message that the judge is sure of must not
// open a case by itself, but does with one more fact of another kind, or with its like.
// Conduct alone, such as a club's letter to all members, must not open one at all.
func DefaultWeights() Weights {
	return Weights{
		Prior: -30,
		Kinds: [Kinds]Weight{
			SpamMail:     {"SPAM_MAIL", Content, 26, 2 * day, 36, 44, "judged: reject level is 30 dB of odds among mail; among own users most of what is judged so is an error; one text alone, such as a newsletter, opens nothing"},
			PhishMail:    {"PHISH_MAIL", Content, 28, 3 * day, 46, 52, "judged: rarer by error than spam"},
			MalwareMail:  {"MALWARE_MAIL", Content, 45, 14 * day, 45, 60, "judged: a scanner's name for a file hardly errs, and the device stays infected"},
			CampaignMail: {"CAMPAIGN_MAIL", Content, 26, 2 * day, 30, 40, "simulated: full strength is what held subscribers send as well, which hardly errs; of inbound mail it is less, since subscribers forward spam"},
			LateralPhish: {"LATERAL_PHISH", Content, 26, 3 * day, 40, 44, "judged: phish among colleagues needs an account"},
			OddMail:      {"ODD_MAIL", Content, 10, day, 24, 26, "simulated: half of what bots send is no more than odd, and one ordinary message in 1,700 is"},

			UnknownRecipients: {"UNKNOWN_RECIPIENTS", Reach, 14, day, 18, 24, "judged: an old address book does it too"},
			TrapHit:           {"TRAP_HIT", Reach, 18, 7 * day, 20, 30, "judged: a trap may be mistyped once"},
			Strangers:         {"STRANGERS", Reach, 12, day, 12, 12, "simulated: a bot knows nobody; with a new telephone somebody who writes to new people is rare"},
			BounceStorm:       {"BOUNCE_STORM", Reach, 12, day, 14, 18, "judged: backscatter of forged senders looks alike"},

			RateJump:        {"RATE_JUMP", Conduct, 16, 6 * time.Hour, 18, 18, "judged: invitations, a club's letter"},
			FanOut:          {"FAN_OUT", Conduct, 12, 6 * time.Hour, 14, 14, "judged: as the rate, with which it comes"},
			OddHours:        {"ODD_HOURS", Conduct, 4, 12 * time.Hour, 5, 5, "judged: people travel and wake"},
			NewDialect:      {"NEW_DIALECT", Conduct, 22, 2 * day, 22, 22, "simulated: a new telephone comes twice a year, nearly every bot has a program of its own"},
			NewCountry:      {"NEW_COUNTRY", Access, 8, 3 * day, 9, 18, "judged: holidays; each further country counts"},
			Travel:          {"TRAVEL", Access, 12, 2 * day, 14, 18, "judged: mobile and private networks end in other countries"},
			ManyAddresses:   {"MANY_ADDRESSES", Access, 10, day, 12, 14, "judged: mobile devices change networks"},
			ManyAccounts:    {"MANY_ACCOUNTS", Access, 10, day, 12, 12, "judged: offices and carriers share addresses"},
			FailedElsewhere: {"FAILED_ELSEWHERE", Access, 10, day, 12, 12, "judged: a shared office mistypes"},

			AbuseReport: {"ABUSE_REPORT", Outside, 9, 3 * day, 9, 30, "judged: one report in ten is wrong"},
			FeedReport:  {"FEED_REPORT", Outside, 12, 3 * day, 12, 24, "judged: addresses move to other subscribers"},
			DMARCFail:   {"DMARC_FAIL", Outside, 4, 3 * day, 5, 8, "judged: forwarding does it"},
			AddressList: {"ADDRESS_LIST", Outside, 14, 2 * day, 14, 18, "judged: listed for the subscriber before"},
			NotSpam:     {"NOT_SPAM", Outside, -6, 3 * day, 6, 12, "judged: a friend can say so too"},
		},
		// Outside is far below what opens a case; with conduct or access alone it reaches it.
		// These two together are a hold: a letter to many is sent from where its sender is.
		Groups: [Groups]float64{Content: 64, Reach: 30, Conduct: 22, Access: 22, Outside: 18},
	}
}

func (k Kind) String() string {
	if k > None && k < Kinds {
		return names[k]
	}
	return fmt.Sprintf("KIND_%d", uint8(k))
}

// names are kept apart from the weights, which a site may set.
var names = func() (out [Kinds]string) {
	for k, w := range DefaultWeights().Kinds {
		out[k] = w.Name
	}
	return out
}()

// Parse finds a kind by its name.
func Parse(name string) (Kind, bool) {
	for k := None + 1; k < Kinds; k++ {
		if names[k] == name {
			return k, true
		}
	}
	return None, false
}

// Outside says whether the kind is what others say.
func (w *Weights) outside(k Kind) bool { return w.Kinds[k].Group == Outside }

// Signal is one thing that was seen.
type Signal struct {
	Kind Kind
	// Strength is 0…1, the share of the kind's points; 0 counts as 1.
	Strength float64
	// Source tells what is the same from what is another: a campaign's print, the
	// domain of a reporter, a trap. Signals of one source together are worth no more
	// than the kind's PerSource.
	Source string
	Detail string // for people; may be hostile
	ID     string // of the message in the log; "" for none
}
