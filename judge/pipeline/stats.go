package pipeline

import (
	"sync/atomic"
	"time"
)

// Stat counts what one check did since the pipeline was made.
type Stat struct {
	Check    string
	Runs     uint64
	Errors   uint64
	Timeouts uint64
	Panics   uint64
	NotRun   uint64
	Time     time.Duration // in all runs together
}

type counters struct {
	runs, errors, timeouts, panics, notRun atomic.Uint64
	nanos                                  atomic.Int64
}

// Stats returns the counters of all checks, in the order in which they run.
func (p *Pipeline) Stats() []Stat {
	out := make([]Stat, len(p.all))
	for i, e := range p.all {
		s := &e.stats
		out[i] = Stat{Check: e.info.Name, Runs: s.runs.Load(), Errors: s.errors.Load(), Timeouts: s.timeouts.Load(),
			Panics: s.panics.Load(), NotRun: s.notRun.Load(), Time: time.Duration(s.nanos.Load())}
	}
	return out
}
