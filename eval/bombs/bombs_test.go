// Package bombs has the program look into every bomb there is, with the bounds that
// ship, and measures what that costs: go test -v ./eval/bombs.
package bombs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	filecheck "sluice/check/inspect"
	"sluice/eval/bombs/bomb"
	"sluice/inspect"
	"sluice/inspect/pool"
	"sluice/message"
	"sluice/reason"
)

// most is the memory that a process may hold, as it ships.
const most = 512 << 20

// TestBombs: each is answered within the budget and the process's memory, says that
// there is more than was looked at, and leaves the gateway's memory as it was.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program, and each bomb takes what it may")
	}
	program := build(t)
	var table strings.Builder
	for _, c := range bomb.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			if row := explode(t, program, c); row != "" {
				fmt.Fprintln(&table, row)
			}
		})
	}
	t.Log("\n| line | bomb | mail | files | on the clock | processor | child's peak | our heap | met | evidence |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n" + table.String())
}

// build makes the program, unless the test is given one.
func build(t *testing.T) string {
	if path := os.Getenv("SLUICE_TEST_BINARY"); path != "" {
		return path
	}
	dir, err := os.MkdirTemp("", "sluice-bombs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // under root, the process has another user
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// spy keeps the report beside the evidence.
type spy struct {
	*pool.Pool
	report *inspect.Report
	pid    int
	use    usage
}

func (s *spy) Inspect(ctx context.Context, q *inspect.Request) (*inspect.Report, error) {
	r, err := s.Pool.Inspect(ctx, q)
	s.report, s.use = r, usageOf(s.pid)
	return r, err
}

func explode(t *testing.T, program string, c bomb.Case) string {
	raw := c.Message()
	if raw == nil {
		t.Skip("what it is made from is absent")
	}
	p := pool.New(pool.Config{Command: []string{program, "inspect"}, Size: 1})
	defer p.Close()
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &spy{Pool: p, pid: p.Pids()[0]}
	in := &check.Input{Conn: &sluice.Conn{}, Envelope: &sluice.Envelope{}, Notes: new(check.Notes), Message: message.Parse(raw, message.DefaultLimits())}
	before := heap()
	began := time.Now()
	out, err := filecheck.Checks(filecheck.Config{Inspector: s, Table: filecheck.DefaultTable(), Deadline: time.Minute})[0].Check(t.Context(), in)
	took := time.Since(began)
	grown := heap() - before
	runtime.KeepAlive(raw)
	runtime.KeepAlive(in)
	if err != nil {
		t.Fatal(err)
	}
	said := map[sluice.Reason]bool{}
	for _, e := range out {
		said[e.Reason] = true
	}
	r := s.report
	if r == nil { // nothing in it that needs a look
		r = &inspect.Report{}
	}
	met := r.Exhausted.String()
	if r.Ended != inspect.Complete {
		met = strings.TrimPrefix(met+", "+r.Ended.String()+" in "+r.By, ", ")
	}
	row := fmt.Sprintf("| %s | %s | %s | %d | %.2f s | %s | %s | %+d kB | %s | %s |", c.Line, c.Name, size(len(raw)), len(r.Files), took.Seconds(), s.use.cpu, size(int(s.use.peak)), grown>>10,
		cmp.Or(met, "–"), cmp.Or(strings.Join(slices.Sorted(words(said)), ", "), "–"))
	t.Log(row)
	for _, f := range r.Facts {
		if f.Kind == inspect.DecoderPanic {
			t.Errorf("a decoder panics: %s", f.Detail)
		}
	}
	// The report of a process that died is evidence too, and says who had which file.
	if r.Ended != inspect.Complete && (r.By == "" || !said[reason.InspectCrashed]) {
		t.Errorf("ended %s by %q, said %v", r.Ended, r.By, said)
	}
	if r.Ended == inspect.Crashed || r.Ended == inspect.Killed {
		t.Errorf("ended %s: %s", r.Ended, r.Reason)
	}
	if !c.Ends && r.Ended == inspect.Complete && r.Exhausted == 0 && !said[reason.ArchiveBomb] && !in.Message.Truncated {
		t.Errorf("no bound was met: %d files", len(r.Files))
	}
	if s.use.peak > most {
		t.Errorf("the process held %s", size(int(s.use.peak)))
	}
	// The message keeps the files that it decoded; the report is bounded.
	if grown > int64(len(raw))*3/4+8<<20 {
		t.Errorf("our heap grew by %s", size(int(grown)))
	}
	return row
}

func words(m map[sluice.Reason]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for id := range maps.Keys(m) {
			if !yield(string(id)) {
				return
			}
		}
	}
}

func size(n int) string {
	switch {
	case n == 0:
		return "–"
	case n < 10<<20:
		return fmt.Sprint(n>>10, " kB")
	}
	return fmt.Sprint(n>>20, " MB")
}

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// usage is what a process has used so far; of one that is gone nothing is known.
type usage struct {
	peak int64
	cpu  string
}

func usageOf(pid int) (u usage) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(after, &u.peak)
	u.peak <<= 10
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	u.cpu = "–"
	if _, after, ok := strings.Cut(string(stat), ") "); ok {
		var user, system float64
		if f := strings.Fields(after); len(f) > 12 {
			_, _ = fmt.Sscan(f[11], &user)
			_, _ = fmt.Sscan(f[12], &system)
			u.cpu = fmt.Sprintf("%.2f s", (user+system)/100)
		}
	}
	return u
}
