package outside

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/engine"
	"sluice/engine/enginetest"
	"sluice/inspect/pool"
	"sluice/live"
)

// TestScanners: the board shows what there is, and what isn't well.
func TestScanners(t *testing.T) {
	now := time.Now()
	p := pool.New(pool.Config{Size: 1, Command: []string{"/nonexistent"}})
	defer p.Close()
	if err := p.Ready(t.Context()); !errors.Is(err, pool.ErrDown) {
		t.Fatal(err)
	}
	s := &enginetest.Scanner{Called: "clamd"}
	s.Say(engine.Info{Version: "V 1", Database: now.Add(-49 * time.Hour), Warnings: []string{"hm"}})
	g := engine.Guard(s, engine.GuardConfig{})
	if _, err := g.Scan(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	board := live.New(now, Rooms{Scanners: &build.Scanners{Pool: p, Engines: []*engine.Guarded{g}}}.Board())
	list := board.Snapshot(now).Scanners
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	if x := list[0]; x.Name != "sandbox" || x.Kind != live.ScannerProcesses || x.State != "down" || x.Well || x.Processes != 1 || x.Running != 0 || len(x.Trouble) != 1 || !strings.Contains(x.Trouble[0], "/nonexistent") {
		t.Errorf("%+v", x)
	}
	if x := list[1]; x.Name != "clamd" || x.Kind != live.ScannerEngine || x.Asked != 1 || x.Failed != 0 {
		t.Errorf("%+v", x)
	}
	none, err := build.Engines(&config.Config{}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if list := live.New(now, Rooms{Scanners: none}.Board()).Snapshot(now).Scanners; list == nil || len(list) != 0 {
		t.Errorf("nobody: %#v", list)
	}
	h := pool.Health{Processes: 2, Running: 2, Sandbox: []string{"rlimits: holds (time)", "seccomp: holds", "landlock: does not hold (no)"}, Strict: true, Looked: 5, Early: 1, Failed: 2, Deaths: 3, Why: "crashed: x"}
	if x := processes(h); !x.Well || x.State != "up" || x.Asked != 6 || x.Failed != 2 || x.Deaths != 3 || x.Words != "held by rlimits, seccomp; not by landlock; last death: crashed: x" {
		t.Errorf("%+v", x)
	}
	h.Strict = false
	if x := processes(h); x.Well || len(x.Trouble) != 1 {
		t.Errorf("%+v", x)
	}
	down := beside(now, engine.Health{Name: "clamd", State: engine.Down, Why: "clamd: engine: gone", Warnings: []string{"old"}, Database: now.Add(-49 * time.Hour), Version: "V"})
	if down.Well || strings.Join(down.Trouble, ", ") != "gone, old" || down.Words != "V; signatures 2 days old" {
		t.Errorf("%+v", down)
	}
}
