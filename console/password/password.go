// Package password hashes console passwords with Argon2id (RFC 9106) in the
// usual text form, $argon2id$v=19$m=…,t=…,p=…$salt$hash.
package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost of new hashes: OWASP's first recommendation, which a small machine can
// afford while it filters mail. Old hashes carry their own.
const (
	memory = 19 * 1024 // KiB
	passes = 2
	lanes  = 1
	length = 32

	// Bounds on what a stored hash may ask of us.
	maxMemory = 256 * 1024
	maxPasses = 16
)

// Bounds of passwords.
const (
	MinLength = 12  // octets
	MaxLength = 256 // octets; more would only be work
)

// ErrLength refuses a password that is too short or too long.
var ErrLength = fmt.Errorf("password: want %d to %d characters", MinLength, MaxLength)

// Hash returns a salted hash of the password.
func Hash(rand io.Reader, password string) (string, error) {
	if len(password) < MinLength || len(password) > MaxLength {
		return "", ErrLength
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	sum := argon2.IDKey([]byte(password), salt, passes, memory, lanes, length)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

// Verify says whether the password belongs to the hash. An empty hash costs the
// same time as a real one and is never right: so an account that doesn't exist
// can't be told from a wrong password.
func Verify(hash, password string) bool {
	if len(password) > MaxLength {
		return false
	}
	p, err := parse(hash)
	if err != nil {
		p = parsed{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, 16), sum: make([]byte, length)}
	}
	sum := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.sum)))
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && err == nil
}

type parsed struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

var errHash = errors.New("password: not a hash of ours")

func parse(hash string) (parsed, error) {
	var p parsed
	var version int
	f := strings.Split(hash, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" {
		return p, errHash
	}
	if _, err := fmt.Sscanf(f[2], "v=%d", &version); err != nil || version != argon2.Version {
		return p, errHash
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return p, errHash
	}
	if p.memory < 8 || p.memory > maxMemory || p.passes < 1 || p.passes > maxPasses || p.lanes < 1 || p.lanes > 16 {
		return p, errHash
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(f[4])
	p.sum, err2 = base64.RawStdEncoding.DecodeString(f[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.salt) > 64 || len(p.sum) < 16 || len(p.sum) > 64 {
		return p, errHash
	}
	return p, nil
}
