package links

import "strings"

// Canonical writes the link of a web page the way a browser asks for it: in ASCII,
// without control characters, and leading to Host. ok is false for what isn't http or
// https, or has no host that a name or an address can be.
func (l *Link) Canonical() (u string, ok bool) {
	if l.Scheme != "http" && l.Scheme != "https" || l.Host == "" || l.Has(OddHost) {
		return "", false
	}
	var out strings.Builder
	out.WriteString(l.Scheme + "://")
	if l.User != "" {
		escape(&out, l.User, `/\?#@`)
		out.WriteByte('@')
	}
	out.WriteString(l.Host)
	if l.Port != "" {
		out.WriteString(":" + l.Port)
	}
	path, rest := l.Path, ""
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path, rest = path[:i], path[i:]
	}
	path = strings.ReplaceAll(path, `\`, "/")
	if !strings.HasPrefix(path, "/") {
		out.WriteByte('/')
	}
	escape(&out, path, "")
	escape(&out, rest, "")
	return out.String(), true
}

// escape percent-encodes what may not stand in a URL, and the characters of more. What
// is encoded already stays.
func escape(out *strings.Builder, s, more string) {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>`", c) >= 0 || strings.IndexByte(more, c) >= 0 {
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
		} else {
			out.WriteByte(c)
		}
	}
}
