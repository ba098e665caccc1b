package brand

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sluice/internal/disguise"
	"sluice/learn/text"
)

// maxWord is the longest word, in octets, that can be a name.
const maxWord = 64

// word is a run of letters and digits.
type word struct {
	start, end int32 // in the text as written
	from, to   int32 // in the folded text
	form       Form
	odd        bool // may be a name that is written with other characters
}

// folded is a text as words in lower case without accents, disguises undone, one
// behind the other without spaces.
type folded struct {
	raw   string
	buf   []byte
	words []word
}

// text is words i to j, joined.
func (f *folded) text(i, j int) string { return string(f.buf[f.words[i].from:f.words[j-1].to]) }

// gaps counts how many of the words i to j don't touch the one before.
func (f *folded) gaps(i, j int) (n int) {
	for k := i + 1; k < j; k++ {
		if f.words[k].start > f.words[k-1].end {
			n++
		}
	}
	return n
}

// squash is a text's letters and digits as names are compared.
func squash(s string) string {
	var f folded
	f.fold(s)
	return string(f.buf)
}

// fold reads all of s.
func (f *folded) fold(s string) {
	f.raw = s
	f.buf = slices.Grow(f.buf, len(s)+16)
	f.words = slices.Grow(f.words, len(s)/5+4)
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if class[c] == 0 {
				i++
				continue
			}
		} else if r, n := utf8.DecodeRuneInString(s[i:]); !unicode.IsLetter(r) && !unicode.IsDigit(r) && !dressed(r) {
			i += n
			continue
		}
		i = f.word(s, i)
	}
	f.closeUp()
}

// The classes of ASCII characters; 0 ends a word.
const (
	lower = iota + 1
	upper
	digit
)

var class = func() (t [256]uint8) {
	for c := range utf8.RuneSelf {
		switch {
		case 'a' <= c && c <= 'z':
			t[c] = lower
		case 'A' <= c && c <= 'Z':
			t[c] = upper
		case '0' <= c && c <= '9':
			t[c] = digit
		}
	}
	return t
}()

// dressed says whether a character that is no letter for Unicode is drawn as one:
// circled and squared letters.
func dressed(r rune) bool {
	return r >= 0x249c && r <= 0x24e9 || r >= 0x1f110 && r <= 0x1f189
}

// sign says whether the character at s[i] belongs to the word around it: "AT&T",
// "P@yPal", and "+" at the end of one.
func sign(s string, i int) bool {
	if i == 0 || class[s[i-1]] == 0 {
		return false
	}
	switch s[i] {
	case '&', '@', '$':
		return i+1 < len(s) && class[s[i+1]] != 0
	case '+':
		return i+1 == len(s) || class[s[i+1]] == 0
	}
	return false
}

// word reads the word at i and returns where it ends. ASCII is the quick way.
func (f *folded) word(s string, i int) int {
	w := word{start: int32(i), from: int32(len(f.buf))}
	last, digits, letters := uint8(0), false, false
	before := byte(0) // as folded
	for ; i < len(s); i++ {
		c := s[i]
		k := class[c]
		switch {
		case c >= utf8.RuneSelf:
			return f.wide(s, w)
		case k == 0 && !sign(s, i):
			f.add(w, i, digits && letters)
			return i
		case k == 0:
			w.odd = w.odd || c == '@' || c == '$'
		case k == upper:
			w.odd = w.odd || c == 'I' && last == lower // "PayPaI"
			c |= 0x20
		case k == digit:
			digits = true
		}
		letters = letters || k == lower || k == upper
		if c == 'n' && before == 'r' || c == 'v' && before == 'v' || before == 0 && c == 'l' && k == lower {
			w.odd = true
		}
		f.buf = append(f.buf, c)
		before, last = c, k
	}
	f.add(w, i, digits && letters)
	return i
}

func (f *folded) add(w word, end int, mixed bool) {
	w.end, w.to = int32(end), int32(len(f.buf))
	w.odd = w.odd || mixed
	if w.to-w.from > maxWord || w.to == w.from {
		f.buf = f.buf[:w.from]
		return
	}
	f.words = append(f.words, w)
}

// wide reads a word with characters outside ASCII, from its beginning.
func (f *folded) wide(s string, w word) int {
	f.buf = f.buf[:w.from]
	i, cjk := int(w.start), false
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < utf8.RuneSelf {
			if class[s[i]] == 0 {
				break
			}
		} else if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !dressed(r) && !invisible(r) || r == utf8.RuneError && n < 2 {
			break
		}
		if sp := spaceless(r); i == int(w.start) {
			cjk = sp
		} else if sp != cjk && !unicode.IsMark(r) && !invisible(r) {
			break
		}
		i += n
	}
	if i == int(w.start) { // octets that are no text
		return i + 1
	}
	raw := s[w.start:i]
	if cjk {
		f.buf = norm.NFKC.AppendString(f.buf, raw)
		w.end, w.to = int32(i), int32(len(f.buf))
		f.words = append(f.words, w)
		return i
	}
	if len(raw) > 4*maxWord {
		return i
	}
	f.plain(raw, &w)
	f.add(w, i, false)
	return i
}

// plain appends a word without its disguises.
func (f *folded) plain(raw string, w *word) {
	m := disguise.Scan(raw)
	if m.Styled > 0 {
		w.form |= Styled
	}
	if m.Invisible > 0 {
		w.form |= Hidden
	}
	for _, r := range norm.NFKD.String(raw) {
		r = unicode.ToLower(r)
		switch {
		case unicode.In(r, unicode.Mn, unicode.Cf) || invisible(r):
		case r == 'ß':
			f.buf = append(f.buf, "ss"...)
		case r == 'æ':
			f.buf = append(f.buf, "ae"...)
		case r == 'ø':
			f.buf = append(f.buf, 'o')
		case r == 'ł':
			f.buf = append(f.buf, 'l')
		case r == 'đ':
			f.buf = append(f.buf, 'd')
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			f.buf = utf8.AppendRune(f.buf, r)
		}
	}
	if skeleton, ok := text.AppendSkeleton(nil, f.buf[w.from:]); ok {
		f.buf = append(f.buf[:w.from], skeleton...)
		w.form |= Alike
	}
}

func invisible(r rune) bool {
	return r == 0xad || r >= 0x200b && r <= 0x200f || r >= 0x2060 && r <= 0x2064 || r == 0xfeff || r == 0x034f || r == 0x180e
}

// spaceless scripts write words without spaces between them.
func spaceless(r rune) bool {
	return r >= 0x3040 && r <= 0x30ff && r != 0x30fb || r >= 0x3400 && r <= 0x9fff || r >= 0xf900 && r <= 0xfaff
}

// leastApart is how many single letters in a row are taken for a word.
const leastApart = 4

// closeUp makes one word of letters that stand apart: "P a y P a l".
func (f *folded) closeUp() {
	first := 0
	for run := 0; run < leastApart; first++ { // most texts have none
		if first == len(f.words) {
			return
		}
		if run++; !f.single(first) {
			run = 0
		}
	}
	first -= leastApart
	out := f.words[:first]
	for i := first; i < len(f.words); {
		n := i
		for n < len(f.words) && f.single(n) && (n == i || f.words[n].start-f.words[n-1].end <= 2 && f.words[n].start > f.words[n-1].end) {
			n++
		}
		if n-i < leastApart || f.words[n-1].to-f.words[i].from > maxWord {
			n = max(n, i+1)
			out = append(out, f.words[i:n]...)
			i = n
			continue
		}
		w := f.words[i]
		w.end, w.to = f.words[n-1].end, f.words[n-1].to
		for _, o := range f.words[i:n] {
			w.form |= o.form
		}
		w.form |= Apart
		out = append(out, w)
		i = n
	}
	f.words = out
}

func (f *folded) single(i int) bool {
	w := &f.words[i]
	n := w.to - w.from
	return n == 1 || n <= utf8.UTFMax && utf8.RuneCount(f.buf[w.from:w.to]) == 1
}

// stands is what a letter can be replaced by.
var stands = map[byte]string{'a': "4@", 'b': "8", 'e': "3", 'g': "9", 'i': "1", 'l': "1I", 'o': "0", 's': "5$", 't': "7", 'z': "2"}

// shape appends a word with all that can stand for each other made one.
func shape(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case i+1 < len(s) && c == 'r' && s[i+1] == 'n':
			c = 'm'
			i++
		case i+1 < len(s) && c == 'v' && s[i+1] == 'v':
			c = 'w'
			i++
		default:
			c = shapes[c]
		}
		dst = append(dst, c)
	}
	return dst
}

var shapes = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if class[c] == upper {
			t[c] |= 0x20
		}
	}
	for letter, others := range stands {
		for i := range len(others) {
			t[others[i]] = letter
		}
	}
	t['i'], t['I'], t['1'] = 'l', 'l', 'l'
	return t
}()

// resembles says whether raw, as written, looks like name, which is squashed.
func resembles(raw, name string) bool {
	i, changed := 0, false
	for k := 0; k < len(name); k++ {
		if i == len(raw) {
			return false
		}
		c, low := raw[i], raw[i]
		if class[c] == upper {
			low |= 0x20
		}
		switch {
		case low == name[k]:
		case strings.IndexByte(stands[name[k]], c) >= 0, c == 'l' && name[k] == 'i' && i == 0:
			changed = true
		case name[k] == 'm' && strings.HasPrefix(raw[i:], "rn"), name[k] == 'w' && strings.HasPrefix(raw[i:], "vv"):
			changed = true
			i++
		default:
			return false
		}
		i++
	}
	return changed && i == len(raw)
}
