package correspondent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/store/memory"
)

func flush(t testing.TB, tab *Table, now time.Time, m sluice.Memos) int {
	t.Helper()
	n, err := tab.Flush(t.Context(), now, m)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSaveAndLoad(t *testing.T) {
	m := memory.New()
	tab := make1(t, Config{})
	for i := range 500 {
		write(tab, noon.Add(time.Duration(i)*time.Hour), Mailbox{"Bob Jones", fmt.Sprintf("bob%d@company%d.example", i, i)})
	}
	now := noon.Add(500 * time.Hour)
	if n := flush(t, tab, now, m); n == 0 {
		t.Fatal("nothing written")
	}
	if n := flush(t, tab, now, m); n != 0 {
		t.Errorf("%d buckets written again", n)
	}
	all := ""
	if err := m.EachMemo(t.Context(), MemoKind, func(m sluice.Memo) error {
		all += m.Key + " " + string(m.Value) + "\n"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, clear := range []string{"bob", "ann", "jones", "example"} {
		if strings.Contains(strings.ToLower(all), clear) {
			t.Errorf("%q stands in clear in the store", clear)
		}
	}
	again := make1(t, Config{})
	if _, err := again.Load(t.Context(), now, m); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		a := fmt.Sprintf("bob%d@company%d.example", i, i)
		if x, y := tab.Known(now, us, ann, a), again.Known(now, us, ann, a); x != y || x.Level != Person {
			t.Fatalf("%s: %+v before, %+v after", a, x, y)
		}
	}
	if x, y := tab.Stats(), again.Stats(); x.Pairs.Len != y.Pairs.Len || x.Names.Len != y.Names.Len || x.Sent.Len != y.Sent.Len {
		t.Errorf("%+v before, %+v after", x, y)
	}
	// One change, its buckets only.
	again.Received(now, Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"", "new@example.org"}})
	if n := flush(t, again, now, m); n == 0 || n > 3 {
		t.Errorf("%d buckets written for one message", n)
	}
}

func TestSaveEvery(t *testing.T) {
	m, tab := memory.New(), make1(t, Config{})
	write(tab, noon, Mailbox{"", "bob@example.org"})
	for _, c := range []struct {
		after time.Duration
		some  bool
	}{{0, true}, {time.Minute, false}, {6 * time.Minute, true}} {
		write(tab, noon.Add(c.after), Mailbox{"", "bob@example.org"})
		n, err := tab.Save(t.Context(), noon.Add(c.after), m)
		if err != nil || (n > 0) != c.some {
			t.Errorf("after %v: %d, %v", c.after, n, err)
		}
	}
}

func TestAnotherKey(t *testing.T) {
	m, tab := memory.New(), make1(t, Config{})
	write(tab, noon, Mailbox{"", "bob@example.org"})
	flush(t, tab, noon, m)
	other, err := New(Config{Key: []byte("another key, long enough")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(t.Context(), noon, m); !errors.Is(err, ErrKey) {
		t.Errorf("%v, want ErrKey", err)
	}
	write(other, noon, Mailbox{"", "cat@example.org"})
	flush(t, other, noon, m)
	third, err := New(Config{Key: []byte("another key, long enough")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := third.Load(t.Context(), noon, m); err != nil {
		t.Error(err)
	}
	if third.Known(noon, us, ann, "cat@example.org").Level != Person || third.Known(noon, us, ann, "bob@example.org").Level == Person {
		t.Error("the store is still that of the first key")
	}
}

type failing struct {
	sluice.Memos
	broken bool
}

func (f *failing) PutMemos(ctx context.Context, list []sluice.Memo) error {
	if f.broken {
		return errors.New("disk full")
	}
	return f.Memos.PutMemos(ctx, list)
}

func TestFailedSave(t *testing.T) {
	m, tab := &failing{Memos: memory.New()}, make1(t, Config{})
	flush(t, tab, noon, m)
	write(tab, noon, Mailbox{"", "bob@example.org"})
	m.broken = true
	if _, err := tab.Flush(t.Context(), noon, m); err == nil {
		t.Error("no error")
	}
	m.broken = false
	if n := flush(t, tab, noon, m); n == 0 {
		t.Error("what failed isn't written again")
	}
}

func TestBrokenStore(t *testing.T) {
	m, tab := memory.New(), make1(t, Config{})
	write(tab, noon, Mailbox{"", "bob@example.org"})
	flush(t, tab, noon, m)
	bad := map[string]string{"pair/2000": "\x01", "pair/x": "\x01", "pair/1": "\x02", "sent/2": "\x01abc", "what/1": "\x01",
		"name/3": "\x01" + strings.Repeat("\xff", 44)}
	for k, v := range bad {
		if err := m.PutMemos(t.Context(), []sluice.Memo{{Kind: MemoKind, Key: k, Value: []byte(v), Updated: noon}}); err != nil {
			t.Fatal(err)
		}
	}
	again := make1(t, Config{})
	_, err := again.Load(t.Context(), noon, m)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(len(bad))) {
		t.Errorf("error %v", err)
	}
	if again.Known(noon, us, ann, "bob@example.org").Level != Person {
		t.Error("the good buckets aren't loaded")
	}
}

// TestNotLoaded: a table that couldn't load doesn't wipe the store.
func TestNotLoaded(t *testing.T) {
	m, tab := memory.New(), make1(t, Config{})
	write(tab, noon, Mailbox{"", "bob@example.org"})
	flush(t, tab, noon, m)
	other := make1(t, Config{})
	flush(t, other, noon, m)
	again := make1(t, Config{})
	if _, err := again.Load(t.Context(), noon, m); err != nil || again.Known(noon, us, ann, "bob@example.org").Level != Person {
		t.Error("the store was wiped", err)
	}
}

// BenchmarkFlush writes a full table of the default size.
func BenchmarkFlush(b *testing.B) {
	m, tab := memory.New(), make1(b, Config{})
	for i := range 300_000 {
		tab.Received(noon, Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"", fmt.Sprintf("b%d@domain%d.example", i, i)}})
		tab.Received(noon.Add(day), Incoming{Tenant: us, To: []string{ann}, From: Mailbox{"", fmt.Sprintf("b%d@domain%d.example", i, i)}})
	}
	for b.Loop() {
		tab.pairs.Dirty()
		flush(b, tab, noon, m)
	}
	size := 0
	if err := m.EachMemo(b.Context(), MemoKind, func(m sluice.Memo) error { size += len(m.Value); return nil }); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size), "octets")
	b.ReportMetric(float64(tab.Stats().Pairs.Len), "pairs")
}
