package pool

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody owns nothing.
const nobody = 65534

// attributes of a new process: a gateway that runs as root gives that up for it.
func attributes(g *cgroup) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true} // a signal from the terminal is the gateway's
	if os.Geteuid() == 0 {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if g != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(g.dir.Fd())
	}
	return a
}

// hasMark says whether an extended attribute is set to 1.
func hasMark(path, name string) bool {
	b := make([]byte, 8)
	n, err := syscall.Getxattr(path, name, b)
	return err == nil && string(b[:n]) == "1"
}

// widen makes a pipe hold as much as anybody's may, so that a body takes few turns.
func widen(f *os.File) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
}
