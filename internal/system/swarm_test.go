package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/dns/dnstest"
	"sluice/eval"
	"sluice/eval/swarm"
	"sluice/reason"
	"sluice/store/sqlite"
)

// TestSwarm plays honest senders and bots of the test split against the daemon with
// its defaults, in a network namespace of its own, where every simulated host has an
// address, a name and a history. Variables change the run: SLUICE_SWARM_SEED,
// SLUICE_SWARM_SPLIT, SLUICE_SWARM_BOTS, and SLUICE_SWARM_OUT for a folder that keeps
// the report, on a quiet machine, with the full bars.
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
	defer d.stop(os.Interrupt) // a second time does nothing
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
	d.stop(os.Interrupt)
	separates(t, d.data, p)
	// Beside other tests on a busy machine clients run out of patience by accident:
	// then the run only guards against a fall. SLUICE_SWARM_OUT asks for the figures.
	bars := swarm.Bars{Early: 0.90, Delayed: 3}
	if os.Getenv("SLUICE_SWARM_OUT") != "" {
		bars = swarm.Bars{Early: 0.95}
	}
	for _, m := range report.Miss(bars) {
		t.Error(m)
	}
}

// separates looks at what the daemon had learned of each dialect when it judged by it,
// and nothing but its own outcomes taught it: the truth comes from the addresses, which
// it doesn't know.
func separates(t *testing.T, data string, p *swarm.Population) {
	t.Helper()
	// These speak like honest programs on purpose: no dialect can tell them apart.
	alike := map[string]bool{"snowshoe": true, "hacked": true, "bounce-flood": true, "smuggler": true}
	truth := map[netip.Addr]*swarm.Family{}
	for _, f := range p.Families() {
		for _, s := range f.Sources {
			truth[s.Addr] = f
		}
	}
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(data, "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var good, bad, all []float64
	for q := (sluice.Query{Limit: sluice.MaxPage}); ; {
		rows, err := store.Records(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			f := truth[r.Conn.Client.Addr().Unmap()]
			if f == nil || r.Phase < sluice.PhaseRcpt || r.Conn.Auth != "" {
				continue
			}
			var score float64
			for _, c := range r.Verdict.Ledger {
				if c.Reason == reason.DialectBad || c.Reason == reason.DialectGood {
					score += c.Raw
				}
			}
			switch {
			case f.Honest:
				good = append(good, score)
			case alike[f.Kind]:
				all = append(all, score)
			default:
				bad, all = append(bad, score), append(all, score)
			}
		}
		if len(rows) < q.Limit {
			break
		}
		q.Before = rows[len(rows)-1].ID
	}
	auc := eval.AUC(good, bad)
	t.Logf("learned dialects, each as known when it was judged: AUC %.3f over %d honest and %d hostile records (%.3f with the %d that speak like honest programs)",
		auc, len(good), len(bad), eval.AUC(good, all), len(all)-len(bad))
	if auc < 0.8 {
		t.Errorf("learned dialects hardly separate: AUC %.3f", auc)
	}
}
