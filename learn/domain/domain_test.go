package domain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice"
	"sluice/learn/domain"
)

// memos is a store of one kind.
type memos struct {
	list map[string]sluice.Memo
	err  error
}

func (m *memos) PutMemos(_ context.Context, list []sluice.Memo) error {
	if m.err != nil {
		return m.err
	}
	for _, x := range list {
		m.list[x.Key] = x
	}
	return nil
}

func (m *memos) EachMemo(_ context.Context, _ string, each func(sluice.Memo) error) error {
	for _, x := range m.list {
		if err := each(x); err != nil {
			return err
		}
	}
	return m.err
}

func (m *memos) DropMemos(context.Context, string, time.Time) (int, error) { return 0, nil }

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(days int) time.Time { return start.AddDate(0, 0, days) }

func TestNew(t *testing.T) {
	m := domain.New(domain.Config{})
	if s := m.Known(start, "a.example"); s.New || !s.First.IsZero() {
		t.Errorf("an empty memory knows %+v", s)
	}
	m.Meet(start, []string{"a.example"})
	if s := m.Known(at(20), "b.example"); s.New {
		t.Error("a young memory calls a domain new")
	}
	if s := m.Known(at(21), "b.example"); !s.New {
		t.Error("an old memory doesn't")
	}
	m.Meet(at(21), []string{"b.example", "a.example"})
	m.Meet(at(21), []string{"b.example"})
	if s := m.Known(at(21), "b.example"); !s.New || s.Days != 1 {
		t.Errorf("on its first day: %+v", s)
	}
	if s := m.Known(at(22), "b.example"); s.New {
		t.Errorf("a day later: %+v", s)
	}
	if s := m.Known(at(22), "a.example"); s.New || s.Days != 2 || !s.First.Equal(start.Truncate(24*time.Hour)) {
		t.Errorf("%+v", s)
	}
	if s := m.Stats(); s.Links != 2 || s.Writers != 0 || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestWrote(t *testing.T) {
	m := domain.New(domain.Config{})
	if !m.Wrote(start, "Shop.Example") || m.Wrote(start, "shop.example") || m.Wrote(at(1), "shop.example") || m.Wrote(start, "") {
		t.Error("what is fresh")
	}
	m.Written(func(org string, days int) bool {
		if org != "shop.example" || days != 2 {
			t.Errorf("%s %d", org, days)
		}
		return false
	})
}

// A flood of domains of one day leaves those that were met for weeks.
func TestFlood(t *testing.T) {
	m := domain.New(domain.Config{Links: 1000})
	for d := range 5 {
		m.Meet(at(d), []string{"a.example", "b.example"})
	}
	for i := range 20_000 {
		m.Meet(at(6), []string{fmt.Sprintf("x%d.example", i)})
	}
	if s := m.Known(at(6), "a.example"); s.Days != 5 {
		t.Errorf("%+v", s)
	}
}

func TestSaveLoad(t *testing.T) {
	ctx, store := t.Context(), &memos{list: map[string]sluice.Memo{}}
	m := domain.New(domain.Config{})
	for d := range 3 {
		m.Meet(at(d), []string{"a.example", "b.example"})
		m.Wrote(at(d), "c.example")
	}
	if n, err := m.Save(ctx, at(3), store); n < 3 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := m.Save(ctx, at(3), store); n != 0 || err != nil {
		t.Errorf("again: %d %v", n, err)
	}
	if n, err := m.Flush(ctx, at(3), store); n != 0 || err != nil {
		t.Errorf("nothing changed: %d %v", n, err)
	}
	again := domain.New(domain.Config{})
	if _, err := again.Load(ctx, at(3), store); err != nil {
		t.Fatal(err)
	}
	if a, b := m.Stats(), again.Stats(); a != b || again.Known(at(3), "b.example") != m.Known(at(3), "b.example") {
		t.Errorf("%+v, loaded %+v", a, b)
	}
	var orgs []string
	again.Written(func(org string, days int) bool { orgs = append(orgs, fmt.Sprint(org, days)); return true })
	if !slices.Equal(orgs, []string{"c.example3"}) {
		t.Error(orgs)
	}
	// What is broken is left out and said.
	store.list["link/7"] = sluice.Memo{Key: "link/7", Value: []byte{9}}
	store.list["x"] = sluice.Memo{Key: "x", Value: []byte{1, 2}}
	store.list["writer/7"] = sluice.Memo{Key: "writer/7", Value: []byte{1, 200, 'a'}}
	if n, err := domain.New(domain.Config{}).Load(ctx, at(3), store); err == nil || n < 3 {
		t.Errorf("%d %v", n, err)
	}
	// A store that fails gets it all the next time.
	m.Meet(at(4), []string{"d.example"})
	broken := errors.New("the disk is full")
	store.err = broken
	if _, err := m.Flush(ctx, at(4), store); !errors.Is(err, broken) {
		t.Error(err)
	}
	store.err = nil
	if n, err := m.Flush(ctx, at(4), store); n != 2 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("link/1", []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 0, 3})
	f.Add("writer/1", []byte{1, 1, 'a', 0, 1, 0, 2, 0, 3})
	f.Add("since", []byte("12"))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		m := domain.New(domain.Config{})
		_, _ = m.Load(t.Context(), at(0), &memos{list: map[string]sluice.Memo{key: {Key: key, Value: value}}})
		m.Known(at(0), "a.example")
	})
}

func BenchmarkKnown(b *testing.B) {
	m := domain.New(domain.Config{})
	for i := range 400_000 {
		m.Meet(start, []string{fmt.Sprintf("x%d.example", i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Known(start, "x77.example")
	}
}
