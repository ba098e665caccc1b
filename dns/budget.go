package dns

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Budget bounds how much a message or a session may ask: a number of lookups,
// and the time spent waiting for them. It counts lookups, not network queries,
// so what a message may learn doesn't depend on what the cache remembers. Safe
// for concurrent use; lookups at one time each cost their own time.
type Budget struct {
	mu      sync.Mutex
	lookups int
	wait    time.Duration
	denied  int
}

// NewBudget is a budget of lookups and of waiting. Zero or less is none at all.
func NewBudget(lookups int, wait time.Duration) *Budget {
	return &Budget{lookups: max(lookups, 0), wait: max(wait, 0)}
}

// Left is what remains to be spent.
func (b *Budget) Left() (lookups int, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lookups, b.wait
}

// Denied is how many lookups were refused because the budget was spent.
func (b *Budget) Denied() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.denied
}

// take spends one lookup, and returns the time it may wait.
func (b *Budget) take() (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.lookups == 0:
		b.denied++
		return 0, errors.New("no lookups left")
	case b.wait == 0:
		b.denied++
		return 0, errors.New("no time left")
	}
	b.lookups--
	return b.wait, nil
}

func (b *Budget) spend(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait = max(b.wait-d, 0)
}

// Limited is a resolver that asks r while all budgets last, say a message's and
// its session's. Afterwards, and where a lookup takes longer than is left, the
// error's kind is [ErrBudget], which is temporary.
func Limited(r Resolver, budgets ...*Budget) Resolver { return limited{r, budgets} }

type limited struct {
	r       Resolver
	budgets []*Budget
}

func (l limited) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	var wait time.Duration
	for i, b := range l.budgets {
		w, err := b.take()
		if err != nil {
			return Answer{}, &Error{Name: name, Type: t, Kind: ErrBudget, Err: err}
		}
		if i == 0 || w < wait {
			wait = w
		}
	}
	if len(l.budgets) == 0 {
		return l.r.Lookup(ctx, name, t)
	}
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	begin := time.Now()
	a, err := l.r.Lookup(within, name, t)
	took := time.Since(begin)
	for _, b := range l.budgets {
		b.spend(took)
	}
	if Temporary(err) && within.Err() != nil && ctx.Err() == nil {
		err = &Error{Name: name, Type: t, Kind: ErrBudget, Err: err}
	}
	return a, err
}
