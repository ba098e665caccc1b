//go:build !linux

package pool

import "syscall"

func attributes(*cgroup) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

func hasMark(string, string) bool { return false }
