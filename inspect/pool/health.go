package pool

import (
	"sync/atomic"
	"time"

	"sluice/inspect"
)

// Health is a pool as people see it.
type Health struct {
	Processes int // that there are to be
	Running   int // that are there now
	Waiting   int // requests in the queue
	Queue     int // that may wait

	Looked uint64 // requests that were answered to their end
	Early  uint64 // that ended before: the process died, or its time or memory was over
	Failed uint64 // that nobody looked at

	Deaths    uint64    // processes that ended before they should
	LastDeath time.Time // zero: none
	Why       string    // how that one ended

	Strict  bool     // the sandbox keeps files and programs away
	Sandbox []string // what holds the processes; empty before one has started
	Trouble string   // why none can be started; "" where one can
}

// tally counts for Health.
type tally struct {
	looked, early, failed, deaths atomic.Uint64
	last                          atomic.Pointer[death]
}

type death struct {
	at  time.Time
	how string
}

// answered counts a request.
func (t *tally) answered(r *inspect.Report, err error) {
	switch {
	case err != nil:
		t.failed.Add(1)
	case r.Ended != inspect.Complete:
		t.early.Add(1)
	default:
		t.looked.Add(1)
	}
}

// died counts a process.
func (t *tally) died(how string) {
	t.deaths.Add(1)
	t.last.Store(&death{time.Now(), how})
}

// Health is the pool's state now.
func (p *Pool) Health() Health {
	t := &p.tally
	h := Health{Processes: p.cfg.Size, Waiting: int(p.waiting.Load()), Queue: p.cfg.Queue,
		Looked: t.looked.Load(), Early: t.early.Load(), Failed: t.failed.Load(), Deaths: t.deaths.Load()}
	if d := t.last.Load(); d != nil {
		h.LastDeath, h.Why = d.at, d.how
	}
	h.Strict, h.Sandbox = p.Sandbox()
	p.mu.Lock()
	defer p.mu.Unlock()
	h.Running = len(p.pids)
	if p.trouble != nil {
		h.Trouble = p.trouble.Error()
	}
	return h
}
