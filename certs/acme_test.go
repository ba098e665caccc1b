package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority is a small ACME server (RFC 8555) with a CA of its own. It checks
// nonces and signatures, and fetches the challenge http-01 from an address of the
// test, whatever the name.
type authority struct {
	t      *testing.T
	http   string // where names are asked for their challenge
	server *httptest.Server
	key    *ecdsa.PrivateKey
	root   *x509.Certificate

	mu      sync.Mutex
	life    time.Duration // of the next certificates
	age     time.Duration // how long ago they began
	refuse  bool          // to open orders
	nonces  map[string]bool
	keys    map[string]*ecdsa.PublicKey // of accounts, by their URL
	prints  map[string]string           // their thumbprints
	orders  []*order
	fetched int
}

type order struct {
	name, token, account string
	valid                bool
	chain                []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, http: freePort(t), life: 90 * 24 * time.Hour, nonces: map[string]bool{}, keys: map[string]*ecdsa.PublicKey{}, prints: map[string]string{}}
	a.key, a.root = testCA(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /directory", func(w http.ResponseWriter, _ *http.Request) {
		u := a.server.URL
		reply(w, 200, map[string]any{"newNonce": u + "/nonce", "newAccount": u + "/account", "newOrder": u + "/order", "revokeCert": u + "/revoke", "keyChange": u + "/key"})
	})
	mux.HandleFunc("/nonce", func(w http.ResponseWriter, _ *http.Request) {})
	for path, f := range map[string]func(http.ResponseWriter, *http.Request, call){
		"/account": a.account, "/order": a.open, "/order/{n}": a.show, "/authz/{n}": a.authz, "/challenge/{n}": a.challenge, "/finalize/{n}": a.finalize, "/cert/{n}": a.cert,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			a.mu.Lock()
			defer a.mu.Unlock()
			c, err := a.verify(r)
			if err != nil {
				problem(w, 400, "malformed", err.Error())
				return
			}
			f(w, r, c)
		})
	}
	a.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := make([]byte, 12)
		_, _ = rand.Read(n)
		nonce := base64.RawURLEncoding.EncodeToString(n)
		a.mu.Lock()
		a.nonces[nonce] = true
		a.mu.Unlock()
		w.Header().Set("Replay-Nonce", nonce)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.server.Close)
	return a
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func problem(w http.ResponseWriter, code int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": code})
}

// call is a request whose signature holds.
type call struct {
	account string
	key     *ecdsa.PublicKey
	print   string
	payload []byte
}

// verify checks a request's JWS (RFC 8555 6.2 to 6.5), ES256 only.
func (a *authority) verify(r *http.Request) (c call, err error) {
	var jws struct{ Protected, Payload, Signature string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&jws); err != nil {
		return c, err
	}
	var head struct {
		Alg, Nonce, URL, Kid string
		JWK                  *struct{ Kty, Crv, X, Y string }
	}
	text, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	if err == nil {
		err = json.Unmarshal(text, &head)
	}
	if err != nil {
		return c, err
	}
	if !a.nonces[head.Nonce] {
		return c, errors.New("unknown nonce")
	}
	delete(a.nonces, head.Nonce)
	if head.Alg != "ES256" || head.URL != a.server.URL+r.URL.Path {
		return c, fmt.Errorf("alg %s, url %s", head.Alg, head.URL)
	}
	c.account, c.key, c.print = head.Kid, a.keys[head.Kid], a.prints[head.Kid]
	if head.JWK != nil {
		x, xerr := base64.RawURLEncoding.DecodeString(head.JWK.X)
		y, yerr := base64.RawURLEncoding.DecodeString(head.JWK.Y)
		if c.key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...)); errors.Join(xerr, yerr, err) != nil {
			return c, errors.New("bad key")
		}
		sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, head.JWK.X, head.JWK.Y)) // RFC 7638 3
		c.print = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	sig, err := base64.RawURLEncoding.DecodeString(jws.Signature)
	if err != nil || len(sig) != 64 || c.key == nil {
		return c, errors.New("no signature, or an unknown account")
	}
	sum := sha256.Sum256([]byte(jws.Protected + "." + jws.Payload))
	if !ecdsa.Verify(c.key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return c, errors.New("the signature is wrong")
	}
	c.payload, err = base64.RawURLEncoding.DecodeString(jws.Payload)
	return c, err
}

func (a *authority) account(w http.ResponseWriter, _ *http.Request, c call) {
	var in struct {
		TermsOfServiceAgreed bool
		Contact              []string
	}
	if err := json.Unmarshal(c.payload, &in); err != nil || !in.TermsOfServiceAgreed || len(in.Contact) != 1 || in.Contact[0] != "mailto:admin@example.org" {
		problem(w, 400, "malformed", fmt.Sprintf("account: %s", c.payload))
		return
	}
	u := a.server.URL + "/account/" + c.print
	a.keys[u], a.prints[u] = c.key, c.print
	w.Header().Set("Location", u)
	reply(w, 201, map[string]any{"status": "valid", "contact": in.Contact})
}

func (a *authority) open(w http.ResponseWriter, _ *http.Request, c call) {
	var in struct {
		Identifiers []struct{ Type, Value string }
	}
	if err := json.Unmarshal(c.payload, &in); err != nil || len(in.Identifiers) != 1 {
		problem(w, 400, "malformed", "order")
		return
	}
	if a.refuse {
		problem(w, 403, "rejectedIdentifier", "we issue nothing for "+in.Identifiers[0].Value)
		return
	}
	a.orders = append(a.orders, &order{name: in.Identifiers[0].Value, token: fmt.Sprintf("token-%d-%s", len(a.orders), rand.Text()), account: c.print})
	w.Header().Set("Location", fmt.Sprintf("%s/order/%d", a.server.URL, len(a.orders)-1))
	a.orderJSON(w, 201, len(a.orders)-1)
}

func (a *authority) orderJSON(w http.ResponseWriter, code, n int) {
	o, u := a.orders[n], a.server.URL
	out := map[string]any{"status": "pending", "identifiers": []any{map[string]string{"type": "dns", "value": o.name}},
		"authorizations": []string{fmt.Sprintf("%s/authz/%d", u, n)}, "finalize": fmt.Sprintf("%s/finalize/%d", u, n)}
	if o.valid {
		out["status"] = "ready"
	}
	if o.chain != nil {
		out["status"], out["certificate"] = "valid", fmt.Sprintf("%s/cert/%d", u, n)
	}
	reply(w, code, out)
}

func (a *authority) of(r *http.Request) (n int, o *order) {
	_, err := fmt.Sscan(r.PathValue("n"), &n)
	if err != nil || n < 0 || n >= len(a.orders) {
		return 0, &order{}
	}
	return n, a.orders[n]
}

func (a *authority) show(w http.ResponseWriter, r *http.Request, _ call) {
	n, _ := a.of(r)
	a.orderJSON(w, 200, n)
}

func (a *authority) authz(w http.ResponseWriter, r *http.Request, _ call) {
	n, o := a.of(r)
	status := map[bool]string{true: "valid", false: "pending"}[o.valid]
	reply(w, 200, map[string]any{"status": status, "identifier": map[string]string{"type": "dns", "value": o.name},
		"challenges": []any{map[string]string{"type": "http-01", "status": status, "token": o.token, "url": fmt.Sprintf("%s/challenge/%d", a.server.URL, n)}}})
}

// challenge fetches the answer by HTTP (RFC 8555 8.3).
func (a *authority) challenge(w http.ResponseWriter, r *http.Request, _ call) {
	_, o := a.of(r)
	req, err := http.NewRequestWithContext(r.Context(), "GET", "http://"+a.http+"/.well-known/acme-challenge/"+o.token, nil)
	if err != nil {
		problem(w, 500, "serverInternal", err.Error())
		return
	}
	req.Host = o.name
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		problem(w, 400, "connection", err.Error())
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if got, want := strings.TrimSpace(string(body)), o.token+"."+o.account; resp.StatusCode != 200 || got != want {
		problem(w, 403, "unauthorized", fmt.Sprintf("%d %q instead of %q", resp.StatusCode, got, want))
		return
	}
	a.fetched++
	o.valid = true
	reply(w, 200, map[string]string{"type": "http-01", "status": "valid", "token": o.token, "url": a.server.URL + r.URL.Path})
}

func (a *authority) finalize(w http.ResponseWriter, r *http.Request, c call) {
	n, o := a.of(r)
	var in struct{ CSR string }
	err := json.Unmarshal(c.payload, &in)
	der, derr := base64.RawURLEncoding.DecodeString(in.CSR)
	csr, cerr := x509.ParseCertificateRequest(der)
	if errors.Join(err, derr, cerr) != nil || csr.CheckSignature() != nil || !o.valid || len(csr.DNSNames) != 1 || csr.DNSNames[0] != o.name {
		problem(w, 400, "badCSR", "CSR")
		return
	}
	begin := time.Now().Add(-a.age)
	o.chain = a.issue(csr.PublicKey, begin, begin.Add(a.life), o.name)
	a.orderJSON(w, 200, n)
}

func (a *authority) cert(w http.ResponseWriter, r *http.Request, _ call) {
	_, o := a.of(r)
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	_, _ = w.Write(o.chain)
}

// issue makes a chain for names.
func (a *authority) issue(pub crypto.PublicKey, from, until time.Time, names ...string) []byte {
	return issueBy(a.t, a.key, a.root, pub, from, until, names...)
}

func issueBy(t *testing.T, caKey *ecdsa.PrivateKey, ca *x509.Certificate, pub crypto.PublicKey, from, until time.Time, names ...string) []byte {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Error(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, pub, caKey)
	if err != nil {
		t.Error(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})...)
}

func testCA(t *testing.T) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, NotBefore: time.Now().Add(-1000 * 24 * time.Hour),
		NotAfter: time.Now().Add(1000 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return key, ca
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (a *authority) config(dir string) Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.server.Certificate())
	return Config{Names: []string{"mx.example.org"}, Dir: dir,
		ACME: &ACME{Email: "admin@example.org", CA: a.server.URL + "/directory", HTTP: a.http, Roots: pool}}
}

// running is a manager at work until the test ends or stop is called.
func running(t *testing.T, cfg Config) (m *Manager, stop func()) {
	t.Helper()
	m, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return m, stop
}

// until waits for something to become true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long: %s", what)
		}
	}
}

// TestACME has a certificate issued, serves the self-made one meanwhile, keeps it
// over a restart and renews it when it is nearly over.
func TestACME(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	a.age, a.life = 85*24*time.Hour, 90*24*time.Hour // nearly over as it is issued
	var log logged
	cfg := a.config(dir)
	cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.ACME.Names = []string{"MX.example.org"}
	m, stop := running(t, cfg)
	if a.mu.Lock(); a.fetched == 0 {
		if got := shown(t, m, "mx.example.org"); got.Issuer.CommonName != "mx.example.org" {
			t.Errorf("before: %v", got.Issuer)
		}
		info := m.Info()
		if len(info) != 2 || info[0].Source != FromSelf || info[1].Source != FromACME || info[1].Problem != "none was issued yet" {
			t.Errorf("before: %+v", info)
		}
	}
	a.mu.Unlock()
	until(t, "the first certificate", func() bool { return m.Info()[0].Source == FromACME })
	first := shown(t, m, "mx.example.org")
	if err := first.CheckSignatureFrom(a.root); err != nil {
		t.Error(err)
	}
	if got := shown(t, m, ""); !got.Equal(first) {
		t.Error("without SNI another certificate is shown")
	}
	if i := m.Info()[0]; !strings.Contains(i.Problem, "wasn't renewed") || i.Issuer != "Test Root" {
		t.Errorf("%+v", i)
	}
	stop()
	if s := log.String(); !strings.Contains(s, "level=INFO msg=\"certificate: the ACME server issued one\" name=mx.example.org") ||
		!strings.Contains(s, "level=DEBUG msg=\"acme: ") || strings.Contains(s, "level=WARN") || strings.Contains(s, "level=ERROR") || strings.Contains(s, "PRIVATE") {
		t.Errorf("the log:\n%s", s)
	}
	if _, err := net.DialTimeout("tcp", a.http, time.Second); err == nil {
		t.Error("the challenge's port is still open")
	}
	if info, err := Look(t.Context(), a.config(dir)); err != nil || len(info) != 2 || info[0].Serial != fmt.Sprintf("%x", first.SerialNumber) {
		t.Errorf("Look: %v %+v", err, info)
	}
	keys := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if st, serr := d.Info(); err == nil && serr == nil && !d.IsDir() && (strings.HasSuffix(path, ".key") || strings.HasSuffix(path, "self.pem")) {
			keys++
			if st.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: mode %v", path, st.Mode())
			}
		}
		return err
	})
	if err != nil || keys < 3 {
		t.Errorf("%d keys, %v", keys, err)
	}

	a.mu.Lock()
	a.age = 0
	a.mu.Unlock()
	again, err := New(t.Context(), a.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(t, again, "mx.example.org"); !got.Equal(first) {
		t.Error("what was issued isn't served at once after a restart")
	}
	again.Close()
	m, _ = running(t, a.config(dir))
	until(t, "the renewal", func() bool { return !shown(t, m, "mx.example.org").Equal(first) })
	if i := m.Info(); len(i) != 2 || i[0].Problem != "" || time.Until(i[0].NotAfter) < 80*24*time.Hour {
		t.Errorf("renewed: %+v", i)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fetched != 2 || len(a.orders) != 2 || len(a.keys) != 1 {
		t.Errorf("%d challenges, %d orders, %d accounts", a.fetched, len(a.orders), len(a.keys))
	}
}

// TestACMERefuses goes on with the self-made certificate and says why.
func TestACMERefuses(t *testing.T) {
	a := newAuthority(t)
	a.refuse = true
	m, _ := running(t, a.config(t.TempDir()))
	until(t, "the refusal", func() bool { return strings.Contains(m.Info()[1].Problem, "we issue nothing for mx.example.org") })
	if got := shown(t, m, "mx.example.org"); got.Issuer.CommonName != "mx.example.org" {
		t.Errorf("shown: %v", got.Issuer)
	}
	// A reload gives up what doesn't go, and the port is as it was.
	if err := m.Reload(t.Context(), Config{Names: []string{"mx.example.org"}, Dir: m.cfg.Dir}); err != nil {
		t.Fatal(err)
	}
	if i := m.Info(); len(i) != 1 || i[0].Source != FromSelf {
		t.Errorf("%+v", i)
	}
}

// shown is the certificate that a client sees.
func shown(t *testing.T, m *Manager, name string) *x509.Certificate {
	t.Helper()
	c, s := net.Pipe()
	defer c.Close()
	defer s.Close()
	go func() { _ = tls.Server(s, m.TLS()).HandshakeContext(t.Context()) }()
	client := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	return client.ConnectionState().PeerCertificates[0]
}
