package ref

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"sluice"
	"sluice/reason"
)

// Facts are what a token carries. There is no recipient, no threshold and no
// point in it: whoever has the link may read the page.
type Facts struct {
	ID      string // the transaction's reference
	Time    time.Time
	Node    string // which node refused; at most 16 bytes are kept
	Client  netip.Addr
	Helo    string // hostile; at most 32 bytes are kept
	Phase   sluice.Phase
	Threat  sluice.Threat
	Code    int
	Reasons []sluice.Reason // the leading one first; at most 5 are kept
}

// Bounds of what a token carries, so that a reply with a link fits its line.
const (
	maxReasons = 5
	maxNode    = 16
	maxHelo    = 32
	maxIDLen   = 24

	// MaxToken is the longest token that Open looks at.
	MaxToken = 240
)

// Errors of Open.
var (
	ErrToken   = errors.New("ref: not a token of ours")
	ErrExpired = errors.New("ref: token has expired")
)

// KeySize is the size of a sealing key.
const KeySize = chacha20poly1305.KeySize

// Sealer seals and opens tokens with a ring of keys: it seals with the first
// and opens with any. It is safe for concurrent use if its source of randomness is.
type Sealer struct {
	ring     []key
	rand     io.Reader
	lifetime time.Duration
}

type key struct {
	id   [2]byte
	aead cipher.AEAD
}

// Config sets up a Sealer.
type Config struct {
	Keys     [][]byte      // newest first, each KeySize random bytes
	Rand     io.Reader     // for nonces; unpredictable and safe for concurrent use
	Lifetime time.Duration // how long a token is good; 0 means 30 days
}

// New returns a Sealer. Every node of a fleet needs the same keys.
func New(cfg Config) (*Sealer, error) {
	if len(cfg.Keys) == 0 || cfg.Rand == nil {
		return nil, errors.New("ref: a sealer needs a key and a source of randomness")
	}
	s := &Sealer{rand: cfg.Rand, lifetime: cfg.Lifetime}
	if s.lifetime <= 0 {
		s.lifetime = 30 * 24 * time.Hour
	}
	for _, k := range cfg.Keys {
		aead, err := chacha20poly1305.New(k)
		if err != nil {
			return nil, fmt.Errorf("ref: %w", err)
		}
		sum := sha256.Sum256(append([]byte("sluice ref key id "), k...))
		s.ring = append(s.ring, key{id: [2]byte(sum[:2]), aead: aead})
	}
	return s, nil
}

// Seal returns a token for f: base64url of key id, nonce and sealed facts. It
// panics where the source of randomness fails, as [NewID] does.
func (s *Sealer) Seal(f Facts) string {
	k := s.ring[0]
	out := make([]byte, 2+chacha20poly1305.NonceSize, MaxToken*3/4)
	copy(out, k.id[:])
	nonce := out[2:]
	if _, err := io.ReadFull(s.rand, nonce); err != nil {
		panic(fmt.Sprintf("ref: no randomness: %v", err))
	}
	out = k.aead.Seal(out, nonce, encode(f), out[:2])
	return base64.RawURLEncoding.EncodeToString(out)
}

// Open returns the facts of a token sealed with one of the keys and not older
// than the lifetime. Its errors are [ErrToken] and [ErrExpired], and say no
// more: a forger learns nothing.
func (s *Sealer) Open(token string, now time.Time) (Facts, error) {
	// A token has one spelling only: the decoder skips line ends, and unless
	// strict ignores trailing bits.
	if len(token) > MaxToken || strings.ContainsAny(token, "\r\n") {
		return Facts{}, ErrToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 2+chacha20poly1305.NonceSize+chacha20poly1305.Overhead {
		return Facts{}, ErrToken
	}
	id, nonce, sealed := raw[:2], raw[2:2+chacha20poly1305.NonceSize], raw[2+chacha20poly1305.NonceSize:]
	for _, k := range s.ring {
		if !bytes.Equal(k.id[:], id) {
			continue
		}
		plain, err := k.aead.Open(nil, nonce, sealed, id)
		if err != nil {
			continue // another key may have the same short id
		}
		f, ok := decode(plain)
		if !ok {
			return Facts{}, ErrToken // sealed by another version
		}
		// Clocks of a fleet differ a little.
		if age := now.Sub(f.Time); age > s.lifetime || age < -time.Hour {
			return Facts{}, ErrExpired
		}
		return f, nil
	}
	return Facts{}, ErrToken
}

// version is the first byte of the facts; a change of layout gets a new one.
const version = 1

// encode writes f: version, time, phase, threat, code, client, reasons, id,
// node, helo. Strings and lists have a length byte before them.
func encode(f Facts) []byte {
	b := make([]byte, 0, 128)
	b = append(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(f.Time.Unix())) // good until 2106
	b = append(b, byte(f.Phase), byte(f.Threat))
	b = binary.BigEndian.AppendUint16(b, uint16(f.Code))
	addr := f.Client.Unmap().WithZone("").AsSlice() // none for the zero Addr
	b = append(b, byte(len(addr)))
	b = append(b, addr...)
	reasons := f.Reasons[:min(len(f.Reasons), maxReasons)]
	b = append(b, byte(len(reasons)))
	for _, r := range reasons {
		h := shortHash(string(r))
		b = append(b, h[:]...)
	}
	for _, s := range [...]string{cut(f.ID, maxIDLen), cut(f.Node, maxNode), cut(f.Helo, maxHelo)} {
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	return b
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// decode reads what encode wrote. A reason that this version's catalogue
// doesn't have is left out.
func decode(b []byte) (f Facts, ok bool) {
	d := decoder{b: b}
	if d.byte() != version {
		return Facts{}, false
	}
	f.Time = time.Unix(int64(binary.BigEndian.Uint32(d.take(4))), 0).UTC()
	f.Phase, f.Threat = sluice.Phase(d.byte()), sluice.Threat(d.byte())
	f.Code = int(binary.BigEndian.Uint16(d.take(2)))
	if addr := d.list(1); len(addr) > 0 {
		if f.Client, ok = netip.AddrFromSlice(addr); !ok {
			return Facts{}, false
		}
	}
	for h := d.list(3); len(h) >= 3; h = h[3:] {
		if r, ok := byHash([3]byte(h)); ok {
			f.Reasons = append(f.Reasons, r)
		}
	}
	f.ID, f.Node, f.Helo = string(d.list(1)), string(d.list(1)), string(d.list(1))
	return f, !d.short && len(d.b) == 0
}

// decoder takes from the front; short says that there was too little.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if len(d.b) < n {
		d.short, d.b = true, nil
		return make([]byte, n) // n is ours: at most 3·255
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) list(size int) []byte { return d.take(size * int(d.byte())) }

// shortHash stands for a reason in a token. It doesn't depend on the place in
// the catalogue, which changes from version to version.
func shortHash(id string) [3]byte {
	sum := sha256.Sum256([]byte(id))
	return [3]byte(sum[:3])
}

var byShortHash = func() map[[3]byte]sluice.Reason {
	out := map[[3]byte]sluice.Reason{}
	for _, e := range reason.All() {
		out[shortHash(e.ID)] = sluice.Reason(e.ID)
	}
	return out
}()

func byHash(h [3]byte) (sluice.Reason, bool) {
	r, ok := byShortHash[h]
	return r, ok
}
