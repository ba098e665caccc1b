package pool

import (
	"os"
	"syscall"
)

// nobody owns nothing.
const nobody = 65534

// attributes of a new process: a gateway that runs as root gives that up for it.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true} // a signal from the terminal is the gateway's
	if os.Geteuid() == 0 {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}
