package links

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Bounds of what Carried looks at.
const (
	maxCarriedPath = 8 << 10
	maxCarried     = 8
	maxNested      = 4 // times that something may be encoded
)

// Carried lists the web addresses that stand in a link's path, query or fragment, as
// redirectors and counters of clicks have them: plain, percent-encoded up to four
// times, in base64 or in hexadecimal; each once, at most eight. Where they lead is for
// Parse to say.
func Carried(path string) (out []string) {
	if len(path) < 10 || len(path) > maxCarriedPath || !mayCarry(path) {
		return nil
	}
	s := path
	for range maxNested {
		out = addCarried(out, s)
		if strings.IndexByte(s, '%') < 0 {
			break
		}
		d := string(percentDecode(s))
		if d == s {
			break
		}
		s = d
	}
	for _, token := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("/?&=#;,.:", r) }) {
		if len(token) < 14 || len(out) >= maxCarried {
			continue
		}
		if d, ok := unpacked(token); ok {
			out = addCarried(out, d)
		}
	}
	return out
}

// mayCarry is a quick look that tells most links from those that carry anything.
func mayCarry(path string) bool {
	return strings.IndexByte(path, '%') >= 0 || strings.Contains(path, "://") || strings.Contains(path, "aHR0c") || strings.Contains(path, "68747470")
}

// unpacked reads a token that begins as "http" does in base64 or hexadecimal.
func unpacked(token string) (string, bool) {
	if i := strings.Index(token, "aHR0c"); i == 0 || i == 2 && token[0] == 'a' { // Bing writes "a1" before it
		token = token[i:]
		token = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(token), "=")
		b, err := base64.RawStdEncoding.DecodeString(token)
		if err != nil && len(token)%4 == 1 {
			b, err = base64.RawStdEncoding.DecodeString(token[:len(token)-1])
		}
		return string(b), err == nil && utf8.Valid(b)
	}
	if len(token)%2 == 0 && strings.HasPrefix(strings.ToLower(token), "68747470") {
		b, err := hex.DecodeString(token)
		return string(b), err == nil && utf8.Valid(b)
	}
	return "", false
}

// addCarried adds the addresses in s, which is decoded as far as it will be here.
func addCarried(out []string, s string) []string {
	for from := 0; len(out) < maxCarried; {
		i := indexWeb(s[from:])
		if i < 0 {
			return out
		}
		i += from
		end := i + strings.IndexAny(s[i:]+" ", " \t\r\n\"'<>&")
		if next := indexWeb(s[min(i+7, end):end]); next >= 0 {
			end = i + 7 + next // "http://one/http://two"
		}
		if u := s[i:end]; len(u) > 8 && !contains(out, u) {
			out = append(out, strings.ToValidUTF8(u, "\uFFFD"))
		}
		from = end
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		// The same address less decoded is the same.
		if x == s || string(percentDecode(x)) == s {
			return true
		}
	}
	return false
}

// indexWeb finds "http://" or "https://" without regard to case.
func indexWeb(s string) int {
	for from := 0; ; {
		i := strings.Index(s[from:], "://")
		if i < 0 {
			return -1
		}
		i += from
		switch {
		case i >= 5 && strings.ToLower(s[i-5:i]) == "https":
			return i - 5
		case i >= 4 && strings.ToLower(s[i-4:i]) == "http":
			return i - 4
		}
		from = i + 3
	}
}
