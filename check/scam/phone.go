package scam

import (
	"strings"
	"unicode/utf8"
)

// phone finds a telephone number: ten digits in groups of 3, 3 and 4 with an optional
// 1 before (North America), or nine to fourteen behind a "+" in two groups and more.
// Callback fraud hides its number from filters, so the letter O stands for a zero here,
// and anything that people see as a gap is one.
func phone(s string) string {
	tried := 0
	for i := nextDigit(s, 0); i < len(s); i = nextDigit(s, i+1) {
		if i > 0 && (alnum(s[i-1]) || s[i-1] == '.' || s[i-1] == ',') {
			continue
		}
		if tried++; tried > maxNumbers {
			return ""
		}
		plus := i > 0 && s[i-1] == '+'
		digits, groups, end, gap := 0, 1, i, 0
		for j := i; j < len(s) && digits < 16 && gap <= 3; {
			if digitByte(s[j]) || s[j]|0x20 == 'o' && (gap == 0 || j+1 < len(s) && digitByte(s[j+1])) {
				if gap > 0 {
					groups++
				}
				digits++
				gap = 0
				j++
				end = j
				continue
			}
			n := separatorAt(s[j:])
			if n == 0 {
				break
			}
			gap++
			j += n
		}
		if end < len(s) && alnum(s[end]) {
			i = end
			continue
		}
		north := digits == 10 && groups == 3 || digits == 11 && groups == 4 && s[i] == '1'
		if north || plus && digits >= 9 && digits <= 14 && (groups >= 2 || digits >= 11) {
			return s[i:end]
		}
		i = max(i, end-1)
	}
	return ""
}

// maxNumbers bounds how many numbers of a text are looked at.
const maxNumbers = 200

// separatorAt is the length of what may part the digits of a telephone number at the
// beginning of s, 0 for anything else.
func separatorAt(s string) int {
	if strings.IndexByte(" -.()/_*~", s[0]) >= 0 {
		return 1
	}
	switch r, n := utf8.DecodeRuneInString(s); r {
	case '\u00a0', '\u2009', '\u202f', '–', '—', '‑', '‒', '·', '•', '\u200b', '\u200c', '\u200d', '\u2060':
		return n
	}
	return 0
}
