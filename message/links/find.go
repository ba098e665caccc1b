package links

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"sluice/message/header"
)

// maxFound bounds one URL in plain text.
const maxFound = 4096

// FindInText finds the links that mail clients make clickable in plain text:
// http, https and ftp URLs, "www." names, mailto and addresses, and bare domains
// under a known public suffix. Range is the place in text. At most most are
// returned.
func FindInText(text string, most int) []Link {
	var out []Link
	floor := 0 // end of the last link
	for pos := 0; pos < len(text) && len(out) < most; {
		// Every link holds a ":", a "." or an "@" behind its first word.
		i := strings.IndexAny(text[pos:], ":.@")
		if i < 0 {
			break
		}
		i += pos
		start, end, raw := 0, 0, ""
		switch text[i] {
		case ':':
			start, end = schemeURL(text, floor, i)
			raw = text[start:end]
		default:
			start, end, raw = bareName(text, pos, i)
		}
		if end <= start {
			pos = max(end, i+1)
			continue
		}
		l := Parse(raw)
		if l.Host != "" {
			l.Text = text[start:end]
			if raw != l.Text {
				l.Raw = l.Text
			}
			l.Range.Off, l.Range.Len = start, end-start
			out = append(out, l)
		}
		pos, floor = end, end
	}
	return out
}

// schemeURL finds a URL whose scheme's colon is at i.
func schemeURL(text string, from, i int) (start, end int) {
	start = i
	for start > from && i-start < 10 && isAlpha(text[start-1]) {
		start--
	}
	switch scheme := strings.ToLower(text[start:i]); {
	case scheme == "mailto":
		if end = urlEnd(text, i+1); strings.IndexByte(text[i:end], '@') < 0 {
			return 0, 0
		}
		return start, end
	case strings.HasSuffix(scheme, "https"):
		start = i - 5
	case strings.HasSuffix(scheme, "http"):
		start = i - 4
	case strings.HasSuffix(scheme, "ftp"):
		start = i - 3
	default:
		return 0, 0
	}
	rest := text[i+1:]
	if !strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, `\\`) && !strings.HasPrefix(rest, `/\`) && !strings.HasPrefix(rest, `\/`) {
		return 0, 0
	}
	if end = urlEnd(text, i+3); end <= i+3 {
		return 0, 0
	}
	return start, end
}

// bareName finds an address, a "www." name or a domain around the mark at i. Where
// there is none, start and end are both behind what was looked at.
func bareName(text string, from, i int) (start, end int, raw string) {
	start = i
	at := -1
	for start > from && i-start < 256 && (isHostByte(text[start-1]) || text[start-1] == '+' || text[start-1] == '.') {
		start--
	}
	for start < i && (text[start] == '.' || text[start] == '-') {
		start++
	}
	end = i
	for end < len(text) && end-i < 256 && (isHostByte(text[end]) || text[end] == '.' || text[end] == '@' && at < 0) {
		if text[end] == '@' {
			at = end
		}
		end++
	}
	stop := end // nothing up to here can be a link by itself
	for end > i && (text[end-1] == '.' || text[end-1] == '-') {
		end--
	}
	if start == i || end <= i+1 {
		return stop, stop, ""
	}
	name := text[start:end]
	if at > 0 && at < end {
		name = text[at+1 : end]
		if at == start || !plausible(name) {
			return stop, stop, ""
		}
		return start, end, "mailto:" + text[start:end]
	}
	www := len(name) > 4 && header.EqualFold(name[:4], "www.") && strings.IndexByte(name[4:], '.') > 0
	if !www && !plausible(name) {
		return stop, stop, ""
	}
	if end < len(text) && (text[end] == '/' || text[end] == ':' || text[end] == '?') {
		end = urlEnd(text, end)
	}
	return start, end, "http://" + text[start:end]
}

// plausible says whether a bare name is clearly a domain: a public suffix that
// the list's ICANN section names, and none that is also a usual file ending or
// programming word.
func plausible(name string) bool {
	if strings.Contains(name, "..") || strings.ContainsAny(name, "_+") {
		return false
	}
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || dot+2 >= len(name) {
		return false
	}
	if c := name[dot+1]; 'A' <= c && c <= 'Z' && name[dot-1] >= 'a' {
		return false // "end.Next sentence"
	}
	tld := strings.ToLower(name[dot+1:])
	for i := 0; i < len(tld); i++ {
		if tld[i] < 'a' || tld[i] > 'z' {
			if !strings.HasPrefix(tld, "xn--") && tld[i] < utf8.RuneSelf {
				return false
			}
		}
	}
	if strings.Count(name, ".") == 1 && fileEnding[tld] {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(strings.ToLower(name))
	return icann && len(suffix) < len(name)
}

// fileEnding holds top-level domains that more often end a file's name or a
// method call in mail.
var fileEnding = map[string]bool{
	"sh": true, "py": true, "pl": true, "rs": true, "md": true, "so": true, "cc": true, "zip": true, "mov": true,
	"ps": true, "am": true, "in": true, "is": true, "it": true, "at": true, "as": true, "to": true, "do": true,
	"no": true, "id": true, "name": true, "st": true, "java": true, "app": true, "me": true, "my": true, "be": true, "cat": true, "bz": true, "ai": true, "ms": true,
}

// urlEnd finds the end of a URL that began before pos: white space, quotes and
// brackets end it, and final punctuation doesn't belong to it.
func urlEnd(text string, pos int) int {
	end := pos
	depth := 0
	for end < len(text) && end-pos < maxFound {
		c := text[end]
		if c <= ' ' || c == '<' || c == '>' || c == '"' || c == '`' || c == 0x7f {
			break
		}
		if c == '(' {
			depth++
		}
		if c == ')' {
			if depth == 0 {
				break
			}
			depth--
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(text[end:])
			if r == '\u00a0' || r == '\u3000' || r == '\u2028' || r == '»' || r == '”' || r == '“' || r == '\uff09' || r == '」' {
				break
			}
			end += n
			continue
		}
		end++
	}
	for end > pos && strings.IndexByte(".,;:!?'*_]}|", text[end-1]) >= 0 {
		end--
	}
	return end
}

func isAlpha(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isHostByte(c byte) bool {
	return isAlpha(c) || '0' <= c && c <= '9' || c == '-' || c == '_' || c >= utf8.RuneSelf
}
