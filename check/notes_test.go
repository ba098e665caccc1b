package check_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"sluice/check"
)

func TestNotes(t *testing.T) {
	type length int
	type twice int
	var n check.Notes
	if v, ok := check.Noted[length](&n); ok || v != 0 {
		t.Errorf("nothing was noted: %v, %v", v, ok)
	}
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			got := check.Note(&n, func() twice {
				return twice(2 * check.Note(&n, func() length { made.Add(1); return 21 }))
			})
			if got != 42 {
				t.Errorf("got %d", got)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
	if v, ok := check.Noted[length](&n); !ok || v != 21 {
		t.Errorf("noted %v, %v", v, ok)
	}
	if v := check.Note(nil, func() int { return 7 }); v != 7 {
		t.Errorf("without notes: %d", v)
	}
	if _, ok := check.Noted[int](nil); ok {
		t.Error("nobody keeps notes, but there is one")
	}
}
