package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sluice/eval/bareloop"
	"sluice/eval/swarm"
	"sluice/eval/swarm/talk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func swarmed(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// TestPrint runs what prints the population.
func TestPrint(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"families --bots 100", "harvest-slow/train/2"},
		{"families --split test --json --bots 100", `"id":"qmail"`},
		{"zones --bots 100", "in-addr.arpa. 300 IN PTR"},
		{"zones --bots 100 --blocklist bl.swarm", "2.0.0.127.bl.swarm. 300 IN A 127.0.0.2"},
		{"recipients --domain port.swarm", "postmaster@port.swarm"},
		{"recipients --traps", "spider7@harbour.swarm"},
		{"accounts --submission 127.0.0.1:587", "@harbour.swarm "},
	} {
		code, out, errs := swarmed(t, strings.Fields(x.args)...)
		if code != 0 || !strings.Contains(out, x.want) {
			t.Errorf("%s: status %d, %.200q, %s", x.args, code, out, errs)
		}
	}
}

// TestRun plays against the bare loop, which no mail gets through.
func TestRun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- bareloop.Serve(l) }()
	defer func() { l.Close(); <-done }()
	report, sessions := filepath.Join(t.TempDir(), "r.json"), filepath.Join(t.TempDir(), "s.json")
	args := []string{"run", "--addr", l.Addr().String(), "--bots", "60", "--honest", "20", "--time", "200ms", "--grace", "1s", "--patience", "1s",
		"--json", report, "--sessions", sessions, "--require"}
	code, out, errs := swarmed(t, args...)
	if code != 1 || !strings.Contains(out, "hostile: ") || !strings.Contains(errs, "no honest message was delivered") {
		t.Errorf("status %d\n%s\n%s", code, out, errs)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var rep swarm.Report
	if err := json.Unmarshal(b, &rep); err != nil || rep.Bots < 60 || len(rep.Families) == 0 {
		t.Errorf("%v: %.300s", err, b)
	}
	b, err = os.ReadFile(sessions)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		var s talk.Session
		if err := json.Unmarshal([]byte(line), &s); err != nil || s.Family == "" || !s.Source.IsValid() {
			t.Errorf("%v: %s", err, line)
		}
		n++
	}
	if n < 80 {
		t.Errorf("%d sessions written", n)
	}
}

// TestRefused are command lines that the program doesn't take.
func TestRefused(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"run --addr 192.0.2.1:25", "not an address of this machine"},
		{"run --addr mail.swarm:25", "no address and port"},
		{"run --addr 127.0.0.1:25 --only nothing*", "nobody plays"},
		{"run --addr 127.0.0.1:25 --factor 0.5", "factor"},
		{"families --honest-net 127.0.0.0/8", "overlap"},
		{"families --bot-net x", "x"},
		{"run", "--addr"},
	} {
		code, _, errs := swarmed(t, strings.Fields(x.args)...)
		if code != 2 || !strings.Contains(errs, x.want) {
			t.Errorf("%s: status %d, %q", x.args, code, errs)
		}
	}
}
