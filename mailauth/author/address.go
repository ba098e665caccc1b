package author

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"sluice/internal/disguise"
	"sluice/message/header"
)

// address judges the address itself, as written.
func (a *Author) address(x header.Address) {
	spec := specOf(x.Raw)
	local, domain := splitRaw(spec)
	switch {
	case x.Domain == "", x.Local == "":
		a.add(NoAddress, true, x.Raw)
	case strings.HasPrefix(x.Domain, "["):
		a.add(DomainLiteral, false, x.Domain)
	case x.Domain != "" && a.Domain == "":
		a.add(BadDomain, true, x.Domain)
	}
	if strings.HasSuffix(strings.TrimRight(domain, " \t"), ".") {
		a.add(TrailingDot, false, domain)
	}
	if spaceInside(spec) {
		a.add(StrayText, true, spec) // one address to some, two words to others
	}
	if strings.ContainsRune(x.Local, '@') {
		a.add(LocalAt, true, x.Local)
	}
	if header.HasEncodedWord(spec) || strings.Contains(local, "=?") {
		a.add(EncodedLocal, true, spec)
	}
	if c := commentsIn(spec); c != "" {
		a.add(Comment, true, c)
	} else if c := commentsIn(x.Raw); c != "" && a.foreign(header.DecodeWords(c)) {
		a.add(Comment, true, c) // RFC 5322 3.2.2: a comment is no address, yet some find one there
	}
	if i := strings.IndexFunc(spec, unseen); i >= 0 {
		a.add(Invisible, true, spec)
	}
	if a.Domain != "" {
		a.international(domain)
	}
}

// international judges a domain outside ASCII, or one in A-labels.
func (a *Author) international(written string) {
	shown, err := idna.ToUnicode(a.Domain)
	if err != nil || shown == a.Domain {
		if !ascii(written) { // mapped to ASCII: full-width letters, ideographic dots
			a.add(MappedDomain, true, written)
		}
		return
	}
	a.add(IDN, false, shown)
	if !ascii(written) && norm.NFC.String(strings.ToLower(strings.TrimSuffix(written, "."))) != shown {
		a.add(MappedDomain, true, written)
	}
	for label := range strings.SplitSeq(shown, ".") {
		if scripts(label) > 1 {
			a.add(MixedScript, false, label)
		}
		if s := skeleton(label); s != "" {
			a.add(Confusable, false, label+" ~ "+s)
		}
	}
}

// display judges the name that a person sees.
func (a *Author) display(x header.Address) {
	if a.foreign(x.Name) {
		a.add(DisplayAddress, false, x.Name)
	}
	marks := disguise.Scan(x.Name)
	if marks.Bidi > 0 || marks.Tags > 0 || strings.IndexFunc(x.Name, unicode.IsControl) >= 0 {
		a.add(DisplayControl, false, x.Name)
	}
}

// encoded reads the field the wrong way round, encoded words first and addresses
// after, as some programs do (RFC 2047 5 (3) forbids them in addresses).
func (a *Author) encoded(value string) {
	if !strings.Contains(value, "=?") {
		return
	}
	list, _ := header.ParseAddressList(header.DecodeWords(value))
	for _, x := range list[:min(len(list), maxFields)] {
		if d := name(x.Domain); d != "" && d != a.Domain {
			a.add(EncodedAddress, true, value)
			a.candidate(d)
		}
	}
}

// scan adds whatever stands behind an "@" to the candidates.
func (a *Author) scan(text string) {
	for d := range domainsIn(text) {
		a.candidate(d)
		if len(a.Domains) >= MaxDomains {
			return
		}
	}
}

// domainsIn yields the names with a dot that stand behind an "@" in text, at most
// maxNames of them.
func domainsIn(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n := 0; n < maxNames; {
			i := strings.IndexByte(text, '@')
			if i < 0 {
				return
			}
			text = text[i+1:]
			end := 0
			for end < len(text) && end < 1024 {
				r, size := utf8.DecodeRuneInString(text[end:])
				if r == utf8.RuneError || !(r == '.' || r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)) {
					break
				}
				end += size
			}
			if d := name(strings.TrimRight(text[:end], ".")); strings.Contains(d, ".") {
				if n++; !yield(d) {
					return
				}
			}
		}
	}
}

// specOf is what stands in the first angle brackets outside quotes and comments,
// or all of it where there are none.
func specOf(raw string) string {
	start, depth, quoted := -1, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			i++
		case c == '"' && depth == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '<' && depth == 0 && start < 0:
			start = i + 1
		case c == '>' && depth == 0 && start >= 0:
			return raw[start:i]
		}
	}
	if start >= 0 {
		return raw[start:]
	}
	if i := strings.IndexByte(raw, '('); i > 0 && strings.HasSuffix(raw, ")") { // user@example.com (Name)
		if spec := strings.TrimRight(raw[:i], " \t"); strings.IndexByte(spec, '@') > 0 && !strings.ContainsAny(spec, " \t\"") {
			return spec
		}
	}
	return raw
}

// splitRaw takes an address apart at its last "@", as written.
func splitRaw(spec string) (local, domain string) {
	i := strings.LastIndexByte(spec, '@')
	if i < 0 {
		return spec, ""
	}
	return spec[:i], strings.Trim(spec[i+1:], " \t")
}

// commentsIn returns the first comment outside quotes, or "".
func commentsIn(s string) string {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '(' && !quoted:
			return s[i:]
		}
	}
	return ""
}

// spaceInside says whether white space stands in an address outside its quotes.
func spaceInside(spec string) bool {
	quoted := false
	spec = strings.Trim(spec, " \t")
	for i := 0; i < len(spec); i++ {
		switch spec[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ' ', '\t':
			if !quoted {
				return true
			}
		}
	}
	return false
}

// quoteLocal writes a local part as RFC 5321 4.1.2 has it: as it is where it is a
// dot-string, else quoted.
func quoteLocal(s string) string {
	plain := !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c|0x20 >= 'a' && c|0x20 <= 'z' || '0' <= c && c <= '9' || c >= utf8.RuneSelf || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
	}
	if plain {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// unseen are characters that have no business in an address and no width.
func unseen(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r == 0x034f || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 || r >= 0xfe00 && r <= 0xfe0f
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
