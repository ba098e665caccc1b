package system

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestKillInspectors kills the processes that look into files, a thousand times, while
// messages with files flow. Each message gets an answer that holds: what is clean
// arrives, once it was answered 250; what isn't never does, whoever was killed over it.
func TestKillInspectors(t *testing.T) {
	kills := 1000
	if testing.Short() {
		kills = 100
	}
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, accepted: true, limits: "connections_per_client = 500"})
	var next, again, during atomic.Int64
	var killed atomic.Bool // enough of them
	var mu sync.Mutex
	clean, bad := map[string]bool{}, map[string]bool{}

	send := func(n int64) {
		id, content, kind := label(int(n)), fmt.Sprintf("the notes of meeting %d\n", n), clean
		if n%3 == 0 {
			content, kind = eicar, bad
		}
		inner := zipped(t, "notes.txt", []byte(content))
		msg := attached(id, "notes.zip", "application/zip", zipped(t, fmt.Sprintf("%d.zip", n), inner))
		for {
			c, err := Dial(d.addr)
			if err != nil {
				t.Errorf("%s: %v", id, err)
				return
			}
			_, _ = c.Say("EHLO client.sender.example")
			r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, msg)
			c.Close()
			switch {
			case err != nil:
				t.Errorf("%s: %v", id, err)
				return
			case strings.HasPrefix(r, "250"):
				mu.Lock()
				kind[id] = true
				mu.Unlock()
				if !killed.Load() {
					during.Add(1)
				}
				return
			case !strings.HasPrefix(r, "4"):
				t.Errorf("%s: %s", id, r)
				return
			}
			again.Add(1)
		}
	}
	var senders sync.WaitGroup
	for range 3 {
		senders.Go(func() {
			for !killed.Load() && !t.Failed() {
				send(next.Add(1) - 1)
			}
		})
	}
	began := time.Now()
	rng := rand.New(rand.NewPCG(6, 1))
	gone := map[int]bool{}
	for len(gone) < kills && !t.Failed() && time.Since(began) < 10*time.Minute {
		// Under one in three the process was about to be born; the others are at work.
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
		for _, pid := range children(t, d) {
			if !gone[pid] && rng.IntN(3) > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
				gone[pid] = true
			}
		}
	}
	took := time.Since(began)
	killed.Store(true)
	senders.Wait()
	for range 6 { // and afterwards all is well
		send(next.Add(1) - 1)
	}
	d.stop(os.Interrupt)
	arrived, held := sink.Seen(), quarantined(t, d.data+"/quarantine")
	for id := range clean {
		if arrived[id] == 0 && held[id] == 0 {
			t.Errorf("%s was answered 250 and is nowhere", id)
		}
	}
	wrongly := 0
	for id := range clean {
		if arrived[id] == 0 {
			wrongly++
		}
	}
	for id := range bad {
		if arrived[id] > 0 || held[id] == 0 {
			t.Errorf("%s is malware: %d at the next hop, %d in quarantine", id, arrived[id], held[id])
		}
	}
	if len(gone) < kills || during.Load() < int64(kills/20) {
		t.Errorf("%d kills, %d messages meanwhile", len(gone), during.Load())
	}
	t.Logf("%d processes killed in %v: %d clean and %d bad messages answered 250 (%d of them meanwhile), %d tries put off, %d clean ones held, none lost, none passed",
		len(gone), took.Round(time.Millisecond), len(clean), len(bad), during.Load(), again.Load(), wrongly)
}
