package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/engine"
	"sluice/engine/enginetest"
)

var errIll = errors.New("ill")

// unprobed hides that a scanner can be probed.
type unprobed struct{ engine.Scanner }

func scan(g *engine.Guarded) error {
	_, err := g.Scan(context.Background(), []byte("a message"))
	return err
}

func state(t *testing.T, g *engine.Guarded, want engine.State) engine.Health {
	t.Helper()
	h := g.Health()
	if h.State != want {
		t.Errorf("state %v (%s), want %v", h.State, h.Why, want)
	}
	return h
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &enginetest.Scanner{}
		g := engine.Guard(s, engine.GuardConfig{Failures: 3, Backoff: 2 * time.Second, MaxBackoff: 8 * time.Second})
		state(t, g, engine.Unasked)
		if err := scan(g); err != nil {
			t.Fatal(err)
		}
		state(t, g, engine.Up)

		s.Fail(errIll, errIll)
		for range 3 {
			if err := scan(g); !errors.Is(err, errIll) {
				t.Errorf("%v", err)
			}
		}
		state(t, g, engine.Down)
		asked := s.Scans()
		for range 10 {
			if err := scan(g); !errors.Is(err, engine.ErrDown) {
				t.Errorf("%v", err)
			}
		}
		// Each probe that fails makes the next one wait longer, up to the bound.
		for _, wait := range []time.Duration{2, 4, 8, 8} {
			time.Sleep(wait*time.Second - time.Millisecond)
			before := g.Health().Probed
			_ = scan(g)
			if p := g.Health().Probed; p != before {
				t.Errorf("probed before %v", wait*time.Second)
			}
			time.Sleep(time.Millisecond)
			_ = scan(g)
			if p := g.Health().Probed; p != time.Now() {
				t.Errorf("not probed after %v", wait*time.Second)
			}
		}
		if n := s.Scans(); n != asked {
			t.Errorf("%d messages went to a scanner that is down", n-asked)
		}
		s.Fail(nil, nil)
		time.Sleep(8 * time.Second)
		if err := scan(g); err != nil {
			t.Errorf("recovered: %v", err)
		}
		if h := state(t, g, engine.Up); h.Why != "" || h.Refused == 0 || h.Failed != 3 {
			t.Errorf("%+v", h)
		}
	})
}

// TestMessagesDoNotOpenTheBreaker: who sends what a scanner can't digest must not be able
// to switch it off.
func TestMessagesDoNotOpenTheBreaker(t *testing.T) {
	s := &enginetest.Scanner{}
	g := engine.Guard(s, engine.GuardConfig{Failures: 3})
	for _, err := range []error{errIll, engine.ErrLost, engine.ErrUnscannable, context.DeadlineExceeded} {
		s.Fail(err, nil)
		for range 20 {
			if got := scan(g); !errors.Is(got, err) {
				t.Fatalf("%v, want %v", got, err)
			}
		}
		state(t, g, engine.Up)
	}
	if h := g.Health(); h.Unscannable != 20 || h.Failed != 60 {
		t.Errorf("%+v", h)
	}
}

func TestBreakerWithoutProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &enginetest.Scanner{}
		g := engine.Guard(unprobed{s}, engine.GuardConfig{Failures: 2, Backoff: time.Second})
		s.Fail(errIll, nil)
		for range 2 {
			_ = scan(g)
		}
		state(t, g, engine.Down)
		time.Sleep(time.Second)
		s.Fail(nil, nil)
		release := s.Hang()
		before := s.Scans()
		var running sync.WaitGroup
		for range 5 { // one is let through, the others don't wait for it
			running.Go(func() { _ = scan(g) })
		}
		synctest.Wait()
		state(t, g, engine.Probing)
		if n := s.Scans() - before; n != 1 {
			t.Errorf("%d were let through", n)
		}
		release()
		running.Wait()
		state(t, g, engine.Up)

		// A probe whose caller leaves is no answer: the next one tries again.
		s.Fail(errIll, nil)
		for range 2 {
			_ = scan(g)
		}
		time.Sleep(time.Second)
		s.Fail(nil, nil)
		release = s.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		running.Go(func() { _, _ = g.Scan(ctx, nil) })
		synctest.Wait()
		cancel()
		running.Wait()
		release()
		if err := scan(g); err != nil {
			t.Errorf("%v", err)
		}
		state(t, g, engine.Up)
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &enginetest.Scanner{}
		release := s.Hang()
		g := engine.Guard(s, engine.GuardConfig{Parallel: 2, Queue: 3, Timeout: 10 * time.Second})
		var mu sync.Mutex
		count := map[error]int{}
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() {
				err := scan(g)
				mu.Lock()
				defer mu.Unlock()
				for _, kind := range []error{engine.ErrBusy, context.DeadlineExceeded, nil} {
					if errors.Is(err, kind) {
						count[kind]++
						return
					}
				}
			})
		}
		synctest.Wait()
		if h := g.Health(); h.Active != 2 || h.Waiting != 3 || s.Scans() != 2 || h.Refused != 5 {
			t.Errorf("%+v, %d scans", h, s.Scans())
		}
		time.Sleep(11 * time.Second)
		running.Wait()
		if count[engine.ErrBusy] != 5 || count[context.DeadlineExceeded] != 5 {
			t.Errorf("%v", count)
		}
		release()
		if err := scan(g); err != nil {
			t.Error(err)
		}
		if h := g.Health(); h.Active != 0 || h.Waiting != 0 {
			t.Errorf("%+v", h)
		}
	})
}

type panics struct{ engine.Scanner }

func (panics) Scan(context.Context, []byte) ([]engine.Finding, error) { panic("a fault") }

// TestPanic: a scan that panics gives its place back.
func TestPanic(t *testing.T) {
	g := engine.Guard(panics{&enginetest.Scanner{}}, engine.GuardConfig{Parallel: 1, Failures: 100, Timeout: time.Second})
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_ = scan(g)
		}()
	}
	if h := g.Health(); h.Active != 0 || h.Failed != 3 {
		t.Errorf("%+v", h)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &enginetest.Scanner{}
		s.Say(engine.Info{Version: "One 1\x1b[31m", Database: time.Now().Add(-10 * 24 * time.Hour), Warnings: []string{"look\r\nhere"}})
		g := engine.Guard(s, engine.GuardConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { g.Run(ctx); close(done) }()
		synctest.Wait()
		h := state(t, g, engine.Up)
		if h.Version != "One 1 [31m" || h.Well() || strings.Join(h.Warnings, "|") != "look  here|its signatures are 10 days old" {
			t.Errorf("%+v", h)
		}
		s.Say(engine.Info{Version: "Two", Database: time.Now()})
		s.Fail(nil, errIll)
		time.Sleep(time.Minute)
		synctest.Wait()
		state(t, g, engine.Down)
		s.Fail(nil, nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if h := state(t, g, engine.Up); !h.Well() || g.Version() != "Two" {
			t.Errorf("%+v", h)
		}
		cancel()
		<-done
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"": "", " a\x00b\r\n": "a b", "ü€": "", "a\xffb": "a b", "aü": "a", "abcdef": "abcd"} {
		if got := engine.Printable(in, 4); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func BenchmarkGuard(b *testing.B) {
	g := engine.Guard(&enginetest.Scanner{}, engine.GuardConfig{})
	body := []byte("a message")
	for b.Loop() {
		_, _ = g.Scan(context.Background(), body)
	}
}
