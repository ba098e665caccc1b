package scam

// accountNumber finds the first valid IBAN in text (ISO 13616): country, two check
// digits, up to thirty characters, in one piece or in groups of four.
func accountNumber(text string) string {
	tried := 0
	for i := 0; i+shortestIBAN <= len(text); i++ {
		if !digitByte(text[i+3]) {
			i++ // the next one needs it too
			continue
		}
		if !upper(text[i]) || !upper(text[i+1]) || !digitByte(text[i+2]) || i > 0 && alnum(text[i-1]) {
			continue
		}
		if tried++; tried > maxCandidates {
			return ""
		}
		if n := ibanAt(text[i:]); n > 0 {
			return text[i : i+n]
		}
	}
	return ""
}

// Lengths of an IBAN: Norway's and Malta's.
const (
	shortestIBAN = 15
	longestIBAN  = 34
)

// ibanAt returns the length in octets of the IBAN at the beginning of s, 0 for none.
func ibanAt(s string) int {
	var b [longestIBAN]byte
	n := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case upper(c) || digitByte(c):
			if n == longestIBAN {
				return 0
			}
			b[n] = c
			n++
			if n >= shortestIBAN && (i+1 == len(s) || !alnum(s[i+1])) && mod97(b[:n]) == 1 {
				return i + 1
			}
		case (c == ' ' || c == '-') && n%4 == 0 && i > 0 && alnum(s[i-1]):
		default:
			return 0
		}
	}
	return 0
}

// mod97 is the remainder of ISO 7064 MOD 97-10 with the first four characters moved
// to the end; 1 where the check digits are right.
func mod97(b []byte) int {
	r := 0
	for i := range b {
		c := b[(i+4)%len(b)]
		if digitByte(c) {
			r = (r*10 + int(c-'0')) % 97
		} else {
			r = (r*100 + int(c-'A') + 10) % 97
		}
	}
	return r
}

func upper(c byte) bool     { return c >= 'A' && c <= 'Z' }
func digitByte(c byte) bool { return c-'0' <= 9 }

// nextDigit is where the first digit of s from i on stands, len(s) for none.
func nextDigit(s string, i int) int {
	for i < len(s) && s[i]-'0' > 9 {
		i++
	}
	return i
}
