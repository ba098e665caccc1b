// Package authres reads and writes Authentication-Results (RFC 8601, and RFC
// 8616 for internationalized mail). The fields of a stranger's message prove
// nothing: [Trusted] says which may be believed, and the writer quotes whatever
// could be read as something else, for results injected through a domain name
// are an attack of its own (Chen, Paxson and Jiang, USENIX Security 2020, 4.3).
package authres

import (
	"errors"
	"strings"
	"unicode/utf8"

	"sluice/dns"
	"sluice/message/header"
)

// Field is one Authentication-Results field. All strings may be hostile.
type Field struct {
	ID      string // authserv-id, unquoted; "" where the field begins with a result
	Version int    // 1 where none is given (RFC 8601 2.2)
	Results []Result
	None    bool // the server did no authentication: "none" stands for the results
}

// Result is the outcome of one method.
type Result struct {
	Method  string // lower case: "spf", "dkim", "dmarc"
	Version int    // of the method; 1 where none is given
	Value   string // lower case: "pass", "fail"
	Reason  string
	Comment string // the first comment behind the value, without its parentheses
	Props   []Prop
}

// Prop is one ptype.property=value (RFC 8601 2.3). Type is "" for the words
// without a dot that some servers write (action=none).
type Prop struct {
	Type, Name, Value string // Type and Name in lower case
}

// Prop returns the value of a property, "" where it isn't there.
func (r *Result) Prop(typ, name string) string {
	for _, p := range r.Props {
		if p.Type == typ && p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Get returns the first result of a method, or nil.
func (f *Field) Get(method string) *Result {
	for i := range f.Results {
		if f.Results[i].Method == method {
			return &f.Results[i]
		}
	}
	return nil
}

// Bounds on one field.
const (
	maxField   = 32 << 10 // octets
	maxResults = 100
	maxProps   = 50 // of one result
)

// Why a field can't be read. A field that breaks off isn't read in part: what
// stands before the break may be what an attacker wants to be seen.
var (
	ErrTooLong  = errors.New("authres: longer than the limit")
	ErrTooMany  = errors.New("authres: more results or properties than the limit")
	ErrSyntax   = errors.New("authres: syntax")
	ErrUnclosed = errors.New("authres: a comment or quoted string has no end")
	ErrVersion  = errors.New("authres: unknown version")
)

// Parse reads the value of a field, unfolded or not. It takes what common servers
// write beyond the grammar: no authserv-id, a domain in place of a result, a
// semicolon at the end, unquoted values with any character but space, semicolon
// and parentheses.
func Parse(value string) (Field, error) {
	if len(value) > maxField {
		return Field{}, ErrTooLong
	}
	if !utf8.ValidString(value) { // RFC 8616 4: UTF-8 or ASCII
		return Field{}, ErrSyntax
	}
	p := parser{s: value}
	f, err := p.field()
	if err != nil {
		return Field{}, err
	}
	return f, nil
}

type parser struct {
	s       string
	pos     int
	comment string // the first one of the last space
	err     error
}

func (p *parser) field() (Field, error) {
	f := Field{Version: 1}
	p.space()
	start := p.pos
	id := p.word(true)
	p.space()
	switch {
	case p.err != nil:
		return f, p.err
	case p.peek() == '=' || p.peek() == '/': // a result where the id should be
		p.pos = start
		if err := p.result(&f); err != nil {
			return f, err
		}
	case id == "":
		return f, ErrSyntax
	default:
		f.ID = id
		if c := p.peek(); '0' <= c && c <= '9' {
			if f.Version = p.number(); f.Version != 1 { // RFC 8601 2.2: others mean something else
				return f, ErrVersion
			}
			p.space()
		}
	}
	for p.err == nil {
		p.space()
		if p.err != nil || p.pos >= len(p.s) {
			break
		}
		if p.s[p.pos] != ';' {
			return f, ErrSyntax
		}
		p.pos++
		p.space()
		if p.pos >= len(p.s) || p.s[p.pos] == ';' {
			continue
		}
		if err := p.result(&f); err != nil {
			return f, err
		}
	}
	return f, p.err
}

// result reads one resinfo, or "none".
func (p *parser) result(f *Field) error {
	if len(f.Results) >= maxResults {
		return ErrTooMany
	}
	if p.bareDomain() {
		return p.err
	}
	r := Result{Version: 1}
	r.Method = header.Lower(p.keyword())
	p.space()
	if r.Method == "none" && (p.pos >= len(p.s) || p.peek() == ';') {
		f.None = true // RFC 8601 2.2: no-result
		return p.err
	}
	if p.peek() == '/' {
		p.pos++
		p.space()
		r.Version = p.number()
		p.space()
	}
	if r.Method == "" || p.peek() != '=' {
		return p.fault()
	}
	p.pos++
	p.space()
	r.Value = header.Lower(p.word(false))
	if r.Value == "" {
		return p.fault()
	}
	p.space()
	r.Comment = p.comment
	for p.err == nil && p.pos < len(p.s) && p.s[p.pos] != ';' {
		if err := p.prop(&r); err != nil {
			return err
		}
	}
	if p.err == nil {
		f.Results = append(f.Results, r)
	}
	return p.err
}

// bareDomain skips a domain where a result should be: Exchange repeats the
// recipient's domain before each result.
func (p *parser) bareDomain() bool {
	start := p.pos
	w := p.word(true)
	p.space()
	if strings.Contains(w, ".") && p.err == nil && (p.pos >= len(p.s) || p.s[p.pos] == ';') {
		return true
	}
	p.pos, p.err = start, nil
	return false
}

// prop reads a reasonspec or a propspec.
func (p *parser) prop(r *Result) error {
	if len(r.Props) >= maxProps {
		return ErrTooMany
	}
	typ := header.Lower(p.keyword())
	p.space()
	var name string
	if p.peek() == '.' {
		p.pos++
		p.space()
		name = header.Lower(p.keyword())
		p.space()
		if name == "" {
			return p.fault()
		}
	}
	if typ == "" || p.peek() != '=' {
		return p.fault()
	}
	p.pos++
	p.space()
	value := p.word(false)
	p.space()
	switch {
	case p.err != nil:
		return p.err
	case name == "" && typ == "reason":
		r.Reason = value
	case name == "":
		r.Props = append(r.Props, Prop{"", typ, value})
	default:
		r.Props = append(r.Props, Prop{typ, name, value})
	}
	return nil
}

func (p *parser) fault() error {
	if p.err != nil {
		return p.err
	}
	return ErrSyntax
}

func (p *parser) peek() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

// space skips white space and comments, nested ones included; the text of the
// first comment is kept.
func (p *parser) space() {
	p.comment = ""
	first := true
	for p.pos < len(p.s) {
		switch p.s[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		case '(':
			start := p.pos + 1
			if !p.skipComment() {
				p.err = ErrUnclosed
				return
			}
			if first {
				p.comment, first = p.s[start:p.pos-1], false
			}
		default:
			return
		}
	}
}

func (p *parser) skipComment() bool {
	depth := 0
	for ; p.pos < len(p.s); p.pos++ {
		switch p.s[p.pos] {
		case '\\':
			p.pos++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.pos++
				return true
			}
		}
	}
	p.pos = len(p.s)
	return false
}

// keyword reads letters, digits, hyphens and underscores (RFC 8601 2.2, Keyword;
// the underscore turns up).
func (p *parser) keyword() string {
	start := p.pos
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			break
		}
		p.pos++
	}
	return p.s[start:p.pos]
}

func (p *parser) number() int {
	n, start := 0, p.pos
	for p.pos < len(p.s) && '0' <= p.s[p.pos] && p.s[p.pos] <= '9' {
		if n = n*10 + int(p.s[p.pos]-'0'); n > 999 {
			n = 999
		}
		p.pos++
	}
	if p.pos == start && p.err == nil {
		p.err = ErrSyntax
	}
	return n
}

// word reads a value: a quoted string, or what stands up to white space, a
// semicolon or a parenthesis; the first word of a field up to "=" too. A quoted
// local part may stand before an "@".
func (p *parser) word(first bool) string {
	var b strings.Builder
	start, plain := p.pos, true
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; {
		case c == '"':
			if plain {
				b.WriteString(p.s[start:p.pos])
				plain = false
			}
			if !p.quoted(&b) {
				p.err = ErrUnclosed
				return ""
			}
			continue
		case c <= ' ' || c == ';' || c == '(' || c == ')' || c == 0x7f:
			if plain {
				return p.s[start:p.pos]
			}
			return b.String()
		case c == '=' && first && plain: // "spf=pass" where the id should be
			return p.s[start:p.pos]
		default:
			if !plain {
				b.WriteByte(c)
			}
			p.pos++
		}
	}
	if plain {
		return p.s[start:]
	}
	return b.String()
}

func (p *parser) quoted(b *strings.Builder) bool {
	for p.pos++; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; c {
		case '\\':
			if p.pos++; p.pos < len(p.s) {
				b.WriteByte(p.s[p.pos])
			}
		case '"':
			p.pos++
			return true
		case '\r', '\n': // folds inside
		default:
			b.WriteByte(c)
		}
	}
	return false
}

// SameID compares two authserv-ids: as domain names where both are, else as text
// with ASCII case folded (RFC 8601 2.5, RFC 8616 4).
func SameID(a, b string) bool {
	x, errA := dns.Normalize(a)
	y, errB := dns.Normalize(b)
	if errA == nil && errB == nil {
		return x == y
	}
	return header.EqualFold(a, b)
}

// Trust says whose results may be believed.
type Trust struct {
	IDs []string // authserv-ids
	// Fields is how many fields the trusted server writes, one after the other;
	// 0 stands for 1. Each above what it writes could be a forger's.
	Fields int
}

// maxScan bounds how many fields of a header Trusted looks at.
const maxScan = 1000

// Trusted returns the fields of a header that may be believed, topmost first. A
// server puts its field above all that came with the message, so only the topmost
// one of a trusted id counts, with those of trusted ids that follow it up to
// Trust.Fields; a Received field behind it ends the search, and so does a field
// of a trusted id that can't be read. The trusted server is expected to remove
// others' fields that carry its id (RFC 8601 5); this doesn't rely on it.
func Trusted(h *header.Header, t Trust) []Field {
	most := max(t.Fields, 1)
	var out []Field
	for i := range h.Fields[:min(len(h.Fields), maxScan)] {
		f := &h.Fields[i]
		switch {
		case len(out) > 0 && f.Is("Received"):
			return out
		case !f.Is("Authentication-Results"):
			continue
		}
		parsed, err := Parse(f.Value)
		if err != nil {
			if len(out) > 0 {
				return out
			}
			continue
		}
		for _, id := range t.IDs {
			if parsed.ID != "" && SameID(id, parsed.ID) {
				out = append(out, parsed)
				break
			}
		}
		if len(out) == most {
			return out
		}
	}
	return out
}
