package header

import (
	"strings"
	"unicode/utf8"

	"sluice/message/charset"
)

// maxCharsetName bounds the charset token of an encoded word.
const maxCharsetName = 64

// DecodeWords decodes the encoded words of s (RFC 2047). It is more tolerant than
// the RFC, as mail clients are: words may stand inside other text, may hold
// spaces, and a character may be split over neighbouring words of one charset.
// Raw 8-bit text is read as UTF-8 or else windows-1252. The result is valid
// UTF-8.
func DecodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return rawText(s)
	}
	var out strings.Builder
	out.Grow(len(s))
	var pending []byte // decoded bytes of neighbouring words of one charset
	label := ""
	flush := func() {
		if len(pending) > 0 {
			t, _ := charset.Decode(label, pending)
			out.WriteString(t)
			pending = pending[:0]
		}
	}
	rest := s
	afterWord := false
	for {
		i := strings.Index(rest, "=?")
		if i < 0 {
			break
		}
		name, enc, text, n := encodedWord(rest[i:])
		if n == 0 {
			i += 2
			flush()
			out.WriteString(rawText(rest[:i]))
			rest = rest[i:]
			afterWord = false
			continue
		}
		gap := rest[:i]
		if !afterWord || strings.Trim(gap, " \t\r\n") != "" { // RFC 2047 6.2
			flush()
			out.WriteString(rawText(gap))
		}
		if !EqualFold(name, label) {
			flush()
			label = name
		}
		if enc == 'b' {
			pending = appendBase64(pending, text)
		} else {
			pending = appendQ(pending, text)
		}
		rest = rest[i+n:]
		afterWord = true
	}
	flush()
	out.WriteString(rawText(rest))
	return out.String()
}

// HasEncodedWord says whether s holds a well-formed encoded word.
func HasEncodedWord(s string) bool {
	for {
		i := strings.Index(s, "=?")
		if i < 0 {
			return false
		}
		if _, _, _, n := encodedWord(s[i:]); n > 0 {
			return true
		}
		s = s[i+2:]
	}
}

// encodedWord takes apart "=?charset?enc?text?=" at the start of s; n is its
// length, or 0. The search for the end stops at the next "=?", so that many
// unfinished words don't cost quadratic time.
func encodedWord(s string) (name string, enc byte, text string, n int) {
	i := strings.IndexByte(s[2:min(len(s), 2+maxCharsetName+1)], '?')
	if i <= 0 {
		return
	}
	name = s[2 : 2+i]
	p := 2 + i + 1
	if strings.ContainsAny(name, " \t\r\n\"<>@") || len(s) < p+2 || s[p+1] != '?' {
		return
	}
	enc = lower(s[p])
	if enc != 'b' && enc != 'q' {
		return
	}
	p += 2
	end := wordEnd(s, p)
	if end < 0 {
		return
	}
	text = s[p:end]
	if star := strings.IndexByte(name, '*'); star >= 0 { // RFC 2231 5: language
		name = name[:star]
	}
	return name, enc, text, end + 2
}

// wordEnd finds the "?=" that ends the encoded text beginning at p, or -1 where
// another word begins first.
func wordEnd(s string, p int) int {
	for i := p; ; i++ {
		j := strings.IndexByte(s[i:], '?')
		if j < 0 {
			return -1
		}
		i += j
		switch {
		case i+1 < len(s) && s[i+1] == '=':
			return i
		case i > p && s[i-1] == '=':
			return -1
		}
	}
}

// appendQ decodes the Q encoding.
func appendQ(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			dst = append(dst, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			dst = append(dst, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendBase64 decodes base64 and skips whatever isn't of its alphabet.
func appendBase64(dst []byte, s string) []byte {
	var acc uint32
	bits := 0
	for i := 0; i < len(s); i++ {
		v := base64Value[s[i]]
		if s[i] == '=' {
			acc, bits = 0, 0
			continue
		}
		if v == 0xff {
			continue
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			dst = append(dst, byte(acc>>bits))
		}
	}
	return dst
}

var base64Value = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	t['-'], t['_'] = 62, 63 // the URL alphabet turns up too
	return t
}()

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// rawText makes raw header bytes valid UTF-8.
func rawText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	t, _ := charset.Decode("utf-8", []byte(s))
	return t
}
