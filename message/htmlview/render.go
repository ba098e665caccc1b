// Package htmlview reads HTML mail the way a person would see it: the text that
// shows, the text that is hidden and why, and every link with its words. It runs
// on a tokenizer with a bounded stack of elements, never builds a tree, never
// fails, and is linear in the input.
package htmlview

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"sluice/message/links"

	"sluice/message/header"
)

// Limits bound Render.
type Limits struct {
	Input int // bytes of HTML looked at
	Text  int // bytes of each text view
	Links int
}

// DefaultLimits are generous for honest mail.
func DefaultLimits() Limits { return Limits{Input: 4 << 20, Text: 1 << 20, Links: 2000} }

// Result is what Render saw.
type Result struct {
	Visible     string // what a person sees; lines as blocks break them
	Hidden      string // text that markup or CSS hides, comments included
	Alt         string // alt and title texts
	Title       string // of <title>
	Conditional string // text only Outlook shows: conditional comments
	Links       []links.Link
	Why         Why    // the ways of hiding met with real text
	Base        string // href of the first <base>
	Forms       int    // <form> elements
	Inputs      int    // fields a person can fill in
	Passwords   int    // fields of type password
	Scripts     int    // <script> elements, event handlers, javascript: URLs
	Images      int    // <img>, <image>, background pictures
	Frames      int    // <iframe>, <frame>, <object>, <embed>
	Refresh     int    // <meta http-equiv=refresh>
	Comments    int
	HiddenBytes int  // letters and digits hidden by style, comments and titles left out
	Truncated   bool // a limit was hit
}

// maxDepth bounds the stack of open elements; deeper ones are flattened into
// their parent.
const maxDepth = 256

// element is one open element.
type element struct {
	tag   atom.Atom
	name  string // where tag is 0
	own   decl
	style computed
	link  int // index of the link it opened, or -1
	why   Why // element hides its content

	from   int // offset in the visible text where it began
	button int // link that is a button if nothing else stands in here, or -1
}

type renderer struct {
	lim     Limits
	res     Result
	sheet   sheet
	stack   []element
	open    [256]uint16 // open elements by hash of tag, to skip idle searches
	visible sink
	hidden  sink
	alt     sink
	cond    sink
	anchor  anchor
	base    links.Link
	nested  bool // inside a conditional comment
	attrs   attrs
	scratch [64]byte // for names in upper case
}

// anchor is the <a> that is open.
type anchor struct {
	link    int // index, or -1
	visible int // offset in the visible text where it began
	hidden  int
	alt     string
}

// Render reads HTML that is already UTF-8.
func Render(src string, lim Limits) Result {
	def := DefaultLimits()
	if lim.Input <= 0 {
		lim.Input = def.Input
	}
	if lim.Text <= 0 {
		lim.Text = def.Text
	}
	if lim.Links <= 0 {
		lim.Links = def.Links
	}
	r := &renderer{lim: lim}
	if len(src) > lim.Input {
		src = src[:lim.Input]
		r.res.Truncated = true
	}
	r.sheet = styles(src)
	r.stack = make([]element, 1, 32)
	r.stack[0] = element{style: rootStyle, link: -1, button: -1}
	for _, tag := range [2]string{"html", "body"} { // they may have no tag of their own
		var d decl
		r.sheet.match(&d, tag, "", "", "")
		r.stack[0].style = r.stack[0].style.apply(&d)
	}
	r.anchor.link = -1
	r.visible.most, r.hidden.most, r.alt.most, r.cond.most = lim.Text, lim.Text, lim.Text, lim.Text
	r.visible.b = make([]byte, 0, min(len(src)/3+64, lim.Text))
	r.run(src)
	r.endAnchor()
	r.res.Visible = r.visible.String()
	r.res.Hidden = r.hidden.String()
	r.res.Alt = r.alt.String()
	r.res.Conditional = r.cond.String()
	r.res.Truncated = r.res.Truncated || r.visible.full || r.hidden.full
	return r.res
}

// styles collects the rules of all <style> elements outside comments: they apply
// to the whole document, wherever they stand.
func styles(src string) sheet {
	var s sheet
	for pos := 0; ; {
		i := strings.IndexByte(src[pos:], '<')
		if i < 0 {
			return s
		}
		pos += i
		rest := src[pos:]
		switch {
		case strings.HasPrefix(rest, "<!--"):
			end := strings.Index(rest, "-->")
			if end < 0 {
				return s
			}
			pos += end + 3
		case len(rest) > 6 && header.EqualFold(rest[1:6], "style"):
			open := strings.IndexByte(rest, '>')
			if open < 0 {
				return s
			}
			end := indexFold(rest[open:], "</style")
			if s == nil {
				s = make(sheet)
			}
			if end < 0 {
				s.parse(rest[open+1:])
				return s
			}
			s.parse(rest[open+1 : open+end])
			pos += open + end + 1
		default:
			pos++
		}
	}
}

// indexFold is strings.Index with ASCII case folded; sub is lower case and
// begins with "<".
func indexFold(s, sub string) int {
	for pos := 0; ; pos++ {
		i := strings.IndexByte(s[pos:], sub[0])
		if i < 0 {
			return -1
		}
		pos += i
		if len(s)-pos < len(sub) {
			return -1
		}
		if header.EqualFold(s[pos:pos+len(sub)], sub) {
			return pos
		}
	}
}

// run feeds the tokens of src to the handlers.
func (r *renderer) run(src string) {
	z := html.NewTokenizer(strings.NewReader(src))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			r.text(z.Text())
		case html.StartTagToken:
			tag, name := r.tag(z)
			if tag == atom.Noscript {
				z.NextIsNotRawText() // mail clients run no scripts, so they show it
			}
			r.start(tag, name, &r.attrs, false)
		case html.SelfClosingTagToken:
			tag, name := r.tag(z)
			r.start(tag, name, &r.attrs, true)
		case html.EndTagToken:
			tag, name, _, _ := tagName(z, r.scratch[:0])
			r.end(tag, name)
		case html.CommentToken:
			r.comment(z.Text())
		}
	}
}

// tag reads the name of a start tag, and its attributes into r.attrs.
func (r *renderer) tag(z *html.Tokenizer) (atom.Atom, []byte) {
	tag, name, raw, hasAttr := tagName(z, r.scratch[:0])
	r.attrs = attrs{}
	if hasAttr {
		r.attrs.read(raw, z)
	}
	return tag, name
}

func (r *renderer) top() *element { return &r.stack[len(r.stack)-1] }

// text puts text where its style wants it.
func (r *renderer) text(t []byte) {
	e := r.top()
	why := e.why | e.style.why()
	pre := e.tag == atom.Pre || e.tag == atom.Textarea
	switch {
	case e.tag == atom.Style || e.tag == atom.Script:
	case r.nested:
		if why == 0 {
			r.cond.write(t, pre)
		}
	case e.tag == atom.Title:
		if r.res.Title == "" {
			r.res.Title = strings.Join(strings.Fields(string(t[:min(len(t), 4096)])), " ")
		}
		r.hidden.line()
		r.hidden.write(t, false)
	case e.why != 0 && (e.tag == atom.Iframe || e.tag == atom.Noembed || e.tag == atom.Noframes):
		r.hidden.write(t, false)
	case why == 0:
		r.visible.write(t, pre)
		if r.anchor.link >= 0 && len(bytes.TrimSpace(t)) > 0 {
			l := &r.res.Links[r.anchor.link].Look
			l.Size = max(l.Size, uint8(min(max(e.style.font, 0), 255)))
		}
	default:
		if n := letters(t); n > 0 {
			r.res.Why |= why
			if e.why == 0 {
				r.res.HiddenBytes += n
			}
		}
		r.hidden.write(t, pre)
	}
}

// letters counts what isn't white space or filler.
func letters(t []byte) int {
	n := 0
	for _, c := range t {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			n++
		}
	}
	if n == 0 { // other scripts, but not the invisible filler of preheaders
		for _, c := range string(t) {
			if c >= 0x100 && (c < 0x2000 || c > 0x206f) && c != 0xfeff && c != 0x34f && c != 0x061c && c != 0xfffd {
				n++
			}
		}
	}
	return n
}

// comment handles comments, Outlook's conditional ones among them. Their markup
// is read once, not again inside itself.
func (r *renderer) comment(t []byte) {
	r.res.Comments++
	if r.nested {
		return
	}
	s := bytes.TrimLeft(t, " \t\r\n")
	if len(s) > 3 && s[0] == '[' && len(s) >= 3 && header.EqualFold(string(s[1:3]), "if") {
		open := bytes.Index(s, []byte("]>"))
		if open < 0 {
			return // <![if !mso]>: what follows is for everybody else
		}
		end := bytes.LastIndex(s, []byte("<!["))
		if end < open {
			end = len(s)
		}
		inner := string(s[open+2 : end])
		stack, counts, a := r.stack, r.open, r.anchor
		r.stack = []element{{style: rootStyle, link: -1, button: -1}}
		r.open = [256]uint16{}
		r.anchor = anchor{link: -1}
		r.nested = true
		r.run(inner)
		r.endAnchor()
		r.nested = false
		r.stack, r.open, r.anchor = stack, counts, a
		return
	}
	if bytes.HasPrefix(s, []byte("[endif]")) || bytes.HasPrefix(s, []byte("<![endif]")) {
		return
	}
	if letters(t) > 0 {
		r.hidden.line()
		r.hidden.write(t, false)
		r.hidden.line()
	}
}

// hash spreads tags over the counters.
func hash(tag atom.Atom, name string) byte {
	if tag != 0 {
		return byte(tag>>8) ^ byte(tag)
	}
	h := byte(len(name))
	for i := 0; i < len(name) && i < 16; i++ {
		h = h*31 + name[i]
	}
	return h
}

func (r *renderer) push(e element) {
	if len(r.stack) >= maxDepth {
		return
	}
	r.open[hash(e.tag, e.name)]++
	r.stack = append(r.stack, e)
}

// pop removes elements down to n.
func (r *renderer) popTo(n int) {
	for len(r.stack) > n {
		e := r.top()
		r.open[hash(e.tag, e.name)]--
		if e.link >= 0 && e.link == r.anchor.link {
			r.endAnchor()
		}
		if e.button >= 0 {
			l := &r.res.Links[e.button]
			l.Look.Button = l.Look.Button || l.Text != "" && oneLine(r.visible.since(e.from)) == l.Text
		}
		if isBlock(e.tag) {
			r.line()
		}
		r.stack = r.stack[:len(r.stack)-1]
	}
}

// line ends the line in the view that is being written.
func (r *renderer) line() {
	if r.nested {
		r.cond.line()
		return
	}
	r.visible.line()
	r.hidden.line()
}

// closeInScope pops the nearest open tag unless a barrier stands before it.
func (r *renderer) closeInScope(tag, or atom.Atom) {
	if r.open[hash(tag, "")] == 0 && (or == 0 || r.open[hash(or, "")] == 0) {
		return
	}
	for i := len(r.stack) - 1; i > 0; i-- {
		t := r.stack[i].tag
		if t == tag || or != 0 && t == or {
			r.popTo(i)
			return
		}
		if isBarrier(t) {
			return
		}
	}
}

// end handles an end tag (HTML Standard 13.2.6.4.7, in outline).
func (r *renderer) end(tag atom.Atom, name []byte) {
	if tag == atom.Br {
		r.line()
		return
	}
	if tag == atom.P && r.open[hash(tag, "")] == 0 {
		r.line()
		return
	}
	n := ""
	if tag == 0 {
		n = string(name)
	}
	if r.open[hash(tag, n)] == 0 {
		return
	}
	for i := len(r.stack) - 1; i > 0; i-- {
		e := &r.stack[i]
		if e.tag == tag && (tag != 0 || e.name == n) {
			r.popTo(i)
			return
		}
		switch {
		case isFormatting(tag) && !isBarrier(e.tag) && isBlock(e.tag):
			if r.removeBelow(i, tag) {
				return
			}
			return
		case isBarrier(e.tag) && !isTable(tag):
			return
		case !isBlock(tag) && !isTable(tag) && isBlock(e.tag):
			return // an end tag of an inline element doesn't close blocks
		}
	}
}

// removeBelow takes the nearest open formatting element below index i off the
// stack and leaves the blocks above it open, as the adoption agency does.
func (r *renderer) removeBelow(i int, tag atom.Atom) bool {
	for ; i > 0; i-- {
		e := &r.stack[i]
		if isBarrier(e.tag) {
			return false
		}
		if e.tag != tag {
			continue
		}
		if e.link >= 0 && e.link == r.anchor.link {
			r.endAnchor()
		}
		r.open[hash(tag, "")]--
		r.stack = append(r.stack[:i], r.stack[i+1:]...)
		for j := i; j < len(r.stack); j++ {
			r.stack[j].style = r.stack[j-1].style.apply(&r.stack[j].own)
		}
		return true
	}
	return false
}

// endAnchor gives the open link its words.
func (r *renderer) endAnchor() {
	a := r.anchor
	if a.link < 0 {
		return
	}
	r.anchor = anchor{link: -1}
	l := &r.res.Links[a.link]
	switch {
	case r.nested:
		l.Text = oneLine(r.cond.since(a.visible))
	default:
		l.Text = oneLine(r.visible.since(a.visible))
		if l.Text == "" {
			if t := oneLine(r.hidden.since(a.hidden)); t != "" {
				l.Text, l.Hidden = t, true
			}
		}
	}
	if l.Text == "" {
		l.Text = oneLine([]byte(a.alt))
	}
}

// oneLine joins the lines of a link's text.
func oneLine(b []byte) string {
	const most = 4096
	b = b[:min(len(b), most)]
	return strings.ToValidUTF8(strings.Join(strings.Fields(string(b)), " "), "")
}
