//go:build unix

package icap_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/engine"
	"sluice/engine/clamd/clamdtest"
	"sluice/engine/icap"
)

// service starts Debian's c-icap with its echo service and, before a clamd, its
// antivirus service. It stops with the test.
func service(t *testing.T, clamd string) (address string) {
	t.Helper()
	program, err := exec.LookPath("c-icap")
	if err != nil {
		t.Skip("c-icap is not installed: scripts/install-test-deps")
	}
	modules, err := filepath.Glob("/usr/lib/*/c_icap/clamd_mod.so")
	if err != nil || len(modules) == 0 {
		t.Skip("c-icap's antivirus module is not installed: scripts/install-test-deps")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_ = l.Close()
	dir, err := os.MkdirTemp("", "icap")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	lib := filepath.Dir(modules[0])
	conf := strings.NewReplacer("DIR", dir, "LIB", lib, "ADDRESS", address, "CLAMD", clamd).Replace(`PidFile DIR/pid
CommandsSocket DIR/ctl
Port ADDRESS
StartServers 1
MaxServers 2
MinSpareThreads 2
MaxSpareThreads 4
ThreadsPerChild 4
ServerName test
TmpDir DIR
ModulesDir LIB
ServicesDir LIB
TemplateDir /usr/share/c_icap/templates/
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog DIR/server.log
AccessLog DIR/access.log
Service echo srv_echo.so
Module common clamd_mod.so
clamd_mod.ClamdSocket CLAMD
Service antivirus_module virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.SendPercentData 5
virus_scan.StartSendPercentDataAfter 50M
virus_scan.MaxObjectSize 50M
virus_scan.DefaultEngine clamd
`)
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-N", "-f", file)
	cmd.SysProcAttr = ownGroup()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		endGroup(cmd.Process.Pid) // with the processes that it made
		_ = cmd.Wait()
	})
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address
		}
		time.Sleep(25 * time.Millisecond)
	}
	logged, _ := os.ReadFile(filepath.Join(dir, "server.log"))
	t.Fatalf("c-icap doesn't answer: %s", logged)
	return ""
}

// TestService asks a real ICAP service that asks a real clamd.
func TestService(t *testing.T) {
	const evil = "harmless text that a signature of this test knows"
	d := clamdtest.Start(t, clamdtest.Options{Signatures: clamdtest.Signatures{Strings: map[string]string{"Sluice.Test.Text": evil}}})
	address := service(t, d.Socket)
	mail := func(body string) []byte { return []byte("From: a@example.org\r\nSubject: x\r\n\r\n" + body) }
	large := strings.Repeat("some words of a long message\r\n", 200_000)

	echo, err := icap.New(icap.Config{URLs: []string{"icap://" + address + "/echo"}})
	if err != nil {
		t.Fatal(err)
	}
	scan, err := icap.New(icap.Config{URLs: []string{"icap://" + address + "/avscan"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = echo.Close(), scan.Close() })
	ctx := within(t, 60*time.Second)
	info, err := scan.Probe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", info)
	for round := range 3 {
		for name, c := range map[string]struct {
			client *icap.Client
			body   string
			want   string
		}{
			"echo":       {echo, "x", "[]"},
			"echo large": {echo, large, "[]"},
			"clean":      {scan, "x", "[]"},
			"large":      {scan, large, "[]"},
			"found":      {scan, evil, "[{icap Sluice.Test.Text.UNOFFICIAL malware }]"},
			"far behind": {scan, large + evil, "[{icap Sluice.Test.Text.UNOFFICIAL malware }]"},
		} {
			found, err := c.client.Scan(ctx, mail(c.body))
			if err != nil || fmt.Sprint(found) != c.want {
				t.Errorf("round %d, %s: %v, %v, want %s", round, name, found, err, c.want)
			}
		}
	}
	none, err := icap.New(icap.Config{URLs: []string{"icap://" + address + "/nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := none.Scan(ctx, mail("x")); err == nil {
		t.Errorf("a service that isn't there: %v", found)
	}
	// The service stays, and what it asks is gone: whatever it says then isn't clean.
	d.Kill()
	if found, err := scan.Scan(ctx, mail("x")); err == nil && len(found) == 0 {
		t.Error("without clamd the service calls a message clean")
	} else {
		t.Logf("without clamd: %v, %v", found, err)
	}
	var _ engine.Prober = scan
}
