package sluice

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

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
	Threats     Threats `json:",omitzero"` // decides nothing
}

// Threats says what a message may be, should it be unwanted: for each threat a
// share, from 0 to 1. They sum to 1, or are all 0 where nothing speaks against
// the message. Spam is what unwanted mail is until something says more: evidence
// for it tells unwanted from wanted mail, and not one threat from another. So spam
// counts 1, and every other threat 10^(P/10) − 1, P being the points that its own
// evidence brought: by how much that raises the odds. Something hard that names a
// threat leaves no share to others. [Verdict.Threat] is the threat of most points.
type Threats [ThreatCount]float64

// String lists the shares in words, largest first: "phish 62 %, spam 38 %"; "" where
// there are none.
func (t Threats) String() string {
	var order []int
	for k, s := range t {
		if s >= 0.005 {
			order = append(order, k)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t[b], t[a]) })
	var b strings.Builder
	for i, k := range order {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%v %.0f %%", Threat(k), 100*t[k])
	}
	return b.String()
}

// MarshalJSON writes an object of the shares above 0 by the threat's name, so
// that what is stored stays readable when threats are added.
func (t Threats) MarshalJSON() ([]byte, error) {
	shares := map[string]float64{}
	for k, s := range t {
		if s > 0 && s <= 1 {
			shares[Threat(k).String()] = s
		}
	}
	return json.Marshal(shares)
}

// UnmarshalJSON reads it; a threat of a newer program is passed over.
func (t *Threats) UnmarshalJSON(b []byte) error {
	var shares map[string]float64
	if err := json.Unmarshal(b, &shares); err != nil {
		return fmt.Errorf("sluice: threats: %w", err)
	}
	*t = Threats{}
	for name, s := range shares {
		var k Threat
		if k.UnmarshalText([]byte(name)) == nil {
			t[k] = s
		}
	}
	return nil
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
