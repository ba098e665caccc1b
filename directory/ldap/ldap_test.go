package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"sluice"
	"sluice/directory"
	"sluice/directory/directorytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slapd is a server of our own on loopback.
type slapd struct {
	dir        string
	attr       *syscall.SysProcAttr
	plain, tls string // addresses
	roots      *x509.CertPool
	password   string // a file
	cmd        *exec.Cmd
}

const (
	base   = "dc=example,dc=com"
	binder = "cn=sluice," + base
)

func newSlapd(t *testing.T) *slapd {
	t.Helper()
	for _, path := range []string{"/usr/sbin/slapd", "/etc/ldap/schema/inetorgperson.schema"} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("needs slapd (Debian package slapd): run scripts/install-test-deps")
		}
	}
	s := &slapd{plain: fmt.Sprintf("127.0.0.1:%d", directorytest.FreePort(t)), tls: fmt.Sprintf("127.0.0.1:%d", directorytest.FreePort(t))}
	s.dir, s.attr = directorytest.Ordinary(t, "openldap")
	s.certificate(t)
	var ldif strings.Builder
	fmt.Fprintf(&ldif, "dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n", base)
	for i, m := range append([]string{"@" + directorytest.CatchAll}, directorytest.Mailboxes...) {
		local, _, _ := strings.Cut(m, "@")
		fmt.Fprintf(&ldif, "dn: cn=user%d,%s\nobjectClass: inetOrgPerson\ncn: user%d\nsn: x\nuid: %s\nmail: %s\n\n", i, base, i, local+"-", m)
	}
	// Two entries with one address, and a referral.
	fmt.Fprintf(&ldif, "dn: cn=twin,%s\nobjectClass: inetOrgPerson\ncn: twin\nsn: x\nmail: %s\n\n", base, directorytest.Mailboxes[0])
	s.write(t, "data.ldif", ldif.String())
	s.write(t, "slapd.conf", fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
database mdb
suffix "%[2]s"
directory %[1]s
rootdn "%[3]s"
rootpw %[4]s
access to * by anonymous auth by * none
`, s.dir, base, binder, directorytest.Password))
	s.password = s.write(t, "password", directorytest.Password+"\n")
	out, err := s.command("/usr/sbin/slapadd", "-f", s.dir+"/slapd.conf", "-l", s.dir+"/data.ldif").CombinedOutput()
	if err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *slapd) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate takes the one for 127.0.0.1 that net/http tests with.
func (s *slapd) certificate(t *testing.T) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	pair := web.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	s.write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	s.roots = x509.NewCertPool()
	s.roots.AddCert(web.Certificate())
}

func (s *slapd) command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.attr
	return cmd
}

func (s *slapd) start(t testing.TB) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = s.command("/usr/sbin/slapd", "-d", "0", "-f", s.dir+"/slapd.conf", "-h", "ldap://"+s.plain+" ldaps://"+s.tls)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", s.tls)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(log.Name())
			t.Fatalf("slapd doesn't start: %v\n%s", err, b)
		}
	}
}

func (s *slapd) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// config is for STARTTLS and a login.
func (s *slapd) config() Config {
	return Config{URL: "ldap://" + s.plain, TLSConfig: &tls.Config{RootCAs: s.roots}, BindDN: binder, PasswordFile: s.password,
		Base: base, Filter: "(mail=%s)", Timeout: 5 * time.Second}
}

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSlapd(t *testing.T) {
	srv := newSlapd(t)
	for name, change := range map[string]func(*Config){
		"STARTTLS": func(*Config) {},
		"ldaps":    func(c *Config) { c.URL = "ldaps://" + srv.tls },
		"plain":    func(c *Config) { c.Plain = true; c.MaxConns = 1 },
		"parts":    func(c *Config) { c.Filter = "(&(objectClass=inetOrgPerson)(uid=%u-)(mail=*@%d))" },
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, func(t *testing.T) directorytest.Fixture {
				cfg := srv.config()
				change(&cfg)
				return directorytest.Fixture{Source: open(t, cfg), Lists: name != "parts", Break: srv.stop, Mend: func() { srv.start(t) }}
			})
		})
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"wrong password":    {func(c *Config) { c.PasswordFile = srv.write(t, "wrong", "other\n") }, "Invalid Credentials"},
		"empty password":    {func(c *Config) { c.PasswordFile = srv.write(t, "empty", "\n") }, "is empty"},
		"not allowed":       {func(c *Config) { c.BindDN, c.PasswordFile = "", "" }, "Insufficient Access"},
		"no such base":      {func(c *Config) { c.Base = "ou=gone," + base }, "No Such Object"},
		"unknown authority": {func(c *Config) { c.TLSConfig = nil }, "certificate"},
		"no TLS there":      {func(c *Config) { c.URL = "ldaps://" + srv.plain }, "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := srv.config()
			c.change(&cfg)
			d := directorytest.Directory(t, open(t, cfg))
			l, err := d.Lookup(t.Context(), directorytest.Mailboxes[0])
			if l.Presence != sluice.CantTell || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), directorytest.Password) {
				t.Errorf("%s, %v; want %s", l.Presence, err, c.want)
			}
		})
	}
	t.Run("restart", func(t *testing.T) {
		// A connection that ended while nobody looked costs no lookup.
		s := open(t, srv.config())
		d := directorytest.Directory(t, s)
		for i, m := range directorytest.Mailboxes[:3] {
			if l, err := d.Lookup(t.Context(), m); l.Presence != sluice.Present || err != nil {
				t.Errorf("%d: %s, %v", i, l.Presence, err)
			}
			srv.stop()
			srv.start(t)
		}
	})
	t.Run("referral", func(t *testing.T) { referral(t, srv) })
}

// referral puts an entry that points elsewhere: it is no answer, and nobody goes
// there.
func referral(t *testing.T, srv *slapd) {
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	s := open(t, srv.config())
	c, _, err := s.pool.Take(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	add := ldap.NewAddRequest("cn=others,"+base, nil)
	add.Attribute("objectClass", []string{"referral", "extensibleObject"})
	add.Attribute("ref", []string{"ldap://" + elsewhere.Addr().String() + "/" + base})
	err = c.Add(add)
	s.pool.Give(c, true)
	if err != nil {
		t.Fatal(err)
	}
	d := directorytest.Directory(t, s)
	if l, err := d.Lookup(t.Context(), directorytest.Mailboxes[0]); l.Presence != sluice.Present || err != nil {
		t.Errorf("known here: %s, %v", l.Presence, err)
	}
	if l, err := d.Lookup(t.Context(), "nobody@"+directorytest.Domain); l.Presence != sluice.CantTell || err == nil || !strings.Contains(err.Error(), "refers to") {
		t.Errorf("perhaps known elsewhere: %s, %v", l.Presence, err)
	}
	_ = elsewhere.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond))
	if c, err := elsewhere.Accept(); err == nil {
		_ = c.Close()
		t.Error("the referral was chased")
	}
}

func TestNew(t *testing.T) {
	good := Config{URL: "ldap://127.0.0.1", Base: base, Filter: "(mail=%s)"}
	for want, change := range map[string]func(*Config){
		"url: want":                  func(c *Config) { c.URL = "http://x" },
		"url: want ldap://HOST":      func(c *Config) { c.URL = "ldap://x/" + base },
		"go together":                func(c *Config) { c.BindDN = binder },
		"needs TLS":                  func(c *Config) { c.URL, c.Plain, c.BindDN, c.PasswordFile = "ldap://192.0.2.1", true, binder, "x" },
		"no such file":               func(c *Config) { c.BindDN, c.PasswordFile = binder, filepath.Join(t.TempDir(), "none") },
		"base: ":                     func(c *Config) { c.Base = "what" },
		"filter: neither":            func(c *Config) { c.Filter = "(mail=x)" },
		"filter: there are %s":       func(c *Config) { c.Filter = "(mail=%x)" },
		"filter: there are %s (the ": func(c *Config) { c.Filter = "(mail=%" },
		"filter: \"(mail=%s\"":       func(c *Config) { c.Filter = "(mail=%s" },
		"filter: over":               func(c *Config) { c.Filter = "(mail=%s" + strings.Repeat("x", maxFilter) + ")" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	if s, err := New(good); err != nil || s.addr != "127.0.0.1:389" || s.Name() != "ldap://127.0.0.1" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestFilter(t *testing.T) {
	tmpl, err := parseTemplate("(&(100%%=%s)(uid=%u)(o=%d))")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		local, want string
	}{
		{"alice", `(&(100%=alice@b)(uid=alice)(o=b))`},
		{"*)(uid=*", `(&(100%=\2a\29\28uid=\2a@b)(uid=\2a\29\28uid=\2a)(o=b))`},
		{"%s\\\x00", `(&(100%=%s\5c\00@b)(uid=%s\5c\00)(o=b))`},
	} {
		f := directory.Form{Address: c.local + "@b", Local: c.local, Domain: "b"}
		if got := tmpl.fill([]directory.Form{f}); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// FuzzFilter says that whatever an address holds, the filter keeps its shape.
func FuzzFilter(f *testing.F) {
	for _, h := range directorytest.Hostile {
		f.Add(h, "example.com")
	}
	tmpl, err := parseTemplate("(&(objectClass=person)(|(mail=%s)(uid=%u))(o=%d))")
	if err != nil {
		f.Fatal(err)
	}
	shape := func(filter string) (string, error) {
		p, err := ldap.CompileFilter(filter)
		if err != nil {
			return "", err
		}
		tags := ""
		var walk func(depth int, i int)
		list := p.Children
		walk = func(depth, i int) { tags += fmt.Sprint(depth, i, ";") }
		walk(int(p.Tag), len(list))
		for _, c := range list {
			walk(int(c.Tag), len(c.Children))
			for _, cc := range c.Children {
				walk(int(cc.Tag), len(cc.Children))
			}
		}
		return tags, nil
	}
	want, err := shape(tmpl.fill([]directory.Form{{Address: "a@b", Local: "a", Domain: "b"}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, local, domain string) {
		if local == "" || domain == "" {
			return
		}
		got, err := shape(tmpl.fill([]directory.Form{{Address: local + "@" + domain, Local: local, Domain: domain}}))
		if err != nil || got != want {
			t.Errorf("%q@%q: %s, %v; want %s", local, domain, got, err, want)
		}
	})
}
