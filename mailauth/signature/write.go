package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// width is the length of a folded line. RFC 5322 2.1.1 recommends at most 78.
const width = 72

// Writer builds a signature field: folded, its tags in the order in which they
// are added.
type Writer struct {
	name string
	tags []string
}

// NewWriter begins a field.
func NewWriter(name string) *Writer { return &Writer{name: name} }

// Add adds a tag. A value longer than a line is folded: after colons, where
// there are some, else anywhere, as base64 allows.
func (w *Writer) Add(tag, value string) { w.tags = append(w.tags, tag+"="+value) }

// Field writes the field with CRLF ends. The value of b= is b in base64; nil
// leaves it empty, and gives the form that is hashed.
func (w *Writer) Field(b []byte) []byte {
	var out bytes.Buffer
	out.WriteString(w.name + ":")
	col := out.Len()
	for i, tag := range w.tags {
		if tag == "b=" && b != nil {
			tag += base64.StdEncoding.EncodeToString(b)
		}
		if i < len(w.tags)-1 {
			tag += ";"
		}
		if col+1+len(tag) > width || strings.HasPrefix(tag, "b=") {
			out.WriteString("\r\n")
			col = 0
		}
		out.WriteByte(' ')
		col++
		for col+len(tag) > width && len(tag) > 1 {
			n := cut(tag, width-col)
			out.WriteString(tag[:n] + "\r\n ")
			tag, col = tag[n:], 1
		}
		out.WriteString(tag)
		col += len(tag)
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

// cut is where to fold: behind the last colon of a list that fits, before a
// whole line is full, else at the end of the line.
func cut(tag string, room int) int {
	room = min(max(room, 1), len(tag))
	if i := strings.LastIndexByte(tag[:room], ':'); i > 0 {
		return i + 1
	}
	if i := strings.IndexByte(tag, ':'); i > 0 {
		return min(i+1, len(tag)-1) // a name longer than a line stays whole
	}
	return room
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

// Split cuts a message into header block and body. Without an empty line all of
// it is header.
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
