// Package cms unwraps signed content of S/MIME (RFC 5652) and says what is
// encrypted. It verifies nothing: a signature says who, not what.
package cms

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder opens CMS content.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "cms".
func (Decoder) Name() string { return "cms" }

// Types is pkcs7 alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.PKCS7} }

// Object identifiers of the kinds of content, as they are encoded.
const (
	data      = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
	signed    = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
	enveloped = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
	encrypted = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06"
	sealed    = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17" // authEnvelopedData, RFC 5083
	packed    = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09" // compressedData, RFC 3274
)

// Open emits what is signed.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if bytes.HasPrefix(bytes.TrimLeft(b, " \t\r\n"), []byte("-----BEGIN")) {
		var err error
		if b, err = unarmour(b); err != nil {
			return err
		}
	}
	info, _, ok := next(b)
	if !ok || info.tag != 0x30 {
		return errors.New("no content")
	}
	kind, rest, ok := next(info.body)
	if !ok || kind.tag != 6 {
		return errors.New("no kind of content")
	}
	switch string(kind.body) {
	case enveloped, encrypted, sealed:
		w.Mark(inspect.Encrypted)
		_, err := w.Emit(child.Entry{Encrypted: true, Method: "cms", Size: -1})
		return err
	case packed:
		w.Fact(inspect.Unsupported, "cms: compressed content")
		return nil
	case signed:
		return openSigned(w, rest)
	}
	return nil
}

func openSigned(w *child.Work, b []byte) error {
	outer, _, ok := next(b) // [0]
	if !ok {
		return errors.New("no signed data")
	}
	seq, _, ok := next(outer.body)
	if !ok {
		return errors.New("no signed data")
	}
	rest := seq.body
	var content element
	for range 3 { // version, digest algorithms, content
		if content, rest, ok = next(rest); !ok {
			return errors.New("signed data is cut short")
		}
	}
	kind, rest, ok := next(content.body)
	if !ok || kind.tag != 6 {
		return errors.New("no kind of signed content")
	}
	wrapped, _, ok := next(rest)
	if !ok || wrapped.tag != 0xa0 {
		return nil // detached: the content is elsewhere
	}
	plain, err := octets(w, wrapped.body)
	if err != nil {
		return err
	}
	w.Fact(inspect.SignedContent, "not verified")
	e := child.Entry{Name: strings.TrimSuffix(strings.TrimSuffix(w.Name(), ".p7m"), ".p7s"), Method: "signed", Size: -1, Bytes: plain}
	if string(kind.body) == data && entity(plain) {
		e.Type, e.Name = inspect.Mail, "content.eml"
	}
	_, err = w.Emit(e)
	return err
}

// entity says whether content begins like a MIME entity. RFC 8551 3.1
func entity(b []byte) bool {
	head := strings.ToLower(string(b[:min(len(b), 13)]))
	return strings.HasPrefix(head, "content-") || strings.HasPrefix(head, "mime-version:")
}

func unarmour(b []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return nil, errors.New("no armour")
	}
	body, _, _ := bytes.Cut(rest, []byte("-----END"))
	out := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(out, body)
	if n > 0 {
		err = nil
	}
	return out[:n], err
}

// element is a value in BER. The body of one of indefinite length goes on to the end
// of what holds it: its parts say where they end.
type element struct {
	tag        byte
	body       []byte
	indefinite bool
}

// next reads an element. Behind one of indefinite length there is nothing here: the
// places that are read don't need it.
func next(b []byte) (e element, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&31 == 31 {
		return e, nil, false
	}
	e.tag = b[0]
	n := int64(b[1])
	b = b[2:]
	switch {
	case n == 0x80:
		e.indefinite, e.body = true, b
		return e, after(b), true
	case n > 0x84:
		return e, nil, false
	case n > 0x80:
		k := int(n & 0x7f)
		if len(b) < k {
			return e, nil, false
		}
		n = 0
		for _, c := range b[:k] {
			n = n<<8 | int64(c)
		}
		b = b[k:]
	}
	e.body = b[:min(n, int64(len(b)))]
	return e, b[len(e.body):], true
}

// after skips an indefinite body by its parts, up to the mark of its end.
func after(b []byte) []byte {
	depth := 1
	for len(b) >= 2 {
		if b[0] == 0 && b[1] == 0 {
			b = b[2:]
			if depth--; depth == 0 {
				return b
			}
			continue
		}
		if b[1] == 0x80 {
			depth++
			b = b[2:]
			continue
		}
		_, rest, ok := next(b)
		if !ok {
			return nil
		}
		b = rest
	}
	return nil
}

// octets joins an octet string, which may be in pieces, and those again.
func octets(w *child.Work, b []byte) ([]byte, error) {
	whole, _, ok := next(b)
	if !ok || whole.tag&0xdf != 4 {
		return nil, errors.New("the content is no octet string")
	}
	if whole.tag == 4 {
		return whole.body, nil
	}
	var out []byte
	rest := whole.body
	for n := 0; len(rest) >= 2; n++ {
		if n%1024 == 0 {
			if err := w.Err(); err != nil {
				return nil, err
			}
		}
		if rest[0] == 0 && rest[1] == 0 {
			break
		}
		if rest[0] == 0x24 { // the pieces of a piece stand in its place
			head := 2
			if rest[1] > 0x80 {
				head += int(rest[1] & 0x7f)
			}
			if head > len(rest) {
				break
			}
			rest = rest[head:]
			continue
		}
		var piece element
		if piece, rest, ok = next(rest); !ok || piece.tag != 4 || piece.indefinite {
			break
		}
		out = append(out, piece.body...)
	}
	return out, nil
}
