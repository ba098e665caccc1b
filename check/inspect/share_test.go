package inspect

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/inspect"
	"sluice/internal/shared"
	"sluice/message"
)

// TestShare says how much of real mail needs a look into its files at all.
func TestShare(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all corpora")
	}
	dir := shared.Dir(t, "corpora")
	corpora, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range corpora {
		if !c.IsDir() {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, c.Name(), "*", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		n, need, size := 0, 0, 0
		for i, f := range files {
			if i%5 != 0 {
				continue
			}
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			n++
			req, parts, _ := request(message.Parse(raw, message.DefaultLimits()), inspect.Budget{})
			if len(req.Inputs) != len(parts) {
				t.Fatalf("%s: %d files, %d parts", f, len(req.Inputs), len(parts))
			}
			if len(parts) > 0 {
				need++
			}
			for _, in := range req.Inputs {
				size += len(in.Body)
			}
		}
		t.Logf("%s: %d of %d messages (%.1f %%), %d kB each", c.Name(), need, n, 100*float64(need)/float64(max(n, 1)), size/max(need, 1)>>10)
	}
}
