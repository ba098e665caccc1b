package text

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// appendNormal appends s as the learner sees it: compatibility forms composed
// (NFKC), lower case, invisible characters dropped, look-alikes of other scripts
// inside Latin words turned back, digits as "0", runs of white space as one
// space or wideGap. Each of these undoes a trick that makes known words unknown, at no cost
// to honest text. Octets that aren't UTF-8 become spaces. It appends at most
// limit octets.
func appendNormal(dst []byte, s string, limit int) []byte {
	start := len(dst)
	limit += start
	for i := 0; i < len(s) && len(dst) < limit; {
		if n := plainRun(s, i, limit-len(dst)); n > i {
			dst = appendPlain(dst, s[i:n], start)
			i = n
			continue
		}
		n := slowRun(s, i)
		var next byte
		if n < len(s) {
			next = s[n]
		}
		dst = appendUnicode(dst, s[i:n], next, start)
		i = n
	}
	if len(dst) > limit {
		dst = dst[:limit]
	}
	return dst
}

// plainRun returns the end of the ASCII at i, at most most octets on. A letter before another character
// belongs to the slow run: NFKC composes it with a combining mark.
func plainRun(s string, i, most int) int {
	n, end := i, min(len(s), i+most)
	for n < end && s[n] < utf8.RuneSelf {
		n++
	}
	if n > i && n < len(s) && s[n] >= utf8.RuneSelf && s[n-1] > ' ' {
		n--
	}
	return n
}

// appendPlain appends ASCII.
func appendPlain(dst []byte, s string, start int) []byte {
	w := len(dst)
	dst = slices.Grow(dst, len(s))[:w+len(s)]
	for i := range len(s) {
		if l := plain[s[i]]; l != 0 {
			dst[w] = l
			w++
			continue
		}
		switch {
		case w == start:
		case dst[w-1] == ' ':
			dst[w-1] = wideGap
		case dst[w-1] != wideGap:
			dst[w] = ' '
			w++
		}
	}
	return dst[:w]
}

// slowRun returns the end of the run at i that holds characters beyond ASCII: up
// to the next two ASCII octets in a row, at most about 256 octets.
func slowRun(s string, i int) int {
	end := min(len(s), i+256)
	n := i + 1
	for ; n < end; n++ {
		if s[n] < utf8.RuneSelf && (n+1 == len(s) || s[n+1] < utf8.RuneSelf) {
			return n
		}
	}
	for k := 0; k < utf8.UTFMax && n < len(s) && !utf8.RuneStart(s[n]); k++ {
		n++ // not in the middle of a character
	}
	return n
}

// plain is what ASCII is read as; 0 is white space.
var plain = func() (t [256]byte) {
	for c := range utf8.RuneSelf {
		switch {
		case 'A' <= c && c <= 'Z':
			t[c] = byte(c) + 'a' - 'A'
		case '0' <= c && c <= '9':
			t[c] = '0'
		case c > ' ' && c != 0x7f:
			t[c] = byte(c)
		}
	}
	return t
}()

// wideGap stands for two white spaces and more until closeLetterspacing has seen
// them: in "b u y   n o w" they part the words.
const wideGap = 1

func appendSpace(dst []byte, start int) []byte {
	switch n := len(dst); {
	case n == start:
		return dst
	case dst[n-1] == ' ':
		dst[n-1] = wideGap
		return dst
	case dst[n-1] == wideGap:
		return dst
	}
	return append(dst, ' ')
}

// appendUnicode is the slow path of appendNormal for one run; next is the octet
// behind the run, 0 at the end.
func appendUnicode(dst []byte, s string, next byte, start int) []byte {
	var buf [1024]byte
	b := norm.NFKC.AppendString(buf[:0], s)
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			if l := plain[b[0]]; l != 0 {
				dst = append(dst, l)
			} else {
				dst = appendSpace(dst, start)
			}
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case r == utf8.RuneError, unicode.IsSpace(r):
			dst = appendSpace(dst, start)
		case invisible(r):
		case unicode.IsDigit(r):
			dst = append(dst, '0')
		default:
			r = unicode.ToLower(r)
			after := next
			if len(b) > 0 {
				after = b[0]
			}
			if l := lookalike(r); l != 0 && (len(dst) > start && letter(dst[len(dst)-1]) || letter(after)) {
				dst = append(dst, l)
				continue
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// invisible says whether r shows nothing of its own: format characters (zero
// width space and joiners, soft hyphen, bidi controls, tags), variation
// selectors, fillers, and marks that NFKC could not compose with their letter.
func invisible(r rune) bool {
	switch r {
	case 0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800:
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Cf, unicode.Me) || unicode.Is(unicode.Variation_Selector, r)
}

// lookalike returns the Latin letter that the lower-case Cyrillic, Greek or
// Armenian letter r can be taken for, 0 for none (after UTS 39, the pairs that
// are alike in common fonts).
func lookalike(r rune) byte {
	switch r {
	case 'а', 'α':
		return 'a'
	case 'в', 'β', 'ь':
		return 'b'
	case 'с', 'ϲ':
		return 'c'
	case 'ԁ':
		return 'd'
	case 'е', 'ё', 'є', 'ε':
		return 'e'
	case 'һ', 'հ':
		return 'h'
	case 'і', 'ι', 'ї', 'ı':
		return 'i'
	case 'ј':
		return 'j'
	case 'к', 'κ':
		return 'k'
	case 'ӏ':
		return 'l'
	case 'м':
		return 'm'
	case 'п', 'η', 'ո':
		return 'n'
	case 'о', 'ο', 'օ', 'σ':
		return 'o'
	case 'р', 'ρ':
		return 'p'
	case 'ԛ':
		return 'q'
	case 'г':
		return 'r'
	case 'ѕ':
		return 's'
	case 'т', 'τ':
		return 't'
	case 'υ', 'ս':
		return 'u'
	case 'ν', 'ѵ':
		return 'v'
	case 'ԝ', 'ω':
		return 'w'
	case 'х', 'χ':
		return 'x'
	case 'у', 'γ':
		return 'y'
	}
	return 0
}

// closeLetterspacing joins runs of three and more single letters that stand apart
// ("v i a g r a", "p-h-a-r-m"), in place, makes wide gaps spaces, and returns the
// shorter text and how many words of four letters and more it joined.
func closeLetterspacing(b []byte) (short []byte, joined int) {
	const least = 3
	w := 0
	for i := 0; i < len(b); {
		n := i
		if i+1 < len(b) && separator[b[i+1]] {
			n = spacedRun(b, i)
		}
		if (n-i+1)/2 >= least {
			if (n-i+1)/2 > least { // "U.S.A." hides nothing
				joined++
			}
			for k := i; k < n; k += 2 {
				b[w] = b[k]
				w++
			}
			i = n
			continue
		}
		// To the end of the word: no run begins inside of it.
		for letters := true; letters && i < len(b); i++ {
			c := b[i]
			letters = inWord[c]
			if c == wideGap {
				c = ' '
			}
			b[w] = c
			w++
		}
	}
	return b[:w], joined
}

var inWord = func() (t [256]bool) {
	for c := range t {
		t[c] = letter(byte(c)) || c >= utf8.RuneSelf
	}
	return t
}()

// spacedRun returns the end of the run "x y z" at i: letters with one same
// separator between each two and none beside them; i where there is none.
func spacedRun(b []byte, i int) int {
	n := i
	for n < len(b) && letter(b[n]) && (n+1 == len(b) || !letter(b[n+1]) && b[n+1] < utf8.RuneSelf) {
		if n+1 == len(b) || !separator[b[n+1]] || b[n+1] != b[i+1] {
			return n + 1
		}
		n += 2
	}
	if n == i {
		return i
	}
	return n - 1
}

// separator are the characters that part letters.
var separator = [256]bool{' ': true, '.': true, '-': true, '_': true, '*': true}
