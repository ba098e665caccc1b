package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/inspect"
	"sluice/inspect/child"
)

// The test program is also the child: with this variable it runs decoders that
// misbehave on demand.
const asChild = "SLUICE_POOL_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "":
		os.Exit(m.Run())
	case "mute": // never says hello
		time.Sleep(time.Hour)
	}
	identify := func(_, declared string, _ []byte) (inspect.Type, inspect.Class) { return inspect.Type(declared), 0 }
	os.Exit(child.Main(os.Args[1:], child.Config{Identify: identify, Decoders: misbehaving()}, os.Stdin, os.Stdout, os.Stderr))
}

// decoder is one that a function makes.
type decoder struct {
	name string
	open func(w *child.Work) error
}

func (d decoder) Name() string                                { return d.name }
func (d decoder) Types() []inspect.Type                       { return []inspect.Type{inspect.Type(d.name)} }
func (d decoder) Open(_ context.Context, w *child.Work) error { return d.open(w) }

var hoard [][]byte

// misbehaving are decoders named by what they do. Each states a fact before.
func misbehaving() (out []child.Decoder) {
	for name, do := range map[string]func(w *child.Work){
		"good":  func(w *child.Work) { w.Fact("SIZE", fmt.Sprint(len(w.Bytes()))) },
		"panic": func(*child.Work) { panic("on purpose") },
		"crash": func(*child.Work) { // what no barrier catches
			go panic("on purpose")
			time.Sleep(time.Hour)
		},
		"stack": func(*child.Work) { depth = dive(0) },
		"hang": func(*child.Work) {
			for !never.Load() {
			}
		},
		"eat": func(*child.Work) {
			for {
				b := make([]byte, 8<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				hoard = append(hoard, b)
				time.Sleep(time.Millisecond)
			}
		},
		"lie": func(*child.Work) { // speaks to the parent itself
			os.Stdout.WriteString("F\x05lies!")
			time.Sleep(time.Hour)
		},
		"silent": func(*child.Work) { // closes its mouth and works on
			os.Stdout.Close()
			for !never.Load() {
			}
		},
		"flood": func(*child.Work) {
			for {
				os.Stdout.WriteString(strings.Repeat("O\x02\x00\x00", 1000))
			}
		},
		"escape": func(*child.Work) { _ = syscall.Kill(syscall.Getppid(), syscall.SIGTERM) },
	} {
		out = append(out, decoder{name, func(w *child.Work) error {
			w.Fact("BEFORE", name)
			time.Sleep(60 * time.Millisecond) // long enough for a finding to be sent
			w.Fact("BEFORE", "it happens")
			do(w)
			return nil
		}})
	}
	out = append(out, bombs()...)
	// Good ones are quick.
	return append(out, decoder{"quick", func(w *child.Work) error { w.Fact("SIZE", fmt.Sprint(len(w.Bytes()))); return nil }})
}

var (
	never atomic.Bool // stays false
	depth int
)

func dive(n int) int {
	if never.Load() {
		return 0
	}
	return dive(n+1) + n
}

func pool(t testing.TB, cfg Config) *Pool {
	t.Helper()
	cfg.Command = []string{"/proc/self/exe"}
	if cfg.Env == nil {
		cfg.Env = []string{asChild + "=1"}
	}
	others := goleak.IgnoreCurrent()
	p := New(cfg)
	t.Cleanup(func() {
		p.Close()
		goleak.VerifyNone(t, others)
	})
	return p
}

func ask(p *Pool, kind string, size int) (*inspect.Report, error) { return askWithin(p, 0, kind, size) }

// askWithin gives the request its own time; 0: the pool's.
func askWithin(p *Pool, d time.Duration, kind string, size int) (*inspect.Report, error) {
	return p.Inspect(context.Background(), &inspect.Request{
		Inputs: []inspect.Input{{Name: "a." + kind, DeclaredType: kind, Body: make([]byte, size)}}, Budget: inspect.Budget{Time: d},
	})
}

func has(r *inspect.Report, kind inspect.Kind) bool {
	return slices.ContainsFunc(r.Facts, func(f inspect.Fact) bool { return f.Kind == kind })
}

func TestInspect(t *testing.T) {
	p := pool(t, Config{Size: 1})
	for _, size := range []int{0, 1, 100, 1 << 20, 20 << 20} {
		r, err := ask(p, "quick", size)
		if err != nil || r.Ended != inspect.Complete || r.Files[0].Size != int64(size) || size > 0 && r.Facts[0].Detail != fmt.Sprint(size) {
			t.Errorf("%d bytes: %v, %+v", size, err, r)
		}
	}
	if _, err := ask(p, "quick", inspect.MaxBody+1); err == nil {
		t.Error("a body beyond all bounds was taken")
	}
	if strict, lines := p.Sandbox(); len(lines) != 4 {
		t.Errorf("sandbox: %v, %q", strict, lines)
	}
}

// TestDeaths: how a process ended is told, what it had found stands, and the next
// request is answered.
func TestDeaths(t *testing.T) {
	cfg := Config{Size: 1, Memory: 256 << 20, Deadline: 200 * time.Millisecond, Budget: inspect.Budget{Time: time.Minute}}
	for _, tc := range []struct {
		kind   string
		ended  inspect.Ended
		reason string
	}{
		{"panic", inspect.Complete, ""},
		{"crash", inspect.Crashed, "panic: on purpose"},
		{"stack", inspect.Crashed, "stack"},
		{"hang", inspect.TimedOut, "killed at its deadline"},
		{"eat", inspect.OutOfMemory, "256 MB of memory"},
		{"silent", inspect.TimedOut, "killed at its deadline"},
		{"lie", inspect.Crashed, "has not its form"},
		{"flood", inspect.Crashed, "more than a report may hold"},
		{"escape", inspect.Crashed, "bad system call"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			within := time.Duration(0)
			if tc.ended == inspect.TimedOut {
				within = time.Second // enough to say what comes BEFORE
			}
			p := pool(t, cfg)
			r, err := askWithin(p, within, tc.kind, 10)
			if err != nil || r.Ended != tc.ended || !strings.Contains(r.Reason, tc.reason) || !has(r, "BEFORE") || len(r.Files) != 1 {
				t.Errorf("%v, %+v", err, r)
			}
			if tc.ended != inspect.Complete && (r.At != 0 || tc.kind != "flood" && r.By != tc.kind) {
				t.Errorf("at %d by %q", r.At, r.By)
			}
			if tc.kind == "panic" && !has(r, inspect.DecoderPanic) {
				t.Errorf("no fact: %+v", r)
			}
			if r, err := ask(p, "quick", 10); err != nil || r.Ended != inspect.Complete {
				t.Errorf("afterwards: %v, %+v", err, r)
			}
		})
	}
}

// TestAskerLeaves: whoever has an answer may end its context at once; the process lives
// on. It was killed now and then, in the middle of the next request.
func TestAskerLeaves(t *testing.T) {
	p := pool(t, Config{Size: 1})
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	pids := p.Pids()
	for i := range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := p.Inspect(ctx, &inspect.Request{Inputs: []inspect.Input{{Name: "quick", Body: []byte("quick")}}})
		cancel()
		if err != nil || r.Ended != inspect.Complete {
			t.Fatalf("request %d: %v, %+v", i, err, r)
		}
	}
	if now := p.Pids(); !slices.Equal(now, pids) {
		t.Errorf("process %v became %v", pids, now)
	}
}

// TestLargeGateway: a gateway that has held more memory than a process may is no
// reason to end that process. The kernel passes its parent's peak on to it.
func TestLargeGateway(t *testing.T) {
	large := make([]byte, 200<<20)
	for i := 0; i < len(large); i += 4096 {
		large[i] = 1
	}
	p := pool(t, Config{Size: 1, Memory: 128 << 20})
	if r, err := ask(p, "good", 1); err != nil || r.Ended != inspect.Complete {
		t.Errorf("%v, %+v", err, r)
	}
	runtime.KeepAlive(large)
}

// TestBodyUnreadable: a body on a disk that fails is our trouble, and no evidence.
func TestBodyUnreadable(t *testing.T) {
	p := pool(t, Config{Size: 1})
	body, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Munmap(body)
	if err := syscall.Mprotect(body[1<<19:], syscall.PROT_NONE); err != nil {
		t.Skip(err)
	}
	q := &inspect.Request{Inputs: []inspect.Input{{DeclaredType: "quick", Body: body}}}
	if r, err := p.Inspect(t.Context(), q); !errors.Is(err, syscall.EFAULT) || r.Ended != inspect.Complete {
		t.Errorf("%v, %+v", err, r)
	}
	if r, err := ask(p, "quick", 1); err != nil || r.Ended != inspect.Complete {
		t.Errorf("afterwards: %v, %+v", err, r)
	}
}

func TestQueue(t *testing.T) {
	p := pool(t, Config{Size: 1, Queue: 1, Wait: 300 * time.Millisecond, Budget: inspect.Budget{Time: 20 * time.Second}})
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan error)
	go func() { // holds the only process
		_, err := p.Inspect(ctx, &inspect.Request{Inputs: []inspect.Input{{DeclaredType: "hang", Body: []byte("x")}}})
		held <- err
	}()
	eventually(t, func() bool { return p.waiting.Load() == 0 && busy(p) })
	late := make(chan error)
	go func() { _, err := ask(p, "quick", 1); late <- err }()
	eventually(t, func() bool { return p.waiting.Load() == 1 })
	if _, err := ask(p, "quick", 1); !errors.Is(err, ErrBusy) {
		t.Errorf("queue of one: %v", err)
	}
	if err := <-late; !errors.Is(err, ErrLate) {
		t.Errorf("after the wait: %v", err)
	}
	cancel()
	if err := <-held; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if r, err := ask(p, "quick", 1); err != nil {
		t.Errorf("afterwards: %v, %+v", err, r)
	}
}

// busy says whether a request that was sent is out of the queue.
func busy(p *Pool) bool {
	time.Sleep(20 * time.Millisecond)
	return p.waiting.Load() == 0
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 1000 {
		if f() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("never came true")
}

func TestClose(t *testing.T) {
	p := pool(t, Config{Size: 1, Budget: inspect.Budget{Time: time.Minute}})
	out := make(chan error, 3)
	for range 3 {
		go func() { _, err := ask(p, "hang", 1); out <- err }()
	}
	eventually(t, func() bool { return p.waiting.Load() == 2 })
	p.Close()
	for range 3 {
		if err := <-out; !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

func TestDown(t *testing.T) {
	for name, cfg := range map[string]Config{
		"not there": {Command: []string{"/nonexistent"}},
		"fails":     {Command: []string{"/bin/false"}},
		"babbles":   {Command: []string{"/bin/echo", "hello"}},
	} {
		cfg.Size = 1
		p := New(cfg)
		if err := p.Ready(t.Context()); !errors.Is(err, ErrDown) {
			t.Errorf("%s: ready: %v", name, err)
		}
		eventually(t, func() bool { return p.down.Load() == 1 })
		began := time.Now()
		if _, err := ask(p, "quick", 1); !errors.Is(err, ErrDown) || time.Since(began) > time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		p.Close()
	}
	goleak.VerifyNone(t)
}

func TestStrict(t *testing.T) {
	p := pool(t, Config{Size: 1})
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	strict, lines := p.Sandbox()
	q := pool(t, Config{Size: 1, Strict: true})
	if err := q.Ready(t.Context()); (err == nil) != strict {
		t.Errorf("%v, %v, %q", err, strict, lines)
	}
}

// TestBare looks at a process from outside: three pipes, what the runtime needs, no
// environment of ours, not our user.
func TestBare(t *testing.T) {
	t.Setenv("SLUICE_SECRET", "sesame")
	p := pool(t, Config{Size: 1})
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := p.Pids()[0]
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"} {
		if strings.HasPrefix(want, "Cap") && strings.Contains(strings.Join(second(p.Sandbox()), " "), "built with C code") && os.Geteuid() != 0 {
			continue
		}
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if os.Geteuid() == 0 && !strings.Contains(string(status), "Uid:\t65534\t65534") {
		t.Errorf("it runs as root:\n%s", status)
	}
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Skip(err) // only root may look
	}
	for _, e := range entries {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if n := e.Name(); len(n) > 1 || n > "2" && !strings.HasPrefix(target, "anon_inode:") || n <= "2" && !strings.HasPrefix(target, "pipe:") {
			t.Errorf("descriptor %s is %s", n, target)
		}
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || strings.Contains(string(env), "sesame") {
		t.Errorf("environment: %v, %q", err, env)
	}
}

func second(_ bool, lines []string) []string { return lines }

// TestIdleDeath: a process that dies while nobody uses it costs no request.
func TestIdleDeath(t *testing.T) {
	p := pool(t, Config{Size: 1})
	for range 10 {
		if err := p.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, pid := range p.Pids() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if r, err := ask(p, "quick", 100); err != nil || r.Ended != inspect.Complete {
			t.Fatalf("%v, %+v", err, r)
		}
	}
}

// TestThousandDeaths kills processes from outside and by what they are given while
// requests flow. Every honest request is answered, every hostile one is named, and
// the gateway's memory stays where it was. The killer waits for answers, so that a busy
// machine makes the test slow and nothing else.
func TestThousandDeaths(t *testing.T) {
	deaths := int64(1000)
	if testing.Short() {
		deaths = 40
	}
	p := pool(t, Config{Size: 2, Queue: 100, Wait: time.Minute, Memory: 128 << 20, Deadline: 50 * time.Millisecond, Budget: inspect.Budget{Time: time.Minute}})
	if _, err := ask(p, "quick", 1<<20); err != nil {
		t.Fatal(err)
	}
	before := memory()
	stop := make(chan struct{})
	var honest, hostile, unlucky, killed, most atomic.Int64
	var crowd sync.WaitGroup
	for n := range 3 {
		crowd.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(n)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				kind, within := "quick", time.Duration(0)
				if rnd.IntN(20) == 0 {
					kind = []string{"crash", "lie", "escape", "hang", "eat"}[rnd.IntN(5)]
				}
				if kind == "hang" {
					within = 300 * time.Millisecond
				}
				r, err := askWithin(p, within, kind, 1+rnd.IntN(200<<10))
				switch {
				case errors.Is(err, ErrDown):
					unlucky.Add(1) // both were killed before they said hello; the sender comes again
				case err != nil:
					t.Errorf("%s: %v", kind, err)
					return
				case r.Ended == inspect.Killed && kind == "quick":
					unlucky.Add(1) // from outside, each time
				case r.Ended == inspect.Killed:
				case (kind == "quick") != (r.Ended == inspect.Complete):
					t.Errorf("%s: %+v", kind, r)
				case kind != "quick":
					hostile.Add(1)
				default:
					honest.Add(1)
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(2, 3))
	began := time.Now()
	enough := func() bool { return killed.Load()+hostile.Load() >= deaths || time.Since(began) > 10*time.Minute }
	for !enough() {
		for until := honest.Load() + 1 + rnd.Int64N(12); honest.Load() < until && !enough(); {
			time.Sleep(time.Duration(1+rnd.IntN(3)) * time.Millisecond)
		}
		for _, pid := range p.Pids() {
			if rnd.IntN(2) == 0 && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed.Add(1)
			}
		}
		most.Store(max(most.Load(), memory()))
	}
	close(stop)
	crowd.Wait()
	t.Logf("%v: %d honest requests answered, %d hostile ones named, %d killed each time; %d processes killed; heap %d KB before, %d KB at most",
		time.Since(began).Round(time.Millisecond), honest.Load(), hostile.Load(), unlucky.Load(), killed.Load(), before>>10, most.Load()>>10)
	if honest.Load() < deaths || unlucky.Load()*50 > honest.Load() {
		t.Errorf("%d honest requests answered, %d not", honest.Load(), unlucky.Load())
	}
	if killed.Load()+hostile.Load() < deaths {
		t.Errorf("%d deaths only", killed.Load()+hostile.Load())
	}
	if most.Load() > before+16<<20 {
		t.Errorf("heap grew from %d to %d bytes", before, most.Load())
	}
}

// memory is what the heap holds after a collection.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkRoundTrip(b *testing.B) {
	p := New(Config{Size: 1, Reuse: 1 << 30, Command: []string{"/proc/self/exe"}, Env: []string{asChild + "=1"}})
	defer p.Close()
	for _, size := range []int{1 << 10, 100 << 10, 1 << 20, 10 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			if _, err := ask(p, "quick", 1); err != nil {
				b.Fatal(err)
			}
			q := &inspect.Request{Inputs: []inspect.Input{{DeclaredType: "quick", Body: make([]byte, size)}}}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Inspect(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStart(b *testing.B) {
	p := &Pool{cfg: Config{Size: 1, Command: []string{"/proc/self/exe"}, Env: []string{asChild + "=1"}}.withDefaults(), pids: map[int]bool{}, ctx: b.Context()}
	for b.Loop() {
		c, err := p.start(nil)
		if err != nil {
			b.Fatal(err)
		}
		c.end()
	}
}
