package protect

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"sluice/deliver/rewrite"
	"sluice/message"
	"sluice/message/links"
)

// attribute is how a link's address stands in an attribute with these quotes, 0 for none.
func (l *Link) attribute(quote byte) string {
	if l.written != "" && fits(l.written, quote) {
		return l.written
	}
	u := l.URL
	if l.form&formRelative != 0 {
		_, u, _ = strings.Cut(u, ":")
	}
	if l.form&formAmp == 0 {
		u = strings.ReplaceAll(u, "&", "&amp;")
	}
	if fits(u, quote) {
		return u
	}
	var out strings.Builder
	for _, r := range u {
		if !fits(string(r), quote) {
			fmt.Fprintf(&out, "&#%d;", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// fits says whether a value can stand between quotes as it is.
func fits(s string, quote byte) bool {
	if quote != 0 {
		return strings.IndexByte(s, quote) < 0
	}
	return s != "" && !strings.ContainsAny(s, " \t\r\n\f\"'<>=`") || s != "" && s[0] != '"' && s[0] != '\'' && !strings.ContainsAny(s, " \t\r\n\f>")
}

// plain is how it stands in plain text.
func (l *Link) plain() string {
	if l.form&formBare != 0 {
		return strings.TrimPrefix(l.URL, "http://")
	}
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(l.URL))
}

var textEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// encoded writes an original as the text that it is put into has it. What the text's
// charset hasn't becomes a number in HTML, and percent-encoded elsewhere.
func encoded(t *rewrite.Text, s string) string {
	if out, ok := t.Encode(s); ok {
		return out
	}
	if !t.HTML {
		if l := links.Parse(s); l.Scheme != "" {
			if u, ok := l.Canonical(); ok {
				return u
			}
		}
	}
	var out strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			out.WriteRune(r)
		case t.HTML:
			fmt.Fprintf(&out, "&#%d;", r)
		default:
			for _, b := range []byte(string(r)) {
				fmt.Fprintf(&out, "%%%02X", b)
			}
		}
	}
	return out.String()
}

// unescape reads an attribute's value (HTML Standard 13.2.5.72: in attributes a
// reference without its semicolon isn't one where a letter, digit or "=" follows).
func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	z := html.NewTokenizer(strings.NewReader(`<a x="` + strings.ReplaceAll(s, `"`, "&#34;") + `">`))
	z.Next()
	z.TagName()
	_, v, _ := z.TagAttr()
	return string(v)
}

// unsubscribes are the addresses of the web in List-Unsubscribe (RFC 2369 3.2).
func unsubscribes(m *message.Message) map[string]bool {
	out := map[string]bool{}
	for _, v := range m.Header().Values("List-Unsubscribe") {
		for piece := range strings.SplitSeq(v, ",") {
			u := strings.Trim(piece, " \t\r\n<>")
			if len(out) < 20 && strings.HasPrefix(u, "http") {
				out[u] = true
			}
		}
	}
	return out
}

// Words of those who don't want mail any more, in lower case.
var (
	leaveWords = []string{"unsubscribe", "opt out", "opt-out", "opting out", "abmelden", "abbestellen", "austragen", "abmeldung", "désabonner", "desabonner", "désabonne",
		"désinscri", "desinscri", "darse de baja", "darte de baja", "dar de baja", "date de baja", "cancelar la suscripción", "cancelar suscripción", "annulla l'iscrizione", "cancellati", "uitschrijven", "afmelden"}
	leavePaths = []string{"unsub", "optout", "opt-out", "opt_out", "abmeld", "abbestell", "desabon", "desinscri", "/baja", "uitschrijven", "afmelden", "listunsub"}
)

func has(s string, words []string) bool {
	s = strings.ToLower(s)
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// unsubscribing says whether a link takes its reader off a list, and says so: in its own
// text, or in the text right before it where the address speaks for it too. A sender
// could else have every link left alone by putting it into a field of the header.
func (j *job) unsubscribing(l *links.Link, u, text, before string) bool {
	if has(text, leaveWords) {
		return true
	}
	return (j.leave[u] || has(l.Path, leavePaths)) && has(before, leaveWords)
}

// beside is how many octets before a link are read for words.
const beside = 120
