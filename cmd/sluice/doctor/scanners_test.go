package doctor

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/engine"
	"sluice/engine/enginetest"
	"sluice/inspect/sandbox"
)

func TestSandbox(t *testing.T) {
	full := bench().layers()
	without := func(names ...string) []sandbox.Layer {
		var out []sandbox.Layer
		for _, l := range full {
			for _, n := range names {
				if l.Name == n {
					l.Holds, l.Detail = false, "not here"
				}
			}
			out = append(out, l)
		}
		return out
	}
	for _, c := range []struct {
		name, settings string
		layers         []sandbox.Layer
		want           []string
	}{
		{"all", "", full, []string{"ok files are looked into behind: no new privileges, rlimits, landlock (version 4), seccomp, memory cgroup (delegated)"}},
		{"no cgroup", "", without("memory cgroup"), []string{"ok files are looked into behind: ", "ok no memory cgroup (not here), seen from this shell; where systemd"}},
		{"no landlock", "", without(sandbox.LayerLandlock), []string{"ok files are looked into behind: no new privileges, rlimits, seccomp,", "warn missing: landlock (not here)"}},
		{"neither", "", without(sandbox.LayerLandlock, sandbox.LayerSeccomp), []string{"warn nothing keeps the decoders from", "warn missing: landlock", "warn missing: seccomp"}},
		{"neither, strict", "[files]\nstrict = true\n", without(sandbox.LayerLandlock, sandbox.LayerSeccomp), []string{"bad nothing keeps the decoders from", "warn missing: landlock", "warn missing: seccomp"}},
		{"off", "[files]\noff = true\n", without(sandbox.LayerLandlock, sandbox.LayerSeccomp), []string{"warn files.off: "}},
	} {
		x := with(t, settings(t, c.settings), `{}`)
		x.m.layers = func() []sandbox.Layer { return c.layers }
		want(t, c.name, x.sandbox(t.Context()), c.want...)
	}
}

// TestEngine says how a scanner is, and what it says of itself.
func TestEngine(t *testing.T) {
	x := with(t, settings(t, ""), `{}`)
	look := func(err error, i engine.Info) []Finding {
		s := &enginetest.Scanner{}
		s.Fail(err, err)
		s.Say(i)
		g := engine.Guard(s, engine.GuardConfig{Now: x.m.now})
		return x.engine(g, looked(t.Context(), g))
	}
	want(t, "well", look(nil, engine.Info{Version: "V 1", Database: today.Add(-50 * time.Hour)}), "ok answers: V 1; its signatures are 2 days old")
	want(t, "bare", look(nil, engine.Info{}), "ok answers")
	want(t, "old", look(nil, engine.Info{Version: "V 1", Database: today.AddDate(0, 0, -30)}), "ok answers: V 1; its signatures are 30 days old", "warn its signatures are 30 days old")
	want(t, "warns", look(nil, engine.Info{Warnings: []string{"host: refused\x1b"}}), "ok answers", "warn host: refused")
	want(t, "away", look(errors.New("connection refused"), engine.Info{}), "bad doesn't answer: connection refused")
}

// clamdOn plays a clamd that knows two commands.
func clamdOn(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r, n := bufio.NewReader(c), 0
				for {
					line, err := r.ReadString(0)
					if err != nil {
						return
					}
					if line == "zIDSESSION\x00" {
						continue
					}
					n++
					answer := map[string]string{"zPING\x00": "PONG", "zVERSION\x00": "ClamAV 1.4.3/27800/Sun Feb 28 08:27:44 2027"}[line]
					fmt.Fprintf(c, "%d: %s\x00", n, answer)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestScanners goes the whole way: settings, socket, lists of digests, clamd's own
// settings.
func TestScanners(t *testing.T) {
	list := filepath.Join(t.TempDir(), "bad.sha256")
	if err := os.WriteFile(list, []byte(strings.Repeat("ab", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := with(t, settings(t, fmt.Sprintf("[engines.clamd]\naddresses = [\"unix:%s\"]\n[engines.icap]\naddresses = [\"icap://127.0.0.1:1/scan\"]\n[[engines.hashes]]\npath = %q\nname = \"ours\"\n",
		clamdOn(t), list)), `{}`)
	clamd := "ok answers: ClamAV 1.4.3/27800/Sun Feb 28 08:27:44 2027; its signatures are "
	for conf, says := range map[string]string{
		"":                       "warn says nothing of files beyond its limits, by /etc/clamd.conf",
		"#AlertExceedsMax yes\n": "warn says nothing of files beyond its limits",
		"AlertExceedsMax yes\n":  "ok tells of files beyond its limits",
		"AlertExceedsMax true\nAlertExceedsMax no\n": "warn says nothing of files",
	} {
		x.m.clamd = func() (string, []byte) { return "/etc/clamd.conf", []byte(conf) }
		want(t, conf, x.scanners(t.Context()), clamd, says, "bad doesn't answer: ", "ok 1 SHA-256, 0 TLSH digests: ")
	}
	x.m.clamd = func() (string, []byte) { return "", nil }
	want(t, "unseen", x.scanners(t.Context())[1:2], "ok whether it tells of files beyond its limits can't be seen from here: it should have AlertExceedsMax yes")
	x.cfg.Engines.Hashes[0].Path = "/none"
	want(t, "no list", x.scanners(t.Context()), "bad sluice serve would stop: ")
	want(t, "none", with(t, settings(t, ""), `{}`).scanners(t.Context()))
}
