package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

func memo(kind, key, value string, at time.Time) sluice.Memo {
	return sluice.Memo{Kind: kind, Key: key, Value: []byte(value), Updated: at}
}

func put(t *testing.T, s sluice.Store, list ...sluice.Memo) {
	t.Helper()
	if err := s.PutMemos(ctx(t), list); err != nil {
		t.Fatalf("PutMemos: %v", err)
	}
}

// kept reads a kind's memos by key.
func kept(t *testing.T, s sluice.Store, kind string) map[string]sluice.Memo {
	t.Helper()
	out := map[string]sluice.Memo{}
	err := s.EachMemo(ctx(t), kind, func(m sluice.Memo) error {
		if _, twice := out[m.Key]; twice {
			t.Errorf("%q was yielded twice", m.Key)
		}
		out[m.Key] = m
		return nil
	})
	if err != nil {
		t.Fatalf("EachMemo: %v", err)
	}
	return out
}

func keysOf(t *testing.T, s sluice.Store, kind string) string {
	t.Helper()
	return strings.Join(slices.Sorted(maps.Keys(kept(t, s, kind))), " ")
}

func memos(t *testing.T, s sluice.Store) {
	want := map[string]sluice.Memo{}
	for i, h := range Hostile {
		if h != "" {
			want[h] = memo("k", h, h, noon.Add(time.Duration(i)))
		}
	}
	want["none"] = memo("k", "none", "", time.Time{})
	want["largest"] = memo("k", "largest", strings.Repeat("\x00\xff", sluice.MaxMemo/2), noon)
	put(t, s, slices.Collect(maps.Values(want))...)
	put(t, s, memo("other", "plain", "elsewhere", noon))
	if d := cmp.Diff(want, kept(t, s, "k"), cmp.Comparer(bytes.Equal)); d != "" {
		t.Errorf("memos changed (-want +got):\n%.2000s", d)
	}
	if got := keysOf(t, s, "other"); got != "plain" {
		t.Errorf("the other kind has %q", got)
	}
	if got := keysOf(t, s, "nobody's"); got != "" {
		t.Errorf("a kind that nobody wrote has %q", got)
	}
	// A later one replaces, also within one call.
	put(t, s, memo("k", "plain", "2", noon.Add(-time.Hour)), memo("k", "plain", "3", noon.Add(time.Hour)))
	put(t, s)
	if got := kept(t, s, "k")["plain"]; string(got.Value) != "3" || !got.Updated.Equal(noon.Add(time.Hour)) {
		t.Errorf("after replacing: %+v", got)
	}
	// Neither the writer's nor the reader's bytes are the store's.
	value := []byte("mine")
	put(t, s, sluice.Memo{Kind: "k", Key: "copy", Value: value, Updated: noon})
	value[0] = 'X'
	kept(t, s, "k")["copy"].Value[1] = 'Y'
	if got := kept(t, s, "k")["copy"]; !bytes.Equal(got.Value, []byte("mine")) {
		t.Errorf("the value is shared: %q", got.Value)
	}
}

func memosAllOrNone(t *testing.T, s sluice.Store) {
	good := memo("k", "good", "1", noon)
	for _, bad := range []sluice.Memo{
		memo("k", "", "1", noon),
		memo("", "x", "1", noon),
		memo("k", "large", strings.Repeat("x", sluice.MaxMemo+1), noon),
	} {
		if err := s.PutMemos(ctx(t), []sluice.Memo{good, bad}); err == nil {
			t.Errorf("kind %q, key %q, %d octets: taken", bad.Kind, bad.Key, len(bad.Value))
		}
	}
	if got := keysOf(t, s, "k"); got != "" {
		t.Errorf("after failures: %q", got)
	}
}

func memosStop(t *testing.T, s sluice.Store) {
	var list []sluice.Memo
	for i := range 2500 {
		list = append(list, memo("k", fmt.Sprintf("%04d", i), "v", noon))
	}
	put(t, s, list...)
	if got := len(kept(t, s, "k")); got != len(list) {
		t.Errorf("%d of %d yielded", got, len(list))
	}
	stop, n := errors.New("enough"), 0
	err := s.EachMemo(ctx(t), "k", func(m sluice.Memo) error {
		if n++; n == 1100 {
			return stop
		}
		// The callback may use the store.
		return s.PutMemos(ctx(t), []sluice.Memo{memo("k", m.Key, "w", noon)})
	})
	if !errors.Is(err, stop) || n != 1100 {
		t.Errorf("EachMemo = %v after %d", err, n)
	}
}

func memosDrop(t *testing.T, s sluice.Store) {
	var list []sluice.Memo
	for i := range 2500 {
		list = append(list, memo("k", fmt.Sprint(i), "v", noon.Add(time.Duration(i)*time.Second)))
	}
	put(t, s, append(list, memo("other", "old", "v", noon.Add(-time.Hour)))...)
	if n, err := s.DropMemos(ctx(t), "k", noon.Add(2498*time.Second)); n != 2498 || err != nil {
		t.Errorf("DropMemos = %d, %v; want 2498", n, err)
	}
	if got := keysOf(t, s, "k"); got != "2498 2499" {
		t.Errorf("left: %q", got)
	}
	if got := keysOf(t, s, "other"); got != "old" {
		t.Errorf("the other kind has %q", got)
	}
	if n, err := s.DropMemos(ctx(t), "k", noon); n != 0 || err != nil {
		t.Errorf("DropMemos = %d, %v; want nothing left to do", n, err)
	}
}

func memosConcurrently(t *testing.T, s sluice.Store) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				if err := s.PutMemos(ctx(t), []sluice.Memo{memo("k", fmt.Sprintf("%d-%d", w, i), "v", noon), memo("k", "shared", fmt.Sprint(w), noon)}); err != nil {
					t.Error(err)
				}
				if err := s.EachMemo(ctx(t), "k", func(sluice.Memo) error { return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(kept(t, s, "k")); got != 101 {
		t.Errorf("%d memos, want 101", got)
	}
}
