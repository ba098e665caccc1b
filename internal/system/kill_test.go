package system

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice"
	"sluice/deliver/quarantine"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

// gtube is quarantined on a port behind a queue, where nothing is refused.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

func testMessage(id string, spam bool) string {
	body := "The minutes of Tuesday's meeting are attached to the wiki page. See you next week.\r\n"
	if spam {
		body = gtube + "\r\n"
	}
	return "From: Ann <ann@sender.example>\r\nTo: bob@a.example\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\n" +
		"Subject: minutes\r\nMessage-ID: <" + id + "@sender.example>\r\nX-Test: " + id + "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
		body + strings.Repeat("One more line of ordinary text to give the message a body.\r\n", 20)
}

// daemon is a sluice process that is killed and started again on one address.
type daemon struct {
	t       *testing.T
	config  string
	addr    string
	cmd     *exec.Cmd
	mu      sync.Mutex
	stopped bool
	starts  int
	out     bytes.Buffer
}

// startDaemon writes a configuration with a port that refuses nothing and runs it.
func startDaemon(t *testing.T, relay string) *daemon {
	t.Helper()
	d := &daemon{t: t, addr: FreePort(t)}
	data := filepath.Join(t.TempDir(), "data")
	d.config = filepath.Join(t.TempDir(), "sluice.toml")
	text := fmt.Sprintf("hostname = \"mx.a.example\"\ndata = %q\n[console]\naddress = \"\"\n[limits]\nconnections_per_client = 500\n"+
		"[[listen]]\naddress = %q\nalready_accepted = true\n[[domain]]\nnames = [\"a.example\"]\nrelay = [%q]\n", data, d.addr, relay)
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	t.Cleanup(func() { d.stop(os.Interrupt) })
	d.wait()
	return d
}

func (d *daemon) data() string {
	b, _ := os.ReadFile(d.config)
	_, after, _ := strings.Cut(string(b), "data = \"")
	s, _, _ := strings.Cut(after, "\"")
	return s
}

func (d *daemon) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.cmd = exec.Command(Binary(d.t), "serve", "--config", d.config)
	d.cmd.Stderr = &d.out
	if err := d.cmd.Start(); err != nil {
		d.t.Error(err)
	}
	d.starts++
}

// wait returns once the port answers.
func (d *daemon) wait() {
	for range 400 {
		if c, err := net.DialTimeout("tcp", d.addr, time.Second); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	d.t.Fatalf("the daemon doesn't answer:\n%s", d.out.String())
}

// kill ends the process with SIGKILL and starts it again.
func (d *daemon) kill() {
	d.mu.Lock()
	cmd := d.cmd
	d.mu.Unlock()
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // "signal: killed"
	d.start()
	d.wait()
}

func (d *daemon) stop(sig os.Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.stopped = true
	_ = d.cmd.Process.Signal(sig)
	done := make(chan struct{})
	go func() { _ = d.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(40 * time.Second):
		d.t.Error("the daemon didn't stop when asked to")
		_ = d.cmd.Process.Kill()
		<-done
	}
}

// TestKill kills the daemon at random while messages flow. Each message that
// was answered 250 must be at the next hop or in quarantine, whatever happened.
// kill -9 leaves the page cache alone: that the bytes are synced before the 250
// is what TestSyncBeforeReply and the quarantine's own tests show.
func TestKill(t *testing.T) {
	total, senders := 10000, 16
	if testing.Short() {
		total = 1000
	}
	sink := NewSink(t, "X-Test")
	d := startDaemon(t, "smtp://"+sink.Addr)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))

	var next, acked atomic.Int64
	var mu sync.Mutex
	relayed, held := map[string]bool{}, map[string]bool{}
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	for range senders {
		wg.Go(func() {
			var c *Client
			for ctx.Err() == nil {
				n := int(next.Add(1))
				if n > total {
					break
				}
				id, spam := fmt.Sprintf("m%06d", n), n%4 == 0
				for ctx.Err() == nil {
					if c == nil {
						var err error
						if c, err = Dial(d.addr); err == nil {
							_, err = c.Say("EHLO sender.example")
						}
						if err != nil {
							if c != nil {
								c.Close()
							}
							c = nil
							time.Sleep(20 * time.Millisecond)
							continue
						}
					}
					r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, testMessage(id, spam))
					if err != nil {
						c.Close()
						c = nil
						continue
					}
					if !strings.HasPrefix(r, "250") {
						// A 4xx may come while the daemon goes up or down.
						if !strings.HasPrefix(r, "4") {
							t.Errorf("%s: %s", id, r)
						}
						c.Close()
						c = nil
						time.Sleep(5 * time.Millisecond)
						continue
					}
					mu.Lock()
					if spam {
						held[id] = true
					} else {
						relayed[id] = true
					}
					mu.Unlock()
					acked.Add(1)
					break
				}
			}
			if c != nil {
				c.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	kills := 0
loop:
	for {
		select {
		case <-done:
			break loop
		case <-time.After(time.Duration(100+rng.IntN(500)) * time.Millisecond):
			d.kill()
			kills++
		}
	}
	d.kill() // what lies unfinished is dropped at the start
	d.stop(os.Interrupt)
	if got := acked.Load(); got != int64(total) {
		t.Fatalf("%d of %d messages were acknowledged in time", got, total)
	}

	got := sink.Seen()
	lost, twice := 0, 0
	for id := range relayed {
		if got[id] == 0 {
			lost++
			t.Errorf("%s was answered 250 and is not at the next hop", id)
		}
		if got[id] > 1 {
			twice++
		}
	}
	inQuarantine := quarantined(t, filepath.Join(d.data(), "quarantine"))
	for id := range held {
		if !inQuarantine[id] {
			lost++
			t.Errorf("%s was answered 250 and is not in quarantine", id)
		}
	}
	t.Logf("%d messages, %d kills: %d at the next hop, %d in quarantine, %d lost, %d delivered twice after a lost answer",
		total, kills, len(relayed), len(held), lost, twice)
	if kills == 0 {
		t.Error("nothing was killed: the test showed nothing")
	}
}

// quarantined reads every file and returns the X-Test values.
func quarantined(t *testing.T, dir string) map[string]bool {
	t.Helper()
	q, err := quarantine.New(quarantine.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
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
		_, after, _ := strings.Cut(string(body), "\nX-Test: ")
		id, _, _ := strings.Cut(after, "\r\n")
		out[id] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
