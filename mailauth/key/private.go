package key

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParsePrivate reads a private key from PEM: PKCS #8, or PKCS #1 for RSA.
func ParsePrivate(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("key: no PEM block")
	}
	var k any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		k, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("key: a PEM block of type %q is no private key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key: %T can't sign", k)
	}
	if _, err := SigningAlgorithm(s); err != nil {
		return nil, err
	}
	return s, nil
}

// SigningAlgorithm is the algorithm that a key signs with. RSA keys shorter than
// RFC 8301 allows are refused.
func SigningAlgorithm(s crypto.Signer) (Algorithm, error) {
	switch pub := s.Public().(type) {
	case *rsa.PublicKey:
		if n := pub.N.BitLen(); n < MinBits {
			return Algorithm{}, fmt.Errorf("key: the RSA key has %d bits; %d is the least allowed", n, MinBits)
		}
		return RSASHA256, nil
	case ed25519.PublicKey:
		return Ed25519SHA256, nil
	}
	return Algorithm{}, fmt.Errorf("key: %T is neither an RSA nor an Ed25519 key", s.Public())
}

// Sign signs a digest. Neither algorithm takes random numbers.
func Sign(s crypto.Signer, digest []byte) ([]byte, error) {
	a, err := SigningAlgorithm(s)
	if err != nil {
		return nil, err
	}
	opts := crypto.SignerOpts(a.Hash)
	if a.Key == "ed25519" {
		opts = crypto.Hash(0) // RFC 8463 3: PureEdDSA over the digest
	}
	sig, err := s.Sign(nil, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return sig, nil
}
