package htmlview

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"sluice/message/links"

	"sluice/message/header"
)

const (
	maxAttrs = 64       // attributes looked at in one tag
	maxAttr  = 64 << 10 // bytes of one attribute
)

// The attributes that matter.
const (
	aHref = iota
	aSrc
	aSrcset
	aAction
	aBackground
	aPoster
	aData
	aLowsrc
	aAlt
	aTitle
	aValue
	aType
	aContent
	aEquiv
	aStyle
	aClass
	aID
	aBgcolor
	aColor
	aText
	aHidden
	aOpen
	aWidth
	aHeight
	attrCount
)

// attrs are the attributes of one tag, decoded.
type attrs struct {
	v      [attrCount]string
	seen   uint32 // bit per attribute
	events int    // on… handlers
}

func (a *attrs) has(i int) bool { return a.seen>>i&1 == 1 }

// attrIndex finds the index of a lower-case attribute name, or -1.
func attrIndex(key []byte) int {
	switch string(key) {
	case "href", "xlink:href":
		return aHref
	case "src":
		return aSrc
	case "srcset":
		return aSrcset
	case "action", "formaction":
		return aAction
	case "background":
		return aBackground
	case "poster":
		return aPoster
	case "data":
		return aData
	case "lowsrc", "dynsrc":
		return aLowsrc
	case "alt":
		return aAlt
	case "title":
		return aTitle
	case "value", "placeholder":
		return aValue
	case "type":
		return aType
	case "content":
		return aContent
	case "http-equiv":
		return aEquiv
	case "style":
		return aStyle
	case "class":
		return aClass
	case "id":
		return aID
	case "bgcolor":
		return aBgcolor
	case "color":
		return aColor
	case "text":
		return aText
	case "hidden":
		return aHidden
	case "open":
		return aOpen
	case "width":
		return aWidth
	case "height":
		return aHeight
	}
	return -1
}

// add takes one attribute; the first of each counts, as in browsers.
func (a *attrs) add(key, val []byte) {
	i := attrIndex(key)
	switch {
	case i >= 0 && !a.has(i):
		a.seen |= 1 << i
		a.v[i] = string(val[:min(len(val), maxAttr)])
	case i < 0 && len(key) > 3 && key[0] == 'o' && key[1] == 'n':
		a.events++
	}
}

// read fills a from the raw bytes behind a tag's name, or from the tokenizer where
// raw is nil.
func (a *attrs) read(raw []byte, z *html.Tokenizer) {
	var key, val []byte
	if raw == nil {
		more := true
		for n := 0; more && n < maxAttrs; n++ {
			key, val, more = z.TagAttr()
			a.add(key, val)
		}
		return
	}
	var low [16]byte // longer than every name that matters
	for n := 0; n < maxAttrs; n++ {
		if key, val, raw = rawAttr(raw); len(key) == 0 {
			return
		}
		k := low[:min(len(key), len(low))]
		for i := range k {
			k[i] = lower(key[i])
		}
		a.add(k, val)
	}
}

// start handles a start tag.
func (r *renderer) start(tag atom.Atom, name []byte, a *attrs, selfClosing bool) {
	r.res.Scripts += a.events
	r.implied(tag)
	e := element{tag: tag, link: -1}
	if tag == 0 {
		e.name = string(name)
	}
	r.styleOf(&e, a)
	parent := r.top()
	e.style = parent.style.apply(&e.own)
	e.why = parent.why
	switch tag {
	case atom.Title, atom.Template, atom.Iframe, atom.Noembed, atom.Noframes, atom.Datalist:
		e.why |= WhyElement
	case 0:
		if e.name == "xml" { // settings for Office
			e.why |= WhyElement
		}
	}
	switch {
	case tag == atom.Br:
		r.line()
	case isBlock(tag):
		r.line()
	case tag == atom.Td || tag == atom.Th:
		r.visible.space()
		r.hidden.space()
	}
	why := e.why | e.style.why()&^(WhyFont|WhyColour) // pictures have no font
	r.linksOf(&e, a, why != 0)
	if a.v[aAlt] != "" {
		r.alt.write([]byte(a.v[aAlt]), false)
		r.alt.line()
		if r.anchor.link >= 0 && r.anchor.alt == "" {
			r.anchor.alt = a.v[aAlt]
		}
	}
	if a.v[aTitle] != "" {
		r.alt.write([]byte(a.v[aTitle]), false)
		r.alt.line()
	}
	r.formOf(tag, a, why != 0)
	r.look(&e, a)
	if isVoid(tag) || selfClosing && tag == 0 && strings.IndexByte(e.name, ':') > 0 {
		return
	}
	if e.link >= 0 {
		r.endAnchor()
		r.anchor = anchor{link: e.link, visible: len(r.visible.b), hidden: len(r.hidden.b)}
		if r.nested {
			r.anchor.visible = len(r.cond.b)
		}
		if len(r.stack) >= maxDepth { // it won't be closed with its element
			r.anchor.link = -1
		}
	}
	r.push(e)
}

// look notes how the anchor that is open, or begins here, looks.
func (r *renderer) look(e *element, a *attrs) {
	e.from, e.button = len(r.visible.b), -1
	own := e.own.set&propBack != 0 && e.style.bg != r.top().style.bg
	switch {
	case r.nested:
	case e.link >= 0:
		r.res.Links[e.link].Look.Button = own
		// A cell, or what else stands close around it, may be the button: that is
		// known when it ends.
		for i := len(r.stack) - 1; !own && i > 0 && i > len(r.stack)-4; i-- {
			box := &r.stack[i]
			if r.visible.blank(box.from) && box.own.set&propBack != 0 && box.style.bg != r.stack[i-1].style.bg {
				box.button = e.link
				break
			}
		}
	case r.anchor.link < 0:
	case e.tag == atom.Img || e.tag == atom.Image:
		l := &r.res.Links[r.anchor.link].Look
		l.Area = max(l.Area, area(a.v[aWidth], a.v[aHeight]))
	case own:
		r.res.Links[r.anchor.link].Look.Button = true
	}
}

// area is that of a picture with these attributes.
func area(width, height string) uint32 {
	const most = 2000
	size := func(s string) uint32 {
		n, _, ok := length(strings.TrimSpace(s))
		if !ok || strings.HasSuffix(s, "%") {
			return 0
		}
		return uint32(min(max(n, 0), most))
	}
	return max(size(width)*size(height), links.Unsized)
}

// implied closes what a start tag ends by itself (HTML Standard 13.2.6.4.7).
func (r *renderer) implied(tag atom.Atom) {
	switch tag {
	case atom.Li:
		r.closeInScope(atom.Li, 0)
	case atom.Dd, atom.Dt:
		r.closeInScope(atom.Dd, atom.Dt)
	case atom.Option:
		r.closeInScope(atom.Option, 0)
	case atom.A:
		r.closeInScope(atom.A, 0)
	case atom.Td, atom.Th:
		r.closeCell(atom.Td, atom.Th)
	case atom.Tr:
		r.closeCell(atom.Tr, 0)
	}
	if isBlock(tag) && tag != atom.Table && tag != atom.Tr || tag == atom.Table && r.open[hash(atom.P, "")] > 0 {
		r.closeInScope(atom.P, 0)
	}
}

// closeCell closes an open cell or row of the current table.
func (r *renderer) closeCell(tag, or atom.Atom) {
	for i := len(r.stack) - 1; i > 0; i-- {
		switch t := r.stack[i].tag; t {
		case tag:
			r.popTo(i)
			return
		case atom.Table, atom.Html, atom.Body:
			return
		default:
			if or != 0 && t == or {
				r.popTo(i)
				return
			}
		}
	}
}

// styleOf gathers an element's own declarations: attributes first, CSS over them.
func (r *renderer) styleOf(e *element, a *attrs) {
	d := &e.own
	if e.tag == atom.A && a.v[aHref] != "" {
		d.set |= propColour
		d.fg = colour{rgb: 0x0000ee}
	}
	if a.v[aColor] != "" && e.tag == atom.Font {
		if c, ok := attrColour(a.v[aColor]); ok {
			d.set |= propColour
			d.fg = c
		}
	}
	if a.v[aText] != "" && e.tag == atom.Body {
		if c, ok := attrColour(a.v[aText]); ok {
			d.set |= propColour
			d.fg = c
		}
	}
	if a.v[aBgcolor] != "" {
		if c, ok := attrColour(a.v[aBgcolor]); ok {
			d.set |= propBack
			d.bg = c
		}
	}
	if a.v[aBackground] != "" {
		d.set |= propBack
		d.bg = colour{unknown: true}
	}
	if e.tag == atom.Button || e.tag == atom.Input || e.tag == atom.Select || e.tag == atom.Textarea || e.tag == atom.Mark {
		d.set |= propBack
		d.bg = colour{unknown: true}
	}
	if len(r.sheet) > 0 || a.v[aStyle] != "" {
		tag := e.name
		if e.tag != 0 {
			tag = e.tag.String()
		}
		r.sheet.match(d, tag, a.v[aID], a.v[aClass], a.v[aStyle])
	}
	if a.has(aHidden) && d.set&propDisplay == 0 || e.tag == atom.Dialog && !a.has(aOpen) {
		d.set |= propDisplay
		d.none = true
	}
}

// linksOf records the links of one tag.
func (r *renderer) linksOf(e *element, a *attrs, hidden bool) {
	switch e.tag {
	case atom.A:
		if a.v[aHref] != "" {
			e.link = r.link(a.v[aHref], links.FromAnchor, hidden)
		}
	case atom.Area:
		if i := r.link(a.v[aHref], links.FromAnchor, hidden); i >= 0 {
			r.res.Links[i].Text = a.v[aAlt]
		}
	case atom.Base:
		if r.res.Base == "" && a.v[aHref] != "" {
			r.res.Base = a.v[aHref]
			r.link(a.v[aHref], links.FromOther, true)
			r.base = links.Parse(a.v[aHref])
		}
	case atom.Form:
		r.link(a.v[aAction], links.FromForm, hidden)
	case atom.Button, atom.Input:
		r.link(a.v[aAction], links.FromForm, hidden)
		r.link(a.v[aSrc], links.FromImage, hidden)
	case atom.Img, atom.Image:
		r.res.Images++
		r.link(a.v[aSrc], links.FromImage, hidden)
		r.link(a.v[aLowsrc], links.FromImage, hidden)
		r.link(a.v[aHref], links.FromImage, hidden)
		r.srcset(a.v[aSrcset], hidden)
	case atom.Iframe, atom.Frame, atom.Embed, atom.Object:
		r.res.Frames++
		r.link(a.v[aSrc], links.FromOther, hidden)
		r.link(a.v[aData], links.FromOther, hidden)
	case atom.Link:
		r.link(a.v[aHref], links.FromOther, true)
	case atom.Script:
		r.res.Scripts++
		r.link(a.v[aSrc], links.FromOther, true)
	case atom.Meta:
		if header.EqualFold(strings.TrimSpace(a.v[aEquiv]), "refresh") {
			r.res.Refresh++
			r.link(refreshURL(a.v[aContent]), links.FromOther, false)
		}
	default:
		r.link(a.v[aSrc], links.FromOther, hidden)
		r.srcset(a.v[aSrcset], hidden)
		if e.tag == 0 && a.v[aHref] != "" { // v:roundrect and other VML and SVG links
			if i := r.link(a.v[aHref], links.FromAnchor, hidden); strings.IndexByte(e.name, ':') > 0 {
				e.link = i
			}
		}
	}
	r.link(a.v[aPoster], links.FromImage, hidden)
	if a.v[aBackground] != "" {
		r.res.Images++
		r.link(a.v[aBackground], links.FromImage, hidden)
	}
	if strings.Contains(a.v[aStyle], "(") {
		r.cssURLs(a.v[aStyle], hidden)
	}
}

// link records one link and returns its index, or -1.
func (r *renderer) link(raw string, from links.Source, hidden bool) int {
	if raw == "" {
		return -1
	}
	if len(r.res.Links) >= r.lim.Links {
		r.res.Truncated = true
		return -1
	}
	l := links.Resolve(r.base, raw)
	if from == links.FromOther && l.Host == "" && l.Scheme == "" {
		return -1
	}
	if l.Scheme == "javascript" || l.Scheme == "vbscript" {
		r.res.Scripts++
	}
	l.Source, l.Hidden, l.Conditional = from, hidden, r.nested
	if r.res.Links == nil {
		r.res.Links = make([]links.Link, 0, 16)
	}
	r.res.Links = append(r.res.Links, l)
	return len(r.res.Links) - 1
}

func (r *renderer) srcset(v string, hidden bool) {
	if v == "" {
		return
	}
	n := 0
	for one := range strings.SplitSeq(v, ", ") {
		if n++; n > 16 {
			return
		}
		u, _, _ := strings.Cut(strings.TrimSpace(one), " ")
		r.link(strings.TrimSuffix(u, ","), links.FromImage, hidden)
	}
}

// cssURLs finds url(…) in a style.
func (r *renderer) cssURLs(style string, hidden bool) {
	for n := 0; n < 16; n++ {
		i := indexURL(style)
		if i < 0 {
			return
		}
		style = style[i+4:]
		end := strings.IndexByte(style, ')')
		if end < 0 {
			return
		}
		r.res.Images++
		r.link(strings.Trim(style[:end], " \t\r\n\"'"), links.FromImage, hidden)
		style = style[end:]
	}
}

// indexURL finds "url(" in any case.
func indexURL(s string) int {
	for pos := 0; ; pos++ {
		i := strings.IndexByte(s[pos:], '(')
		if i < 0 {
			return -1
		}
		if pos += i; pos >= 3 && header.EqualFold(s[pos-3:pos], "url") {
			return pos - 3
		}
	}
}

// refreshURL finds the target in "0; url=http://…".
func refreshURL(content string) string {
	i := strings.IndexAny(content, ";,")
	if i < 0 {
		return ""
	}
	v := strings.TrimSpace(content[i+1:])
	if len(v) >= 3 && header.EqualFold(v[:3], "url") {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(v[3:]), "="); ok {
			v = strings.TrimSpace(rest)
		}
	}
	return strings.Trim(v, "\"'")
}

// formOf counts form elements and shows the words on buttons.
func (r *renderer) formOf(tag atom.Atom, a *attrs, hidden bool) {
	switch tag {
	case atom.Form:
		r.res.Forms++
	case atom.Textarea, atom.Select:
		r.res.Inputs++
	case atom.Input:
		switch kind := strings.ToLower(strings.TrimSpace(a.v[aType])); kind {
		case "hidden":
		case "submit", "button", "reset", "image":
			if !hidden && !r.nested {
				r.visible.space()
				r.visible.write([]byte(a.v[aValue]), false)
				r.visible.space()
			}
		default:
			r.res.Inputs++
			if kind == "password" {
				r.res.Passwords++
			}
			if a.v[aValue] != "" {
				r.alt.write([]byte(a.v[aValue]), false)
				r.alt.line()
			}
		}
	}
}

func isVoid(t atom.Atom) bool {
	switch t {
	case atom.Area, atom.Base, atom.Basefont, atom.Bgsound, atom.Br, atom.Col, atom.Embed, atom.Frame, atom.Hr, atom.Image, atom.Img,
		atom.Input, atom.Keygen, atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}

// isBlock says whether the element breaks lines (and closes an open <p>).
func isBlock(t atom.Atom) bool {
	switch t {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Body, atom.Center, atom.Dd, atom.Details, atom.Dialog, atom.Dir, atom.Div,
		atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Form, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6,
		atom.Header, atom.Hgroup, atom.Hr, atom.Li, atom.Listing, atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.P, atom.Plaintext, atom.Pre,
		atom.Section, atom.Summary, atom.Table, atom.Tr, atom.Ul, atom.Xmp, atom.Caption:
		return true
	}
	return false
}

// isBarrier says whether end tags inside don't reach elements outside.
func isBarrier(t atom.Atom) bool {
	switch t {
	case atom.Table, atom.Td, atom.Th, atom.Caption, atom.Template, atom.Html, atom.Button, atom.Object, atom.Marquee, atom.Applet:
		return true
	}
	return false
}

// isTable says whether an end tag closes table parts through barriers.
func isTable(t atom.Atom) bool {
	switch t {
	case atom.Table, atom.Tbody, atom.Thead, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Caption, atom.Html, atom.Body, atom.Template:
		return true
	}
	return false
}

// isFormatting says whether the adoption agency handles the end tag.
func isFormatting(t atom.Atom) bool {
	switch t {
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		return true
	}
	return false
}
