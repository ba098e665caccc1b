package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fill takes all the space below a folder, to the last octet.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, unix.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk fills the disk under a running daemon: what needs space is put off,
// what doesn't goes on, nothing that was taken is lost, and with space everything
// works again. The disk is a small tmpfs that only the daemon's process sees.
func TestFullDisk(t *testing.T) {
	needRoot(t, "mounts a small file system")
	if !mountable() {
		t.Skip("needs the right to make a mount namespace (unshare, Debian package util-linux)")
	}
	small := t.TempDir()
	sink := NewSink(t, "X-Test", nil)
	console := FreePort(t)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, data: filepath.Join(small, "data"), accepted: true, console: console,
		more: fmt.Sprintf("[[domain]]\nnames = [\"box.example\"]\nrelay = [\"maildir:%s/maildir\"]\n", small),
		wrap: []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=8m sluice-test "$0" && exec "$@"`, small}})
	inside := fmt.Sprintf("/proc/%d/root%s", d.cmd.Process.Pid, small) // the daemon's view
	if r := d.send(spam("before"), "bob@a.example"); r[0] != '2' {
		t.Fatal(r)
	}
	filler := filepath.Join(inside, "filler")
	fill(t, filler)

	large := mail("large", "The minutes are long this time.", 20_000) // 1.2 MB: over what stays in memory
	for _, tc := range []struct{ name, to, msg, want string }{
		{"quarantine", "bob@a.example", spam("held"), "45"},
		{"spool", "bob@a.example", large, "452 4.3.1 "},
		{"Maildir", "bob@box.example", clean("box"), "45"},
		{"relay needs no disk", "bob@a.example", clean("relayed"), "250 "},
	} {
		if r := d.send(tc.msg, tc.to); !strings.HasPrefix(r, tc.want) {
			t.Errorf("%s on a full disk: %s, want %s…", tc.name, r, tc.want)
		}
	}
	if sink.Seen()["relayed"] != 1 {
		t.Error("the relayed message did not arrive")
	}
	if page := page(t, "http://"+console+"/healthz"); !strings.Contains(page, "disk") {
		t.Errorf("healthz says %q", page)
	}
	if !strings.Contains(d.log.String(), "no space left on device") {
		t.Errorf("the log doesn't say what is wrong:\n%s", d.log.String())
	}

	if out, err := inNamespace(d, "serve", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", filepath.Join(small, "other")); err == nil ||
		!strings.Contains(out, "full") && !strings.Contains(out, "no space left") || strings.Count(strings.TrimSpace(out), "\n") > 0 {
		t.Errorf("a start on a full disk: %v\n%s", err, out)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, to, msg string }{
		{"quarantine", "bob@a.example", spam("held")}, {"spool", "bob@a.example", large}, {"Maildir", "bob@box.example", clean("box")},
	} {
		if r := d.send(tc.msg, tc.to); !strings.HasPrefix(r, "250 ") {
			t.Errorf("%s with space again: %s", tc.name, r)
		}
	}
	held := quarantined(t, filepath.Join(inside, "data", "quarantine"))
	if len(held) != 2 || held["before"] != 1 || held["held"] != 1 {
		t.Errorf("in quarantine: %v", held)
	}
	if n := len(files(t, filepath.Join(inside, "maildir"), "")); n != 1 {
		t.Errorf("%d files in the Maildir, want the one that was acknowledged", n)
	}
	if sink.Seen()["large"] != 1 {
		t.Errorf("at the next hop: %v", sink.Seen())
	}
}

// inNamespace runs a sluice command that sees the daemon's mounts.
func inNamespace(d *daemon, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-m", "-t", fmt.Sprint(d.cmd.Process.Pid), Binary(d.t)}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func page(t *testing.T, url string) string {
	t.Helper()
	c := http.Client{Timeout: 10 * time.Second}
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 4096)
	n, _ := resp.Body.Read(b)
	return resp.Status + " " + string(b[:n])
}

// TestNoDescriptors opens more connections than the daemon has descriptors, which
// takes a setting that asks for more than fit: it
// says so once, answers 4xx where it can, and serves again when they are free.
func TestNoDescriptors(t *testing.T) {
	needTool(t, "prlimit", "util-linux")
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, accepted: true, limits: "connections = 2000\nconnections_per_client = 500",
		wrap: []string{"prlimit", "--nofile=64:64"}})
	early := d.dial() // has its session before the flood
	defer early.Close()
	var flood []net.Conn
	defer func() {
		for _, c := range flood {
			_ = c.Close()
		}
	}()
	for range 100 {
		c, err := net.DialTimeout("tcp", d.addr, 2*time.Second)
		if err != nil {
			break // the kernel's queue is full too
		}
		flood = append(flood, c)
	}
	eventually(t, "the log says that connections wait", func() bool {
		return strings.Contains(d.log.String(), "cannot accept connections for now") && strings.Contains(d.log.String(), "too many open files")
	})
	for _, msg := range []string{clean("early"), spam("early")} { // a connection, a file
		if r, err := early.Send("ann@sender.example", []string{"bob@a.example"}, msg); err != nil || r[0] != '2' && r[0] != '4' {
			t.Errorf("a session from before: %s %v", r, err)
		}
	}
	if n := strings.Count(d.log.String(), "cannot accept connections for now"); n > 20 {
		t.Errorf("the log says so %d times", n)
	}
	for _, c := range flood {
		_ = c.Close()
	}
	flood = nil
	eventually(t, "mail is taken again", func() bool {
		c, err := Dial(d.addr)
		if err != nil {
			return false
		}
		defer c.Close()
		_, _ = c.Say("EHLO client.sender.example")
		r, err := c.Send("ann@sender.example", []string{"bob@a.example"}, clean("after"))
		return err == nil && r[0] == '2'
	})
	if sink.Seen()["after"] == 0 {
		t.Error("answered 250 and not at the next hop")
	}
	if r := d.send(spam("after"), "bob@a.example"); r[0] != '2' {
		t.Errorf("quarantine afterwards: %s", r)
	}
}

// TestReadOnlyData: a data folder that can't be written is one clear sentence at
// the start; one that becomes so later is 4xx for what needs it.
func TestReadOnlyData(t *testing.T) {
	needRoot(t, "mounts a file system read-only")
	if !mountable() {
		t.Skip("needs the right to make a mount namespace (unshare, Debian package util-linux)")
	}
	dir := t.TempDir()
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, data: filepath.Join(dir, "data"), accepted: true,
		wrap: []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=64m sluice-test "$0" && exec "$@"`, dir}})
	if r := d.send(spam("before"), "bob@a.example"); r[0] != '2' {
		t.Fatal(r)
	}
	remount := func(mode string) {
		t.Helper()
		// Open files would keep it busy; the kernel then refuses a plain remount,
		// as it does for real disks. A bind mount is read-only for new opens.
		out, err := exec.Command("nsenter", "-m", "-t", fmt.Sprint(d.cmd.Process.Pid), "sh", "-c",
			`mount --bind "$0" "$0" 2>/dev/null; mount -o remount,bind,`+mode+` "$0"`, dir).CombinedOutput()
		if err != nil {
			t.Skipf("can't remount here: %v %s", err, out)
		}
	}
	remount("ro")
	if r := d.send(spam("held"), "bob@a.example"); r[0] != '4' {
		t.Errorf("quarantine on a read-only disk: %s", r)
	}
	if r := d.send(clean("relayed"), "bob@a.example"); r[0] != '2' {
		t.Errorf("relay with a read-only disk: %s", r)
	}
	out, err := inNamespace(d, "serve", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--data", filepath.Join(dir, "other"))
	if err == nil || !strings.Contains(out, "read-only file system") || strings.Count(strings.TrimSpace(out), "\n") > 0 {
		t.Errorf("a start on a read-only disk: %v\n%s", err, out)
	}
	remount("rw")
	if r := d.send(spam("held"), "bob@a.example"); r[0] != '2' {
		t.Errorf("quarantine with a disk again: %s", r)
	}
}

// TestScanUnreadable: what can't be read is a sentence that names the file, the
// rest is scanned, and the status says that something is missing.
func TestScanUnreadable(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("sub/good.eml", clean("good"))
	write("sub/binary.bin", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00"+strings.Repeat("\x00\xff\x10", 1000))
	if err := os.Symlink("..", filepath.Join(dir, "sub", "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "sub", "dangling.eml")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "sub", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	locked := write("locked.eml", clean("locked"))
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}

	cmd := command(Binary(t), "scan", "--json", "--data", filepath.Join(dir, "none"), dir, filepath.Join(dir, "absent.eml"))
	if os.Geteuid() == 0 { // whom no permission stops
		unlock(t, dir)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	var out, errs output
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		t.Skip("needs the right to run a command as another user, since root may read everything")
	} else if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("status: %v", err)
	}
	for name, want := range map[string]string{"good.eml": `"verdict":{`, "locked.eml": "permission denied",
		"absent.eml": "no such file", "dangling.eml": "no such file", "pipe": "neither a file nor a folder"} {
		found := ""
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, name+`"`) {
				found += line
			}
		}
		if strings.Count(found, "\n") != 1 || !strings.Contains(found, want) {
			t.Errorf("%s: want one line with %q, got\n%s", name, want, found)
		}
	}
	for _, want := range []string{"left out 1 files that are no mail", "4 of the messages could not be read"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("no %q at the end: %s", want, errs.String())
		}
	}
}

// unlock lets other users reach a test's folder and the binary.
func unlock(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{dir, filepath.Dir(dir), filepath.Dir(Binary(t))} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
