package sandbox

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// Calls that only this architecture has.
var (
	runtimeCalls []uintptr
	oldForks     []uintptr
	oldIntruders = []uintptr{unix.SYS_KEXEC_FILE_LOAD}
)
