package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/deliver/outbox"
	"sluice/internal/durable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg outbox.Config) *outbox.Outbox {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = "o"
	}
	o, err := outbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestConformance(t *testing.T) {
	type deliver = func(context.Context, *sluice.Delivery) []sluice.Outcome
	t.Run("os", func(t *testing.T) {
		delivertest.TestOutbox(t, func(t *testing.T, d deliver) (sluice.Outbox, func(context.Context) error) {
			o := open(t, outbox.Config{Dir: path.Join(t.TempDir(), "outbox"), Deliver: d})
			return o, o.Run
		})
	})
	t.Run("mem", func(t *testing.T) {
		delivertest.TestOutbox(t, func(t *testing.T, d deliver) (sluice.Outbox, func(context.Context) error) {
			o := open(t, outbox.Config{FS: durable.NewMem(), Deliver: d})
			return o, o.Run
		})
	})
}

// hop is a next hop that answers by recipient: the codes of its list in turn,
// the last one for ever; 250 where there is none.
type hop struct {
	mu    sync.Mutex
	codes map[string][]int
	tries map[string][]time.Time
	taken map[string]int
}

func newHop(codes map[string][]int) *hop {
	return &hop{codes: codes, tries: map[string][]time.Time{}, taken: map[string]int{}}
}

func (h *hop) deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []sluice.Outcome
	for _, rc := range d.Envelope.Rcpts {
		code := 250
		if c := h.codes[rc.Address]; len(c) > 0 {
			code = c[0]
			if len(c) > 1 {
				h.codes[rc.Address] = c[1:]
			}
		}
		o := sluice.Outcome{Recipient: rc.Address, Reply: sluice.Reply{Code: code, Text: "said"}}
		if code != 250 {
			o.Err = fmt.Errorf("said %d", code)
		} else {
			h.taken[rc.Address]++
		}
		h.tries[rc.Address] = append(h.tries[rc.Address], time.Now())
		out = append(out, o)
	}
	return out
}

// start runs o until the function that it returns is called.
func start(t *testing.T, o *outbox.Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := o.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

func names(t *testing.T, fsys durable.FS, dir string) (out []string) {
	t.Helper()
	list, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		out = append(out, e.Name)
	}
	return out
}

func TestBackoffAndExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := durable.NewMem()
		h := newHop(map[string][]int{"a@rcpt.example": {451}})
		var alarms []outbox.Alarm
		o := open(t, outbox.Config{FS: m, Deliver: h.deliver, Expire: 4 * time.Hour, Alarm: func(a outbox.Alarm) { alarms = append(alarms, a) }})
		stop := start(t, o)
		defer stop()
		begin := time.Now()
		if err := o.Put(t.Context(), delivertest.Delivery("x\r\n", "a@rcpt.example")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		var at []int
		for _, when := range h.tries["a@rcpt.example"] {
			at = append(at, int(when.Sub(begin).Minutes()))
		}
		// 1, 2, 4 … minutes apart, then hours, until four hours have passed.
		if diff := cmp.Diff([]int{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}, at); diff != "" {
			t.Error(diff)
		}
		if len(alarms) != 1 || !alarms[0].Expired || alarms[0].ID != "id" || len(alarms[0].Outcomes) != 1 || alarms[0].Outcomes[0].Reply.Code != 451 {
			t.Errorf("alarms %+v", alarms)
		}
		if got := names(t, m, "o/failed"); len(got) != 2 || "o/failed/"+got[0] != alarms[0].File {
			t.Errorf("failed: %v, alarm says %s", got, alarms[0].File)
		}
		if got := names(t, m, "o/queue"); len(got) != 0 || o.Len() != 0 {
			t.Errorf("queue: %v, Len %d", got, o.Len())
		}
	})
}

// Each recipient is delivered once, whatever becomes of the others, over a
// restart too; and what was refused is kept and told.
func TestRecipientsAndRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := durable.NewMem()
		h := newHop(map[string][]int{"late@x.example": {451, 451, 451, 250}, "bad@x.example": {451, 550}})
		var alarms []outbox.Alarm
		cfg := outbox.Config{FS: m, Deliver: h.deliver, Alarm: func(a outbox.Alarm) { alarms = append(alarms, a) }}
		o := open(t, cfg)
		if err := o.Put(t.Context(), delivertest.Delivery("x\r\n", "now@x.example", "late@x.example", "bad@x.example")); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			stop := start(t, o)
			time.Sleep(5 * time.Minute)
			stop()
			cfg.FS = m.Crash(nil)
			m = cfg.FS.(*durable.Mem)
			o = open(t, cfg)
		}
		if diff := cmp.Diff(map[string]int{"now@x.example": 1, "late@x.example": 1}, h.taken); diff != "" {
			t.Error(diff)
		}
		if len(h.tries["bad@x.example"]) != 2 {
			t.Errorf("%d tries for the refused one", len(h.tries["bad@x.example"]))
		}
		if len(alarms) != 1 || alarms[0].Expired || len(alarms[0].Outcomes) != 1 || alarms[0].Outcomes[0].Recipient != "bad@x.example" || alarms[0].Outcomes[0].Reply.Code != 550 {
			t.Errorf("alarms %+v", alarms)
		}
		if len(names(t, m, "o/queue")) != 0 || len(names(t, m, "o/failed")) != 2 {
			t.Errorf("queue %v, failed %v", names(t, m, "o/queue"), names(t, m, "o/failed"))
		}
		// An admin moves it back: it is tried again, and only the one left.
		msg := names(t, m, "o/failed")[0]
		if err := m.Rename("o/failed/"+msg, "o/queue/"+msg); err != nil {
			t.Fatal(err)
		}
		h.codes["bad@x.example"] = nil
		stop := start(t, o)
		time.Sleep(time.Minute)
		stop()
		if h.taken["bad@x.example"] != 1 || o.Len() != 0 {
			t.Errorf("after moving it back: %v", h.taken)
		}
	})
}

// At every operation on the disk the power may go. What Put has returned for is
// delivered, before or after; what is delivered is whole.
func TestCrashAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := durable.NewMem()
		codes := func() map[string][]int { return map[string][]int{"b@x.example": {451, 250}, "c@x.example": {550}} }
		h := newHop(codes())
		deliver := func(h *hop) func(context.Context, *sluice.Delivery) []sluice.Outcome {
			return func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
				if !strings.HasSuffix(string(d.Body), "the end\r\n") {
					t.Errorf("torn: %q", d.Body)
				}
				return h.deliver(ctx, d)
			}
		}
		var put atomic.Bool
		points := 0
		m.Before = func(op durable.Op) error {
			points++
			for seed := range uint64(8) {
				var rnd *rand.Rand
				if seed > 0 {
					rnd = rand.New(rand.NewPCG(seed, uint64(points)))
				}
				promised := put.Load()
				h.mu.Lock()
				before := map[string]int{"a@x.example": h.taken["a@x.example"], "b@x.example": h.taken["b@x.example"]}
				h.mu.Unlock()
				left := m.Crash(rnd)
				// The next hop answers anew; who was taken before may come again.
				h2 := newHop(codes())
				o := open(t, outbox.Config{FS: left, Deliver: deliver(h2)})
				stop := start(t, o)
				time.Sleep(10 * time.Minute)
				stop()
				for _, who := range []string{"a@x.example", "b@x.example"} {
					if promised && before[who]+h2.taken[who] == 0 {
						t.Errorf("point %d (%v), seed %d: %s is lost", points, op, seed, who)
					}
				}
				refused := promised && len(names(t, left, "o/failed")) == 0
				if o.Len() != 0 || refused {
					t.Errorf("point %d (%v), seed %d: %d left, failed %v", points, op, seed, o.Len(), names(t, left, "o/failed"))
				}
			}
			return nil
		}
		o := open(t, outbox.Config{FS: m, Deliver: deliver(h)})
		stop := start(t, o)
		defer stop()
		if err := o.Put(t.Context(), delivertest.Delivery(strings.Repeat("text\r\n", 50)+"the end\r\n", "a@x.example", "b@x.example", "c@x.example")); err != nil {
			t.Fatal(err)
		}
		put.Store(true)
		time.Sleep(72 * time.Hour) // each point above takes more than an hour
		synctest.Wait()
		if points < 20 || o.Len() != 0 {
			t.Errorf("%d points, %d left", points, o.Len())
		}
		t.Logf("%d points × 8", points)
	})
}

// One operation fails: the message still arrives, and once.
func TestDiskFails(t *testing.T) {
	for at := 1; at < 60; at++ {
		synctest.Test(t, func(t *testing.T) {
			m := durable.NewMem()
			h := newHop(map[string][]int{"b@x.example": {451, 250}})
			o := open(t, outbox.Config{FS: m, Deliver: h.deliver})
			var n atomic.Int64
			m.Before = func(durable.Op) error {
				if n.Add(1) == int64(at) {
					return syscall.ENOSPC
				}
				return nil
			}
			stop := start(t, o)
			defer stop()
			err := o.Put(t.Context(), delivertest.Delivery("x\r\n", "a@x.example", "b@x.example"))
			if err != nil {
				if r := sluice.ReplyTo(err); r.Code != 452 {
					t.Errorf("failure at %d: %v", at, err)
				}
			}
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			want := 1
			if err != nil {
				want = 0
			}
			// A failed Put may have left the file: then it arrives though it
			// was put again by the caller, which is the lesser evil.
			if got := h.taken; got["a@x.example"] != got["b@x.example"] || err == nil && got["a@x.example"] != want || got["a@x.example"] > 1 {
				t.Errorf("failure at %d: taken %v, Put said %v", at, got, err)
			}
			if o.Len() != 0 {
				t.Errorf("failure at %d: %d left", at, o.Len())
			}
		})
	}
}

// Another process puts mail into the same folder.
func TestOtherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := durable.NewMem()
		h := newHop(nil)
		stop := start(t, open(t, outbox.Config{FS: m, Deliver: h.deliver}))
		defer stop()
		synctest.Wait()
		if err := open(t, outbox.Config{FS: m}).Put(t.Context(), delivertest.Delivery("x\r\n", "a@x.example")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if h.taken["a@x.example"] != 1 {
			t.Errorf("taken %v", h.taken)
		}
	})
}

func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most, all atomic.Int64
		o := open(t, outbox.Config{FS: durable.NewMem(), Workers: 3, Deliver: func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-1)
			all.Add(1)
			return newHop(nil).deliver(t.Context(), d)
		}})
		for range 20 {
			if err := o.Put(t.Context(), delivertest.Delivery("x\r\n", "a@x.example")); err != nil {
				t.Fatal(err)
			}
		}
		stop := start(t, o)
		time.Sleep(time.Minute)
		stop()
		if all.Load() != 20 || most.Load() != 3 {
			t.Errorf("%d delivered, %d at a time; want 20, 3", all.Load(), most.Load())
		}
	})
}

// Trouble of the next hop's client, and files that are damaged.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := durable.NewMem()
		tries := 0
		var alarms []outbox.Alarm
		o := open(t, outbox.Config{FS: m, Alarm: func(a outbox.Alarm) { alarms = append(alarms, a) }, Deliver: func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
			switch tries++; tries {
			case 1:
				panic("broken")
			case 2:
				return nil
			}
			return newHop(nil).deliver(t.Context(), d)
		}})
		if err := durable.WriteFile(m, "o/queue/torn.msg", []byte("sluice-outbox 1\n{}")); err != nil {
			t.Fatal(err)
		}
		if err := durable.WriteFile(m, "o/queue/orphan.state", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := o.Put(t.Context(), delivertest.Delivery("x\r\n", "a@x.example")); err != nil {
			t.Fatal(err)
		}
		stop := start(t, o)
		time.Sleep(time.Hour)
		stop()
		if tries != 3 || o.Len() != 0 {
			t.Errorf("%d tries, %d left", tries, o.Len())
		}
		if len(alarms) != 1 || alarms[0].Err == nil || !slices.Contains(names(t, m, "o/failed"), "torn.msg") {
			t.Errorf("alarms %+v, failed %v", alarms, names(t, m, "o/failed"))
		}
		if q := names(t, m, "o/queue"); len(q) != 0 {
			t.Errorf("queue %v", q)
		}
	})
}

// Stopping in the middle of an attempt counts as no attempt.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := durable.NewMem()
		o := open(t, outbox.Config{FS: m, Deliver: func(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
			<-ctx.Done()
			return []sluice.Outcome{{Reply: sluice.Reply{Code: 451}, Err: ctx.Err()}}
		}})
		if err := o.Put(t.Context(), delivertest.Delivery("x\r\n", "a@x.example")); err != nil {
			t.Fatal(err)
		}
		stop := start(t, o)
		time.Sleep(time.Second)
		stop()
		if q := names(t, m, "o/queue"); len(q) != 1 {
			t.Errorf("queue %v, want the message without a state", q)
		}
		if _, err := outbox.New(outbox.Config{}); err == nil {
			t.Error("no folder: no error")
		}
		if err := o.Put(t.Context(), &sluice.Delivery{Envelope: &sluice.Envelope{}}); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("nobody: %v", err)
		}
	})
}
