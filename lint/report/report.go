// Package report holds what lint says of a message: plain values that a terminal, a
// page and a program read alike. It knows nothing of how they came about.
//
// All texts may quote the message, which is hostile: whoever shows them escapes them.
package report

import (
	"fmt"
	"slices"
	"strings"
)

// Level is how a fact looks to somebody who cares about delivery.
type Level uint8

// The levels.
const (
	Info    Level = iota // a fact, neither good nor bad
	Good                 // as it should be
	Warn                 // works, and could be better
	Bad                  // wrong
	Unknown              // couldn't be found out
)

var levels = [...]string{"info", "good", "warn", "bad", "unknown"}

func (l Level) String() string { return levels[min(int(l), len(levels)-1)] }

// MarshalText writes the lower-case name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads it.
func (l *Level) UnmarshalText(b []byte) error {
	i, err := named("level", levels[:], string(b))
	*l = Level(i)
	return err
}

// Need is how much depends on an advice.
type Need uint8

// The needs.
const (
	Could  Need = iota // a matter of taste or of the last percent
	Should             // costs reputation, or protection of the name
	Must               // a large receiver refuses mail for it, or a standard forbids it
)

var needs = [...]string{"could", "should", "must"}

func (n Need) String() string { return needs[min(int(n), len(needs)-1)] }

// MarshalText writes the lower-case name.
func (n Need) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads it.
func (n *Need) UnmarshalText(b []byte) error {
	i, err := named("need", needs[:], string(b))
	*n = Need(i)
	return err
}

func named(what string, names []string, s string) (int, error) {
	if i := slices.Index(names, s); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("report: no %s %q", what, s)
}

// Class is what would become of the message, as coarsely as strangers may know.
type Class string

// The classes. Withheld doesn't tell refusal from quarantine.
const (
	Delivered Class = "delivered"
	Marked    Class = "marked" // with a tag or a banner, or without some file
	Withheld  Class = "withheld"
)

// Report is all that lint says.
type Report struct {
	Message   Message   `json:"message"`
	Class     Class     `json:"class"`
	Verdict   *Verdict  `json:"verdict,omitempty"` // nil for strangers
	Advice    []Advice  `json:"advice"`            // what helps most first
	Sections  []Section `json:"sections"`
	Imitation Imitation `json:"imitation"`
}

// Message says which message this is about.
type Message struct {
	From    string `json:"from"`
	Subject string `json:"subject"`
	Size    int    `json:"size"` // octets
	// Client is whose address authentication was judged by, and From where it comes:
	// "" where nobody's.
	Client   string `json:"client,omitempty"`
	Envelope string `json:"envelope,omitempty"` // sender
	Kind     string `json:"kind"`               // campaign, notice, list, personal, unclear
}

// Verdict is this gateway's own.
type Verdict struct {
	Action      string  `json:"action"`
	Threat      string  `json:"threat"`
	Points      float64 `json:"points"`
	Probability float64 `json:"probability"`
	Hard        string  `json:"hard,omitempty"`
	Ledger      []Entry `json:"ledger"` // strongest first; points sum to Points
	Words       []Word  `json:"words,omitempty"`
	// Mended is what would be left if all the advice that has an effect were followed.
	Mended       float64 `json:"mended_points"`
	MendedAction string  `json:"mended_action"`
}

// Entry is a line of the ledger.
type Entry struct {
	ID     string  `json:"id"`
	Group  string  `json:"group"`
	Points float64 `json:"points"`
	Words  string  `json:"words"`
	Detail string  `json:"detail,omitempty"`
	State  string  `json:"state,omitempty"` // unknown, not_run; "" for facts
}

// Word is one that weighs in the text model's score.
type Word struct {
	Word string  `json:"word"`
	DB   float64 `json:"db"` // positive towards unwanted
}

// Advice is one thing to change.
type Advice struct {
	ID   string `json:"id"` // stable
	Area string `json:"area"`
	Need Need   `json:"need"`
	What string `json:"what"` // what is the matter
	Do   string `json:"do"`   // what to change
	Seen string `json:"seen,omitempty"`
	// Effect is by how many points this gateway's verdict changes when this alone is
	// done; negative is better. 0 where it makes no difference, and for strangers.
	Effect float64 `json:"effect,omitzero"`
	// Copy is by how many points more a copy of the message by somebody else would
	// count then; positive is better.
	Copy    float64  `json:"copy_effect,omitzero"`
	Reasons []string `json:"reasons,omitempty"` // of the catalogue, that this takes away
	Source  string   `json:"source,omitempty"`
	// Standard advice follows from published standards and receivers' rules, and is
	// for everybody. The rest tells how this gateway judges.
	Standard bool `json:"-"`
	// Raised says that Need is Should for its effect here, and Could everywhere else.
	Raised bool `json:"-"`
}

// Section is a group of facts.
type Section struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Facts []Fact `json:"facts"`
	// Open sections may be shown to strangers.
	Open bool `json:"-"`
}

// Fact is one line of a section.
type Fact struct {
	Level  Level    `json:"level"`
	What   string   `json:"what"`
	Value  string   `json:"value"`
	Why    string   `json:"why,omitempty"`
	Source string   `json:"source,omitempty"`
	More   []string `json:"more,omitempty"` // lines below it
	Closed bool     `json:"-"`              // not for strangers, in an open section
}

// Imitation says how easily others could pass off a copy of the message as it.
type Imitation struct {
	Risk string `json:"risk"` // low, medium, high
	// Own and Copy are the points of the message and of an exact copy that somebody
	// else sends in its author's name; both 0 for strangers.
	Own   float64 `json:"own_points,omitzero"`
	Copy  float64 `json:"copy_points,omitzero"`
	Class Class   `json:"copy_class,omitempty"` // what would become of the copy
	Facts []Fact  `json:"facts"`
}

// Status is the exit status: 0 nothing to do, 1 advice, 2 the message would be
// withheld. Advice that is a matter of taste doesn't count.
func (r *Report) Status() int {
	switch {
	case r.Class == Withheld:
		return 2
	case r.Class == Marked || slices.ContainsFunc(r.Advice, func(a Advice) bool { return a.Need > Could }):
		return 1
	}
	return 0
}

// Public is the report as strangers may see it: authentication, structure, the rules
// of large receivers and the class. It holds no points, words or thresholds, and no
// advice that tells how this gateway judges: with these, a spammer would try until a
// message passes. The order of the advice is by need, which is the same everywhere.
func (r *Report) Public() *Report {
	out := &Report{Message: r.Message, Class: r.Class, Advice: []Advice{}, Sections: []Section{},
		Imitation: Imitation{Risk: r.Imitation.Risk, Facts: open(r.Imitation.Facts)}}
	for _, a := range r.Advice {
		if a.Standard {
			a.Effect, a.Copy, a.Reasons = 0, 0, nil
			if a.Raised {
				a.Need = Could
			}
			out.Advice = append(out.Advice, a)
		}
	}
	slices.SortStableFunc(out.Advice, func(a, b Advice) int {
		if a.Need != b.Need {
			return int(b.Need) - int(a.Need)
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, s := range r.Sections {
		if s.Open {
			s.Facts = open(s.Facts)
			out.Sections = append(out.Sections, s)
		}
	}
	return out
}

func open(facts []Fact) []Fact {
	out := make([]Fact, 0, len(facts))
	for _, f := range facts {
		if !f.Closed {
			out = append(out, f)
		}
	}
	return out
}
