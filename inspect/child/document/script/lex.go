package script

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// lexer takes the strings out of a program in any of the usual languages, without
// knowing which. Strings joined by + or & belong together, and so do characters
// that are given by number.
type lexer struct {
	s string
	i int
}

type tokenKind uint8

const (
	end tokenKind = iota
	other
	joinToken
	stringToken
	charsToken // characters by number
)

type token struct {
	kind    tokenKind
	text    string
	escapes int // letters and digits given by number
}

// maxString bounds one literal; a longer one is cut.
const maxString = 1 << 20

func (l *lexer) next() token {
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case c <= ' ' || c == '(' || c == ')' || c == '_' && !l.wordBefore():
			l.i++
			continue
		case c == '"':
			return l.quoted(c)
		case c == '\'' && l.comment():
			l.i += line(l.s[l.i:])
			return token{kind: other}
		case c == '\'':
			return l.quoted(c)
		case c == '+' || c == '&' && !l.hexAhead():
			l.i++
			return token{kind: joinToken}
		case '0' <= c && c <= '9' || c == '&':
			if t, ok := l.numbers(); ok {
				return t
			} else if t.kind == other {
				return t // a list of other things: passed
			}
		default:
			if t, ok := l.character(); ok {
				return t
			}
		}
		l.i++
		for word(l.s[l.i-1]) && l.i < len(l.s) && word(l.s[l.i]) {
			l.i++
		}
		return token{kind: other}
	}
	return token{kind: end}
}

func (l *lexer) wordBefore() bool { return l.i > 0 && word(l.s[l.i-1]) }

// hexAhead: &H41 is a number of Basic and no sign of joining.
func (l *lexer) hexAhead() bool {
	return l.i+2 < len(l.s) && l.s[l.i+1]|0x20 == 'h' && strings.IndexByte("0123456789abcdefABCDEF", l.s[l.i+2]) >= 0
}

// comment says whether an apostrophe begins a comment of Basic rather than a
// string: nothing closes it on its line. It looks no further than the next one.
func (l *lexer) comment() bool {
	n := strings.IndexByte(l.s[l.i+1:], '\'')
	return n < 0 || strings.IndexByte(l.s[l.i+1:l.i+1+n], '\n') >= 0
}

// line is the length of the first line.
func line(s string) int {
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

// quoted reads a string: doubled quotes as in Basic, backslashes as in JavaScript.
func (l *lexer) quoted(q byte) token {
	var out []byte
	t := token{kind: stringToken}
	i := l.i + 1
	for i < len(l.s) && len(out) < maxString {
		c := l.s[i]
		if c == q {
			if i+1 < len(l.s) && l.s[i+1] == q && q == '"' {
				out = append(out, q)
				i += 2
				continue
			}
			i++
			break
		}
		if c == '\n' {
			break
		}
		if c == '\\' && i+1 < len(l.s) {
			if r, n := escape(l.s[i:]); n > 0 {
				out = utf8.AppendRune(out, r)
				i += n
				t.escapes += letters(string(r))
				continue
			}
			if l.s[i+1] == q && i+2 < len(l.s) && l.s[i+2] != '\r' && l.s[i+2] != '\n' && q == '\'' {
				out = append(out, q)
				i += 2
				continue
			}
		}
		out = append(out, c)
		i++
	}
	l.i = i
	t.text = string(out)
	return t
}

func letters(s string) (n int) {
	for i := range len(s) {
		if c := s[i]; word(c) && c != '_' {
			n++
		}
	}
	return n
}

// escape reads \xhh and \uhhhh.
func escape(s string) (rune, int) {
	for _, f := range [...]struct {
		mark byte
		n    int
	}{{'x', 2}, {'u', 4}} {
		if len(s) >= 2+f.n && s[1] == f.mark {
			if v, err := strconv.ParseUint(s[2:2+f.n], 16, 16); err == nil {
				return rune(v), 2 + f.n
			}
		}
	}
	return 0, 0
}

// character reads a call that makes one character or several from numbers: Chr(104),
// ChrW$(&H68), String.fromCharCode(104, 116), [char]104.
func (l *lexer) character() (token, bool) {
	if c := l.s[l.i] | 0x20; c != 'c' && c != 's' && c != 'v' && l.s[l.i] != '[' || l.wordBefore() {
		return token{}, false
	}
	head := string(lower(clip(l.s[l.i:], 24)))
	for _, p := range [...]string{"chr(", "chrw(", "chr$(", "chrw$(", "chrb(", "vba.chr(", "vba.chrw(", "strings.chr(", "string.fromcharcode(", "[char]", "[char](", "chr ("} {
		if strings.HasPrefix(head, p) {
			text, n := numberList(l.s[l.i+len(p):])
			if n == 0 {
				continue
			}
			l.i += len(p) + n
			if l.i < len(l.s) && l.s[l.i] == ')' {
				l.i++
			}
			return token{kind: charsToken, text: text, escapes: letters(text)}, true
		}
	}
	return token{}, false
}

// numbers reads a list of at least eight numbers that are codes of printable text.
func (l *lexer) numbers() (token, bool) {
	text, n := numberList(l.s[l.i:])
	if n == 0 {
		return token{}, false
	}
	l.i += n
	if _, ok := readable([]byte(text)); !ok || utf8.RuneCountInString(text) < 8 {
		return token{kind: other}, false
	}
	return token{kind: charsToken, text: text, escapes: letters(text)}, true
}

// numberList reads numbers between commas, each the code of a character and simple
// sums of such: 104, &H74, 0x74, 58+58. It returns the text and how far it went.
func numberList(s string) (string, int) {
	var out []byte
	i, done := 0, 0
	for len(out) < maxString {
		v, n := number(s[i:])
		if n == 0 {
			break
		}
		i += n
		for i < len(s) {
			op := s[i]
			if op != '+' && op != '-' && op != '^' {
				break
			}
			w, n := number(s[i+1:])
			if n == 0 {
				break
			}
			switch op {
			case '+':
				v += w
			case '-':
				v -= w
			default:
				v ^= w
			}
			i += 1 + n
		}
		if v < 1 || v > 0xFFFF {
			break
		}
		out = utf8.AppendRune(out, rune(v))
		done = i
		if i >= len(s) || s[i] != ',' {
			break
		}
		i++
	}
	return string(out), done
}

func number(s string) (int, int) {
	i := 0
	for i < len(s) && i < 16 && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t' || s[i] == '_') {
		i++
	}
	base, from := 10, i
	switch {
	case len(s) > i+2 && (s[i] == '0' && s[i+1]|0x20 == 'x' || s[i] == '&' && s[i+1]|0x20 == 'h'):
		base, from = 16, i+2
	}
	j := from
	for j < len(s) && j-from < 9 && ('0' <= s[j] && s[j] <= '9' || base == 16 && 'a' <= s[j]|0x20 && s[j]|0x20 <= 'f') {
		j++
	}
	if j == from {
		return 0, 0
	}
	v, err := strconv.ParseInt(s[from:j], base, 32)
	if err != nil {
		return 0, 0
	}
	if j < len(s) && (s[j] == '&' || s[j] == '#' || s[j] == '%') && base == 16 { // a type's mark: &H41&
		j++
	}
	for j < len(s) && s[j] == ' ' {
		j++
	}
	return int(v), j
}
