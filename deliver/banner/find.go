package banner

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// finder finds banners by their tokens.
type finder struct {
	tokens []string // nil: all that look like one
	titles []string
}

// find is the place of the next token, -1 for none.
func (f finder) find(s string, from int) int {
	for {
		i := strings.Index(s[from:], tokenStart)
		if i < 0 {
			return -1
		}
		at := from + i
		if f.is(s[at:min(at+tokenLen, len(s))]) {
			return at
		}
		from = at + len(tokenStart)
	}
}

func (f finder) is(t string) bool {
	if f.tokens != nil {
		return slices.Contains(f.tokens, t)
	}
	if len(t) != tokenLen || t[tokenLen-1] != ']' {
		return false
	}
	for _, c := range []byte(t[len(tokenStart) : tokenLen-1]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// maxFound is how many banners of one text are looked at: a chain of replies has a few.
const maxFound = 100

// remove takes banners out of a text. What can't be told from the text around it only
// loses its token, so that it doesn't pass for ours.
func (f finder) remove(s string, isHTML bool) string {
	if f.find(s, 0) < 0 {
		return s
	}
	var cuts [][2]int
	if isHTML {
		cuts = f.tables(s)
	} else {
		cuts = f.blocks(s)
	}
	s = without(s, cuts)
	cuts = nil
	for at := f.find(s, 0); at >= 0; at = f.find(s, at+tokenLen) {
		cuts = append(cuts, [2]int{at, at + tokenLen})
	}
	return without(s, cuts)
}

// without cuts pieces out, which stand in order; those inside another go with it.
func without(s string, cuts [][2]int) string {
	if len(cuts) == 0 {
		return s
	}
	var out strings.Builder
	at := 0
	for _, c := range cuts {
		if c[1] <= at {
			continue
		}
		out.WriteString(s[at:max(c[0], at)])
		at = c[1]
	}
	out.WriteString(s[at:])
	return out.String()
}

// maxTables is how deep tables are followed.
const maxTables = 200

// tables are the innermost tables around tokens, with one line end on each side.
func (f finder) tables(s string) (cuts [][2]int) {
	type open struct {
		at   int
		ours bool
	}
	var stack []open
	z, at := html.NewTokenizer(strings.NewReader(s)), 0
	for len(cuts) < maxFound {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		start := at
		at += len(z.Raw())
		switch kind {
		case html.TextToken:
			if len(stack) > 0 && f.find(s[start:at], 0) >= 0 {
				stack[len(stack)-1].ours = true
			}
		case html.StartTagToken, html.EndTagToken:
			name, _ := z.TagName()
			switch {
			case string(name) != "table":
			case kind == html.StartTagToken:
				if len(stack) == maxTables {
					return cuts
				}
				stack = append(stack, open{at: start})
			case len(stack) > 0:
				t := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				if t.ours {
					cuts = append(cuts, [2]int{before(s, t.at), after(s, at)})
				}
			}
		}
	}
	slices.SortFunc(cuts, func(a, b [2]int) int { return a[0] - b[0] })
	return cuts
}

// before is the place before the line end that ends at at, after that behind the one
// that begins there.
func before(s string, at int) int {
	if at > 0 && s[at-1] == '\n' {
		at--
		if at > 0 && s[at-1] == '\r' {
			at--
		}
	}
	return at
}

func after(s string, at int) int {
	if strings.HasPrefix(s[at:], "\r\n") {
		return at + 2
	}
	if strings.HasPrefix(s[at:], "\n") {
		return at + 1
	}
	return at
}

// maxBlock is how many lines a banner in plain text has, however it was wrapped.
const maxBlock = 40

// blocks are the lines from a title to its token, quoted or not, with an empty line
// behind.
func (f finder) blocks(s string) (cuts [][2]int) {
	floor := 0
	for at := f.find(s, 0); at >= 0 && len(cuts) < maxFound; at = f.find(s, at+tokenLen) {
		end := len(s)
		if i := strings.IndexByte(s[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := at
		for range maxBlock {
			line = strings.LastIndexByte(s[floor:line], '\n') + 1 + floor
			next := s[line:]
			next = next[:min(len(next), 400)]
			if i := strings.IndexByte(next, '\n'); i >= 0 {
				next = next[:i]
			}
			if f.titled(next) {
				line += len(next) - len(strings.TrimPrefix(next, "\xef\xbb\xbf")) // the mark of UTF-8 is the text's
				if i := after(s, end); i > end {
					end = i
				}
				cuts = append(cuts, [2]int{line, end})
				floor = end
				break
			}
			if line <= floor {
				break
			}
			line--
		}
		at = max(at, end-tokenLen)
	}
	return cuts
}

// titled says whether a line is a banner's first, perhaps quoted.
func (f finder) titled(line string) bool {
	line = strings.Trim(plain(line), "*> \t\r|")
	for _, t := range f.titles {
		if line == plain(t) || line == fold(t) {
			return true
		}
	}
	return false
}

// plain leaves the ASCII letters of a line, whatever its charset.
func plain(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] < 0x80 {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// inHead are the elements that may stand before the body begins; the text of some of
// them is no content.
var inHead = map[string]bool{"html": true, "head": true, "title": true, "meta": true, "link": true, "style": true, "script": true, "base": true}

// top is the place in an HTML document where its content begins: behind <body>, or
// before the first thing that is content, since that opens the body (HTML 13.2.6.4.6).
// A <body> in a comment, a title or behind content isn't the document's.
func top(s string) int {
	z, at, first := html.NewTokenizer(strings.NewReader(s)), 0, -1
	inside := "" // a title, style or script
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			// Nothing but a head, or one that never ends: before all of it.
			return max(first, 0)
		}
		start := at
		at += len(z.Raw())
		name := ""
		if kind == html.StartTagToken || kind == html.EndTagToken || kind == html.SelfClosingTagToken {
			n, _ := z.TagName()
			name = string(n)
		}
		switch kind {
		case html.DoctypeToken, html.CommentToken:
			continue
		case html.TextToken:
			if inside == "" && strings.TrimLeft(strings.TrimPrefix(s[start:at], "\xef\xbb\xbf"), " \t\r\n\f") != "" {
				if start == 0 && strings.HasPrefix(s, "\xef\xbb\xbf") {
					start = 3
				}
				return start
			}
			continue
		case html.EndTagToken:
			inside = ""
			if name == "head" || inHead[name] {
				continue
			}
			if name == "body" || name == "br" || name == "p" {
				return start
			}
			continue
		}
		if first < 0 {
			first = start
		}
		switch {
		case name == "body":
			return at
		case !inHead[name]:
			return start
		case kind == html.StartTagToken && (name == "title" || name == "style" || name == "script"):
			inside = name
		}
	}
}
