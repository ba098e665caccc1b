package certs

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// issuer gets certificates from an ACME server. A nil one has none.
type issuer struct {
	acme   ACME
	dir    string
	before map[string]*pair // what was stored at the start: certmagic renews only what it loads itself
	cache  *certmagic.Cache
	magic  *certmagic.Config

	mu      sync.Mutex
	ctx     context.Context // of the management; nil: not begun
	cancel  context.CancelFunc
	closed  bool
	trouble map[string]string // by name: why the last try failed
}

// newIssuer loads what was issued before and asks nobody.
func newIssuer(ctx context.Context, cfg Config) (*issuer, error) {
	if cfg.ACME == nil {
		return nil, nil
	}
	a := *cfg.ACME
	host, port, err := net.SplitHostPort(orDefault(a.HTTP, ":80"))
	n, nerr := strconv.ParseUint(port, 10, 16)
	if err != nil || nerr != nil || n == 0 {
		return nil, fmt.Errorf("certs: ACME: address %q for the challenge: want HOST:PORT or :PORT", a.HTTP)
	}
	i := &issuer{acme: a, dir: cfg.Dir, before: stored(ctx, cfg), trouble: map[string]string{}}
	log := zap.New(bridge{log: cfg.Log})
	i.cache = certmagic.NewCache(certmagic.CacheOptions{Logger: log,
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return i.magic, nil }})
	// Stapling is off: hardly a mail server looks, and authorities give it up.
	i.magic = certmagic.New(i.cache, certmagic.Config{Logger: log, OnEvent: i.event(cfg),
		Storage: storage(cfg), OCSP: certmagic.OCSPConfig{DisableStapling: true}})
	i.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(i.magic, certmagic.ACMEIssuer{
		CA: orDefault(a.CA, certmagic.LetsEncryptProductionCA), Email: a.Email, Agreed: true, TrustedRoots: a.Roots,
		ListenHost: host, AltHTTPPort: int(n), DisableTLSALPNChallenge: !a.TLSALPN, Logger: log})}
	return i, nil
}

func storage(cfg Config) certmagic.Storage {
	return &certmagic.FileStorage{Path: filepath.Join(cfg.Dir, "acme")}
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// event remembers failures, which certmagic tries again by itself for a month, and
// tells of success.
func (i *issuer) event(cfg Config) func(context.Context, string, map[string]any) error {
	return func(_ context.Context, name string, data map[string]any) error {
		host, _ := data["identifier"].(string)
		switch name {
		case "cert_failed":
			err, _ := data["error"].(error)
			i.mu.Lock()
			i.trouble[host] = fmt.Sprint(err)
			i.mu.Unlock()
			cfg.Log.Error("certificate: the ACME server issued none; it is asked again", "name", host, "error", err)
		case "cert_obtained":
			i.mu.Lock()
			delete(i.trouble, host)
			i.mu.Unlock()
			cfg.Log.Info("certificate: the ACME server issued one", "name", host)
		}
		return nil
	}
}

// manage begins, once, to have certificates issued and renewed for as long as ctx
// lasts and the issuer is open. It doesn't wait.
func (i *issuer) manage(ctx context.Context) {
	if i == nil {
		return
	}
	i.mu.Lock()
	begun := i.ctx != nil || i.closed
	if !begun {
		i.ctx, i.cancel = context.WithCancel(ctx)
	}
	ctx = i.ctx
	i.mu.Unlock()
	if begun {
		return
	}
	if err := i.magic.ManageAsync(ctx, i.acme.Names); err != nil && ctx.Err() == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		for _, n := range i.acme.Names {
			i.trouble[n] = err.Error()
		}
	}
}

func (i *issuer) close() {
	if i == nil {
		return
	}
	i.mu.Lock()
	closed := i.closed
	i.closed = true
	if i.cancel != nil {
		i.cancel()
	}
	i.mu.Unlock()
	if !closed {
		i.cache.Stop()
	}
}

// same says whether the issuer is what the settings ask for.
func (i *issuer) same(cfg Config) bool {
	if i == nil || cfg.ACME == nil {
		return i == nil && cfg.ACME == nil
	}
	a, b := i.acme, *cfg.ACME
	roots := a.Roots == b.Roots || a.Roots != nil && b.Roots != nil && a.Roots.Equal(b.Roots)
	a.Roots, b.Roots = nil, nil
	return roots && i.dir == cfg.Dir && reflect.DeepEqual(a, b)
}

// pairs are the certificates issued, in the order of the names.
func (i *issuer) pairs() []*pair {
	if i == nil {
		return nil
	}
	var out []*pair
	for _, n := range i.acme.Names {
		if p := i.pair(n); p != nil {
			out = append(out, p)
		}
	}
	return out
}

// pair is the certificate of a name; of several, the one that lasts longest.
func (i *issuer) pair(name string) *pair {
	best := i.before[name]
	for _, c := range i.cache.AllMatchingCertificates(name) {
		if c.Leaf != nil && (best == nil || c.Leaf.NotAfter.After(best.cert.Leaf.NotAfter)) {
			best = &pair{cert: c.Certificate, source: FromACME}
		}
	}
	return best
}

// why adds the last trouble with a certificate's names.
func (i *issuer) why(leaf *x509.Certificate) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, n := range namesOf(leaf) {
		if t := i.trouble[n]; t != "" {
			return ": " + t
		}
	}
	return ""
}

// missing are the names without a certificate.
func (i *issuer) missing() (out []Info) {
	if i == nil {
		return nil
	}
	for _, n := range i.acme.Names {
		if i.pair(n) != nil {
			continue
		}
		i.mu.Lock()
		t := i.trouble[n]
		i.mu.Unlock()
		out = append(out, none(n, t))
	}
	return out
}

func none(name, trouble string) Info {
	i := Info{Names: []string{name}, Source: FromACME, Problem: "none was issued yet"}
	if trouble != "" {
		i.Problem += ": " + trouble
	}
	return i
}

// stored reads what was issued for each name from the folder alone.
func stored(ctx context.Context, cfg Config) map[string]*pair {
	out := map[string]*pair{}
	dirs, _ := storage(cfg).List(ctx, "certificates", false) // none: nothing was issued
	for _, name := range cfg.ACME.Names {
		safe := certmagic.StorageKeys.Safe(name)
		for _, d := range dirs {
			base := filepath.Join(cfg.Dir, "acme", filepath.FromSlash(d), safe, safe)
			p, err := load(base+".crt", base+".key")
			if err == nil && (out[name] == nil || p.cert.Leaf.NotAfter.After(out[name].cert.Leaf.NotAfter)) {
				p.source = FromACME
				out[name] = p
			}
		}
	}
	return out
}
