//go:build unix

package icap_test

import "syscall"

// ownGroup puts a process into a group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// endGroup ends a process and those that it made.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
