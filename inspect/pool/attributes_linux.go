package pool

import (
	"os"
	"syscall"
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
