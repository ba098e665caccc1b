package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/store"
)

var _ sluice.Cases = (*Store)(nil)

// fileCases are cases by their ID.
type fileCases map[string]*sluice.Case

// PutCase adds a case of Version 0, or replaces one whose Version is the same.
func (s *Store) PutCase(_ context.Context, c *sluice.Case) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ID == "" || c.Subject == "" {
		return errors.New("memory: a case without an id or a subject")
	}
	have := 0
	if old := s.cases[c.ID]; old != nil {
		have = old.Version
	}
	if c.Version != have {
		return fmt.Errorf("memory: case %q: %w", c.ID, sluice.ErrConflict)
	}
	if c.State.Live() {
		for _, o := range s.cases {
			if o.ID != c.ID && o.Subject == c.Subject && o.Tenant == c.Tenant && o.State.Live() {
				return fmt.Errorf("memory: case %q: subject %q has %q: %w", c.ID, c.Subject, o.ID, sluice.ErrConflict)
			}
		}
	}
	c.Version++
	if s.cases == nil {
		s.cases = fileCases{}
	}
	s.cases[c.ID] = copyCase(c)
	return nil
}

// copyCase is a copy with times as stores keep them, and empty lists as none.
func copyCase(c *sluice.Case) *sluice.Case {
	d := c.Clone()
	store.NormalCase(d)
	return d
}

// Case returns one.
func (s *Store) Case(_ context.Context, id string) (*sluice.Case, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.cases[id]; c != nil {
		return c.Clone(), nil
	}
	return nil, notFound()
}

// newest sorts cases as lists have them.
func newest(a, b *sluice.Case) int {
	return cmp.Or(b.Opened.Compare(a.Opened), cmp.Compare(b.ID, a.ID))
}

// ListCases returns a page.
func (s *Store) ListCases(_ context.Context, q sluice.CaseQuery) ([]*sluice.Case, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var before *sluice.Case
	if q.Before != "" {
		if before = s.cases[q.Before]; before == nil {
			return nil, nil
		}
	}
	text := store.Fold(q.Text)
	var out []*sluice.Case
	for _, c := range s.cases {
		if (q.Tenant == "" || c.Tenant == q.Tenant) && (q.Subject == "" || c.Subject == q.Subject) && (q.State == "" || c.State == q.State) &&
			(!q.Live || c.State.Live()) && !c.Opened.Before(q.Since) && (q.Until.IsZero() || c.Opened.Before(q.Until)) &&
			(text == "" || strings.Contains(store.Fold(c.ID+"\n"+c.Subject), text)) && (before == nil || newest(before, c) < 0) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, newest)
	out = out[:min(len(out), q.Page())]
	for i := range out {
		out[i] = out[i].Clone()
	}
	return out, nil
}

// SweepCases deletes cases that ended before t.
func (s *Store) SweepCases(_ context.Context, t time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.cases)
	for id, c := range s.cases {
		if !c.State.Live() && c.Closed.Before(t) {
			delete(s.cases, id)
		}
	}
	return n - len(s.cases), nil
}
