// Package disguise finds the ways in which writing is made to look one way to
// people and another way to machines: characters without width inside words,
// letters of two scripts in one word, styled letters, controls of direction.
// Unicode TR 36 and UTS 39 describe them.
package disguise

import (
	"unicode"
	"unicode/utf8"
)

// Marks counts what Scan found.
type Marks struct {
	Invisible int // characters without width between two letters or digits of one word
	Mixed     int // words of Latin letters with look-alikes of another script among them
	Styled    int // letters from blocks meant for mathematics or decoration
	Bidi      int // overrides and isolates of direction
	Tags      int // tag characters (U+E0000 block) outside flags
	First     int // byte offset of the first mark, -1 for none
}

// Any says whether there is any mark.
func (m Marks) Any() bool { return m.First >= 0 }

// Scan reads s once. Text in ASCII has no marks and costs next to nothing.
func Scan(s string) Marks {
	sc := scanner{marks: Marks{First: -1}}
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if !wordOctet(c) {
				sc.flag = false
				sc.endWord()
				i = skip(s, i+1)
				continue
			}
			sc.ascii(c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		sc.rune(r, i)
		i += n
	}
	sc.endWord()
	return sc.marks
}

// skip returns where the word begins that holds the next octet outside ASCII:
// until there, nothing can be found.
func skip(s string, i int) int {
	j := i
	for j < len(s) && s[j] < utf8.RuneSelf {
		j++
	}
	for j > i && wordOctet(s[j-1]) {
		j--
	}
	return j
}

func wordOctet(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}

// scanner carries the state of the word it stands in.
type scanner struct {
	marks     Marks
	latin     int // Latin letters in the word
	alike     int // letters of other scripts that look Latin
	foreign   int // letters of other scripts that don't
	start     int // offset of the first look-alike
	pending   int // invisible characters since the last letter
	pendingAt int
	joining   bool // the last letter was of a script without joiners
	flag      bool // after U+1F3F4, where tag characters spell a flag
}

func (s *scanner) ascii(c byte) {
	s.flag = false
	s.letter()
	if c > '9' {
		s.latin++
	}
}

// letter meets a letter or digit of a script whose words have no invisible
// characters.
func (s *scanner) letter() {
	s.confirm()
	s.joining = true
}

// confirm counts invisible characters that turn out to stand inside a word.
func (s *scanner) confirm() {
	if s.pending > 0 && s.joining {
		s.marks.Invisible += s.pending
		s.mark(s.pendingAt)
	}
	s.pending = 0
}

func (s *scanner) endWord() {
	if s.alike > 0 && s.latin > 0 && s.foreign == 0 && s.latin+s.alike >= 3 {
		s.marks.Mixed++
		s.mark(s.start)
	}
	s.latin, s.alike, s.foreign, s.pending, s.joining = 0, 0, 0, 0, false
}

func (s *scanner) mark(at int) {
	if s.marks.First < 0 || at < s.marks.First {
		s.marks.First = at
	}
}

func (s *scanner) rune(r rune, at int) {
	switch {
	case invisible(r):
		if s.pending++; s.pending == 1 {
			s.pendingAt = at
		}
	case r >= 0x202a && r <= 0x202e && r != 0x202c || r >= 0x2066 && r <= 0x2068:
		s.marks.Bidi++
		s.mark(at)
	case r >= 0xe0020 && r <= 0xe007f:
		if !s.flag {
			s.marks.Tags++
			s.mark(at)
		}
	case r == 0x1f3f4:
		s.endWord()
		s.flag = true
	case styled(r):
		s.letter()
		s.latin++
		s.marks.Styled++
		s.mark(at)
	case r >= 0x334 && r <= 0x338: // struck through, a decoration
		s.marks.Styled++
		s.mark(at)
	case r == 0x00ad || r >= 0x300 && r <= 0x36f:
		// A soft hyphen or an accent is part of the word.
	case r >= 0xc0 && r <= 0x24f && r != '×' && r != '÷':
		s.letter()
		s.latin++
	case r >= 0x370 && r <= 0x52f: // Greek and Cyrillic
		s.letter()
		if !looksLatin(r) {
			s.foreign++
		} else if s.alike++; s.alike == 1 {
			s.start = at
		}
	case unicode.IsLetter(r):
		// Words of other scripts may hold joiners (Arabic, Indic scripts).
		s.foreign++
		s.pending, s.joining = 0, false
	default:
		s.endWord()
	}
}

// invisible characters have no width and no place inside a Latin, Greek or
// Cyrillic word. The soft hyphen isn't one of them: newsletters use it rightly.
func invisible(r rune) bool {
	switch r {
	case 0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0xfeff, 0x180e, 0x034f, 0x115f, 0x1160, 0x3164, 0xffa0:
		return true
	}
	return false
}

// styled letters: mathematical alphanumerics, full-width, circled, squared and
// parenthesised Latin, and the small capitals of the phonetic blocks. Numbers
// in circles are left out: people number lists with them.
func styled(r rune) bool {
	switch {
	case r >= 0x1d400 && r <= 0x1d7ff, // mathematical alphanumeric symbols
		r >= 0xff21 && r <= 0xff3a, r >= 0xff41 && r <= 0xff5a, // full-width
		r >= 0x249c && r <= 0x24e9,   // parenthesised and circled
		r >= 0x1f110 && r <= 0x1f169, // parenthesised, squared, negative circled
		r >= 0x1f170 && r <= 0x1f189: // negative squared; A, B, O, P are emoji too
		return r != 0x1f170 && r != 0x1f171 && r != 0x1f17e && r != 0x1f17f
	case r >= 0x1d00 && r <= 0x1d22, r == 0xa730, r == 0xa731: // small capitals
		return true
	case r >= 0x250 && r <= 0x2af: // small capitals among the phonetic letters
		switch r {
		case 0x262, 0x26a, 0x274, 0x276, 0x280, 0x281, 0x28f, 0x299, 0x29c, 0x29f:
			return true
		}
	}
	return false
}

// looksLatin holds the Cyrillic and Greek letters that common fonts draw just
// like a Latin one. Those that only resemble (к, в, н, м, т) are left out, since
// Russian adds endings to Latin words.
func looksLatin(r rune) bool {
	switch r {
	case 'а', 'е', 'о', 'р', 'с', 'у', 'х', 'і', 'ј', 'ѕ', 'һ', 'ԁ', 'ԛ', 'ԝ', 'ӏ',
		'А', 'В', 'Е', 'К', 'М', 'Н', 'О', 'Р', 'С', 'Т', 'Х', 'І', 'Ј', 'Ѕ', 'Ү',
		'ο', 'ν', 'ι', 'Α', 'Β', 'Ε', 'Ζ', 'Η', 'Ι', 'Κ', 'Μ', 'Ν', 'Ο', 'Ρ', 'Τ', 'Υ', 'Χ':
		return true
	}
	return false
}
