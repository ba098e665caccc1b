package protect

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/deliver/rewrite"
	"sluice/internal/shared"
)

// every is how much of the corpora a test reads.
const every = 40

// TestCorpora rewrites the links of real mail and restores them.
func TestCorpora(t *testing.T) {
	dir := shared.Dir(t, "corpora")
	w := writer(t)
	n, files, with, links, changed, long := 0, 0, 0, 0, 0, 0
	before, after := 0, 0
	left := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".tsv") || strings.HasSuffix(path, ".md") {
			return err
		}
		if files++; files%every != 0 {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 2<<20 {
			return err
		}
		n++
		raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		t.Run(filepath.Base(path), func(t *testing.T) {
			p := hold(t, w, raw)
			if p.Links > 0 {
				with++
			}
			links += p.Links
			changed += p.Changed
			for why, n := range p.Left {
				left[why] += n
			}
			out := rewrite.Apply(raw, p.Changes)
			before, after = before+len(raw), after+len(out)
			if a, b := longest(raw), longest(out); b > max(998, a) {
				long++
				t.Errorf("%s: a line of %d octets, had %d", path, b, a)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %d with links of ours; %d links, of them %d not in the same spelling; left: %v; %d octets became %d", n, with, links, changed, left, before, after)
}

// longest is the length of the longest line, without its end.
func longest(b []byte) (n int) {
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		n = max(n, len(bytes.TrimSuffix(line, []byte("\r"))))
	}
	return n
}
