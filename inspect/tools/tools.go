// Package tools is the gateway's side of yara and tesseract: it finds the installed
// programs, compiles the admin's YARA rules, and keeps processes of the profile tools
// for them, apart from those that decode, so that a slow reader of pictures keeps no
// archive waiting. It is an [inspect.Inspector] of inputs of the types
// [inspect.ForRules] and [inspect.ForOCR].
package tools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/inspect"
	"sluice/inspect/pool"
)

// Config says what is run. Zero fields take their defaults.
type Config struct {
	// Rules are files of YARA rules, or patterns of such (path/filepath.Match); none: no
	// YARA. A pattern without a file is an error, as it would be a rule that nobody asks.
	Rules []string
	// OCR reads text in pictures, in the Languages; eng.
	OCR       bool
	Languages []string

	Processes int           // 1
	Queue     int           // requests that may wait; 16
	Wait      time.Duration // in the queue; 5 s
	Time      time.Duration // for one message; 10 s
	Memory    int64         // bytes of address space of each program; 512 MB
	Strict    bool          // refuse to work without a sandbox that keeps files away

	// Command leads to the process; the default is this program with "inspect tools".
	Command []string
	Env     []string
	Log     *slog.Logger  // nil: none
	Metrics *pool.Metrics // nil: none
}

// Off says whether nothing is asked for.
func (c *Config) Off() bool { return len(c.Rules) == 0 && !c.OCR }

// Tools is an [inspect.Inspector]. Its methods are safe for concurrent use.
type Tools struct {
	cfg      Config
	programs Programs

	mu    sync.RWMutex // held for reading while a request is under way
	pool  *pool.Pool
	rules *Rules // nil: none

	state   sync.Mutex
	trouble error // of the last attempt to read the rules
}

var _ inspect.Inspector = (*Tools)(nil)

// memory of the process that runs the programs: it holds one request.
const memory = 256 << 20

// New finds the programs, compiles the rules and starts the processes.
func New(ctx context.Context, c Config) (*Tools, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Processes <= 0 {
		c.Processes = 1
	}
	if c.Queue <= 0 {
		c.Queue = 16
	}
	if c.Wait <= 0 {
		c.Wait = 5 * time.Second
	}
	if c.Time <= 0 {
		c.Time = 10 * time.Second
	}
	if c.Memory <= 0 {
		c.Memory = 512 << 20
	}
	if len(c.Languages) == 0 {
		c.Languages = []string{"eng"}
	}
	t := &Tools{cfg: c}
	var err error
	if t.programs, err = Find(ctx, &c); err != nil {
		return nil, err
	}
	if len(c.Rules) > 0 {
		if t.rules, err = t.programs.Compile(ctx, c.Rules); err != nil {
			return nil, err
		}
	}
	t.pool = t.start(t.rules)
	return t, nil
}

// start makes a pool that has rules.
func (t *Tools) start(rules *Rules) *pool.Pool {
	c := pool.Config{Command: t.cfg.Command, Env: t.cfg.Env, Size: t.cfg.Processes, Queue: t.cfg.Queue, Wait: t.cfg.Wait, Memory: memory,
		Budget: inspect.Budget{Time: t.cfg.Time}, Strict: t.cfg.Strict, Log: t.cfg.Log.With("pool", "tools"), Metrics: t.cfg.Metrics,
		Args: []string{"-program-memory=" + strconv.FormatInt(t.cfg.Memory, 10)}}
	if len(c.Command) == 0 {
		c.Args = append([]string{"tools"}, c.Args...)
	}
	if rules != nil {
		c.Args = append(c.Args, "-yara="+t.programs.YARA)
		c.Files = []*os.File{rules.file}
	}
	if t.cfg.OCR {
		c.Args = append(c.Args, "-tesseract="+t.programs.Tesseract, "-tessdata="+t.programs.Data, "-languages="+strings.Join(t.cfg.Languages, "+"))
	}
	return pool.New(c)
}

// errClosed is what a request gets behind the end.
var errClosed = errors.New("inspect/tools: closed")

// Inspect has the programs look at the inputs of r.
func (t *Tools) Inspect(ctx context.Context, r *inspect.Request) (*inspect.Report, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.pool == nil {
		return &inspect.Report{At: -1}, errClosed
	}
	return t.pool.Inspect(ctx, r)
}

// YARA and OCR say what can be asked for.
func (t *Tools) YARA() bool { return len(t.cfg.Rules) > 0 }

// OCR says whether pictures are read.
func (t *Tools) OCR() bool { return t.cfg.OCR }

// Time is how long one message's files may take.
func (t *Tools) Time() time.Duration { return t.cfg.Time }

// Reload compiles the rules again, and gives them to new processes. Where that fails
// those before stay in use.
func (t *Tools) Reload(ctx context.Context) error {
	if !t.YARA() {
		return nil
	}
	rules, err := t.programs.Compile(ctx, t.cfg.Rules)
	t.state.Lock()
	t.trouble = err
	t.state.Unlock()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pool == nil {
		rules.Close()
		return errClosed
	}
	t.pool.Close()
	t.rules.Close()
	t.rules, t.pool = rules, t.start(rules)
	t.cfg.Log.Info("YARA rules read", "files", len(rules.Files))
	return nil
}

// every is how often files of rules are looked at.
const every = 30 * time.Second

// Run reads the rules again when their files change, until ctx ends.
func (t *Tools) Run(ctx context.Context) {
	if !t.YARA() {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.look(ctx)
		}
	}
}

// look reads the rules again where their files are others than those that were read, or
// that could not be read.
func (t *Tools) look(ctx context.Context) {
	t.mu.RLock()
	known := t.rules
	t.mu.RUnlock()
	if known == nil {
		return
	}
	now := fingerprint(t.cfg.Rules)
	t.state.Lock()
	same := now == known.print || t.trouble != nil && now == printOf(t.trouble)
	t.state.Unlock()
	if same {
		return
	}
	if err := t.Reload(ctx); err != nil && ctx.Err() == nil {
		t.cfg.Log.Error("YARA rules can't be read; those before stay in use", "error", err)
	}
}

// Health is what goes on, for people.
type Health struct {
	pool.Health
	Programs []string // "YARA 4.2.3", "tesseract 5.3.0 (eng)"
	Rules    int      // files of rules in use
	Trouble  string   // why the rules on disk aren't those in use; "" where they are
}

// Health is the state now.
func (t *Tools) Health() Health {
	var h Health
	t.mu.RLock()
	if t.pool != nil {
		h.Health = t.pool.Health()
	}
	if t.rules != nil {
		h.Rules = len(t.rules.Files)
	}
	t.mu.RUnlock()
	h.Programs = t.programs.Lines(&t.cfg)
	t.state.Lock()
	defer t.state.Unlock()
	if t.trouble != nil {
		h.Trouble = t.trouble.Error()
	}
	return h
}

// Ready waits until the processes have started, or can't be, or ctx ends.
func (t *Tools) Ready(ctx context.Context) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.pool == nil {
		return errClosed
	}
	return t.pool.Ready(ctx)
}

// Pids lists the processes that run programs, for tests and operators.
func (t *Tools) Pids() []int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.pool == nil {
		return nil
	}
	return t.pool.Pids()
}

// Close ends the processes.
func (t *Tools) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pool != nil {
		t.pool.Close()
		t.rules.Close()
		t.pool = nil
	}
}

// Lines names the programs in use with their versions.
func (p *Programs) Lines(c *Config) (out []string) {
	if len(c.Rules) > 0 {
		out = append(out, "YARA "+p.YARAVersion)
	}
	if c.OCR {
		out = append(out, fmt.Sprintf("%s (%s)", p.TesseractVersion, strings.Join(c.Languages, ", ")))
	}
	return out
}
