package system

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/deliver/outbox"
	"sluice/deliver/quarantine"
)

// The places where a message that was answered 250 must be.
const (
	atHop        = "at the next hop"
	inQuarantine = "in quarantine"
	inOutbox     = "in the outbox"
)

// kinds are the ways of a message through the gateway: each has another order of
// durable steps before its 250.
var kinds = []struct {
	to    []string
	spam  bool
	wants []string
}{
	{[]string{"bob@a.example"}, false, []string{atHop}},
	{[]string{"bob@a.example", "carol@a.example"}, false, []string{atHop}},
	{[]string{"bob@a.example"}, true, []string{inQuarantine}},
	{[]string{"bob@a.example", "gone@a.example"}, false, []string{atHop, inQuarantine}},
	{[]string{"bob@a.example", "busy@a.example"}, false, []string{atHop, inOutbox}},
}

// TestKill kills the daemon at random while messages flow. Each message that was
// answered 250 must be at the next hop, in quarantine or in the outbox, whatever
// happened. kill -9 leaves the page cache alone: that the bytes are synced before
// the 250 is what TestSyncBeforeReply and the tests of package durable show.
func TestKill(t *testing.T) {
	// Kills come by progress, so that a slow machine sees as many as a fast one.
	total, every := 10000, 120
	if testing.Short() {
		total, every = 1000, 80
	}
	sink := NewSink(t, "X-Test", map[string]string{"gone@a.example": "550 5.1.1 gone", "busy@a.example": "451 4.2.1 busy"})
	d := serve(t, setup{relay: "smtp://" + sink.Addr, accepted: true, limits: "connections_per_client = 500"})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))

	f := &flood{t: t, addr: d.addr, total: total}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	done := f.run(ctx, 16)
	kills := 0
	for running, next := true, every/2; running; {
		select {
		case <-done:
			running = false
			continue
		case <-time.After(time.Millisecond):
		}
		if f.progress() < next {
			continue
		}
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		d.kill()
		kills++
		next = f.progress() + every/2 + rng.IntN(every)
	}
	took := time.Since(start)
	d.kill() // what lies unfinished is dropped at the start
	d.stop(os.Interrupt)
	if n := f.progress(); n != total {
		t.Fatalf("%d of %d messages were acknowledged in time\n%s", n, total, d.log.String())
	}
	if kills < 5 {
		t.Errorf("%d kills show nothing", kills)
	}
	found := map[string]map[string]int{atHop: sink.Seen(), inQuarantine: quarantined(t, filepath.Join(d.data, "quarantine")),
		inOutbox: queued(t, filepath.Join(d.data, "outbox"))}
	lost, twice := f.missing(found)
	if pending := files(t, filepath.Join(d.data, "quarantine"), ".pending"); len(pending) > 0 {
		t.Errorf("unfinished files outlive a start: %v", pending)
	}
	t.Logf("%d messages in %v, %d kills: %d lost, %d delivered twice after a lost answer; %d at the next hop, %d in quarantine, %d in the outbox",
		total, took.Round(time.Millisecond), kills, lost, twice, len(found[atHop]), len(found[inQuarantine]), len(found[inOutbox]))
}

// flood is a number of senders, each of which repeats a message until it gets a
// 250 for it, as a sender's queue does.
type flood struct {
	t     *testing.T
	addr  string
	total int

	mu    sync.Mutex
	next  int
	acked []int // numbers of messages
}

func (f *flood) progress() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.acked)
}

// take gives the next number, from 0, or false.
func (f *flood) take() (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	return f.next - 1, f.next <= f.total
}

// run starts the senders; the channel is closed when all have ended.
func (f *flood) run(ctx context.Context, senders int) <-chan struct{} {
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			var c *Client
			for n, ok := f.take(); ok && ctx.Err() == nil; n, ok = f.take() {
				for ctx.Err() == nil && !f.try(&c, n) {
					time.Sleep(5 * time.Millisecond)
				}
			}
			if c != nil {
				c.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	return done
}

func label(n int) string { return fmt.Sprintf("m%06d", n) }

// try sends message n through *c, which it dials and drops as need be, and says
// whether it was acknowledged.
func (f *flood) try(c **Client, n int) bool {
	if *c == nil {
		dialled, err := Dial(f.addr)
		if err != nil {
			return false
		}
		if _, err := dialled.Say("EHLO sender.example"); err != nil {
			dialled.Close()
			return false
		}
		*c = dialled
	}
	k := kinds[n%len(kinds)]
	msg := clean(label(n))
	if k.spam {
		msg = spam(label(n))
	}
	send := []func(string, []string, string) (string, error){(*c).Send, (*c).Pipeline, (*c).Chunks}[n%7%3]
	r, err := send("ann@sender.example", k.to, msg)
	if err == nil && strings.HasPrefix(r, "250") {
		f.mu.Lock()
		f.acked = append(f.acked, n)
		f.mu.Unlock()
		return true
	}
	// A 4xx may come while the daemon goes up or down.
	if err == nil && !strings.HasPrefix(r, "4") {
		f.t.Errorf("%s: %s", label(n), r)
	}
	(*c).Close()
	*c = nil
	return false
}

// missing compares what was acknowledged with what is found in each place.
func (f *flood) missing(found map[string]map[string]int) (lost, twice int) {
	for _, n := range f.acked {
		for _, place := range kinds[n%len(kinds)].wants {
			if found[place][label(n)] == 0 {
				lost++
				f.t.Errorf("%s was answered 250 and is not %s", label(n), place)
			}
		}
		if found[atHop][label(n)] > 1 {
			twice++
		}
	}
	return lost, twice
}

// testField returns the value of X-Test.
func testField(body []byte) string {
	_, after, _ := strings.Cut(string(body), "\nX-Test: ")
	id, _, _ := strings.Cut(after, "\r\n")
	return id
}

// quarantined reads every file and counts the X-Test values.
func quarantined(t *testing.T, dir string) map[string]int {
	t.Helper()
	q, err := quarantine.New(quarantine.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	err = q.Each(t.Context(), func(m *sluice.Quarantined, err error) error {
		if err != nil {
			t.Error(err)
			return nil
		}
		_, r, err := q.Open(t.Context(), m.ID)
		if err != nil {
			return err
		}
		defer r.Close()
		body, err := io.ReadAll(r)
		out[testField(body)]++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// queued empties an outbox and counts the X-Test values.
func queued(t *testing.T, dir string) map[string]int {
	t.Helper()
	for _, state := range files(t, dir, ".state") { // else they wait for their turn
		if err := os.Remove(state); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	out := map[string]int{}
	o, err := outbox.New(outbox.Config{Dir: dir, Deliver: func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
		mu.Lock()
		defer mu.Unlock()
		out[testField(d.Body)]++
		return []sluice.Outcome{{Recipient: d.Envelope.Rcpts[0].Address, Reply: sluice.Reply{Code: 250}}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	eventually(t, "the outbox is empty", func() bool { return o.Len() == 0 && len(files(t, dir, ".msg")) == 0 })
	cancel()
	<-ended
	mu.Lock()
	defer mu.Unlock()
	return out
}
