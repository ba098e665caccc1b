package delivertest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

// TestOutbox is the conformance suite of [sluice.Outbox]. open gives an empty
// one that delivers by the function, and what runs it. All of it happens in a
// bubble of synctest.
func TestOutbox(t *testing.T, open func(t *testing.T, deliver func(context.Context, *sluice.Delivery) []sluice.Outcome) (o sluice.Outbox, run func(context.Context) error)) {
	run := func(t *testing.T, deliver func(context.Context, *sluice.Delivery) []sluice.Outcome, f func(t *testing.T, o sluice.Outbox)) {
		synctest.Test(t, func(t *testing.T) {
			o, run := open(t, deliver)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := run(ctx); err != nil {
					t.Errorf("run: %v", err)
				}
			})
			f(t, o)
			cancel()
			wg.Wait()
		})
	}
	answer := func(d *sluice.Delivery, code int) []sluice.Outcome {
		out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
		for i, rc := range d.Envelope.Rcpts {
			out[i] = sluice.Outcome{Recipient: rc.Address, Reply: sluice.Reply{Code: code}}
			if code != 250 {
				out[i].Err = errors.New("refused")
			}
		}
		return out
	}
	t.Run("arrives as it was", func(t *testing.T) {
		var got []*sluice.Delivery
		deliver := func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
			got = append(got, d)
			return answer(d, 250)
		}
		run(t, deliver, func(t *testing.T, o sluice.Outbox) {
			env := Quarantined("outbox-1").Envelope
			want := &sluice.Delivery{ID: "one", Envelope: &env, Header: []byte("X: y\r\n"), Body: []byte("Subject: \xff\r\n\r\n\x00body"), Utf8: true, EightBit: true}
			d := *want
			d.Header, d.Body = bytes.Clone(want.Header), bytes.Clone(want.Body)
			if err := o.Put(t.Context(), &d); err != nil {
				t.Fatal(err)
			}
			clear(d.Header) // the caller's buffers are its own again
			clear(d.Body)
			time.Sleep(time.Minute)
			synctest.Wait()
			if diff := cmp.Diff([]*sluice.Delivery{want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	})
	t.Run("tried again until taken", func(t *testing.T) {
		tries := 0
		deliver := func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
			if tries++; tries < 5 {
				return answer(d, 451)
			}
			return answer(d, 250)
		}
		run(t, deliver, func(t *testing.T, o sluice.Outbox) {
			if err := o.Put(t.Context(), Delivery("x\r\n", "a@rcpt.example")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if tries != 5 {
				t.Errorf("%d tries, want 5", tries)
			}
		})
	})
	t.Run("refused for good", func(t *testing.T) {
		tries := 0
		deliver := func(_ context.Context, d *sluice.Delivery) []sluice.Outcome { tries++; return answer(d, 550) }
		run(t, deliver, func(t *testing.T, o sluice.Outbox) {
			if err := o.Put(t.Context(), Delivery("x\r\n", "a@rcpt.example")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if tries != 1 {
				t.Errorf("%d tries, want 1", tries)
			}
		})
	})
	t.Run("not taken", func(t *testing.T) {
		deliver := func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
			t.Error("delivered")
			return answer(d, 250)
		}
		run(t, deliver, func(t *testing.T, o sluice.Outbox) {
			if err := o.Put(t.Context(), Delivery("x\r\n")); err == nil {
				t.Error("a message to nobody")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := o.Put(ctx, Delivery("x\r\n", "a@rcpt.example")); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
		})
	})
}
