package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxFile is more than any chain or key needs.
const maxFile = 1 << 20

// load reads a certificate and its key. Errors say which file is wrong and how.
func load(certFile, keyFile string) (*pair, error) {
	certText, err := read(certFile)
	if err != nil {
		return nil, fmt.Errorf("certs: the certificate: %w", err)
	}
	keyText := certText
	if keyFile != certFile {
		if keyText, err = read(keyFile); err != nil {
			return nil, fmt.Errorf("certs: the key: %w", err)
		}
	}
	if why := looks(certText, "CERTIFICATE"); why != "" {
		return nil, fmt.Errorf("certs: the certificate: %s: %s", certFile, why)
	}
	if why := looks(keyText, "PRIVATE KEY"); why != "" {
		return nil, fmt.Errorf("certs: the key: %s: %s", keyFile, why)
	}
	c, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, fmt.Errorf("certs: %w", explain(certFile, keyFile, certText, err))
	}
	if c.Leaf == nil { // GODEBUG=x509keypairleaf=0
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, fmt.Errorf("certs: %s: %w", certFile, err)
		}
	}
	return &pair{cert: c, source: FromFile, sum: sha256.Sum256(append(certText, keyText...))}, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("over 1 MB")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// looks says why a text doesn't hold a block of a kind, "" where it does. The
// library's own words don't tell a swapped pair of files from a broken one.
func looks(text []byte, kind string) string {
	var found []string
	for len(found) < 100 {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "" {
			return "the key is encrypted, and nobody is there to type a password; store it without one"
		}
		if b.Type == kind || kind == "PRIVATE KEY" && (b.Type == "RSA PRIVATE KEY" || b.Type == "EC PRIVATE KEY") {
			return ""
		}
		found = append(found, b.Type)
	}
	if len(found) == 0 {
		return "it holds no PEM text (-----BEGIN " + kind + "-----)"
	}
	return fmt.Sprintf("it holds no %s but a %s; are the two files swapped?", kind, found[0])
}

// explain turns a pair that doesn't fit into words for an admin.
func explain(certFile, keyFile string, certText []byte, err error) error {
	var b *pem.Block
	for b, certText = pem.Decode(certText); b != nil && b.Type != "CERTIFICATE"; {
		b, certText = pem.Decode(certText)
	}
	if b == nil {
		return fmt.Errorf("%s: %w", certFile, err)
	}
	leaf, perr := x509.ParseCertificate(b.Bytes)
	if perr != nil {
		return fmt.Errorf("the certificate %s can't be read: %w", certFile, perr)
	}
	if leaf.IsCA && len(leaf.DNSNames) == 0 {
		return fmt.Errorf("%s begins with the authority's certificate (%s); this host's own must come first", certFile, leaf.Subject.CommonName)
	}
	if err.Error() == "tls: private key does not match public key" {
		return fmt.Errorf("the key %s doesn't belong to the certificate %s (for %v)", keyFile, certFile, namesOf(leaf))
	}
	return fmt.Errorf("the key %s can't be used with the certificate %s: %w", keyFile, certFile, err)
}
