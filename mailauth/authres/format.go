package authres

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/dns"
)

// Bounds on what is written: RFC 5322 2.1.1 limits a line to 998 octets.
const (
	maxValue   = 320 // octets of a value; a mail address has at most 254
	maxComment = 200
	maxLine    = 78
)

// Format writes a whole field, folded, with CRLF at its end. It is ASCII: domains
// become A-labels, and other characters outside ASCII a "?". Anything that a
// reader could take for syntax is quoted or replaced, so a result holds no more
// than was put into it. With no results the field says "none".
func Format(id string, results []Result) string { return format(id, results, false) }

// FormatUTF8 is Format for internationalized messages, where values may be UTF-8
// (RFC 8616 4).
func FormatUTF8(id string, results []Result) string { return format(id, results, true) }

func format(id string, results []Result, eai bool) string {
	w := writer{eai: eai}
	w.put("Authentication-Results: ", w.value(word(id, "unknown")))
	if len(results) == 0 {
		w.put("; ", "none")
	}
	for _, r := range results[:min(len(results), maxResults)] {
		method := keyword(r.Method)
		if method == "" {
			continue
		}
		if r.Version > 1 {
			method += "/" + strconv.Itoa(r.Version)
		}
		w.line(method + "=" + word(keyword(r.Value), "none"))
		if r.Comment != "" {
			w.add("(" + w.comment(r.Comment) + ")")
		}
		if r.Reason != "" {
			w.add("reason=" + w.quote(r.Reason))
		}
		for _, p := range r.Props[:min(len(r.Props), maxProps)] {
			typ, name := keyword(p.Type), keyword(p.Name)
			if typ == "" || name == "" {
				continue
			}
			w.add(typ + "." + name + "=" + w.value(p.Value))
		}
	}
	return w.b.String() + "\r\n"
}

type writer struct {
	b   strings.Builder
	col int
	eai bool
}

func (w *writer) put(parts ...string) {
	for _, s := range parts {
		w.b.WriteString(s)
		w.col += len(s)
	}
}

// line begins a result on a line of its own.
func (w *writer) line(s string) {
	w.b.WriteString(";\r\n\t")
	w.col = 8
	w.put(s)
}

// add appends a word, on a new line where the line is full.
func (w *writer) add(s string) {
	if w.col+1+len(s) > maxLine {
		w.b.WriteString("\r\n\t")
		w.col = 8
	} else {
		w.put(" ")
	}
	w.put(s)
}

// keyword keeps what a Keyword may hold (RFC 8601 2.2).
func keyword(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' {
			return r
		}
		return -1
	}, s), "-")
}

func word(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// value writes a domain, an address or a token. Only letters, digits and the few
// marks that nobody reads as syntax go without quotes.
func (w *writer) value(s string) string {
	if !w.eai {
		s = toASCII(s)
	}
	s = w.clean(s, maxValue)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-+@:", c) >= 0 || c >= utf8.RuneSelf) {
			return `"` + escape(s, `"\`) + `"`
		}
	}
	if s == "" || strings.Count(s, "@") > 1 || strings.Contains(s, ":") {
		return `"` + s + `"`
	}
	return s
}

func (w *writer) quote(s string) string { return `"` + escape(w.clean(s, maxValue), `"\`) + `"` }

// comment writes the text of a comment: parentheses become brackets, for not all
// readers know that comments nest.
func (w *writer) comment(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '(':
			return '['
		case ')':
			return ']'
		case '\\':
			return '/'
		case ';':
			return ','
		}
		return r
	}, w.clean(s, maxComment))
}

// clean makes s one line of printable text of at most n octets.
func (w *writer) clean(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r >= utf8.RuneSelf && !w.eai, r >= 0x80 && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return '?'
		}
		return r
	}, s)
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// toASCII turns the domain of an address, or the whole of a domain, into A-labels
// where it converts.
func toASCII(s string) string {
	i := strings.LastIndexByte(s, '@')
	domain := s[i+1:]
	for j := range len(domain) {
		if domain[j] >= utf8.RuneSelf {
			if a, err := dns.Normalize(domain); err == nil {
				return s[:i+1] + a
			}
			return s
		}
	}
	return s
}

func escape(s, what string) string {
	if !strings.ContainsAny(s, what) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(what, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
