// Package clamdtest starts a real clamd for tests, with signatures that the test
// makes: nothing comes from outside, nothing stays.
package clamdtest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Options are what the daemon is told.
type Options struct {
	Signatures Signatures
	Settings   []string // further lines of clamd.conf
	TCP        bool     // listen on loopback too
}

// Signatures are signatures by their names.
type Signatures struct {
	Files   map[string][]byte // by the whole file's digest (.hdb)
	Strings map[string]string // anywhere in a file (.ndb)
	YARA    string            // rules (.yar)
}

// Daemon is a running clamd.
type Daemon struct {
	Socket string // absolute path
	TCP    string // host:port, "" without
	// Signatures is the folder, for clamscan --database.
	Signatures string

	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts clamd and stops it when the test ends. Where there is none the test is
// skipped.
func Start(t testing.TB, o Options) *Daemon {
	t.Helper()
	program, err := exec.LookPath("clamd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/clamd"); err != nil {
			t.Skip("clamd is not installed: scripts/install-test-deps")
		}
	}
	// The path of a socket is short: t.TempDir's may not be.
	dir, err := os.MkdirTemp("", "clamd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &Daemon{Socket: filepath.Join(dir, "s"), Signatures: filepath.Join(dir, "db"), done: make(chan struct{})}
	if err := write(d.Signatures, o.Signatures); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("DatabaseDirectory %s\nLocalSocket %s\nForeground yes\nTemporaryDirectory %s\nMaxThreads 4\nLogFile %s\nPidFile %s\n",
		d.Signatures, d.Socket, dir, filepath.Join(dir, "log"), filepath.Join(dir, "pid"))
	if o.TCP {
		d.TCP = freePort(t)
		_, port, _ := net.SplitHostPort(d.TCP)
		conf += "TCPSocket " + port + "\nTCPAddr 127.0.0.1\n"
	}
	if os.Getuid() == 0 {
		conf += "User root\n"
	}
	for _, s := range o.Settings {
		conf += s + "\n"
	}
	file := filepath.Join(dir, "clamd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(program, "--config-file="+file)
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stdout, d.cmd.Stderr = out, out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.cmd.Wait(); _ = out.Close(); close(d.done) }()
	t.Cleanup(d.Kill)
	if !d.wait(30 * time.Second) {
		said, _ := os.ReadFile(filepath.Join(dir, "out"))
		logged, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("clamd doesn't answer at %s: %s %s", d.Socket, said, logged)
	}
	return d
}

// Kill ends the daemon at once.
func (d *Daemon) Kill() {
	_ = d.cmd.Process.Kill()
	<-d.done
}

// Process is the daemon's process, for tests that stop it.
func (d *Daemon) Process() *os.Process { return d.cmd.Process }

func (d *Daemon) wait(most time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for ctx.Err() == nil {
		if c, err := net.Dial("unix", d.Socket); err == nil {
			_ = c.Close()
			return true
		}
		select {
		case <-d.done:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

func write(dir string, s Signatures) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	hdb, ndb := "", ""
	for name, data := range s.Files {
		sum := md5.Sum(data)
		hdb += fmt.Sprintf("%s:%d:%s\n", hex.EncodeToString(sum[:]), len(data), name)
	}
	for name, text := range s.Strings {
		ndb += fmt.Sprintf("%s:0:*:%s\n", name, hex.EncodeToString([]byte(text)))
	}
	if hdb+ndb+s.YARA == "" {
		ndb = "Sluice.Test.Never:0:*:" + hex.EncodeToString([]byte("no file of any test holds this text")) + "\n"
	}
	for name, text := range map[string]string{"test.hdb": hdb, "test.ndb": ndb, "test.yar": s.YARA} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
