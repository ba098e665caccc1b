package system

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSyncBeforeReply watches the daemon's system calls: the quarantine file and
// its folder are synced before the 250 to the final dot leaves.
func TestSyncBeforeReply(t *testing.T) {
	needTool(t, "strace", "strace")
	d := serve(t, setup{accepted: true})
	trace := filepath.Join(t.TempDir(), "trace")
	st := command("strace", "-f", "-y", "-s", "80", "-o", trace, "-e",
		"trace=openat,write,fsync,fdatasync,rename,renameat,renameat2,linkat", "-p", fmt.Sprint(d.cmd.Process.Pid))
	errs, err := st.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Process.Signal(os.Interrupt); _ = st.Wait() }()
	attached := make(chan string, 1)
	go func() { l, _ := bufio.NewReader(errs).ReadString('\n'); attached <- l }()
	select {
	case l := <-attached:
		if !strings.Contains(l, "attached") {
			t.Skipf("strace can't attach here: %s", strings.TrimSpace(l))
		}
	case <-time.After(20 * time.Second):
		t.Fatal("strace doesn't start")
	}
	if r := d.send(spam("sync"), "bob@a.example"); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	time.Sleep(200 * time.Millisecond)
	_ = st.Process.Signal(os.Interrupt)
	_ = st.Wait()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	checkOrder(t, string(b))
}

// checkOrder finds, in this order: a sync of a file under quarantine, a sync of
// a folder under quarantine, the reply.
func checkOrder(t *testing.T, trace string) {
	t.Helper()
	file := regexp.MustCompile(`f(data)?sync\(\d+<[^>]*/quarantine/[^>]*/[^>]*>`)
	reply := regexp.MustCompile(`write\(\d+<(socket|TCP)[^>]*>, "250 2\.0\.0 Message taken`)
	syncs, at := 0, -1
	for i, l := range strings.Split(trace, "\n") {
		switch {
		case at < 0 && (file.MatchString(l) || strings.Contains(l, "sync(") && strings.Contains(l, "/quarantine")):
			syncs++
		case reply.MatchString(l):
			at = i
		}
	}
	if at < 0 {
		t.Fatalf("no reply in the trace:\n%s", trace)
	}
	if syncs < 2 {
		t.Errorf("%d syncs in quarantine before the reply, want the file's and the folder's:\n%s", syncs, trace)
	}
}
