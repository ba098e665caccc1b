package header

import (
	"strings"

	"golang.org/x/net/idna"
)

// maxAddresses bounds ParseAddressList; package message has its own limit below.
const maxAddresses = 10000

// ParseAddressList reads the value of From, To and the like (RFC 5322 3.4, with
// the obsolete forms of 4.4) in the way of a tolerant mail client: missing
// brackets, unquoted names, semicolons between addresses and stray text are
// taken and reported. Encoded words are decoded in names only, after the list is
// taken apart, so that they can't make addresses.
func ParseAddressList(s string) ([]Address, []Defect) {
	r := recorder{}
	p := addressParser{scanner: scanner{s: s, r: &r}, mailboxStart: 0}
	for !p.done() && len(p.out) < maxAddresses {
		p.step()
	}
	p.finish(len(s))
	if !p.done() {
		r.add(TooManyAddresses, p.pos, len(s)-p.pos, "", false)
	}
	return p.out, r.defects
}

// word is one token of the phrase or address in front of the cursor.
type word struct {
	text   string
	quoted bool
	spaced bool // white space stood before it
}

type addressParser struct {
	scanner
	out          []Address
	words        []word
	comment      string // last comment: the old way to give a name
	inGroup      bool
	group        string
	angles       int // angle addresses in the current mailbox
	mailboxStart int
	spaced       bool
}

// step takes one token.
func (p *addressParser) step() {
	switch c := p.s[p.pos]; c {
	case ' ', '\t', '\r', '\n':
		p.pos++
		p.spaced = true
	case '(':
		start := p.pos
		p.comment = p.scanner.comment()
		if p.s[p.pos-1] != ')' {
			p.r.add(AddressOpenComment, start, p.pos-start, p.s[start:], true)
		}
		p.spaced = true
	case '"':
		start := p.pos
		before := len(p.r.defects)
		text := p.quoted()
		if len(p.r.defects) > before {
			p.r.defects[before].Code = AddressOpenQuote
		}
		if p.pos == start {
			p.pos++
		}
		p.add(text, true)
	case '<':
		p.angle()
	case ',':
		p.finish(p.pos)
		p.pos++
		p.mailboxStart = p.pos
	case ';':
		p.finish(p.pos)
		if !p.inGroup {
			p.r.add(AddressSemicolon, p.pos, 1, "", false)
		}
		p.inGroup, p.group = false, ""
		p.pos++
		p.mailboxStart = p.pos
	case ':':
		if p.angles == 0 && !p.inGroup && len(p.words) > 0 && !p.hasAt() {
			p.inGroup = true // RFC 5322 3.4: group
			p.group = DecodeWords(p.phrase(len(p.words)))
			p.words = p.words[:0]
			p.comment = ""
			p.pos++
			p.mailboxStart = p.pos
			return
		}
		p.add(":", false)
		p.pos++
	case '@', '.':
		p.add(p.s[p.pos:p.pos+1], false)
		p.pos++
	case '[':
		end := strings.IndexAny(p.s[p.pos+1:], "[],;<>")
		if end < 0 || p.s[p.pos+1+end] != ']' {
			p.add("[", false)
			p.pos++
			return
		}
		p.add(p.s[p.pos:p.pos+end+2], false)
		p.pos += end + 2
	case '>', ')', ']':
		p.r.add(AddressSyntax, p.pos, 1, string(c), true)
		p.pos++
		p.spaced = true
	default:
		n := strings.IndexAny(p.s[p.pos+1:], " \t\r\n(\"<>,;:@.[])")
		if n < 0 {
			n = len(p.s) - p.pos - 1
		}
		p.add(p.s[p.pos:p.pos+1+n], false)
		p.pos += 1 + n
	}
}

func (p *addressParser) add(text string, quoted bool) {
	p.words = append(p.words, word{text, quoted, p.spaced})
	p.spaced = false
}

// hasAt says whether an unquoted "@" stands in the current words.
func (p *addressParser) hasAt() bool { return p.lastAt() >= 0 }

func (p *addressParser) lastAt() int {
	for i := len(p.words) - 1; i >= 0; i-- {
		if !p.words[i].quoted && p.words[i].text == "@" {
			return i
		}
	}
	return -1
}

// phrase joins the first n words as a name.
func (p *addressParser) phrase(n int) string {
	if n == 1 {
		return p.words[0].text
	}
	var b strings.Builder
	for i, w := range p.words[:n] {
		if i > 0 && w.spaced {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// angle reads "<address>" behind an optional name.
func (p *addressParser) angle() {
	start := p.pos
	p.pos++
	inner := p.pos
	inQuote := false
	route := strings.HasPrefix(strings.TrimLeft(p.s[inner:], " \t"), "@")
scan:
	for ; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; {
		case c == '\\' && inQuote && p.pos+1 < len(p.s):
			p.pos++
		case c == '"':
			inQuote = !inQuote
		case inQuote:
		case c == '>' || c == '<':
			break scan
		case c == ',' && !route:
			break scan
		}
	}
	text := p.s[inner:p.pos]
	if p.pos < len(p.s) && p.s[p.pos] == '>' {
		p.pos++
	} else {
		p.r.add(AddressNoBracket, start, p.pos-start, p.s[start:p.pos], true)
	}
	if p.hasAt() {
		// An address as the unquoted name of another: which one is shown, and
		// which one is authenticated, differs between readers.
		p.r.add(AddressUnquotedAt, p.mailboxStart, p.pos-p.mailboxStart, p.s[p.mailboxStart:p.pos], true)
	}
	if p.angles > 0 {
		p.r.add(AddressTwoBrackets, start, p.pos-start, p.s[p.mailboxStart:p.pos], true)
	}
	p.angles++
	name := DecodeWords(p.phraseAll())
	if name == "" && p.comment != "" {
		name = DecodeWords(p.comment)
	}
	a := Address{Name: name, Group: p.group, Raw: strings.Trim(p.s[p.mailboxStart:p.pos], " \t\r\n")}
	text = strings.Trim(text, " \t\r\n")
	if strings.HasPrefix(text, "@") { // RFC 5322 4.4: route
		if i := strings.IndexByte(text, ':'); i >= 0 {
			p.r.add(AddressRoute, start, p.pos-start, text[:i+1], true)
			text = text[i+1:]
		}
	}
	a.Local, a.Domain = splitAddress(text)
	p.out = append(p.out, a)
	p.words = p.words[:0]
	p.comment = ""
	p.spaced = false
}

func (p *addressParser) phraseAll() string { return p.phrase(len(p.words)) }

// finish ends a mailbox at offset end: an address without brackets, if any.
func (p *addressParser) finish(end int) {
	defer func() {
		p.words, p.angles, p.comment, p.spaced = p.words[:0], 0, "", false
	}()
	if p.angles > 0 {
		last := &p.out[len(p.out)-1]
		if len(p.words) > 0 { // text behind the bracket
			p.r.add(AddressSyntax, p.mailboxStart, end-p.mailboxStart, p.s[p.mailboxStart:end], true)
			if last.Name == "" {
				last.Name = DecodeWords(p.phraseAll())
			}
		}
		if last.Name == "" {
			last.Name = DecodeWords(p.comment)
		}
		return
	}
	if len(p.words) == 0 {
		return
	}
	a := Address{Group: p.group, Raw: strings.Trim(p.s[p.mailboxStart:end], " \t\r\n")}
	at := p.lastAt()
	if at < 0 { // a name or a local part alone
		a.Local = validText(p.phraseAll())
		a.Name = DecodeWords(p.comment)
		if a.Name == "" && len(p.words) > 1 {
			a.Name = DecodeWords(a.Local)
		}
		p.r.add(AddressSyntax, p.mailboxStart, end-p.mailboxStart, a.Raw, false)
		p.out = append(p.out, a)
		return
	}
	// "Some Name user@host": the local part is what touches the "@".
	first := at
	for first > 0 && (first == at || !p.words[first].spaced || p.words[first].text == "." || p.words[first-1].text == ".") {
		first--
	}
	last := at + 1
	for last < len(p.words) && (last == at+1 || !p.words[last].spaced || p.words[last].text == "." || p.words[last-1].text == ".") {
		last++
	}
	var local, domain strings.Builder
	for _, w := range p.words[first:at] {
		local.WriteString(w.text)
	}
	for _, w := range p.words[at+1 : last] {
		domain.WriteString(w.text)
	}
	a.Local, a.Domain = validText(local.String()), Domain(domain.String())
	a.Name = DecodeWords(p.comment)
	if first > 0 || last < len(p.words) {
		p.r.add(AddressSyntax, p.mailboxStart, end-p.mailboxStart, a.Raw, true)
		if first > 0 {
			a.Name = DecodeWords(p.phrase(first))
		}
	}
	p.out = append(p.out, a)
}

// splitAddress takes "local@domain" apart at the last "@" outside quotes, and
// removes comments, white space and quotes.
func splitAddress(s string) (local, domain string) {
	at := -1
	var b []byte
	plain := true
	for i := 0; i < len(s); i++ {
		if strings.IndexByte("\"\\( \t\r\n", s[i]) >= 0 {
			plain = false
			break
		}
	}
	if plain {
		if at = strings.LastIndexByte(s, '@'); at < 0 {
			return validText(s), ""
		}
		return validText(s[:at]), Domain(s[at+1:])
	}
	r := recorder{}
	sc := scanner{s: s, r: &r}
	for !sc.done() {
		switch c := sc.s[sc.pos]; c {
		case '"':
			b = append(b, sc.quoted()...)
		case '(':
			sc.comment()
		case ' ', '\t', '\r', '\n':
			sc.pos++
		case '@':
			at = len(b)
			fallthrough
		default:
			b = append(b, c)
			sc.pos++
		}
	}
	if at < 0 {
		return validText(string(b)), ""
	}
	return validText(string(b[:at])), Domain(string(b[at+1:]))
}

// Domain brings a domain into the form for comparing: lower case, A-labels where
// it converts, no final dot, else as written.
func Domain(s string) string {
	s = strings.Trim(s, " \t\r\n")
	s = strings.TrimSuffix(s, ".")
	if firstNonASCII(s) < 0 {
		return Lower(s)
	}
	if len(s) > 1000 {
		return validText(s)
	}
	if a, err := idna.Lookup.ToASCII(s); err == nil {
		return a
	}
	return validText(strings.ToLower(s))
}
