package scam

import "strings"

// millions says whether text names a sum of a million and more, written with
// separators (1,000,000 or 1.000.000), or as "10.5 million" beside a currency.
func millions(text string) bool { return bigSum(text) || millionWord(text) }

func bigSum(s string) bool {
	for i := nextDigit(s, 0); i < len(s); i = nextDigit(s, i+1) {
		if i > 0 && (alnum(s[i-1]) || s[i-1] == '.' || s[i-1] == ',') {
			continue
		}
		j := i
		for j < len(s) && digitByte(s[j]) {
			j++
		}
		if j-i > 3 || j >= len(s) || s[j] != ',' && s[j] != '.' {
			i = j
			continue
		}
		sep, groups := s[j], 0
		for j+3 < len(s) && s[j] == sep && digitByte(s[j+1]) && digitByte(s[j+2]) && digitByte(s[j+3]) && (j+4 == len(s) || !digitByte(s[j+4])) {
			groups++
			j += 4
		}
		if groups >= 2 && !(j < len(s) && s[j] == sep && j+1 < len(s) && alnum(s[j+1])) {
			return true
		}
		i = j
	}
	return false
}

// millionWord finds a number with "million" behind it, in whatever language begins it
// with "mill", and a currency at either end: "$10.5million", "gbp 6.350 million",
// "2 Millionen US-Dollar".
func millionWord(s string) bool {
	for at, tried := 0, 0; tried < maxNumbers; tried++ {
		i := indexMill(s[at:])
		if i < 0 {
			return false
		}
		i += at
		at = i + 4
		start := i
		for start > 0 && i-start < 20 && (s[start-1] == ' ' || s[start-1] == '.' || s[start-1] == ',' || digitByte(s[start-1])) {
			start--
		}
		if !strings.ContainsAny(s[start:i], "0123456789") {
			continue
		}
		near := strings.ToLower(s[max(0, start-5):min(len(s), i+28)])
		for _, c := range []string{"$", "€", "£", "usd", "eur", "gbp", "dollar", "dolar", "dólar", "pound"} {
			if strings.Contains(near, c) {
				return true
			}
		}
	}
	return false
}

// indexMill finds "mill" in s, in any case; -1 for none. What its fourth letter can't be
// is stepped over.
func indexMill(s string) int {
	for i := 3; i < len(s); {
		switch s[i] | 0x20 {
		case 'l':
			if s[i-1]|0x20 == 'l' && s[i-2]|0x20 == 'i' && s[i-3]|0x20 == 'm' {
				return i - 3
			}
			i++
		case 'i':
			i += 2
		case 'm':
			i += 3
		default:
			i += 4
		}
	}
	return -1
}
