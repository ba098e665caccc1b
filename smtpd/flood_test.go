package smtpd_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/smtpd"
)

// crowd is another process that holds connections open.
type crowd struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// gather opens n connections from another process and returns once they are there:
// with mode "hold" each has read its first octet, with "open" nothing.
func gather(t testing.TB, mode, addr string, n int) *crowd {
	t.Helper()
	c := &crowd{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), clientEnv+"="+mode+" "+addr+" "+strconv.Itoa(n)+" 8")
	c.cmd.Stderr = os.Stderr
	c.in, _ = c.cmd.StdinPipe()
	out, _ := c.cmd.StdoutPipe()
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := c.out.ReadString('\n'); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return c
}

func (c *crowd) leave() {
	c.in.Close()
	_ = c.cmd.Wait()
}

// hold is the crowd's process: it goes when its input ends.
func hold(addr string, n, parallel int, read bool) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var held []net.Conn
	var failed error
	for i := range parallel {
		wg.Go(func() {
			d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i))}}
			b := make([]byte, 1)
			for range n / parallel {
				c, err := d.Dial("tcp", addr)
				if err == nil && read {
					_, err = c.Read(b)
				}
				mu.Lock()
				held = append(held, c)
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	fmt.Println("here")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// pss is the process's proportional set size in octets.
func pss(t testing.TB) int {
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Skip("no /proc/self/smaps_rollup")
	}
	_, rest, _ := strings.Cut(string(b), "\nPss:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// friend is an address of a known client; the crowd comes from others.
var friend = netip.MustParseAddr("127.0.0.1")

type knowing struct{ plainGate }

func (knowing) Admit(a sluice.Arrival) sluice.Admission {
	return sluice.Admission{Known: a.Client.Addr() == friend}
}

// quantile sorts.
func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// BenchmarkIdleCrowd holds as many connections open as the file limit allows: what
// each takes, and how soon a known client is greeted meanwhile. Run it with
// -benchtime 1x.
func BenchmarkIdleCrowd(b *testing.B) {
	if err := smtpd.RaiseFileLimit(); err != nil {
		b.Log(err)
	}
	room := smtpd.Capacity()
	n := room * 3 / 4 / 8 * 8 // what unknown clients may take
	for b.Loop() {
		srv, addr := start(b, knowing{}, smtpd.Settings{Limits: smtpd.Limits{ConnsPerClient: room}})
		before := pss(b)
		c := gather(b, "hold", addr, n)
		time.Sleep(100 * time.Millisecond) // until the last are parked
		open := srv.Stats().Open
		each := (pss(b) - before) / n
		cpu := cpuTime()
		time.Sleep(2 * time.Second)
		held := cpuTime() - cpu
		var greeted []time.Duration
		for range 200 {
			began := time.Now()
			k := dial(b, addr)
			k.want("", "220 ")
			greeted = append(greeted, time.Since(began))
			k.want("QUIT", "221 ")
			k.conn.Close()
		}
		b.ReportMetric(float64(open), "held")
		b.ReportMetric(float64(each), "octets/conn")
		b.ReportMetric(float64(held.Microseconds())/2/float64(n), "µs/conn/s")
		b.ReportMetric(float64(quantile(greeted, .5).Microseconds())/1e3, "ms-greeted-p50")
		b.ReportMetric(float64(quantile(greeted, .99).Microseconds())/1e3, "ms-greeted-p99")
		c.leave()
	}
}

// BenchmarkTarpit measures what a client costs that gets its refusal slowly, from
// when it is in the tarpit to its last octet. Run it with -benchtime 1x.
func BenchmarkTarpit(b *testing.B) {
	const n = 4000
	gate := opens(sluice.Reply{Code: 554, Enhanced: "5.7.1", Text: "Refused: this is what bots get", Close: true, Slow: true})
	for b.Loop() {
		srv, addr := start(b, &gate, smtpd.Settings{Limits: smtpd.Limits{Conns: 4 * n, ConnsPerClient: n, Slow: n}})
		before := pss(b)
		c := gather(b, "open", addr, n)
		time.Sleep(100 * time.Millisecond)
		if s := srv.Stats(); s.Slow != n {
			b.Fatalf("%d in the tarpit", s.Slow)
		}
		each := (pss(b) - before) / n
		cpu := cpuTime()
		time.Sleep(24500 * time.Millisecond) // the first octet took 5 s, the rest will go at 30 s
		used := cpuTime() - cpu
		b.ReportMetric(float64(each), "octets/conn")
		b.ReportMetric(float64(used.Nanoseconds())/1e3/n, "µs/conn")
		c.leave()
	}
}

// BenchmarkFlood has known clients send mail while ten times as many bots come and
// talk too early, and reports how long a reply takes them, alone and in the flood.
func BenchmarkFlood(b *testing.B) {
	_, addr := start(b, knowing{}, smtpd.Settings{Limits: smtpd.Limits{Conns: 2000, ConnsPerClient: 2000}})
	const friends, bots, visits = 2, 20, 12_000
	for b.Loop() {
		for _, flood := range []bool{false, true} {
			var over chan error
			stop := make(chan struct{})
			if flood {
				over = make(chan error, 1)
				go func() {
					cmd := exec.Command(os.Args[0])
					cmd.Env = append(os.Environ(), fmt.Sprintf("%s=stray %s %d %d", clientEnv, addr, visits, bots))
					err := cmd.Run()
					close(stop)
					over <- err
				}()
			} else {
				time.AfterFunc(time.Second, func() { close(stop) })
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			var took []time.Duration
			began := time.Now()
			for range friends {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						d := correspond(b, addr)
						mu.Lock()
						took = append(took, d...)
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			wall := time.Since(began)
			name := "alone"
			if flood {
				name = "flood"
				if err := <-over; err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(visits/wall.Seconds(), "bots/s")
			}
			b.ReportMetric(float64(quantile(took, .5).Microseconds())/1e3, "ms-p50-"+name)
			b.ReportMetric(float64(quantile(took, .99).Microseconds())/1e3, "ms-p99-"+name)
		}
	}
}

// correspond sends a message and returns how long each reply took.
func correspond(t testing.TB, addr string) (took []time.Duration) {
	began := time.Now()
	c := dial(t, addr)
	defer c.conn.Close()
	step := func(line, reply string) {
		c.want(line, reply)
		took = append(took, time.Since(began))
		began = time.Now()
	}
	step("", "220 ")
	step("EHLO client.example", "250-")
	step("MAIL FROM:<a@client.example>", "250 ")
	step("RCPT TO:<b@example.org>", "250 ")
	step("DATA", "354 ")
	step("Subject: hi\r\n\r\nhello\r\n.", "250 ")
	step("QUIT", "221 ")
	return took
}
