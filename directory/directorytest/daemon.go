package directorytest

import (
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// FreePort is a TCP port of 127.0.0.1 that nobody listened on a moment ago, for a
// server that can't say which one it took.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Ordinary is how to start a server as an ordinary user, with a folder that is
// theirs until the test ends: as the first of names that exists where the test
// runs as root, else as who we are.
func Ordinary(t testing.TB, names ...string) (dir string, attr *syscall.SysProcAttr) {
	t.Helper()
	// Not t.TempDir, whose parent only its owner may enter.
	dir, err := os.MkdirTemp("", "sluice-server")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		return dir, attr
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return dir, attr
	}
	t.Skip("the server doesn't run as root, and there is no other user to start it as")
	return "", nil
}
