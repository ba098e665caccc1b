package lint

import (
	"slices"
	"strings"

	"sluice"
	"sluice/lint/report"
	"sluice/reason"
)

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
		case c.Hard == sluice.HardStop:
			a.Need = report.Must
		case c.Points >= 2:
			a.Need = report.Should
		}
		takes := []sluice.Reason{c.Reason}
		if slices.Contains([]sluice.Reason{reason.TextSpam}, c.Reason) {
			a.What = "The words read like those of unwanted mail."
			a.Do = "Say it more plainly: the words that weigh most stand below. Words alone never make this gateway refuse a message."
		}
		s.advise(fix{Advice: a, takes: takes})
	}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
