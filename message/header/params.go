package header

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"sluice/message/charset"
)

const (
	maxParams   = 100
	maxSections = 200 // RFC 2231 sections of one parameter
)

// Param is one parameter as readers may take it.
type Param struct {
	Name  string // lower case, without RFC 2231 marks
	Value string // decoded
	Raw   string // as written, quotes removed
	Plain bool   // written the simple way: name=value
}

// ParseParams reads a value such as that of Content-Type: a main word and
// parameters (RFC 2045 5.1, RFC 2231). Names are lower case; the main word is
// lower case, without comments. Duplicates are resolved as [ParamMap] does.
func ParseParams(value string) (main string, params map[string]string, defects []Defect) {
	main, list, defects := ParseParamList(value)
	return main, ParamMap(list), defects
}

// ParamMap chooses one value for each name: an RFC 2231 form wins over a plain one
// (as RFC 6266 4.3 has it for HTTP), then the first wins. It is nil for
// an empty list.
func ParamMap(list []Param) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, len(list))
	for _, plain := range [2]bool{false, true} {
		for i := range list {
			if list[i].Plain != plain {
				continue
			}
			if _, dup := m[list[i].Name]; !dup {
				m[list[i].Name] = list[i].Value
			}
		}
	}
	return m
}

// ParseParamList is ParseParams with every reading of every parameter, in order,
// duplicates included.
func ParseParamList(value string) (main string, list []Param, defects []Defect) {
	r := recorder{}
	s := scanner{s: value, r: &r}
	main = Lower(s.mainWord())
	var sections []section
	for !s.done() {
		if len(list)+len(sections) >= maxParams+maxSections || len(list) >= maxParams {
			r.add(TooManyParams, s.pos, len(value)-s.pos, "", false)
			break
		}
		start := s.pos
		name, raw, ok := s.param()
		if !ok {
			continue
		}
		if name == "" {
			r.add(ParamSyntax, start, s.pos-start, value[start:s.pos], false)
			continue
		}
		name = Lower(name)
		if star := strings.IndexByte(name, '*'); star > 0 {
			if sec, ok := newSection(name, star, raw); ok {
				sections = append(sections, sec)
				continue
			}
		}
		p := Param{Name: name, Raw: raw, Value: raw, Plain: true}
		if strings.Contains(raw, "=?") && HasEncodedWord(raw) {
			// RFC 2047 5 (3) forbids it; nearly every client decodes it.
			r.add(ParamEncodedWord, start, s.pos-start, raw, false)
			p.Value = DecodeWords(raw)
		} else if i := firstNonASCII(raw); i >= 0 {
			r.add(ParamEightBit, start, s.pos-start, raw, false)
			p.Value = rawText(raw)
		}
		list = append(list, p)
	}
	list = joinSections(&r, list, sections)
	for i := range list {
		for j := range i {
			if list[i].Name != list[j].Name || list[i].Value == list[j].Value {
				continue
			}
			code := ParamDuplicate
			if list[i].Plain != list[j].Plain {
				code = ParamConflict
			}
			r.add(code, 0, len(value), list[i].Name, true)
			break
		}
	}
	return main, list, r.defects
}

// section is one piece of an RFC 2231 parameter: name*, name*0, name*0*.
type section struct {
	name    string
	index   int
	encoded bool
	raw     string
}

func newSection(name string, star int, raw string) (section, bool) {
	sec := section{name: name[:star], raw: raw}
	rest := name[star+1:]
	if rest == "" { // name*=charset'lang'value
		sec.encoded = true
		return sec, true
	}
	if n, ok := strings.CutSuffix(rest, "*"); ok {
		sec.encoded = true
		rest = n
	}
	i, err := strconv.ParseUint(rest, 10, 16)
	sec.index = int(i)
	return sec, err == nil
}

// joinSections puts RFC 2231 pieces together. Sections are taken in the order of
// their numbers; a gap ends the value for strict readers, and is a defect.
func joinSections(r *recorder, list []Param, sections []section) []Param {
	for len(sections) > 0 {
		name := sections[0].name
		var mine, rest []section
		for _, s := range sections {
			if s.name == name {
				mine = append(mine, s)
			} else {
				rest = append(rest, s)
			}
		}
		sections = rest
		if len(list) >= maxParams {
			r.add(TooManyParams, 0, 0, "", false)
			return list
		}
		list = append(list, joinOne(r, name, mine))
	}
	return list
}

func joinOne(r *recorder, name string, secs []section) Param {
	sorted := true
	for i := 1; i < len(secs); i++ {
		for j := i; j > 0 && secs[j].index < secs[j-1].index; j-- {
			secs[j], secs[j-1] = secs[j-1], secs[j]
			sorted = false
		}
	}
	if len(secs) > 1 || secs[0].index > 0 {
		r.add(ParamContinued, 0, 0, name, false)
	}
	var raw []byte
	label := ""
	for i, s := range secs {
		switch {
		case i > 0 && s.index == secs[i-1].index:
			r.add(ParamDuplicate, 0, 0, name, true)
			continue
		case i == 0 && s.index != 0 || i > 0 && s.index != secs[i-1].index+1 || !sorted && i == 0:
			r.add(ParamGap, 0, 0, name, true)
		}
		v := s.raw
		if s.encoded && i == 0 {
			if c, rest, ok := strings.Cut(v, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					label, v = c, text
				}
			}
		}
		if s.encoded {
			raw = appendPercent(raw, v)
		} else {
			raw = append(raw, v...)
		}
	}
	p := Param{Name: name, Raw: string(raw)}
	if label == "" {
		p.Value = DecodeWords(string(raw))
	} else {
		p.Value, _ = charset.Decode(label, raw)
	}
	return p
}

// appendPercent decodes %XX (RFC 2231 4).
func appendPercent(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0 {
			dst = append(dst, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

// scanner walks over structured text.
type scanner struct {
	s   string
	pos int
	r   *recorder
}

func (s *scanner) done() bool { return s.pos >= len(s.s) }

// space skips white space and comments.
func (s *scanner) space() {
	for s.pos < len(s.s) {
		switch s.s[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		case '(':
			start := s.pos
			s.comment()
			s.r.add(ParamComment, start, s.pos-start, s.s[start:s.pos], true)
		default:
			return
		}
	}
}

// comment skips a comment, nested ones included; it returns its text.
func (s *scanner) comment() string {
	start := s.pos
	depth := 0
	for ; s.pos < len(s.s); s.pos++ {
		switch s.s[s.pos] {
		case '\\':
			s.pos++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				s.pos++
				return s.s[start+1 : s.pos-1]
			}
		}
	}
	s.pos = len(s.s)
	return s.s[start+1:]
}

// mainWord reads up to the first ";" and removes comments and spaces.
func (s *scanner) mainWord() string {
	s.space()
	start := s.pos
	var b []byte // nil while the word is one slice
	for s.pos < len(s.s) {
		switch c := s.s[s.pos]; c {
		case ';':
			if b == nil {
				return strings.TrimRight(s.s[start:s.pos], " \t\r\n")
			}
			return strings.TrimRight(string(b), " \t\r\n")
		case '(':
			if b == nil {
				b = append(make([]byte, 0, len(s.s)), s.s[start:s.pos]...)
			}
			s.space()
			continue
		case '"':
			if b == nil {
				b = append(make([]byte, 0, len(s.s)), s.s[start:s.pos]...)
			}
			b = append(b, s.quoted()...)
			continue
		case ' ', '\t', '\r', '\n':
			if s.pos > start && startsParam(s.s[s.pos:]) { // the ";" is missing
				s.r.add(ParamSyntax, s.pos, 1, s.s[s.pos:], true)
				if b == nil {
					return s.s[start:s.pos]
				}
				return string(b)
			}
			fallthrough
		default:
			if b != nil {
				b = append(b, c)
			}
			s.pos++
		}
	}
	if b == nil {
		return strings.TrimRight(s.s[start:], " \t\r\n")
	}
	return strings.TrimRight(string(b), " \t\r\n")
}

// param reads one ";name=value". ok is false for an empty one (";;").
func (s *scanner) param() (name, value string, ok bool) {
	s.space()
	for !s.done() && s.s[s.pos] == ';' {
		s.pos++
		s.space()
	}
	if s.done() {
		return
	}
	start := s.pos
	for s.pos < len(s.s) && s.s[s.pos] != '=' && s.s[s.pos] != ';' && s.s[s.pos] != '(' {
		s.pos++
	}
	name = strings.Trim(s.s[start:s.pos], " \t\r\n\"")
	s.space()
	if s.done() || s.s[s.pos] != '=' {
		if s.pos < len(s.s) && s.s[s.pos] != ';' {
			s.pos++ // never stand still
		}
		return "", "", true
	}
	s.pos++
	s.space()
	if !s.done() && s.s[s.pos] == '"' {
		value = s.quoted()
		// What follows the quotes up to ";" belongs to the value for some.
		s.space()
		if !s.done() && s.s[s.pos] != ';' {
			tail := s.pos
			for s.pos < len(s.s) && s.s[s.pos] != ';' {
				s.pos++
			}
			extra := strings.TrimRight(s.s[tail:s.pos], " \t\r\n")
			s.r.add(ParamSyntax, tail, s.pos-tail, extra, true)
			if strings.Contains(extra, "=") { // a missing ";"
				s.pos = tail
			}
		}
		return name, value, true
	}
	value = s.bare()
	return name, value, true
}

// bare reads an unquoted value up to ";". The grammar allows no spaces or
// specials in it; clients take them.
func (s *scanner) bare() string {
	start := s.pos
	for s.pos < len(s.s) && s.s[s.pos] != ';' {
		if s.s[s.pos] == '(' && s.pos > start && (s.s[s.pos-1] == ' ' || s.s[s.pos-1] == '\t') {
			v := strings.TrimRight(s.s[start:s.pos], " \t\r\n")
			s.space()
			if s.done() || s.s[s.pos] == ';' {
				return v
			}
			continue
		}
		if c := s.s[s.pos]; (c == ' ' || c == '\t') && s.pos > start && startsParam(s.s[s.pos:]) {
			s.r.add(ParamSyntax, s.pos, 1, s.s[s.pos:], true)
			break
		}
		s.pos++
	}
	v := strings.TrimRight(s.s[start:s.pos], " \t\r\n")
	if strings.ContainsAny(v, " \t()<>@,:\\\"/[]?=") {
		s.r.add(ParamUnquoted, start, s.pos-start, v, false)
	}
	return v
}

// startsParam says whether s, which begins with white space, goes on with the
// name of a parameter and "=". Only one step of white space and a short name are
// looked at.
func startsParam(s string) bool {
	i := 1
	for i < len(s) && i < 64 && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	start := i
	for ; i < len(s) && i-start < 32; i++ {
		c := s[i]
		if c == '=' {
			return i > start && (i+1 >= len(s) || s[i+1] != '?' && s[i+1] != '=')
		}
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || i > start && ('0' <= c && c <= '9' || c == '*')) {
			return false
		}
	}
	return false
}

// quoted reads a quoted string at the cursor. A backslash quotes only a quote or
// a backslash: clients keep it in "C:\temp\x.txt".
func (s *scanner) quoted() string {
	start := s.pos
	s.pos++
	i := strings.IndexAny(s.s[s.pos:], `"\`)
	if i >= 0 && s.s[s.pos+i] == '"' {
		v := s.s[s.pos : s.pos+i]
		s.pos += i + 1
		return v
	}
	var b []byte
	for s.pos < len(s.s) {
		c := s.s[s.pos]
		switch {
		case c == '\\' && s.pos+1 < len(s.s) && (s.s[s.pos+1] == '"' || s.s[s.pos+1] == '\\'):
			b = append(b, s.s[s.pos+1])
			s.pos += 2
			continue
		case c == '"':
			s.pos++
			return string(b)
		}
		b = append(b, c)
		s.pos++
	}
	s.r.add(ParamOpenQuote, start, len(s.s)-start, s.s[start:], true)
	return string(b)
}

// validText makes s valid UTF-8.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
