package scan

import (
	"net/mail"
	"net/netip"
	"strings"
	"time"
)

// Received is what one Received field says about a hop, as far as it can be
// read. All of it but what our own hosts wrote may be invented.
type Received struct {
	Hello string     // the client's greeting; "" where the field names none
	Name  string     // the client's name as the server looked it up, "" for none or "unknown"
	Addr  netip.Addr // the client's address; invalid where none is given
	By    string     // the server
	With  string     // the protocol: "ESMTPS"
	ID    string
	For   string // the recipient without brackets
	Time  time.Time
}

// maxReceived is how much of a field is read: a real one has a few hundred
// bytes.
const maxReceived = 4 << 10

// ParseReceived reads the value of a Received field. RFC 5321 4.4 has a grammar;
// what Postfix, Sendmail, Exim, qmail, Exchange and Gmail write differs in where
// the greeting and the address stand, so both are looked for.
func ParseReceived(value string) Received {
	value = value[:min(len(value), maxReceived)]
	tokens, date := receivedTokens(value)
	var r Received
	if date != "" {
		if t, err := mail.ParseDate(date); err == nil {
			r.Time = t
		}
	}
	for i := 0; i < len(tokens); i++ {
		if tokens[i].comment {
			continue
		}
		n := i + 1 // the end of this clause: the next keyword
		for n < len(tokens) && (n == i+1 || !tokens[n].keyword()) {
			n++
		}
		clause := tokens[i+1 : n]
		if len(clause) == 0 || !tokens[i].keyword() {
			continue
		}
		word := clause[0].text
		if clause[0].comment {
			word = ""
		}
		switch strings.ToLower(tokens[i].text) {
		case "from":
			if r.Hello == "" && !r.Addr.IsValid() {
				r.from(word, clause)
			}
		case "by":
			setOnce(&r.By, word)
		case "with":
			setOnce(&r.With, word)
		case "id":
			setOnce(&r.ID, word)
		case "for":
			setOnce(&r.For, strings.Trim(word, "<>"))
		}
		i = n - 1
	}
	return r
}

func setOnce(to *string, s string) {
	if *to == "" {
		*to = s
	}
}

type token struct {
	text    string
	comment bool
}

func (t token) keyword() bool {
	if t.comment {
		return false
	}
	switch strings.ToLower(t.text) {
	case "from", "by", "via", "with", "id", "for":
		return true
	}
	return false
}

// receivedTokens cuts a value into words and comments, up to the ";" before the
// date. A comment keeps its inner parentheses; a missing ")" ends at the end.
func receivedTokens(s string) (tokens []token, date string) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == ';':
			return tokens, strings.TrimSpace(s[i+1:])
		case c == '(':
			end := commentEnd(s, i)
			tokens = append(tokens, token{strings.TrimSuffix(s[i+1:end], ")"), true})
			i = end
		default:
			end := i + 1
			for end < len(s) && !strings.ContainsRune(" \t\r\n;(", rune(s[end])) {
				end++
			}
			tokens = append(tokens, token{s[i:end], false})
			i = end
		}
	}
	return tokens, ""
}

// commentEnd is the index behind the comment that begins at i.
func commentEnd(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// from reads the from clause: a word and comments. The comment nearest to "by"
// that holds an address is the server's own; a greeting can only come before.
func (r *Received) from(word string, clause []token) {
	r.Hello = word
	inComment := false // the greeting was found in a comment, so word is the looked-up name
	for _, t := range clause {
		if !t.comment || isSessionComment(t.text) {
			continue
		}
		addr, name, hello := readComment(t.text)
		if addr.IsValid() {
			r.Addr, r.Name = addr, name
		}
		if hello != "" {
			r.Hello, inComment = hello, true
		}
	}
	for _, t := range clause {
		if !t.comment && !r.Addr.IsValid() { // "from [192.0.2.1]", "from host [192.0.2.1]"
			r.Addr = parseAddr(t.text)
		}
	}
	if inComment && r.Name == "" && !parseAddr(word).IsValid() {
		r.Name = hostName(word)
	}
	// qmail writes no greeting where it is the looked-up name, "unknown" for a
	// failed lookup, and its address without brackets.
	if !inComment && r.Hello == "unknown" && r.Name == "" && qmailAddr(clause) {
		r.Hello = ""
	}
}

func qmailAddr(clause []token) bool {
	for _, t := range clause {
		if t.comment && !strings.Contains(t.text, "[") && parseAddr(t.text[strings.LastIndexByte(t.text, '@')+1:]).IsValid() {
			return true
		}
	}
	return false
}

// isSessionComment says whether a comment speaks of TLS or authentication.
func isSessionComment(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, p := range []string{"using ", "authenticated ", "client ", "no client ", "version=", "not verified"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// readComment finds address, looked-up name and greeting in a comment of the from
// clause: "rdns [addr]" (Postfix, Gmail), "user@rdns [addr] (may be forged)"
// (Sendmail), "[addr]:port helo=greeting ident=…" (Exim), "HELO greeting" and
// "user@addr" (qmail), "addr" (Exchange).
func readComment(s string) (addr netip.Addr, name, hello string) {
	words := strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\r' || r == '\n' || r == '(' || r == ')' || r == ',' || r == '"'
	})
	for i := 0; i < len(words); i++ {
		w := words[i]
		if key, value, ok := strings.Cut(w, "="); ok && !strings.Contains(key, "@") {
			if strings.EqualFold(key, "helo") || strings.EqualFold(key, "ehlo") {
				hello = value
			}
			continue
		}
		if (strings.EqualFold(w, "HELO") || strings.EqualFold(w, "EHLO")) && i+1 < len(words) {
			i++
			hello = words[i]
			continue
		}
		if a := parseAddr(w[strings.LastIndexByte(w, '@')+1:]); a.IsValid() {
			addr = a
			continue
		}
		if !addr.IsValid() && name == "" {
			name = hostName(w[strings.LastIndexByte(w, '@')+1:])
		}
	}
	return addr, name, hello
}

// hostName is a looked-up name without its final dot; "" for what is none.
func hostName(s string) string {
	s = strings.TrimSuffix(s, ".")
	if !strings.Contains(s, ".") && !strings.EqualFold(s, "localhost") {
		return "" // "unknown", "unverified", …
	}
	return s
}

// parseAddr reads 192.0.2.1, [192.0.2.1], [192.0.2.1]:25, [IPv6:2001:db8::1].
func parseAddr(s string) netip.Addr {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		in, after, ok := strings.Cut(rest, "]")
		if !ok || after != "" && after[0] != ':' {
			return netip.Addr{}
		}
		s = in
	}
	if len(s) > 5 && strings.EqualFold(s[:5], "IPv6:") { // RFC 5321 4.1.3
		s = s[5:]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}
