// Package golden compares test output with files that people read in review,
// and rewrites them when the test runs with -update.
package golden

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files with what the tests produce")

// Check compares got with the file at path, which is relative to the test's
// package folder. With -update it writes the file instead, and its folder where
// missing. A difference fails the test, which goes on.
func Check(t testing.TB, path string, got []byte) {
	t.Helper()
	if err := check(path, got, *update); err != nil {
		t.Error(err)
	}
}

func check(path string, got []byte, update bool) error {
	want, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(got, want):
		return nil
	case update:
		return write(path, got)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("golden: %s is missing; run the test with -update and read the new file", path)
	case err != nil:
		return fmt.Errorf("golden: %w", err)
	}
	return fmt.Errorf("golden: output differs from %s\n%s\nrun the test with -update if the new output is right", path, Diff(want, got))
}

func write(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("golden: %w", err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return fmt.Errorf("golden: %w", err)
	}
	return nil
}

// around is how many equal lines Diff shows on either side of a difference, and
// most how many differing lines it shows in all.
const (
	around = 3
	most   = 60
)

// Diff shows where two texts part: common lines at both ends are cut to a few,
// the rest stands as "-" (want) and "+" (got) lines with line numbers. Control
// bytes are quoted, so that line ends can be seen.
func Diff(want, got []byte) string {
	w, g := lines(want), lines(got)
	head := 0
	for head < len(w) && head < len(g) && w[head] == g[head] {
		head++
	}
	tail := 0
	for tail < len(w)-head && tail < len(g)-head && w[len(w)-1-tail] == g[len(g)-1-tail] {
		tail++
	}
	var b strings.Builder
	for i := max(0, head-around); i < head; i++ {
		fmt.Fprintf(&b, "  %4d %s\n", i+1, visible(w[i]))
	}
	block(&b, '-', w, head, len(w)-tail)
	block(&b, '+', g, head, len(g)-tail)
	for i := len(g) - tail; i < min(len(g), len(g)-tail+around); i++ {
		fmt.Fprintf(&b, "  %4d %s\n", i+1, visible(g[i]))
	}
	return b.String()
}

func block(b *strings.Builder, sign byte, ls []string, from, to int) {
	for i := from; i < to; i++ {
		if i-from == most {
			fmt.Fprintf(b, "%c      … %d more lines\n", sign, to-i)
			return
		}
		fmt.Fprintf(b, "%c %4d %s\n", sign, i+1, visible(ls[i]))
	}
}

// lines splits after each LF and keeps the line ends: a missing last one is a
// difference too.
func lines(b []byte) []string {
	ls := strings.SplitAfter(string(b), "\n")
	if ls[len(ls)-1] == "" {
		ls = ls[:len(ls)-1]
	}
	return ls
}

func visible(line string) string {
	text, ended := strings.CutSuffix(line, "\n")
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0xfffd }) >= 0 {
		text = fmt.Sprintf("%q", text)
	}
	if !ended {
		text += " (no line end)"
	}
	return text
}
