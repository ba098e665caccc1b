package smtpd_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sluice"
	"sluice/eval/bareloop"
	"sluice/smtpd"
)

// What a client costs is the server's CPU time, so the clients are in a process of
// their own: this test binary, started again with clientEnv set.
const clientEnv = "SMTPD_COST_CLIENT"

// A visit is one client from dial to close.
var visits = map[string]func(c net.Conn, b []byte) error{
	// quit reads the greeting and leaves.
	"quit": func(c net.Conn, b []byte) error {
		if _, err := c.Read(b); err != nil {
			return err
		}
		if _, err := io.WriteString(c, "QUIT\r\n"); err != nil {
			return err
		}
		_, err := c.Read(b)
		return err
	},
	// early talks first and goes at the first refusal.
	"early": func(c net.Conn, b []byte) error {
		if _, err := io.WriteString(c, "EHLO bot.example\r\n"); err != nil {
			return err
		}
		for {
			n, err := c.Read(b)
			if err != nil || n > 4 && b[0] != '2' || string(b[max(n-5, 0):n]) == "Bye\r\n" || slices.Contains([]byte(string(b[:n])), '5') {
				return err
			}
		}
	},
	// listed goes at the refusal, without QUIT.
	"listed": func(c net.Conn, b []byte) error {
		_, err := c.Read(b)
		return err
	},
}

// costClient makes the visits that clientEnv asks for: "mode addr count parallel".
func costClient(order string) error {
	var mode, addr string
	var count, parallel int
	if _, err := fmt.Sscan(order, &mode, &addr, &count, &parallel); err != nil {
		return err
	}
	if mode == "hold" || mode == "open" {
		return hold(addr, count, parallel, mode == "hold")
	}
	var dialer net.Dialer
	if mode == "stray" { // from somewhere else
		mode, dialer.LocalAddr = "early", &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}
	}
	var next atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			b := make([]byte, 512)
			for next.Add(1) <= int64(count) {
				c, err := dialer.Dial("tcp", addr)
				if err == nil {
					_ = c.SetDeadline(time.Now().Add(10 * time.Second))
					err = visits[mode](c, b)
					c.Close()
				}
				if err != nil {
					failed.Store(err)
				}
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return err
	}
	return nil
}

// serverCPU has another process make n visits and returns this one's CPU time a
// visit.
func serverCPU(t testing.TB, mode, addr string, n int) time.Duration {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), clientEnv+"="+mode+" "+addr+" "+strconv.Itoa(n)+" 4")
	before := cpuTime()
	out, err := cmd.CombinedOutput()
	used := cpuTime() - before
	if err != nil {
		t.Fatalf("%s: %v: %s", mode, err, out)
	}
	return used / time.Duration(n)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// refusedAtAdmission turns everybody away before a session.
type refusedAtAdmission struct{ plainGate }

func (refusedAtAdmission) Admit(sluice.Arrival) sluice.Admission {
	return sluice.Admission{Refuse: sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Listed", Close: true}}
}

// pausing greets after a pause, as the gate does with those it doesn't know.
type pausing struct{ plainGate }

func (pausing) Open(context.Context, *sluice.Conn) (sluice.Session, sluice.Reply) {
	return plainSession{}, sluice.Reply{Code: 220, Pause: 6 * time.Second}
}

// costs are the visits whose price is known, and the most that each may cost, as a
// multiple of the bare loop.
var costs = []struct {
	name, mode string
	gate       sluice.Gate
	bar        float64
}{
	{"connect and quit", "quit", plainGate{}, 1.3},
	{"early talker", "early", pausing{}, 1.3},
	{"refused at admission", "listed", refusedAtAdmission{}, 1.5},
	{"refused at connect", "listed", refusingGate{}, 1.5},
}

// BenchmarkCost prints the CPU time of visits, each beside the bare loop in the
// same run. The figures of several rounds are taken in turn, and the median
// counts: go test -run '^$' -bench Cost -benchtime 1x ./smtpd
func BenchmarkCost(b *testing.B) {
	rounds, n := 7, 4000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- bareloop.Serve(l) }()
	defer func() { l.Close(); <-done }()
	for _, c := range costs {
		b.Run(c.name, func(b *testing.B) {
			log, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			_, addr := start(b, c.gate, smtpd.Settings{Limits: smtpd.Limits{ConnsPerClient: 1000}}, func(cfg *smtpd.Config) {
				cfg.Log = slog.New(slog.NewJSONHandler(log, nil))
			})
			for b.Loop() {
				var bare, ours []float64
				for range rounds {
					bare = append(bare, float64(serverCPU(b, "quit", l.Addr().String(), n))/1e3)
					ours = append(ours, float64(serverCPU(b, c.mode, addr, n))/1e3)
				}
				slices.Sort(bare)
				slices.Sort(ours)
				b.ReportMetric(ours[rounds/2], "µs/visit")
				b.ReportMetric(bare[rounds/2], "µs/bare")
				b.ReportMetric(ours[rounds/2]/bare[rounds/2], "ratio")
				b.ReportMetric(c.bar, "bar")
			}
		})
	}
}
