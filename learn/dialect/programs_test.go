package dialect_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// program is a client that can be recorded.
type program struct {
	name string
	// prepare skips the test where the program isn't installed; it returns its
	// version and a function that sends one message.
	prepare func(t *testing.T) (version string, send func(job) error)
	cannot  map[string]string // variants that it has no way to do, and why
}

var (
	noNull = map[string]string{"null sender": "it has no way to say so"}
	noTLS  = map[string]string{"null sender": "it has no way to say so", "STARTTLS": "it wants a certificate that it can check", "greylisted over STARTTLS": "as STARTTLS"}
)

var programs = []program{
	{name: "Postfix", prepare: preparePostfix},
	{name: "Exim", prepare: prepareExim},
	{name: "Sendmail", prepare: prepareSendmail},
	{name: "OpenSMTPD smtp", prepare: prepareOpenSMTPD, cannot: noNull},
	{name: "nullmailer", prepare: prepareNullmailer},
	{name: "ssmtp", prepare: prepareSSMTP, cannot: noNull},
	{name: "esmtp", prepare: prepareESMTP, cannot: noTLS},
	{name: "msmtp", prepare: prepareMSMTP},
	{name: "curl", prepare: prepareCurl},
	{name: "swaks", prepare: prepareSwaks},
	{name: "Python smtplib", prepare: preparePython},
	{name: "Perl Net::SMTP", prepare: preparePerl},
	{name: "git send-email", prepare: prepareGit, cannot: noNull},
	{name: "Mutt", prepare: prepareMutt, cannot: noTLS},
	{name: "s-nail", prepare: prepareNail, cannot: noNull},
	{name: "Go net/smtp", prepare: prepareGo},
}

// tool finds a program, in the PATH or unpacked by scripts/record-dialects.
func tool(t *testing.T, pkg, name string) string {
	t.Helper()
	if cache, err := os.UserCacheDir(); err == nil {
		if p := filepath.Join(cache, "sluice", "clients", pkg, name); executable(p) {
			return p
		}
	}
	if p, err := exec.LookPath(filepath.Base(name)); err == nil {
		return p
	}
	if p := filepath.Join("/", name); executable(p) {
		return p
	}
	t.Skipf("%s isn't here (Debian package %s; scripts/record-dialects fetches it)", name, pkg)
	return ""
}

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

// run runs a program to its end with text as its input.
func run(j job, text, path string, args ...string) error {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(text)
	cmd.WaitDelay = time.Second // what it has started may hold its output open
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), "HOME="+j.dir, "LC_ALL=C.UTF-8", "EMAIL=", "MAILRC=/dev/null",
		"GIT_COMMITTER_NAME=Sender", "GIT_COMMITTER_EMAIL="+sender, "GIT_AUTHOR_NAME=Sender", "GIT_AUTHOR_EMAIL="+sender)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func write(j job, name, text string) string {
	j.t.Helper()
	p := filepath.Join(j.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		j.t.Fatal(err)
	}
	return p
}

var digits = regexp.MustCompile(`[0-9]+(\.[0-9a-z]+)+`)

// versionOf takes the version out of what a program says of itself.
func versionOf(t *testing.T, path string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, path, args...).CombinedOutput() // some exit with 1
	return digits.FindString(string(out))
}

func prepareSwaks(t *testing.T) (string, func(job) error) {
	path := tool(t, "swaks", "usr/bin/swaks")
	return versionOf(t, path, "--version"), func(j job) error {
		args := []string{"--server", "127.0.0.1", "--port", j.port, "--helo", helo, "--to", strings.Join(j.rcpts, ","), "--data", "@" + j.file}
		if args = append(args, "--from", j.from); j.from == "" {
			args[len(args)-1] = "<>"
		}
		if j.tls {
			args = append(args, "--tls")
		}
		return run(j, "", path, args...)
	}
}

func prepareCurl(t *testing.T) (string, func(job) error) {
	path := tool(t, "curl", "usr/bin/curl")
	return versionOf(t, path, "--version"), func(j job) error {
		args := []string{"-sS", "smtp://127.0.0.1:" + j.port + "/" + helo, "--mail-from", j.from, "-T", j.file, "--crlf"}
		for _, r := range j.rcpts {
			args = append(args, "--mail-rcpt", r)
		}
		if j.tls {
			args = append(args, "--ssl-reqd", "--insecure")
		}
		return run(j, "", path, args...)
	}
}

const pythonScript = `
import smtplib, ssl, sys
host, port, helo, tls, sender = sys.argv[1:6]
msg = sys.stdin.buffer.read().replace(b"\n", b"\r\n")
with smtplib.SMTP(host, int(port), local_hostname=helo) as s:
    if tls == "tls":
        s.starttls(context=ssl._create_unverified_context())
    s.sendmail(sender, sys.argv[6:], msg)
`

func preparePython(t *testing.T) (string, func(job) error) {
	path := tool(t, "python3", "usr/bin/python3")
	return versionOf(t, path, "--version"), func(j job) error {
		args := append([]string{"-c", pythonScript, "127.0.0.1", j.port, helo, onlyIf(j.tls, "tls"), j.from}, j.rcpts...)
		return run(j, j.message, path, args...)
	}
}

func onlyIf(yes bool, s string) string {
	if yes {
		return s
	}
	return ""
}

const perlScript = `
use Net::SMTP;
my ($port, $helo, $tls, $from, @to) = @ARGV;
my $s = Net::SMTP->new("127.0.0.1", Port => $port, Hello => $helo) or die "no connection";
if ($tls) { $s->starttls(SSL_verify_mode => 0) or die "no TLS"; }
my $msg = do { local $/; <STDIN> };
$s->mail($from) or die "mail";
my @good = $s->to(@to, { SkipBad => 1 });
if (@good) { $s->data($msg); }
$s->quit;
`

func preparePerl(t *testing.T) (string, func(job) error) {
	path := tool(t, "perl", "usr/bin/perl")
	return versionOf(t, path, "-MNet::SMTP", "-e", "print $Net::SMTP::VERSION"), func(j job) error {
		return run(j, j.message, path, append([]string{"-e", perlScript, j.port, helo, onlyIf(j.tls, "1"), j.from}, j.rcpts...)...)
	}
}

func prepareMSMTP(t *testing.T) (string, func(job) error) {
	path := tool(t, "msmtp", "usr/bin/msmtp")
	return versionOf(t, path, "--version"), func(j job) error {
		args := []string{"--host=127.0.0.1", "--port=" + j.port, "--domain=" + helo, "--from=" + j.from}
		if j.from == "" {
			args[3] = "--from=<>"
		}
		if j.tls {
			args = append(args, "--tls=on", "--tls-starttls=on", "--tls-certcheck=off")
		} else {
			args = append(args, "--tls=off")
		}
		return run(j, j.message, path, append(append(args, "--"), j.rcpts...)...)
	}
}

// named are the arguments of unshare for a program that greets with the machine's
// name: it gets one of its own.
func named(path string, args ...string) []string {
	return append([]string{"--uts", "sh", "-c", "hostname " + helo + ` && exec "$0" "$@"`, path}, args...)
}

func prepareESMTP(t *testing.T) (string, func(job) error) {
	needRoot(t)
	path := tool(t, "esmtp", "usr/bin/esmtp")
	return "1.2", func(j job) error {
		conf := write(j, "esmtprc", "hostname = 127.0.0.1:"+j.port+"\nstarttls = disabled\n")
		return run(j, j.message, "unshare", named(path, append([]string{"-C", conf, "-f", j.from}, j.rcpts...)...)...)
	}
}

func prepareSSMTP(t *testing.T) (string, func(job) error) {
	path := tool(t, "ssmtp", "usr/sbin/ssmtp")
	return versionOf(t, path, "-V"), func(j job) error {
		conf := "mailhub=127.0.0.1:" + j.port + "\nhostname=" + helo + "\nFromLineOverride=YES\n"
		if j.tls {
			conf += "UseTLS=YES\nUseSTARTTLS=YES\n"
		}
		return run(j, j.message, path, append([]string{"-C" + write(j, "ssmtp.conf", conf), "-f" + j.from}, j.rcpts...)...)
	}
}

func prepareNullmailer(t *testing.T) (string, func(job) error) {
	path := tool(t, "nullmailer", "usr/lib/nullmailer/smtp")
	return "2.2", func(j job) error {
		// As nullmailer-send runs it: options on standard input, the message on
		// descriptor 3.
		options := "host=127.0.0.1\nport=" + j.port + "\n"
		if j.tls {
			options += "starttls\ninsecure\n"
		}
		queued := write(j, "queued", j.from+"\n"+strings.Join(j.rcpts, "\n")+"\n\n"+j.message)
		return run(j, options+"\n", "/bin/sh", "-c", `HELOHOST=`+helo+` exec "$0" 3<"$1"`, path, queued)
	}
}

func prepareOpenSMTPD(t *testing.T) (string, func(job) error) {
	path := tool(t, "opensmtpd", "usr/bin/smtp")
	return versionOf(t, path, "-h"), func(j job) error {
		scheme := "smtp+notls"
		if j.tls {
			scheme = "smtp+tls"
		}
		return run(j, j.message, path, append([]string{"-C", "-s", scheme + "://127.0.0.1:" + j.port, "-H", helo, "-F", j.from}, j.rcpts...)...)
	}
}

func prepareGit(t *testing.T) (string, func(job) error) {
	if !executable("/usr/lib/git-core/git-send-email") {
		t.Skip("git send-email isn't here (Debian package git-email)")
	}
	path := tool(t, "git", "usr/bin/git")
	return versionOf(t, path, "--version"), func(j job) error {
		_, text, _ := strings.Cut(j.message, "\n\n")
		patch := write(j, "0001.patch", "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\nFrom: "+j.from+
			"\nSubject: A test\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"+text)
		args := []string{"-c", "safe.directory=*", "send-email", "--smtp-server=127.0.0.1", "--smtp-server-port=" + j.port, "--smtp-domain=" + helo, "--from=" + j.from,
			"--confirm=never", "--suppress-cc=all", "--no-validate", "--quiet", "--transfer-encoding=8bit"}
		for _, r := range j.rcpts {
			args = append(args, "--to="+r)
		}
		if j.tls {
			args = append([]string{"-c", "sendemail.smtpSSLCertPath="}, append(args, "--smtp-encryption=tls")...)
		}
		if err := run(j, "", path, "init", "-q", j.dir); err != nil {
			return err
		}
		return run(j, "", path, append(args, patch)...)
	}
}

func prepareMutt(t *testing.T) (string, func(job) error) {
	path := tool(t, "mutt", "usr/bin/mutt")
	return versionOf(t, path, "-v"), func(j job) error {
		rc := "set smtp_url=smtp://127.0.0.1:" + j.port + "/\nset hostname=" + helo + "\nset from=" + j.from + "\nset use_envelope_from\nset envelope_from_address=" + j.from +
			"\nset copy=no\nset allow_8bit\n"
		rc += "set ssl_starttls=no\nset ssl_force_tls=no\n"
		_, text, _ := strings.Cut(j.message, "\n\n")
		return run(j, text, path, append([]string{"-n", "-F", write(j, "muttrc", rc), "-s", "A test", "--"}, j.rcpts...)...)
	}
}

func prepareNail(t *testing.T) (string, func(job) error) {
	path := tool(t, "s-nail", "usr/bin/s-nail")
	return versionOf(t, path, "-V"), func(j job) error {
		args := []string{"-:", "/", "-S", "v15-compat=y", "-S", "mta=smtp://127.0.0.1:" + j.port, "-S", "smtp-auth=none", "-S", "from=" + j.from,
			"-S", "hostname=" + helo, "-S", "smtp-hostname=", "-S", "tls-verify=ignore", "-S", "mime-encoding=8bit", "-S", "sendwait", "-s", "A test"}
		if j.tls {
			args = append(args, "-S", "smtp-use-starttls")
		}
		_, text, _ := strings.Cut(j.message, "\n\n")
		return run(j, text, path, append(args, j.rcpts...)...)
	}
}

func prepareGo(*testing.T) (string, func(job) error) {
	return strings.TrimPrefix(runtime.Version(), "go"), func(j job) error {
		c, err := smtp.Dial("127.0.0.1:" + j.port)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Hello(helo); err != nil {
			return err
		}
		if j.tls {
			if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
				return err
			}
		}
		if err := c.Mail(j.from); err != nil {
			return err
		}
		good := 0
		for _, r := range j.rcpts {
			if c.Rcpt(r) == nil {
				good++
			}
		}
		if good == 0 {
			return errors.Join(errors.New("no recipient was taken"), c.Quit())
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(strings.ReplaceAll(j.message, "\n", "\r\n"))); err != nil {
			return err
		}
		return errors.Join(w.Close(), c.Quit())
	}
}
