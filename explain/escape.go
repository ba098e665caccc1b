package explain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may pile up on one letter.
const maxMarks = 4

// Escape makes hostile text safe to show on one line of a terminal, a log or a
// page: control characters, escape sequences, invisible and direction-changing
// characters, tags and broken UTF-8 become visible escapes (\n, \x1b, \u{202e}),
// a backslash becomes two. Nothing is dropped, so no two texts look alike that
// differ in such characters. The result has at most limit bytes; where the text
// was longer it ends with "…".
func Escape(s string, limit int) string { return escape(s, limit, "…", false) }

// ASCII is [Escape] for places that take printable ASCII only, such as SMTP
// replies: other characters become \u{…} too, and the cut is marked with "...".
func ASCII(s string, limit int) string { return escape(s, limit, "...", true) }

func escape(s string, limit int, ellipsis string, ascii bool) string {
	if len(s) <= limit && plain(s) {
		return s
	}
	if limit < len(ellipsis) { // too little for a cut that shows
		return strings.Repeat(".", max(limit, 0))
	}
	// Never more memory than the result needs, however long s is.
	b := make([]byte, 0, min(len(s)+16, limit))
	keep := 0 // how much of b stays where the ellipsis must follow
	marks := 0
	var last rune
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			marks++
		} else {
			marks = 0
		}
		var buf [12]byte
		piece := appendRune(buf[:0], s[:n], r, last, ascii || marks > maxMarks)
		if len(b)+len(piece) > limit {
			return string(b[:keep]) + ellipsis
		}
		b = append(b, piece...)
		if len(b)+len(ellipsis) <= limit {
			keep = len(b)
		}
		s, last = s[n:], r
	}
	return string(b)
}

// plain says whether s needs no change.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// appendRune writes one character, of the bytes raw, after last.
func appendRune(b []byte, raw string, r, last rune, ascii bool) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return append(b, '\\', 'x', hexDigits[raw[0]>>4], hexDigits[raw[0]&15])
	case r == '\\':
		return append(b, `\\`...)
	case r == '\n':
		return append(b, `\n`...)
	case r == '\r':
		return append(b, `\r`...)
	case r == '\t':
		return append(b, `\t`...)
	case r < ' ' || r == 0x7f:
		return append(b, '\\', 'x', hexDigits[r>>4], hexDigits[r&15])
	case r <= '~':
		return append(b, byte(r))
	case !ascii && visible(r, last):
		return append(b, raw...)
	}
	b = append(b, `\u{`...)
	digits := 4
	for v := r >> 16; v > 0; v >>= 4 {
		digits++
	}
	for i := digits - 1; i >= 0; i-- {
		b = append(b, hexDigits[r>>(4*i)&15])
	}
	return append(b, '}')
}

// visible says whether a character beyond ASCII shows as itself: printable by
// Unicode's categories, and not one of those that have a category of letters or
// marks but no shape (Default_Ignorable_Code_Point, UAX 44; and the blanks).
func visible(r, last rune) bool {
	switch {
	case r == 0xfe0f || r == 0xfe0e: // emoji or text form of the symbol before it
		return unicode.Is(unicode.So, last)
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Variation_Selector, r):
		return false
	case r == 0x2800: // braille blank
		return false
	case r == 0x3000: // the space of CJK text
		return true
	}
	return unicode.IsPrint(r)
}

// oneLine folds white space of our own texts.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
