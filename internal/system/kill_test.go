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
	"syscall"
	"testing"
	"time"

	"sluice"
	"sluice/deliver/outbox"
	"sluice/deliver/quarantine"
	"sluice/internal/durable"
)

// The places where a message that was answered 250 must be.
const (
	atHop        = "at the next hop"
	inQuarantine = "in quarantine"
	inOutbox     = "in the outbox"
	inMaildir    = "in the Maildir"
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
	{[]string{"bob@box.example"}, false, []string{inMaildir}},
}

// ways is a daemon with every way out of it, and where they lead.
type ways struct {
	*daemon
	sink    *Sink
	maildir string
}

func serveWays(t *testing.T) *ways {
	t.Helper()
	w := &ways{sink: NewSink(t, "X-Test", map[string]string{"gone@a.example": "550 5.1.1 gone", "busy@a.example": "451 4.2.1 busy"}),
		maildir: filepath.Join(t.TempDir(), "maildir")}
	w.daemon = serve(t, setup{relay: "smtp://" + w.sink.Addr, accepted: true, limits: "connections_per_client = 500",
		more: fmt.Sprintf("[[domain]]\nnames = [\"box.example\"]\nrelay = [\"maildir:%s\"]\n", w.maildir)})
	return w
}

// found counts what lies in each place, after the daemon's end.
func (w *ways) found() map[string]map[string]int {
	boxed := map[string]int{}
	for _, f := range files(w.t, filepath.Join(w.maildir, "new"), "") {
		b, err := os.ReadFile(f)
		if err != nil {
			w.t.Error(err)
		}
		boxed[testField(b)]++
	}
	return map[string]map[string]int{atHop: w.sink.Seen(), inQuarantine: quarantined(w.t, filepath.Join(w.data, "quarantine")),
		inOutbox: queued(w.t, filepath.Join(w.data, "outbox")), inMaildir: boxed}
}

// TestKill kills the daemon at random while messages flow. Each message that was
// answered 250 must be where it belongs, whatever happened. kill -9 leaves the
// page cache alone: that the bytes are synced before the 250 is what
// TestSyncBeforeReply and the tests of package durable show.
func TestKill(t *testing.T) {
	// Kills come by progress, so that a slow machine sees as many as a fast one.
	total, every := 10000, 150
	if testing.Short() {
		total, every = 1000, 80
	}
	w := serveWays(t)
	rng := rand.New(rand.NewPCG(1, 1))
	f := &flood{t: t, addr: w.addr, total: total}
	start := time.Now()
	kills := f.disturb(every/2, func() int {
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		w.kill()
		return every/2 + rng.IntN(every)
	})
	took := time.Since(start)
	w.kill() // what lies unfinished is dropped at the start
	w.stop(os.Interrupt)
	if pending := files(t, filepath.Join(w.data, "quarantine"), ".pending"); len(pending) > 0 {
		t.Errorf("unfinished files outlive a start: %v", pending)
	}
	lost, twice := f.compare(w.found())
	if kills < 5 {
		t.Errorf("%d kills show nothing", kills)
	}
	t.Logf("%d messages in %v, %d kills: %d lost, %d taken twice after a lost answer", total, took.Round(time.Millisecond), kills, lost, twice)
}

// TestKillOutbox kills the daemon while released mail leaves through the outbox:
// what the command said is released arrives, at least once.
func TestKillOutbox(t *testing.T) {
	t.Parallel() // it mostly waits
	w := serveWays(t)
	var ids []string
	for i := range 24 {
		if r := w.send(spam(label(i)), "bob@a.example"); r[0] != '2' {
			t.Fatal(r)
		}
	}
	eventually(t, "the index has them all", func() bool {
		ids = nil
		for _, m := range lines(t, w.sluice("quarantine", "list", "--json")) {
			ids = append(ids, m["id"].(string))
		}
		return len(ids) == 24
	})
	released := make(chan struct{})
	go func() {
		defer close(released)
		for _, id := range ids {
			// A start of the daemon may come between; the command then says that
			// it failed, and works when it is given again.
			for try := 0; ; try++ {
				_, errs, err := run(t, "quarantine", "release", "--config", w.config, id)
				if err == nil || strings.Contains(errs, "released already") {
					break
				}
				if strings.Contains(errs, "no message") || try == 10 {
					t.Errorf("release: %v\n%s", err, errs)
					break
				}
			}
		}
	}()
	kills, seen := 0, map[string]int{}
	eventually(t, "all released mail is at the next hop", func() bool {
		if seen = w.sink.Seen(); kills < 8 {
			w.kill()
			kills++
		}
		return len(seen) == len(ids)
	})
	<-released
	eventually(t, "the outbox is empty", func() bool { return len(files(t, filepath.Join(w.data, "outbox"), "")) == 0 })
	t.Logf("%d kills; taken: %v", kills, seen)
}

// TestRestart stops the daemon in order and starts it again while messages flow:
// nothing is lost, and nothing is taken twice either.
func TestRestart(t *testing.T) {
	w := serveWays(t)
	f := &flood{t: t, addr: w.addr, total: 600}
	stops := f.disturb(50, func() int {
		w.signal(syscall.SIGTERM)
		select {
		case err := <-w.ended:
			if err != nil {
				t.Errorf("the daemon's end: %v\n%s", err, w.log.String())
			}
		case <-time.After(45 * time.Second):
			t.Errorf("the daemon didn't stop when asked to:\n%s", w.log.String())
			w.ended <- nil
			w.kill()
		}
		w.start()
		w.wait()
		return 100
	})
	w.stop(os.Interrupt)
	lost, twice := f.compare(w.found())
	if stops < 3 || twice > 0 {
		t.Errorf("%d restarts, %d messages taken twice", stops, twice)
	}
	t.Logf("%d restarts: %d lost, %d taken twice", stops, lost, twice)
}

// TestReloads reloads the settings while messages flow: no session is dropped, no
// message put off.
func TestReloads(t *testing.T) {
	w := serveWays(t)
	f := &flood{t: t, addr: w.addr, total: 600}
	reloads := f.disturb(10, func() int {
		w.signal(syscall.SIGHUP)
		time.Sleep(10 * time.Millisecond)
		return 20
	})
	w.stop(os.Interrupt)
	lost, twice := f.compare(w.found())
	n := strings.Count(w.log.String(), "new sessions use the new settings")
	if n < 10 || lost+twice > 0 || f.again > 0 || f.dials != senders {
		t.Errorf("%d of %d reloads: %d lost, %d taken twice, %d tried again, %d connections for %d senders\n%.2000s", n, reloads, lost, twice, f.again, f.dials, senders, w.log.String())
	}
}

// senders is how many a flood has.
const senders = 16

// flood is a number of senders, each of which repeats a message until it gets a
// 250 for it, as a sender's queue does.
type flood struct {
	t     *testing.T
	addr  string
	total int

	mu           sync.Mutex
	next         int
	acked        []int // numbers of messages
	dials, again int   // connections; attempts that ended without a 250
}

// disturb lets the flood flow and calls trouble after the given number of
// messages, then after the number that it returns. It says how often that was. Only a
// flood that stands still fails: how long it takes is the machine's.
func (f *flood) disturb(after int, trouble func() int) (times int) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	done := f.run(ctx)
	last, moved := 0, time.Now()
	for {
		select {
		case <-done:
			if n := f.progress(); n != f.total {
				f.t.Fatalf("%d of %d messages were acknowledged, and none for minutes", n, f.total)
			}
			return times
		case <-time.After(time.Millisecond):
		}
		n := f.progress()
		if n != last {
			last, moved = n, time.Now()
		} else if time.Since(moved) > 3*time.Minute {
			cancel()
		}
		if n >= after && n < f.total {
			after = n + trouble()
			times++
		}
	}
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
func (f *flood) run(ctx context.Context) <-chan struct{} {
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

// count adds to one of the flood's numbers.
func (f *flood) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

// try sends message n through *c, which it dials and drops as need be, and says
// whether it was acknowledged.
func (f *flood) try(c **Client, n int) bool {
	if *c == nil {
		dialled, err := Dial(f.addr)
		if err != nil {
			return false
		}
		f.count(&f.dials)
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
	f.count(&f.again)
	(*c).Close()
	*c = nil
	return false
}

// compare looks for what was acknowledged in each place where it must be.
func (f *flood) compare(found map[string]map[string]int) (lost, twice int) {
	for _, n := range f.acked {
		more := false
		for _, place := range kinds[n%len(kinds)].wants {
			switch found[place][label(n)] {
			case 0:
				if lost++; lost > 20 {
					continue
				}
				f.t.Errorf("%s was answered 250 and is not %s", label(n), place)
			case 1:
			default:
				more = true
			}
		}
		if more {
			twice++
		}
	}
	return lost, twice
}

// testField returns the value of X-Test.
func testField(body []byte) string {
	_, after, _ := strings.Cut(string(body), "\nX-Test: ")
	id, _, _ := strings.Cut(after, "\n") // a Maildir has LF ends
	return strings.TrimSpace(id)
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

// unsynced is the file system in a hurry.
type unsynced struct{ durable.OS }

func (unsynced) SyncDir(string) error { return nil }

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
	o, err := outbox.New(outbox.Config{Dir: dir, FS: unsynced{}, Deliver: func(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
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
