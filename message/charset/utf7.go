package charset

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decodeUTF7 reads UTF-7 (RFC 2152): base64 of UTF-16 between "+" and "-".
func decodeUTF7(b []byte) (string, bool) {
	var out strings.Builder
	out.Grow(len(b))
	ok := true
	for i := 0; i < len(b); {
		c := b[i]
		if c != '+' {
			if c >= utf8.RuneSelf { // not UTF-7 at all
				return guess(b), false
			}
			out.WriteByte(c)
			i++
			continue
		}
		i++
		if i < len(b) && b[i] == '-' {
			out.WriteByte('+')
			i++
			continue
		}
		var acc uint32
		var high rune
		bits := 0
		for ; i < len(b); i++ {
			v := utf7Value(b[i])
			if v < 0 {
				break
			}
			acc = acc<<6 | uint32(v)
			if bits += 6; bits < 16 {
				continue
			}
			bits -= 16
			unit := rune(acc >> bits & 0xffff)
			switch {
			case high != 0:
				r := utf16.DecodeRune(high, unit)
				ok = ok && r != utf8.RuneError
				out.WriteRune(r)
				high = 0
			case utf16.IsSurrogate(unit):
				high = unit
			default:
				out.WriteRune(unit)
			}
		}
		if high != 0 {
			out.WriteRune(utf8.RuneError)
			ok = false
		}
		if i < len(b) && b[i] == '-' {
			i++
		}
	}
	return out.String(), ok
}

func utf7Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
