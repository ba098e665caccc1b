package message_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/shared"
	"sluice/message"
)

// TestCorpora parses and views every message of the shared corpora: none may
// panic, break an invariant or take long.
func TestCorpora(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all corpora")
	}
	dir := shared.Dir(t, "corpora")
	count, bytes := 0, 0
	var spent, slowest time.Duration
	slowName := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var m *message.Message
		took := time.Hour
		for try := 0; try < 5 && took > time.Second; try++ { // other work may hold the processor
			start := time.Now()
			m = message.Parse(raw, message.DefaultLimits())
			m.View()
			took = min(took, time.Since(start))
		}
		spent += took
		if took > slowest {
			slowest, slowName = took, path
		}
		count++
		bytes += len(raw)
		if err := check(m); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if count == 0 {
		t.Skip("no messages in the corpora")
	}
	if slowest > time.Second {
		t.Errorf("%s took %v", slowName, slowest)
	}
	t.Logf("%d messages, %d bytes, %v each, slowest %v (%s)", count, bytes, spent/time.Duration(count), slowest, filepath.Base(slowName))
}
