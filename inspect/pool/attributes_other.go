//go:build !linux

package pool

import "syscall"

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
