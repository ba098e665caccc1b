package directory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxPassword bounds the first line of a password file.
const maxPassword = 4096

// ReadPassword reads a password from the first line of a file, for sources that
// log in.
func ReadPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("directory: password: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err != nil {
		return "", fmt.Errorf("directory: password: %w", err)
	}
	password, _, _ := strings.Cut(string(b), "\n")
	password = strings.TrimSuffix(password, "\r")
	switch {
	case password == "":
		return "", errors.New("directory: password: the first line of " + path + " is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("directory: password: %s has over %d octets in its first line", path, maxPassword)
	}
	return password, nil
}
