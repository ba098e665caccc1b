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
		case r < 0x180:
			out = append(out, latin(r)...)
		default:
			out = utf8.AppendRune(out, unicode.ToLower(r))
		}
		space = false
	}
	return append(out, ' ')
}

// latin is a letter of the Latin-1 or Latin Extended-A block without its accent.
func latin(r rune) string {
	const from = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįıĵķĺļľŀłńņňōŏőŕŗřśŝşšţťŧũūŭůűųŵŷźżž"
	const to = "aaaaaaceeeeiiiinoooooouuuuyyaaaccccddeeeeegggghhiiiiijklllllnnnooorrrssssttuuuuuuuwyzzz"
	switch r = unicode.ToLower(r); r {
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	}
	i := 0
	for _, f := range from {
		if f == r {
			return to[i : i+1]
		}
		i++
	}
	return string(r)
}
