package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// validity is how long a certificate made here counts.
const validity = 365 * 24 * time.Hour

// selfMade reads the certificate that was made here, and makes a new one where it
// is missing, unusable, near its end or for other names.
func selfMade(cfg Config) (*pair, error) {
	path := selfPath(cfg)
	p, err := load(path, path)
	if err == nil {
		leaf := p.cert.Leaf
		p.source = FromSelf
		if cfg.Now().Before(leaf.NotAfter.Add(-renewBefore)) && !cfg.Now().Before(leaf.NotBefore) && slices.Equal(namesOf(leaf), cfg.Names) {
			return p, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		cfg.Log.Warn("certificate: the one that was made here can't be read; a new one is made", "error", err)
	}
	text, err := makeSelf(cfg.Names, cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("certs: making a certificate: %w", err)
	}
	if err := writeSecret(path, text); err != nil {
		return nil, fmt.Errorf("certs: keeping a certificate: %w", err)
	}
	if p, err = load(path, path); err != nil {
		return nil, err
	}
	p.source = FromSelf
	cfg.Log.Info("certificate: made one here, which proves to nobody who we are; it is enough to encrypt", "names", cfg.Names, "until", p.cert.Leaf.NotAfter)
	return p, nil
}

// makeSelf makes a certificate and its key as PEM text.
func makeSelf(names []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// RFC 5280 4.1.2.2: positive, at most 20 octets.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:   pkix.Name{CommonName: names[0]},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validity), // clocks differ
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true}
	if len(names[0]) > 64 { // RFC 5280 A.1: ub-common-name
		t.Subject.CommonName = "self-made"
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...), nil
}

// writeSecret replaces a file that only its owner may read, in one step.
func writeSecret(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
	}
	return err
}
