// Package memory is a [sluice.Store] that lives in the process: for tests, for
// scans that need no database, and as the readable statement of what the other
// stores do. It keeps everything it is given.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/store"
)

// Store is a [sluice.Store] without a disk. The zero value isn't usable; see
// [New].
type Store struct {
	mu       sync.RWMutex
	seq      int64
	log      table[*sluice.Record]
	index    table[*sluice.Quarantined]
	feedback feedback
	tenants  map[string]sluice.Tenant
	accounts map[string]sluice.Account
	memos    map[string]map[string]sluice.Memo // by kind and key
	reports  reports
	reviews  reviews
	appeals  appeals
	cases    fileCases
	stats    sluice.LogStats
	closed   bool

	replacing sync.Mutex
	removed   map[string]struct{} // unindexed while a replacement runs; nil otherwise
}

var _ sluice.Store = (*Store)(nil)

// row is a value with its order of arrival.
type row[T any] struct {
	seq   int64
	time  time.Time
	hay   string
	value T
}

type table[T any] map[string]row[T]

// New returns an empty store.
func New() *Store {
	return &Store{
		log:      make(table[*sluice.Record]),
		index:    make(table[*sluice.Quarantined]),
		tenants:  make(map[string]sluice.Tenant),
		accounts: make(map[string]sluice.Account),
		memos:    make(map[string]map[string]sluice.Memo),
		reports: reports{days: make(map[day]*dayOf), sent: make(map[day]sluice.SentReport),
			received: make(table[*sluice.ReceivedReport])},
	}
}

// Append adds or replaces a record.
func (s *Store) Append(r *sluice.Record) {
	r = store.Clone(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		s.stats.Dropped++
	case r.ID == "":
		s.stats.Failed++
	default:
		s.stats.Written++
		seq := s.log[r.ID].seq // a replaced row keeps its place among equal times
		if seq == 0 {
			s.seq++
			seq = s.seq
		}
		s.log[r.ID] = row[*sluice.Record]{seq, r.Time, store.Haystack(r.ID, r.Envelope.From, r.Subject, r.Recipients()), r}
	}
}

// Flush has nothing to wait for.
func (s *Store) Flush(context.Context) error { return nil }

// Record returns one row of the log.
func (s *Store) Record(_ context.Context, id string) (*sluice.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.log[id]
	if !ok {
		return nil, notFound()
	}
	return store.Clone(r.value), nil
}

// Records returns a page of the log, newest first.
func (s *Store) Records(_ context.Context, q sluice.Query) ([]*sluice.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	relayed := store.RelayedNeedle(q)
	return page(s.log, q, store.Clone, func(r *sluice.Record) bool {
		return (relayed == "" || store.RelayedID(r) == relayed) && (q.Tenant == "" || r.Tenant == q.Tenant) &&
			(q.Action == nil || store.Actions(r)&(1<<*q.Action) != 0) &&
			(q.Threat == nil || r.Verdict.Threat == *q.Threat) && store.HasFile(r.Files, q)
	})
}

// page picks from t what q and match want.
func page[T any](t table[T], q sluice.Query, clone func(T) T, match func(T) bool) ([]T, error) {
	before, needle := row[T]{}, store.Needle(q)
	if q.Before != "" {
		var ok bool
		if before, ok = t[q.Before]; !ok {
			return nil, notFound()
		}
	}
	newestFirst := func(a, b row[T]) int {
		return cmp.Or(b.time.Compare(a.time), cmp.Compare(b.seq, a.seq))
	}
	var rows []row[T]
	for _, r := range t {
		if (q.Before == "" || newestFirst(r, before) > 0) &&
			(q.Since.IsZero() || !r.time.Before(q.Since)) &&
			(q.Until.IsZero() || r.time.Before(q.Until)) &&
			strings.Contains(r.hay, needle) && match(r.value) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, newestFirst)
	rows = rows[:min(len(rows), q.Page())]
	var out []T
	for _, r := range rows {
		out = append(out, clone(r.value))
	}
	return out, nil
}

// LogStats counts what was appended.
func (s *Store) LogStats() sluice.LogStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stats
}

// CountActions counts records since t by their strongest action.
func (s *Store) CountActions(_ context.Context, tenant string, t time.Time) (map[sluice.Action]int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[sluice.Action]int)
	for _, r := range s.log {
		if !r.time.Before(t) && (tenant == "" || r.value.Tenant == tenant) {
			out[r.value.Action()]++
		}
	}
	return out, nil
}

// Sweep deletes rows older than t.
func (s *Store) Sweep(_ context.Context, t time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.log)
	maps.DeleteFunc(s.log, func(_ string, r row[*sluice.Record]) bool { return r.time.Before(t) })
	return n - len(s.log), nil
}

// IndexQuarantined adds or replaces one row.
func (s *Store) IndexQuarantined(_ context.Context, q *sluice.Quarantined) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(s.index, q)
}

func (s *Store) put(t table[*sluice.Quarantined], q *sluice.Quarantined) error {
	if q.ID == "" {
		return fmt.Errorf("memory: quarantined message without an id")
	}
	s.seq++
	t[q.ID] = row[*sluice.Quarantined]{s.seq, q.Stored, store.Haystack(q.ID, q.Envelope.From, q.Subject, q.Envelope.Addresses()), store.CloneQuarantined(q)}
	return nil
}

// Unindex removes one row.
func (s *Store) Unindex(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed != nil {
		s.removed[id] = struct{}{}
	}
	if _, ok := s.index[id]; !ok {
		return notFound()
	}
	delete(s.index, id)
	return nil
}

// Quarantined returns a page of the index, newest first.
func (s *Store) Quarantined(_ context.Context, q sluice.Query) ([]*sluice.Quarantined, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return page(s.index, q, store.CloneQuarantined, func(r *sluice.Quarantined) bool {
		return (q.Tenant == "" || r.Tenant == q.Tenant) && (q.Pending || !r.Pending) &&
			(q.Threat == nil || r.Verdict.Threat == *q.Threat) && s.hasFile(r.ID, q)
	})
}

// hasFile says whether the record with this id has a file that q asks for.
func (s *Store) hasFile(id string, q sluice.Query) bool {
	var files []sluice.FileSeen
	if r, ok := s.log[id]; ok {
		files = r.value.Files
	}
	return store.HasFile(files, q)
}

// ReplaceIndex swaps the index for what each yields, all at once; rows indexed
// or unindexed while each runs stay so.
func (s *Store) ReplaceIndex(_ context.Context, each func(yield func(*sluice.Quarantined) error) error) error {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	s.mu.Lock()
	newest := s.seq
	s.removed = make(map[string]struct{})
	s.mu.Unlock()

	staged := make(table[*sluice.Quarantined])
	err := each(func(q *sluice.Quarantined) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.put(staged, q)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		for id := range s.removed {
			delete(staged, id)
		}
		for id, r := range s.index {
			if r.seq > newest {
				staged[id] = r
			}
		}
		s.index = staged
	}
	s.removed = nil
	return err
}

// PutTenant adds or replaces a tenant.
func (s *Store) PutTenant(_ context.Context, t *sluice.Tenant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants[t.ID] = cloneTenant(*t)
	return nil
}

// Tenant returns one tenant.
func (s *Store) Tenant(_ context.Context, id string) (*sluice.Tenant, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.tenants[id]
	if !ok {
		return nil, notFound()
	}
	t = cloneTenant(t)
	return &t, nil
}

// ListTenants returns all tenants by id.
func (s *Store) ListTenants(context.Context) ([]*sluice.Tenant, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*sluice.Tenant
	for _, id := range slices.Sorted(maps.Keys(s.tenants)) {
		t := cloneTenant(s.tenants[id])
		out = append(out, &t)
	}
	return out, nil
}

func cloneTenant(t sluice.Tenant) sluice.Tenant {
	t.Domains = slices.Clone(t.Domains)
	return t
}

// PutAccount adds or replaces a console account.
func (s *Store) PutAccount(_ context.Context, a *sluice.Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[a.Name] = *a
	return nil
}

// Account returns one account.
func (s *Store) Account(_ context.Context, name string) (*sluice.Account, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, ok := s.accounts[name]
	if !ok {
		return nil, notFound()
	}
	return &a, nil
}

// CountAccounts says how many accounts there are.
func (s *Store) CountAccounts(context.Context) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.accounts), nil
}

// PutMemos adds or replaces all of them, or none.
func (s *Store) PutMemos(_ context.Context, memos []sluice.Memo) error {
	if err := store.CheckMemos(memos); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range memos {
		if s.memos[m.Kind] == nil {
			s.memos[m.Kind] = make(map[string]sluice.Memo)
		}
		m.Value = append([]byte{}, m.Value...)
		s.memos[m.Kind][m.Key] = m
	}
	return nil
}

// EachMemo yields a kind's, until each returns an error. No lock is held
// meanwhile.
func (s *Store) EachMemo(_ context.Context, kind string, each func(sluice.Memo) error) error {
	s.mu.RLock()
	list := slices.Collect(maps.Values(s.memos[kind]))
	s.mu.RUnlock()
	for _, m := range list {
		m.Value = slices.Clone(m.Value)
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

// DropMemos deletes those of a kind last updated before t.
func (s *Store) DropMemos(_ context.Context, kind string, t time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.memos[kind])
	maps.DeleteFunc(s.memos[kind], func(_ string, m sluice.Memo) bool { return m.Updated.Before(t) })
	return n - len(s.memos[kind]), nil
}

// Close lets go of nothing; records appended later are dropped and counted.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func notFound() error { return fmt.Errorf("memory: %w", sluice.ErrNotFound) }
