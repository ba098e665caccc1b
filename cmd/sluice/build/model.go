package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/learn/text"
)

// LearnedFile holds what was learned here, apart from the weights that ship: so
// it can be taken back.
func LearnedFile(data string) string { return filepath.Join(data, "learned.text") }

// Model is the shipped model with what was learned here.
func Model(data string) (*text.Model, error) {
	base := text.Default()
	d, err := Learned(data)
	if err != nil || d == nil {
		return base, err
	}
	return base.With(d), nil
}

// Learned reads what was learned here; nil where nothing was.
func Learned(data string) (*text.Delta, error) {
	path := LearnedFile(data)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("learned weights: %w", err)
	}
	defer f.Close()
	d, err := text.LoadDelta(f)
	if err != nil {
		return nil, fmt.Errorf("learned weights: %s: %w; sluice learn --forget makes a new one", path, err)
	}
	return d, nil
}
