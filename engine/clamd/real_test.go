package clamd_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/engine"
	"sluice/engine/clamd"
	"sluice/engine/clamd/clamdtest"
)

// evil is what the test's signatures know.
const evil = "harmless text that a signature of this test knows"

var signatures = clamdtest.Signatures{
	Strings: map[string]string{"Sluice.Test.Text": evil, "Heuristics.Sluice.Maybe": "text that is only suspected", "PUA.Sluice.Tool": "text of an unwanted tool"},
	Files:   map[string][]byte{"Sluice.Test.File": []byte("a whole file\n")},
	YARA:    "rule Sluice_Test_Rule { strings: $a = \"text of a rule\" nocase condition: $a }\n",
}

func mail(attachment string) []byte {
	return []byte("From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString([]byte(attachment)) + "\r\n--b--\r\n")
}

func connect(t testing.TB, c clamd.Config, addresses ...string) *clamd.Client {
	t.Helper()
	c.Hosts.Addresses = addresses
	client, err := clamd.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestDaemon asks a real clamd.
func TestDaemon(t *testing.T) {
	d := clamdtest.Start(t, clamdtest.Options{Signatures: signatures, TCP: true, Settings: []string{"StreamMaxLength 1M"}})
	for _, address := range []string{"unix:" + d.Socket, "tcp:" + d.TCP} {
		t.Run(strings.SplitN(address, ":", 2)[0], func(t *testing.T) {
			c := connect(t, clamd.Config{}, address)
			ctx := within(t, 30*time.Second)
			info, err := c.Probe(ctx)
			if err != nil || !strings.HasPrefix(info.Version, "ClamAV ") {
				t.Fatalf("%+v, %v", info, err)
			}
			// Rounds go through one session: what stays behind would be seen.
			for range 3 {
				for _, row := range []struct {
					name, body, signature string
					kind                  engine.Kind
				}{
					{"clean", "nothing", "", 0},
					{"text", "x " + evil + " y", "Sluice.Test.Text.UNOFFICIAL", engine.Malware},
					{"whole file", "a whole file\n", "Sluice.Test.File.UNOFFICIAL", engine.Malware},
					{"heuristics", "text that is only suspected", "Heuristics.Sluice.Maybe.UNOFFICIAL", engine.Suspicious},
					{"YARA", "x TEXT of a rule", "YARA.Sluice_Test_Rule.UNOFFICIAL", engine.Malware},
					{"unwanted", "text of an unwanted tool", "PUA.Sluice.Tool.UNOFFICIAL", engine.Suspicious},
				} {
					found, err := c.Scan(ctx, mail(row.body))
					if err != nil {
						t.Fatalf("%s: %v", row.name, err)
					}
					want := []engine.Finding(nil)
					if row.signature != "" {
						want = []engine.Finding{{Engine: "clamd", Signature: row.signature, Kind: row.kind}}
					}
					if fmt.Sprint(found) != fmt.Sprint(want) {
						t.Errorf("%s: %v, want %v", row.name, found, want)
					}
				}
				if _, err := c.Scan(ctx, make([]byte, 3<<20)); !errors.Is(err, engine.ErrUnscannable) {
					t.Errorf("beyond StreamMaxLength: %v", err)
				}
			}
			if found, err := c.Scan(ctx, nil); found != nil || err != nil {
				t.Errorf("empty: %v, %v", found, err)
			}
			info, err = c.Probe(ctx)
			if err != nil || !strings.Contains(strings.Join(info.Warnings, " "), "StreamMaxLength") {
				t.Errorf("no warning of the limit: %+v, %v", info, err)
			}
		})
	}
}

// TestFailover takes one of two daemons away, and both.
func TestFailover(t *testing.T) {
	a := clamdtest.Start(t, clamdtest.Options{Signatures: signatures})
	b := clamdtest.Start(t, clamdtest.Options{Signatures: signatures})
	c := connect(t, clamd.Config{}, a.Socket, b.Socket)
	ctx := within(t, 60*time.Second)
	scan := func(n int) {
		t.Helper()
		for i := range n {
			found, err := c.Scan(ctx, mail(fmt.Sprint(i, evil)))
			if err != nil || len(found) != 1 {
				t.Fatalf("scan %d: %v, %v", i, found, err)
			}
		}
	}
	scan(6)
	a.Kill()
	scan(6)
	if info, err := c.Probe(ctx); err != nil || len(info.Warnings) == 0 {
		t.Errorf("one is gone: %+v, %v", info, err)
	}
	b.Kill()
	if found, err := c.Scan(ctx, mail(evil)); err == nil {
		t.Errorf("both are gone: %v", found)
	}
	if _, err := c.Probe(ctx); err == nil {
		t.Error("both are gone, and the probe passes")
	}
}

// TestHung stops a daemon: connections are taken and nothing answers.
func TestHung(t *testing.T) {
	d := clamdtest.Start(t, clamdtest.Options{Signatures: signatures})
	c := connect(t, clamd.Config{}, d.Socket)
	g := engine.Guard(c, engine.GuardConfig{Timeout: time.Second, Failures: 2, Backoff: 100 * time.Millisecond})
	ctx := within(t, 60*time.Second)
	if _, err := c.Scan(ctx, mail("x")); err != nil {
		t.Fatal(err)
	}
	if err := d.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := g.Scan(ctx, mail("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stopped: %v", err)
		}
	}
	if h := g.Health(); h.State != engine.Down {
		t.Errorf("stopped: %+v", h)
	}
	if _, err := g.Scan(ctx, mail("x")); !errors.Is(err, engine.ErrDown) {
		t.Errorf("down: %v", err)
	}
	if err := d.Process().Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := g.Scan(ctx, mail("x")); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("it doesn't recover: %+v", g.Health())
}

// used is the processor time of this process, without clamd's.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkDaemon(b *testing.B) {
	d := clamdtest.Start(b, clamdtest.Options{Signatures: signatures})
	c := connect(b, clamd.Config{}, d.Socket)
	ctx := context.Background()
	b.Run("ping", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Probe(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, size := range []int{1 << 10, 10 << 10, 1 << 20, 10 << 20} {
		body := mail(string(bytes.Repeat([]byte("some words that are nothing. "), size/29*3/4)))
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			before := used(b)
			for b.Loop() {
				if _, err := c.Scan(ctx, body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(used(b)-before)/float64(b.N), "own-cpu-ns/op")
		})
	}
}
