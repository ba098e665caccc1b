package roster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sluice/internal/table"
	"sluice/subscriber"
)

// CacheConfig sets up a [Cached]. Zero fields take the default.
type CacheConfig struct {
	For      time.Duration // how long an answer holds; default 10 min
	NoFor    time.Duration // how long it holds that nobody is known; default 1 min
	StaleFor time.Duration // how much longer an answer holds while the source is in trouble; default 24 h
	Timeout  time.Duration // of one question; default 3 s
	Running  int           // questions at the same time; more are errors at once; default 16
	Capacity int           // answers; default 50,000
	Clock    func() time.Time
}

// Cached remembers a directory's answers and keeps its trouble from becoming ours. It
// is safe for concurrent use.
type Cached struct {
	cfg     CacheConfig
	of      subscriber.Directory
	answers *table.Table[string, answer]
	running chan struct{}

	mu     sync.Mutex
	errors int       // in a row
	until  time.Time // then the source is asked again
}

type answer struct {
	subject subscriber.Subject
	known   bool
	at      time.Time
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// NewCached puts a cache before a directory.
func NewCached(of subscriber.Directory, cfg CacheConfig) *Cached {
	setDefault(&cfg.For, 10*time.Minute)
	setDefault(&cfg.NoFor, time.Minute)
	setDefault(&cfg.StaleFor, 24*time.Hour)
	setDefault(&cfg.Timeout, 3*time.Second)
	setDefault(&cfg.Running, 16)
	setDefault(&cfg.Capacity, 50_000)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	worth := func(a *answer, _ time.Time) float64 {
		if a.known {
			return 1
		}
		return 0
	}
	return &Cached{cfg: cfg, of: of, running: make(chan struct{}, cfg.Running),
		answers: table.New[string](table.Config[answer]{Capacity: cfg.Capacity, Worth: worth})}
}

// Errors of a cache.
var (
	errBusy = errors.New("roster: too many questions under way")
	errDown = errors.New("roster: the directory is left alone after errors")
)

// Find implements [subscriber.Directory]. The answer for an account doesn't depend on
// where it is used from; that for a line holds for the line.
func (c *Cached) Find(ctx context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	k := "account\x00" + fold(t.Account)
	if t.Account == "" {
		client := t.Client.Unmap()
		if !client.IsValid() {
			client = netip.IPv6Unspecified()
		}
		k = "line\x00" + client.String() + "\x00" + fold(t.Address)
	}
	return c.ask(ctx, t.Tenant+"\x00"+k, func(ctx context.Context) (subscriber.Subject, bool, error) { return c.of.Find(ctx, t) })
}

// Subject implements [subscriber.Directory].
func (c *Cached) Subject(ctx context.Context, key string) (subscriber.Subject, bool, error) {
	return c.ask(ctx, "key\x00"+key, func(ctx context.Context) (subscriber.Subject, bool, error) { return c.of.Subject(ctx, key) })
}

// The source is left alone for a while after so many errors in a row.
const (
	mostErrors = 3
	leaveFor   = 15 * time.Second
)

func (c *Cached) ask(ctx context.Context, k string, q func(context.Context) (subscriber.Subject, bool, error)) (subscriber.Subject, bool, error) {
	now := c.cfg.Clock()
	a, ok := c.answers.Get(k)
	hold := c.cfg.NoFor
	if a.known {
		hold = c.cfg.For
	}
	if age := now.Sub(a.at); ok && age >= 0 && age < hold {
		return a.subject, a.known, nil
	}
	s, known, err := c.fresh(ctx, now, q)
	if err != nil {
		if ok && a.known && now.Sub(a.at) < c.cfg.For+c.cfg.StaleFor {
			return a.subject, true, nil
		}
		return subscriber.Subject{}, false, err
	}
	c.answers.Update(k, now, func(a *answer) { *a = answer{subject: s, known: known, at: now} })
	return s, known, nil
}

func (c *Cached) fresh(ctx context.Context, now time.Time, q func(context.Context) (subscriber.Subject, bool, error)) (subscriber.Subject, bool, error) {
	c.mu.Lock()
	down := c.errors >= mostErrors && now.Before(c.until)
	c.mu.Unlock()
	if down {
		return subscriber.Subject{}, false, errDown
	}
	select {
	case c.running <- struct{}{}:
		defer func() { <-c.running }()
	default:
		return subscriber.Subject{}, false, errBusy
	}
	inner, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	s, known, err := q(inner)
	if err != nil && ctx.Err() != nil {
		return s, false, fmt.Errorf("roster: %w", err) // the caller left: no fault of the source
	}
	c.mu.Lock()
	if err == nil {
		c.errors = 0
	} else {
		c.errors, c.until = c.errors+1, now.Add(leaveFor)
	}
	c.mu.Unlock()
	if err != nil {
		return s, false, fmt.Errorf("roster: %w", err)
	}
	return s, known, nil
}
