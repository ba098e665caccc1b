// Package pipeline runs the checks of one phase under one budget of time, cheap
// ones first, and writes down what became of each: what it found, that it could
// not tell, or that it was not needed any more.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/check"
	"sluice/judge/verdict"
	"sluice/reason"
)

// Config sets up a Pipeline.
type Config struct {
	// Clock is the time, for the counters only. It must be monotonic.
	Clock func() time.Time
	// Budget bounds one Run; 0 leaves it to the caller's context.
	Budget time.Duration
	// Parallel bounds the Remote checks of one Run that are under way together;
	// 0 means 8.
	Parallel int
	// Weights and Bands say when the verdict can't change any more: Bands are
	// the probabilities at which an action begins. Without Bands only hard
	// evidence ends a run early.
	Weights verdict.Weights
	Bands   []float64
	// Panicked, where set, is told of every panic caught at the barrier.
	Panicked func(check string, value any, stack []byte)
}

// Pipeline holds the checks by phase. It is safe for concurrent use.
type Pipeline struct {
	cfg    Config
	bands  []float64 // in points
	phases [sluice.PhaseMessage + 1][]*entry
	all    []*entry
}

type entry struct {
	checker check.Checker
	info    check.Info
	mayStop bool // states a hard stop in some cases
	mayPass bool
	malware bool // … for malware, which no pass overrides
	groups  []sluice.Group
	stats   counters
}

// New sorts the checks. Two with one name, or one of no phase, or one that
// declares no reason, are mistakes of the program: New panics.
func New(checks []check.Checker, cfg Config) *Pipeline {
	if cfg.Clock == nil {
		panic("pipeline: no clock")
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 8
	}
	p := &Pipeline{cfg: cfg}
	for _, b := range cfg.Bands {
		p.bands = append(p.bands, verdict.Points(b))
	}
	names := map[string]bool{}
	for _, c := range checks {
		e := &entry{checker: c, info: c.Info()}
		switch {
		case e.info.Phase < sluice.PhaseConnect || e.info.Phase > sluice.PhaseMessage:
			panic(fmt.Sprintf("pipeline: check %q is of no phase", e.info.Name))
		case e.info.Name == "" || names[e.info.Name]:
			panic(fmt.Sprintf("pipeline: check name %q is empty or taken", e.info.Name))
		case len(e.info.Reasons) == 0:
			panic(fmt.Sprintf("pipeline: check %q declares no reason", e.info.Name))
		}
		names[e.info.Name] = true
		e.reach()
		p.phases[e.info.Phase] = append(p.phases[e.info.Phase], e)
	}
	for i := range p.phases {
		slices.SortStableFunc(p.phases[i], func(a, b *entry) int { return cmp.Compare(a.info.Cost, b.info.Cost) })
		p.all = append(p.all, p.phases[i]...)
	}
	return p
}

// reach notes what the check could change: the groups that its reasons count
// in, and whether it could decide alone. A check whose absence is closed may
// stop by not answering.
func (e *entry) reach() {
	e.mayStop = e.info.Absent == check.Closed
	e.malware = e.mayStop
	e.groups = []sluice.Group{e.info.Group}
	for _, r := range e.info.Reasons {
		c, _ := reason.Lookup(string(r))
		var g sluice.Group
		if g.UnmarshalText([]byte(c.Group)) == nil && !slices.Contains(e.groups, g) {
			e.groups = append(e.groups, g)
		}
		switch c.Hard {
		case "stop":
			e.mayStop = true
			e.malware = e.malware || c.Threat == "malware"
		case "pass":
			e.mayPass = true
		}
	}
}

// Checks lists the declarations of all checks in the order in which they run.
func (p *Pipeline) Checks() []check.Info {
	out := make([]check.Info, len(p.all))
	for i, e := range p.all {
		out[i] = e.info
	}
	return out
}

// Run runs the checks of phase and returns what they state; ledger is what
// earlier phases found, it is read only and not part of the result. Every check
// of the phase is in the result or had nothing to say:
//
//   - An error, or no answer in time, is an Unknown of the check's first reason,
//     with the cause in the detail. Where its absence is Temporary, a
//     CHECK_INCOMPLETE follows it; where it is Closed, a CHECK_REQUIRED that
//     stops the message.
//   - A panic is an Unknown too, followed by INTERNAL_PANIC: what makes a check
//     fall over isn't let through on that account.
//   - A check that the budget left no time for is an Unknown; if it needed
//     nobody else, SCAN_TIMEOUT follows, for the same cause.
//   - A check that could not change the action any more is NotRun.
func (p *Pipeline) Run(ctx context.Context, phase sluice.Phase, in *check.Input, ledger []sluice.Evidence) []sluice.Evidence {
	if phase < sluice.PhaseConnect || phase > sluice.PhaseMessage || len(p.phases[phase]) == 0 {
		return nil
	}
	if p.cfg.Budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.cfg.Budget)
		defer cancel()
	}
	r := &run{p: p, ctx: ctx, in: in, phase: phase, before: ledger}
	todo := p.phases[phase]
	remote := slices.IndexFunc(todo, func(e *entry) bool { return e.info.Cost == check.Remote })
	if remote < 0 {
		remote = len(todo)
	}
	for i, e := range todo[:remote] {
		if why := r.settled(e, todo[i:]); why != "" {
			r.skip(e, why)
		} else {
			r.add(r.one(e))
		}
	}
	r.remote(todo[remote:])
	return r.found
}

// run is one call of Run.
type run struct {
	p       *Pipeline
	ctx     context.Context
	in      *check.Input
	phase   sluice.Phase
	before  []sluice.Evidence
	found   []sluice.Evidence
	overdue bool // SCAN_TIMEOUT is stated
}

// remote asks the checks that wait for others, several at a time; what they
// state is kept in the order of the checks. It returns when all have ended: a
// check must not look at the message once its run is over.
func (r *run) remote(todo []*entry) {
	answers := make([][]sluice.Evidence, len(todo))
	var group sync.WaitGroup
	slots := make(chan struct{}, r.p.cfg.Parallel)
	for i, e := range todo {
		if why := r.settled(e, todo[i:]); why != "" {
			r.skip(e, why)
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			// A large message is a mapped file: a disk error behind it must be a
			// panic that the barrier catches, as in the session's own goroutine.
			debug.SetPanicOnFault(true)
			answers[i] = r.one(e)
		})
	}
	group.Wait()
	for _, a := range answers {
		r.add(a)
	}
}

func (r *run) add(found []sluice.Evidence) { r.found = append(r.found, found...) }

func (r *run) skip(e *entry, why string) {
	e.stats.notRun.Add(1)
	r.found = append(r.found, e.absent(r.phase, sluice.NotRun, why))
}

// absent is the line of a check without an answer.
func (e *entry) absent(phase sluice.Phase, s sluice.State, detail string) sluice.Evidence {
	return sluice.Evidence{Reason: e.info.Reasons[0], Phase: phase, Group: e.info.Group, State: s, Detail: bounded(e.info.Name + ": " + detail)}
}

// one runs one check and turns whatever happens into evidence.
func (r *run) one(e *entry) []sluice.Evidence {
	if err := r.ctx.Err(); err != nil {
		e.stats.timeouts.Add(1)
		return r.late(e, r.failed(e, "no time left: "+err.Error()))
	}
	ctx := r.ctx
	if e.info.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.info.Deadline)
		defer cancel()
	}
	start := r.p.cfg.Clock()
	found, err := r.barrier(ctx, e)
	e.stats.runs.Add(1)
	e.stats.nanos.Add(int64(r.p.cfg.Clock().Sub(start)))

	out := r.tidy(e, found)
	if err == nil {
		return out
	}
	if fell, ok := errors.AsType[*panicked](err); ok {
		e.stats.panics.Add(1)
		return append(r.failed(e, fell.Error()), sluice.Evidence{Reason: reason.InternalPanic, Phase: r.phase, State: sluice.Unknown, Detail: bounded(e.info.Name)})
	}
	if ctx.Err() != nil {
		e.stats.timeouts.Add(1)
	} else {
		e.stats.errors.Add(1)
	}
	return r.late(e, append(out, r.failed(e, err.Error())...))
}

// late adds SCAN_TIMEOUT, once a run, where the budget is used up and a check
// that needs nobody else went without an answer: a message that takes all our
// time isn't let through for it. Such checks run one after the other, so the
// note needs no lock.
func (r *run) late(e *entry, out []sluice.Evidence) []sluice.Evidence {
	if r.ctx.Err() == nil || e.info.Cost == check.Remote || r.overdue {
		return out
	}
	r.overdue = true
	return append(out, sluice.Evidence{Reason: reason.ScanTimeout, Phase: r.phase, State: sluice.Unknown, Detail: bounded(e.info.Name)})
}

// failed is what a check without an answer amounts to.
func (r *run) failed(e *entry, detail string) []sluice.Evidence {
	out := []sluice.Evidence{e.absent(r.phase, sluice.Unknown, detail)}
	switch e.info.Absent {
	case check.Temporary:
		out = append(out, sluice.Evidence{Reason: reason.CheckIncomplete, Phase: r.phase, State: sluice.Unknown, Detail: bounded(e.info.Name + ": " + detail)})
	case check.Closed:
		out = append(out, sluice.Evidence{Reason: reason.CheckRequired, Phase: r.phase, Hard: sluice.HardStop, Detail: bounded(e.info.Name + ": " + detail)})
	}
	return out
}

// panicked is what the barrier makes of a panic.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// barrier keeps a check's panic from the session.
func (r *run) barrier(ctx context.Context, e *entry) (found []sluice.Evidence, err error) {
	defer func() {
		if v := recover(); v != nil {
			found, err = nil, &panicked{v}
			if r.p.cfg.Panicked != nil {
				r.p.cfg.Panicked(e.info.Name, v, debug.Stack())
			}
		}
	}()
	return e.checker.Check(ctx, r.in)
}

// Bounds of what one check may state.
const (
	maxFound  = 100  // pieces of evidence
	maxDetail = 2000 // bytes of detail
)

// tidy fills in what a check left out, and bounds what it says: a detail may be
// as long as the sender likes. Past the bound the strongest pieces stay. The
// slice that the check returned may be its own, so it is left alone.
func (r *run) tidy(e *entry, found []sluice.Evidence) []sluice.Evidence {
	found = slices.Clone(found)
	if len(found) > maxFound {
		slices.SortStableFunc(found, func(a, b sluice.Evidence) int {
			return cmp.Or(cmp.Compare(b.Hard, a.Hard), cmp.Compare(b.Raw, a.Raw))
		})
		found = found[:maxFound]
	}
	for i := range found {
		f := &found[i]
		f.Phase = r.phase
		if f.Group == 0 {
			f.Group = e.info.Group
		}
		f.Detail = bounded(f.Detail)
	}
	return found
}

func bounded(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	// A clone lets go of the message behind the rest.
	return strings.Clone(s[:maxDetail]) + "…"
}
