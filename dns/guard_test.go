package dns

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// world is a resolver that knows the root zone or doesn't.
type world struct {
	closed atomic.Bool
	slow   time.Duration
	asked  atomic.Int32
}

func (w *world) Lookup(ctx context.Context, name string, t Type) (Answer, error) {
	w.asked.Add(1)
	select {
	case <-time.After(w.slow):
	case <-ctx.Done():
		return Answer{}, &Error{Name: name, Type: t, Kind: ErrTimeout}
	}
	if w.closed.Load() {
		return Answer{}, &Error{Name: name, Type: t, Kind: ErrNXDomain}
	}
	return Answer{Records: []Record{{Name: name, Type: t}}}, nil
}

func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.closed.Store(true)
		g := NewGuard(w, time.Minute, time.Now)
		for range 3 {
			if _, err := g.Lookup(t.Context(), "example.org", A); !Temporary(err) || !errors.Is(err, errClosed) {
				t.Fatalf("in a closed network: %v", err)
			}
		}
		if n := w.asked.Load(); n != 1 {
			t.Errorf("%d questions reached a resolver that can't be believed, want the check's", n)
		}
		w.closed.Store(false)
		time.Sleep(2 * time.Minute)
		_, _ = g.Lookup(t.Context(), "example.org", A) // by the old state; starts the check
		synctest.Wait()
		if _, err := g.Lookup(t.Context(), "example.org", A); err != nil || g.Err() != nil {
			t.Errorf("when the way is open again: %v, %v", err, g.Err())
		}
	})
}

func TestGuardNeverWaitsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{slow: time.Hour}
		g := NewGuard(w, time.Minute, time.Now)
		start := time.Now()
		_, err := g.Lookup(t.Context(), "example.org", A)
		if !Temporary(err) || time.Since(start) > checkTime {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		if _, err = g.Lookup(t.Context(), "example.net", A); !Temporary(err) || time.Since(start) != 0 {
			t.Errorf("the second waited %v: %v", time.Since(start), err)
		}
	})
}
