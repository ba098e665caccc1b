package memory

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"sluice"
	"sluice/store"
)

// day is a policy domain's day.
type day struct {
	at     int64 // Unix seconds of its midnight
	domain string
}

type dayOf struct {
	sum     sluice.DMARCDay
	rows    map[[32]byte]*sluice.DMARCRow
	settled bool
}

// reports is the store's part behind [sluice.Reports].
type reports struct {
	days     map[day]*dayOf
	sent     map[day]sluice.SentReport
	received table[*sluice.ReceivedReport]
}

var _ sluice.Reports = (*Store)(nil)

func dayFor(t time.Time, domain string) day { return day{t.Unix(), domain} }

// CountDMARC implements [sluice.Reports].
func (s *Store) CountDMARC(_ context.Context, list []sluice.DMARCRow, most int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		r := store.CloneRow(list[i])
		k := dayFor(r.Day, r.Domain)
		d := s.reports.days[k]
		if d == nil {
			d = &dayOf{sum: sluice.DMARCDay{Day: r.Day, Domain: r.Domain}, rows: map[[32]byte]*sluice.DMARCRow{}}
			s.reports.days[k] = d
		}
		d.sum.Messages += r.Count
		d.sum.Passed += r.Passed
		if d.settled {
			continue
		}
		key := store.RowKey(&r)
		switch old := d.rows[key]; {
		case old != nil:
			old.Count += r.Count
			old.Passed += r.Passed
		case len(d.rows) < most:
			d.rows[key] = &r
		default:
			d.sum.Lost += r.Count
		}
	}
	return nil
}

// DueDMARC implements [sluice.Reports].
func (s *Store) DueDMARC(_ context.Context, t time.Time, limit int) ([]sluice.DMARCDay, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []sluice.DMARCDay
	for _, d := range s.reports.days {
		if !d.settled && d.sum.Day.Before(t) {
			out = append(out, d.sum)
		}
	}
	slices.SortFunc(out, func(a, b sluice.DMARCDay) int {
		return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Domain, b.Domain))
	})
	return out[:min(len(out), max(limit, 0))], nil
}

// DMARCRows implements [sluice.Reports].
func (s *Store) DMARCRows(_ context.Context, at time.Time, domain string, limit int) ([]sluice.DMARCRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d := s.reports.days[dayFor(at, domain)]
	if d == nil {
		return nil, nil
	}
	keys := slices.SortedFunc(maps.Keys(d.rows), func(a, b [32]byte) int {
		return cmp.Or(cmp.Compare(d.rows[b].Count, d.rows[a].Count), bytes.Compare(a[:], b[:]))
	})
	var out []sluice.DMARCRow
	for _, k := range keys[:min(len(keys), max(limit, 0))] {
		out = append(out, store.CloneRow(*d.rows[k]))
	}
	return out, nil
}

// PassedDMARC implements [sluice.Reports].
func (s *Store) PassedDMARC(_ context.Context, domain string, t time.Time) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := 0
	for k, d := range s.reports.days {
		if k.domain == domain && !d.sum.Day.Before(t) {
			n += d.sum.Passed
		}
	}
	return n, nil
}

// SettleDMARC implements [sluice.Reports].
func (s *Store) SettleDMARC(_ context.Context, r *sluice.SentReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := dayFor(r.Day, r.Domain)
	c := *r
	c.To = slices.Clone(r.To)
	s.reports.sent[k] = c
	if d := s.reports.days[k]; d != nil {
		d.settled, d.rows = true, nil
	}
	return nil
}

// SentReports implements [sluice.Reports].
func (s *Store) SentReports(_ context.Context, t time.Time, all bool, limit int) ([]*sluice.SentReport, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*sluice.SentReport
	for _, r := range s.reports.sent {
		if !r.Time.Before(t) && (all || len(r.To) > 0) {
			r.To = slices.Clone(r.To)
			out = append(out, &r)
		}
	}
	slices.SortFunc(out, func(a, b *sluice.SentReport) int {
		return cmp.Or(b.Time.Compare(a.Time), b.Day.Compare(a.Day), cmp.Compare(a.Domain, b.Domain))
	})
	return out[:min(len(out), max(limit, 0))], nil
}

// PutReport implements [sluice.Reports].
func (s *Store) PutReport(_ context.Context, r *sluice.ReceivedReport) error {
	if r.ID == "" {
		return errors.New("memory: a report without an id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := s.reports.received[r.ID].seq
	if seq == 0 {
		s.seq++
		seq = s.seq
	}
	s.reports.received[r.ID] = row[*sluice.ReceivedReport]{seq, r.Time, store.ReportHaystack(r), store.CloneReport(r)}
	return nil
}

// ReceivedReports implements [sluice.Reports].
func (s *Store) ReceivedReports(_ context.Context, q sluice.Query) ([]*sluice.ReceivedReport, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return page(s.reports.received, q, store.CloneReport, func(r *sluice.ReceivedReport) bool {
		return q.Tenant == "" || r.Tenant == q.Tenant
	})
}

// SweepReports implements [sluice.Reports].
func (s *Store) SweepReports(_ context.Context, t time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.reports
	size := func() int { return len(r.days) + len(r.sent) + len(r.received) }
	before := size()
	maps.DeleteFunc(r.days, func(_ day, d *dayOf) bool { return d.sum.Day.Before(t) })
	maps.DeleteFunc(r.sent, func(_ day, x sluice.SentReport) bool { return x.Time.Before(t) })
	maps.DeleteFunc(r.received, func(_ string, x row[*sluice.ReceivedReport]) bool { return x.time.Before(t) })
	return before - size(), nil
}
