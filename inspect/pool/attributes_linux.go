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

// endGroup waits until a process has ended, and ends those that it has started: they
// are in its group. The process isn't reaped before, so that its number is nobody
// else's.
func endGroup(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
}

// reapGroup takes in what of a group became ours: orphans are the first process's, which
// in a container may be this one.
func reapGroup(pid int) {
	if os.Getpid() != 1 {
		return
	}
	for {
		if _, err := unix.Wait4(-pid, nil, 0, nil); err != unix.EINTR && err != nil {
			return
		}
	}
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
