package lint

import (
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/lint/report"
	"sluice/reason"
)

// areaStanding is the area of what only time mends.
const areaStanding = "standing"

// standing are reasons that tell who isn't known yet: no message can change that.
var standing = []sluice.Reason{reason.SenderUnknown, reason.LinkSingleOwner, reason.FirstContact, reason.NewLinkDomain, reason.NameSignerKnown, reason.Greylisted}

// rest turns all evidence against the message that no advice spoke of into advice of
// the catalogue's.
func (s *subject) rest() {
	spoken := map[sluice.Reason]bool{reason.Prior: true}
	for _, f := range s.fixes {
		for _, id := range f.takes {
			spoken[id] = true
		}
	}
	ledger := s.ex.Record.Verdict.Ledger
	for i := range ledger {
		c := &ledger[i]
		e, ok := reason.Lookup(string(c.Reason))
		if !ok || spoken[c.Reason] || c.State != sluice.Found || c.Points <= 0 && c.Hard != sluice.HardStop {
			continue
		}
		spoken[c.Reason] = true
		a := report.Advice{ID: strings.ReplaceAll(strings.ToLower(e.ID), "_", "-"), Area: e.Group, What: e.Page, Do: capital(e.Fix), Seen: quote(c.Detail), Need: report.Could}
		if strings.HasPrefix(e.Source, "RFC ") {
			a.Source = e.Source
		}
		switch {
		case strings.HasPrefix(e.ID, "ARC_") || strings.HasPrefix(e.ID, "SPF_") && s.forwarded():
			a.Area, a.Do = areaStanding, "Nothing in the message: this is the forwarder's. Look at it as it arrives without one."
		case slices.Contains(standing, c.Reason) || c.Group == sluice.GroupReputation:
			a.Area = areaStanding
			a.Do = "Nothing in the message: a name is earned by mail that people want. " + a.Do
		case c.Hard == sluice.HardStop:
			a.Need = report.Must
		case c.Points >= 2:
			a.Need = report.Should
		}
		if c.Reason == reason.TextSpam {
			a.What = "The words read like those of unwanted mail."
			a.Do = "Say it more plainly: the words that weigh most stand below. Words alone never make this gateway refuse a message."
			if seen := s.heavy(5); seen != "" {
				a.Seen = seen
			}
		}
		takes := []sluice.Reason{c.Reason}
		if slices.Contains(strangeName, c.Reason) {
			takes = strangeName // one cure for all of it
			for _, id := range takes {
				spoken[id] = true
			}
		}
		s.advise(fix{Advice: a, takes: takes})
	}
}

// heavy lists the words that weigh most against the message.
func (s *subject) heavy(most int) string {
	var out []string
	for _, t := range s.words {
		if t.DB > 0 && len(out) < most {
			out = append(out, fmt.Sprintf("%s %+.1f", t.Word, t.DB))
		}
	}
	return quote(strings.Join(out, ", "))
}

func capital(s string) string {
	if s == "" {
		return "Nothing that a sender can change is known."
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
