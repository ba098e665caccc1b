package dns

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Guard is a Resolver that answers nothing while its servers can't be of the
// Internet: while they don't know the root zone's name servers. A closed network
// whose resolver denies every name, or no resolver at all, would else make every
// sender's domain "not existing", and every message wait for time-outs. Make one
// with [NewGuard].
type Guard struct {
	r       Resolver
	every   time.Duration
	now     func() time.Time
	mu      sync.Mutex
	checked time.Time
	running chan struct{} // closed when the check under way ends; nil for none
	err     error         // of the last check
}

// errClosed is the cause that a guarded resolver gives.
var errClosed = errors.New("the resolver doesn't know the root zone: no way to the Internet's DNS")

// checkTime bounds one check.
const checkTime = 2 * time.Second

// NewGuard guards r, and looks again whether it can be believed after every.
func NewGuard(r Resolver, every time.Duration, now func() time.Time) *Guard {
	return &Guard{r: r, every: every, now: now}
}

// Lookup implements [Resolver]. The first one waits for the first check; later
// ones go by the last check's result, which is renewed beside them.
func (g *Guard) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	if err := g.state(ctx); err != nil {
		return Answer{}, &Error{Name: name, Type: t, Kind: ErrServFail, Err: err}
	}
	return g.r.Lookup(ctx, name, t)
}

// Err says what is wrong with the resolver as of the last check, or nil.
func (g *Guard) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

func (g *Guard) state(ctx context.Context) error {
	g.mu.Lock()
	first := g.checked.IsZero()
	if g.running == nil && (first || g.now().Sub(g.checked) >= g.every) {
		done := make(chan struct{})
		g.running = done
		go g.check(done)
	}
	running, err := g.running, g.err
	g.mu.Unlock()
	if !first {
		return err
	}
	select {
	case <-running:
		return g.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Guard) check(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	a, err := g.r.Lookup(ctx, ".", NS)
	if err == nil && len(a.Records) == 0 {
		err = ErrNoData
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("%w (%v)", errClosed, err) // a denial of the root is no denial of anything else
	}
	g.checked, g.err, g.running = g.now(), err, nil
	close(done)
}
