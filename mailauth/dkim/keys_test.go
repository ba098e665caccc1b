package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strconv"
	"sync"
	"testing"

	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message/header"
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

// lengthSigned signs a message of example.org with l=.
func lengthSigned(raw string, n int, k crypto.Signer) (string, error) {
	head, body := signature.Split([]byte(raw))
	h, _ := header.Parse(head, 0, 0)
	m := canon.New([]byte(raw), h.Fields, body)
	w := signature.NewWriter("DKIM-Signature")
	for _, tag := range [][2]string{{"v", "1"}, {"a", "ed25519-sha256"}, {"c", "relaxed/relaxed"}, {"d", "example.org"}, {"s", "ed"},
		{"h", "from:to:subject:date"}, {"l", strconv.Itoa(n)}} {
		w.Add(tag[0], tag[1])
	}
	// More than the body has can't be hashed: any hash will do.
	sum := m.HashBody([]canon.BodyRequest{{Canon: canon.Relaxed, Hash: crypto.SHA256, Length: int64(n)}, {Canon: canon.Relaxed, Hash: crypto.SHA256, Length: -1}})
	if sum[0].Sum == nil {
		sum[0] = sum[1]
	}
	w.AddBase64("bh", sum[0].Sum)
	w.Add("b", "")
	field, err := signature.Make(w, m, signature.DKIM, k)
	return string(field), err
}

// hugeKey is the record of an RSA key of more bits than are checked.
func hugeKey(t testing.TB) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), key.MaxBits)
	text, err := key.Text(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sha1Signed signs by rsa-sha1, which Sign doesn't.
func sha1Signed(t testing.TB, raw string, k *rsa.PrivateKey) string {
	t.Helper()
	head, body := signature.Split([]byte(raw))
	h, _ := header.Parse(head, 0, 0)
	m := canon.New([]byte(raw), h.Fields, body)
	sum := m.HashBody([]canon.BodyRequest{{Canon: canon.Simple, Hash: crypto.SHA1, Length: -1}})[0]
	field := "DKIM-Signature: v=1; a=rsa-sha1; d=example.org; s=rsa; h=from; bh=" + base64.StdEncoding.EncodeToString(sum.Sum) + "; b="
	sig, fault := signature.Parse([]byte(field+"AAAA\r\n"), signature.DKIM)
	if fault != nil {
		t.Fatal(fault)
	}
	digest := m.HashHeader(crypto.SHA1, canon.Simple, m.Select(sig.Names, -1), sig.Field, sig.Tags.Place("b"))
	b, err := rsa.SignPKCS1v15(nil, k, crypto.SHA1, digest)
	if err != nil {
		t.Fatal(err)
	}
	return field + base64.StdEncoding.EncodeToString(b) + "\r\n"
}
