// Package rules holds the admin's own rules: expressions over the connection, the
// envelope, the message and what is known of its sender, each with points and a
// reason. docs/rules.md, made from the types of [Env], is the language.
//
// # What a rule can cost
//
// Rules are checked when they are loaded, and what passes can't be made expensive by
// a message: there are no loops, closures, variables, indices or functions that build
// data; every text and list that a rule sees has a bound; regular expressions are
// linear (RE2), constant and small. From these bounds follows the most work that an
// expression can ever do, in octets looked at, and a rule or a set of rules above
// its budget is not loaded. So no clock is needed, and a message is judged the same
// on a slow machine.
//
// # What a rule can do
//
// It states ADMIN_RULE with its own points, at most 6 either way, in the group
// "recipient": what the receiving side has decided beforehand stands there, and the
// group's bounds (10 decibels for, 6 against) hold for all rules together, so that
// rules alone never refuse a message. What must be refused has a block list. Rules
// don't see the ledger, since checks don't: a rule can't ask for another reason.
package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/expr-lang/expr/vm"

	"sluice"
	"sluice/check"
	"sluice/learn/network"
	"sluice/reason"
)

// Rule is one rule as an admin wrote it.
type Rule struct {
	Name   string  // short, unique: letters, digits, "-", "_"
	When   string  // the expression
	Points float64 // decibels, −6 to 6, not 0; positive speaks against the message
	Why    string  // a sentence for the ledger
	// Phase is when the rule is asked: connect, hello, mail or message. Zero is the
	// earliest in which all that it names is known.
	Phase  sluice.Phase
	DryRun bool   // state what it would do, with no points
	Tenant string // only mail of this tenant; "" for all
}

// Problem is why a rule isn't in force.
type Problem struct {
	Rule         string // its name, or its place where it has none: "rule 3"
	Line, Column int    // in When, from 1; 0 where it isn't about a place
	What         string // what is wrong
	Example      string // how it would be right; "" where that says nothing
}

// String is one line for a log.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %q", p.Rule)
	if p.Line > 0 {
		fmt.Fprintf(&b, ", line %d, column %d", p.Line, p.Column)
	}
	b.WriteString(": " + p.What)
	if p.Example != "" {
		b.WriteString("; write for example: " + p.Example)
	}
	return b.String()
}

// rule is one that is in force.
type rule struct {
	Rule
	program *vm.Program
	asked   atomic.Uint64
	hits    atomic.Uint64
	failed  atomic.Uint64
}

// Set holds rules in force. It is safe for concurrent use and doesn't change.
type Set struct {
	phases   [sluice.PhaseMessage + 1][]*rule
	all      []*rule
	uses     [sluice.PhaseMessage + 1]map[string]bool
	patterns patterns
}

// Stat says what a rule has done since it was loaded.
type Stat struct {
	Name   string
	Phase  sluice.Phase
	DryRun bool
	Asked  uint64 // messages or connections that it looked at
	Hits   uint64 // those it was true for
	Failed uint64 // those it had no answer for
}

// Stats lists the rules in the order in which they were written.
func (s *Set) Stats() []Stat {
	if s == nil {
		return nil
	}
	out := make([]Stat, len(s.all))
	for i, r := range s.all {
		out[i] = Stat{r.Name, r.Phase, r.DryRun, r.asked.Load(), r.hits.Load(), r.failed.Load()}
	}
	return out
}

// Config sets up the checks.
type Config struct {
	// Current gives the rules in force, so that a reload replaces them under running
	// sessions; nil is none.
	Current  func() *Set
	Networks *network.DB    // nil: operators and countries are unknown
	Zone     *time.Location // of the time of day; nil is UTC
}

// Checks returns the checks of this folder, one for each phase that rules may have.
func Checks(c Config) []check.Checker {
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	var out []check.Checker
	for _, p := range phases {
		out = append(out, &checker{cfg: c, phase: p})
	}
	return out
}

// phases are those in which something new is known. That a rule waits for the whole
// list of recipients, and a tenant's rules with it, is on purpose: points are for
// the message, and its recipients are complete only then.
var phases = []sluice.Phase{sluice.PhaseConnect, sluice.PhaseHello, sluice.PhaseMail, sluice.PhaseMessage}

type checker struct {
	cfg   Config
	phase sluice.Phase
}

// Info returns the declaration.
func (c *checker) Info() check.Info {
	cost := check.Cheap
	if c.phase == sluice.PhaseMessage {
		cost = check.Heavy
	}
	return check.Info{
		Name: "rules/" + c.phase.String(), Phase: c.phase, Group: sluice.GroupRecipient, Cost: cost,
		Reasons: []sluice.Reason{reason.AdminRule},
	}
}

// Check asks the rules of the phase.
func (c *checker) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	s := c.cfg.Current()
	if s == nil || len(s.phases[c.phase]) == 0 || c.phase == sluice.PhaseMessage && in.Message == nil {
		return nil, nil
	}
	if in.Auth.InTransaction() && in.Message != nil && s.asksAuth() {
		in.Auth.DMARC(ctx, in.Message, in.Now) // once for a message, whoever asks first
	}
	env := newEnv(&source{in: in, networks: c.cfg.Networks, zone: c.cfg.Zone, patterns: s.patterns, uses: s.uses[c.phase]})
	machine := vm.VM{MemoryBudget: memory}
	var out []sluice.Evidence
	for _, r := range s.phases[c.phase] {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if r.Tenant != "" && (in.Envelope == nil || in.Envelope.Tenant != r.Tenant) {
			continue
		}
		if e, ok := r.ask(&machine, env); ok {
			e.Phase = c.phase
			out = append(out, e)
		}
	}
	return out, nil
}

// asksAuth says whether a rule names something of auth.
func (s *Set) asksAuth() bool {
	for name := range s.uses[sluice.PhaseMessage] {
		if strings.HasPrefix(name, "auth.") {
			return true
		}
	}
	return false
}

// ask evaluates one rule.
func (r *rule) ask(machine *vm.VM, env *Env) (sluice.Evidence, bool) {
	r.asked.Add(1)
	got, err := machine.Run(r.program, env)
	yes, isBool := got.(bool)
	switch {
	case err != nil || !isBool:
		// What passed the check at load has an answer for every message. If one
		// hasn't, the message can't switch the rule off: it is unknown here, counted,
		// and asked again.
		r.failed.Add(1)
		what := "no answer"
		if err != nil {
			what, _, _ = strings.Cut(err.Error(), "\n")
		}
		return check.Unknown(reason.AdminRule, clip("rule "+r.Name+" failed: "+what, 500)), true
	case !yes:
		return sluice.Evidence{}, false
	}
	r.hits.Add(1)
	if r.DryRun {
		return check.Unknown(reason.AdminRule, fmt.Sprintf("dry run: rule %s would give %+.1f: %s", r.Name, r.Points, r.Why)), true
	}
	e := check.Found(reason.AdminRule, "rule "+r.Name+": "+r.Why)
	e.Raw = r.Points
	if r.Points < 0 {
		e.Threat = sluice.ThreatNone
	}
	return e, true
}

// Names lists the rules in force.
func (s *Set) Names() []string {
	var out []string
	if s != nil {
		for _, r := range s.all {
			out = append(out, r.Name)
		}
	}
	return slices.Clip(out)
}
