// Package pool keeps processes that look into files, and is the gateway's
// [inspect.Inspector] on one machine.
//
// Processes are started ahead and used again for some requests. One that dies,
// hangs or grows is replaced, and what it was asked gets an answer all the same: what
// it had found, and how it ended. A request whose process crashed is given to a fresh one
// once more, and a few times more where somebody else killed it.
//
// The queue is bounded in length and time. Where nobody can look, Inspect returns an
// error: our own trouble, never a verdict.
package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sluice/inspect"
	"sluice/inspect/wire"
)

// Config sets up a Pool. Zero fields take their defaults.
type Config struct {
	// Command is the program and its arguments; the default is this program with
	// "inspect". The pool adds flags for the limits.
	Command []string
	// Args stand behind Command's own, before those of the limits.
	Args []string
	// Files are open in the process, from 3 on. They stay the caller's, who closes them
	// when the pool is closed.
	Files []*os.File
	// Env is added to the process's environment, which is empty otherwise.
	Env []string

	Size     int            // processes; 2
	Queue    int            // requests that may wait; 64
	Wait     time.Duration  // in the queue; 10 s
	Budget   inspect.Budget // for requests that leave theirs zero
	Deadline time.Duration  // beyond a request's Budget.Time until the process is killed; 2 s
	Memory   int64          // resident bytes of one process; 512 MB
	Reuse    int            // requests for one process; 500
	// CgroupRoot is where cgroups stand; /sys/fs/cgroup. Where the gateway may make some
	// of its own there, each process gets one that bounds its memory.
	CgroupRoot string
	// Strict refuses processes whose sandbox doesn't keep them from files and programs.
	Strict bool

	Log     *slog.Logger // nil: none
	Metrics *Metrics     // nil: none
}

func (c Config) withDefaults() Config {
	if len(c.Command) == 0 {
		c.Command = []string{self(), "inspect"}
	}
	set(&c.Size, 2)
	set(&c.Queue, 64)
	set(&c.Wait, 10*time.Second)
	set(&c.Deadline, 2*time.Second)
	set(&c.Memory, 512<<20)
	set(&c.Reuse, 500)
	if c.CgroupRoot == "" {
		c.CgroupRoot = "/sys/fs/cgroup"
	}
	c.Budget = c.Budget.WithDefaults()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return c
}

func set[T int | int64 | time.Duration](v *T, zero T) {
	if *v <= 0 {
		*v = zero
	}
}

// Errors of Inspect: nobody looked.
var (
	ErrBusy   = errors.New("inspect/pool: the queue is full")
	ErrLate   = errors.New("inspect/pool: waited too long for a free process")
	ErrDown   = errors.New("inspect/pool: no process can be started")
	ErrClosed = errors.New("inspect/pool: closed")
)

// Pool is an [inspect.Inspector]. Its methods are safe for concurrent use.
type Pool struct {
	cfg     Config
	jobs    chan *job
	waiting atomic.Int64
	down    atomic.Int64 // workers that can't start their process
	ctx     context.Context
	stop    context.CancelFunc
	done    sync.WaitGroup
	tally   tally

	mu      sync.Mutex
	hello   *wire.Hello // of the process that started last
	trouble error       // why the last start failed
	pids    map[int]bool
}

// job is one request on its way.
type job struct {
	ctx     context.Context
	q       *inspect.Request
	report  *inspect.Report
	trouble error      // ours
	done    chan error // takes one value
}

var _ inspect.Inspector = (*Pool)(nil)

// New starts the processes, and returns before they are ready.
func New(cfg Config) *Pool {
	p := &Pool{cfg: cfg.withDefaults(), jobs: make(chan *job), pids: map[int]bool{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	for i := range p.cfg.Size {
		p.done.Go(func() { p.work(i) })
	}
	return p
}

// Close ends the processes and waits for them. Requests that wait get [ErrClosed].
func (p *Pool) Close() {
	p.stop()
	p.done.Wait()
}

// Inspect waits for a process and has it look into the files of r.
func (p *Pool) Inspect(ctx context.Context, r *inspect.Request) (*inspect.Report, error) {
	q := *r
	q.Budget = merge(q.Budget, p.cfg.Budget)
	clipped, err := wire.Clip(&q)
	if err != nil {
		return wire.Begin(&inspect.Request{}), err
	}
	var report *inspect.Report
	for try := 1; ; try++ {
		report, err = p.once(ctx, clipped)
		if err != nil || try >= tries(report.Ended) {
			break
		}
		p.cfg.Metrics.again.Inc()
	}
	p.tally.answered(report, err)
	switch {
	case err != nil:
		p.cfg.Metrics.requests.WithLabelValues("failed").Inc()
		p.cfg.Log.Warn("file not inspected", "error", err)
	default:
		p.cfg.Metrics.requests.WithLabelValues(report.Ended.String()).Inc()
		if report.Ended != inspect.Complete {
			p.cfg.Log.Warn("inspection ended early", "how", report.Ended.String(), "reason", report.Reason, "decoder", report.By, "file", report.At)
		}
	}
	return report, err
}

// tries is how many processes may look at a request after one ended so.
func tries(how inspect.Ended) int {
	switch how {
	case inspect.Crashed:
		return 2 // a file that does it does it again
	case inspect.Killed:
		return 4
	}
	return 1
}

// merge fills fields that are zero.
func merge(b, d inspect.Budget) inspect.Budget {
	fill(&b.Depth, d.Depth)
	fill(&b.Entries, d.Entries)
	fill(&b.Bytes, d.Bytes)
	fill(&b.File, d.File)
	fill(&b.Ratio, d.Ratio)
	fill(&b.Pixels, d.Pixels)
	fill(&b.Time, d.Time)
	return b
}

func fill[T comparable](v *T, zero T) {
	var none T
	if *v == none {
		*v = zero
	}
}

// once has one process look.
func (p *Pool) once(ctx context.Context, q *inspect.Request) (*inspect.Report, error) {
	j := &job{ctx: ctx, q: q, report: wire.Begin(q), done: make(chan error, 1)}
	if p.down.Load() >= int64(p.cfg.Size) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return j.report, fmt.Errorf("%w: %w", ErrDown, p.trouble)
	}
	if p.waiting.Add(1) > int64(p.cfg.Queue) {
		p.waiting.Add(-1)
		return j.report, ErrBusy
	}
	began := time.Now()
	wait := time.NewTimer(p.cfg.Wait)
	defer wait.Stop()
	var err error
	select {
	case p.jobs <- j:
	case <-wait.C:
		err = ErrLate
	case <-ctx.Done():
		err = fmt.Errorf("inspect/pool: %w", ctx.Err())
	case <-p.ctx.Done():
		err = ErrClosed
	}
	p.waiting.Add(-1)
	if err != nil {
		return j.report, err
	}
	p.cfg.Metrics.queued.Observe(time.Since(began).Seconds())
	err = <-j.done // bounded: the worker keeps the deadline
	return j.report, err
}

// Sandbox lists what holds the processes, as lines for the operator, and whether
// that keeps them from files and programs. It is empty before one has started.
func (p *Pool) Sandbox() (strict bool, lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hello == nil {
		return false, nil
	}
	return p.hello.Strict, p.hello.Sandbox
}

// Ready waits until a process has started, or can't be, or ctx ends.
func (p *Pool) Ready(ctx context.Context) error {
	for {
		p.mu.Lock()
		hello, trouble := p.hello, p.trouble
		p.mu.Unlock()
		switch {
		case hello != nil:
			return nil
		case trouble != nil:
			return fmt.Errorf("%w: %w", ErrDown, trouble)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("inspect/pool: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Pids lists the processes that are there now, for tests and for operators.
func (p *Pool) Pids() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]int, 0, len(p.pids))
	for pid := range p.pids {
		out = append(out, pid)
	}
	return out
}

func (p *Pool) note(pid int, there bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there {
		p.pids[pid] = true
	} else {
		delete(p.pids, pid)
	}
}

// Waits between attempts to start a process.
const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 30 * time.Second
)

// work keeps one process, and gives it requests.
func (p *Pool) work(number int) {
	group := p.group(number)
	defer group.remove()
	backoff, failed := time.Duration(0), false
	for p.ctx.Err() == nil {
		c, err := p.start(group)
		if err != nil && !failed {
			failed = true // somebody may have killed it: one more try at once
			continue
		}
		if err != nil {
			group.remove() // it may be the reason: the next try goes without
			group = nil
			backoff = min(max(2*backoff, backoffFirst), backoffMost)
			p.failed(err, backoff)
			continue
		}
		backoff, failed = 0, false
		p.serve(c)
		c.end()
		p.note(c.pid, false)
	}
}

// group makes the cgroup for a worker's processes; nil where that can't be done.
func (p *Pool) group(number int) *cgroup {
	g, err := newCgroup(p.cfg.CgroupRoot, selfCgroup(), fmt.Sprintf("sluice-inspect-%d-%d", os.Getpid(), number), p.cfg.Memory)
	if err != nil {
		p.cfg.Log.Debug("no cgroup for inspection processes", "why", err)
		return nil
	}
	return g
}

// failed notes that no process could be started, and waits before the next try.
func (p *Pool) failed(err error, wait time.Duration) {
	if p.ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	p.trouble = err
	p.mu.Unlock()
	p.cfg.Metrics.failed.Inc()
	p.cfg.Log.Error("inspection process does not start", "error", err, "again_in", wait)
	p.down.Add(1)
	defer p.down.Add(-1)
	select {
	case <-time.After(wait):
	case <-p.ctx.Done():
	}
}

// serve gives c requests until it must be replaced.
func (p *Pool) serve(c *process) {
	for range p.cfg.Reuse {
		select {
		case <-p.ctx.Done():
			return
		case <-c.dead:
			if p.ctx.Err() != nil { // we ended it
				return
			}
			p.cfg.Metrics.ended.WithLabelValues("idle").Inc()
			p.tally.died("while it was idle: " + c.how())
			p.cfg.Log.Warn("idle inspection process died", "how", c.how())
			return
		case j := <-p.jobs:
			again := c.do(p.ctx, j)
			failure := j.failure(p.ctx)
			if !again && j.report.Ended != inspect.Complete {
				p.cfg.Metrics.ended.WithLabelValues(j.report.Ended.String()).Inc()
				if failure == nil { // else we ended it ourselves
					p.tally.died(j.report.Ended.String() + ": " + j.report.Reason)
				}
			}
			j.done <- failure
			if !again {
				return
			}
		}
	}
}

// failure is the error of a job that nobody looked at to its end through no fault of
// the files.
func (j *job) failure(closing context.Context) error {
	switch {
	case j.trouble != nil:
		return j.trouble
	case j.report.Ended == inspect.Complete:
		return nil
	case closing.Err() != nil:
		return ErrClosed
	case j.ctx.Err() != nil:
		return fmt.Errorf("inspect/pool: %w", j.ctx.Err())
	}
	return nil
}

// self is the running program, even where another has taken its place on disk.
func self() string {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
