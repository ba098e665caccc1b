package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice"
)

var _ sluice.Appeals = (*Store)(nil)

// appeals are in order of arrival.
type appeals []*sluice.Appeal

func (l appeals) find(id string) *sluice.Appeal {
	if i := slices.IndexFunc(l, func(a *sluice.Appeal) bool { return a.ID == id }); i >= 0 {
		return l[i]
	}
	return nil
}

func cloneAppeal(a *sluice.Appeal) *sluice.Appeal {
	c := *a
	c.Reasons = append([]sluice.Reason(nil), a.Reasons...) // as the other stores, none is nil
	return &c
}

// PutAppeal adds one, if there is none with its ID, and says whether it did.
func (s *Store) PutAppeal(_ context.Context, a *sluice.Appeal) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.appeals.find(a.ID) != nil {
		return false, nil
	}
	c := cloneAppeal(a)
	c.State = cmp.Or(c.State, sluice.AppealNew)
	s.appeals = append(s.appeals, c)
	return true, nil
}

// Appeal returns one.
func (s *Store) Appeal(_ context.Context, id string) (*sluice.Appeal, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.appeals.find(id); a != nil {
		return cloneAppeal(a), nil
	}
	return nil, notFound()
}

// ListAppeals returns a page, newest first.
func (s *Store) ListAppeals(_ context.Context, q sluice.AppealQuery) ([]*sluice.Appeal, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := slices.Clone(s.appeals)
	slices.SortStableFunc(list, func(a, b *sluice.Appeal) int { return a.Time.Compare(b.Time) })
	if q.Before != "" {
		list = list[:max(slices.IndexFunc(list, func(a *sluice.Appeal) bool { return a.ID == q.Before }), 0)]
	}
	var out []*sluice.Appeal
	for _, a := range slices.Backward(list) {
		if len(out) == q.Page() {
			break
		}
		if q.State == "" || a.State == q.State {
			out = append(out, cloneAppeal(a))
		}
	}
	return out, nil
}

// MarkAppeal sets state, who and when.
func (s *Store) MarkAppeal(_ context.Context, id string, state sluice.AppealState, by string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.appeals.find(id)
	if a == nil {
		return notFound()
	}
	a.State, a.By, a.Decided = state, by, at
	return nil
}

// SweepAppeals deletes appeals made before t.
func (s *Store) SweepAppeals(_ context.Context, t time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.appeals)
	s.appeals = slices.DeleteFunc(s.appeals, func(a *sluice.Appeal) bool { return a.Time.Before(t) })
	return n - len(s.appeals), nil
}
