package dialect_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The mail servers: each with a configuration and a queue of its own, which send
// everything to one port.

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mail servers want to be started by root")
	}
}

// open makes a folder that other users can reach, which t.TempDir doesn't allow.
func open(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func prepareExim(t *testing.T) (string, func(job) error) {
	needRoot(t)
	path := tool(t, "exim4-daemon-light", "usr/sbin/exim4")
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("needs the user nobody: %v", err)
	}
	group, err := user.LookupGroupId(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := user.Lookup("Debian-exim"); err != nil {
		t.Skipf("Exim wants the user that it was built for: %v", err)
	}
	return versionOf(t, path, "-bV", "-C", "/dev/null"), func(j job) error {
		dir := open(j.t, "exim")
		uid, _ := strconv.Atoi(nobody.Uid)
		gid, _ := strconv.Atoi(nobody.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
		tls := "hosts_avoid_tls = *"
		if j.tls {
			tls = "hosts_require_tls = *"
		}
		// It runs itself again as another user, who must be able to reach it.
		own := filepath.Join(dir, "exim")
		binary, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(own, binary, 0o755)
		}
		if err != nil {
			return err
		}
		conf := filepath.Join(dir, "exim.conf")
		err = os.WriteFile(conf, []byte(fmt.Sprintf(`exim_user = nobody
exim_group = %s
exim_path = %[6]s
spool_directory = %[2]s
log_file_path = %[2]s/%%slog
primary_hostname = %[3]s
never_users =
trusted_users = root
untrusted_set_sender = *
local_from_check = false
keep_environment =
begin routers
out:
  driver = manualroute
  transport = out
  route_list = * 127.0.0.1
  self = send
begin transports
out:
  driver = smtp
  port = %[4]s
  allow_localhost
  %[5]s
  tls_verify_hosts =
  tls_try_verify_hosts =
  hosts_try_dane =
begin retry
* * F,1h,1h
`, group.Name, dir, helo, j.port, tls, own)), 0o644)
		if err != nil {
			return err
		}
		from := j.from
		if from == "" {
			from = "<>"
		}
		return run(j, j.message, own, append([]string{"-C", conf, "-odi", "-oi", "-f", from}, j.rcpts...)...)
	}
}

const sendmailCF = `V10
Dj%[1]s
O QueueDirectory=%[2]s
O DefaultUser=%[3]s
O RunAsUser=%[3]s
O TrustedUser=%[3]s
O DeliveryMode=i
O DontBlameSendmail=Safe,GroupWritableDirPathSafe
O ServiceSwitchFile=%[2]s/../switch
O ResolverOptions=+AAONLY
O EightBitMode=pass8
O AliasFile=
Tdaemon
Troot
H?D?Date: $a
C{E}root
Scanonify=3
R$*<$*>$*	$2
SMX
S0
R$*	$#esmtp $@ [127.0.0.1] $: $1
S1
S2
S4
Mlocal, P=/bin/false, F=lsDFMAw5:/|@qPSXfmnz9, A=false
Mprog, P=/bin/false, F=lsDFMoqeu9, A=false
Mesmtp, P=[IPC], F=mDFMuXa8, E=\r\n, L=990, T=DNS/RFC822/SMTP, A=TCP $h %[4]s
`

func prepareSendmail(t *testing.T) (string, func(job) error) {
	needRoot(t)
	path := tool(t, "sendmail-bin", "usr/libexec/sendmail/sendmail")
	return "8.17.1.9", func(j job) error {
		dir := open(j.t, "sendmail")
		queue := filepath.Join(dir, "queue")
		if err := os.Mkdir(queue, 0o700); err != nil {
			return err
		}
		conf := filepath.Join(dir, "sendmail.cf")
		if err := os.WriteFile(filepath.Join(dir, "switch"), []byte("hosts files\naliases files\n"), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(conf, []byte(fmt.Sprintf(sendmailCF, helo, queue, "root", j.port)), 0o644); err != nil {
			return err
		}
		from := j.from
		if from == "" {
			from = "<>"
		}
		// It waits a minute where the machine's own name has no dot, so it gets a
		// name of its own.
		return run(j, j.message, "unshare", named(path, append([]string{"-C", conf, "-i", "-f", from}, j.rcpts...)...)...)
	}
}

func preparePostfix(t *testing.T) (string, func(job) error) {
	needRoot(t)
	path := tool(t, "postfix", "usr/sbin/postfix")
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Skipf("needs the user postfix: %v", err)
	}
	return versionOf(t, tool(t, "postfix", "usr/sbin/postconf"), "-dh", "mail_version"), func(j job) error {
		return sendByPostfix(j, path, owner)
	}
}

// sendByPostfix runs an instance for one message.
func sendByPostfix(j job, path string, owner *user.User) error {
	dir := open(j.t, "postfix")
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	for name, uid := range map[string]int{"conf": 0, "queue": 0, "data": uid, "log": 0} {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
		if err := os.Chown(sub, uid, -1); err != nil {
			return err
		}
	}
	tls := "none"
	if j.tls {
		tls = "encrypt"
	}
	conf := filepath.Join(dir, "conf")
	main := fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log/maillog
maillog_file_prefixes = %[1]s/log
myhostname = %[2]s
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
alias_maps =
relayhost = [127.0.0.1]:%[3]s
smtp_tls_security_level = %[4]s
notify_classes =
`, dir, helo, j.port, tls)
	master := ""
	for _, line := range []string{"cleanup unix n - n - 0 cleanup", "pickup unix n - n 1 1 pickup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
		"rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 discard", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
		"proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "relay unix - - n - - smtp", "error unix - - n - - error", "retry unix - - n - - error",
		"anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd"} {
		master += line + "\n"
	}
	for name, text := range map[string]string{"main.cf": main, "master.cf": master} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if out, err := exec.Command(path, "-c", conf, "check").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix check: %w: %s", err, out)
	}
	out, err := exec.Command("postconf", "-dh", "daemon_directory").Output()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(strings.TrimSpace(string(out)), "master"), "-c", conf, "-d")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	j.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		_ = cmd.Wait() // by a signal
		if log, err := os.ReadFile(filepath.Join(dir, "log", "maillog")); err == nil && j.t.Failed() {
			j.t.Logf("%s", log)
		}
	})
	from := j.from
	if from == "" {
		from = "<>"
	}
	return run(j, j.message, "sendmail", append([]string{"-C", conf, "-i", "-f", from}, j.rcpts...)...)
}
