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
// most how many lines it shows in all.
const (
	around = 3
	most   = 100
)

// edit is one line of a comparison: ' ' for a line of both texts, '-' for one of
// want alone, '+' for one of got alone.
type edit struct {
	sign byte
	n    int // line number, in got unless the line is want's alone
	text string
}

// Diff shows where two texts part: "-" lines of want and "+" lines of got with
// their numbers, and a few equal lines around. Control bytes are quoted, so that
// line ends can be seen.
func Diff(want, got []byte) string {
	edits := compare(lines(want), lines(got))
	near := make([]bool, len(edits))
	for i, e := range edits {
		if e.sign != ' ' {
			for k := max(0, i-around); k <= min(len(edits)-1, i+around); k++ {
				near[k] = true
			}
		}
	}
	var b strings.Builder
	shown, gap := 0, false
	for i, e := range edits {
		switch {
		case !near[i]:
			gap = shown > 0
			continue
		case shown == most:
			fmt.Fprintf(&b, "  …\n  (more lines differ)\n")
			return b.String()
		case gap:
			b.WriteString("  …\n")
			gap = false
		}
		fmt.Fprintf(&b, "%c %4d %s\n", e.sign, e.n, visible(e.text))
		shown++
	}
	return b.String()
}

// maxTable bounds the table of a comparison: larger differences are shown as one
// block.
const maxTable = 4 << 20

// compare finds a shortest list of edits between two lists of lines by the
// longest common subsequence of what lies between their common ends.
func compare(want, got []string) (edits []edit) {
	head := 0
	for head < len(want) && head < len(got) && want[head] == got[head] {
		edits = append(edits, edit{' ', head + 1, want[head]})
		head++
	}
	tail := 0
	for tail < len(want)-head && tail < len(got)-head && want[len(want)-1-tail] == got[len(got)-1-tail] {
		tail++
	}
	w, g := want[head:len(want)-tail], got[head:len(got)-tail]
	common := table(w, g)
	i, k := 0, 0
	for i < len(w) || k < len(g) {
		switch {
		case common != nil && i < len(w) && k < len(g) && w[i] == g[k]:
			edits = append(edits, edit{' ', head + k + 1, g[k]})
			i, k = i+1, k+1
		case k == len(g) || i < len(w) && (common == nil || common[i+1][k] >= common[i][k+1]):
			edits = append(edits, edit{'-', head + i + 1, w[i]})
			i++
		default:
			edits = append(edits, edit{'+', head + k + 1, g[k]})
			k++
		}
	}
	for n := len(got) - tail; n < len(got); n++ {
		edits = append(edits, edit{' ', n + 1, got[n]})
	}
	return edits
}

// table holds the length of the longest common subsequence of w[i:] and g[k:].
// It is nil where it would be too large.
func table(w, g []string) [][]int32 {
	if len(w)*len(g) > maxTable {
		return nil
	}
	t := make([][]int32, len(w)+1)
	for i := range t {
		t[i] = make([]int32, len(g)+1)
	}
	for i := len(w) - 1; i >= 0; i-- {
		for k := len(g) - 1; k >= 0; k-- {
			if w[i] == g[k] {
				t[i][k] = t[i+1][k+1] + 1
			} else {
				t[i][k] = max(t[i+1][k], t[i][k+1])
			}
		}
	}
	return t
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
