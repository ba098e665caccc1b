package sluice

// Reason names one kind of fact. The catalogue (package reason) holds its words,
// codes and advice. Names follow the field's habit: EICAR, HELO_NO_FQDN.
type Reason string

// Group is a family of correlated evidence. The judge weights and clips each
// group as one, so that ten readings of one fact don't count ten times.
type Group uint8

// The groups.
const (
	GroupSession Group = iota + 1
	GroupIdentity
	GroupReputation
	GroupStructure
	GroupText
	GroupLink
	GroupAttachment
	GroupBrand
	GroupCampaign
	GroupScam
	GroupRecipient
	GroupPrior // the ledger's PRIOR entry only
)

// GroupCount is one more than the highest group, for tables.
const GroupCount = int(GroupPrior) + 1

var groupNames = [...]string{"", "session", "identity", "reputation", "structure", "text", "link", "attachment", "brand", "campaign", "scam", "recipient", "prior"}

func (g Group) String() string { return name(groupNames[:], int(g)) }

// MarshalText writes the lower-case name.
func (g Group) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads the lower-case name.
func (g *Group) UnmarshalText(b []byte) error {
	return parseName("group", groupNames[:], string(b), (*uint8)(g))
}

// Threat is what a message is, beside how sure we are. It picks the reply's
// class and the words, never the points.
type Threat uint8

// The threats.
const (
	ThreatNone Threat = iota
	ThreatSpam
	ThreatBulk
	ThreatPhish
	ThreatScam
	ThreatCopycat
	ThreatMalware
	ThreatBot
	ThreatAttack
)

// ThreatCount is the number of threats, for tables.
const ThreatCount = int(ThreatAttack) + 1

var threatNames = [...]string{"none", "spam", "bulk", "phish", "scam", "copycat", "malware", "bot", "attack"}

func (t Threat) String() string { return name(threatNames[:], int(t)) }

// MarshalText writes the lower-case name.
func (t Threat) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the lower-case name.
func (t *Threat) UnmarshalText(b []byte) error {
	return parseName("threat", threatNames[:], string(b), (*uint8)(t))
}

// State says what a piece of evidence amounts to.
type State uint8

// The states. An unknown or not-run check is recorded with Raw 0: absence is
// never silent.
const (
	Found   State = iota // a fact
	Unknown              // the check could not tell; Detail says why
	NotRun               // the verdict could not change any more
)

var stateNames = [...]string{"found", "unknown", "not_run"}

func (s State) String() string { return name(stateNames[:], int(s)) }

// MarshalText writes the lower-case name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the lower-case name.
func (s *State) UnmarshalText(b []byte) error {
	return parseName("state", stateNames[:], string(b), (*uint8)(s))
}

// Hard marks evidence that stands outside the sum.
type Hard uint8

// Hard stops decide alone; a hard pass lets a message through everything but
// malware.
const (
	Soft Hard = iota
	HardStop
	HardPass
)

// Range is a run of bytes of the original message.
type Range struct {
	Off int `json:"off"`
	Len int `json:"len"`
}

// Evidence is one fact that a check states. It never asks for an action.
type Evidence struct {
	Reason Reason
	Phase  Phase
	Group  Group
	Raw    float64 // decibel of odds before grouping; positive speaks against the message
	Threat Threat
	State  State
	Hard   Hard
	Detail string // what was seen, with every outside answer; hostile text, escape before showing
	Range  Range  // where in the message; zero where that makes no sense
	Part   int    // index of the MIME part the range lies in, 0 for the root
}
