package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"sluice"
)

// State is how a source does.
type State uint8

// The states.
const (
	Untried  State = iota // nobody has asked it yet
	Working               // its last answer was one
	Doubtful              // it answers, but something is wrong: see Trouble
	Failing               // its last answers were errors; it is still asked
	Down                  // not asked until Retry
)

var stateNames = [...]string{"not asked yet", "works", "works, with a but", "fails", "is down"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Health is how one source does, for doctor and console.
type Health struct {
	Source  string
	Domains []string // that use it, sorted
	State   State
	Since   time.Time // of the state; zero for Untried
	Retry   time.Time // Down: when it is asked again
	// Trouble is the last error or the source's own words, "" where all is well. It
	// may hold a back end's hostile text, with controls escaped.
	Trouble string

	Asked, Present, Absent, CantTell, Failed uint64 // since the start
}

// String is one line for the operator, with times in UTC.
func (h Health) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", h.Source, h.State)
	if h.State == Down || h.State == Failing {
		fmt.Fprintf(&b, " since %s", h.Since.UTC().Format(time.DateTime))
	}
	if h.State == Down {
		fmt.Fprintf(&b, ", is asked again at %s", h.Retry.UTC().Format(time.TimeOnly))
	}
	if h.Trouble != "" {
		fmt.Fprintf(&b, ": %s", h.Trouble)
	}
	if h.Asked > 0 {
		fmt.Fprintf(&b, " (asked %d: %d present, %d absent, %d can't tell", h.Asked, h.Present, h.Absent, h.CantTell)
		if h.Failed > 0 {
			fmt.Fprintf(&b, ", %d failed", h.Failed)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// A source is down after so many errors in a row, at first for minPause, and then
// for twice as long each time that it fails again.
const (
	failuresToDown = 3
	minPause       = 5 * time.Second
	maxPause       = time.Minute
)

// guard stands before a source: it bounds each lookup in time, and leaves a
// source alone that fails again and again.
type guard struct {
	source  Source
	name    string
	instant bool // it costs nothing to ask it again
	domains []string
	log     *slog.Logger

	mu     sync.Mutex
	state  State // Untried, Working, Failing or Down
	since  time.Time
	retry  time.Time
	pause  time.Duration
	fails  int
	trial  bool // one lookup is finding out whether it is back
	err    error
	asked  uint64
	failed uint64
	by     [3]uint64 // answers by presence
}

func newGuard(s Source, log *slog.Logger) *guard {
	_, instant := s.(Instant)
	return &guard{source: s, name: s.Name(), instant: instant, log: log}
}

// ask asks the source, unless it is down.
func (u *use) ask(ctx context.Context, q *Query) (sluice.Listing, error) {
	g := u.guard
	if err := g.enter(time.Now()); err != nil {
		return sluice.Listing{}, err
	}
	if !g.instant {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, u.timeout)
		defer cancel()
	}
	l, err := g.lookup(ctx, q)
	if err != nil {
		err = fmt.Errorf("directory: %s: %w", g.name, err)
	}
	g.leave(time.Now(), l, err)
	return l, err
}

// lookup keeps a panic of a source, or of a library below it, from ending the
// process: nothing else would catch it here.
func (g *guard) lookup(ctx context.Context, q *Query) (l sluice.Listing, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("a directory's source panicked", "source", g.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			l, err = sluice.Listing{}, fmt.Errorf("panic: %v", p)
		}
	}()
	return g.source.Lookup(ctx, q)
}

// enter says whether the source may be asked.
func (g *guard) enter(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == Down {
		if now.Before(g.retry) || g.trial {
			return fmt.Errorf("directory: %s is down and not asked until %s: %w", g.name, g.retry.UTC().Format(time.TimeOnly), g.err)
		}
		g.trial = true
	}
	g.asked++
	return nil
}

// leave counts what came.
func (g *guard) leave(now time.Time, l sluice.Listing, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	trial := g.trial
	g.trial = false
	if err == nil {
		g.by[l.Presence]++
		if g.state == Down {
			g.log.Info("a directory's source is back", "source", g.name, "away", now.Sub(g.since).Round(time.Second))
		}
		g.set(Working, now)
		g.fails, g.pause, g.err = 0, 0, nil
		return
	}
	g.failed++
	if errors.Is(err, ErrBusy) {
		return
	}
	g.fails++
	g.err = errors.Unwrap(err)
	switch {
	case g.state == Down && !trial:
		return // it was asked before the others failed
	case g.fails < failuresToDown, g.instant:
		g.set(Failing, now)
		return
	case g.state != Down:
		g.log.Warn("a directory's source is down", "source", g.name, "error", err)
	}
	g.set(Down, now)
	g.pause = min(max(2*g.pause, minPause), maxPause)
	g.retry = now.Add(g.pause)
}

func (g *guard) set(s State, now time.Time) {
	if g.state != s {
		g.state, g.since = s, now
	}
}

// neverKnown is after how many a no without a yes a source is doubted: an empty
// table and a filter with a slip look like that.
const neverKnown = 20

func (g *guard) health() Health {
	words := g.source.Trouble() // takes locks of its own
	g.mu.Lock()
	defer g.mu.Unlock()
	h := Health{Source: g.name, Domains: g.domains, State: g.state, Since: g.since, Trouble: words, Asked: g.asked,
		Present: g.by[sluice.Present], Absent: g.by[sluice.Absent], CantTell: g.by[sluice.CantTell], Failed: g.failed}
	switch {
	case g.err != nil:
		h.Trouble = clean(g.err.Error())
	case words != "" && g.state <= Working:
		h.State = Doubtful
	case g.state == Working && h.Present == 0 && h.Absent >= neverKnown:
		h.State = Doubtful
		h.Trouble = "it has never known an address; see whether its query or list fits"
	}
	if g.state == Down {
		h.Retry = g.retry
	}
	return h
}

// maxTrouble bounds an error that is shown.
const maxTrouble = 500

// clean escapes what a terminal would obey.
func clean(s string) string {
	if len(s) > maxTrouble {
		s = s[:maxTrouble] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
