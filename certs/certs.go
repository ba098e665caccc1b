// Package certs says which certificate the doors show: the files that an admin
// names, else one that an ACME server issues (RFC 8555), else one made here at
// the first start, since mail encrypted to an unknown server beats mail in the
// clear (RFC 7435). Files that change and certificates that are renewed take
// effect without a restart; what can't be used never replaces what works.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says where certificates come from. With neither files nor ACME, and with
// both, a certificate made here stands in, unless NoSelfMade.
type Config struct {
	Cert, Key string // PEM files, the certificate first and then its chain; both or neither
	ACME      *ACME  // nil: nobody is asked
	// NoSelfMade makes none: without files and ACME there is no TLS then.
	NoSelfMade bool

	Names []string // of this host, the main one first
	Dir   string   // the data folder: tls/self.pem and acme/ are kept there

	Log *slog.Logger     // nil: none. Keys are never logged
	Now func() time.Time // nil: time.Now. Certmagic goes by its own clock
}

// ACME says who issues certificates. Setting it is agreeing to the terms of that
// authority.
type ACME struct {
	Email string   // where the authority writes to; may be empty
	CA    string   // URL of the directory; "": Let's Encrypt
	Names []string // a certificate each; none: Config.Names
	// HTTP is where the challenge http-01 is answered, for as long as it runs; "":
	// ":80". The authority always asks on port 80.
	HTTP string
	// TLSALPN answers tls-alpn-01 too, on port 443 of the same host.
	TLSALPN bool
	Roots   *x509.CertPool // who vouches for the authority's own server; nil: the system's
}

// Where a certificate comes from.
const (
	FromFile = "file"
	FromACME = "acme"
	FromSelf = "self-made"
)

// Info is one certificate as people see it.
type Info struct {
	Names    []string  `json:"names"`
	Source   string    `json:"source"` // one of the From constants
	Issuer   string    `json:"issuer,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
	Serial   string    `json:"serial,omitempty"`  // hexadecimal
	Problem  string    `json:"problem,omitempty"` // "" while all is well
}

// renewBefore is how long before its end a certificate made here is made anew, and
// soon is when the end of one from a file is a problem.
const (
	renewBefore = 30 * 24 * time.Hour
	soon        = 14 * 24 * time.Hour
	lookEvery   = time.Minute
)

// Manager holds the certificates in use. It is safe for concurrent use.
type Manager struct {
	mu    sync.RWMutex
	cfg   Config
	file  *pair  // nil: no files configured
	bad   string // what is wrong with the files as they are now
	self  *pair  // nil: none wanted
	ill   string // why the one made here couldn't be renewed
	acme  *issuer
	woken chan struct{} // Reload has something for Run
}

// New reads or makes the certificates. Files that can't be used are an error, as
// is a data folder that can't be written. Nobody is asked yet: that is Run's. What
// an ACME server issued before is in use at once. Close the manager.
func New(ctx context.Context, cfg Config) (*Manager, error) {
	m := &Manager{woken: make(chan struct{}, 1)}
	if err := m.Reload(ctx, cfg); err != nil {
		return nil, err
	}
	return m, nil
}

// Reload takes new settings. Where it fails the old ones stay in force.
func (m *Manager) Reload(ctx context.Context, cfg Config) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	var file, self *pair
	if cfg.Cert != "" {
		if file, err = load(cfg.Cert, cfg.Key); err != nil {
			return err
		}
	}
	if file == nil && !cfg.NoSelfMade {
		if self, err = selfMade(cfg); err != nil {
			return err
		}
	}
	m.mu.RLock()
	old := m.acme
	m.mu.RUnlock()
	acme := old
	if !old.same(cfg) {
		if acme, err = newIssuer(ctx, cfg); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.cfg, m.file, m.bad, m.self, m.ill, m.acme = cfg, file, "", self, "", acme
	m.mu.Unlock()
	if old != acme {
		old.close()
	}
	select {
	case m.woken <- struct{}{}:
	default:
	}
	return nil
}

func (c Config) complete() (Config, error) {
	if (c.Cert == "") != (c.Key == "") {
		return c, errors.New("certs: a certificate and its key go together; one of the files is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Names = lower(c.Names)
	if len(c.Names) == 0 && (!c.NoSelfMade || c.ACME != nil && len(c.ACME.Names) == 0) {
		return c, errors.New("certs: no host name to make a certificate for")
	}
	if c.ACME != nil {
		a := *c.ACME
		if a.Names = lower(a.Names); len(a.Names) == 0 {
			a.Names = c.Names
		}
		c.ACME = &a
	}
	return c, nil
}

func lower(names []string) (out []string) {
	for _, n := range names {
		out = append(out, strings.ToLower(n))
	}
	return out
}

// Close ends what runs beside. Sessions keep the certificates they have.
func (m *Manager) Close() {
	m.mu.Lock()
	old := m.acme
	m.acme = nil
	m.mu.Unlock()
	old.close()
}

// TLS is the setting for a server: Go's own choice of suites and curves, from TLS
// 1.2 on, which every mail server has had for years (RFC 8997). It stays right
// through renewals and reloads. It is nil where there is no certificate at all and
// none can come.
func (m *Manager) TLS() *tls.Config {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.file == nil && m.self == nil && m.acme == nil {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: m.certificate}
	if m.acme != nil && m.cfg.ACME.TLSALPN {
		c.NextProtos = []string{"acme-tls/1"}
	}
	return c
}

// certificate chooses by the name that the client asks for, and takes the first
// one for those who ask for none or for one that we don't have: most mail servers
// don't look at it (RFC 7435).
func (m *Manager) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	have := m.pairs()
	if len(have) == 0 {
		return nil, errors.New("certs: no certificate yet")
	}
	if hello.ServerName != "" {
		for _, p := range have {
			if p.cert.Leaf.VerifyHostname(hello.ServerName) == nil {
				return &p.cert, nil
			}
		}
	}
	return &have[0].cert, nil
}

// pair is a certificate with its key.
type pair struct {
	cert   tls.Certificate // with Leaf
	source string
	sum    [32]byte // of the files' text
}

// pairs are the certificates in use, the preferred one first.
func (m *Manager) pairs() []*pair {
	m.mu.RLock()
	file, self, acme := m.file, m.self, m.acme
	m.mu.RUnlock()
	var out []*pair
	if file != nil {
		out = append(out, file)
	}
	out = append(out, acme.pairs()...)
	if self != nil {
		out = append(out, self)
	}
	return out
}

// Run keeps certificates fresh until ctx ends: it has an ACME server issue and
// renew them, looks once a minute whether files changed, and renews the one made
// here.
func (m *Manager) Run(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		m.mu.RLock()
		acme := m.acme
		m.mu.RUnlock()
		acme.manage(ctx)
		m.look()
		select {
		case <-t.C:
		case <-m.woken:
		case <-ctx.Done():
			m.Close()
			return
		}
	}
}

// look reads files that changed and renews what ends.
func (m *Manager) look() {
	m.mu.RLock()
	cfg, file, bad, self, ill := m.cfg, m.file, m.bad, m.self, m.ill
	m.mu.RUnlock()
	next, nextBad := file, bad
	if file != nil {
		p, err := load(cfg.Cert, cfg.Key)
		switch {
		case err != nil:
			if nextBad = strings.TrimPrefix(err.Error(), "certs: "); nextBad != bad {
				cfg.Log.Error("certificate: the files can't be used; the old certificate stays in use", "error", nextBad, "until", file.cert.Leaf.NotAfter)
			}
		case p.sum != file.sum:
			cfg.Log.Info("certificate: the files changed and were read again", "names", p.cert.Leaf.DNSNames, "until", p.cert.Leaf.NotAfter)
			next, nextBad = p, ""
		default:
			nextBad = ""
		}
	}
	nextSelf, nextIll := self, ill
	if self != nil && cfg.Now().After(self.cert.Leaf.NotAfter.Add(-renewBefore)) {
		p, err := selfMade(cfg)
		if err == nil {
			nextSelf, nextIll = p, ""
		} else if nextIll = strings.TrimPrefix(err.Error(), "certs: "); nextIll != ill {
			cfg.Log.Error("certificate: no new one can be made here", "error", nextIll, "until", self.cert.Leaf.NotAfter)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file != file || m.self != self {
		return // a reload came between
	}
	m.file, m.bad, m.self, m.ill = next, nextBad, nextSelf, nextIll
}

// Info lists the certificates in use, the preferred one first, and the names that
// an ACME server has issued none for.
func (m *Manager) Info() []Info {
	m.mu.RLock()
	bad, ill, now, acme := m.bad, m.ill, m.cfg.Now(), m.acme
	m.mu.RUnlock()
	var out []Info
	for _, p := range m.pairs() {
		i := p.info(now)
		switch {
		case p.source == FromFile && bad != "":
			i.Problem = "the files changed and can't be used, so the old certificate stays in use: " + bad
		case p.source == FromSelf && ill != "":
			i.Problem = "it can't be renewed: " + ill
		case p.source == FromACME && i.Problem != "":
			i.Problem += acme.why(p.cert.Leaf)
		}
		out = append(out, i)
	}
	return append(out, acme.missing()...)
}

func (p *pair) info(now time.Time) Info {
	c := p.cert.Leaf
	i := Info{Names: namesOf(c), Source: p.source, Issuer: issuerOf(c), NotAfter: c.NotAfter, Serial: fmt.Sprintf("%x", c.SerialNumber)}
	switch left := c.NotAfter.Sub(now); {
	case left <= 0:
		i.Problem = "it ended on " + c.NotAfter.UTC().Format(time.DateOnly)
	case now.Before(c.NotBefore):
		i.Problem = "it counts only from " + c.NotBefore.UTC().Format(time.RFC3339) + " on; is the clock right?"
	case left < soon && p.source == FromFile:
		i.Problem = "it ends on " + c.NotAfter.UTC().Format(time.DateOnly)
	case left < 7*24*time.Hour && p.source == FromACME && c.NotAfter.Sub(c.NotBefore) > 21*24*time.Hour:
		i.Problem = "it ends on " + c.NotAfter.UTC().Format(time.DateOnly) + " and wasn't renewed"
	}
	return i
}

func namesOf(c *x509.Certificate) []string {
	out := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// issuerOf names who vouches for a certificate.
func issuerOf(c *x509.Certificate) string {
	n := c.Issuer
	if len(n.Organization) > 0 && n.CommonName != "" && n.CommonName != n.Organization[0] {
		return n.Organization[0] + ", " + n.CommonName
	}
	if n.CommonName != "" {
		return n.CommonName
	}
	return n.String()
}

// Look says what New would find, and makes and changes nothing: for a look from
// outside at a gateway that may be running. Files that can't be used are an error.
func Look(ctx context.Context, cfg Config) ([]Info, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	var out []Info
	if cfg.Cert != "" {
		p, err := load(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, err
		}
		out = append(out, p.info(cfg.Now()))
	}
	if cfg.ACME != nil {
		have := stored(ctx, cfg)
		for _, n := range cfg.ACME.Names {
			if p := have[n]; p != nil {
				out = append(out, p.info(cfg.Now()))
			} else {
				out = append(out, none(n, ""))
			}
		}
	}
	if cfg.Cert == "" && !cfg.NoSelfMade {
		if p, err := load(selfPath(cfg), selfPath(cfg)); err == nil {
			p.source = FromSelf
			out = append(out, p.info(cfg.Now()))
		}
	}
	return out, nil
}

func selfPath(cfg Config) string { return filepath.Join(cfg.Dir, "tls", "self.pem") }
