// Package secret keeps the key of a site, and makes others of it.
package secret

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"

	"sluice/explain/ref"
)

// Site is the secret of a data folder, under which senders are hashed. It is made where
// there is none.
func Site(data string) ([]byte, error) {
	keys, err := ref.LoadOrCreateKeys(filepath.Join(data, "memory.keys"), rand.Reader)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// For makes a key for one use, of 32 octets.
func For(key []byte, use string) []byte {
	k, err := hkdf.Key(sha256.New, key, nil, "sluice "+use, 32)
	if err != nil {
		panic("secret: " + err.Error()) // only of lengths that aren't possible
	}
	return k
}
