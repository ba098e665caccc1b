package protect

import (
	"strings"

	"golang.org/x/net/html"

	"sluice/deliver/rewrite"
	"sluice/message/links"
)

// piece is a tag or a text of HTML.
type piece struct {
	kind       html.TokenType // StartTagToken (also of those that close themselves), EndTagToken, TextToken
	start, end int
	name       string // of a tag, in lower case
	outlook    bool   // inside of a conditional comment
	raw        bool   // text that isn't content: of style, script, title and the like
}

// attr is an attribute; its value is start…end.
type attr struct {
	name       string
	start, end int
	quote      byte // 0 for none
}

// rawElements hold one text that isn't displayed as such.
var rawElements = map[string]bool{"script": true, "style": true, "title": true, "textarea": true, "iframe": true, "noembed": true, "noframes": true, "xmp": true}

// pieces reads HTML. Of comments it reads those that Outlook takes for content.
func pieces(s string) (out []piece) { return read(nil, s, 0, len(s), false) }

func read(out []piece, s string, from, to int, outlook bool) []piece {
	z := html.NewTokenizer(strings.NewReader(s[from:to]))
	at, raw := from, false
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out
		}
		start := at
		at += len(z.Raw())
		switch kind {
		case html.SelfClosingTagToken, html.StartTagToken, html.EndTagToken:
			n, _ := z.TagName()
			name := string(n)
			if name == "noscript" {
				z.NextIsNotRawText() // mail programs run no scripts, so they show it
			}
			raw = kind != html.EndTagToken && rawElements[name]
			if kind == html.SelfClosingTagToken {
				kind = html.StartTagToken
			}
			out = append(out, piece{kind: kind, start: start, end: at, name: name, outlook: outlook})
		case html.TextToken:
			out = append(out, piece{kind: kind, start: start, end: at, outlook: outlook, raw: raw})
			raw = false
		case html.CommentToken:
			if c := s[start:at]; !outlook && strings.HasPrefix(c, "<!--") && strings.HasPrefix(strings.TrimLeft(c[4:], " \t\r\n"), "[if") {
				out = read(out, s, start+4, max(start+4, at-3), true)
			}
		}
	}
}

// attrs lists a tag's attributes (HTML Standard 13.2.5.32 to 13.2.5.39).
func attrs(s string, p piece) (out []attr) {
	i, end := p.start+1+len(p.name), p.end
	space := func() {
		for i < end && strings.IndexByte(" \t\r\n\f", s[i]) >= 0 {
			i++
		}
	}
	for i < end && len(out) < 200 {
		if space(); i >= end || s[i] == '>' {
			break
		}
		if s[i] == '/' {
			i++
			continue
		}
		start := i
		for i < end && strings.IndexByte(" \t\r\n\f/>", s[i]) < 0 && (s[i] != '=' || i == start) {
			i++
		}
		a := attr{name: strings.ToLower(s[start:i])}
		if space(); i >= end || s[i] != '=' {
			continue
		}
		i++
		if space(); i >= end || s[i] == '>' {
			break
		}
		if c := s[i]; c == '"' || c == '\'' {
			n := strings.IndexByte(s[i+1:end], c)
			if n < 0 {
				break
			}
			a.quote, a.start, a.end = c, i+1, i+1+n
			i = a.end + 1
		} else {
			a.start = i
			for i < end && strings.IndexByte(" \t\r\n\f>", s[i]) < 0 {
				i++
			}
			a.end = i
		}
		out = append(out, a)
	}
	return out
}

// followed says whether an attribute's address is one that a person goes to.
func followed(tag, name string) bool {
	switch name {
	case "href":
		return tag == "a" || tag == "area" || strings.IndexByte(tag, ':') > 0 // <v:rect href>
	case "xlink:href":
		return tag == "a"
	case "action":
		return tag == "form"
	case "formaction":
		return tag == "button" || tag == "input"
	}
	return false
}

// protectHTML rewrites what can be followed in a page.
func (j *job) protectHTML(t *rewrite.Text, armour [][2]int) (out []edit) {
	list := pieces(t.S)
	base := baseOf(t, list)
	anchor := false
	for i, p := range list {
		switch {
		case p.kind == html.TextToken:
			if !anchor && !p.raw && !p.outlook {
				out = append(out, j.inText(t, list, i, armour)...)
			}
			continue
		case p.name == "a" && !p.outlook:
			anchor = p.kind == html.StartTagToken
		}
		if p.kind != html.StartTagToken {
			continue
		}
		for _, a := range attrs(t.S, p) {
			if !followed(p.name, a.name) {
				continue
			}
			if e, ok := j.attribute(t, base, list, i, a, armour); ok {
				out = append(out, e)
			}
		}
	}
	return out
}

// baseOf is where relative addresses are read from; its Host is "" for nowhere.
func baseOf(t *rewrite.Text, list []piece) (base links.Link) {
	for _, p := range list {
		if p.kind != html.StartTagToken || p.name != "base" || p.outlook {
			continue
		}
		for _, a := range attrs(t.S, p) {
			if a.name == "href" {
				return links.Parse(unescape(t.Decode(t.S[a.start:a.end])))
			}
		}
	}
	return base
}

// attribute rewrites one.
func (j *job) attribute(t *rewrite.Text, base links.Link, list []piece, i int, a attr, armour [][2]int) (e edit, ok bool) {
	raw := t.S[a.start:a.end]
	written := t.Decode(raw)
	u := unescape(written)
	l, k, lost := links.Parse(u), Link{URL: u}, false
	switch {
	case l.Scheme != "":
	case l.Host != "":
		if l = links.Resolve(base, u); l.Scheme == "" {
			l.Scheme = "https" // as the pages of mail programs
		}
		k.URL, k.form = l.Scheme+":"+strings.TrimSpace(u), formRelative
	case base.Host == "" || u == "" || u[0] == '#':
		return e, false
	default:
		// It couldn't be read any more where the base is lost, as in a reply.
		l = links.Resolve(base, u)
		if k.URL, ok = l.Canonical(); !ok {
			return e, false
		}
		lost = true
	}
	if !lost && k.attribute(a.quote) != written {
		if k.form |= formAmp; k.attribute(a.quote) != written {
			k.form &^= formAmp
			k.written = written
		}
	}
	if l.Scheme != "http" && l.Scheme != "https" {
		return e, false
	}
	if within(armour, a.start) {
		j.report.left(LeftArmour)
		return e, false
	}
	ours, ok := j.link(&l, k, func() bool {
		return j.unsubscribing(&l, u, t.Decode(anchorText(t.S, list, i)), t.Decode(textBefore(t.S, list, i, list[i].start)))
	})
	if !ok {
		return e, false
	}
	if lost || !restorable(t, k.attribute(a.quote), raw) {
		j.report.Changed++
	}
	return edit{a.start, a.end, ours}, true
}

// anchorText is the text of the anchor that begins with a piece.
func anchorText(s string, list []piece, i int) string {
	if list[i].name != "a" {
		return ""
	}
	var out strings.Builder
	for _, p := range list[i+1:] {
		if p.name == "a" || out.Len() > beside {
			break
		}
		if p.kind == html.TextToken && !p.raw {
			out.WriteString(s[p.start:p.end])
		}
	}
	return html.UnescapeString(out.String())
}

// textBefore is the text before a place in a piece.
func textBefore(s string, list []piece, i, at int) string {
	out := ""
	if list[i].kind == html.TextToken {
		out = s[max(list[i].start, at-beside):at]
	}
	for n := i - 1; n >= 0 && n > i-20 && len(out) < beside; n-- {
		if p := list[n]; p.kind == html.TextToken && !p.raw {
			out = s[max(p.start, p.end-beside):p.end] + out
		}
	}
	return html.UnescapeString(out)
}

// inText puts anchors around the addresses in a text, which clients make links of.
func (j *job) inText(t *rewrite.Text, list []piece, i int, armour [][2]int) (out []edit) {
	p := list[i]
	s := t.S[p.start:p.end]
	if strings.IndexByte(s, '.') < 0 && !strings.Contains(s, "://") {
		return nil
	}
	for _, f := range links.FindInText(readable(masked(t, s)), 2*maxLinks) {
		at, end := f.Range.Off, f.Range.Off+f.Range.Len
		if n := strings.LastIndexByte(s[at:end], '&'); n >= 0 && strings.IndexByte(s[at+n:end], ';') < 0 {
			if semi := strings.IndexByte(s[end:min(len(s), end+8)], ';'); semi == 0 {
				end++ // of the reference
			}
		}
		l, k, ok := j.found(html.UnescapeString(t.Decode(s[at:end])))
		if !ok {
			continue
		}
		at, end = p.start+at, p.start+end
		if within(armour, at) {
			j.report.left(LeftArmour)
			continue
		}
		k.form |= formWrapped
		ours, ok := j.link(&l, k, func() bool {
			return j.unsubscribing(&l, k.URL, "", t.Decode(textBefore(t.S, list, i, at)))
		})
		if ok {
			out = append(out, edit{at, at, `<a href="` + ours + `">`}, edit{end, end, "</a>"})
		}
	}
	return out
}

// readable puts spaces in place of character references that end an address.
func readable(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	b := []byte(s)
	for i := 0; i < len(b); i++ {
		if b[i] != '&' {
			continue
		}
		n := strings.IndexByte(s[i:min(len(s), i+12)], ';')
		if n < 0 {
			continue
		}
		switch r := html.UnescapeString(s[i : i+n+1]); r {
		case "\u00a0", "\u3000", "<", ">", `"`, "`", "»", "”", "“", " ", "\n", "\t", "\u2028":
			for k := i; k <= i+n; k++ {
				b[k] = ' '
			}
		}
		i += n
	}
	return string(b)
}

// restoreHTML puts originals in place of our links, and takes away the anchors that we
// made.
func (j *job) restoreHTML(t *rewrite.Text) (out []edit) {
	ours := false // an anchor of ours is open
	for _, p := range pieces(t.S) {
		if p.name == "a" {
			if ours && p.kind == html.EndTagToken {
				out = append(out, edit{p.start, p.end, ""})
			}
			ours = false
		}
		if !j.w.mentions(t.S[p.start:p.end]) {
			continue
		}
		if p.kind == html.TextToken {
			if !p.raw {
				out = append(out, j.originals(t, p.start, p.end, func(l *Link) string { return textEscapes.Replace(l.plain()) })...)
			}
			continue
		}
		for _, a := range attrs(t.S, p) {
			if !j.w.mentions(t.S[a.start:a.end]) {
				continue
			}
			wrapped := false
			edits := j.originals(t, a.start, a.end, func(l *Link) string {
				wrapped = l.form&formWrapped != 0
				return l.attribute(a.quote)
			})
			if wrapped && p.name == "a" && p.kind == html.StartTagToken && a.name == "href" && len(edits) == 1 && edits[0].off == a.start && edits[0].end == a.end {
				edits, ours = []edit{{p.start, p.end, ""}}, true
				out = append(out, edits...)
				break
			}
			out = append(out, edits...)
		}
	}
	return out
}
