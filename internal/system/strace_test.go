package system

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSyncBeforeReply watches the daemon's system calls: before the 250 to the
// final dot leaves, the message's file is written, synced, under its last name,
// and that name's folder is synced; so is the parent of a folder just made. That
// holds for quarantine, Maildir and outbox.
func TestSyncBeforeReply(t *testing.T) {
	needTool(t, "strace", "strace")
	sink := NewSink(t, "X-Test", map[string]string{"busy@a.example": "451 4.2.1 busy"})
	maildir := filepath.Join(t.TempDir(), "maildir")
	d := serve(t, setup{accepted: true, relay: "smtp://" + sink.Addr,
		more: fmt.Sprintf("[[domain]]\nnames = [\"box.example\"]\nrelay = [\"maildir:%s\"]\n", maildir)})
	stop := straced(t, d)
	held := d.send(spam("held"), "bob@a.example")
	boxed := d.send(clean("boxed"), "bob@box.example")
	split := d.send(clean("split"), "bob@a.example", "busy@a.example")
	trace := stop(held, boxed, split)
	for _, tc := range []struct{ name, reply, dir, suffix string }{
		{"quarantine", held, filepath.Join(d.data, "quarantine"), ".sq"},
		{"maildir", boxed, maildir, ""},
		{"outbox", split, filepath.Join(d.data, "outbox"), ".msg"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.HasPrefix(tc.reply, "250 ") {
				t.Fatal(tc.reply)
			}
			checkDurable(t, trace, tc.reply, tc.dir, tc.suffix)
		})
	}
}

// straced attaches strace to the daemon; the function it returns detaches it, once
// it has seen these replies, and returns what was seen.
func straced(t *testing.T, d *daemon) func(replies ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace")
	st := command("strace", "-f", "-y", "-s", "80", "-o", file, "-e",
		"trace=openat,write,writev,pwrite64,ftruncate,fsync,fdatasync,mkdirat,rename,renameat,renameat2,link,linkat", "-p", fmt.Sprint(d.cmd.Process.Pid))
	errs, err := st.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { detach(st) })
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
	return func(replies ...string) string {
		// A client has its reply before strace has written that it was sent.
		unseen := func(reply string) bool {
			return !strings.Contains(strings.Join(joined(read(t, file)), "\n"), strings.TrimSpace(reply))
		}
		for end := time.Now().Add(20 * time.Second); slices.ContainsFunc(replies, unseen) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		detach(st)
		return read(t, file)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// detach ends strace, which lets go of the daemon first.
func detach(st *exec.Cmd) {
	if st.ProcessState == nil {
		_ = st.Process.Signal(os.Interrupt)
		_ = st.Wait() // by a signal
	}
}

var (
	onFile   = regexp.MustCompile(`^\d+ +(write|writev|pwrite64|ftruncate|fsync|fdatasync)\(\d+<([^>]*)>`)
	onNames  = regexp.MustCompile(`^\d+ +(?:rename|renameat|renameat2|link|linkat)\((?:AT_FDCWD[^,]*, )?"([^"]*)", (?:AT_FDCWD[^,]*, )?"([^"]*)"`)
	onFolder = regexp.MustCompile(`^\d+ +mkdirat\(AT_FDCWD[^,]*, "([^"]*)"`)
	resumed  = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>`)
)

// joined puts calls that other threads interrupt in the trace together again, at
// the place where they end.
func joined(trace string) (out []string) {
	begun := map[string]string{}
	for l := range strings.Lines(trace) {
		l = strings.TrimSuffix(l, "\n")
		if head, ok := strings.CutSuffix(l, " <unfinished ...>"); ok {
			thread, _, _ := strings.Cut(head, " ")
			begun[thread] = head
			continue
		}
		if m := resumed.FindStringSubmatch(l); m != nil {
			l = begun[m[1]] + l[len(m[0]):]
		}
		out = append(out, l)
	}
	return out
}

// checkDurable follows the files of a folder whose last names end in suffix, up to
// the reply.
func checkDurable(t *testing.T, trace, reply, dir, suffix string) {
	t.Helper()
	written, synced := map[string]int{}, map[string]int{} // when last; files and folders
	was, named, made := map[string]string{}, map[string]int{}, map[string]int{}
	calls, at := joined(trace), 0
	for i, l := range calls {
		i++ // 0 is never
		if strings.Contains(l, `"`+reply[:20]) && strings.Contains(l, strings.TrimSpace(reply)) {
			at = i
			break
		}
		if strings.Contains(l, " = -1 ") {
			continue
		}
		if m := onFile.FindStringSubmatch(l); m != nil && strings.Contains(m[1], "sync") {
			synced[m[2]] = i
		} else if m != nil {
			written[m[2]] = i
		}
		if m := onNames.FindStringSubmatch(l); m != nil && strings.HasPrefix(m[2], dir) && strings.HasSuffix(m[2], suffix) {
			was[m[2]], named[m[2]] = m[1], i
		}
		if m := onFolder.FindStringSubmatch(l); m != nil && strings.HasPrefix(m[1], dir) {
			made[m[1]] = i
		}
	}
	switch {
	case at == 0:
		t.Fatalf("the reply %q is not in the trace:\n%s", reply, trace)
	case len(named) == 0:
		t.Fatalf("no file got its last name in %s before the reply:\n%s", dir, strings.Join(calls[:at], "\n"))
	}
	for name, when := range named {
		file := was[name]
		switch {
		case written[file] == 0:
			t.Errorf("nothing was written to %s", file)
		case synced[file] < written[file]:
			t.Errorf("%s was not synced after it was written", file)
		case when < synced[file]:
			t.Errorf("%s got its last name before it was synced", name)
		case synced[filepath.Dir(name)] < when:
			t.Errorf("%s was not synced after %s got its name", filepath.Dir(name), name)
		}
	}
	for folder, when := range made {
		if synced[filepath.Dir(folder)] < when {
			t.Errorf("%s was not synced after %s was made in it", filepath.Dir(folder), folder)
		}
	}
	if t.Failed() {
		t.Logf("the calls before the reply:\n%s", strings.Join(calls[:at], "\n"))
	}
}
