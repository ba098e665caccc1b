// Package key reads the public keys that DKIM and ARC signatures are checked
// with: TXT records below _domainkey (RFC 6376 3.6, RFC 8301, RFC 8463).
package key

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/dns"
	"sluice/mailauth/canon"
)

// Why there is no key to check a signature with, or none that may be used.
var (
	ErrMissing   = errors.New("there is no key record")
	ErrTemporary = errors.New("the key could not be asked for")
	ErrSyntax    = errors.New("the key record is broken")
	ErrRevoked   = errors.New("the key is revoked") // RFC 6376 3.6.1: an empty p=
)

// Sizes of RSA keys in bits (RFC 8301 3.2).
const (
	MinBits  = 1024 // shorter ones MUST NOT be considered
	GoodBits = 2048 // shorter ones SHOULD NOT be used
	MaxBits  = 8192 // ours: longer ones cost more than they are worth; verifiers must take 4096
)

// Algorithm is a way of signing, as a= names it.
type Algorithm struct {
	Key  string // as k= has it: "rsa", "ed25519"
	Hash crypto.Hash
}

// The algorithms in use. SHA-1 is computed so that old mail can be explained,
// and never accepted (RFC 8301 3.1).
var (
	RSASHA256     = Algorithm{"rsa", crypto.SHA256}
	RSASHA1       = Algorithm{"rsa", crypto.SHA1}
	Ed25519SHA256 = Algorithm{"ed25519", crypto.SHA256}
)

// ParseAlgorithm reads an a= tag.
func ParseAlgorithm(s string) (Algorithm, bool) {
	for _, a := range []Algorithm{RSASHA256, RSASHA1, Ed25519SHA256} {
		if s == a.String() {
			return a, true
		}
	}
	return Algorithm{}, false
}

// String is the algorithm as a= names it.
func (a Algorithm) String() string { return a.Key + "-" + hashName(a.Hash) }

func hashName(h crypto.Hash) string {
	if h == crypto.SHA1 {
		return "sha1"
	}
	return "sha256"
}

// Record is one key record. It doesn't change once parsed.
type Record struct {
	Type     string   // k=
	Hashes   []string // h=; nil for all
	Services []string // s=; nil for all
	Notes    string   // n=; hostile
	Testing  bool     // t=y
	Strict   bool     // t=s: i= must be d= itself
	Revoked  bool     // p= is empty
	Public   crypto.PublicKey
	Bits     int // size of the key; 256 for Ed25519
}

// maxRecord bounds the text of a record. A 4096-bit RSA key takes about 740
// octets.
const maxRecord = 8 << 10

// Parse reads the text of a key record (RFC 6376 3.6.1). A record that is no key
// is an error that wraps ErrSyntax. Tags that RFC 6376 no longer has, as g=, are
// ignored like unknown ones.
func Parse(text string) (*Record, error) {
	if len(text) > maxRecord {
		return nil, fmt.Errorf("%w: %d octets", ErrSyntax, len(text))
	}
	tags, err := canon.ParseTags(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	// RFC 6376 3.6.1: v=, where it is given, must stand first and be DKIM1.
	if v, ok := tags.Get("v"); ok && (v != "DKIM1" || tags[0].Name != "v") {
		return nil, fmt.Errorf("%w: its version is not DKIM1, or does not stand first", ErrSyntax)
	}
	r := &Record{Type: "rsa"}
	if k, ok := tags.Get("k"); ok {
		r.Type = k
	}
	if h, ok := tags.Get("h"); ok {
		r.Hashes = canon.List(h)
	}
	if s, ok := tags.Get("s"); ok {
		r.Services = canon.List(s)
	}
	if t, ok := tags.Get("t"); ok {
		flags := canon.List(t)
		r.Testing, r.Strict = slices.Contains(flags, "y"), slices.Contains(flags, "s")
	}
	r.Notes, _ = tags.Get("n")
	p, ok := tags.Get("p")
	if !ok {
		return nil, fmt.Errorf("%w: no p=", ErrSyntax)
	}
	if p == "" {
		r.Revoked = true
		return r, nil
	}
	data, err := canon.Base64(p)
	if err != nil {
		return nil, fmt.Errorf("%w: p=: %w", ErrSyntax, err)
	}
	switch r.Type {
	case "rsa":
		err = r.rsa(data)
	case "ed25519":
		// RFC 8463 4.2: the bare 32 octets, without ASN.1 around them.
		if len(data) != ed25519.PublicKeySize {
			err = fmt.Errorf("an Ed25519 key has 32 octets, not %d", len(data))
			break
		}
		r.Public, r.Bits = ed25519.PublicKey(data), 256
	default:
		err = errors.New("its type is neither rsa nor ed25519")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return r, nil
}

// rsa reads a SubjectPublicKeyInfo, which everybody publishes, or the bare
// RSAPublicKey that RFC 6376 3.6.1 speaks of.
func (r *Record) rsa(data []byte) error {
	var pub *rsa.PublicKey
	if any, err := x509.ParsePKIXPublicKey(data); err == nil {
		var ok bool
		if pub, ok = any.(*rsa.PublicKey); !ok {
			return errors.New("p= holds another kind of key than k= says")
		}
	} else if pub, err = x509.ParsePKCS1PublicKey(data); err != nil {
		return errors.New("p= holds no RSA key")
	}
	r.Public, r.Bits = pub, pub.N.BitLen()
	return nil
}

// Weak says whether the key is shorter than RFC 8301 recommends, yet usable.
func (r *Record) Weak() bool { return r.Type == "rsa" && r.Bits >= MinBits && r.Bits < GoodBits }

// Fits says why the record is not for this algorithm and service ("email"), or
// nil. It doesn't look at the key's size.
func (r *Record) Fits(a Algorithm, service string) error {
	switch {
	case r.Type != a.Key: // RFC 6376 3.6.1 k=
		return fmt.Errorf("the key is for %s, not for %s", clip(r.Type), a.Key)
	case r.Hashes != nil && !slices.Contains(r.Hashes, hashName(a.Hash)): // h=
		return fmt.Errorf("the key's h= does not allow %s", hashName(a.Hash))
	case r.Services != nil && !slices.Contains(r.Services, "*") && !slices.Contains(r.Services, service): // s=
		return fmt.Errorf("the key's s= does not allow %s", service)
	}
	return nil
}

// Acceptable says why the size of the key rules it out, or nil (RFC 8301 3.2).
func (r *Record) Acceptable() error {
	switch {
	case r.Type == "rsa" && r.Bits < MinBits:
		return fmt.Errorf("the RSA key has %d bits; 1024 is the least allowed", r.Bits)
	case r.Bits > MaxBits:
		return fmt.Errorf("the RSA key has %d bits; %d is the most checked here", r.Bits, MaxBits)
	}
	return nil
}

// Verify checks a signature of a digest. The record must fit the algorithm, and
// the key must be acceptable.
func (r *Record) Verify(a Algorithm, digest, sig []byte) bool {
	switch pub := r.Public.(type) {
	case *rsa.PublicKey:
		return a.Key == "rsa" && rsa.VerifyPKCS1v15(pub, a.Hash, digest, sig) == nil
	case ed25519.PublicKey:
		// RFC 8463 3: the digest is what PureEdDSA signs.
		return a.Key == "ed25519" && ed25519.Verify(pub, digest, sig)
	}
	return false
}

// Answer is what a lookup found. It may be kept for TTL and shared.
type Answer struct {
	Name      string    // what was asked
	Records   []*Record // those that parse; more than one is rare and not forbidden
	TTL       time.Duration
	Authentic bool  // DNSSEC, as the resolver says
	Err       error // wraps ErrMissing, ErrTemporary or ErrSyntax; nil where there are records
}

// Bounds of one answer. RFC 6376 3.6.2.2 wants one record.
const (
	maxTexts   = 16
	maxRecords = 4
)

// Name is where the key of a selector stands (RFC 6376 3.6.2.1).
func Name(domain, selector string) string { return selector + "._domainkey." + domain }

// Lookup asks for the keys of a selector.
func Lookup(ctx context.Context, r dns.Resolver, domain, selector string) Answer {
	a := Answer{Name: Name(domain, selector)}
	found, err := r.Lookup(ctx, a.Name, dns.TXT)
	a.TTL, a.Authentic = found.TTL, found.Authentic
	switch {
	case dns.NotFound(err):
		a.Err = fmt.Errorf("%w at %s", ErrMissing, clip(a.Name))
		return a
	case err != nil:
		a.Err = fmt.Errorf("%w: %w", ErrTemporary, err)
		return a
	}
	for i, t := range found.Records {
		if i == maxTexts || len(a.Records) == maxRecords {
			break
		}
		rec, err := Parse(t.Text)
		switch {
		case err == nil:
			a.Records = append(a.Records, rec)
		case a.Err == nil:
			a.Err = fmt.Errorf("%w (at %s)", err, clip(a.Name))
		}
	}
	if len(a.Records) > 0 {
		a.Err = nil
	} else if a.Err == nil {
		a.Err = fmt.Errorf("%w at %s", ErrMissing, clip(a.Name))
	}
	return a
}

// Question names a key to ask for.
type Question struct{ Domain, Selector string }

// LookupAll asks for several keys together, each once. A panic of a look-up is
// raised here, in the caller's goroutine, where a barrier stands.
func LookupAll(ctx context.Context, r dns.Resolver, questions []Question) map[Question]Answer {
	out, asked := make(map[Question]Answer, len(questions)), make(map[Question]bool, len(questions))
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex // guards out and failed
		failed any
	)
	for _, q := range questions {
		if asked[q] {
			continue
		}
		asked[q] = true
		wait.Go(func() {
			var a Answer
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				if p := recover(); p != nil {
					failed = p
				}
				out[q] = a
			}()
			a = Lookup(ctx, r, q.Domain, q.Selector)
		})
	}
	wait.Wait()
	if failed != nil {
		panic(failed)
	}
	return out
}

// Text is the record to publish for a public key: RSA or Ed25519.
func Text(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			return "", fmt.Errorf("key: %w", err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der), nil
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(k), nil
	}
	return "", fmt.Errorf("key: %T is neither an RSA nor an Ed25519 key", pub)
}

func clip(s string) string {
	if len(s) > 120 {
		s = s[:120]
	}
	return strings.ToValidUTF8(s, "?")
}
