package ref

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LoadOrCreateKeys reads a key file: one key a line in hexadecimal, newest
// first; empty lines and lines that begin with # don't count. Where the file is
// missing it makes one with a fresh key, readable by its owner only and synced.
// To rotate, put a new line on top and drop the last one after a token's
// lifetime. A file that others may read is an error: whoever has a key can forge
// tokens.
func LoadOrCreateKeys(path string, rand io.Reader) ([][]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createKeys(path, rand)
	}
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("ref: key file %s is open to others (mode %04o): make it 0600", path, st.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	return parseKeys(path, string(text))
}

func parseKeys(path, text string) ([][]byte, error) {
	var keys [][]byte
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := hex.DecodeString(line)
		if err != nil || len(k) != KeySize {
			// The line itself isn't quoted: it may be most of a key.
			return nil, fmt.Errorf("ref: %s:%d: want a key of %d hexadecimal digits", path, n, 2*KeySize)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("ref: %s holds no key", path)
	}
	return keys, nil
}

// createKeys writes beside the path and links into place, so that of two
// processes that start together both use the file of the first.
func createKeys(path string, rand io.Reader) ([][]byte, error) {
	k := make([]byte, KeySize)
	if _, err := io.ReadFull(rand, k); err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintf(f, "# Seals the links in replies. Keep it secret; copy it to every node.\n%x\n", k)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("ref: %w", err)
	}
	switch err := os.Link(f.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return LoadOrCreateKeys(path, rand)
	case err != nil:
		return nil, fmt.Errorf("ref: %w", err)
	}
	return [][]byte{k}, nil
}
