package system

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/deliver/delivertest"
	"sluice/dns/dnstest"
	"sluice/mailauth/dkim"
	"sluice/message"
)

// TestSmartHost sends our own mail out as an admin would set it up: keys made by
// the command, a host known by its fingerprint, a login. What arrives there must
// verify with the records that the command printed.
func TestSmartHost(t *testing.T) {
	dir := t.TempDir()
	records := map[string]string{}
	for _, typ := range []string{"rsa", "ed25519"} {
		out, stderr, err := run(t, "key", "new", "--domain", "sender.example", "--selector", typ, "--type", typ, "--out", filepath.Join(dir, typ+".pem"))
		if err != nil {
			t.Fatalf("%v: %s", err, stderr)
		}
		var name, text string
		for line := range strings.Lines(out) {
			if v, ok := strings.CutPrefix(line, "name  "); ok {
				name = strings.TrimSpace(v)
			}
			if v, ok := strings.CutPrefix(line, "text  "); ok {
				text = strings.TrimSpace(v)
			}
		}
		records[name] = text
	}
	var zoneText strings.Builder
	sep := "{"
	for name, text := range records {
		fmt.Fprintf(&zoneText, "%s%q: {\"TXT\": [%q]}", sep, name, text)
		sep = ","
	}
	zone, err := dnstest.Parse("zone.json", strings.NewReader(zoneText.String()+"}"))
	if err != nil {
		t.Fatal(err)
	}

	certFile, keyFile := certificate(t, dir, "smart.example")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	const secret = "correct horse battery staple"
	passwordFile := filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hop := delivertest.NewServer(t, delivertest.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Users: map[string]string{"gateway": secret}})
	hopLines := func(pin, user string) string {
		return fmt.Sprintf("tls = \"fingerprint\"\nfingerprints = [%q]\nuser = %q\npassword_file = %q\nsign = true\n", pin, user, passwordFile)
	}
	var sign strings.Builder
	for _, typ := range []string{"rsa", "ed25519"} {
		fmt.Fprintf(&sign, "[[sign]]\ndomain = \"sender.example\"\nselector = %q\nkey = %q\n", typ, filepath.Join(dir, typ+".pem"))
	}
	pin := fmt.Sprintf("sha256:%X", sha256.Sum256(block.Bytes))
	d := serve(t, setup{relay: "smtp://" + hop.Addr, more: hopLines(pin, "gateway") + sign.String()})

	reload := func(text string) {
		t.Helper()
		const done = "new sessions use the new settings"
		before := strings.Count(d.log.String(), done)
		d.configure(text)
		d.signal(syscall.SIGHUP)
		eventually(t, "the new settings are used", func() bool { return strings.Count(d.log.String(), done) > before })
	}
	verify := func(m delivertest.Message, want ...string) {
		t.Helper()
		if !m.TLS || m.User != "gateway" {
			t.Errorf("came from %q, TLS %v", m.User, m.TLS)
		}
		var got []string
		for _, r := range dkim.Verify(t.Context(), zone, message.Parse(m.Data, message.DefaultLimits()), time.Now(), dkim.DefaultLimits()) {
			if r.Status != "pass" {
				t.Errorf("selector %s: %s %s", r.Selector, r.Status, r.Problem)
			}
			got = append(got, r.Selector)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("signed by %v, want %v", got, want)
		}
	}

	// A stranger may write any From: our word isn't put on that.
	if r := d.send(clean("stranger"), "bob@a.example"); !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	trusted := "trusted = [\"127.0.0.0/8\"]\n"
	reload(trusted + d.text())
	for _, id := range []string{"ours", "again"} {
		if r := d.send(clean(id), "bob@a.example"); !strings.HasPrefix(r, "250") {
			t.Fatalf("%s\n%s", r, d.log.String())
		}
	}
	got := hop.Messages()
	if len(got) != 3 {
		t.Fatalf("%d messages", len(got))
	}
	verify(got[0])
	verify(got[1], "rsa", "ed25519")
	verify(got[2], "rsa", "ed25519")

	// Our own mail that an admin lets go is ours all the same.
	r := d.send(spam("held"), "bob@a.example")
	_, id, ok := strings.Cut(r, "ref ")
	if !ok || !strings.HasPrefix(r, "250") {
		t.Fatal(r)
	}
	d.sluice("quarantine", "release", strings.TrimSpace(id))
	eventually(t, "the released message arrives", func() bool { return len(hop.Messages()) == 4 })
	verify(hop.Messages()[3], "rsa", "ed25519")

	// What is wrong between us and the host is our trouble: the sender keeps the
	// message, the admin reads why, and nobody the password.
	for _, tc := range []struct{ pin, user, want string }{
		{"sha256:" + strings.Repeat("00", 32), "gateway", "none of the 1 configured fingerprints fits"},
		{pin, "gatekeeper", "refused: 535"},
	} {
		d.more = hopLines(tc.pin, tc.user) + sign.String()
		reload(trusted + d.text())
		before := len(d.log.String())
		if r := d.send(clean("later"), "bob@a.example"); !strings.HasPrefix(r, "451") || strings.Contains(r, "gate") {
			t.Errorf("%s: %s", tc.want, r)
		}
		eventually(t, "the admin is told "+tc.want, func() bool { return strings.Contains(d.log.String()[before:], tc.want) })
	}
	if n := len(hop.Messages()); n != 4 {
		t.Errorf("%d messages at the host", n)
	}
	if strings.Contains(d.log.String(), secret) || strings.Contains(d.log.String(), secret[8:]) {
		t.Error("the password is in the log")
	}

	// Secrets that others can read are told at once.
	if err := os.Chmod(passwordFile, 0o640); err != nil {
		t.Fatal(err)
	}
	d.signal(syscall.SIGHUP)
	eventually(t, "the open file is told", func() bool { return strings.Contains(d.log.String(), "can be read or changed by others (mode 0640)") })
}
