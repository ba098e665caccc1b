package shelf_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/internal/shelf"
	"sluice/store/memory"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

type key uint64

type value struct{ N, Day uint16 }

func keep(mark string) (*shelf.Shelf[key, value], *shelf.Keeper) {
	s := shelf.New[key]("one", 1000, func(v *value, _ time.Time) float64 { return float64(v.N) })
	return s, &shelf.Keeper{Kind: "kind", Mark: mark, Every: time.Minute, Shelves: []shelf.Kept{s}}
}

func put(s *shelf.Shelf[key, value], k key, n uint16, save bool) {
	s.Update(k, noon, func(v *value) bool { v.N = n; return save })
}

func TestRoundTrip(t *testing.T) {
	m := memory.New()
	s, k := keep("a")
	want := map[key]value{}
	for i := range key(300) {
		at := (i + 1) * 0x01234567_89abcdef
		put(s, at, uint16(i)+1, true)
		want[at] = value{N: uint16(i) + 1}
	}
	put(s, 0, 9, true) // nobody's
	if _, err := k.Flush(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	put(s, 5, 1, false)
	if n, err := k.Flush(t.Context(), noon, m); n != 0 || err != nil {
		t.Errorf("nothing changed: %d written, %v", n, err)
	}
	s2, k2 := keep("a")
	if _, err := k2.Load(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	got := map[key]value{}
	for k := range want {
		if v, ok := s2.Get(k); ok {
			got[k] = v
		}
	}
	if d := cmp.Diff(want, maps.Clone(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if _, ok := s2.Get(0); ok {
		t.Error("0 is a key")
	}
	s2.Dirty()
	if n, err := k2.Flush(t.Context(), noon, m); n != 1024 || err != nil {
		t.Errorf("all dirty: %d written, %v", n, err)
	}
}

func TestOtherKey(t *testing.T) {
	m := memory.New()
	s, k := keep("a")
	put(s, 7<<40, 1, true)
	if _, err := k.Flush(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	s2, k2 := keep("b")
	if _, err := k2.Load(t.Context(), noon, m); !errors.Is(err, shelf.ErrKey) {
		t.Errorf("error %v", err)
	}
	put(s2, 8<<40, 1, true)
	if _, err := k2.Flush(t.Context(), noon, m); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Load(t.Context(), noon, m); !errors.Is(err, shelf.ErrKey) {
		t.Errorf("the store isn't the second key's: %v", err)
	}
}

func TestBroken(t *testing.T) {
	m := memory.New()
	for _, b := range [][2]string{{"one/1024", "\x01"}, {"one/x", "\x01"}, {"two/1", "\x01"}, {"one/1", ""}, {"one/1", "\x02"},
		{"one/2", "\x01abc"}, {"one/3", "\x01" + strings.Repeat("\xff", 12)}, {"one/0", "\x01" + strings.Repeat("\x00", 12)}} {
		if err := m.PutMemos(t.Context(), []sluice.Memo{{Kind: "kind", Key: b[0], Value: []byte(b[1]), Updated: noon}}); err != nil {
			t.Fatal(err)
		}
		s, k := keep("a")
		if n, err := k.Load(t.Context(), noon, m); err == nil || n != 0 || s.Stats().Len != 0 {
			t.Errorf("%q: %d loaded, %v", b, n, err)
		}
	}
}
