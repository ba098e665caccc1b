package quote

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what the beginning of a subject says of a message.
type Kind uint8

// The kinds.
const (
	First   Kind = iota // nothing: it begins a conversation
	Reply               // "Re:"
	Forward             // "Fwd:"
	Either              // "VS:" answers in Finnish and forwards in Danish
)

// prefixes are what mail programs put before the subject, in lower case, by their
// language's setting. Programs set to English everywhere write "re" and "fwd".
var prefixes = map[string]Kind{
	"re": Reply, "aw": Reply, "antw": Reply, "antwort": Reply, "sv": Reply, "svar": Reply, "vs": Either, "ref": Reply, "réf": Reply, "rép": Reply, "rep": Reply,
	"rif": Reply, "r": Reply, "res": Reply, "resp": Reply, "odp": Reply, "vá": Reply, "atb": Reply, "ats": Reply, "ynt": Reply, "yan": Reply, "bls": Reply, "trả lời": Reply,
	"απ": Reply, "σχετ": Reply, "отв": Reply, "відп": Reply, "одг": Reply, "odg": Reply, "פ": Reply, "תגובה": Reply, "השב": Reply, "رد": Reply, "پاسخ": Reply, "ตอบกลับ": Reply,
	"回复": Reply, "回覆": Reply, "答复": Reply, "答覆": Reply, "返信": Reply, "답장": Reply, "회신": Reply, "pd": Forward, "doorst": Forward,
	"fw": Forward, "fwd": Forward, "wg": Forward, "tr": Forward, "rv": Forward, "enc": Forward, "i": Forward, "vl": Forward, "vb": Forward, "vd": Forward, "fs": Forward,
	"továbbítás": Forward, "továbbküldés": Forward, "i̇lt": Forward, "ilt": Forward, "πρθ": Forward, "прв": Forward, "пересл": Forward, "трс": Forward, "trs": Forward,
	"הועבר": Forward, "إعادة توجيه": Forward, "转发": Forward, "轉寄": Forward, "轉發": Forward, "転送": Forward, "전달": Forward, "trans": Forward, "chuyển tiếp": Forward,
}

// Prefixes are nested a few times: "AW: Re: WG: …".
const maxPrefixes = 12

// Subject takes the prefixes off a decoded subject, and says what the first of them
// is. A list's name in brackets before them is passed over.
func Subject(s string) (kind Kind, rest string) {
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	for range maxPrefixes {
		t := s
		if strings.HasPrefix(t, "[") && kind == First {
			if i := strings.IndexByte(t, ']'); i > 0 && i < 60 {
				t = strings.TrimLeftFunc(t[i+1:], unicode.IsSpace)
			}
		}
		k, after := prefix(t)
		if k == First {
			break
		}
		if kind == First {
			kind = k
		}
		s = strings.TrimLeftFunc(after, unicode.IsSpace)
	}
	return kind, s
}

// longest prefix, with a number and blanks.
const maxPrefix = 40

// prefix reads one: "Re:", "RE :", "Re[2]:", "Re(3):", "Re^2:", "回复：".
func prefix(s string) (Kind, string) {
	head := s[:min(len(s), maxPrefix)]
	i := strings.IndexAny(head, ":：")
	if i <= 0 {
		return First, s
	}
	name := strings.TrimSpace(head[:i])
	if n := len(name); n > 2 && (name[n-1] == ']' || name[n-1] == ')') {
		if at := strings.LastIndexAny(name, "[("); at > 0 && digits(name[at+1:n-1]) {
			name = strings.TrimSpace(name[:at])
		}
	}
	if at := strings.LastIndexByte(name, '^'); at > 0 && digits(name[at+1:]) {
		name = name[:at]
	}
	name = strings.TrimSuffix(name, ".")
	k := prefixes[strings.ToLower(name)]
	if k == First {
		return First, s
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return k, s[i+size:]
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 4
}
