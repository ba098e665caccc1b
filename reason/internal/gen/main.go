// Command gen turns reason/catalogue/*.toml into Go constants, the table of
// entries, and docs/reasons.md, and reason/words/*.toml into the table of
// translations. It runs in the folder of package reason:
//
//	go generate ./reason
//
// Any fault of the catalogue is an error with file and line, and nothing is
// written.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

const (
	catalogueDir = "catalogue"
	goFile       = "reasons_gen.go"
	docFile      = "../docs/reasons.md"
	wordsDir     = "words"
	wordsFile    = "words_gen.go"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run generates both files below dir, the folder of package reason.
func run(dir string) error {
	files, err := generate(dir)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("gen: %w", err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("gen: %w", err)
		}
	}
	return nil
}

// generate reads the catalogue below dir and returns the files made from it, by
// their path relative to dir.
func generate(dir string) (map[string][]byte, error) {
	c, err := readCatalogue(filepath.Join(dir, catalogueDir))
	if err != nil {
		return nil, err
	}
	src, err := goSource(c)
	if err != nil {
		return nil, err
	}
	tongues, err := readWords(filepath.Join(dir, wordsDir), c)
	if err != nil {
		return nil, err
	}
	words, err := wordsSource(tongues)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{goFile: src, docFile: document(c), wordsFile: words}, nil
}
