package directorytest

import (
	"context"
	"sync"

	"sluice"
	"sluice/directory"
)

// Source is a [directory.Source] that answers as a function says, and counts.
type Source struct {
	Label  string
	Answer func(ctx context.Context, q *directory.Query) (sluice.Listing, error)
	Words  string // of Trouble

	mu    sync.Mutex
	asked map[string]int
}

var _ directory.Source = (*Source)(nil)

// Name implements [directory.Source].
func (s *Source) Name() string { return s.Label }

// Trouble implements [directory.Source].
func (s *Source) Trouble() string { return s.Words }

// Lookup implements [directory.Source].
func (s *Source) Lookup(ctx context.Context, q *directory.Query) (sluice.Listing, error) {
	s.mu.Lock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[q.Address]++
	s.mu.Unlock()
	return s.Answer(ctx, q)
}

// Asked says how often an address was asked for; "" for all.
func (s *Source) Asked(address string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if address != "" {
		return s.asked[address]
	}
	n := 0
	for _, k := range s.asked {
		n += k
	}
	return n
}
