package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice"
)

var _ sluice.Reviews = (*Store)(nil)

// reviews are in order of arrival.
type reviews []*sluice.Review

func (l reviews) find(id string) *sluice.Review {
	if i := slices.IndexFunc(l, func(r *sluice.Review) bool { return r.ID == id }); i >= 0 {
		return l[i]
	}
	return nil
}

func cloneReview(r *sluice.Review) *sluice.Review {
	c := *r
	c.To = append([]string(nil), r.To...) // as the other stores, none is nil
	c.Why = append([]string(nil), r.Why...)
	c.Features = append([]byte(nil), r.Features...)
	c.Print = append([]byte(nil), r.Print...)
	return &c
}

// PutReview adds one. One with the same ID stays as it is.
func (s *Store) PutReview(_ context.Context, r *sluice.Review) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reviews.find(r.ID) != nil {
		return nil
	}
	c := cloneReview(r)
	c.State = cmp.Or(c.State, sluice.ReviewNew)
	s.reviews = append(s.reviews, c)
	return nil
}

// DropReview takes one out again, if nobody has looked at it.
func (s *Store) DropReview(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reviews = slices.DeleteFunc(s.reviews, func(r *sluice.Review) bool { return r.ID == id && r.State == sluice.ReviewNew })
	return nil
}

// Review returns one.
func (s *Store) Review(_ context.Context, id string) (*sluice.Review, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.reviews.find(id); r != nil {
		return cloneReview(r), nil
	}
	return nil, notFound()
}

// ListReviews returns a page, newest first, without Features and Print.
func (s *Store) ListReviews(_ context.Context, q sluice.ReviewQuery) ([]*sluice.Review, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := slices.Clone(s.reviews)
	slices.SortStableFunc(list, func(a, b *sluice.Review) int { return a.Time.Compare(b.Time) })
	if q.Before != "" {
		list = list[:max(slices.IndexFunc(list, func(r *sluice.Review) bool { return r.ID == q.Before }), 0)]
	}
	var out []*sluice.Review
	for _, r := range slices.Backward(list) {
		if len(out) == q.Page() {
			break
		}
		if (q.Tenant == "" || r.Tenant == q.Tenant) && (q.State == "" || r.State == q.State) {
			c := cloneReview(r)
			c.Features, c.Print = nil, nil
			out = append(out, c)
		}
	}
	return out, nil
}

// MarkReview sets state, who and when.
func (s *Store) MarkReview(_ context.Context, id string, state sluice.ReviewState, by string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.reviews.find(id)
	if r == nil {
		return notFound()
	}
	r.State, r.By, r.Decided = state, by, at
	return nil
}

// SweepReviews deletes reviews of messages older than t.
func (s *Store) SweepReviews(_ context.Context, t time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.reviews)
	s.reviews = slices.DeleteFunc(s.reviews, func(r *sluice.Review) bool { return r.Time.Before(t) })
	return n - len(s.reviews), nil
}
