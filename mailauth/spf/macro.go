package spf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/dns"
	"sluice/mailauth/internal/said"
)

// macroString is a domain-spec or an explanation, read once (RFC 7208 7.1).
type macroString []part

// part is literal text, or a macro where letter isn't 0.
type part struct {
	text    string
	letter  byte   // lower case
	escape  bool   // it was an upper-case letter: URL escaping (7.3)
	keep    int    // so many parts from the right; 0 for all
	reverse bool   //
	delims  string // what splits the value; "" for a dot
}

// place is where macros stand; it decides what is allowed (RFC 7208 7.2).
type place uint8

const (
	inRecord place = iota
	inExplanation
)

// parseDomain reads a domain-spec: it ends in a macro or in a top label
// (RFC 7208 7.1). What a macro leads to isn't known yet.
func parseDomain(s string) (macroString, error) {
	if s == "" {
		return nil, errors.New("the domain is empty")
	}
	m, err := parseMacros(s, inRecord)
	if err != nil {
		return nil, err
	}
	tail := s[macroEnd(s):]
	if tail == "" {
		return m, nil
	}
	tail = strings.TrimSuffix(tail, ".")
	i := strings.LastIndexByte(tail, '.')
	if i < 0 || !topLabel(tail[i+1:]) {
		return nil, notDomain(s)
	}
	return m, nil
}

// notDomain explains a domain-spec without a top label; an address there is a
// frequent slip.
func notDomain(s string) error {
	if strings.Trim(s, "0123456789./") == "" && strings.Count(s, ".") == 3 {
		return errors.New(`an address stands where a domain belongs; it is written "ip4:"`)
	}
	return errors.New("the domain doesn't end in a top-level domain")
}

// macroEnd is the index behind the last macro of a string that is well formed.
func macroEnd(s string) int {
	end := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		i++ // "%%", "%_", "%-", "%{"
		if s[i] == '{' {
			i += strings.IndexByte(s[i:], '}')
		}
		end = i + 1
	}
	return end
}

// topLabel says whether s is alphanumeric with hyphens inside, and not all
// digits (RFC 7208 7.1).
func topLabel(s string) bool {
	if s == "" || !alphanum(s[0]) || !alphanum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !alphanum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return !digits(s)
}

// parseMacros reads a macro-string, or an explain-string (RFC 7208 7.1).
func parseMacros(s string, in place) (macroString, error) {
	var m macroString
	literal := func(text string) {
		if n := len(m); n > 0 && m[n-1].letter == 0 {
			m[n-1].text += text
		} else {
			m = append(m, part{text: text})
		}
	}
	for s != "" {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			if c, ok := visible(s[:i], in); !ok {
				return nil, fmt.Errorf("the octet 0x%02x isn't allowed here", c)
			}
			literal(s[:i])
			s = s[i:]
			continue
		}
		if len(s) < 2 {
			return nil, errors.New("a single % ends the text")
		}
		switch s[1] {
		case '%':
			literal("%")
		case '_':
			literal(" ")
		case '-':
			literal("%20")
		case '{':
			end := strings.IndexByte(s, '}')
			if end < 0 {
				return nil, errors.New("a macro has no closing brace")
			}
			p, err := parseMacro(s[2:end], in)
			if err != nil {
				return nil, fmt.Errorf("the macro %s: %w", said.Cut(s[:end+1], 40), err)
			}
			m = append(m, p)
			s = s[end+1:]
			continue
		default:
			return nil, errors.New("a single % stands in the text; a percent sign is written %%")
		}
		s = s[2:]
	}
	return m, nil
}

// visible says whether text is macro-literals only, with spaces in an
// explanation, or which octet isn't.
func visible(text string, in place) (byte, bool) {
	for i := range len(text) {
		if c := text[i]; c < '!' || c > '~' {
			if c != ' ' || in != inExplanation {
				return c, false
			}
		}
	}
	return 0, true
}

// parseMacro reads what stands in the braces: letter, digits, "r", delimiters.
func parseMacro(s string, in place) (part, error) {
	if s == "" {
		return part{}, errors.New("it is empty")
	}
	p := part{letter: s[0] | 0x20, escape: s[0] <= 'Z'}
	if !alpha(s[0]) || strings.IndexByte("slodiphvcrt", p.letter) < 0 {
		return part{}, errors.New("there is no such letter")
	}
	if in != inExplanation && strings.IndexByte("crt", p.letter) >= 0 { // RFC 7208 7.2
		return part{}, errors.New("this letter is for explanations only")
	}
	s = s[1:]
	n := 0
	for n < len(s) && digit(s[n]) {
		n++
	}
	if n > 0 {
		keep, err := strconv.Atoi(s[:n])
		if err != nil {
			keep = maxArgument // more than any value has
		}
		if keep == 0 { // RFC 7208 7.1
			return part{}, errors.New("the number of parts is 0")
		}
		p.keep = keep
		s = s[n:]
	}
	if s != "" && s[0]|0x20 == 'r' {
		p.reverse, s = true, s[1:]
	}
	if strings.Trim(s, ".-+,/_=") != "" {
		return part{}, errors.New("it is malformed")
	}
	p.delims = s
	return p, nil
}

// apply splits a macro's value, reverses it, keeps its right-hand parts, joins
// them with dots and escapes the result (RFC 7208 7.3).
func (p *part) apply(v string) string {
	if p.keep > 0 || p.reverse || p.delims != "" {
		delims := p.delims
		if delims == "" {
			delims = "."
		}
		parts := splitAny(v, delims)
		if p.reverse {
			slices.Reverse(parts)
		}
		if p.keep > 0 && p.keep < len(parts) {
			parts = parts[len(parts)-p.keep:]
		}
		v = strings.Join(parts, ".")
	}
	if p.escape {
		v = escapeURL(v)
	}
	return v
}

// splitAny splits at each of the delimiters; there may be empty parts.
func splitAny(s, delims string) []string {
	var out []string
	for {
		i := strings.IndexAny(s, delims)
		if i < 0 {
			return append(out, s)
		}
		out = append(out, s[:i])
		s = s[i+1:]
	}
}

// escapeURL escapes all but the unreserved characters (RFC 3986 2.1, 2.3).
func escapeURL(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		if c := s[i]; alphanum(c) || c == '-' || c == '.' || c == '_' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

// The longest name that can be asked for (RFC 7208 7.3), and its longest label.
const (
	maxDomain = 253
	maxLabel  = 63
)

// target expands a domain-spec into a name. ok is false where no name can come
// of it: such a term matches nothing. An empty spec is the current domain.
func (e *evaluation) target(m macroString, domain string) (name string, ok bool, err error) {
	if len(m) == 0 {
		return domain, true, nil
	}
	var b []byte
	for i := range m {
		v := m[i].text
		if m[i].letter != 0 {
			if v, err = e.value(m[i].letter, domain, inRecord); err != nil {
				return "", false, err
			}
			v = m[i].apply(v)
		}
		b = append(b, v...)
		// Only the right end can stay (RFC 7208 7.3), so a hostile record
		// can't make the text grow.
		if len(b) > 16*maxDomain {
			b = append(b[:0], b[len(b)-2*maxDomain:]...)
		}
	}
	name = truncate(strings.TrimSuffix(string(b), "."))
	if !askable(name) {
		return name, false, nil
	}
	return strings.ToLower(name), true, nil
}

// askable says whether name can be a question: labels of 1 to 63 octets of
// printable ASCII. A macro gives spaces too (RFC 7208 7.3); octets beyond
// ASCII, from a local part, never match (RFC 8616 4).
func askable(name string) bool {
	if len(name) > maxDomain {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return false
		}
		for i := range len(label) {
			if label[i] < ' ' || label[i] > '~' {
				return false
			}
		}
	}
	return true
}

// truncate takes labels off the left until at most 253 octets stay (RFC 7208
// 7.3).
func truncate(name string) string {
	if len(name) <= maxDomain {
		return name
	}
	cut := len(name) - maxDomain - 1
	if i := strings.IndexByte(name[cut:], '.'); i >= 0 {
		return name[cut+i+1:]
	}
	return name
}

// text expands an explanation.
func (e *evaluation) text(m macroString, domain string) (string, error) {
	var b []byte
	for i := range m {
		v := m[i].text
		if m[i].letter != 0 {
			var err error
			if v, err = e.value(m[i].letter, domain, inExplanation); err != nil {
				return "", err
			}
			v = m[i].apply(v)
		}
		if b = append(b, v...); len(b) > e.lim.Explain {
			return "", fmt.Errorf("it is longer than %d octets", e.lim.Explain)
		}
	}
	return string(b), nil
}

// value is what a macro letter stands for (RFC 7208 7.2).
func (e *evaluation) value(letter byte, domain string, in place) (string, error) {
	switch letter {
	case 's':
		return e.local + "@" + e.domain, nil
	case 'l':
		return e.local, nil
	case 'o':
		return e.domain, nil
	case 'd':
		return domain, nil
	case 'i':
		return e.nibbles(), nil
	case 'p':
		return e.clientName(domain, in)
	case 'v':
		if e.ip.Is4() {
			return "in-addr", nil
		}
		return "ip6", nil
	case 'h':
		return e.helo(), nil
	case 'c':
		return e.ip.String(), nil
	case 'r':
		if e.in.Receiver == "" {
			return "unknown", nil
		}
		return e.in.Receiver, nil
	}
	return strconv.FormatInt(e.in.Now.Unix(), 10), nil // t
}

// nibbles is the client's address with dots: octets, or hexadecimal digits
// (RFC 7208 7.3).
func (e *evaluation) nibbles() string {
	if e.ip.Is4() {
		return e.ip.String()
	}
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, 64)
	for _, c := range e.ip.As16() {
		b = append(b, hex[c>>4], '.', hex[c&15], '.')
	}
	return string(b[:len(b)-1])
}

// helo is the client's name, with A-labels where it is written in U-labels
// (RFC 8616 4).
func (e *evaluation) helo() string {
	for i := range len(e.in.HELO) {
		if e.in.HELO[i] >= 0x80 {
			if name, err := dns.Normalize(e.in.HELO); err == nil {
				return name
			}
			break
		}
	}
	return e.in.HELO
}
