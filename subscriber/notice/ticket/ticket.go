// Package ticket makes the sealed links that notices carry: which case and round they are
// of, which try brought them, and what whoever follows one proves by that.
package ticket

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"sluice/subscriber/cases"
)

// Errors of Open.
var (
	ErrInvalid = errors.New("ticket: not one of ours")
	ErrExpired = errors.New("ticket: expired")
)

// Use is what a ticket is for. One for receipts opens no page, and the other way round.
type Use uint8

// The uses. Pages differ by what having the link proves.
const (
	MailedLink Use = iota + 1
	Captive
	Second
	Receipt
)

// Means is how who has a page's ticket confirms; "" for a receipt's.
func (u Use) Means() cases.Means {
	return map[Use]cases.Means{MailedLink: cases.MailedLink, Captive: cases.Captive, Second: cases.Second}[u]
}

// Ticket is what a link holds.
type Ticket struct {
	Use    Use
	Case   string    // at most 40 octets
	Try    string    // the notice that brought it, at most 40 octets; "" for a link in an SMTP reply
	Round  time.Time // [sluice.Case.Held], to the second: a recurrence makes older links void
	Issued time.Time
}

// Config sets up a Sealer.
type Config struct {
	Keys     [][]byte      // newest first, 32 octets each; every node needs the same
	Rand     io.Reader     // for nonces; safe for concurrent use
	Lifetime time.Duration // default 14 days
}

// Sealer seals and opens tickets. It is safe for concurrent use.
type Sealer struct {
	keys     []key
	rand     io.Reader
	lifetime time.Duration
}

type key struct {
	id   byte
	aead cipher.AEAD
}

const (
	version = 1
	maxName = 40
	// maxToken is the longest that Open looks at.
	maxToken = 220
	head     = 2 // version and key
)

// New makes a Sealer.
func New(cfg Config) (*Sealer, error) {
	if len(cfg.Keys) == 0 || cfg.Rand == nil {
		return nil, errors.New("ticket: a key and a source of randomness are needed")
	}
	s := &Sealer{rand: cfg.Rand, lifetime: cfg.Lifetime}
	if s.lifetime <= 0 {
		s.lifetime = 14 * 24 * time.Hour
	}
	for _, k := range cfg.Keys {
		aead, err := chacha20poly1305.NewX(k)
		if err != nil {
			return nil, fmt.Errorf("ticket: %w", err)
		}
		sum := sha256.Sum256(append([]byte("sluice ticket key "), k...))
		s.keys = append(s.keys, key{sum[0], aead})
	}
	return s, nil
}

// Seal returns a ticket as letters, digits, "-" and "_".
func (s *Sealer) Seal(t Ticket) (string, error) {
	if t.Use < MailedLink || t.Use > Receipt || t.Case == "" || len(t.Case) > maxName || len(t.Try) > maxName {
		return "", errors.New("ticket: it can't be sealed")
	}
	plain := []byte{byte(t.Use)}
	plain = binary.BigEndian.AppendUint64(plain, uint64(t.Round.Unix()))
	plain = binary.BigEndian.AppendUint64(plain, uint64(t.Issued.Unix()))
	plain = append(append(append(plain, byte(len(t.Case))), t.Case...), t.Try...)
	k := s.keys[0]
	out := make([]byte, head+k.aead.NonceSize())
	out[0], out[1] = version, k.id
	if _, err := io.ReadFull(s.rand, out[head:]); err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(k.aead.Seal(out, out[head:], plain, out[:head])), nil
}

// Open reads a ticket: ErrInvalid says no more than that, and ErrExpired comes with what
// it holds.
func (s *Sealer) Open(token string, now time.Time) (Ticket, error) {
	// A ticket has one spelling only: the decoder skips line ends.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return Ticket{}, ErrInvalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < head+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead || raw[0] != version {
		return Ticket{}, ErrInvalid
	}
	for _, k := range s.keys {
		if k.id != raw[1] {
			continue
		}
		nonce := raw[head : head+chacha20poly1305.NonceSizeX]
		plain, err := k.aead.Open(nil, nonce, raw[head+len(nonce):], raw[:head])
		if err != nil {
			continue
		}
		t, ok := read(plain)
		if !ok {
			return Ticket{}, ErrInvalid
		}
		if age := now.Sub(t.Issued); age > s.lifetime || age < -time.Hour {
			return t, ErrExpired
		}
		return t, nil
	}
	return Ticket{}, ErrInvalid
}

func read(b []byte) (t Ticket, ok bool) {
	const fixed = 1 + 8 + 8 + 1
	if len(b) < fixed || len(b) < fixed+int(b[fixed-1]) {
		return t, false
	}
	t.Use = Use(b[0])
	t.Round = time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0).UTC()
	t.Issued = time.Unix(int64(binary.BigEndian.Uint64(b[9:])), 0).UTC()
	n := fixed + int(b[fixed-1])
	t.Case, t.Try = string(b[fixed:n]), string(b[n:])
	return t, true
}
