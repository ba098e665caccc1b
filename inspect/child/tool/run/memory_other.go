//go:build !linux

package run

import (
	"errors"
	"os"
)

// Memory is not there.
func Memory(string, []byte) (*os.File, error) {
	return nil, errors.New("inspect/child/tool/run: only Linux has files in memory")
}
