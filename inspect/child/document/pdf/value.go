package pdf

import (
	"strconv"
)

// Values of PDF, ISO 32000-1 7.3: nil, bool, float64, text, name, array, dict, ref.
type (
	name  string
	text  string // a string, still encrypted where the file is
	array []any
	dict  map[name]any
	ref   int // number of an object; generations are not told apart
)

// Bounds of a value.
const (
	maxDepth    = 40
	maxElements = 200_000 // in one value, with all below it
	maxString   = 1 << 20
	maxName     = 256
)

// parser reads values from bytes. It never goes back, and counts what it does.
type parser struct {
	b       []byte
	i       int
	count   int             // elements of the present value
	escaped map[string]bool // names that were written with #xx although they need not be
}

func space(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 || c == '\f'
}

func delimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

// skip passes white space and comments.
func (p *parser) skip() {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case space(c):
			p.i++
		case c == '%':
			for p.i < len(p.b) && p.b[p.i] != '\n' && p.b[p.i] != '\r' {
				p.i++
			}
		default:
			return
		}
	}
}

// keyword is a bare word: an operator of a content stream, "obj", "endobj".
type keyword string

// closing marks the end of an array or dictionary.
type closing byte

// value reads the next one: nil at the end. Bare words are keywords.
func (p *parser) value(depth int) any {
	p.skip()
	p.count++
	if p.i >= len(p.b) || p.count > maxElements {
		return nil
	}
	switch c := p.b[p.i]; {
	case c == '/':
		return p.name()
	case c == '(':
		return p.literal()
	case c == '<' && p.at(1) == '<':
		p.i += 2
		return p.dict(depth)
	case c == '<':
		return p.hex()
	case c == '>' && p.at(1) == '>':
		p.i += 2
		return closing('>')
	case c == '[':
		p.i++
		return p.array(depth)
	case c == ']':
		p.i++
		return closing(']')
	case '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.':
		return p.number()
	case delimiter(c):
		p.i++
		return keyword(c)
	}
	from := p.i
	for p.i < len(p.b) && !space(p.b[p.i]) && !delimiter(p.b[p.i]) {
		p.i++
	}
	switch w := string(p.b[from:min(p.i, from+maxName)]); w {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return keyword("null")
	default:
		return keyword(w)
	}
}

func (p *parser) at(n int) byte {
	if p.i+n < len(p.b) {
		return p.b[p.i+n]
	}
	return 0
}

func (p *parser) name() name {
	p.i++
	var out []byte
	escaped := false
	for p.i < len(p.b) && !space(p.b[p.i]) && !delimiter(p.b[p.i]) {
		c := p.b[p.i]
		if c == '#' {
			if v, err := strconv.ParseUint(string(p.b[min(p.i+1, len(p.b)):min(p.i+3, len(p.b))]), 16, 8); err == nil && p.i+3 <= len(p.b) {
				c = byte(v)
				p.i += 2
				escaped = escaped || c|0x20 >= 'a' && c|0x20 <= 'z'
			}
		}
		p.i++
		if len(out) < maxName {
			out = append(out, c)
		}
	}
	if escaped && p.escaped != nil && len(p.escaped) < 16 {
		p.escaped[string(out)] = true
	}
	return name(out)
}

// literal reads (…), 7.3.4.2.
func (p *parser) literal() text {
	p.i++
	var out []byte
	open := 1
	for p.i < len(p.b) && len(out) < maxString {
		c := p.b[p.i]
		p.i++
		switch c {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return text(out)
			}
		case '\\':
			if p.i >= len(p.b) {
				return text(out)
			}
			c = p.b[p.i]
			p.i++
			switch c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case '\r':
				if p.at(0) == '\n' {
					p.i++
				}
				continue
			case '\n':
				continue
			default:
				if '0' <= c && c <= '7' {
					v := int(c - '0')
					for n := 0; n < 2 && p.i < len(p.b) && '0' <= p.b[p.i] && p.b[p.i] <= '7'; n++ {
						v = v<<3 | int(p.b[p.i]-'0')
						p.i++
					}
					c = byte(v)
				}
			}
		}
		out = append(out, c)
	}
	return text(out)
}

func (p *parser) hex() text {
	p.i++
	out, n := unhex(p.b[p.i:], maxString)
	p.i += n
	return text(out)
}

// unhex reads hex digits up to ">", with anything else left out, and says how far.
func unhex(b []byte, limit int) ([]byte, int) {
	var out []byte
	half, have := byte(0), false
	for i, c := range b {
		v := byte(0)
		switch {
		case '0' <= c && c <= '9':
			v = c - '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			v = c | 0x20 - 'a' + 10
		case c == '>':
			if have {
				out = append(out, half<<4)
			}
			return out, i + 1
		default:
			continue
		}
		if have {
			out = append(out, half<<4|v)
		}
		half, have = v, !have
		if len(out) >= limit {
			return out, i + 1
		}
	}
	return out, len(b)
}

// number reads a number, or a reference that begins with one.
func (p *parser) number() any {
	v, ok := p.digits()
	if !ok || v != float64(int(v)) || v < 0 {
		return v
	}
	// "12 0 R": look ahead.
	j := p.i
	i := j
	for i < len(p.b) && i < j+8 && space(p.b[i]) {
		i++
	}
	from := i
	for i < len(p.b) && i < from+5 && '0' <= p.b[i] && p.b[i] <= '9' {
		i++
	}
	if i == from || i == j {
		return v
	}
	blank := i
	for i < len(p.b) && i < blank+8 && space(p.b[i]) {
		i++
	}
	if i > blank && i < len(p.b) && p.b[i] == 'R' && (i+1 == len(p.b) || space(p.b[i+1]) || delimiter(p.b[i+1])) {
		p.i = i + 1
		return ref(v)
	}
	return v
}

func (p *parser) digits() (float64, bool) {
	from := p.i
	for p.i < len(p.b) && p.i-from < 40 {
		c := p.b[p.i]
		if !('0' <= c && c <= '9' || c == '.' || c == '-' || c == '+') {
			break
		}
		p.i++
	}
	v, err := strconv.ParseFloat(string(p.b[from:p.i]), 64)
	return v, err == nil && v < 1e9
}

func (p *parser) array(depth int) any {
	var out array
	if depth >= maxDepth {
		return out
	}
	for {
		v := p.value(depth + 1)
		switch v := v.(type) {
		case nil, closing:
			return out
		case keyword:
			if v == "endobj" || v == "stream" {
				p.i -= len(v)
				return out
			}
		}
		out = append(out, v)
	}
}

func (p *parser) dict(depth int) any {
	out := dict{}
	if depth >= maxDepth {
		return out
	}
	for {
		switch k := p.value(depth + 1).(type) {
		case nil, closing:
			return out
		case name:
			v := p.value(depth + 1)
			if _, end := v.(closing); end || v == nil {
				return out
			}
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		case keyword:
			if k == "endobj" || k == "stream" {
				p.i -= len(k)
				return out
			}
		}
	}
}
