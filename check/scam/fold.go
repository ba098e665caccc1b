package scam

import (
	"unicode"
	"unicode/utf8"
)

// Word characters of normalised text, by octet.
const (
	other  = iota // parts words
	letter        // a–z
	digit         // all digits are "0" here
	sign          // a word of its own
	stop          // may end a sentence
	wide          // the first octet of something beyond ASCII
)

var kinds = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = wide
		case c >= 'a' && c <= 'z':
			t[c] = letter
		case c == '0':
			t[c] = digit
		case c == '%' || c == '$':
			t[c] = sign
		case c == '.' || c == '!' || c == '?':
			t[c] = stop
		}
	}
	return t
}()

// ideographs is where scripts begin that put no spaces between words: there, every
// character is a word.
const ideographs = 0x2e80

// walker splits normalised text into words without accents. It is the slow twin of
// lexicon.scan, used for the lexicon itself; a test holds them together.
type walker struct {
	word func([]byte)
	end  func() // of a sentence; may be nil
}

func (w *walker) walk(b []byte) {
	var cur []byte
	flush := func() {
		if len(cur) > 0 {
			w.word(cur)
			cur = cur[:0]
		}
	}
	for i := 0; i < len(b); {
		c := b[i]
		switch kinds[c] {
		case letter:
			cur = append(cur, c)
		case digit:
			if len(cur) == 0 || cur[len(cur)-1] != '0' {
				cur = append(cur, '0')
			}
			i = number(b, i)
			continue
		case sign:
			flush()
			w.word(b[i : i+1])
		case wide:
			r, n := utf8.DecodeRune(b[i:])
			switch {
			case int(r) < len(unaccented) && unaccented[r] != "":
				cur = append(cur, unaccented[r]...)
			case !wordRune(r):
				flush()
				if r == '€' || r == '£' {
					w.word(b[i : i+n])
				}
			case r >= ideographs:
				flush()
				w.word(b[i : i+n])
			default:
				cur = append(cur, b[i:i+n]...)
			}
			i += n
			continue
		default:
			flush()
			if kinds[c] == stop && w.end != nil && (i+1 == len(b) || b[i+1] == ' ') {
				w.end()
			}
		}
		i++
	}
	flush()
}

// number returns the end of the number at i: its digits, and what groups them.
func number(b []byte, i int) int {
	for i < len(b) && (b[i] == '0' || (b[i] == ',' || b[i] == '.') && i+1 < len(b) && b[i+1] == '0') {
		i++
	}
	return i
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// unaccented holds the lower-case letters of Latin-1 and Latin Extended-A without
// their accents, "" for those that have none.
var unaccented = func() (table [0x180]string) {
	for plain, accented := range map[string]string{
		"a": "àáâãäåāăą", "c": "çćĉċč", "d": "ďđ", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥħ", "i": "ìíîïĩīĭįı", "j": "ĵ", "k": "ķ",
		"l": "ĺļľŀł", "n": "ñńņň", "o": "òóôõöøōŏő", "r": "ŕŗř", "s": "śŝşšſ", "t": "ţťŧ", "u": "ùúûüũūŭůűų", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
		"ss": "ß", "ae": "æ", "oe": "œ",
	} {
		for _, r := range accented {
			table[r] = plain
		}
	}
	return table
}()
