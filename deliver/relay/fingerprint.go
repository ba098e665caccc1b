package relay

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Fingerprint is the SHA-256 of a certificate (DER), or of its public key
// (SubjectPublicKeyInfo), which stays when the certificate is renewed.
type Fingerprint [sha256.Size]byte

// String is "sha256:" and hexadecimal digits.
func (f Fingerprint) String() string { return "sha256:" + hex.EncodeToString(f[:]) }

// pin makes conf take the certificates whose fingerprint is listed and no others.
// Names, issuers and dates don't count: who holds the key is the host.
func pin(conf *tls.Config, want []Fingerprint) {
	conf.InsecureSkipVerify = true //nolint:gosec // VerifyConnection verifies
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the host showed no certificate")
		}
		leaf := s.PeerCertificates[0]
		cert, spki := Fingerprint(sha256.Sum256(leaf.Raw)), Fingerprint(sha256.Sum256(leaf.RawSubjectPublicKeyInfo))
		if slices.Contains(want, cert) || slices.Contains(want, spki) {
			return nil
		}
		return fmt.Errorf("none of the %d configured fingerprints fits: the certificate has %s, its public key %s", len(want), cert, spki)
	}
}
