package signature

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"

	"sluice/mailauth/canon"
	"sluice/mailauth/key"
)

// width is the length of a folded line. RFC 5322 2.1.1 recommends at most 78.
const width = 72

// Writer builds a signature field: folded, its tags in the order in which they
// are added.
type Writer struct {
	// Flat leaves the value of b= in one line. A field that another signature
	// covers is safer so: nobody can fold it in another place.
	Flat bool

	out bytes.Buffer
	col int
	any bool
	b   int // where the value of b= belongs; 0 without a b=
}

// NewWriter begins a field.
func NewWriter(name string) *Writer {
	w := &Writer{}
	w.out.WriteString(name + ":")
	w.col = len(name) + 1
	return w
}

// Add adds a tag whose value isn't folded. The value of b= is left to [Make].
func (w *Writer) Add(tag, value string) {
	w.begin(tag, len(value))
	if tag == "b" {
		w.b = w.out.Len()
		return
	}
	w.put(value)
}

// AddList adds a list of names, folded before names (RFC 6376 3.5 h=).
func (w *Writer) AddList(tag string, names []string) {
	first := 0
	if len(names) > 0 {
		first = len(names[0])
	}
	w.begin(tag, first)
	for i, name := range names {
		if i > 0 {
			w.put(":")
			if w.col+len(name)+1 > width {
				w.fold()
			}
		}
		w.put(name)
	}
}

// AddBase64 adds octets.
func (w *Writer) AddBase64(tag string, b []byte) {
	w.Add(tag, base64.StdEncoding.EncodeToString(b))
}

func (w *Writer) begin(tag string, value int) {
	if w.any {
		w.put(";")
	}
	w.any = true
	// b= begins a line, so that the fold before it doesn't depend on its value.
	if tag == "b" || w.col+len(tag)+value+3 > width {
		w.fold()
	} else {
		w.put(" ")
	}
	w.put(tag + "=")
}

func (w *Writer) put(s string) {
	w.out.WriteString(s)
	w.col += len(s)
}

func (w *Writer) fold() {
	w.out.WriteString("\r\n ")
	w.col = 1
}

// field returns the field with the value of b= filled in, folded.
func (w *Writer) field(b []byte) []byte {
	all := w.out.Bytes()
	out := append([]byte(nil), all[:w.b]...)
	value := base64.StdEncoding.EncodeToString(b)
	for room := width - len("b="); !w.Flat && len(value) > room; room = width {
		out = append(append(out, value[:room]...), "\r\n "...)
		value = value[room:]
	}
	out = append(out, value...)
	return append(append(out, all[w.b:]...), "\r\n"...)
}

// Make signs the fields that h= of w names, and returns the whole field.
func Make(w *Writer, m *canon.Message, kind Kind, signer crypto.Signer) ([]byte, error) {
	sig, fault := Parse(w.field([]byte{0}), kind)
	if fault != nil {
		return nil, fault
	}
	return MakeOver(w, m, m.Select(sig.Names, -1), kind, signer)
}

// MakeOver signs the chosen fields of m, and returns the whole field.
func MakeOver(w *Writer, m *canon.Message, chosen []int, kind Kind, signer crypto.Signer) ([]byte, error) {
	sig, fault := Parse(w.field([]byte{0}), kind)
	if fault != nil {
		return nil, fault
	}
	value, err := key.Sign(signer, m.HashHeader(sig.Algorithm.Hash, sig.Header, chosen, sig.Field, sig.Tags.Place("b")))
	if err != nil {
		return nil, err
	}
	return w.field(value), nil
}

// Wire says why bytes can't be signed: mail with bare CR or LF is changed on its
// way, which breaks the signature.
func Wire(raw []byte) error {
	n := bytes.Count(raw, []byte("\r\n"))
	switch {
	case bytes.Count(raw, []byte{'\n'}) != n:
		return errors.New("a line feed without a carriage return")
	case bytes.Count(raw, []byte{'\r'}) != n:
		return errors.New("a carriage return without a line feed")
	}
	return nil
}

// Split cuts a message with CRLF line ends into header block and body. Without
// an empty line all of it is header.
func Split(raw []byte) (head, body []byte) {
	if bytes.HasPrefix(raw, []byte("\r\n")) {
		return nil, raw[2:]
	}
	if i := bytes.Index(raw, []byte("\r\n\r\n")); i >= 0 {
		return raw[:i+2], raw[i+4:]
	}
	return raw, nil
}

// Names checks a domain and a selector to sign with, and returns them in
// A-labels.
func Names(d, selector string) (string, string, error) {
	dn, err := domain(d)
	if err != nil {
		return "", "", fmt.Errorf("the domain %q is %w", d, err)
	}
	sel, err := domain(selector)
	if err != nil {
		return "", "", fmt.Errorf("the selector %q is %w", selector, err)
	}
	return dn, sel, nil
}
