package dkim

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/mailauth/key"
	"sluice/mailauth/signature"
)

// RingKey is one key of a domain, and the time in which it signs. Its record
// must be published before NotBefore, and stay for some days after NotAfter, for
// mail on its way.
type RingKey struct {
	Domain    string
	Selector  string
	Key       crypto.Signer
	NotBefore time.Time // zero: at once
	NotAfter  time.Time // zero: until a later key of the same kind takes over
}

// Keyring holds the keys of any number of domains. It doesn't change, so it may
// be used concurrently; rotation is a new key with a later NotBefore.
type Keyring struct{ keys []RingKey }

// NewKeyring checks the keys and makes a ring of them.
func NewKeyring(keys ...RingKey) (*Keyring, error) {
	r := &Keyring{keys: slices.Clone(keys)}
	for i := range r.keys {
		k := &r.keys[i]
		if k.Key == nil {
			return nil, errors.New("dkim: a key is missing")
		}
		if _, err := key.SigningAlgorithm(k.Key); err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
		var err error
		if k.Domain, k.Selector, err = signature.Names(k.Domain, k.Selector); err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
		for _, other := range r.keys[:i] {
			if other.Domain == k.Domain && other.Selector == k.Selector {
				return nil, fmt.Errorf("dkim: the selector %s of %s has two keys", k.Selector, k.Domain)
			}
		}
	}
	return r, nil
}

// At returns how to sign for a domain at a time: with the newest key of each
// algorithm that is due, Ed25519 last, so that its field stands below RSA's,
// which more verifiers know. It is empty where the domain has no key.
func (r *Keyring) At(domain string, now time.Time) []SignOptions {
	domain, _, err := signature.Names(domain, "x")
	if err != nil {
		return nil
	}
	newest := make(map[key.Algorithm]RingKey)
	for _, k := range r.keys {
		if k.Domain != domain || now.Before(k.NotBefore) || !k.NotAfter.IsZero() && !now.Before(k.NotAfter) {
			continue
		}
		a, _ := key.SigningAlgorithm(k.Key)
		if have, ok := newest[a]; !ok || k.NotBefore.After(have.NotBefore) {
			newest[a] = k
		}
	}
	var out []SignOptions
	for _, a := range []key.Algorithm{key.RSASHA256, key.Ed25519SHA256} {
		if k, ok := newest[a]; ok {
			out = append(out, SignOptions{Domain: k.Domain, Selector: k.Selector, Key: k.Key})
		}
	}
	return out
}

// Records lists what must stand in the DNS for the ring: name and text, by name.
func (r *Keyring) Records() ([][2]string, error) {
	out := make([][2]string, 0, len(r.keys))
	for _, k := range r.keys {
		text, err := key.Text(k.Key.Public())
		if err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
		out = append(out, [2]string{key.Name(k.Domain, k.Selector), text})
	}
	slices.SortFunc(out, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	return out, nil
}
