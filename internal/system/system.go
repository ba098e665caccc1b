// Package system holds what whole-program tests need: a built binary, a sink
// that remembers what it acknowledged, and an SMTP client that says exactly
// what it is told. The tests here start the daemon as a user would, kill it, and
// watch its system calls.
package system

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var build struct {
	sync.Once
	path string
	err  error
}

// Binary builds the sluice command once a test run and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("SLUICE_TEST_BINARY"); path != "" {
		return path // a test that runs itself again has built it
	}
	build.Do(func() {
		dir, err := os.MkdirTemp("", "sluice-bin-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "sluice")
		cmd := exec.Command("go", "build", "-o", build.path, "sluice/cmd/sluice")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go build: %v\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Cleanup removes the built binary; TestMain calls it.
func Cleanup() {
	if build.path != "" {
		_ = os.RemoveAll(filepath.Dir(build.path))
	}
}

// FreePort returns a loopback address that nobody listens on right now.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
