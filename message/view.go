package message

import (
	"strings"

	"sluice/message/header"
	"sluice/message/htmlview"
	"sluice/message/links"
)

// maxSubject bounds the decoded subject.
const maxSubject = 4096

// View renders the message once and returns the same view ever after.
func (m *Message) View() *View {
	m.viewOnce.Do(m.render)
	return &m.view
}

// role is what a part is to the person who opens the message.
type role uint8

const (
	skipped  role = iota // attachments and what stands under them
	shown                // displayed
	other                // an alternative that isn't displayed
	embedded             // inside an attached message
)

// viewer gathers the view.
type viewer struct {
	m                                           *Message
	v                                           *View
	text, plain, hidden, alt, embedded, outlook strings.Builder
	html                                        int // bytes of HTML that may still be rendered
}

func (m *Message) render() {
	w := viewer{m: m, v: &m.view, html: 4 * m.lim.Text}
	m.view.Subject = header.DecodeWords(clip(m.Header().Get("Subject"), maxSubject))
	roles := m.roles()
	for i, p := range m.Parts {
		if roles[i] != skipped {
			w.part(p, roles[i])
		}
	}
	v := w.v
	v.Text, v.Plain, v.Hidden = w.text.String(), w.plain.String(), w.hidden.String()
	v.Alt, v.Embedded, v.Conditional = w.alt.String(), w.embedded.String(), w.outlook.String()
}

// roles decides for every part, parents first.
func (m *Message) roles() []role {
	// hasHTML and hasText: does the subtree hold displayable text?
	hasHTML := make([]bool, len(m.Parts))
	hasText := make([]bool, len(m.Parts))
	for i := len(m.Parts) - 1; i > 0; i-- {
		p := m.Parts[i]
		if p.Disposition != "attachment" {
			hasHTML[i] = hasHTML[i] || p.Type == "text/html"
			hasText[i] = hasText[i] || isText(p.Type)
		}
		if j := p.Parent.Index; !p.Embedded {
			hasHTML[j] = hasHTML[j] || hasHTML[i]
			hasText[j] = hasText[j] || hasText[i]
		}
	}
	roles := make([]role, len(m.Parts))
	chosen := make(map[*Part]*Part)
	for i, p := range m.Parts {
		if p.Parent == nil {
			roles[i] = shown
			continue
		}
		up := roles[p.Parent.Index]
		switch {
		case p.Embedded:
			up = embedded
		case up == skipped:
		case p.Disposition == "attachment" && up != embedded:
			up = skipped
		case p.Parent.Type == "multipart/alternative" && up == shown:
			best, ok := chosen[p.Parent]
			if !ok {
				best = choose(p.Parent, hasHTML, hasText)
				chosen[p.Parent] = best
			}
			if p != best {
				up = other
			}
		}
		roles[i] = up
	}
	return roles
}

// choose picks what a client shows of a multipart/alternative: the last child it
// can display (RFC 2046 5.1.4), HTML before plain text.
func choose(alt *Part, hasHTML, hasText []bool) *Part {
	var best *Part
	rank := 0
	for _, c := range alt.Children {
		r := 1
		switch {
		case hasHTML[c.Index]:
			r = 3
		case hasText[c.Index] && c.Type != "text/calendar":
			r = 2
		}
		if c.Ghost != alt.Ghost {
			r = 0
		}
		if best == nil || r >= rank {
			best, rank = c, r
		}
	}
	return best
}

// part adds one part's text to the view.
func (w *viewer) part(p *Part, r role) {
	if p.container() && !p.guessed {
		return
	}
	if in := w.m.Inner(p); in != nil {
		w.inner(in, p, r)
		return
	}
	multipart := p.IsMultipart() // without parts: its body shows as text
	if !isText(p.Type) && !multipart {
		return
	}
	text, code := w.m.text(p, 4*w.m.lim.Text)
	switch code {
	case "":
	case TextLimit:
		w.limit(p)
	default:
		w.v.Defects = append(w.v.Defects, Defect{Code: code, Range: p.Body, Part: p.Index, Detail: p.Charset})
	}
	if r == embedded {
		if p.Type == "text/html" {
			text = htmlview.Render(text, w.limits()).Visible
		}
		w.add(&w.embedded, text, p)
		return
	}
	for _, again := range p.Readings {
		if again.Type == "text/html" && p.Type != "text/html" { // clients that go by it show HTML
			w.htmlPart(p, other, text)
			break
		}
	}
	switch {
	case p.Type == "text/html":
		w.htmlPart(p, r, text)
	case p.Type == "text/css":
	case p.Type == "text/x-amp-html":
		w.htmlPart(p, other, text)
	default:
		switch p.Type {
		case "text/enriched", "text/richtext":
			text = htmlview.Render(text, w.limits()).Visible
		case "text/calendar": // clients show the words of an invitation
			text = calendar.Replace(text)
		}
		w.v.HasPlain = w.v.HasPlain || p.Type == "text/plain"
		w.add(&w.plain, text, p)
		if r == shown {
			w.add(&w.text, text, p)
		}
		w.links(links.FindInText(clip(text, w.m.lim.Text), w.m.lim.Links-len(w.v.Links)), p)
	}
}

// calendar undoes folds and escapes (RFC 5545 3.1, 3.3.11).
var calendar = strings.NewReplacer("\r\n ", "", "\n ", "", "\r\n\t", "", "\n\t", "", `\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`)

// inner adds what stands under an encoding: readers differ on whether it shows, so
// its text counts as an embedded message's, and its links count.
func (w *viewer) inner(in *Message, p *Part, r role) {
	v := in.View()
	w.add(&w.embedded, v.Text, p)
	w.add(&w.embedded, v.Embedded, p)
	if r != embedded {
		w.links(v.Links, p)
	}
}

func (w *viewer) limits() htmlview.Limits {
	return htmlview.Limits{Input: max(1, w.html), Text: w.m.lim.Text, Links: max(1, w.m.lim.Links-len(w.v.Links))}
}

func (w *viewer) htmlPart(p *Part, r role, text string) {
	v := w.v
	res := htmlview.Render(text, w.limits())
	w.html -= min(len(text), w.html)
	v.HasHTML = true
	v.HTMLSize += len(text)
	v.Forms += res.Forms
	v.Scripts += res.Scripts
	v.Images += res.Images
	v.Inputs += res.Inputs
	v.Passwords += res.Passwords
	v.Frames += res.Frames
	v.Refresh += res.Refresh
	v.HiddenBytes += res.HiddenBytes
	v.HiddenWhy |= uint32(res.Why)
	if res.Truncated {
		w.limit(p)
	}
	if r == shown {
		w.add(&w.text, res.Visible, p)
	} else {
		w.add(&w.hidden, res.Visible, p)
	}
	w.add(&w.hidden, res.Hidden, p)
	w.add(&w.alt, res.Alt, p)
	w.add(&w.outlook, res.Conditional, p)
	w.links(res.Links, p)
	if n := w.m.lim.Links - len(v.Links); n > 0 {
		// Clients make links of URLs in the text of HTML too.
		found := links.FindInText(res.Visible, n)
		w.links(unlinked(found, res.Links), p)
	}
	if inner := metaCharset(w.m.Decoded(p)); inner != "" && p.Charset != "" && !sameCharset(inner, p.Charset) {
		v.Defects = append(v.Defects, Defect{Code: CharsetConflict, Range: p.Body, Part: p.Index, Detail: p.Charset + " / " + inner, Ambiguous: true})
	}
}

// unlinked leaves out what is the words of an anchor already.
func unlinked(found, anchors []links.Link) []links.Link {
	if len(found) == 0 {
		return nil
	}
	words := make(map[string]bool, len(anchors))
	for i := range anchors {
		if anchors[i].Source != links.FromAnchor {
			continue
		}
		for f := range strings.FieldsSeq(anchors[i].Text) {
			words[strings.Trim(f, ".,;:!?()<>[]\"'")] = true
		}
	}
	out := found[:0]
	for _, l := range found {
		if !words[strings.Trim(l.Text, ".,;:!?()<>[]\"'")] {
			out = append(out, l)
		}
	}
	return out
}

// sameCharset compares labels, taking the usual subsets for equal.
func sameCharset(a, b string) bool {
	n := func(s string) string {
		s = strings.NewReplacer("-", "", "_", "").Replace(s)
		switch s {
		case "iso88591", "latin1", "usascii", "windows1252", "cp1252":
			return "windows1252"
		case "gb2312", "gbk", "gb18030":
			return "gb18030"
		}
		return s
	}
	return n(a) == n(b)
}

func (w *viewer) links(ls []links.Link, p *Part) {
	for _, l := range ls {
		if len(w.v.Links) >= w.m.lim.Links {
			w.limit(p)
			return
		}
		l.Part = p.Index
		w.v.Links = append(w.v.Links, l)
	}
}

// limit says once per part that text was cut.
func (w *viewer) limit(p *Part) {
	w.v.Truncated = true
	if n := len(w.v.Defects); n > 0 && w.v.Defects[n-1].Code == TextLimit && w.v.Defects[n-1].Part == p.Index {
		return
	}
	w.v.Defects = append(w.v.Defects, Defect{Code: TextLimit, Range: p.Body, Part: p.Index})
}

// add appends text to one of the views, bounded by Limits.Text.
func (w *viewer) add(b *strings.Builder, text string, p *Part) {
	if text == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	if room := w.m.lim.Text - b.Len(); len(text) > room {
		text = clip(text, max(0, room))
		w.limit(p)
	}
	b.WriteString(text)
}

// clip cuts s to n bytes at a character's boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
