package run

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Memory is a file that stands nowhere but in memory, with a content, to be read from
// its beginning (memfd_create(2)).
func Memory(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("inspect/child/tool/run: memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err = f.Write(content); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("inspect/child/tool/run: memory: %w", err)
	}
	return f, nil
}
