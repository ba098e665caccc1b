package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Asked is one lookup that a [Trace] saw, as plain data for an explanation.
type Asked struct {
	Name      string        `json:"name"` // as asked; may be hostile
	Type      string        `json:"type"`
	Outcome   string        `json:"outcome"` // "2 records", or why there are none, such as "no such name"
	Error     string        `json:"error,omitempty"`
	Canonical string        `json:"canonical,omitempty"` // where CNAMEs led, if elsewhere
	RCode     int           `json:"rcode,omitempty"`
	TTL       time.Duration `json:"ttl,omitempty"`
	Took      time.Duration `json:"took"`
	Cached    bool          `json:"cached,omitempty"`
	Stale     bool          `json:"stale,omitempty"`
	Authentic bool          `json:"authentic,omitempty"`
	Truncated bool          `json:"truncated,omitempty"`
	Temporary bool          `json:"temporary,omitempty"` // nothing may be concluded
	Records   []Record      `json:"-"`
}

// Trace is a resolver that keeps a record of what was asked and answered, in the
// order of the answers. It is safe for concurrent use.
type Trace struct {
	r   Resolver
	max int

	mu    sync.Mutex
	asked []Asked
	lost  int
}

// NewTrace returns a resolver that asks r and remembers the first lookups, up to
// max of them; 0 stands for 1,000.
func NewTrace(r Resolver, max int) *Trace {
	return &Trace{r: r, max: positive(max, 1000)}
}

// Asked is what was asked so far, and how many lookups more there were than are
// remembered.
func (t *Trace) Asked() (asked []Asked, more int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.asked), t.lost
}

// Lookup implements [Resolver].
func (t *Trace) Lookup(ctx context.Context, name string, typ Type) (Answer, error) {
	begin := time.Now()
	a, err := t.r.Lookup(ctx, name, typ)
	took := time.Since(begin)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) == t.max {
		t.lost++
		return a, err
	}
	q := Asked{Name: name, Type: typ.String(), Outcome: outcome(a, err), RCode: a.RCode, TTL: a.TTL, Took: took,
		Cached: a.Cached, Stale: a.Stale, Authentic: a.Authentic, Truncated: a.Truncated, Temporary: Temporary(err), Records: a.Records}
	if n, bad := Normalize(name); bad == nil && n != a.Canonical {
		q.Canonical = a.Canonical
	}
	if err != nil {
		q.Error = err.Error()
	}
	t.asked = append(t.asked, q)
	return a, err
}

func outcome(a Answer, err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind.Error()
	}
	switch {
	case err != nil:
		return err.Error()
	case len(a.Records) == 1:
		return "1 record"
	}
	return fmt.Sprintf("%d records", len(a.Records))
}
