// Package canon turns a message into the bytes that DKIM and ARC sign: the
// simple and relaxed forms of RFC 6376 3.4, the choice of header fields by h=,
// and the tag lists in which signatures and keys are written.
//
// All of it works on the message's own bytes. Lines end with CRLF, as on the
// wire; mail stored with other line ends goes through [CRLF] first. A bare LF
// or CR in a body is data, and changes the hash as any other byte does.
package canon

import (
	"bytes"
	"io"
	"strings"
)

// Algorithm is a form of canonicalization (RFC 6376 3.4).
type Algorithm uint8

// The two forms.
const (
	Simple Algorithm = iota
	Relaxed
)

// String is the form's name in c=.
func (a Algorithm) String() string {
	if a == Relaxed {
		return "relaxed"
	}
	return "simple"
}

// ParseAlgorithm reads the name of a form.
func ParseAlgorithm(s string) (Algorithm, bool) {
	switch s {
	case "simple":
		return Simple, true
	case "relaxed":
		return Relaxed, true
	}
	return Simple, false
}

// ParsePair reads a c= tag: header form, and body form where it is given
// (RFC 6376 3.5: the body's default is simple).
func ParsePair(s string) (head, body Algorithm, ok bool) {
	h, b, two := strings.Cut(s, "/")
	head, ok = ParseAlgorithm(h)
	if ok && two {
		body, ok = ParseAlgorithm(b)
	}
	return head, body, ok
}

// CRLF ends every line with CRLF, and returns b itself where all do already. It
// is for mail from a file; what came by SMTP is signed as it stands.
func CRLF(b []byte) []byte {
	bare := bytes.Count(b, []byte{'\n'}) - bytes.Count(b, []byte("\r\n"))
	if bare == 0 {
		return b
	}
	out := make([]byte, 0, len(b)+bare)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		if i == 0 || b[i-1] != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		b = b[i+1:]
	}
}

// AppendField appends the canonical form of one header field with its CRLF.
// field is the whole field as it stands, folding and line end included.
func AppendField(dst, field []byte, a Algorithm) []byte {
	field = trimLineEnd(field)
	if a == Simple {
		return append(append(dst, field...), "\r\n"...) // RFC 6376 3.4.1
	}
	name, value, found := bytes.Cut(field, []byte{':'})
	for _, c := range bytes.TrimRight(name, " \t") {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	if found {
		dst = appendRelaxed(append(dst, ':'), value)
	}
	return append(dst, "\r\n"...)
}

// appendRelaxed unfolds a value, makes one space of each run of white space, and
// drops it at both ends (RFC 6376 3.4.2). A bare LF is taken for a fold, as
// package header takes it.
func appendRelaxed(dst, value []byte) []byte {
	start, space := len(dst), false
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' && i+1 < len(value) && value[i+1] == '\n' {
			space = true
			continue
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		space = false
		dst = append(dst, c)
	}
	return dst
}

// AppendSignature appends the canonical form of the field that holds a
// signature: without the value of its b= tag, and without the closing CRLF
// (RFC 6376 3.7). b is the place of that value in field, with all white space
// around it.
func AppendSignature(dst, field []byte, b Tag, a Algorithm) []byte {
	field = trimLineEnd(field)
	end := min(b.End, len(field))
	bare := make([]byte, 0, len(field))
	bare = append(bare, field[:min(b.Off, end)]...)
	bare = append(bare, field[end:]...)
	dst = AppendField(dst, bare, a)
	return dst[:len(dst)-2]
}

func trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}

// Body is a stream that writes the canonical form of a body (RFC 6376 3.4.3,
// 3.4.4) to another writer. Close it: the end of a body matters.
type Body struct {
	w       io.Writer
	relaxed bool
	cr      bool  // a CR came last: half a line end, or data
	space   bool  // relaxed: white space stands before what comes next
	lines   int64 // line ends not written yet, since nothing but such may follow
	some    bool  // anything was written
	err     error
	buf     []byte
}

// bodyBuffer collects small pieces, for a hash is slow on them.
const bodyBuffer = 4 << 10

// NewBody makes a Body that writes to w.
func NewBody(w io.Writer, a Algorithm) *Body {
	return &Body{w: w, relaxed: a == Relaxed, buf: make([]byte, 0, bodyBuffer)}
}

// Write takes the next bytes of the body. Pieces may be cut anywhere. It fails
// only with the writer below.
func (b *Body) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if b.cr {
			b.cr = false
			if p[0] == '\n' {
				b.endLine()
				p = p[1:]
				continue
			}
			b.text([]byte{'\r'})
		}
		i := bytes.IndexByte(p, '\n')
		switch {
		case i < 0:
			if p[len(p)-1] == '\r' {
				b.cr = true
				p = p[:len(p)-1]
			}
			b.text(p)
			p = nil
		case i > 0 && p[i-1] == '\r':
			b.text(p[:i-1])
			b.endLine()
			p = p[i+1:]
		default: // a bare LF is data
			b.text(p[:i+1])
			p = p[i+1:]
		}
	}
	return n, b.err
}

// Close writes what the end of the body stands for. It doesn't close the writer
// below.
func (b *Body) Close() error {
	if b.cr {
		b.cr = false
		b.text([]byte{'\r'})
	}
	// RFC 6376 3.4.3: empty lines at the end are one CRLF, and so is no body.
	// 3.4.4: no body, and one of empty lines, is nothing.
	if b.some || !b.relaxed {
		b.emit([]byte("\r\n"))
	}
	b.flush()
	return b.err
}

func (b *Body) endLine() {
	b.space = false // RFC 6376 3.4.4: white space at the end of a line goes
	b.lines++
}

// text takes bytes of a line, its end left out.
func (b *Body) text(s []byte) {
	if !b.relaxed {
		if len(s) > 0 {
			b.breaks()
			b.emit(s)
		}
		return
	}
	for len(s) > 0 {
		if s[0] == ' ' || s[0] == '\t' {
			b.space = true
			s = s[1:]
			continue
		}
		n := 1
		for n < len(s) && s[n] != ' ' && s[n] != '\t' {
			n++
		}
		// A single space between words is its own canonical form.
		for n+1 < len(s) && s[n] == ' ' && s[n+1] != ' ' && s[n+1] != '\t' {
			n += 2
			for n < len(s) && s[n] != ' ' && s[n] != '\t' {
				n++
			}
		}
		b.breaks()
		if b.space {
			b.space = false
			b.emit([]byte{' '})
		}
		b.emit(s[:n])
		s = s[n:]
	}
}

// manyLines is written in pieces: a body may hold millions of empty lines.
var manyLines = bytes.Repeat([]byte("\r\n"), 512)

// breaks writes the line ends held back.
func (b *Body) breaks() {
	for b.lines > 0 {
		n := min(b.lines, int64(len(manyLines)/2))
		b.emit(manyLines[:2*n])
		b.lines -= n
	}
}

func (b *Body) emit(s []byte) {
	b.some = true
	if len(b.buf)+len(s) > bodyBuffer {
		b.flush()
		if len(s) >= bodyBuffer {
			b.send(s)
			return
		}
	}
	b.buf = append(b.buf, s...)
}

func (b *Body) flush() {
	if len(b.buf) > 0 {
		b.send(b.buf)
		b.buf = b.buf[:0]
	}
}

func (b *Body) send(s []byte) {
	if b.err == nil {
		_, b.err = b.w.Write(s)
	}
}
