package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/check"
	"sluice/judge/verdict"
	"sluice/reason"
)

// scripted is a check whose answer the test writes.
type scripted struct {
	info check.Info
	run  func(ctx context.Context) ([]sluice.Evidence, error)
}

func (s *scripted) Info() check.Info { return s.info }

func (s *scripted) Check(ctx context.Context, _ *check.Input) ([]sluice.Evidence, error) {
	return s.run(ctx)
}

// says is a cheap check of the message phase that states what it is given.
func says(name string, id sluice.Reason, found ...sluice.Evidence) *scripted {
	return &scripted{
		info: check.Info{Name: name, Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Cheap, Reasons: []sluice.Reason{id}},
		run:  func(context.Context) ([]sluice.Evidence, error) { return found, nil },
	}
}

// fails is one that ends with err.
func fails(name string, id sluice.Reason, absent check.Absence, err error) *scripted {
	s := says(name, id)
	s.info.Absent = absent
	s.run = func(context.Context) ([]sluice.Evidence, error) { return nil, err }
	return s
}

// waits is a Remote check that answers after d, or when its context ends.
func waits(name string, id sluice.Reason, d time.Duration) *scripted {
	s := says(name, id)
	s.info.Cost = check.Remote
	s.run = func(ctx context.Context) ([]sluice.Evidence, error) {
		select {
		case <-time.After(d):
			return []sluice.Evidence{{Reason: id, Raw: 1}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s
}

func config() Config { return Config{Clock: time.Now, Weights: verdict.DefaultWeights()} }

// lines prints evidence for comparison.
func lines(found []sluice.Evidence) []string {
	var out []string
	for _, f := range found {
		s := fmt.Sprintf("%s %s", f.Reason, f.State)
		if f.Hard != sluice.Soft {
			s += fmt.Sprintf(" hard=%d", f.Hard)
		}
		if f.Detail != "" {
			s += " " + f.Detail
		}
		out = append(out, s)
	}
	return out
}

func stop(id sluice.Reason, t sluice.Threat) sluice.Evidence {
	return sluice.Evidence{Reason: id, Hard: sluice.HardStop, Threat: t}
}

func TestRun(t *testing.T) {
	soft := sluice.Evidence{Reason: "SOFT", Raw: 3}
	pass := sluice.Evidence{Reason: reason.AdminAllow, Hard: sluice.HardPass}
	tests := []struct {
		name   string
		checks []check.Checker
		ledger []sluice.Evidence
		want   []string
	}{
		{"nothing found", []check.Checker{says("a", "A")}, nil, nil},
		{"found, in order of cost", []check.Checker{says("a", "A", sluice.Evidence{Reason: "A"}), &scripted{info: check.Info{Name: "b", Phase: sluice.PhaseMessage, Cost: check.Trivial, Reasons: []sluice.Reason{"B"}},
			run: func(context.Context) ([]sluice.Evidence, error) { return []sluice.Evidence{{Reason: "B"}}, nil }}},
			nil, []string{"B found", "A found"}},
		{"an error is never silent", []check.Checker{fails("a", "A", check.Open, errors.New("no route"))}, nil, []string{"A unknown a: no route"}},
		{"an answer that matters", []check.Checker{fails("a", "A", check.Temporary, errors.New("no route"))}, nil,
			[]string{"A unknown a: no route", "CHECK_INCOMPLETE unknown a: no route"}},
		{"an answer without which nothing passes", []check.Checker{fails("a", "A", check.Closed, errors.New("no route")), says("b", "B", soft)}, nil,
			[]string{"A unknown a: no route", "CHECK_REQUIRED found hard=1 a: no route", "B not_run b: decided by CHECK_REQUIRED"}},
		{"an error with half an answer", []check.Checker{&scripted{info: says("a", "A").info, run: func(context.Context) ([]sluice.Evidence, error) {
			return []sluice.Evidence{{Reason: "A"}}, errors.New("the rest is missing")
		}}}, nil, []string{"A found", "A unknown a: the rest is missing"}},

		{"malware ends the run", []check.Checker{says("a", reason.EICAR, stop(reason.EICAR, sluice.ThreatMalware)), says("b", "B", soft), says("c", reason.AdminAllow, pass)}, nil,
			[]string{"EICAR found hard=1", "B not_run b: decided by EICAR", "ADMIN_ALLOW not_run c: decided by EICAR"}},
		{"malware of an earlier phase", []check.Checker{says("b", "B", soft)}, []sluice.Evidence{stop(reason.EICAR, sluice.ThreatMalware)},
			[]string{"B not_run b: decided by EICAR"}},
		{"a block leaves what could overrule it", []check.Checker{says("a", reason.AdminBlock, stop(reason.AdminBlock, sluice.ThreatNone)), says("b", "B", soft), says("c", reason.AdminAllow, pass), says("d", reason.EICAR)}, nil,
			[]string{"ADMIN_BLOCK found hard=1", "B not_run b: decided by ADMIN_BLOCK", "ADMIN_ALLOW found hard=2"}},
		{"a pass leaves the search for malware", []check.Checker{says("a", reason.AdminAllow, pass), says("b", "B", soft), says("c", reason.AdminBlock), says("d", reason.EICAR, stop(reason.EICAR, sluice.ThreatMalware))}, nil,
			[]string{"ADMIN_ALLOW found hard=2", "B not_run b: decided by ADMIN_ALLOW", "ADMIN_BLOCK not_run c: decided by ADMIN_ALLOW", "EICAR found hard=1"}},
		{"an unknown stop stops nothing", []check.Checker{says("b", "B", soft)}, []sluice.Evidence{{Reason: reason.EICAR, Hard: sluice.HardStop, State: sluice.Unknown, Threat: sluice.ThreatMalware}},
			[]string{"SOFT found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := New(tt.checks, config()).Run(context.Background(), sluice.PhaseMessage, &check.Input{}, tt.ledger)
			if d := cmp.Diff(tt.want, lines(got)); d != "" {
				t.Error(d)
			}
			for _, f := range got {
				if f.Phase != sluice.PhaseMessage {
					t.Errorf("%s is of phase %v", f.Reason, f.Phase)
				}
			}
		})
	}
}

func TestPhases(t *testing.T) {
	a, b := says("a", "A", sluice.Evidence{Reason: "A", Phase: sluice.PhaseMessage}), says("b", "B", sluice.Evidence{Reason: "B"})
	a.info.Phase = sluice.PhaseHello
	p := New([]check.Checker{b, a}, config())
	got := p.Run(context.Background(), sluice.PhaseHello, &check.Input{}, nil)
	if d := cmp.Diff([]string{"A found"}, lines(got)); d != "" {
		t.Error(d)
	}
	if got[0].Phase != sluice.PhaseHello || got[0].Group != sluice.GroupText {
		t.Errorf("not filled in: %+v", got[0])
	}
	for _, phase := range []sluice.Phase{0, sluice.PhaseData, sluice.PhaseMessage + 1, 255} {
		if got := p.Run(context.Background(), phase, &check.Input{}, nil); got != nil {
			t.Errorf("phase %v: %v", phase, lines(got))
		}
	}
	if got := p.Checks(); len(got) != 2 || got[0].Name != "a" {
		t.Errorf("Checks() = %+v", got)
	}
}

func TestBarrier(t *testing.T) {
	var told string
	cfg := config()
	cfg.Panicked = func(name string, v any, stack []byte) {
		told = fmt.Sprintf("%s %v %v", name, v, strings.Contains(string(stack), "TestBarrier"))
	}
	boom := says("a", "A")
	boom.run = func(context.Context) ([]sluice.Evidence, error) { panic("index out of range") }
	after := says("b", "B", sluice.Evidence{Reason: "B"})
	remote := waits("c", "C", 0)
	remote.run = func(context.Context) ([]sluice.Evidence, error) { panic(errors.New("a bad map")) }
	p := New([]check.Checker{boom, after, remote}, cfg)
	got := p.Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil)
	want := []string{"A unknown a: panic: index out of range", "INTERNAL_PANIC unknown a", "B found",
		"C unknown c: panic: a bad map", "INTERNAL_PANIC unknown c"}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Error(d)
	}
	if !strings.HasPrefix(told, "c a bad map") && told != "a index out of range true" {
		t.Errorf("told of %q", told)
	}
	if s := p.Stats(); s[0].Panics != 1 || s[1].Panics != 0 || s[2].Panics != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestBudget: what the budget left no time for is said, and what waits for
// others runs side by side.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Budget = 10 * time.Second
		slow := waits("slow", "SLOW", 20*time.Second)
		quick := waits("quick", "QUICK", 3*time.Second)
		quick2 := waits("quick2", "QUICK2", 3*time.Second)
		short := waits("short", "SHORT", 5*time.Second)
		short.info.Deadline = time.Second
		short.info.Absent = check.Temporary
		start := time.Now()
		p := New([]check.Checker{slow, quick, quick2, short}, cfg)
		got := p.Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil)
		want := []string{"SLOW unknown slow: context deadline exceeded", "QUICK found", "QUICK2 found",
			"SHORT unknown short: context deadline exceeded", "CHECK_INCOMPLETE unknown short: context deadline exceeded"}
		if d := cmp.Diff(want, lines(got)); d != "" {
			t.Error(d)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
		s := p.Stats()
		if s[0].Timeouts != 1 || s[0].Time != 10*time.Second || s[1].Time != 3*time.Second || s[3].Timeouts != 1 || s[3].Time != time.Second {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestOverdue: a message that takes all the time isn't let through for it.
func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.Budget = time.Second
		hog := says("hog", "HOG")
		hog.run = func(context.Context) ([]sluice.Evidence, error) { time.Sleep(5 * time.Second); return nil, nil }
		p := New([]check.Checker{hog, says("b", "B"), says("c", "C"), waits("d", "D", 0)}, cfg)
		got := p.Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil)
		want := []string{"B unknown b: no time left: context deadline exceeded", "SCAN_TIMEOUT unknown b",
			"C unknown c: no time left: context deadline exceeded", "D unknown d: no time left: context deadline exceeded"}
		if d := cmp.Diff(want, lines(got)); d != "" {
			t.Error(d)
		}
	})
}

// TestParallel holds the bound of checks under way, and that Run waits for all.
func TestParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		var mu sync.Mutex
		var checks []check.Checker
		for i := range 10 {
			s := waits(fmt.Sprint(i), sluice.Reason(fmt.Sprint("R", i)), 0)
			s.run = func(context.Context) ([]sluice.Evidence, error) {
				n := now.Add(1)
				mu.Lock()
				most.Store(max(most.Load(), n))
				mu.Unlock()
				time.Sleep(time.Second)
				now.Add(-1)
				return []sluice.Evidence{{Reason: s.info.Reasons[0]}}, nil
			}
			checks = append(checks, s)
		}
		cfg := config()
		cfg.Parallel = 3
		start := time.Now()
		got := New(checks, cfg).Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil)
		if most.Load() != 3 || now.Load() != 0 || time.Since(start) != 4*time.Second {
			t.Errorf("%d at once, %d left, %v", most.Load(), now.Load(), time.Since(start))
		}
		for i, f := range got {
			if f.Reason != sluice.Reason(fmt.Sprint("R", i)) {
				t.Fatalf("order: %v", lines(got))
			}
		}
	})
}

// TestBands: a check that can't move the total over a band is not run.
func TestBands(t *testing.T) {
	high := func(g sluice.Group) sluice.Evidence { return sluice.Evidence{Reason: "X", Group: g, Raw: 100} }
	cfg := config()
	cfg.Bands = []float64{0.7, 0.95, 0.999}
	cfg.Weights = verdict.Weights{Prior: -10}
	for g := range cfg.Weights.Groups {
		cfg.Weights.Groups[g] = verdict.Group{Slope: 1, Low: 2, High: 20}
	}
	three := []sluice.Evidence{high(sluice.GroupLink), high(sluice.GroupScam), high(sluice.GroupBrand)} // 50 dB
	tests := []struct {
		name   string
		ledger []sluice.Evidence
		id     sluice.Reason
		phase  sluice.Phase
		runs   bool
	}{
		{"may still matter", nil, "A", sluice.PhaseMessage, true},
		{"far above", three, "A", sluice.PhaseMessage, false},
		{"far above, but it may find malware", three, reason.EICAR, sluice.PhaseMessage, true},
		{"far above, but it may be allowed", three, reason.AdminAllow, sluice.PhaseMessage, true},
		{"far above, but early", three, "A", sluice.PhaseHello, true},
		// The text group may bring 20 dB: from −10 to 10, over the tag at 3.7.
		{"its reasons count in another group", three[:1], reason.HeloOurs, sluice.PhaseMessage, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := says("a", tt.id)
			c.info.Phase = tt.phase
			p := New([]check.Checker{c}, cfg)
			got := p.Run(context.Background(), tt.phase, &check.Input{}, tt.ledger)
			if runs := p.Stats()[0].Runs == 1; runs != tt.runs || runs != (len(got) == 0) {
				t.Errorf("ran %v, want %v: %v", runs, tt.runs, lines(got))
			}
		})
	}
}

// TestTidy: what a check says is bounded, and its own slice left alone.
func TestTidy(t *testing.T) {
	own := make([]sluice.Evidence, maxFound+10)
	for i := range own {
		own[i] = sluice.Evidence{Reason: "A", Raw: float64(i), Detail: strings.Repeat("x", maxDetail+1)}
	}
	own[3].Raw = math.NaN()
	own[5].Hard = sluice.HardStop
	p := New([]check.Checker{says("a", "A", own...)}, config())
	got := p.Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil)
	if len(got) != maxFound || got[0].Hard != sluice.HardStop || got[1].Raw != maxFound+9 {
		t.Errorf("%d pieces, first %v %v", len(got), got[0].Hard, got[1].Raw)
	}
	if len(got[0].Detail) > maxDetail+len("…") {
		t.Errorf("detail of %d bytes", len(got[0].Detail))
	}
	few := own[:2:2]
	if got := New([]check.Checker{says("a", "A", few...)}, config()).Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil); len(got) != 2 || got[0].Phase == 0 {
		t.Errorf("few: %d pieces", len(got))
	}
	if own[0].Phase != 0 || own[0].Raw != 0 || len(own[0].Detail) != maxDetail+1 {
		t.Error("the check's own slice was changed")
	}
}

func TestNewRefuses(t *testing.T) {
	noPhase, noReason := says("a", "A"), says("a", "A")
	noPhase.info.Phase, noReason.info.Reasons = 0, nil
	for name, checks := range map[string][]check.Checker{
		"no phase": {noPhase}, "no reason": {noReason}, "no name": {says("", "A")}, "a name twice": {says("a", "A"), says("a", "B")},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			New(checks, config())
		}()
	}
}

// TestRace runs one pipeline from several goroutines for the race detector.
func TestRace(t *testing.T) {
	shared := []sluice.Evidence{{Reason: "A", Raw: 1}}
	p := New([]check.Checker{says("a", "A", shared...), waits("b", "B", time.Microsecond), fails("c", "C", check.Closed, errors.New("x"))}, config())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				p.Run(context.Background(), sluice.PhaseMessage, &check.Input{}, shared)
				p.Stats()
			}
		})
	}
	group.Wait()
	if s := p.Stats(); s[0].Runs != 400 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkRun(b *testing.B) {
	var checks []check.Checker
	for i := range 20 {
		checks = append(checks, says(fmt.Sprint(i), "A", sluice.Evidence{Reason: "A", Raw: 0.1}))
	}
	cfg := config()
	cfg.Bands = []float64{0.7, 0.95, 0.999}
	p := New(checks, cfg)
	b.ReportAllocs()
	for b.Loop() {
		p.Run(context.Background(), sluice.PhaseMessage, &check.Input{}, nil)
	}
}
