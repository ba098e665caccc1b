package reputation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/golden"
	"sluice/store/memory"
	"sluice/store/sqlite"
)

// stored reads what a store has.
func stored(t testing.TB, m sluice.Memos) map[string]string {
	t.Helper()
	out := map[string]string{}
	if err := m.EachMemo(t.Context(), MemoKind, func(m sluice.Memo) error { out[m.Key] = string(m.Value); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func save(t testing.TB, tab *Table, now time.Time, m sluice.Memos, want int) {
	t.Helper()
	if n, err := tab.Save(t.Context(), now, m); n != want || err != nil {
		t.Errorf("Save = %d, %v; want %d", n, err, want)
	}
}

// scores lists everything a table knows.
func scores(tab *Table, now time.Time) map[Key]Score {
	out := map[Key]Score{}
	for _, k := range Kinds {
		for _, s := range tab.Top(now, k, Most, 1000) {
			out[s.Key] = s
		}
	}
	return out
}

func observe(tab *Table, now time.Time) {
	for i := range 900 {
		o := Outcome{Good: 1}
		if i%100%3 == 0 {
			o = Outcome{Bad: 1.5}
		}
		tab.Observe(now.Add(time.Duration(i)*time.Hour), o, AddressKey(ip(i%100)), PrefixKey(ip(i%100)), ASNKey(uint32(i%7)+1),
			HeloKey(fmt.Sprintf("h%d.example.org", i%5), i%2 == 0), DomainKey("example.org"), DialectKey("d"), TLSKey("t"))
	}
}

// TestRestart: what was learned outlives the process, in a file too.
func TestRestart(t *testing.T) {
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, m := range map[string]sluice.Memos{"memory": memory.New(), "sqlite": db} {
		t.Run(name, func(t *testing.T) {
			before := New(Config{})
			observe(before, noon)
			now := noon.Add(38 * day)
			if _, err := before.Flush(t.Context(), now, m); err != nil {
				t.Fatal(err)
			}
			after := New(Config{})
			n, err := after.Load(t.Context(), now, m)
			want := scores(before, now)
			if err != nil || n < len(want) {
				t.Errorf("Load = %d, %v; want at least %d", n, err, len(want))
			}
			if d := cmp.Diff(want, scores(after, now), cmp.Comparer(func(a, b Key) bool { return a == b })); d != "" {
				t.Errorf("changed (-before +after):\n%.3000s", d)
			}
			for _, k := range Kinds {
				if a, b := before.BadRate(now, k), after.BadRate(now, k); a != b || a == 0.5 {
					t.Errorf("base rate of %v: %v before, %v after", k, a, b)
				}
			}
			if !after.Known(now, ip(1)) || after.Known(now, ip(0)) {
				t.Error("the known are others than before")
			}
		})
	}
}

// TestSaveWritesWhatChanged, at most once in a while.
func TestSaveWritesWhatChanged(t *testing.T) {
	tab, m := New(Config{}), memory.New()
	tab.Observe(noon, Outcome{Bad: 1}, AddressKey(ip(1)), ASNKey(1))
	save(t, tab, noon, m, 5) // two keys, two base rates, the time of the sweep
	save(t, tab, noon.Add(time.Hour), m, 0)
	tab.Observe(noon.Add(time.Hour), Outcome{Good: 1}, AddressKey(ip(2)))
	save(t, tab, noon.Add(time.Hour+29*time.Second), m, 0) // too early
	save(t, tab, noon.Add(time.Hour+30*time.Second), m, 2)
	tab.Observe(noon.Add(time.Hour), Outcome{Good: 1}, AddressKey(ip(2)))
	if n, err := tab.Flush(t.Context(), noon.Add(time.Hour+31*time.Second), m); n != 2 || err != nil {
		t.Errorf("Flush = %d, %v", n, err)
	}
	var b strings.Builder
	got := stored(t, m)
	for _, k := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&b, "%-20s %s\n", k, got[k])
	}
	golden.Check(t, "testdata/stored.golden", []byte(b.String()))
}

// failing refuses writes while it is broken.
type failing struct {
	sluice.Memos
	broken bool
}

func (f *failing) PutMemos(ctx context.Context, memos []sluice.Memo) error {
	if f.broken {
		return errors.New("the disk is full")
	}
	return f.Memos.PutMemos(ctx, memos)
}

// TestSaveFails: what a failed save would have written, the next one writes.
func TestSaveFails(t *testing.T) {
	tab, m := New(Config{}), &failing{Memos: memory.New(), broken: true}
	for i := range 1200 {
		tab.Observe(noon, Outcome{Good: 1}, AddressKey(ip(i)))
	}
	if n, err := tab.Save(t.Context(), noon, m); n != 0 || err == nil || !strings.Contains(err.Error(), "reputation: save: the disk is full") {
		t.Errorf("Save = %d, %v", n, err)
	}
	m.broken = false
	if n, err := tab.Save(t.Context(), noon.Add(time.Minute), m); n < 1201 || err != nil {
		t.Errorf("Save = %d, %v", n, err)
	}
	save(t, tab, noon.Add(2*time.Minute), m, 0)
}

// TestSweep: once a day the store is brought to what is in memory.
func TestSweep(t *testing.T) {
	tab, m := New(Config{}), memory.New()
	tab.Observe(noon, Outcome{Bad: 1}, AddressKey(ip(1)))
	for range 20 {
		tab.Observe(noon, Outcome{Good: 1}, AddressKey(ip(2)))
	}
	if _, err := tab.Flush(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	if err := m.PutMemos(t.Context(), []sluice.Memo{{Kind: MemoKind, Key: "address/203.0.113.1", Value: []byte("1 1 1 1 1"), Updated: noon}}); err != nil {
		t.Fatal(err)
	}
	later := noon.Add(60 * day)
	if _, err := tab.Save(t.Context(), later, m); err != nil {
		t.Fatal(err)
	}
	got := stored(t, m)
	if got["address/"+ip(2).String()] == "" || got["address/"+ip(1).String()] != "" || got["address/203.0.113.1"] != "" {
		t.Errorf("after the sweep: %v", got)
	}
	if n := tab.Stats()[Address].Len; n != 1 {
		t.Errorf("%d addresses in memory, want the one that hasn't faded", n)
	}
	// The time of the sweep outlives the process: a daily restart doesn't put it off.
	again := New(Config{})
	if _, err := again.Load(t.Context(), later, m); err != nil {
		t.Fatal(err)
	}
	if !again.keep.swept.Equal(later) {
		t.Errorf("the last sweep was at %v, want %v", again.keep.swept, later)
	}
}

// TestFloodDoesntFillTheStore: a day's flood makes no more rows than memory has
// room for, and the next sweep takes those of the forgotten ones away.
func TestFloodDoesntFillTheStore(t *testing.T) {
	tab, m := New(Config{Capacity: 1000}), memory.New()
	now := noon
	for i := range 50_000 {
		tab.Observe(now, Outcome{Bad: 1}, AddressKey(ip(i)))
		if i%500 == 0 {
			now = now.Add(time.Minute)
			if _, err := tab.Save(t.Context(), now, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(stored(t, m)); n > 1010 {
		t.Errorf("%d rows after the flood", n)
	}
	if _, err := tab.Save(t.Context(), now.Add(day), m); err != nil {
		t.Fatal(err)
	}
	if n, have := len(stored(t, m)), tab.Stats()[Address].Len; n > have+5 {
		t.Errorf("%d rows after the sweep, %d addresses in memory", n, have)
	}
}

func TestLoadDamaged(t *testing.T) {
	m := memory.New()
	put := func(key, value string) {
		if err := m.PutMemos(t.Context(), []sluice.Memo{{Kind: MemoKind, Key: key, Value: []byte(value), Updated: noon}}); err != nil {
			t.Fatal(err)
		}
	}
	at := fmt.Sprint(seconds(noon))
	put("address/192.0.2.1", "1 2 3 "+at+" "+at)
	bad := map[string]string{
		"address/192.0.2.2": "", "address/192.0.2.3": "1 NaN 1 " + at + " " + at, "address/192.0.2.4": "1 -1 1 " + at + " " + at,
		"address/192.0.2.5": "1 1e30 1 " + at + " " + at, "address/192.0.2.6": "2 1 1 " + at + " " + at, "address/192.0.2.7": "1 1 1 5 6",
		"address/x": "1 1 1 " + at + " " + at, "sweep": "x", "base/address": "\xff", "base/x": "1 1 1 " + at + " " + at,
	}
	for k, v := range bad {
		put(k, v)
	}
	tab := New(Config{})
	n, err := tab.Load(t.Context(), noon, m)
	if want := fmt.Sprintf("%d of %d stored values can't be read", len(bad), len(bad)+1); n != 1 || err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Load = %d, %v; want 1 and %q", n, err, want)
	}
	if s := tab.Score(noon, AddressKey(addr("192.0.2.1"))); s.Good != 2 || s.Bad != 3 {
		t.Errorf("%+v", s)
	}
	if got := scores(tab, noon); len(got) != 1 {
		t.Errorf("loaded %v", got)
	}
}

// TestMerge: values of nodes sum up the same in every order, whatever their times.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var values [][]byte
		var total float64
		latest := uint32(0)
		for range rapid.IntRange(1, 5).Draw(t, "nodes") {
			at := seconds(noon) + rapid.Uint32Range(0, 40*daySeconds).Draw(t, "at")
			c := counts{good: rapid.Float32Range(0, 100).Draw(t, "good"), bad: rapid.Float32Range(0, 100).Draw(t, "bad"), at: at, first: at - 10}
			values, latest = append(values, c.text()), max(latest, at)
		}
		for _, v := range values {
			c, err := parseCounts(v, mostBase)
			if err != nil {
				t.Fatal(err)
			}
			g, b := c.faded(latest, 14*day)
			total += g + b
		}
		a, err := Merge(14*day, values...)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(values)
		b, err := Merge(14*day, values...)
		if err != nil {
			t.Fatal(err)
		}
		x, errX := parseCounts(a, mostBase)
		y, errY := parseCounts(b, mostBase)
		close := func(a, b float64) bool { return math.Abs(a-b) <= 1e-4*(1+math.Abs(a)) }
		if errX != nil || errY != nil || x.at != y.at || x.first != y.first || !close(float64(x.good), float64(y.good)) || !close(float64(x.bad), float64(y.bad)) {
			t.Fatalf("%s one way, %s the other: %v %v", a, b, errX, errY)
		}
		if x.at != latest || !close(float64(x.good)+float64(x.bad), total) {
			t.Fatalf("%s, want a sum of %v", a, total)
		}
	})
	if _, err := Merge(14*day, []byte("nothing")); err == nil {
		t.Error("merged nothing")
	}
}

func BenchmarkSaveNothingNew(b *testing.B) {
	tab, m := full(b), memory.New()
	if _, err := tab.Flush(b.Context(), noon, m); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := tab.Flush(b.Context(), noon, m); err != nil {
			b.Fatal(err)
		}
	}
}
