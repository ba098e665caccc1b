package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sluice"
	"sluice/store/storetest"
)

// TestKilled kills a process that writes labels and log rows as fast as it can.
// Each label whose call returned is there afterwards, and the file is sound.
func TestKilled(t *testing.T) {
	if path := os.Getenv("SLUICE_TEST_KILLED"); path != "" {
		writeForever(path)
		return
	}
	for round := range 3 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(round))
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "SLUICE_TEST_KILLED="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var last int64
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
				break // the last line may be cut
			}
			if n == 40+17*round {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // killed
		if last < 40 {
			t.Fatalf("the child wrote %d labels only", last)
		}
		s := open(t, Config{Path: path})
		got, err := s.FeedbackSince(t.Context(), last-1, 1)
		if err != nil || len(got) != 1 || got[0].Seq != last {
			t.Errorf("round %d: label %d was acknowledged and is gone: %v, %v", round, last, got, err)
		}
		var sound string
		if err := s.read.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
			t.Errorf("round %d: integrity %q, %v", round, sound, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func writeForever(path string) {
	ctx := context.Background()
	s, err := Open(ctx, Config{Path: path, BatchDelay: time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := 0; ; i++ {
		s.Append(storetest.Record(fmt.Sprint(i), noon))
		f := &sluice.Feedback{ID: fmt.Sprint(i), Time: noon}
		if err := s.AddFeedback(ctx, f); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(f.Seq)
	}
}
