package system

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

// postfix is an instance of Postfix of its own: configuration, queue, data, mail
// and log lie in one temporary folder, its port is on loopback.
type postfix struct {
	t    *testing.T
	dir  string
	addr string
}

// startPostfix runs an instance that keeps mail for known users of a.example and
// sender.example in Maildirs; settings are further lines of main.cf. It skips
// where Postfix isn't installed or the test has no root's rights.
func startPostfix(t *testing.T, settings string) *postfix {
	t.Helper()
	needTool(t, "postfix", "postfix")
	needRoot(t, "Postfix starts as root")
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Skipf("needs the user postfix (Debian package postfix): %v", err)
	}
	out, err := exec.Command("postconf", "-dh", "daemon_directory").Output()
	if err != nil {
		t.Fatal(err)
	}
	p := &postfix{t: t, addr: FreePort(t)}
	// Other users have to reach it, which t.TempDir doesn't allow.
	if p.dir, err = os.MkdirTemp("", "sluice-postfix-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
	p.lay(owner, settings)
	if out, err := exec.Command("postfix", "-c", p.conf(), "check").CombinedOutput(); err != nil {
		t.Fatalf("postfix check: %v\n%s", err, out)
	}
	// What "postfix start" runs, but as our child: it ends when we do.
	cmd := exec.Command(filepath.Join(strings.TrimSpace(string(out)), "master"), "-c", p.conf(), "-d")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		_ = cmd.Wait() // by a signal
		if t.Failed() {
			t.Logf("Postfix says:\n%s", p.log())
		}
	})
	eventually(t, "Postfix answers", func() bool {
		c, err := Dial(p.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p
}

func (p *postfix) conf() string { return filepath.Join(p.dir, "conf") }

func (p *postfix) log() string {
	b, _ := os.ReadFile(filepath.Join(p.dir, "log", "maillog")) // none yet: nothing said
	return string(b)
}

// lay makes the folders and the configuration.
func (p *postfix) lay(owner *user.User, settings string) {
	p.t.Helper()
	const nobody = 65534
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		p.t.Fatal(err)
	}
	for name, uid := range map[string]int{".": 0, "conf": 0, "queue": 0, "log": 0, "data": uid, "mail": nobody} {
		dir := filepath.Join(p.dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.Chown(dir, uid, -1); err != nil {
			p.t.Skipf("needs the right to give files to Postfix: %v", err)
		}
	}
	main := fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log/maillog
maillog_file_prefixes = %[1]s/log
myhostname = postfix.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtp_dns_support_level = disabled
alias_maps =
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = inline:{ {bob@a.example=bob/} {carol@a.example=carol/} {jürgen@a.example=juergen/} {ann@sender.example=ann/} }
virtual_uid_maps = static:%[2]d
virtual_gid_maps = static:%[2]d
%[3]s
`, p.dir, nobody, settings)
	services := p.addr + " inet n - n - - smtpd\n"
	for name, rest := range map[string]string{
		"cleanup": "unix n - n - 0 cleanup", "qmgr": "unix n - n 300 1 qmgr", "tlsmgr": "unix - - n 1000? 1 tlsmgr",
		"rewrite": "unix - - n - - trivial-rewrite", "bounce": "unix - - n - 0 bounce", "defer": "unix - - n - 0 bounce",
		"trace": "unix - - n - 0 bounce", "verify": "unix - - n - 1 verify", "proxymap": "unix - - n - - proxymap",
		"smtp": "unix - - n - - smtp", "relay": "unix - - n - - smtp", "error": "unix - - n - - error",
		"retry": "unix - - n - - error", "virtual": "unix - n n - - virtual", "anvil": "unix - - n - 1 anvil",
		"scache": "unix - - n - 1 scache", "postlog": "unix-dgram n - n - 1 postlogd",
	} {
		services += name + " " + rest + "\n"
	}
	for name, text := range map[string]string{"main.cf": main, "master.cf": services} {
		if err := os.WriteFile(filepath.Join(p.conf(), name), []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
}

// arrived waits for one message in a user's Maildir and returns it with LF ends,
// as virtual(8) writes it.
func (p *postfix) arrived(user string) string {
	p.t.Helper()
	var found []string
	eventually(p.t, "a message for "+user, func() bool {
		found = files(p.t, filepath.Join(p.dir, "mail", user, "new"), "")
		return len(found) > 0
	})
	if len(found) != 1 {
		p.t.Errorf("%d messages for %s", len(found), user)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.Remove(found[0]); err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// body is the text of a message with LF ends.
func body(msg string) string {
	_, b, _ := strings.Cut(msg, "\n\n")
	return b
}

// sent is what body finds of a message that Client.Send has sent, with one more
// line end.
func sent(msg string) string { return body(strings.ReplaceAll(msg, "\r\n", "\n")) + "\n" }

// TestPostfixBehind relays to a real Postfix.
func TestPostfixBehind(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, "postfix.example")
	p := startPostfix(t, "virtual_mailbox_domains = a.example\nsmtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\nsmtpd_tls_cert_file = "+cert+"\nsmtpd_tls_key_file = "+key+"\n")
	d := serve(t, setup{relay: "smtp://" + p.addr})

	t.Run("clean", func(t *testing.T) {
		msg := clean("clean")
		if r := d.send(msg, "bob@a.example"); !strings.HasPrefix(r, "250 2.0.0 ") {
			t.Fatal(r)
		}
		got := p.arrived("bob")
		for _, want := range []string{"\nX-Test: clean\n", "\nX-Sluice-Verdict:", "\nX-Spam-Flag: NO\n", "\nReceived: from client.sender.example ",
			"Return-Path: <ann@sender.example>\n", "Delivered-To: bob@a.example\n", "(using TLSv1.3 with cipher "} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if body(got) != sent(msg) {
			t.Errorf("the text changed:\n%s", body(got))
		}
	})
	t.Run("one of several unknown", func(t *testing.T) {
		if r := d.send(clean("several"), "bob@a.example", "nobody@a.example", "carol@a.example"); !strings.HasPrefix(r, "250 2.0.0 ") {
			t.Fatal(r)
		}
		for _, user := range []string{"bob", "carol"} {
			if got := p.arrived(user); !strings.Contains(got, "\nX-Test: several\n") {
				t.Errorf("%s got\n%s", user, got)
			}
		}
		list := d.sluice("quarantine", "list", "--json")
		if !strings.Contains(list, `"rcpt":["nobody@a.example"]`) {
			t.Errorf("the unknown recipient's copy is not in quarantine:\n%s", list)
		}
	})
	t.Run("all unknown", func(t *testing.T) {
		if r := d.send(clean("unknown"), "nobody@a.example"); !strings.HasPrefix(r, "550 5.1.1 ") || !strings.Contains(r, "User unknown in virtual mailbox table") {
			t.Errorf("Postfix's refusal reaches the sender as %q", r)
		}
	})
	t.Run("forms", func(t *testing.T) { postfixForms(t, d, p) })
}

// postfixForms sends what mail looks like beside plain text, and reads it back.
func postfixForms(t *testing.T, d *daemon, p *postfix) {
	t.Run("8 bits", func(t *testing.T) {
		msg := strings.Replace(clean("eight"), "Content-Type: text/plain", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", 1)
		msg = strings.Replace(msg, "The minutes", "Grüße. The minutes", 1)
		if r := d.with(t, "MAIL FROM:<ann@sender.example> BODY=8BITMIME", "RCPT TO:<bob@a.example>", msg); !strings.HasPrefix(r, "250 ") {
			t.Fatal(r)
		}
		if got := p.arrived("bob"); body(got) != sent(msg) {
			t.Errorf("the text changed:\n%s", got)
		}
	})
	t.Run("SMTPUTF8", func(t *testing.T) {
		msg := strings.Replace(clean("utf8"), "Subject: minutes", "Subject: Grüße", 1)
		if r := d.with(t, "MAIL FROM:<änn@sender.example> BODY=8BITMIME SMTPUTF8", "RCPT TO:<jürgen@a.example>", msg); !strings.HasPrefix(r, "250 ") {
			t.Fatal(r)
		}
		if got := p.arrived("juergen"); !strings.Contains(got, "\nSubject: Grüße\n") || !strings.Contains(got, "Return-Path: <änn@sender.example>\n") {
			t.Errorf("arrived as\n%s", got)
		}
	})
	t.Run("1 MB and dots", func(t *testing.T) {
		msg := clean("large") + strings.Repeat(".a line that begins with a dot, and is seventy octets long, or nearly.\r\n..\r\n", 14_000)
		msg = strings.TrimSuffix(msg, "\r\n")
		if r := d.send(strings.ReplaceAll(msg, "\r\n.", "\r\n.."), "bob@a.example"); !strings.HasPrefix(r, "250 ") {
			t.Fatal(r)
		}
		if got := p.arrived("bob"); body(got) != sent(msg) {
			t.Errorf("%d octets of text arrived of %d", len(body(got)), len(sent(msg)))
		}
	})
	t.Run("BDAT", func(t *testing.T) {
		c := d.dial()
		defer c.Close()
		if r, err := c.Chunks("ann@sender.example", []string{"bob@a.example"}, clean("chunks")); err != nil || !strings.HasPrefix(r, "250 ") {
			t.Fatal(r, err)
		}
		if got := p.arrived("bob"); body(got) != sent(clean("chunks")) {
			t.Errorf("the text changed:\n%s", got)
		}
	})
}

// with sends a message with the given MAIL and RCPT lines.
func (d *daemon) with(t *testing.T, mail, rcpt, msg string) string {
	t.Helper()
	c := d.dial()
	defer c.Close()
	for _, l := range []string{mail, rcpt, "DATA"} {
		if r, err := c.Say(l); err != nil || r[0] != '2' && r[0] != '3' {
			t.Fatalf("%s: %s %v", l, r, err)
		}
	}
	r, err := c.Say(msg + "\r\n.")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPostfixBefore lets a real Postfix send through us: it pipelines, sends one
// message to several recipients, and tells its user our words where we refuse.
func TestPostfixBefore(t *testing.T) {
	maildir := filepath.Join(t.TempDir(), "maildir")
	cert, key := certificate(t, t.TempDir(), "mx.a.example")
	d := serve(t, setup{relay: "maildir:" + maildir, more: "[tls]\ncert = \"" + cert + "\"\nkey = \"" + key + "\"\n"})
	p := startPostfix(t, "virtual_mailbox_domains = sender.example\nsmtp_tls_security_level = encrypt\nrelayhost = ["+strings.Replace(d.addr, ":", "]:", 1)+"\n")
	hand := func(msg string, to ...string) {
		t.Helper()
		c, err := Dial(p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Say("EHLO desk.sender.example"); err != nil {
			t.Fatal(err)
		}
		if r, err := c.Send("ann@sender.example", to, msg); err != nil || r[0] != '2' {
			t.Fatalf("Postfix doesn't take it: %s %v", r, err)
		}
	}

	hand(clean("through"), "bob@a.example", "carol@a.example", "dave@a.example")
	var got []string
	eventually(t, "a message in our Maildir", func() bool { got = files(t, filepath.Join(maildir, "new"), ""); return len(got) > 0 })
	b, err := os.ReadFile(got[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nX-Test: through\n", "\nX-Sluice-Verdict:", "\nReceived: from postfix.example ", "\tESMTPS id "} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %q in\n%s", want, b)
		}
	}
	eventually(t, "three recipients sent in Postfix's log", func() bool { return strings.Count(p.log(), "status=sent (250 2.0.0 ") == 3 })
	if !strings.Contains(d.log.String(), "tls=TLS1.3") {
		t.Errorf("the log doesn't tell of TLS:\n%s", d.log.String())
	}
	if n := len(got); n != 1 {
		t.Errorf("%d files for one transaction", n)
	}

	hand(mail("bad", eicar, 1), "bob@a.example")
	bounce := p.arrived("ann")
	flat := strings.Join(strings.Fields(bounce), " ")
	for _, want := range []string{"554 5.7.1 ", "malware", "Status: 5.7.1", "Final-Recipient: rfc822; bob@a.example", "Action: failed"} {
		if !strings.Contains(flat, want) {
			t.Errorf("no %q in the bounce:\n%s", want, bounce)
		}
	}
	if !strings.Contains(p.log(), "status=bounced (host 127.0.0.1[127.0.0.1] said: 554 5.7.1 ") {
		t.Error("our refusal isn't in Postfix's log")
	}

	hand(clean("elsewhere"), "bob@elsewhere.example")
	bounce = p.arrived("ann")
	if flat := strings.Join(strings.Fields(bounce), " "); !strings.Contains(flat, "550 5.7.1 ") || !strings.Contains(flat, "(in reply to RCPT TO command)") {
		t.Errorf("relaying refused, bounce:\n%s", bounce)
	}
}
