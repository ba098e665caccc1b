package delivertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice"
)

// Delivery is a message to a few recipients.
func Delivery(body string, rcpts ...string) *sluice.Delivery {
	d := &sluice.Delivery{ID: "id", Header: []byte("X-Sluice-ID: id\r\n"), Body: []byte(body),
		Envelope: &sluice.Envelope{ID: "id", From: "from@sender.example"}}
	for _, r := range rcpts {
		d.Envelope.Rcpts = append(d.Envelope.Rcpts, sluice.Recipient{Address: r})
	}
	return d
}

// TestDeliverer is the conformance suite of [sluice.Deliverer]. open gives one
// whose next hop is empty and takes everything, and a function that lists the
// texts which the next hop has, with CRLF, our header included.
func TestDeliverer(t *testing.T, open func(t *testing.T) (sluice.Deliverer, func() []string)) {
	t.Run("arrives", func(t *testing.T) {
		d, arrived := open(t)
		body := "Subject: x\r\n\r\n.\r\n..dots\r\n8-bit: \xff\xfe\r\n" + strings.Repeat("long ", 3000) + "\r\n\r\n"
		m := Delivery(body, "a@rcpt.example", "b@rcpt.example", "c@rcpt.example")
		m.EightBit = true
		out := d.Deliver(t.Context(), m)
		for i, want := range []string{"a@rcpt.example", "b@rcpt.example", "c@rcpt.example"} {
			if len(out) != 3 || out[i].Recipient != want || !out[i].Delivered() || out[i].Unknown {
				t.Fatalf("outcomes %+v", out)
			}
		}
		if got := arrived(); len(got) == 0 || !strings.HasSuffix(got[0], "X-Sluice-ID: id\r\n"+body) {
			t.Errorf("arrived: %.200q", got)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		d, arrived := open(t)
		if out := d.Deliver(t.Context(), Delivery("x\r\n")); len(out) != 0 || len(arrived()) != 0 {
			t.Errorf("outcomes %+v, %d arrived", out, len(arrived()))
		}
	})
	t.Run("cancelled before", func(t *testing.T) {
		d, arrived := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		out := d.Deliver(ctx, Delivery("x\r\n", "a@rcpt.example"))
		if len(out) != 1 || !out[0].Reply.Temporary() || out[0].Err == nil || len(arrived()) != 0 {
			t.Errorf("outcomes %+v, %d arrived", out, len(arrived()))
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		d, arrived := open(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 10 {
					out := d.Deliver(t.Context(), Delivery(fmt.Sprintf("Subject: %d\r\n\r\n", i*10+j), "a@rcpt.example"))
					if !out[0].Delivered() {
						t.Errorf("%+v", out)
					}
				}
			})
		}
		wg.Wait()
		got := arrived()
		for i := range 80 {
			if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, fmt.Sprintf("Subject: %d\r\n", i)) }) {
				t.Errorf("message %d is missing", i)
			}
		}
		if len(got) != 80 {
			t.Errorf("%d messages, want 80", len(got))
		}
	})
	t.Run("extensions and close", func(t *testing.T) {
		d, _ := open(t)
		if e := d.Extensions(t.Context()); !e.Known || !e.EightBit {
			t.Errorf("%+v", e)
		}
		for range 2 {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
