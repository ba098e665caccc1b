package script

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decode puts strings together that are written in pieces, and decodes them where
// they are plainly encoded: the strings that result, one a line, at most room bytes.
// What is no different from how it is written is left out.
func (f *Findings) decode(text string, room int) string {
	var out strings.Builder
	keep := func(s string) {
		if s != "" && out.Len()+len(s)+1 <= room {
			out.WriteString(s)
			out.WriteByte('\n')
		}
	}
	l := lexer{s: text}
	var whole []byte // the string being put together
	pieces, codes := 0, 0
	flush := func() {
		s := string(whole)
		if codes >= minCodes {
			f.hidden("characters by number")
		}
		if pieces > 1 || codes > 0 {
			keep(s)
		}
		if pieces >= 8 && len(s) < 6*pieces && codes == 0 {
			f.hidden("strings in pieces")
		}
		f.encoded(s, keep)
		whole, pieces, codes = whole[:0], 0, 0
	}
	joining := false
	for {
		t := l.next()
		switch t.kind {
		case end:
			flush()
			f.words(text, keep)
			return out.String()
		case joinToken:
			joining = true
			continue
		case stringToken, charsToken:
			if pieces > 0 && !joining || len(whole) > maxDecoded {
				flush()
			}
			whole = append(whole, t.text...)
			pieces++
			codes += t.escapes
		case other:
			if pieces > 0 {
				flush()
			}
		}
		joining = false
	}
}

// minCodes letters by number hide something; fewer are a quotation mark or a line end.
const minCodes = 4

// encoded decodes a string that is base64, hex, percent-encoded or reversed.
func (f *Findings) encoded(s string, keep func(string)) {
	switch {
	case len(s) < 8:
		return
	case telling(reverse(clip(s, 4096))) && !telling(clip(s, 4096)):
		f.hidden("reversed")
		keep(reverse(s))
		return
	case strings.Count(s, "%") >= 4 && strings.Count(s, "%")*6 > len(s):
		if d := unpercent(s); d != s {
			f.hidden("percent-encoded")
			keep(d)
		}
		return
	}
	if d, ok := Hex(s); ok {
		f.hidden("hex")
		keep(d)
	} else if d, ok := Base64Text(s); ok {
		f.hidden("base64")
		keep(d)
	}
}

// words looks for encoded words outside of quotes: arguments of command lines.
// It also takes out the carets and back ticks that shells ignore.
func (f *Findings) words(text string, keep func(string)) {
	for w := range strings.FieldsSeq(text) {
		if len(w) >= 32 && len(w) <= maxDecoded && base64Byte(w[0]) {
			if d, ok := Base64Text(w); ok {
				f.hidden("base64")
				keep(d)
			}
		}
	}
	for line := range strings.Lines(text) {
		marks := strings.Count(line, "^") + strings.Count(line, "`")
		if marks < 4 || len(line) > maxDecoded {
			continue
		}
		plain := strings.NewReplacer("^", "", "`", "").Replace(line)
		var a, b Findings
		if a.calls(line, false); true {
			b.calls(plain, false)
		}
		if len(b.Calls) > len(a.Calls) {
			f.hidden("marks in words")
			keep(strings.TrimSpace(plain))
		}
	}
}

// telling says whether a string shows what it is for.
func telling(s string) bool {
	low := string(lower(s))
	for _, t := range []string{"http://", "https://", "powershell", "wscript.", "cmd.exe", "cmd /c", ".exe", "shell.application", "adodb.", "msxml2."} {
		if strings.Contains(low, t) {
			return true
		}
	}
	return false
}

// Hex decodes a string of at least eight hex digits pairs to text.
func Hex(s string) (string, bool) {
	if len(s) < 16 || len(s)%2 != 0 {
		return "", false
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return "", false
	}
	return readable(b)
}

// Base64Text decodes a string of base64 that holds text, in UTF-8 or UTF-16.
func Base64Text(s string) (string, bool) {
	if len(s) < 16 {
		return "", false
	}
	b, ok := Base64(s)
	if !ok {
		return "", false
	}
	return readable(b)
}

// Base64 decodes a string of base64, padded or not, in either alphabet, with white
// space in it.
func Base64(s string) ([]byte, bool) {
	for i := range len(s) {
		if c := s[i]; !base64Byte(c) && c != '=' && c != '\n' && c != '\r' && c != ' ' && c != '\t' {
			return nil, false
		}
	}
	clean := strings.NewReplacer("\n", "", "\r", "", " ", "", "\t", "", "-", "+", "_", "/", "=", "").Replace(s)
	if len(clean)%4 == 1 {
		return nil, false
	}
	b, err := base64.RawStdEncoding.DecodeString(clean)
	return b, err == nil
}

func base64Byte(c byte) bool {
	return word(c) || c == '+' || c == '/' || c == '-'
}

// readable takes bytes for text where nearly all of them are.
func readable(b []byte) (string, bool) {
	if len(b) >= 8 && len(b)%2 == 0 {
		zero := 0
		for i := 1; i < len(b); i += 2 {
			if b[i] == 0 && b[i-1] != 0 {
				zero++
			}
		}
		if zero*2 >= len(b)*9/10 {
			narrow := make([]byte, 0, len(b)/2)
			for i := 0; i < len(b); i += 2 {
				narrow = append(narrow, b[i])
			}
			b = narrow
		}
	}
	if len(b) < 6 || !utf8.Valid(b) {
		return "", false
	}
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7F {
			return "", false
		}
	}
	return string(b), true
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// unpercent decodes %xx and %uxxxx.
func unpercent(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+2 < len(s) {
				if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					out.WriteByte(byte(v))
					i += 2
					continue
				}
			}
			if i+5 < len(s) && (s[i+1] == 'u' || s[i+1] == 'U') {
				if v, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
					out.WriteRune(rune(v))
					i += 5
					continue
				}
			}
		}
		out.WriteByte(s[i])
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

func clip(s string, n int) string { return s[:min(len(s), n)] }
