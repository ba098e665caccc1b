package doctor

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sluice/certs"
	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/inspect/sandbox"
	"sluice/mailauth/key"
)

var today = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// bench is a machine in good order.
func bench() machine {
	return machine{now: func() time.Time { return today }, user: os.Geteuid(),
		addrs:    func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("192.0.2.25")}, nil },
		servers:  func() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")} },
		capacity: func() int { return 10000 },
		free:     func(string) (uint64, uint64, error) { return 100 << 30, 200 << 30, nil },
		synced:   func() (bool, error) { return true, nil },
		layers: func() []sandbox.Layer {
			return []sandbox.Layer{{Name: sandbox.LayerPrivileges, Holds: true}, {Name: sandbox.LayerLimits, Holds: true},
				{Name: sandbox.LayerLandlock, Holds: true, Detail: "version 4"}, {Name: sandbox.LayerSeccomp, Holds: true}, {Name: "memory cgroup", Holds: true, Detail: "delegated"}}
		},
		clamd: func() (string, []byte) { return "", nil }}
}

func settings(t *testing.T, text string) *config.Config {
	t.Helper()
	text = "hostname = \"mx.example.org\"\n" + text
	if !strings.Contains(text, "data =") {
		text = fmt.Sprintf("data = %q\n", t.TempDir()) + text
	}
	cfg, err := config.Parse("test.toml", []byte(text), config.Flags{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func zone(t *testing.T, json string) dns.Resolver {
	t.Helper()
	z, err := dnstest.Parse("zone.json", strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// with is an examiner of settings with a DNS that knows a zone.
func with(t *testing.T, cfg *config.Config, json string) *examiner {
	t.Helper()
	x := &examiner{cfg: cfg, dns: zone(t, json), m: bench(), certs: certs.Config{Cert: cfg.TLS.Cert, Key: cfg.TLS.Key, Names: []string{cfg.Hostname}, Dir: cfg.Data}}
	x.certs.Now = x.m.now
	x.port = build.NewPort(slog.New(slog.DiscardHandler), x.dns)
	if err := x.port.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.port.Close)
	return x
}

// want compares findings, a line each: level, text, and whether there is a fix.
func want(t *testing.T, name string, got []Finding, lines ...string) {
	t.Helper()
	var have []string
	for _, f := range got {
		have = append(have, string(f.Level)+" "+f.Text)
		if (f.Level == OK) != (f.Fix == "") {
			t.Errorf("%s: %s: fix %q", name, f.Level, f.Fix)
		}
	}
	if len(have) != len(lines) {
		t.Errorf("%s: %s", name, cmp.Diff(lines, have))
		return
	}
	for i := range lines {
		if !strings.HasPrefix(have[i], lines[i]) {
			t.Errorf("%s:\n got %s\nwant %s", name, have[i], lines[i])
		}
	}
}

// hold takes the data folder's lock as a daemon does.
func hold(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
}

// greeter is a server that says one line to everybody.
func greeter(t *testing.T, line string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = nc.Write([]byte(line))
			nc.Close()
		}
	}()
	return ln.Addr().String()
}

// silent is a server that takes a connection and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

func TestListener(t *testing.T) {
	ours, other, mute := greeter(t, "220 mx.example.org ESMTP\r\n"), greeter(t, "220 old.example.org ESMTP Other\r\n"), greeter(t, "")
	for _, daemon := range []bool{false, true} {
		cfg := settings(t, "")
		if daemon {
			hold(t, cfg.Data)
		}
		x := with(t, cfg, `{}`)
		see := func(name string, l config.Listener, want_ ...string) {
			t.Helper()
			if l.Kind == "" {
				l.Kind = "smtp"
			}
			want(t, fmt.Sprint(name, " ", daemon), x.listener(l)(t.Context()), want_...)
		}
		see("free", config.Listener{Address: "127.0.0.1:0"}, "ok free, for smtp")
		see("not ours", config.Listener{Address: "192.0.2.99:2525"}, "bad this machine has no such address")
		see("lmtp", config.Listener{Address: "127.0.0.1:smtp", Kind: "lmtp"}, "bad LMTP must not run on port 25")
		see("name", config.Listener{Address: "127.0.0.1:nonsense"}, "bad lookup tcp/nonsense: unknown port")
		see("socket", config.Listener{Address: "/run/x", Kind: "lmtp"}, "ok a socket of this machine, for lmtp")
		if !daemon {
			see("taken", config.Listener{Address: ours}, "bad taken by another program")
			continue
		}
		see("ours", config.Listener{Address: ours}, "ok served by a running daemon, for smtp")
		see("another", config.Listener{Address: other}, `bad taken by another program, which says "220 old.example.org ESMTP Other"`)
		see("mute", config.Listener{Address: mute}, "warn in use, and whoever is there doesn't greet")
		see("pausing", config.Listener{Address: silent(t)}, "ok in use, and a daemon is running, which pauses")
		see("implicit", config.Listener{Address: mute, TLS: "implicit"}, "ok in use, and a daemon is running; for smtp")
		want(t, "web", x.web(mute, "the console")(t.Context()), "ok in use, and a daemon is running; for the console")
	}
	for in, out := range map[string]string{"0.0.0.0:25": "127.0.0.1:25", "[::]:25": "[::1]:25", ":25": "127.0.0.1:25", "192.0.2.1:25": "192.0.2.1:25", "localhost:25": "localhost:25"} {
		if got := reachable(in); got != out {
			t.Errorf("%s: %s, want %s", in, got, out)
		}
	}
}

func TestConsole(t *testing.T) {
	for text, line := range map[string]string{
		`address = "127.0.0.1:8025"`:                                     "ok reachable from this machine only",
		`address = "localhost:8025"`:                                     "ok reachable from this machine only",
		"address = \"[::1]:8025\"\nurl = \"https://sluice.example.org\"": "ok reachable from this machine, and over https",
		"address = \"[::1]:8025\"\nurl = \"http://sluice.example.org\"":  "bad people reach it at http://sluice.example.org",
		`address = "0.0.0.0:8025"`:                                       "bad it answers on 0.0.0.0:8025 without https",
		"address = \":8025\"\nurl = \"https://sluice.example.org\"":      "warn people use https, but :8025 itself",
	} {
		x := &examiner{cfg: settings(t, "[console]\n"+text)}
		want(t, text, x.console(t.Context()), line)
	}
}

func TestData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	x := &examiner{cfg: settings(t, fmt.Sprintf("data = %q\n", dir)), m: bench()}
	see := func(name string, lines ...string) {
		t.Helper()
		want(t, name, x.data(t.Context()), lines...)
	}
	const room = "ok 100.0 GB of 200.0 GB free"
	see("unborn", "ok it isn't there yet; sluice serve makes it", room)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	see("fresh", "ok its owner's alone (mode 0700)", room)
	if err := os.MkdirAll(filepath.Join(dir, "quarantine", "ab"), 0o700); err != nil {
		t.Fatal(err)
	}
	hold(t, dir)
	see("in use", "ok its owner's alone (mode 0700)", "ok a daemon uses it", room)
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	see("open", "warn others may look into it (mode 0750)", "ok a daemon uses it", room)
	x.m.user = 12345
	see("another's", "bad it belongs to user", "ok a daemon uses it", room)
	x.m.user = os.Geteuid()
	for _, s := range []struct {
		free uint64
		want string
	}{{1 << 20, "bad 1 MB of 200.0 GB free: no mail is taken any more"}, {500 << 20, "warn 500 MB of 200.0 GB free"},
		{5 << 30, "warn 5.0 GB of 200.0 GB free, and the quarantine may grow to 10.0 GB"}} {
		x.m.free = func(string) (uint64, uint64, error) { return s.free, 200 << 30, nil }
		want(t, s.want, []Finding{x.space(dir)}, s.want)
	}
	x.m.free = func(string) (uint64, uint64, error) { return 0, 0, errors.New("no disk") }
	want(t, "no disk", []Finding{x.space(dir)}, "warn the free space can't be seen: no disk")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.cfg.Data = file
	see("a file", "bad it is no folder")
	if os.Geteuid() != 0 {
		x.cfg.Data = "/proc/none/data"
		see("nowhere", "bad it isn't there, and this user can't make it in /proc")
	}
}

func TestCertificate(t *testing.T) {
	cfg := settings(t, "")
	x := with(t, cfg, `{}`)
	want(t, "none", x.certificate(t.Context()), "warn there is no certificate yet")
	m, err := certs.New(t.Context(), x.certs)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	want(t, "self-made", x.certificate(t.Context()), "warn self-made, by mx.example.org, 365 days left")
	self := filepath.Join(cfg.Data, "tls", "self.pem")
	x.certs.Cert, x.certs.Key = self, self
	want(t, "file", x.certificate(t.Context()), "ok file, by mx.example.org, 365 days left", "ok the key is its owner's alone (mode 0600)")
	for mode, line := range map[os.FileMode]string{0o640: "warn a group may read the key (mode 0640)", 0o644: "bad everybody on this machine may read the key (mode 0644)"} {
		if err := os.Chmod(self, mode); err != nil {
			t.Fatal(err)
		}
		want(t, line, []Finding{keyFile(self)}, line)
	}
	cfg.Hostname = "other.example.org"
	x.m.now = func() time.Time { return today.Add(360 * 24 * time.Hour) }
	x.certs.Now = x.m.now
	want(t, "soon", x.certificate(t.Context())[:2], "warn file: it ends on 2028-02-29", "warn no certificate is for other.example.org")
	x.certs.Now = func() time.Time { return today.Add(366 * 24 * time.Hour) }
	x.m.now = x.certs.Now
	want(t, "over", x.certificate(t.Context())[:1], "bad file: it ended on 2028-02-29")
	x.certs.ACME = &certs.ACME{}
	want(t, "acme", x.certificate(t.Context())[1:2], "warn acme: none was issued yet")
	x.certs.Cert = filepath.Join(t.TempDir(), "none")
	want(t, "broken", x.certificate(t.Context()), "bad the certificate: open ")
}

func TestContacts(t *testing.T) {
	up, down := relay.Contact{Host: "10.0.0.1:25", TLS: "TLS 1.3", Took: 12 * time.Millisecond}, relay.Contact{Host: "10.0.0.2:25", Err: errors.New("relay: 10.0.0.2:25: refused")}
	clear := relay.Contact{Host: "10.0.0.1:25", Took: time.Microsecond}
	for _, c := range []struct {
		name, mode string
		list       []relay.Contact
		want       []string
	}{
		{"tls", "", []relay.Contact{up}, []string{"ok smtp 10.0.0.1:25 answers in 12 ms with TLS 1.3, not verified"}},
		{"verified", "verify", []relay.Contact{up}, []string{"ok smtp 10.0.0.1:25 answers in 12 ms with TLS 1.3"}},
		{"down", "", []relay.Contact{down}, []string{"bad 10.0.0.2:25: refused"}},
		{"one of two", "", []relay.Contact{up, down}, []string{"ok ", "warn 10.0.0.2:25: refused"}},
		{"both", "", []relay.Contact{down, down}, []string{"bad ", "bad "}},
		{"clear", "", []relay.Contact{clear}, []string{"warn smtp 10.0.0.1:25 answers in under 1 ms and offers no TLS"}},
		{"clear, wanted", "none", []relay.Contact{clear}, []string{"ok smtp 10.0.0.1:25 answers in under 1 ms in clear text"}},
		{"loopback", "", []relay.Contact{{Host: "127.0.0.1:25"}}, []string{"ok smtp 127.0.0.1:25 answers in under 1 ms in clear text"}},
		{"socket", "", []relay.Contact{{Host: "/run/lmtp"}}, []string{"ok smtp /run/lmtp"}},
		{"broken TLS", "may", []relay.Contact{{Host: "10.0.0.1:25", NoTLS: errors.New("relay: bad handshake")}}, []string{"warn mail goes in clear text: bad handshake"}},
	} {
		want(t, c.name, contacts(c.list, "smtp", c.mode), c.want...)
	}
}

func TestHops(t *testing.T) {
	srv := delivertest.NewServer(t, delivertest.Script{})
	lmtp := delivertest.NewServer(t, delivertest.Script{LMTP: true})
	box := filepath.Join(t.TempDir(), "box")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	domain := func(name, relay, more string) string {
		return fmt.Sprintf("[[domain]]\nnames = [%q]\nrelay = [%q]\n%s\n", name, relay, more)
	}
	x := with(t, settings(t, domain("a.example", "smtp://"+srv.Addr, "")+domain("b.example", "smtp://"+srv.Addr, "")+domain("c.example", "smtp://"+srv.Addr, `tls = "verify"`)+
		domain("d.example", "lmtp://"+lmtp.Addr, "")+domain("e.example", "maildir:"+box, "")+domain("f.example", "maildir:"+file, "")+
		domain("g.example", "smtp://"+srv.Addr, "user = \"u\"\npassword_file = \"/none\"")), `{}`)
	var all []Finding
	var uses []string
	for _, h := range x.hops() {
		uses = append(uses, h.use)
		all = append(all, x.hop(h)(t.Context())...)
	}
	if d := cmp.Diff([]string{"a.example, …", "c.example", "d.example", "e.example", "f.example", "g.example"}, uses); d != "" {
		t.Error(d)
	}
	want(t, "hops", all, "ok smtp "+srv.Addr+" answers in ", "bad "+srv.Addr+": STARTTLS is required and not offered", "ok lmtp "+lmtp.Addr,
		"ok maildir "+box+" isn't there yet", "bad "+file+" is no folder", "bad password_file: open /none")
	if err := os.MkdirAll(filepath.Join(box, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	want(t, "maildir", maildir(box), "ok maildir "+box+" can be written")
	for _, m := range srv.Commands() {
		if strings.HasPrefix(m, "MAIL") || strings.HasPrefix(m, "AUTH") {
			t.Errorf("%q was sent", m)
		}
	}

	login := &examiner{cfg: settings(t, "")}
	login.cfg.Submission.LoginTLS = "none"
	want(t, "login", login.login("smtp://"+srv.Addr)(t.Context()), "ok smtp "+srv.Addr+" answers")
	login.cfg.Submission.LoginTLS = "verify"
	want(t, "login, verified", login.login("smtp://"+srv.Addr)(t.Context()), "bad "+srv.Addr+": STARTTLS is required")
	cert := selfSigned(t)
	secure := delivertest.NewServer(t, delivertest.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Implicit: true})
	want(t, "login, smtps", login.login("smtps://"+secure.Addr)(t.Context()), "bad "+secure.Addr+": TLS: ")
	login.cfg.Submission.LoginTLS = "may"
	want(t, "login, not verified", login.login("smtps://"+secure.Addr)(t.Context()), "ok smtps "+secure.Addr+" answers in ")
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	dir := t.TempDir()
	m, err := certs.New(t.Context(), certs.Config{Names: []string{"back.example"}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	c, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls", "self.pem"), filepath.Join(dir, "tls", "self.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMailboxes(t *testing.T) {
	strict := delivertest.NewServer(t, delivertest.Script{Answer: func(arg string) string {
		if strings.Contains(strings.ToLower(arg), "postmaster") {
			return ""
		}
		return "550 5.1.1 No such user\r\n"
	}})
	lax := delivertest.NewServer(t, delivertest.Script{})
	file := filepath.Join(t.TempDir(), "recipients")
	if err := os.WriteFile(file, []byte("ann@example.org\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ directory, want string }{
		"list":      {`kind = "list"` + "\naddresses = [\"ann@example.org\"]", "ok answers, for example.org"},
		"catch-all": {`kind = "list"` + "\naddresses = [\"@example.org\"]", "warn knows a mailbox that was made up"},
		"file":      {fmt.Sprintf("kind = \"file\"\npath = %q", file), "ok answers, for example.org"},
		"strict":    {fmt.Sprintf("kind = \"callahead\"\nserver = %q", "smtp://"+strict.Addr), "ok answers, for example.org"},
		"lax":       {fmt.Sprintf("kind = \"callahead\"\nserver = %q", "smtp://"+lax.Addr), "warn "},
		"away":      {`kind = "callahead"` + "\nserver = \"smtp://127.0.0.1:1\"", "bad doesn't answer: "},
	} {
		x := with(t, settings(t, "[[domain]]\nnames = [\"example.org\"]\nrecipients = [\"d\"]\n[[directory]]\nname = \"d\"\n"+c.directory), `{}`)
		want(t, name, x.mailboxes(t.Context()), c.want)
	}
	want(t, "none", with(t, settings(t, ""), `{}`).mailboxes(t.Context()), "ok no directory is configured")
	for _, c := range append(lax.Commands(), strict.Commands()...) {
		if strings.HasPrefix(c, "DATA") || strings.HasPrefix(c, "BDAT") {
			t.Errorf("%q was sent", c)
		}
	}
}

func TestResolver(t *testing.T) {
	const root = `{".": {"NS": ["a.root-servers.net."]}}`
	const list = "\n[[dnsbl]]\nzone = \"bl.example.net\"\n"
	for _, c := range []struct {
		name, settings, zone string
		want                 []string
	}{
		{"system", "", root, []string{"ok 127.0.0.1, the system's; what it says isn't marked"}},
		{"named", "[dns]\nservers = [\"192.0.2.53\"]", root, []string{"ok 192.0.2.53, as configured"}},
		{"public", "[dns]\nservers = [\"8.8.8.8\"]", root, []string{"ok 8.8.8.8, as configured"}},
		{"public, with lists", "[dns]\nservers = [\"8.8.8.8\", \"2620:fe::fe\"]" + list, root,
			[]string{"ok 8.8.8.8, 2620:fe::fe", "bad Google Public DNS is a resolver for everybody", "bad Quad9 is a resolver for everybody"}},
		{"closed", "[[domain]]\nnames = [\"example.org\"]", `{}`, []string{`bad 127.0.0.1, the system's, has no way to the Internet's DNS: "." NS: no such name`}},
		{"closed, first try", "", `{}`, []string{`warn 127.0.0.1, the system's, has no way`}},
		{"silent", "", `{".": "TIMEOUT"}`, []string{`warn 127.0.0.1, the system's, has no way to the Internet's DNS: "." NS: no answer in time`}},
	} {
		want(t, c.name, with(t, settings(t, c.settings), c.zone).resolver(t.Context()), c.want...)
	}
	mute := &examiner{cfg: settings(t, "[dns]\nservers = [\"none\"]"), mute: true}
	want(t, "nobody", mute.resolver(t.Context()), "warn nobody is asked")
	mute.cfg = settings(t, "[dns]\nservers = [\"none\"]"+list)
	want(t, "nobody, with lists", mute.resolver(t.Context()), "bad nobody is asked")
}

func TestLists(t *testing.T) {
	x := with(t, settings(t, "[[dnsbl]]\nzone = \"good.example\"\n[[dnsbl]]\nzone = \"all.example\"\n[[dnsbl]]\nzone = \"gone.example\"\nname = \"Gone\"\n"), `{
		"2.0.0.127.good.example": {"A": ["127.0.0.2"]},
		"*.all.example": {"A": ["127.0.0.2"]}}`)
	if d := cmp.Diff([]string{"good.example", "all.example", "Gone"}, x.lists()); d != "" {
		t.Error(d)
	}
	want(t, "good", x.list("good.example")(t.Context()), "ok block list, 3.0 points; its test points answer as they should")
	want(t, "all", x.list("all.example")(t.Context()), "bad ")
	want(t, "gone", x.list("Gone")(t.Context()), "bad ")
	want(t, "unknown", x.list("none")(t.Context()), "bad it isn't among the lists in use")
}

func TestHost(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		want       []string
	}{
		{"good", `{"mx.example.org": {"A": ["192.0.2.25"]}, "192.0.2.25": {"PTR": ["mx.example.org."]}}`, []string{"ok is at 192.0.2.25", "ok is mx.example.org, and that leads back"}},
		{"translated", `{"mx.example.org": {"A": ["192.0.2.7"]}, "192.0.2.7": {"PTR": ["mx.example.org."]}}`, []string{"warn is at 192.0.2.7, which this machine hasn't (it has 192.0.2.25)", "ok is mx.example.org"}},
		{"nameless", `{"mx.example.org": {"A": ["192.0.2.25"]}}`, []string{"ok ", "bad has no name (PTR)"}},
		{"lying", `{"mx.example.org": {"A": ["192.0.2.25"]}, "192.0.2.25": {"PTR": ["mail.example.net."]}}`, []string{"ok ", "bad is mail.example.net, which doesn't lead back to it"}},
		{"another name", `{"mx.example.org": {"A": ["192.0.2.25"]}, "192.0.2.25": {"PTR": ["a.example.net."]}, "a.example.net": {"A": ["192.0.2.25"]}}`, []string{"ok ", "warn is a.example.net, and that leads back"}},
		{"homeless", `{}`, []string{"bad our name has no address in the DNS"}},
		{"silent", `{"mx.example.org": "TIMEOUT"}`, []string{"warn the DNS gives no answer: "}},
		{"silent behind", `{"mx.example.org": {"A": ["192.0.2.25"]}, "192.0.2.25": "SERVFAIL"}`, []string{"ok ", "warn the DNS gives no answer: "}},
	} {
		want(t, c.name, with(t, settings(t, ""), c.zone).host(t.Context()), c.want...)
	}
	x := with(t, settings(t, ""), `{}`)
	x.cfg.Hostname = "vm"
	want(t, "short", x.host(t.Context()), "warn our name has no dot")
}

func TestDomain(t *testing.T) {
	const us = `"mx.example.org": {"A": ["192.0.2.25"]}`
	for _, c := range []struct {
		what, name, zone, want string
	}{
		{"mx", "ours", `"d.example": {"MX": ["10 mx.example.org."]}`, "ok its mail comes here (MX mx.example.org)"},
		{"mx", "by address", `"d.example": {"MX": ["10 alias.example."]}, "alias.example": {"A": ["192.0.2.25"]}`, "ok its mail comes here (MX alias.example)"},
		{"mx", "elsewhere", `"d.example": {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": ["192.0.2.99"]}`, "warn its mail goes to mx.example.net, not here"},
		{"mx", "second", `"d.example": {"MX": ["10 mx.example.net.", "20 mx.example.org."]}`, "warn its mail goes to mx.example.net first"},
		{"mx", "backup", `"d.example": {"MX": ["10 mx.example.org.", "20 mx.example.net."]}`, "warn its mail comes here, but spammers like the other way in: mx.example.net"},
		{"mx", "equal", `"d.example": {"MX": ["10 mx.example.org.", "10 mx.example.net."]}`, "ok its mail comes here"},
		{"mx", "none", `"d.example": {"A": ["192.0.2.25"]}`, "bad has no MX record"},
		{"mx", "null", `"d.example": {"MX": ["0 ."]}`, "bad says that it takes no mail"},
		{"mx", "silent", `"d.example": {"MX": "TIMEOUT"}`, "warn MX: the DNS gives no answer"},
		{"spf", "good", `"d.example": {"TXT": ["v=spf1 ip4:192.0.2.25 -all"]}`, "ok SPF says pass to this host (192.0.2.25, 0 lookups)"},
		{"spf", "not us", `"d.example": {"TXT": ["v=spf1 -all"]}`, "ok SPF says fail to this host"},
		{"spf", "none", `"d.example": {"TXT": ["hello"]}`, "warn has no SPF record"},
		{"spf", "two", `"d.example": {"TXT": ["v=spf1 -all", "v=spf1 +all"]}`, "bad its SPF record is broken: "},
		{"spf", "silent", `"d.example": {"TXT": "TIMEOUT"}`, "warn SPF: the DNS gives no answer: "},
		{"dmarc", "good", `"_dmarc.d.example": {"TXT": ["v=DMARC1; p=reject"]}`, "ok DMARC at d.example: policy reject"},
		{"dmarc", "none", `"d.example": {"TXT": ["hello"]}`, "warn has no DMARC record"},
		{"dmarc", "broken", `"_dmarc.d.example": {"TXT": ["v=DMARC1; p=reject; rua=nonsense"]}`, "warn DMARC at d.example: "},
		{"dmarc", "silent", `"_dmarc.d.example": {"TXT": "TIMEOUT"}`, "warn DMARC: the DNS gives no answer: "},
	} {
		x := with(t, settings(t, ""), "{"+us+", "+c.zone+"}")
		run := map[string]func(string) func(context.Context) []Finding{"mx": x.mx, "spf": x.spf, "dmarc": x.dmarc}[c.what]
		want(t, c.what+" "+c.name, run("d.example")(t.Context()), c.want)
	}
}

func TestSignKey(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, k any) string {
		t.Helper()
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good, weak := write("ed.pem", ed), write("rsa.pem", short)
	text, err := key.Text(ed.Public())
	if err != nil {
		t.Fatal(err)
	}
	weakText, err := key.Text(short.Public())
	if err != nil {
		t.Fatal(err)
	}
	later := today.Add(24 * time.Hour)
	for _, c := range []struct {
		name, file, record string
		from               time.Time
		want               string
	}{
		{"good", good, fmt.Sprintf(`["%s"]`, text), time.Time{}, "ok the DKIM key is in the DNS (ed25519, 256 bits)"},
		{"missing", good, "", time.Time{}, "bad the DKIM key isn't in the DNS"},
		{"missing, not due", good, "", later, "warn the DKIM key isn't in the DNS"},
		{"another", good, fmt.Sprintf(`["%s"]`, weakText), time.Time{}, "bad the DKIM key in the DNS is another one"},
		{"weak", weak, fmt.Sprintf(`["%s"]`, weakText), time.Time{}, "warn the DKIM key is in the DNS, and short (1024 bits"},
		{"revoked", good, `["v=DKIM1; k=ed25519; p="]`, time.Time{}, "bad the DKIM key is revoked"},
		{"test", good, fmt.Sprintf(`["%s; t=y"]`, text), time.Time{}, "warn the DKIM key is in the DNS, and marked as a test"},
		{"two", good, fmt.Sprintf(`["%s", "hello"]`, text), time.Time{}, "bad 2 TXT records"},
		{"broken", good, `["hello"]`, time.Time{}, "bad the DKIM record is broken"},
		{"silent", good, `"TIMEOUT"`, time.Time{}, "warn DKIM key: the DNS gives no answer"},
		{"no file", filepath.Join(dir, "none"), "", time.Time{}, "bad the key can't be used: open"},
	} {
		z := `{}`
		if c.record != "" {
			z = `{"s._domainkey.d.example": {"TXT": ` + c.record + `}}`
		}
		x := with(t, settings(t, ""), z)
		want(t, c.name, x.signKey(config.SignKey{Domain: "d.example", Selector: "s", Key: c.file, NotBefore: config.Start{Time: c.from}})(t.Context()), c.want)
	}
}

func TestSystem(t *testing.T) {
	x := &examiner{cfg: settings(t, ""), m: bench()}
	want(t, "files", x.files(t.Context()), "ok room for 10000 clients")
	x.cfg.Limits.Connections = 20000
	want(t, "files, more wanted", x.files(t.Context()), "warn room for 10000 clients with this shell's limit, fewer than limits.connections (20000)")
	x.cfg.Limits.Connections, x.m.capacity = 0, func() int { return 100 }
	want(t, "files, few", x.files(t.Context()), "warn room for only 100 clients")

	want(t, "clock", x.clock(t.Context()), "ok 2027-03-01 12:00 UTC, kept right")
	x.m.synced = func() (bool, error) { return false, nil }
	want(t, "clock, alone", x.clock(t.Context()), "warn 2027-03-01 12:00 UTC; nothing keeps it right")
	x.m.synced = func() (bool, error) { return false, errors.New("no") }
	want(t, "clock, unseen", x.clock(t.Context()), "ok 2027-03-01 12:00 UTC; whether")
	x.m.now = func() time.Time { return time.Unix(0, 0) }
	want(t, "clock, long over", x.clock(t.Context()), "bad it says 1970-01-01 00:00 UTC")

	want(t, "no file", x.networks("/none.mmdb")(t.Context()), "bad network: ")
	junk := filepath.Join(t.TempDir(), "junk.mmdb")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "junk", x.networks(junk)(t.Context()), "bad network: ")
}

// TestMachine looks at this machine, whatever it has.
func TestMachine(t *testing.T) {
	m := machine{}.complete()
	if n := m.capacity(); n < 1 {
		t.Errorf("capacity %d", n)
	}
	if free, size, err := m.free(t.TempDir()); err != nil || free > size || size == 0 {
		t.Errorf("%d of %d, %v", free, size, err)
	}
	if _, err := m.addrs(); err != nil {
		t.Error(err)
	}
	if len(m.servers()) == 0 || len(m.layers()) != 5 {
		t.Error("no name server, or layers are missing")
	}
	_, _ = m.synced() // may be forbidden
	_, _ = m.clamd()
}

func TestLint(t *testing.T) {
	const page = "postmaster = \"help@example.org\"\n[public]\naddress = \"127.0.0.1:8026\"\n"
	const mail = page + "[reports]\nrelay = \"smtp://10.0.0.1:25\"\n[lint]\nmail = true\nmail_domain = "
	key := "[[sign]]\ndomain = \"example.org\"\nselector = \"a\"\nkey = \"a.pem\"\n"
	for _, c := range []struct {
		name, set, zone string
		want            []string
	}{
		{"a page", page, `{}`, []string{"ok looks at senders' messages, up to 2048 kB"}},
		{"by MX", mail + "\"try.example.org\"\n" + key, `{"try.example.org": {"MX": ["10 mx.example.org."]}, "mx.example.org": {"A": ["192.0.2.25"]}}`, []string{"ok ", "ok its mail comes here", "ok answers are signed by example.org"}},
		{"by our own address", mail + "\"mx.example.org\"\n", `{"mx.example.org": {"A": ["192.0.2.25"]}}`, []string{"ok ", "ok messages come here", "warn answers aren't signed"}},
		{"elsewhere", mail + "\"try.example.org\"\n" + key, `{"try.example.org": {"A": ["192.0.2.99"]}, "mx.example.org": {"A": ["192.0.2.25"]}}`, []string{"ok ", "warn its mail goes to 192.0.2.99, not here", "ok "}},
		{"nowhere", mail + "\"try.example.org\"\n" + key, `{}`, []string{"ok ", "bad has neither MX nor address", "ok "}},
		{"silent", mail + "\"try.example.org\"\n" + key, `{"try.example.org": "TIMEOUT"}`, []string{"ok ", "warn MX: the DNS gives no answer", "ok "}},
	} {
		want(t, c.name, with(t, settings(t, c.set), c.zone).lint(t.Context()), c.want...)
	}
}
