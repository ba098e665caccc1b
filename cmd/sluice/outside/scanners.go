package outside

import (
	"fmt"
	"strings"
	"time"

	"sluice/cmd/sluice/build"
	"sluice/engine"
	"sluice/inspect/pool"
	"sluice/inspect/tools"
	"sluice/live"
)

// scanners shows those that look into files.
func scanners(s *build.Scanners) func(now time.Time) []live.Scanner {
	return func(now time.Time) []live.Scanner {
		var out []live.Scanner
		if s.Pool != nil {
			out = append(out, processes(s.Pool.Health()))
		}
		if s.Tools != nil {
			out = append(out, programs(s.Tools.Health()))
		}
		for _, g := range s.Engines {
			out = append(out, beside(now, g.Health()))
		}
		if s.Hashes != nil {
			for _, h := range s.Hashes.Health() {
				x := live.Scanner{Name: h.Name, Kind: live.ScannerList, State: engine.Up.String(), Well: h.Why == "", Since: h.Read, Entries: h.Entries + h.Near,
					Words: h.Path}
				if h.Why != "" {
					x.Trouble = []string{h.Why}
				}
				out = append(out, x)
			}
		}
		return out
	}
}

// programs are the tools and the processes that run them.
func programs(h tools.Health) live.Scanner {
	x := processes(h.Health)
	x.Name = "tools"
	x.Words = strings.Join(h.Programs, ", ") + "; " + x.Words
	if h.Trouble != "" {
		x.Well = false
		x.Trouble = append(x.Trouble, h.Trouble)
	}
	return x
}

func processes(h pool.Health) live.Scanner {
	x := live.Scanner{Name: "sandbox", Kind: live.ScannerProcesses, State: engine.Up.String(), Processes: h.Processes, Running: h.Running,
		Deaths: h.Deaths, LastDeath: h.LastDeath, Waiting: h.Waiting, Asked: h.Looked + h.Early, Failed: h.Failed, Words: held(h.Sandbox)}
	if h.Trouble != "" {
		x.State, x.Trouble = engine.Down.String(), append(x.Trouble, h.Trouble)
	} else if len(h.Sandbox) == 0 {
		x.State = engine.Unasked.String()
	} else if !h.Strict {
		x.Trouble = append(x.Trouble, "nothing keeps it from this machine's files and programs: sluice doctor says what to do")
	}
	x.Well = len(x.Trouble) == 0
	if h.Why != "" { // no trouble of ours: the files did it
		x.Words += "; last death: " + h.Why
	}
	return x
}

// held shortens the lines of a sandbox to the names of its layers.
func held(lines []string) string {
	var by, not []string
	for _, l := range lines {
		name, state, _ := strings.Cut(l, ": ")
		if strings.HasPrefix(state, "holds") {
			by = append(by, name)
		} else {
			not = append(not, name)
		}
	}
	var out []string
	if len(by) > 0 {
		out = append(out, "held by "+strings.Join(by, ", "))
	}
	if len(not) > 0 {
		out = append(out, "not by "+strings.Join(not, ", "))
	}
	return strings.Join(out, "; ")
}

func beside(now time.Time, h engine.Health) live.Scanner {
	x := live.Scanner{Name: h.Name, Kind: live.ScannerEngine, State: h.State.String(), Well: h.Well(), Since: h.Since, Words: h.Version,
		Waiting: h.Waiting, Asked: h.Scans, Found: h.Found, Failed: h.Failed + h.Refused, Trouble: h.Warnings}
	if !h.Database.IsZero() {
		days := max(0, int(now.Sub(h.Database)/(24*time.Hour)))
		x.Words += fmt.Sprintf("; signatures %d days old", days)
	}
	if h.Why != "" && h.State != engine.Up {
		why := strings.TrimPrefix(strings.TrimPrefix(h.Why, h.Name+": "), "engine: ") // the name stands beside it
		x.Trouble = append([]string{why}, x.Trouble...)
	}
	return x
}
