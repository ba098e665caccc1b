package expand

import (
	"io"
	"strings"

	"golang.org/x/net/html"

	"sluice/message/links"
)

// leave are words of links that act when they are opened.
var leave = []string{"unsub", "optout", "opt-out", "opt_out", "abmeld", "austrag", "desinscri", "desabonn", "cancelar", "baja", "remove", "preferences", "confirm", "verify", "activate", "reset", "approve", "accept", "reject", "vote"}

const (
	// maxToken is more than any shortener needs to tell its links apart.
	maxToken = 16
)

// Personal says whether a path, with its query, belongs to one recipient, or does
// something by being opened: it holds an address, a word of leaving or confirming, or a
// token too long for a shortener.
func Personal(path string) bool {
	path, _, _ = strings.Cut(path, "#")
	low := strings.ToLower(path)
	if strings.Contains(low, "@") || strings.Contains(low, "%40") {
		return true
	}
	for _, w := range leave {
		if strings.Contains(low, w) {
			return true
		}
	}
	for token := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune("/?&=.;,", r) }) {
		if len(token) > maxToken && !words(token) {
			return true
		}
	}
	return false
}

// words says whether a token is words put together, as people name their links:
// letters parted by hyphens.
func words(token string) bool {
	for part := range strings.FieldsFuncSeq(token, func(r rune) bool { return r == '-' || r == '_' || r == '+' }) {
		if len(part) > maxToken {
			return false
		}
		for i := range len(part) {
			if c := part[i] | 0x20; c < 'a' || c > 'z' {
				if len(part) > 4 { // a year is a word
					return false
				}
			}
		}
	}
	return true
}

// refresh finds where a page sends its reader at once: <meta http-equiv=refresh>.
func refresh(r io.Reader) string {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxBody)
	for range 500 {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
		default:
			continue
		}
		t := z.Token()
		if t.Data == "body" {
			return ""
		}
		if t.Data != "meta" {
			continue
		}
		equiv, content := "", ""
		for _, a := range t.Attr {
			switch a.Key {
			case "http-equiv":
				equiv = a.Val
			case "content":
				content = a.Val
			}
		}
		if !strings.EqualFold(strings.TrimSpace(equiv), "refresh") {
			continue
		}
		if i := strings.Index(strings.ToLower(content), "url="); i >= 0 {
			to := strings.Trim(content[i+4:], " '\"")
			if l := links.Parse(to); l.Scheme == "http" || l.Scheme == "https" || l.Scheme == "" {
				return to
			}
		}
	}
	return ""
}
