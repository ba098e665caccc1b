// Package replay judges again what was judged before: the evidence of the log under
// another policy, other weights, another catalogue. It says who would be treated
// otherwise, and of what it can't tell.
//
// Evidence is a fact and stays one; what it is worth may change. So nothing is asked
// again, no message is needed, and a month is judged in seconds. Only what a text
// model says is an opinion: where the message is at hand it is asked anew, and else
// the old opinion stands, and is said to be old.
package replay

import (
	"context"
	"slices"
	"strings"

	"sluice"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/reason"
)

// Terms are what is judged by.
type Terms struct {
	Weights verdict.Weights
	Policy  policy.Policy
	// Rules has the points of the admin's rules in force by name; nil leaves them as
	// they were. A rule that isn't among them says nothing any more, and what one said
	// in a dry run counts once it is.
	Rules map[string]float64
}

// Config sets up a Replayer.
type Config struct {
	// Then are the terms in force when the records were made, as far as they are known:
	// they tell refusals before the message that the sum decided from those that it
	// didn't.
	Then Terms
	Now  Terms
	// Catalogue returns the points that reasons had in the catalogue of this version
	// (sluice.Versions.Catalogue), nil where it isn't known. May be nil.
	Catalogue func(version string) map[sluice.Reason]float64
	// Text asks the text model of today about a message that is still at hand; ok is
	// false where it isn't. May be nil.
	Text func(ctx context.Context, r *sluice.Record) (e sluice.Evidence, ok bool)
	// Model is the version of the text model of today; what it judged isn't asked again.
	Model string
}

// Result is a record judged again.
type Result struct {
	Record  *sluice.Record
	Was, Is sluice.Action
	Why     sluice.Reason // what leads to Is
	Verdict sluice.Verdict
	// NotRun: a check wasn't run then, because its answer couldn't have changed the
	// action. It may now: the result isn't certain.
	NotRun bool
	// Unseen: the transaction ended before a message came, and would go on now. What
	// its message would have been nobody knows.
	Unseen bool
	// OldText: the words were judged by another text model than today's.
	OldText bool
	// OldCatalogue: what reasons counted then isn't known, so their points are as they
	// were.
	OldCatalogue bool
}

// Flips says whether the message would be treated otherwise.
func (r *Result) Flips() bool { return r.Unseen || r.Is != r.Was }

// Certain says whether all that the result rests on is known.
func (r *Result) Certain() bool { return !r.NotRun && !r.Unseen }

// Replayer judges records again. It is safe for concurrent use if Config's functions
// are.
type Replayer struct{ c Config }

// New makes a Replayer.
func New(c Config) *Replayer { return &Replayer{c} }

// Judge judges one record by the terms of now. The record isn't changed.
func (p *Replayer) Judge(ctx context.Context, rec *sluice.Record) Result {
	r := Result{Record: rec, Was: rec.Action()}
	evidence := p.evidence(ctx, rec, &r)
	r.Verdict = verdict.Weigh(evidence, p.c.Now.Weights)
	r.Verdict.Versions = rec.Verdict.Versions
	if rec.Phase < sluice.PhaseMessage {
		p.early(rec, &r)
		return r
	}
	decisions := p.decide(rec, r.Verdict, p.c.Now.Policy)
	r.Is, r.Why = lead(decisions)
	return r
}

// decide asks the policy for every recipient. What was held for a trap is still held
// for it.
func (p *Replayer) decide(rec *sluice.Record, v sluice.Verdict, pol policy.Policy) []sluice.Decision {
	var out []sluice.Decision
	for _, d := range rec.Decisions {
		if d.Why == reason.Spamtrap || d.Why == reason.InternalPanic || d.Why == reason.LocalError {
			out = append(out, d)
			continue
		}
		out = append(out, policy.Decide(v, pol, d.Recipient, circumstances(rec)))
	}
	if rec.Conn.Door == sluice.DoorLMTP {
		return out // each recipient had a reply of its own
	}
	_, out = policy.Combine(out)
	return out
}

func lead(decisions []sluice.Decision) (sluice.Action, sluice.Reason) {
	act, why := sluice.Accept, sluice.Reason("")
	for _, d := range decisions {
		if d.Action >= act {
			if d.Action > act || why == "" {
				why = d.Why
			}
			act = d.Action
		}
	}
	return act, why
}

// early judges a transaction that ended before the message. The gate refuses there for
// many causes that aren't the judge's: a mailbox that isn't there, a command that is
// none. Where the terms of then give the refusal, the judge gave it.
func (p *Replayer) early(rec *sluice.Record, r *Result) {
	r.Is = r.Was
	if len(rec.Decisions) > 0 {
		r.Why = rec.Decisions[0].Why
	}
	then := verdict.Weigh(found(rec), p.c.Then.Weights)
	if d := early(rec, then, p.c.Then.Policy); d.Action != r.Was || r.Was == sluice.Accept {
		return // not by the sum, or not by these terms
	}
	now := early(rec, r.Verdict, p.c.Now.Policy)
	r.Is, r.Why = now.Action, now.Why
	r.Unseen = now.Action == sluice.Accept
}

// early is the policy's word before the message.
func early(rec *sluice.Record, v sluice.Verdict, pol policy.Policy) sluice.Decision {
	to := ""
	if len(rec.Decisions) > 0 {
		to = rec.Decisions[0].Recipient
	}
	return policy.Early(v, pol, to, circumstances(rec))
}

func circumstances(rec *sluice.Record) policy.Circumstances {
	return policy.Circumstances{AlreadyAccepted: rec.Conn.AlreadyAccepted, Trusted: rec.Conn.Trusted}
}

func found(rec *sluice.Record) []sluice.Evidence {
	out := make([]sluice.Evidence, len(rec.Verdict.Ledger))
	for i := range out {
		out[i] = rec.Verdict.Ledger[i].Evidence
	}
	return out
}

// evidence is what was found, at what it is worth now.
func (p *Replayer) evidence(ctx context.Context, rec *sluice.Record, r *Result) []sluice.Evidence {
	then := rec.Verdict.Versions
	var points map[sluice.Reason]float64
	if then.Catalogue != reason.Hash() {
		if p.c.Catalogue != nil {
			points = p.c.Catalogue(then.Catalogue)
		}
		r.OldCatalogue = points == nil
	}
	var anew sluice.Evidence
	asked := false
	if p.c.Model != "" && then.Model != p.c.Model && hasText(rec) {
		if p.c.Text != nil {
			anew, asked = p.c.Text(ctx, rec)
		}
		r.OldText = !asked
	}
	out := make([]sluice.Evidence, 0, len(rec.Verdict.Ledger)+1)
	for i := range rec.Verdict.Ledger {
		e := rec.Verdict.Ledger[i].Evidence
		switch {
		case e.State == sluice.NotRun:
			r.NotRun = true
		case asked && isText(e.Reason):
			continue
		case e.Reason == reason.AdminRule && p.c.Now.Rules != nil:
			if e, ok := ruled(e, p.c.Now.Rules); ok {
				out = append(out, e)
			}
			continue
		}
		if points != nil {
			e = recount(e, points)
		}
		out = append(out, e)
	}
	if asked {
		out = append(out, anew)
	}
	return out
}

func isText(r sluice.Reason) bool { return r == reason.TextSpam || r == reason.TextHam }

func hasText(rec *sluice.Record) bool {
	return slices.ContainsFunc(rec.Verdict.Ledger, func(c sluice.Contribution) bool { return isText(c.Reason) })
}

// recount gives evidence the points of today's catalogue where it had those of its own;
// where a check worked its points out, they are facts and stay.
func recount(e sluice.Evidence, then map[sluice.Reason]float64) sluice.Evidence {
	old, was := then[e.Reason]
	now, is := reason.Lookup(string(e.Reason))
	if e.State != sluice.Found || e.Hard != sluice.Soft || !was || !is || e.Raw != old {
		return e
	}
	e.Raw = now.Points
	var g sluice.Group
	if g.UnmarshalText([]byte(now.Group)) == nil {
		e.Group = g
	}
	return e
}

// ruled is what an admin's rule says now of a message that it once spoke of.
func ruled(e sluice.Evidence, rules map[string]float64) (sluice.Evidence, bool) {
	said := e.Detail
	if dry, ok := strings.CutPrefix(said, "dry run: "); ok {
		said = dry
	} else if e.State != sluice.Found {
		return e, true // it failed, and would again
	}
	said, ok := strings.CutPrefix(said, "rule ")
	if !ok {
		return e, true
	}
	name := said
	for _, end := range []string{": ", " would give "} {
		if before, _, ok := strings.Cut(said, end); ok && len(before) < len(name) {
			name = before
		}
	}
	points, ok := rules[name]
	if !ok {
		return e, false
	}
	e.State, e.Raw = sluice.Found, points
	if points < 0 {
		e.Threat = sluice.ThreatNone
	}
	return e, true
}
