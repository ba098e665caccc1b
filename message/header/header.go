// Package header reads the header block of a message or MIME part: fields as
// byte ranges, RFC 2047 and 2231 decoding, address lists. It never fails; what
// is wrong becomes a [Defect]. All work is linear in the input.
package header

import (
	"bytes"
	"strings"
)

// Range is a run of bytes: of the whole message once package message has placed
// it, of the parsed block before.
type Range struct{ Off, Len int }

// End is the offset behind the range.
func (r Range) End() int { return r.Off + r.Len }

// Defect is one way in which the input breaks its format.
type Defect struct {
	Code      string // stable, upper case: "DUPLICATE_CONTENT_TYPE"
	Range     Range
	Part      int    // index of the MIME part
	Detail    string // for people; hostile
	Ambiguous bool   // readers may understand the message in different ways
}

// Field is one header field.
type Field struct {
	Name       string // as written, without trailing space
	Range      Range  // the whole field with its line ends
	ValueRange Range  // the value, folding included
	Value      string // unfolded, trimmed, not decoded
}

// Is says whether the field has this name; ASCII case is folded.
func (f *Field) Is(name string) bool { return EqualFold(f.Name, name) }

// Header is one header block.
type Header struct {
	Fields []Field
	Range  Range // the block without the empty line
}

// Address is one mailbox of an address list.
type Address struct {
	Name   string // display name, decoded; hostile
	Local  string // local part, unquoted
	Domain string // lower case, A-labels where it converts, else as written
	Group  string // name of the group it stands in, decoded
	Raw    string // as written
}

// String is local@domain, or the raw text where there is no domain.
func (a Address) String() string {
	if a.Domain == "" {
		return a.Local
	}
	return a.Local + "@" + a.Domain
}

// perCode bounds how often one header block reports the same code.
const perCode = 4

// recorder collects defects, a few of each code.
type recorder struct {
	defects []Defect
	base    int
}

func (r *recorder) add(code string, off, n int, detail string, ambiguous bool) {
	count := 0
	for i := range r.defects {
		if r.defects[i].Code == code {
			if count++; count >= perCode {
				return
			}
		}
	}
	r.defects = append(r.defects, Defect{Code: code, Range: Range{r.base + off, n}, Detail: Clip(detail), Ambiguous: ambiguous})
}

// Clip bounds a hostile detail and makes it valid UTF-8.
func Clip(s string) string {
	const most = 120
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:most], "\uFFFD") + "…"
}

// Parse reads a header block without its closing empty line. Ranges are moved by
// base. At most maxFields fields are kept (0: no bound); more is the defect
// TOO_MANY_FIELDS. Lines end with CRLF or LF. A line that is neither a field nor
// a continuation is skipped and reported.
func Parse(block []byte, base, maxFields int) (Header, []Defect) {
	h := Header{Range: Range{base, len(block)}}
	if len(block) == 0 {
		return h, nil
	}
	r := recorder{base: base}
	text := string(block) // one copy: values outlive the caller's buffer
	if n := bytes.Count(block, []byte{':'}); n < 64 {
		h.Fields = make([]Field, 0, n)
	} else {
		h.Fields = make([]Field, 0, 64)
	}
	for pos := 0; pos < len(text); {
		end := lineEnd(text, pos)
		if c := text[pos]; c == ' ' || c == '\t' { // a continuation of nothing
			r.add(HeaderJunkLine, pos, end-pos, text[pos:end], true)
			pos = end
			continue
		}
		colon := fieldColon(text[pos:end])
		if colon < 0 {
			r.add(HeaderJunkLine, pos, end-pos, strings.TrimRight(text[pos:end], "\r\n"), true)
			pos = end
			continue
		}
		start := pos
		folds := 0
		for end < len(text) && (text[end] == ' ' || text[end] == '\t') {
			next := lineEnd(text, end)
			if strings.Trim(text[end:next], " \t\r\n") == "" {
				// RFC 5322 4.2 allows such a fold only in obsolete syntax; some
				// readers take the line for the end of the header.
				r.add(HeaderBlankFold, end, next-end, "", true)
			}
			end = next
			folds++
		}
		pos = end
		if maxFields > 0 && len(h.Fields) >= maxFields {
			r.add(TooManyFields, start, len(text)-start, "", false)
			break
		}
		name := text[start : start+colon]
		if n := strings.TrimRight(name, " \t"); len(n) != len(name) {
			r.add(HeaderNameSpace, start, colon, name, true) // obsolete: RFC 5322 4.5
			name = n
		}
		raw := text[start+colon+1 : end]
		value := raw
		if folds > 0 {
			value = unfold(raw)
		}
		value = strings.Trim(value, " \t\r\n")
		f := Field{
			Name:       name,
			Range:      Range{base + start, end - start},
			ValueRange: Range{base + start + colon + 1, end - start - colon - 1},
			Value:      value,
		}
		h.Fields = append(h.Fields, f)
		checkField(&r, text[start:end], value, start)
	}
	return h, r.defects
}

// checkField reports odd bytes in one field.
func checkField(r *recorder, raw, value string, off int) {
	if i := strings.IndexByte(value, '\r'); i >= 0 {
		r.add(BareCRHeader, off, len(raw), "", true)
	}
	if i := strings.IndexByte(raw, 0); i >= 0 {
		r.add(NULHeader, off+i, 1, "", true)
	}
	if i := firstNonASCII(raw); i >= 0 {
		r.add(EightBitHeader, off+i, 1, raw[:min(len(raw), 60)], false)
	}
}

// lineEnd is the offset behind the line that begins at pos.
func lineEnd(s string, pos int) int {
	if i := strings.IndexByte(s[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(s)
}

// fieldColon is the position of the colon that ends a field name, or -1. A name
// is visible ASCII (RFC 5322 2.2) with optional trailing white space (4.5); 8-bit
// names are taken too, since readers do.
func fieldColon(line string) int {
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ':':
			if i == 0 {
				return -1
			}
			return i
		case c == ' ' || c == '\t':
			j := i
			for j < len(line) && (line[j] == ' ' || line[j] == '\t') {
				j++
			}
			if i > 0 && j < len(line) && line[j] == ':' {
				return j
			}
			return -1
		case c < 0x21 || c == 0x7f:
			return -1
		}
	}
	return -1
}

// IsField says whether a line begins a header field.
func IsField(line []byte) bool {
	for i, c := range line {
		switch {
		case c == ':':
			return i > 0
		case c == ' ' || c == '\t':
			rest := bytes.TrimLeft(line[i:], " \t")
			return i > 0 && len(rest) > 0 && rest[0] == ':'
		case c < 0x21 || c == 0x7f:
			return false
		}
	}
	return false
}

// unfold removes the line ends of folds (RFC 5322 2.2.3).
func unfold(s string) string {
	b := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			return string(append(b, s...))
		}
		line := s[:i]
		b = append(b, strings.TrimSuffix(line, "\r")...)
		s = s[i+1:]
	}
}

// Get returns the first field's unfolded value, or "".
func (h *Header) Get(name string) string {
	if f := h.Field(name); f != nil {
		return f.Value
	}
	return ""
}

// Values returns the unfolded values of all fields of this name, in order.
func (h *Header) Values(name string) []string {
	var out []string
	for i := range h.Fields {
		if h.Fields[i].Is(name) {
			out = append(out, h.Fields[i].Value)
		}
	}
	return out
}

// Count counts the fields of this name.
func (h *Header) Count(name string) int {
	n := 0
	for i := range h.Fields {
		if h.Fields[i].Is(name) {
			n++
		}
	}
	return n
}

// Field returns the first field of this name, or nil.
func (h *Header) Field(name string) *Field {
	for i := range h.Fields {
		if h.Fields[i].Is(name) {
			return &h.Fields[i]
		}
	}
	return nil
}

// Decoded returns the first field's value with RFC 2047 words decoded.
func (h *Header) Decoded(name string) string { return DecodeWords(h.Get(name)) }

// EqualFold compares with ASCII case folded. Unicode folding would make "ſ"
// equal to "s".
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// Lower folds ASCII letters to lower case.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return s
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func firstNonASCII(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return i
		}
	}
	return -1
}
