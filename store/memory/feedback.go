package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice"
)

// feedback is the log of labels, in order.
type feedback struct {
	last    int64 // Seq of the newest that ever was
	entries []*sluice.Feedback
}

// after is the place of the first entry behind seq.
func (l *feedback) after(seq int64) int {
	i, found := slices.BinarySearchFunc(l.entries, seq, func(f *sluice.Feedback, seq int64) int { return cmp.Compare(f.Seq, seq) })
	if found {
		i++
	}
	return i
}

// AddFeedback appends an entry and sets its Seq.
func (s *Store) AddFeedback(ctx context.Context, f *sluice.Feedback) error {
	return s.AddFeedbacks(ctx, []*sluice.Feedback{f})
}

// AddFeedbacks appends entries in one step and sets their Seq.
func (s *Store) AddFeedbacks(_ context.Context, list []*sluice.Feedback) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range list {
		s.feedback.last++
		f.Seq = s.feedback.last
		s.feedback.entries = append(s.feedback.entries, cloneFeedback(f))
	}
	return nil
}

// FeedbackSince returns up to limit entries after seq, in order.
func (s *Store) FeedbackSince(_ context.Context, seq int64, limit int) ([]*sluice.Feedback, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rest := s.feedback.entries[s.feedback.after(seq):]
	var out []*sluice.Feedback
	for _, f := range rest[:min(max(limit, 0), len(rest))] {
		out = append(out, cloneFeedback(f))
	}
	return out, nil
}

// FeedbackEntry returns one.
func (s *Store) FeedbackEntry(_ context.Context, seq int64) (*sluice.Feedback, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if i := s.feedback.after(seq) - 1; i >= 0 && s.feedback.entries[i].Seq == seq {
		return cloneFeedback(s.feedback.entries[i]), nil
	}
	return nil, notFound()
}

// ListFeedback returns a page, newest first, without Features and Print.
func (s *Store) ListFeedback(_ context.Context, q sluice.FeedbackQuery) ([]*sluice.Feedback, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*sluice.Feedback
	for _, f := range slices.Backward(s.feedback.entries) {
		if len(out) == q.Page() {
			break
		}
		if (q.Tenant == "" || f.Tenant == q.Tenant) && (q.By == "" || f.By == q.By) && (q.ID == "" || f.ID == q.ID) &&
			(q.State == "" || f.State == q.State) && (q.Kind == "" || f.Kind == q.Kind) && (q.Before <= 0 || f.Seq < q.Before) {
			short := *f
			short.Features, short.Print = nil, nil
			short.To = slices.Clone(f.To)
			out = append(out, &short)
		}
	}
	return out, nil
}

// SweepFeedback deletes entries older than t up to and with seq.
func (s *Store) SweepFeedback(_ context.Context, t time.Time, seq int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.feedback.entries)
	s.feedback.entries = slices.DeleteFunc(s.feedback.entries, func(f *sluice.Feedback) bool { return f.Seq <= seq && f.Time.Before(t) })
	return n - len(s.feedback.entries), nil
}

func cloneFeedback(f *sluice.Feedback) *sluice.Feedback {
	c := *f
	c.To = append([]string(nil), f.To...) // as the other stores, none is nil
	c.Features = append([]byte(nil), f.Features...)
	c.Print = append([]byte(nil), f.Print...)
	return &c
}
