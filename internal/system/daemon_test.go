package system

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

// output collects what a process says; it may be read while the process runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// setup says how a daemon is set up. The zero value is a port for strangers that
// relays a.example to nowhere.
type setup struct {
	relay    string   // default: a port where nobody listens
	data     string   // default: a new folder
	accepted bool     // the port stands behind a queue: nothing is refused
	console  string   // address; default: none
	dns      string   // server to ask; default: nobody
	limits   string   // lines for [limits]
	more     string   // further sections
	wrap     []string // the command that runs sluice, such as prlimit
}

// daemon is a sluice process with a configuration file, which may be killed and
// started again.
type daemon struct {
	setup
	t      *testing.T
	config string
	addr   string
	log    output

	mu      sync.Mutex
	cmd     *exec.Cmd
	ended   chan error // of cmd
	stopped bool
}

// serve writes the configuration and runs the daemon. It ends with the test, and
// must end in order.
func serve(t *testing.T, s setup) *daemon {
	t.Helper()
	if s.relay == "" {
		s.relay = "smtp://127.0.0.1:1"
	}
	if s.dns == "" {
		s.dns = "none"
	}
	if s.data == "" {
		s.data = filepath.Join(t.TempDir(), "data")
	}
	d := &daemon{setup: s, t: t, addr: FreePort(t), config: filepath.Join(t.TempDir(), "sluice.toml")}
	d.configure(d.text())
	d.start()
	t.Cleanup(func() { d.stop(os.Interrupt) })
	d.wait()
	return d
}

// quiet keeps a daemon from asking the DNS outside: no test needs it.
const quiet = "[dns]\nservers = [\"none\"]\n"

// text is the configuration.
func (d *daemon) text() string {
	return fmt.Sprintf("hostname = \"mx.a.example\"\ndata = %q\n[dns]\nservers = [%q]\n[console]\naddress = %q\n[limits]\n%s\n"+
		"[[listen]]\naddress = %q\nalready_accepted = %v\n[[domain]]\nnames = [\"a.example\"]\nrelay = [%q]\n%s",
		d.data, d.dns, d.console, d.limits, d.addr, d.accepted, d.relay, d.more)
}

func (d *daemon) configure(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// command makes one that doesn't outlive this process, whatever happens to it.
func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (d *daemon) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	args := append(append([]string{}, d.wrap...), Binary(d.t), "serve", "--config", d.config)
	cmd := command(args[0], args[1:]...)
	cmd.Stderr = &d.log
	if err := cmd.Start(); err != nil {
		d.t.Error(err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	d.cmd, d.ended = cmd, ended
}

// wait returns once the port answers.
func (d *daemon) wait() {
	d.t.Helper()
	for range 1000 {
		if c, err := net.DialTimeout("tcp", d.addr, time.Second); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	d.t.Fatalf("the daemon doesn't answer:\n%s", d.log.String())
}

func (d *daemon) signal(sig os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(sig); err != nil {
		d.t.Fatal(err)
	}
}

// kill ends the process with SIGKILL and starts it again.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.ended // "signal: killed"
	d.start()
	d.wait()
}

// stop asks the daemon to end and waits for that.
func (d *daemon) stop(sig os.Signal) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || d.cmd == nil {
		return
	}
	d.stopped = true
	_ = d.cmd.Process.Signal(sig)
	select {
	case err := <-d.ended:
		if err != nil {
			d.t.Errorf("the daemon's end: %v\n%s", err, d.log.String())
		}
	case <-time.After(45 * time.Second):
		d.t.Errorf("the daemon didn't stop when asked to:\n%s", d.log.String())
		_ = d.cmd.Process.Kill()
		<-d.ended
	}
}

// dial opens a session that has said EHLO.
func (d *daemon) dial() *Client {
	d.t.Helper()
	c, err := Dial(d.addr)
	if err == nil {
		_, err = c.Say("EHLO client.sender.example")
	}
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.log.String())
	}
	return c
}

// send sends one message in a session of its own and returns the reply that
// settles it.
func (d *daemon) send(msg string, to ...string) string {
	d.t.Helper()
	c := d.dial()
	defer c.Close()
	r, err := c.Send("ann@sender.example", to, msg)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, d.log.String())
	}
	return r
}

// sluice runs an admin's command beside the daemon and returns its standard
// output.
func (d *daemon) sluice(args ...string) string {
	d.t.Helper()
	out, errs, err := run(d.t, append(args, "--config", d.config)...)
	if err != nil {
		d.t.Fatalf("sluice %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// run runs a sluice command, at most for a minute.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := command(Binary(t), args...)
	var out, errs output
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err = cmd.Wait()
	return out.String(), errs.String(), err
}

// eventually waits until ok, at most 40 seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; { // a busy machine has its time
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// needRoot skips where the test has no root's rights.
func needRoot(t *testing.T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("needs root: %s", why)
	}
}

// needTool skips where a program is not installed.
func needTool(t *testing.T, name, pack string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s (Debian package %s): run scripts/install-test-deps", name, pack)
	}
	return path
}

// files counts the files below a folder whose names end so.
func files(t *testing.T, dir, suffix string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.HasSuffix(path, suffix) {
			out = append(out, path)
		}
		return nil // what is removed meanwhile is no file
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// gtube is spam by agreement. Behind a queue, where nothing is refused, it is
// quarantined.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

// eicar is malware by agreement.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// mail makes a message that X-Test tells from others. first is its first line of
// text; lines is how many follow.
func mail(id, first string, lines int) string {
	return "From: Ann <ann@sender.example>\r\nTo: bob@a.example\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\n" +
		"Subject: minutes\r\nMessage-ID: <" + id + "@sender.example>\r\nX-Test: " + id + "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
		first + "\r\n" + strings.Repeat("One more line of ordinary text to give the message a body.\r\n", lines)
}

func clean(id string) string {
	return mail(id, "The minutes of Tuesday's meeting are attached to the wiki page. See you next week.", 20)
}

func spam(id string) string { return mail(id, gtube, 20) }

// mountable says whether this process may make a mount namespace.
func mountable() bool {
	cmd := exec.Command("unshare", "-m", "true")
	return unix.Geteuid() == 0 && cmd.Run() == nil
}
