package sluice

// Contribution is one line of the ledger: evidence and the points that it
// brought after grouping. 1 point is 1 decibel of odds.
type Contribution struct {
	Evidence
	Points float64 // rounded to 0.1; the ledger's points sum to the verdict's
}

// Verdict is what the judge made of all evidence.
type Verdict struct {
	Threat      Threat
	Points      float64 // log-odds in decibel, rounded to 0.1
	Probability float64 // 1/(1+10^(−Points/10)), of being unwanted
	Hard        Reason  // the hard stop or pass that decided, "" for none
	HardKind    Hard
	Ledger      []Contribution // strongest first; PRIOR is one of them
	Versions    Versions
}

// Versions makes a verdict repeatable: what judged it.
type Versions struct {
	Program   string `json:"program"`
	Catalogue string `json:"catalogue"` // hash of the reason catalogue
	Model     string `json:"model"`     // hash of the text model
	Config    string `json:"config"`    // hash of the configuration
}

// Action is what happens to a message for one recipient.
type Action uint8

// The actions, mildest first.
const (
	Accept Action = iota
	Tag
	Banner
	Strip
	QuarantineIt
	Defer
	Reject
	Drop
	Hold
)

var actionNames = [...]string{"accept", "tag", "banner", "strip", "quarantine", "defer", "reject", "drop", "hold"}

func (a Action) String() string { return name(actionNames[:], int(a)) }

// MarshalText writes the lower-case name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the lower-case name.
func (a *Action) UnmarshalText(b []byte) error {
	return parseName("action", actionNames[:], string(b), (*uint8)(a))
}

// Decision is policy's word on one recipient.
type Decision struct {
	Recipient string
	Action    Action
	Why       Reason // the reason that leads the reply
}
