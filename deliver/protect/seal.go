package protect

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"
	"golang.org/x/crypto/chacha20poly1305"

	"sluice/message/links"
)

// Link is what a link of ours carries. No recipient is in it: whoever has the link can
// see where it leads.
type Link struct {
	URL  string    // absolute, as it stood in the message; hostile
	Ref  string    // the message's reference; at most 24 octets are kept
	Time time.Time // when it was sealed, to the second

	form    form
	written string // how it stood in HTML, where that doesn't follow from the rest
}

// form is how an address stood in the text.
type form uint8

const (
	formBare     form = 1 << iota // in text, without "http://"
	formRelative                  // in HTML, without the scheme: "//host/path"
	formAmp                       // in HTML, with "&" as it is
	formWrapped                   // in HTML, as text: the anchor around it is ours
)

// Errors of Open.
var (
	ErrLink = errors.New("protect: not a link of ours")
	ErrCut  = errors.New("protect: the link was cut")
)

// KeySize is the size of a key.
const KeySize = chacha20poly1305.KeySize

// Sealer makes what stands behind /c/ in our links, and reads it. It seals with the first
// key and opens with any. It is safe for concurrent use.
//
// The nonce is a keyed hash of what is sealed, so that a link needs no randomness, and
// the same link of a message looks the same in all of its parts.
type Sealer struct{ ring []key }

type key struct {
	id    [2]byte
	aead  cipher.AEAD
	nonce []byte
}

// NewSealer makes a Sealer of keys, newest first, each [KeySize] random octets. They may
// be the keys that seal the references in replies: others are derived from them. Every
// node of a fleet needs the same. A key has to be kept until the last link that it sealed
// is out of use: nothing else can restore it.
func NewSealer(keys [][]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("protect: no key")
	}
	s := &Sealer{}
	for _, k := range keys {
		if len(k) != KeySize {
			return nil, fmt.Errorf("protect: a key of %d octets, want %d", len(k), KeySize)
		}
		aead, err := chacha20poly1305.New(derived(k, "sluice link seal"))
		if err != nil {
			return nil, fmt.Errorf("protect: %w", err)
		}
		s.ring = append(s.ring, key{id: [2]byte(derived(k, "sluice link key id")), aead: aead, nonce: derived(k, "sluice link nonce")})
	}
	return s, nil
}

func derived(key []byte, what string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(what))
	return m.Sum(nil)
}

// The head of a token: its length, which lets a reader put one together that was broken
// over lines, the key's id, the nonce.
const (
	headLen   = 2 + 2 + chacha20poly1305.NonceSize
	maxSealed = 4096 // octets of a URL and its spelling
	maxToken  = 3 * maxSealed / 2
	maxRef    = 24
)

// Seal returns HOST/TOKEN: where a link leads, for people, and all of it.
func (s *Sealer) Seal(l Link) string {
	k := s.ring[0]
	plain := encode(l)
	out := make([]byte, headLen, headLen+len(plain)+chacha20poly1305.Overhead)
	binary.BigEndian.PutUint16(out, uint16(cap(out)))
	copy(out[2:], k.id[:])
	m := hmac.New(sha256.New, k.nonce)
	m.Write(plain)
	copy(out[4:], m.Sum(nil))
	out = k.aead.Seal(out, out[4:headLen], plain, out[:4])
	return shown(l.URL) + "/" + base64.RawURLEncoding.EncodeToString(out)
}

// Open reads what Seal made. It says nothing of the link's age: an old one is restored
// as well. Its errors are [ErrLink] and [ErrCut], and say no more.
func (s *Sealer) Open(path string) (Link, error) {
	host, token, ok := strings.Cut(path, "/")
	if !ok || len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return Link{}, ErrLink
	}
	if n, ok := tokenLen(token); !ok {
		return Link{}, ErrLink
	} else if n > len(token) {
		return Link{}, ErrCut
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < headLen+chacha20poly1305.Overhead || int(binary.BigEndian.Uint16(raw)) != len(raw) {
		return Link{}, ErrLink
	}
	for _, k := range s.ring {
		if !bytes.Equal(k.id[:], raw[2:4]) {
			continue
		}
		plain, err := k.aead.Open(nil, raw[4:headLen], raw[headLen:], raw[:4])
		if err != nil {
			continue // another key may have the same short id
		}
		l, ok := decode(plain)
		if !ok || shown(l.URL) != host {
			return Link{}, ErrLink // of another version, or somebody wrote another host before it
		}
		return l, nil
	}
	return Link{}, ErrLink
}

// tokenLen reads from its first characters how long a token is.
func tokenLen(token string) (int, bool) {
	if len(token) < 4 {
		return 0, false
	}
	head, err := base64.RawURLEncoding.DecodeString(token[:4])
	if err != nil {
		return 0, false
	}
	n := base64.RawURLEncoding.EncodedLen(int(binary.BigEndian.Uint16(head)))
	return n, n <= maxToken
}

// shown is the host that stands in our link, "-" for one that can't.
func shown(u string) string {
	h := links.Parse(u).Host
	if h == "" || len(h) > 64 || h[0] == '.' || strings.Trim(h, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" || strings.Contains(h, "..") {
		return "-"
	}
	return h
}

// Bits of the second octet.
const (
	codeHTTP    = 1 << iota // the URL is behind "http://"
	codeHTTPS               // behind "https://"
	codePacked              // it is compressed
	codeWritten             // its spelling follows
)

// encode writes a link: version and form, bits, time, reference, URL, spelling.
func encode(l Link) []byte {
	const version = 1 << 4
	ref := l.Ref[:min(len(l.Ref), maxRef)]
	code := byte(0)
	u := l.URL
	if rest, ok := strings.CutPrefix(u, "http://"); ok {
		u, code = rest, codeHTTP
	} else if rest, ok := strings.CutPrefix(u, "https://"); ok {
		u, code = rest, codeHTTPS
	}
	var body []byte
	if l.written != "" {
		code |= codeWritten
		body = binary.AppendUvarint(body, uint64(len(u)))
	}
	body = append(append(body, u...), l.written...)
	if p := packed(body); len(p) < len(body) {
		body, code = p, code|codePacked
	}
	b := make([]byte, 0, 7+len(ref)+len(body))
	b = append(b, version|byte(l.form), code)
	b = binary.BigEndian.AppendUint32(b, uint32(l.Time.Unix())) // good until 2106
	b = append(b, byte(len(ref)))
	b = append(b, ref...)
	return append(b, body...)
}

// huffman writes what repeats nothing: base64 has 6 bits in a character, so that ours
// doesn't grow by encoding it again. A writer is large, so they are used again.
var huffman = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.HuffmanOnly)
	if err != nil {
		panic(err) // the level is right
	}
	return w
}}

// packed compresses in the better of two ways; it is b where neither is worth it.
func packed(b []byte) []byte {
	best := b
	var one, two bytes.Buffer
	if len(b) > 40 && flate.StatelessDeflate(&one, b, true, nil) == nil && one.Len() < len(best) {
		best = one.Bytes()
	}
	if len(b) > 200 && len(best) > len(b)*3/4 {
		w := huffman.Get().(*flate.Writer)
		w.Reset(&two)
		if _, err := w.Write(b); err == nil && w.Close() == nil && two.Len() < len(best) {
			best = two.Bytes()
		}
		huffman.Put(w)
	}
	return best
}

// decode reads what encode wrote.
func decode(b []byte) (l Link, ok bool) {
	if len(b) < 7 || b[0]>>4 != 1 || len(b) < 7+int(b[6]) {
		return l, false
	}
	code := b[1]
	l.form = form(b[0] & 15)
	l.Time = time.Unix(int64(binary.BigEndian.Uint32(b[2:])), 0).UTC()
	l.Ref = string(b[7 : 7+int(b[6])])
	body := b[7+int(b[6]):]
	if code&codePacked != 0 {
		r := flate.NewReader(bytes.NewReader(body))
		var err error
		if body, err = io.ReadAll(io.LimitReader(r, maxSealed+8)); err != nil {
			return l, false
		}
	}
	n := len(body)
	if code&codeWritten != 0 {
		size, used := binary.Uvarint(body)
		if used <= 0 || size > uint64(len(body)-used) {
			return l, false
		}
		body, n = body[used:], int(size)
	}
	l.URL, l.written = string(body[:n]), string(body[n:])
	switch {
	case code&codeHTTP != 0:
		l.URL = "http://" + l.URL
	case code&codeHTTPS != 0:
		l.URL = "https://" + l.URL
	}
	return l, true
}
