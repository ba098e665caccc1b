package lint

import (
	"cmp"
	"math"
	"slices"

	"sluice"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/lint/report"
	"sluice/reason"
)

// fix is an advice with what it does to the ledger.
type fix struct {
	report.Advice
	takes []sluice.Reason // evidence that goes
	gives []sluice.Reason // evidence that a sound message has, at the catalogue's points
	// copied is evidence that a copy sent by somebody else has then, in place of what of
	// copiedFor it has now.
	copied, copiedFor []sluice.Reason
}

// advise adds an advice; one that was given, as of another signature, isn't given twice.
func (s *subject) advise(f fix) {
	if !slices.ContainsFunc(s.fixes, func(g fix) bool { return g.ID == f.ID }) {
		s.fixes = append(s.fixes, f)
	}
}

// ledger is what was found.
func (s *subject) ledger() []sluice.Evidence {
	var out []sluice.Evidence
	for i := range s.ex.Record.Verdict.Ledger {
		out = append(out, s.ex.Record.Verdict.Ledger[i].Evidence)
	}
	return out
}

func (s *subject) has(id sluice.Reason) bool { return s.found(id) != nil }

// found returns a fact of the ledger, nil where it isn't stated.
func (s *subject) found(id sluice.Reason) *sluice.Contribution {
	l := s.ex.Record.Verdict.Ledger
	for i := range l {
		if l[i].Reason == id && l[i].State == sluice.Found {
			return &l[i]
		}
	}
	return nil
}

// changed is a ledger without some reasons and with others.
func changed(ledger []sluice.Evidence, takes, gives []sluice.Reason) []sluice.Evidence {
	out := make([]sluice.Evidence, 0, len(ledger)+len(gives))
	have := map[sluice.Reason]bool{}
	for _, e := range ledger {
		if !slices.Contains(takes, e.Reason) {
			out = append(out, e)
			have[e.Reason] = have[e.Reason] || e.State == sluice.Found
		}
	}
	for _, id := range gives {
		if !have[id] {
			have[id] = true
			out = append(out, catalogued(id))
		}
	}
	return out
}

// catalogued is a fact with the points of the catalogue.
func catalogued(id sluice.Reason) sluice.Evidence {
	e, _ := reason.Lookup(string(id))
	out := sluice.Evidence{Reason: id, Raw: e.Points, Phase: sluice.PhaseMessage}
	_ = out.Group.UnmarshalText([]byte(e.Group))   // the catalogue's test knows all groups
	_ = out.Threat.UnmarshalText([]byte(e.Threat)) // and threats
	return out
}

// judge weighs a ledger as the gateway does.
func (s *subject) judge(ledger []sluice.Evidence) (sluice.Verdict, sluice.Action) {
	v := verdict.Weigh(ledger, s.c.Weights)
	to := ""
	if len(s.in.Envelope.Rcpts) > 0 {
		to = s.in.Envelope.Rcpts[0].Address
	}
	return v, policy.Decide(v, s.c.Policy, to, policy.Circumstances{}).Action
}

// weigh measures every advice and puts the list in order: what must be done, then by
// effect.
func (s *subject) weigh(r *report.Report) {
	ledger := s.ledger()
	was, _ := s.judge(ledger)
	copyWas, _ := s.judge(s.copyOf(ledger))
	var takes, gives []sluice.Reason
	for _, f := range s.fixes {
		a := f.Advice
		for _, id := range f.takes {
			if c := s.found(id); c != nil && !slices.Contains(a.Reasons, string(id)) {
				a.Reasons = append(a.Reasons, string(id))
			}
		}
		if len(f.takes)+len(f.gives) > 0 {
			is, _ := s.judge(changed(ledger, f.takes, f.gives))
			a.Effect = tenth(is.Points - was.Points)
		}
		if a.Need == report.Could && a.Effect <= -1 && a.Area != areaStanding {
			a.Need, a.Raised = report.Should, true // it is no matter of taste here
		}
		if len(f.copied)+len(f.copiedFor) > 0 {
			is, _ := s.judge(changed(s.copyOf(ledger), f.copiedFor, f.copied))
			a.Copy = tenth(is.Points - copyWas.Points)
		}
		if a.Area != areaStanding {
			takes, gives = append(takes, f.takes...), append(gives, f.gives...)
		}
		r.Advice = append(r.Advice, a)
	}
	all, act := s.judge(changed(ledger, takes, gives))
	r.Verdict.Mended, r.Verdict.MendedAction = all.Points, act.String()
	slices.SortStableFunc(r.Advice, func(a, b report.Advice) int {
		return cmp.Or(
			-cmp.Compare(worth(a), worth(b)),
			cmp.Compare(a.Effect, b.Effect),
			-cmp.Compare(a.Copy, b.Copy),
			-cmp.Compare(a.Need, b.Need))
	})
	if r.Advice == nil {
		r.Advice = []report.Advice{}
	}
}

// worth ranks advice before its effect here: that large receivers refuse a message
// weighs more than any points.
func worth(a report.Advice) int {
	switch {
	case a.Need == report.Must:
		return 2
	case a.Area == areaStanding:
		return -1
	case a.Need == report.Should:
		return 1
	}
	return 0
}

func tenth(x float64) float64 {
	if x = math.Round(x*10) / 10; x == 0 {
		return 0 // not −0
	}
	return x
}
