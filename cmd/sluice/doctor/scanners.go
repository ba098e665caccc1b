package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sluice/cmd/sluice/build"
	"sluice/engine"
	"sluice/inspect/sandbox"
)

// layerFixes say what to do where a layer of the sandbox is missing.
var layerFixes = map[string]string{
	sandbox.LayerPrivileges: "run a kernel of 3.5 or later",
	sandbox.LayerLimits:     "find out what forbids setrlimit(2)",
	sandbox.LayerLandlock:   "run a kernel of 5.13 or later that starts with landlock in its lsm= list; seccomp alone keeps files away too",
	sandbox.LayerSeccomp:    "in a container, let its profile allow seccomp(2) and prctl(2); else a kernel with CONFIG_SECCOMP_FILTER",
}

// sandbox says what this machine has to hold the processes that look into files, layer
// by layer, and what to do about what is missing.
func (x *examiner) sandbox(context.Context) []Finding {
	if x.cfg.Files.Off {
		return one(Warn, "files.off: nobody looks into files, so names and first octets alone count", "take the setting out")
	}
	layers := x.m.layers()
	var holds []string
	var out []Finding
	for _, l := range layers {
		name := l.Name
		if l.Detail != "" {
			name += " (" + l.Detail + ")"
		}
		switch fix, hard := layerFixes[l.Name]; {
		case l.Holds:
			holds = append(holds, name)
		case hard:
			out = append(out, Finding{What: "sandbox", Level: Warn, Text: "missing: " + name, Fix: fix})
		default: // the cgroup: there is something in its place
			out = append(out, Finding{What: "sandbox", Level: OK, Text: "no " + name + ", seen from this shell; where systemd starts Sluice, Delegate=memory and DelegateSubgroup=main in its unit let the kernel do it"})
		}
	}
	first := Finding{What: "sandbox", Level: OK, Text: "files are looked into behind: " + strings.Join(holds, ", ")}
	if !sandbox.Strict(layers) {
		first = Finding{What: "sandbox", Level: Warn, Text: "nothing keeps the decoders from this machine's files and programs",
			Fix: "mend what is missing below; files.strict = true looks into nothing until then"}
		if x.cfg.Files.Strict {
			first.Level, first.Fix = Bad, "files.strict is set, so no file is looked into and mail with files is "+x.unlooked()+": mend what is missing below"
		}
	}
	return append([]Finding{first}, out...)
}

// unlooked is what becomes of mail whose files nobody looks into.
func (x *examiner) unlooked() string {
	if x.cfg.Files.Unavailable == "accept" {
		return "accepted without a look"
	}
	return "deferred"
}

// scanners asks the engines and reads the lists of digests.
func (x *examiner) scanners(ctx context.Context) []Finding {
	s, err := build.Engines(x.cfg, nil, x.log)
	if err != nil {
		return []Finding{{What: "engines", Level: Bad, Text: "sluice serve would stop: " + err.Error(), Fix: "correct the setting or the file that the message names"}}
	}
	found := make([][]Finding, len(s.Engines))
	var running sync.WaitGroup
	for i, g := range s.Engines {
		running.Go(func() { found[i] = x.engine(g, looked(ctx, g)) })
	}
	running.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	if s.Hashes != nil {
		for _, h := range s.Hashes.Health() {
			f := Finding{What: h.Name, Level: OK, Text: fmt.Sprintf("%s, %s: %s", count(h.Entries, "SHA-256"), count(h.Near, "TLSH digest"), h.Path)}
			switch {
			case h.Why != "":
				f.Level, f.Text, f.Fix = Bad, h.Why, "correct the file"
			case h.Entries+h.Near == 0:
				f.Level, f.Text, f.Fix = Warn, "is empty: "+h.Path, "put digests into it, one a line, or take the list out"
			}
			out = append(out, f)
		}
	}
	return out
}

// looked has a scanner looked at once.
func looked(ctx context.Context, g *engine.Guarded) engine.Health {
	ctx, cancel := context.WithTimeout(ctx, checkTime-500*time.Millisecond)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(ctx)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if h := g.Health(); h.State == engine.Up || h.State == engine.Down {
			return h
		}
		select {
		case <-tick.C:
		case <-done: // it can't be looked at
			return g.Health()
		case <-ctx.Done():
		}
	}
	return g.Health()
}

func (x *examiner) engine(g *engine.Guarded, h engine.Health) []Finding {
	what := g.Name()
	if h.State != engine.Up {
		why := strings.TrimPrefix(strings.TrimPrefix(h.Why, what+": "), "engine: ") // the name stands before it
		if why == "" {
			why = "no answer"
		}
		return []Finding{{What: what, Level: Bad, Text: "doesn't answer: " + engine.Printable(why, longText), Fix: "start it, or correct engines." + what + ".addresses"}}
	}
	text := "answers"
	if h.Version != "" {
		text += ": " + engine.Printable(h.Version, 120)
	}
	if !h.Database.IsZero() {
		text += fmt.Sprintf("; its signatures are %s old", count(max(0, int(x.m.now().Sub(h.Database)/(24*time.Hour))), "day"))
	}
	out := []Finding{{What: what, Level: OK, Text: text}}
	for _, w := range h.Warnings {
		fix := "look at its own log"
		if strings.Contains(w, "signatures") {
			fix = "have freshclam, or what else fetches its signatures, run"
		}
		out = append(out, Finding{What: what, Level: Warn, Text: w, Fix: fix})
	}
	if what == "clamd" {
		out = append(out, x.clamd())
	}
	return out
}

// clamd looks at the one setting that no command tells: without it, what lies beyond
// clamd's limits passes as clean.
func (x *examiner) clamd() Finding {
	f := Finding{What: "clamd", Level: OK}
	const fix = "AlertExceedsMax yes in its clamd.conf; else what lies beyond its limits passes as clean"
	local := false
	for _, a := range x.cfg.Engines.Clamd.Addresses {
		local = local || strings.HasPrefix(a, "unix:") || strings.HasPrefix(a, "/")
	}
	path, conf := "", []byte(nil)
	if local {
		path, conf = x.m.clamd()
	}
	switch {
	case path == "":
		f.Text = "whether it tells of files beyond its limits can't be seen from here: it should have " + fix
	case clamdAlerts(string(conf)):
		f.Text = "tells of files beyond its limits (AlertExceedsMax)"
	default:
		f.Level, f.Text, f.Fix = Warn, "says nothing of files beyond its limits, by "+path, "set "+fix
	}
	return f
}

// clamdAlerts reads the setting as clamd.conf(5) writes it; the last line counts.
func clamdAlerts(conf string) (yes bool) {
	for l := range strings.Lines(conf) {
		if f := strings.Fields(l); len(f) == 2 && f[0] == "AlertExceedsMax" {
			switch strings.ToLower(f[1]) {
			case "yes", "true", "1":
				yes = true
			default:
				yes = false
			}
		}
	}
	return yes
}

// clamdConf reads clamd's settings where distributions put them; "" where they aren't,
// or can't be read.
func clamdConf() (path string, conf []byte) {
	for _, p := range []string{"/etc/clamav/clamd.conf", "/etc/clamd.d/scan.conf", "/etc/clamd.conf", "/usr/local/etc/clamd.conf"} {
		if b, err := os.ReadFile(filepath.Clean(p)); err == nil {
			return p, b
		}
	}
	return "", nil
}
