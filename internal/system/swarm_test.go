package system

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/deliver/delivertest"
	"sluice/dns/dnstest"
	"sluice/eval/swarm"
)

// TestSwarm plays honest senders and bots of the test split against the daemon with
// its defaults, in a network namespace of its own, where every simulated host has an
// address, a name and a history. Variables change the run: SLUICE_SWARM_SEED,
// SLUICE_SWARM_SPLIT, SLUICE_SWARM_BOTS, and SLUICE_SWARM_OUT for a folder that keeps
// the report.
func TestSwarm(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute; run without -short")
	}
	needRoot(t, "a network namespace")
	needTool(t, "ip", "iproute2")
	if os.Getenv("SLUICE_SWARM_INSIDE") == "" {
		inNetwork(t)
		return
	}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"route", "replace", "local", "198.18.0.0/15", "dev", "lo"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	playSwarm(t)
}

// inNetwork runs this test again in a network namespace that holds nothing.
func inNetwork(t *testing.T) {
	bin := Binary(t) // built out here
	cmd := exec.Command(os.Args[0], "-test.run=^TestSwarm$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), "SLUICE_SWARM_INSIDE=1", "SLUICE_TEST_BINARY="+bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("inside the namespace: %v", err)
	}
}

func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

func playSwarm(t *testing.T) {
	split := swarm.Test
	if s := os.Getenv("SLUICE_SWARM_SPLIT"); s != "" {
		split = swarm.Split(s)
	}
	cfg := swarm.Config{Seed: uint64(number("SLUICE_SWARM_SEED", 1)), Split: split, TLS: true,
		Honest: number("SLUICE_SWARM_HONEST", 250), Bots: number("SLUICE_SWARM_BOTS", 2500),
		Addr: FreePort(t), Submission: FreePort(t), SMTPS: FreePort(t),
		Time: 40 * time.Second, Grace: 25 * time.Second, Patience: 20 * time.Second, Factor: 60}
	cfg.HonestNet.UnmarshalText([]byte("198.18.0.0/16"))
	cfg.BotNet.UnmarshalText([]byte("198.19.0.0/16"))
	p, err := swarm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := dnstest.Parse("swarm.zone", strings.NewReader(p.Zones()+p.Blocklist("bl.swarm")))
	if err != nil {
		t.Fatal(err)
	}
	names, err := dnstest.Serve(zone)
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	back := delivertest.NewServer(t, delivertest.Script{Users: p.Accounts()})
	sink := NewSink(t, "message-id", nil)
	d := &daemon{t: t, addr: cfg.Addr, config: filepath.Join(t.TempDir(), "sluice.toml")}
	d.data = filepath.Join(t.TempDir(), "data")
	quoted := func(list []string) string {
		b, _ := json.Marshal(list)
		return string(b)
	}
	cert, key := certificate(t, t.TempDir(), "mx.harbour.swarm")
	// A minute of the swarm's is an hour: times at the port shrink likewise.
	d.configure(fmt.Sprintf(`hostname = "mx.harbour.swarm"
data = %q
[dns]
servers = [%q]
[tls]
cert = %q
key = %q
[limits]
command = "6s"
session = "15s"
[console]
address = ""
[connect]
greet_pause = "2s"
spare = []
[greylist]
wait = "1s"
[[dnsbl]]
zone = "bl.swarm"
weight = 8.0
[[listen]]
address = %q
[[listen]]
address = %q
kind = "submission"
[[listen]]
address = %q
kind = "submission"
tls = "implicit"
[[domain]]
names = ["harbour.swarm"]
relay = ["smtp://%s"]
recipients = ["people"]
[[directory]]
name = "people"
kind = "list"
addresses = %s
[traps]
addresses = %s
[submission]
login = ["smtp://%s"]
login_tls = "none"
relay = ["smtp://%s"]
`, d.data, names.Addr(), cert, key, cfg.Addr, cfg.Submission, cfg.SMTPS, sink.Addr, quoted(p.Recipients()), quoted(p.Traps()), back.Addr, sink.Addr))
	d.start()
	defer d.stop(os.Interrupt)
	d.wait()
	time.Sleep(2 * time.Second) // the DNS list proves itself

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	report := p.Report(p.Run(ctx))
	t.Logf("\n%s", report.Table())
	if dir := os.Getenv("SLUICE_SWARM_OUT"); dir != "" {
		b, _ := json.MarshalIndent(report, "", " ")
		_ = os.WriteFile(filepath.Join(dir, "report.json"), b, 0o644)
		_ = os.WriteFile(filepath.Join(dir, "report.txt"), []byte(report.Table()), 0o644)
		_ = os.WriteFile(filepath.Join(dir, "daemon.log"), []byte(d.log.String()), 0o644)
	}
	for _, m := range report.Miss(swarm.Bars{Early: 0.95}) {
		t.Error(m)
	}
}
