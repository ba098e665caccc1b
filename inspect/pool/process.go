package pool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/inspect"
	"sluice/inspect/wire"
)

// process is one child.
type process struct {
	cfg   *Config
	cmd   *exec.Cmd
	pid   int
	to    *bufio.Writer
	from  *bufio.Reader
	in    *os.File         // its standard input
	out   *os.File         // its standard output
	dead  chan struct{}    // closed when it has ended, and what follows is known
	state *os.ProcessState // nil where even that failed
	words string           // what it said on its standard error
	group *cgroup          // nil: none
	why   atomic.Int32     // why we killed it
}

// Why we killed a process.
const (
	notKilled = iota
	killedDeadline
	killedMemory
	killedOther // nobody waits for the answer any more, or we are closing
)

// helloTime is how long a process may take to get ready.
const helloTime = 10 * time.Second

// start starts a process and waits for its hello.
func (p *Pool) start(group *cgroup) (*process, error) {
	began := time.Now()
	args := append([]string(nil), p.cfg.Command[1:]...)
	args = append(args, p.cfg.Args...)
	args = append(args, fmt.Sprintf("-memory=%d", p.cfg.Memory),
		// The last resort: the parent's deadline is much shorter.
		fmt.Sprintf("-cpu=%s", time.Duration(p.cfg.Reuse)*(p.cfg.Budget.Time+p.cfg.Deadline)))
	c := &process{cfg: &p.cfg, group: group, dead: make(chan struct{})}
	c.cmd = exec.Command(p.cfg.Command[0], args...)
	c.cmd.Dir = "/"
	c.cmd.ExtraFiles = p.cfg.Files
	// One processor: its time is the clock's. No secret of ours is in its environment.
	c.cmd.Env = append([]string{"GOMAXPROCS=1", "GODEBUG=containermaxprocs=0,updatemaxprocs=0", "GOTRACEBACK=single"}, p.cfg.Env...)
	if err := c.spawn(); err != nil {
		return nil, fmt.Errorf("inspect/pool: %w", err)
	}
	p.note(c.pid, true)
	hello, err := c.greet(p.ctx)
	if err == nil && p.cfg.Strict && !hello.Strict {
		err = fmt.Errorf("inspect/pool: the sandbox does not hold: %s", strings.Join(hello.Sandbox, "; "))
	}
	if err != nil {
		c.end()
		p.note(c.pid, false)
		if c.words != "" {
			err = fmt.Errorf("%w: %s", err, c.words)
		}
		return nil, err
	}
	p.mu.Lock()
	p.hello, p.trouble = &hello, nil
	p.mu.Unlock()
	p.cfg.Metrics.started.Observe(time.Since(began).Seconds())
	return c, nil
}

// spawn starts it with three pipes, and the files that it is to have.
func (c *process) spawn() error {
	var files []*os.File // read and write ends of the three
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files)
			return err
		}
		files = append(files, r, w)
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = files[0], files[3], files[5]
	c.cmd.SysProcAttr = attributes(c.group)
	if err := c.cmd.Start(); err != nil {
		closeAll(files)
		return err
	}
	closeAll([]*os.File{files[0], files[3], files[5]})
	c.pid = c.cmd.Process.Pid
	c.in, c.out = files[1], files[2]
	widen(c.in)
	c.to, c.from = bufio.NewWriterSize(c.in, 64<<10), bufio.NewReaderSize(c.out, 64<<10)
	said := make(chan string, 1)
	go listen(files[4], said)
	go func() {
		endGroup(c.pid)
		c.state, _ = c.cmd.Process.Wait()
		reapGroup(c.pid)
		// Where there is no seccomp, something it left behind may hold the pipe.
		_ = files[4].SetReadDeadline(time.Now().Add(time.Second))
		c.words = <-said
		close(c.dead)
	}()
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// listen reads what a process says on its standard error, and keeps the beginning:
// Go's account of a crash begins with the cause.
func listen(r *os.File, said chan<- string) {
	defer r.Close()
	first := make([]byte, 1024)
	n, err := io.ReadFull(r, first)
	if err == nil {
		_, _ = io.Copy(io.Discard, r)
	}
	said <- strings.Join(strings.Fields(strings.ToValidUTF8(string(first[:n]), "?")), " ")
}

func (c *process) greet(ctx context.Context) (wire.Hello, error) {
	timer := time.AfterFunc(helloTime, func() { c.kill(killedDeadline) })
	defer timer.Stop()
	defer context.AfterFunc(ctx, func() { c.kill(killedOther) })()
	return wire.ReadHello(c.from)
}

// kill ends the process at once, and keeps the first reason.
func (c *process) kill(why int32) {
	c.why.CompareAndSwap(notKilled, why)
	_ = c.cmd.Process.Kill()
}

// end kills the process where it lives, and lets go of everything.
func (c *process) end() {
	c.in.Close()
	c.kill(killedOther)
	<-c.dead
	c.out.Close()
}

// do has the process look into the files of j, fills j.report, and says whether the
// process may be used again.
func (c *process) do(closing context.Context, j *job) (again bool) {
	stop := c.watch(closing, j)
	defer func() { again = !stop() && again }()
	err := wire.WriteRequest(c.to, j.q)
	if err != nil && !broken(err) {
		j.trouble = err // a body could not be read: the process is innocent, and has half of it
		return false
	}
	if err == nil {
		err = wire.ReadReport(c.from, j.q, j.report)
	}
	r := j.report
	if err == nil {
		for _, f := range r.Facts {
			if f.Kind == inspect.DecoderPanic {
				return false // its state isn't known
			}
		}
		return true
	}
	// The end of a pipe comes with its death, or soon before; the watch sees to it. One
	// that speaks nonsense must die too.
	if !broken(err) {
		c.kill(killedOther)
	}
	<-c.dead
	r.Ended, r.Reason = c.verdict(), c.how()
	if !broken(err) {
		r.Reason = cut(err.Error()+"; "+r.Reason, inspect.MaxReason)
	}
	return false
}

// broken says whether err is the end of a pipe.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE)
}

// verdict says how a process that gave no whole answer came to its end.
func (c *process) verdict() inspect.Ended {
	switch c.why.Load() {
	case killedDeadline:
		return inspect.TimedOut
	case killedMemory:
		return inspect.OutOfMemory
	}
	st := c.state
	if st == nil {
		return inspect.Crashed
	}
	switch st.ExitCode() {
	case wire.ExitMemory:
		return inspect.OutOfMemory
	case wire.ExitTime:
		return inspect.TimedOut
	}
	ws, _ := st.Sys().(syscall.WaitStatus)
	switch {
	case c.group.killed():
		return inspect.OutOfMemory
	case ws.Signaled() && ws.Signal() == syscall.SIGXCPU:
		return inspect.TimedOut
	case ws.Signaled() && ws.Signal() == syscall.SIGKILL && c.why.Load() == notKilled:
		return inspect.Killed
	}
	return inspect.Crashed
}

// how describes the end of a process that has ended: its status and last words.
func (c *process) how() string {
	var b strings.Builder
	switch c.why.Load() {
	case killedDeadline:
		b.WriteString("killed at its deadline")
	case killedMemory:
		fmt.Fprintf(&b, "killed at more than %d MB of memory", c.cfg.Memory>>20)
	default:
		if st := c.state; st != nil {
			b.WriteString(st.String())
		}
	}
	if c.words != "" {
		b.WriteString(": ")
		b.WriteString(c.words)
	}
	return cut(b.String(), inspect.MaxReason)
}

func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "?") }

// look is how often memory is looked at.
const look = 25 * time.Millisecond

// watch kills the process at its deadline, when it holds too much memory, or when
// nobody waits any more. stop ends that, and says whether it did.
func (c *process) watch(closing context.Context, j *job) (stop func() (killed bool)) {
	done, ended := make(chan struct{}), make(chan struct{})
	kill := func(why int32) {
		select {
		case <-done: // the answer is here: whoever asked is free to end, the process isn't
		default:
			c.kill(why)
		}
	}
	go func() {
		defer close(ended)
		deadline := time.NewTimer(j.q.Budget.Time + c.cfg.Deadline)
		defer deadline.Stop()
		tick := time.NewTicker(look)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-deadline.C:
				kill(killedDeadline)
				return
			case <-j.ctx.Done():
				kill(killedOther)
				return
			case <-closing.Done():
				kill(killedOther)
				return
			case <-tick.C:
				if resident(c.pid) > c.cfg.Memory {
					kill(killedMemory)
					return
				}
			}
		}
	}()
	return func() bool {
		close(done)
		<-ended
		return c.why.Load() != notKilled
	}
}

// resident is the memory that a process holds, in bytes; 0 where that can't be told.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
