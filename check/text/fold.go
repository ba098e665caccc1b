package text

import (
	"unicode"
	"unicode/utf8"
)

// maxFold is how much of a text is searched for set phrases.
const maxFold = 64 << 10

// fold prepares text for the lexicon: lower case, one space for any run of white
// space, plain apostrophes, no invisible characters, no accents on Latin
// letters.
func fold(s string) []byte {
	if len(s) > maxFold {
		s = s[:maxFold]
	}
	out := make([]byte, 0, len(s)+2)
	out = append(out, ' ')
	space := true
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c <= ' ' || c == 0x7f:
				if !space {
					out = append(out, ' ')
					space = true
				}
				continue
			case c >= 'A' && c <= 'Z':
				c += 'a' - 'A'
			}
			out = append(out, c)
			space = false
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case unicode.IsSpace(r):
			if !space {
				out = append(out, ' ')
				space = true
			}
			continue
		case r == '’' || r == '‘' || r == 'ʼ':
			out = append(out, '\'')
		case r >= 0x200b && r <= 0x200f || r == 0x2060 || r == 0xfeff || r == 0xad || r >= 0x300 && r <= 0x36f:
			continue
		case int(r) < len(unaccented):
			out = append(out, unaccented[r]...)
		default:
			out = utf8.AppendRune(out, unicode.ToLower(r))
		}
		space = false
	}
	return append(out, ' ')
}

// unaccented holds the letters of Latin-1 and Latin Extended-A in lower case
// and without their accents.
var unaccented = func() (table [0x180]string) {
	for r := range rune(len(table)) {
		table[r] = string(unicode.ToLower(r))
	}
	for plain, accented := range map[string]string{
		"a": "àáâãäåāăą", "c": "çćĉċč", "d": "ďđ", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥħ", "i": "ìíîïĩīĭįı", "j": "ĵ", "k": "ķ",
		"l": "ĺļľŀł", "n": "ñńņň", "o": "òóôõöøōŏő", "r": "ŕŗř", "s": "śŝşš", "t": "ţťŧ", "u": "ùúûüũūŭůűų", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
		"ss": "ß", "ae": "æ", "oe": "œ",
	} {
		for _, r := range accented {
			table[r] = plain
			if u := unicode.ToUpper(r); u != r && u < rune(len(table)) && u >= 0x80 {
				table[u] = plain
			}
		}
	}
	table['İ'] = "i"
	return table
}()
