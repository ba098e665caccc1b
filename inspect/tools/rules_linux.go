package tools

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile is a file that stands nowhere but in memory.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("yara rules", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("inspect/tools: memory for rules: %w", err)
	}
	return os.NewFile(uintptr(fd), "yara rules"), nil
}

// seal forbids all changes for good: processes that read hostile files share it.
func seal(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	if err != nil {
		return fmt.Errorf("inspect/tools: seal rules: %w", err)
	}
	return nil
}
