package explain

import (
	"errors"
	"fmt"

	"sluice"
	"sluice/reason"
)

// Line is one line of the ledger as an admin reads it. All text is escaped.
type Line struct {
	Reason string
	Group  string
	Phase  string
	Points float64
	Raw    float64
	State  string // "found", "unknown", "not_run"
	Hard   string // "", "stop", "pass"
	Words  string // what it means, from the catalogue
	Detail string // what was seen
	Range  sluice.Range
	Part   int
}

const maxDetail = 1000

// Ledger renders a verdict's ledger in its order, strongest first.
func Ledger(v sluice.Verdict) []Line {
	out := make([]Line, len(v.Ledger))
	for i := range v.Ledger {
		c := &v.Ledger[i]
		l := Line{Reason: Escape(string(c.Reason), 60), Group: c.Group.String(), Phase: c.Phase.String(), Points: c.Points, Raw: c.Raw,
			State: c.State.String(), Detail: Escape(c.Detail, maxDetail), Range: c.Range, Part: c.Part}
		if c.Group == 0 {
			l.Group = ""
		}
		switch c.Hard {
		case sluice.HardStop:
			l.Hard = "stop"
		case sluice.HardPass:
			l.Hard = "pass"
		}
		if e, ok := reason.Lookup(string(c.Reason)); ok {
			l.Words = e.Admin
		}
		out[i] = l
	}
	return out
}

func (l Line) String() string {
	mark := fmt.Sprintf("%+6.1f", l.Points)
	switch {
	case l.Hard != "":
		mark = "  " + l.Hard
	case l.State != sluice.Found.String():
		mark = "     ?"
	}
	s := fmt.Sprintf("%s  %-28s %s", mark, l.Reason, l.Words)
	if l.Detail != "" {
		s += " [" + l.Detail + "]"
	}
	return s
}

// User says in a sentence what was found, for the message's recipient.
func User(v sluice.Verdict) string {
	if v.HardKind != sluice.Soft {
		if e, ok := reason.Lookup(string(v.Hard)); ok {
			return e.User
		}
	}
	for i := range v.Ledger { // strongest first; the threat's own words before others
		c := &v.Ledger[i]
		if c.Points <= 0 || c.Threat != v.Threat || c.Group == sluice.GroupPrior {
			continue
		}
		if e, ok := reason.Lookup(string(c.Reason)); ok {
			return e.User
		}
	}
	if v.Points < 0 {
		return "Nothing was found that speaks against this message."
	}
	e, _ := reason.Lookup(reason.Unwanted)
	return e.User
}

func asError(err error) (*sluice.Error, bool) { return errors.AsType[*sluice.Error](err) }
