package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Certmagic's limit of requests to an authority lives as long as the process.
		// So does, for seconds, what keeps a lock of its storage.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"))
}

// files is a pair of files that tests rewrite.
type files struct {
	t         *testing.T
	caKey     *ecdsa.PrivateKey
	ca        *x509.Certificate
	cert, key string
}

func newFiles(t *testing.T) *files {
	f := &files{t: t, cert: filepath.Join(t.TempDir(), "cert.pem"), key: filepath.Join(t.TempDir(), "key.pem")}
	f.caKey, f.ca = testCA(t)
	return f
}

// issue writes a new certificate and key.
func (f *files) issue(from, until time.Time, names ...string) {
	f.t.Helper()
	cert, key := f.pair(from, until, names...)
	f.write(f.cert, cert)
	f.write(f.key, key)
}

func (f *files) pair(from, until time.Time, names ...string) (cert, key []byte) {
	f.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		f.t.Fatal(err)
	}
	return issueBy(f.t, f.caKey, f.ca, k.Public(), from, until, names...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (f *files) write(path string, text []byte) {
	f.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) config() Config {
	return Config{Cert: f.cert, Key: f.key, Names: []string{"mx.example.org"}, Dir: f.t.TempDir()}
}

const days = 24 * time.Hour

func TestFileErrors(t *testing.T) {
	f := newFiles(t)
	now := time.Now()
	cert, key := f.pair(now, now.Add(90*days), "mx.example.org")
	_, other := f.pair(now, now.Add(90*days), "mx.example.org")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.ca.Raw})
	locked := []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	for _, c := range []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"mismatch", cert, other, "the key KEY doesn't belong to the certificate CERT (for [mx.example.org])"},
		{"swapped", key, cert, "the certificate: CERT: it holds no CERTIFICATE but a PRIVATE KEY; are the two files swapped?"},
		{"no text", []byte("hello"), key, "the certificate: CERT: it holds no PEM text (-----BEGIN CERTIFICATE-----)"},
		{"no key", cert, nil, "the key: KEY: it holds no PEM text (-----BEGIN PRIVATE KEY-----)"},
		{"a password", cert, locked, "the key: KEY: the key is encrypted, and nobody is there to type a password; store it without one"},
		{"authority first", append(bytes.Clone(root), cert...), key, "CERT begins with the authority's certificate (Test Root); this host's own must come first"},
		{"cut", cert[:len(cert)/4], key, "the certificate: CERT: it holds no PEM text (-----BEGIN CERTIFICATE-----)"},
		{"too long", append(bytes.Clone(cert), make([]byte, maxFile)...), key, "the certificate: CERT: over 1 MB"},
	} {
		f.write(f.cert, c.cert)
		f.write(f.key, c.key)
		_, err := New(t.Context(), f.config())
		want := "certs: " + strings.NewReplacer("CERT:", f.cert+":", "KEY:", f.key+":", "CERT ", f.cert+" ", "KEY ", f.key+" ").Replace(c.want)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, want)
		}
	}
	c := f.config()
	c.Cert = filepath.Join(t.TempDir(), "none.pem")
	if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "the certificate: open ") {
		t.Errorf("a missing file: %v", err)
	}
	c.Cert = ""
	if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "go together") {
		t.Errorf("a key alone: %v", err)
	}
}

// TestFilesChange takes new files within a minute, keeps the old certificate where
// they are broken, and says so once.
func TestFilesChange(t *testing.T) {
	f := newFiles(t)
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		f.issue(now, now.Add(90*days), "one.example.org")
		cfg := f.config()
		var log logged
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		m, stop := running(t, cfg)
		defer stop()
		name := func() string { return shown(t, m, "").DNSNames[0] }
		if got := name(); got != "one.example.org" {
			t.Errorf("at first: %s", got)
		}
		f.issue(now, now.Add(90*days), "two.example.org")
		time.Sleep(time.Minute + time.Second)
		if got := name(); got != "two.example.org" {
			t.Errorf("changed: %s", got)
		}
		cert, key := f.pair(now, now.Add(90*days), "three.example.org")
		f.write(f.cert, cert) // and its key comes later
		time.Sleep(3 * time.Minute)
		if i := m.Info(); name() != "two.example.org" || len(i) != 1 || !strings.Contains(i[0].Problem, "the old certificate stays in use: the key "+f.key+" doesn't belong") {
			t.Errorf("half of it: %s %+v", name(), i)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("it is said %d times", n)
		}
		if err := m.Reload(t.Context(), cfg); err == nil || name() != "two.example.org" {
			t.Errorf("a reload with broken files: %v, %s", err, name())
		}
		f.write(f.key, key)
		time.Sleep(time.Minute)
		if i := m.Info(); name() != "three.example.org" || i[0].Problem != "" {
			t.Errorf("whole: %s %+v", name(), i)
		}
		f.write(f.cert, []byte("junk"))
		time.Sleep(time.Minute)
		f.write(f.cert, cert)
		time.Sleep(time.Minute)
		if i := m.Info(); i[0].Problem != "" {
			t.Errorf("back to what it was: %+v", i)
		}
		if strings.Contains(log.String(), "PRIVATE") {
			t.Error("a key is in the log")
		}
	})
}

type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestInfo(t *testing.T) {
	f := newFiles(t)
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, until time.Time
		want        string
	}{
		{now.Add(-days), now.Add(90 * days), ""},
		{now.Add(-days), now.Add(5 * days), "it ends on 2027-03-06"},
		{now.Add(-90 * days), now.Add(-days), "it ended on 2027-02-28"},
		{now.Add(days), now.Add(90 * days), "it counts only from 2027-03-02T12:00:00Z on; is the clock right?"},
	} {
		f.issue(c.from, c.until, "mx.example.org")
		cfg := f.config()
		cfg.Now = func() time.Time { return now }
		m, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := m.Info()
		want := []Info{{Names: []string{"mx.example.org"}, Source: FromFile, Issuer: "Test Root", NotAfter: c.until, Problem: c.want}}
		if d := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Serial" }, cmp.Ignore())); d != "" {
			t.Error(d)
		}
		look, err := Look(t.Context(), cfg)
		if d := cmp.Diff(got, look); err != nil || d != "" {
			t.Errorf("Look: %v %s", err, d)
		}
		m.Close()
	}
}

// TestSelfMade is made once, is the owner's alone, and is made anew in time, for
// other names, and where it is broken.
func TestSelfMade(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := Config{Names: []string{"MX.example.org", "192.0.2.1"}, Dir: filepath.Join(t.TempDir(), "data"), Now: func() time.Time { return now }}
	serial := func() string {
		t.Helper()
		m, err := New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		i := m.Info()
		if len(i) != 1 || i[0].Source != FromSelf || i[0].Problem != "" {
			t.Fatalf("%+v", i)
		}
		return i[0].Serial
	}
	if i, err := Look(t.Context(), cfg); err != nil || len(i) != 0 {
		t.Errorf("Look before the first start: %v %v", i, err)
	}
	first := serial()
	path := filepath.Join(cfg.Dir, "tls", "self.pem")
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	p, err := load(path, path)
	if err != nil {
		t.Fatal(err)
	}
	c := p.cert.Leaf
	pool := x509.NewCertPool()
	pool.AddCert(c)
	if _, err := c.Verify(x509.VerifyOptions{DNSName: "mx.example.org", Roots: pool, CurrentTime: now}); err != nil {
		t.Error(err)
	}
	if err := c.VerifyHostname("192.0.2.1"); err != nil {
		t.Error(err)
	}
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() || c.IsCA {
		t.Errorf("%T", c.PublicKey)
	}
	if serial() != first {
		t.Error("a second start makes another")
	}
	now = c.NotAfter.Add(-31 * days)
	if serial() != first {
		t.Error("made anew too early")
	}
	now = c.NotAfter.Add(-29 * days)
	second := serial()
	if second == first {
		t.Error("not made anew in time")
	}
	cfg.Names = []string{"other.example.org"}
	third := serial()
	if third == second {
		t.Error("not made for the new name")
	}
	if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial() == third {
		t.Error("a broken one stays")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}

	cfg.NoSelfMade = true
	m, err := New(t.Context(), cfg)
	if err != nil || m.TLS() != nil || len(m.Info()) != 0 {
		t.Errorf("none wanted: %v %v", err, m.Info())
	}
	cfg.NoSelfMade, cfg.Names = false, nil
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "no host name") {
		t.Errorf("no name: %v", err)
	}
	cfg.Names, cfg.Dir = []string{"a.example"}, path // a file, not a folder
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "certs: keeping a certificate: ") {
		t.Errorf("no folder: %v", err)
	}
}

// TestSelfMadeRenews does so while the daemon runs.
func TestSelfMadeRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Names: []string{"mx.example.org"}, Dir: t.TempDir()}
		text, err := makeSelf(cfg.Names, time.Now().Add(-333*days))
		if err == nil {
			err = writeSecret(selfPath(cfg), text)
		}
		if err != nil {
			t.Fatal(err)
		}
		m, stop := running(t, cfg)
		defer stop()
		first := m.Info()[0]
		time.Sleep(days)
		if got := m.Info()[0]; got.Serial != first.Serial {
			t.Error("too early")
		}
		// The folder can't be written for a while.
		dir := filepath.Dir(selfPath(m.cfg))
		if err := os.Rename(dir, dir+".away"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * days)
		if got := m.Info()[0]; got.Serial != first.Serial || !strings.HasPrefix(got.Problem, "it can't be renewed: keeping a certificate: ") {
			t.Errorf("%+v", got)
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if got := m.Info()[0]; got.Serial == first.Serial || got.Problem != "" || time.Until(got.NotAfter) < 360*days {
			t.Errorf("%+v", got)
		}
	})
}

// TestChoice picks by the name a client asks for.
func TestChoice(t *testing.T) {
	f := newFiles(t)
	now := time.Now()
	f.issue(now, now.Add(90*days), "mx.example.org", "*.mail.example.org")
	file, err := load(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	f.issue(now, now.Add(90*days), "mx.example.net")
	second, err := load(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	m := &Manager{cfg: Config{Now: time.Now}, file: file, self: second}
	for name, want := range map[string]string{
		"":                       "mx.example.org",
		"mx.example.org":         "mx.example.org",
		"MX.Example.NET":         "mx.example.net",
		"a.mail.example.org":     "mx.example.org",
		"a.b.mail.example.org":   "mx.example.org",
		"unknown.example":        "mx.example.org",
		"mx.example.net.":        "mx.example.net",
		strings.Repeat("a.", 99): "mx.example.org",
	} {
		if got := shown(t, m, name).DNSNames[0]; got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if c := m.TLS(); c.MinVersion != 0x0303 || c.SessionTicketsDisabled {
		t.Errorf("%x %v", c.MinVersion, c.SessionTicketsDisabled)
	}
}

func TestACMEAddress(t *testing.T) {
	for _, a := range []string{"80", "localhost", ":0", ":70000", "a:b:c"} {
		_, err := New(t.Context(), Config{Names: []string{"a.example"}, Dir: t.TempDir(), ACME: &ACME{HTTP: a}})
		if err == nil || !strings.Contains(err.Error(), "want HOST:PORT") {
			t.Errorf("%q: %v", a, err)
		}
	}
}

// TestReloadACME keeps what goes on with an authority as long as its settings stay
// the same.
func TestReloadACME(t *testing.T) {
	dir := t.TempDir()
	cfg := func(change func(*Config)) Config {
		pool := x509.NewCertPool()
		c := Config{Names: []string{"mx.example.org"}, Dir: dir, ACME: &ACME{Email: "a@example.org", CA: "https://127.0.0.1:1/", HTTP: "127.0.0.1:1", Roots: pool}}
		change(&c)
		return c
	}
	m, err := New(t.Context(), cfg(func(*Config) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, ca := testCA(t)
	for _, c := range []struct {
		name   string
		change func(*Config)
		keeps  bool
	}{
		{"nothing", func(*Config) {}, true},
		{"the log", func(c *Config) { c.Log = slog.New(slog.DiscardHandler) }, true},
		{"e-mail", func(c *Config) { c.ACME.Email = "b@example.org" }, false},
		{"names", func(c *Config) { c.ACME.Names = []string{"other.example.org"} }, false},
		{"roots", func(c *Config) { c.ACME.Roots.AddCert(ca) }, false},
		{"folder", func(c *Config) { c.Dir = filepath.Join(dir, "other") }, false},
		{"none", func(c *Config) { c.ACME = nil }, false},
	} {
		if err := m.Reload(t.Context(), cfg(func(*Config) {})); err != nil {
			t.Fatal(err)
		}
		before := m.acme
		if err := m.Reload(t.Context(), cfg(c.change)); err != nil {
			t.Fatal(err)
		}
		if kept := m.acme == before; kept != c.keeps || before.closed == c.keeps {
			t.Errorf("%s: kept %v, closed %v", c.name, kept, before.closed)
		}
	}
	if len(m.Info()) != 1 {
		t.Errorf("%+v", m.Info())
	}
}
