package author

import (
	"strings"
	"unicode"
)

// tables are the scripts told apart in a label. Japanese writes with three, and
// Korean and Chinese share one with it, so these count as one (UTS 39 5.1).
var tables = []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Hebrew, unicode.Arabic, unicode.Cherokee, unicode.Georgian, unicode.Thai, unicode.Devanagari}

// scripts counts the scripts of a label's letters.
func scripts(label string) int {
	seen := 0
	for _, r := range label {
		if !unicode.IsLetter(r) {
			continue
		}
		bit := 1 << len(tables) // all others
		for i, t := range tables {
			if unicode.Is(t, r) {
				bit = 1 << i
				break
			}
		}
		seen |= bit
	}
	n := 0
	for ; seen > 0; seen >>= 1 {
		n += seen & 1
	}
	return n
}

// alike are letters that common fonts draw like one of ASCII (Unicode TR 39,
// confusables), after lower case.
var alike = map[rune]byte{
	'а': 'a', 'е': 'e', 'о': 'o', 'р': 'p', 'с': 'c', 'у': 'y', 'х': 'x', 'і': 'i', 'ј': 'j', 'ѕ': 's', 'һ': 'h', 'ԁ': 'd', 'ԛ': 'q', 'ԝ': 'w',
	'ӏ': 'l', 'ɡ': 'g', 'ь': 'b', 'п': 'n', 'г': 'r', 'ⅼ': 'l', 'ν': 'v', 'ο': 'o', 'ι': 'i', 'α': 'a', 'ρ': 'p', 'υ': 'u', 'κ': 'k', 'τ': 't',
	'ı': 'i', 'ł': 'l', 'ø': 'o', 'đ': 'd', 'ħ': 'h', 'ɑ': 'a', 'ɩ': 'i', 'ո': 'n', 'ս': 'u', 'օ': 'o', 'հ': 'h', 'ց': 'g', 'զ': 'q', 'ԍ': 'g',
	'ḷ': 'l', 'ạ': 'a', 'ẹ': 'e', 'ị': 'i', 'ọ': 'o', 'ụ': 'u', 'ṃ': 'm', 'ṇ': 'n', 'ṣ': 's', 'ṭ': 't', 'ḍ': 'd', 'ḥ': 'h', 'ẓ': 'z', 'ṛ': 'r', 'ḳ': 'k',
}

// skeleton is the ASCII name that a label looks like, or "" where it has letters
// that look like none. Letters with plain accents (münchen) are names of their
// own; only what is drawn like ASCII counts.
func skeleton(label string) string {
	var b strings.Builder
	changed := false
	for _, r := range label {
		if r < 0x80 {
			b.WriteByte(byte(r))
			continue
		}
		c, ok := alike[r]
		if !ok {
			return ""
		}
		b.WriteByte(c)
		changed = true
	}
	if !changed {
		return ""
	}
	return b.String()
}
