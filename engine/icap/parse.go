package icap

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sluice/engine"
)

// Bounds of what a server may say.
const (
	maxLine   = 8 << 10  // octets of one line
	maxHeader = 32 << 10 // octets of one header
	maxFields = 200
	maxChunk  = 64 // octets of a chunk's length and extensions
)

var errSyntax = errors.New("icap: the answer isn't in order")

func syntax(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errSyntax}, args...)...)
}

// line reads one line, which must end in CRLF, without it.
func line(r *bufio.Reader, most int) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(b)+len(part) > most+2 {
			return "", syntax("a line of more than %d octets", most)
		}
		b = append(b, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		break
	}
	s, ok := strings.CutSuffix(string(b), "\r\n")
	if !ok || strings.ContainsAny(s, "\r\x00") {
		return "", syntax("a line without CRLF, or with a bare CR or NUL: %q", engine.Printable(s, 80))
	}
	return s, nil
}

// status is a first line: "ICAP/1.0 204 No modifications needed".
func status(s, protocol string) (code int, err error) {
	rest, ok := strings.CutPrefix(s, protocol)
	// Servers differ in their minor version; the words behind the code may be missing.
	if !ok || len(rest) < 5 || rest[0] < '0' || rest[0] > '9' || rest[1] != ' ' || len(rest) > 5 && rest[5] != ' ' {
		return 0, syntax("first line %q", engine.Printable(s, 80))
	}
	for _, c := range []byte(rest[2:5]) {
		if c < '0' || c > '9' {
			return 0, syntax("first line %q", engine.Printable(s, 80))
		}
		code = 10*code + int(c-'0')
	}
	if code < 100 || code > 599 {
		return 0, syntax("code %d", code)
	}
	return code, nil
}

// fields are a header's fields, names in lower case. A field that is there twice has
// its values joined by ", " (RFC 3507 4.3.1 takes over the rule of HTTP).
type fields map[string]string

// readFields reads a header to the empty line. A line that begins with white space goes
// on with the one before; it is joined by a line feed, which X-Violations-Found counts
// on.
func readFields(r *bufio.Reader) (fields, error) {
	out := fields{}
	last, size := "", 0
	for n := 0; ; n++ {
		s, err := line(r, maxLine)
		if err != nil {
			return nil, err
		}
		if s == "" {
			return out, nil
		}
		if size += len(s); n >= maxFields || size > maxHeader {
			return nil, syntax("a header of more than %d lines or %d octets", maxFields, maxHeader)
		}
		if s[0] == ' ' || s[0] == '\t' {
			if last == "" {
				return nil, syntax("the header begins with white space")
			}
			out[last] += "\n" + strings.Trim(s, " \t")
			continue
		}
		name, value, ok := strings.Cut(s, ":")
		if !ok || !token(name) {
			return nil, syntax("a line of the header is no field: %q", engine.Printable(s, 80))
		}
		last = strings.ToLower(name)
		value = strings.Trim(value, " \t")
		if before, twice := out[last]; twice {
			value = before + ", " + value
		}
		out[last] = value
	}
}

// token is RFC 9110 5.6.2.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// sections are the parts of a body that Encapsulated announces (RFC 3507 4.4.1).
type sections struct {
	head int    // octets of the HTTP header
	body string // "res-body", "opt-body", "null-body" or ""
}

// encapsulated reads the field of an answer: at most one header of a response, and at
// most one body.
func encapsulated(s string) (sections, error) {
	var out sections
	at := -1
	for i, item := range strings.Split(s, ",") {
		name, offset, ok := strings.Cut(strings.Trim(item, " \t"), "=")
		n, err := strconv.Atoi(offset)
		if !ok || err != nil || i > 1 || out.body != "" || n < 0 || n > maxHeader || n <= at || i == 0 && n != 0 {
			return sections{}, syntax("Encapsulated %q", engine.Printable(s, 80))
		}
		at = n
		switch name = strings.ToLower(name); name {
		case "res-hdr":
			if i != 0 {
				return sections{}, syntax("Encapsulated %q", engine.Printable(s, 80))
			}
		case "res-body", "opt-body", "null-body":
			out.head, out.body = n, name
		default:
			return sections{}, syntax("Encapsulated %q: not what answers RESPMOD", engine.Printable(s, 80))
		}
	}
	if out.body == "" {
		return sections{}, syntax("Encapsulated %q: no body and no null-body", engine.Printable(s, 80))
	}
	return out, nil
}

// chunked reads a body of chunks (RFC 9112 7.1), at most most octets.
type chunked struct {
	r    *bufio.Reader
	left int64 // octets of the chunk
	most int64 // octets yet to come at most
	any  bool  // a chunk has been read
	done bool
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *chunked) next() error {
	if c.any {
		if s, err := line(c.r, 0); err != nil || s != "" {
			return cmp.Or(err, syntax("no CRLF behind a chunk"))
		}
	}
	c.any = true
	s, err := line(c.r, maxChunk)
	if err != nil {
		return err
	}
	digits, _, _ := strings.Cut(s, ";")
	n, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 40)
	if err != nil {
		return syntax("length of a chunk %q", engine.Printable(s, maxChunk))
	}
	if n == 0 {
		c.done = true
		_, err := readFields(c.r) // trailers, and the empty line
		return err
	}
	if c.most -= int64(n); c.most < 0 {
		return syntax("a longer body than any answer has")
	}
	c.left = int64(n)
	return nil
}
