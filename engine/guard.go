package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// GuardConfig bounds what one scanner may cost. Zero fields have defaults.
type GuardConfig struct {
	Parallel int           // scans under way; 0: 8
	Queue    int           // scans that wait for their turn, beyond which none is made; 0: 64
	Timeout  time.Duration // of one scan, waiting included; 0: 20 s
	Failures int           // in a row, before the scanner itself is looked at; 0: 3
	// Backoff is how long a scanner that is ill isn't asked, doubling up to MaxBackoff;
	// 0: 2 s and 1 min.
	Backoff, MaxBackoff time.Duration
	// Every is the time between two looks at a scanner that seems well; 0: 1 min.
	Every time.Duration
	// Old is the age from which signatures are a warning; 0: 7 days, negative: never.
	Old time.Duration

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // of scanners that fall ill and recover; nil: none
}

func (c GuardConfig) withDefaults() GuardConfig {
	for _, n := range []struct {
		to        *int
		otherwise int
	}{{&c.Parallel, 8}, {&c.Queue, 64}, {&c.Failures, 3}} {
		if *n.to <= 0 {
			*n.to = n.otherwise
		}
	}
	for _, d := range []struct {
		to        *time.Duration
		otherwise time.Duration
	}{{&c.Timeout, 20 * time.Second}, {&c.Backoff, 2 * time.Second}, {&c.MaxBackoff, time.Minute}, {&c.Every, time.Minute}} {
		if *d.to <= 0 {
			*d.to = d.otherwise
		}
	}
	if c.Old == 0 {
		c.Old = 7 * 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// State is how a scanner does.
type State uint8

// The states.
const (
	Unasked State = iota // nothing is known yet; it is asked
	Up
	Down    // not asked until its next probe
	Probing // down, and one probe is under way
)

var stateNames = [...]string{"unasked", "up", "down", "probing"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText writes the lower-case name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Health is a scanner as people see it.
type Health struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Since    time.Time `json:"since"`
	Why      string    `json:"why,omitempty"` // the last trouble; "" while all is well
	Version  string    `json:"version,omitempty"`
	Database time.Time `json:"database,omitzero"`
	Warnings []string  `json:"warnings,omitempty"`
	Probed   time.Time `json:"probed,omitzero"` // last; zero: never
	Next     time.Time `json:"next,omitzero"`   // when a scanner that is down is asked again

	Active  int `json:"active"`
	Waiting int `json:"waiting"`

	Scans       uint64        `json:"scans"` // with a result
	Found       uint64        `json:"found"` // of them with a finding
	Unscannable uint64        `json:"unscannable"`
	Failed      uint64        `json:"failed"`  // the scanner's trouble
	Refused     uint64        `json:"refused"` // not asked: busy or down
	Busy        time.Duration `json:"busy"`    // time spent in scans
}

// Well says whether there is nothing for an admin to do.
func (h Health) Well() bool { return h.State == Up && len(h.Warnings) == 0 }

// Guarded is a scanner behind its guard. It is safe for concurrent use.
type Guarded struct {
	scanner Scanner
	prober  Prober // nil where the scanner has none
	cfg     GuardConfig
	slots   chan struct{}

	mu       sync.Mutex
	health   Health
	info     Info
	inARow   int
	backoff  time.Duration
	checking bool // a look at the scanner is under way
}

// Guard puts a guard around a scanner.
func Guard(s Scanner, c GuardConfig) *Guarded {
	c = c.withDefaults()
	g := &Guarded{scanner: s, cfg: c, slots: make(chan struct{}, c.Parallel)}
	g.prober, _ = s.(Prober)
	g.health = Health{Name: s.Name(), Since: c.Now()}
	return g
}

// Name is the scanner's.
func (g *Guarded) Name() string { return g.scanner.Name() }

// Timeout bounds one scan.
func (g *Guarded) Timeout() time.Duration { return g.cfg.Timeout }

// Version is what the scanner said of program and signatures, "" where nothing is
// known. Results under another version may be different.
func (g *Guarded) Version() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.info.Version
}

// Scan asks the scanner, in turn.
func (g *Guarded) Scan(ctx context.Context, body []byte) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	if err := g.admit(ctx); err != nil {
		return nil, err
	}
	if err := g.acquire(ctx); err != nil {
		return nil, err
	}
	start := g.cfg.Now()
	returned := false
	var found []Finding
	var err error
	// A scan that panics (the message is a mapped file on a sick disk) gives its place
	// back too.
	defer func() {
		if !returned {
			g.release(ctx, g.cfg.Now().Sub(start), nil, errPanicked)
		}
	}()
	found, err = g.scanner.Scan(ctx, body)
	returned = true
	g.release(ctx, g.cfg.Now().Sub(start), found, err)
	if err != nil {
		return nil, err
	}
	return found, nil
}

var errPanicked = errors.New("the scan broke off")

// admit lets nobody in while the scanner is down, but for the one who finds out
// whether it still is.
func (g *Guarded) admit(ctx context.Context) error {
	g.mu.Lock()
	down := g.health.State == Down || g.health.State == Probing
	if down && (g.health.State == Probing || g.cfg.Now().Before(g.health.Next)) {
		defer g.mu.Unlock()
		g.health.Refused++
		return fmt.Errorf("engine: %s: %w: %s", g.Name(), ErrDown, g.health.Why)
	}
	if down {
		g.enter(Probing, g.health.Why)
	}
	g.mu.Unlock()
	if !down {
		return nil
	}
	if g.prober == nil {
		return nil // the message itself is the probe
	}
	if err := g.look(ctx); err != nil {
		return fmt.Errorf("engine: %s: %w: %w", g.Name(), ErrDown, err)
	}
	return nil
}

func (g *Guarded) acquire(ctx context.Context) error {
	g.mu.Lock()
	if g.health.Waiting >= g.cfg.Queue {
		defer g.mu.Unlock()
		g.health.Refused++
		return g.unprobed(fmt.Errorf("engine: %s: %w", g.Name(), ErrBusy))
	}
	g.health.Waiting++
	g.mu.Unlock()
	var err error
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		err = fmt.Errorf("engine: %s: no free place: %w", g.Name(), ctx.Err())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.health.Waiting--
	if err != nil {
		g.health.Refused++
		return g.unprobed(err)
	}
	g.health.Active++
	return nil
}

// unprobed takes back the right to probe of a scan that won't be made. The lock is
// held.
func (g *Guarded) unprobed(err error) error {
	if g.health.State == Probing && g.prober == nil {
		g.enter(Down, g.health.Why)
	}
	return err
}

// release takes a scan's end into account.
func (g *Guarded) release(ctx context.Context, took time.Duration, found []Finding, err error) {
	<-g.slots
	g.mu.Lock()
	g.health.Active--
	g.health.Busy += took
	switch {
	case err == nil:
		g.health.Scans++
		if len(found) > 0 {
			g.health.Found++
		}
		g.well()
	case errors.Is(err, ErrUnscannable):
		g.health.Unscannable++
		g.well()
	case errors.Is(context.Cause(ctx), context.Canceled):
		g.unprobed(nil) // whoever asked has left: the scanner isn't to blame
	default:
		g.health.Failed++
		g.inARow++
		if suspect := g.failed(err); suspect {
			g.mu.Unlock()
			// Some messages make any scanner fail. Whether this one is ill, it says itself.
			// The time for that is its own: the scan's is used up, most likely.
			_ = g.look(context.WithoutCancel(ctx))
			return
		}
	}
	g.mu.Unlock()
}

// failed takes a failure into account and says whether to look at the scanner. The
// lock is held.
func (g *Guarded) failed(err error) (suspect bool) {
	why := Printable(err.Error(), 300)
	if g.health.State == Probing {
		g.down(why)
		return false
	}
	g.health.Why = why
	if g.inARow < g.cfg.Failures || g.health.State == Down {
		return false
	}
	if g.prober == nil {
		g.down(why)
		return false
	}
	return !g.checking
}

// probeTime bounds a probe.
const probeTime = 3 * time.Second

// look probes the scanner and enters the state that follows.
func (g *Guarded) look(ctx context.Context) error {
	g.mu.Lock()
	g.checking = true
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	info, err := g.prober.Probe(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.checking = false
	g.health.Probed = g.cfg.Now()
	if err != nil {
		if errors.Is(context.Cause(ctx), context.Canceled) {
			if g.health.State == Probing {
				g.enter(Down, g.health.Why)
			}
			return err
		}
		why := Printable(err.Error(), 300)
		if g.health.State == Up && g.health.Active > 0 && g.inARow == 0 {
			g.health.Why = why // it works, and may only be too busy to say so
			return err
		}
		g.down(why)
		return err
	}
	g.info = info
	g.health.Version = Printable(info.Version, 200)
	g.health.Database = info.Database
	g.well()
	return nil
}

// well and down are called with the lock held.
func (g *Guarded) well() {
	g.inARow, g.backoff = 0, 0
	g.health.Next = time.Time{}
	g.enter(Up, "")
}

func (g *Guarded) down(why string) {
	g.inARow = 0
	g.backoff = min(max(2*g.backoff, g.cfg.Backoff), g.cfg.MaxBackoff)
	g.health.Next = g.cfg.Now().Add(g.backoff)
	g.enter(Down, why)
}

func (g *Guarded) enter(s State, why string) {
	g.health.Why = why
	if g.health.State == s {
		return
	}
	before := g.health.State
	g.health.State = s
	if s == Probing || before == Probing && s == Down {
		return // it is as ill as it was
	}
	g.health.Since = g.cfg.Now()
	level := slog.LevelWarn
	if s == Up {
		level = slog.LevelInfo
	}
	g.cfg.Log.Log(context.Background(), level, "scanner", "name", g.health.Name, "state", s.String(), "why", why)
}

// Run looks at the scanner at once and then from time to time, until ctx ends, so that
// its state is known before a message needs it. A scanner that can't be probed is left
// to its messages.
func (g *Guarded) Run(ctx context.Context) {
	if g.prober == nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if g.takeLook() {
			_ = g.look(ctx) // its outcome is the state
		}
		timer.Reset(g.untilNext())
	}
}

// takeLook claims the next look for Run.
func (g *Guarded) takeLook() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.checking || g.health.State == Probing || g.health.State == Down && g.cfg.Now().Before(g.health.Next) {
		return false
	}
	if g.health.State == Down {
		g.enter(Probing, g.health.Why)
	}
	return true
}

func (g *Guarded) untilNext() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.health.State != Down {
		return g.cfg.Every
	}
	return min(max(g.health.Next.Sub(g.cfg.Now()), 10*time.Millisecond), g.cfg.Every)
}

// Health is the scanner's state now.
func (g *Guarded) Health() Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.health
	h.Warnings = nil
	for _, w := range g.info.Warnings {
		h.Warnings = append(h.Warnings, Printable(w, 300))
	}
	if age := g.cfg.Now().Sub(h.Database); !h.Database.IsZero() && g.cfg.Old > 0 && age > g.cfg.Old {
		h.Warnings = append(h.Warnings, fmt.Sprintf("its signatures are %d days old", int(age.Hours()/24)))
	}
	return h
}
