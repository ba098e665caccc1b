package dkim

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"sync"
	"testing"
)

var rsaOnce = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// testRSA makes a key of 2048 bits for the run, and its PEM form.
func testRSA(t testing.TB) (string, *rsa.PrivateKey) {
	t.Helper()
	k, err := rsaOnce()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})), k
}

// testEd25519 is a fixed key, and its seed in base64.
func testEd25519() (string, ed25519.PrivateKey) {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, "a seed for the tests of this package")
	return base64.StdEncoding.EncodeToString(seed), ed25519.NewKeyFromSeed(seed)
}
