// Package page opens HTML, XHTML, SVG and HTA files: script and what it does, files
// that a page builds out of itself, forms that ask for passwords, frames, redirects
// and links. It runs nothing: what can be decoded by itself is emitted as a file of
// its own and looked at like any other.
package page

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
	"sluice/message/charset"
)

// Bounds.
const (
	maxTokens     = 2_000_000
	maxScript     = 8 << 20 // bytes of script in one page
	maxLinks      = 500
	maxAttributes = 4000 // in one tag
	maxEmitted    = 64
	maxText       = inspect.MaxText
)

// Decoder opens pages.
type Decoder struct{}

// Name is "page".
func (Decoder) Name() string { return "page" }

// Types are those that a browser shows, and HTML applications.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.HTML, inspect.XHTML, inspect.SVG, inspect.HTA}
}

// page is what was seen so far.
type page struct {
	w       *child.Work
	code    strings.Builder
	text    strings.Builder
	links   map[inspect.Link]bool
	emitted int
	form    string // where the present form is sent
	saved   string // name of a file that the page hands out
}

// Open reads the page once.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := decode(w.Bytes())
	w.Mark(inspect.Page)
	p := &page{w: w, links: map[inspect.Link]bool{}}
	if err := p.read(b); err != nil {
		return err
	}
	if p.code.Len() > 0 {
		w.Mark(inspect.ActivePage)
		if err := p.script(p.code.String()); err != nil {
			return err
		}
	}
	w.Text(inspect.OriginBody, p.text.String())
	return nil
}

// decode reads UTF-16, which script likes for hiding; all else is left to the
// tokenizer as it is.
func decode(b []byte) []byte {
	for _, m := range []struct{ mark, label string }{{"\xFF\xFE", "utf-16le"}, {"\xFE\xFF", "utf-16be"}} {
		if bytes.HasPrefix(b, []byte(m.mark)) {
			s, _ := charset.Decode(m.label, b[2:])
			return []byte(s)
		}
	}
	return b
}

func (p *page) read(b []byte) error {
	z := html.NewTokenizer(bytes.NewReader(b))
	raw := "" // the element whose content is no text
	for i := 0; ; i++ {
		if i&0xFFF == 0 {
			if err := p.w.Err(); err != nil {
				return err
			}
		}
		if i > maxTokens {
			return p.w.Steps()
		}
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return nil
		case html.TextToken:
			switch raw {
			case "script":
				if p.code.Len() < maxScript {
					p.code.Write(z.Text())
					p.code.WriteByte('\n')
				}
			case "style":
			default:
				if p.text.Len() < maxText {
					t := z.Token().Data
					p.text.WriteString(strings.ToValidUTF8(t[:min(len(t), maxText)], "\uFFFD"))
				}
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := p.tag(z, kind)
			raw = ""
			if t.Type == html.StartTagToken {
				raw = local(t.Data)
			}
			if raw == "script" && !runs(attribute(t, "type")) {
				raw = "style"
			}
			if err := p.element(t); err != nil {
				return err
			}
		case html.EndTagToken:
			raw = ""
		}
	}
}

// tag reads a tag and the first of its attributes: a page of nothing but attributes has
// millions.
func (p *page) tag(z *html.Tokenizer, kind html.TokenType) html.Token {
	t := html.Token{Type: kind}
	name, more := z.TagName()
	t.Data = string(name)
	for more {
		var k, v []byte
		if k, v, more = z.TagAttr(); len(t.Attr) == maxAttributes {
			_ = p.w.Steps() // the page goes on
			break
		}
		t.Attr = append(t.Attr, html.Attribute{Key: string(k), Val: string(v)})
	}
	return t
}

// runs says whether a browser runs a script of that type.
func runs(t string) bool {
	t = strings.ToLower(strings.TrimSpace(t))
	return t == "" || t == "module" || strings.Contains(t, "script")
}

// local is an element's name without a prefix: svg:script runs like script.
func local(n string) string { return strings.ToLower(n[strings.LastIndexByte(n, ':')+1:]) }

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if strings.EqualFold(a.Key, name) {
			return a.Val
		}
	}
	return ""
}

func (p *page) element(t html.Token) error {
	name := local(t.Data)
	for _, a := range t.Attr {
		key := strings.ToLower(a.Key)
		switch {
		case strings.HasPrefix(key, "on") && len(key) > 3 && a.Val != "":
			p.w.Fact(inspect.PageScript, name+" "+key)
			p.add(a.Val)
		case strings.HasPrefix(squeeze(a.Val), "javascript:") || strings.HasPrefix(squeeze(a.Val), "vbscript:"):
			_, code, _ := strings.Cut(a.Val, ":")
			if code = strings.TrimSpace(code); code != "" && code != ";" && code != "void(0)" && code != "void(0);" {
				p.w.Fact(inspect.PageScript, name+" "+key)
				p.add(code)
			}
		}
	}
	href := strings.TrimSpace(attribute(t, "href") + attribute(t, "xlink:href"))
	src := strings.TrimSpace(attribute(t, "src"))
	switch name {
	case "script":
		if !runs(attribute(t, "type")) {
			return nil
		}
		p.w.Fact(inspect.PageScript, "script")
		p.link(inspect.ViaAuto, src)
		return p.data(src, "")
	case "meta":
		if strings.EqualFold(strings.TrimSpace(attribute(t, "http-equiv")), "refresh") {
			return p.refresh(attribute(t, "content"))
		}
	case "iframe", "frame", "embed", "object", "portal", "applet":
		at := src + strings.TrimSpace(attribute(t, "data"))
		if doc := attribute(t, "srcdoc"); doc != "" {
			p.w.Fact(inspect.PageFrame, "srcdoc")
			return p.emit(child.Entry{Name: "srcdoc.html", Type: inspect.HTML, Size: -1, Bytes: []byte(doc)})
		}
		if at != "" {
			p.w.Fact(inspect.PageFrame, at)
		}
		p.link(inspect.ViaAuto, at)
		return p.data(at, "")
	case "a", "area":
		p.link(inspect.ViaAnchor, href)
		if d := attribute(t, "download"); d != "" && p.saved == "" {
			p.saved = d
		}
		return p.data(href, attribute(t, "download"))
	case "form":
		p.form = strings.TrimSpace(attribute(t, "action"))
		p.link(inspect.ViaForm, p.form)
	case "input":
		if strings.EqualFold(attribute(t, "type"), "password") {
			p.w.Fact(inspect.PagePassword, p.form)
		}
		p.link(inspect.ViaForm, strings.TrimSpace(attribute(t, "formaction")))
	case "button":
		p.link(inspect.ViaForm, strings.TrimSpace(attribute(t, "formaction")))
	case "link":
		p.link(inspect.ViaAuto, href)
	case "img", "image", "source", "video", "audio", "use", "bgsound":
		p.link(inspect.ViaAuto, src+href)
		if strings.HasPrefix(squeeze(src+href), "data:image/svg") {
			return p.data(src+href, "")
		}
	case "set", "animate":
		// SVG changes an attribute to code.
		for _, k := range []string{"to", "values", "from"} {
			if v := squeeze(attribute(t, k)); strings.Contains(v, "javascript:") {
				p.w.Fact(inspect.PageScript, name+" "+k)
				p.add(v)
			}
		}
	case "foreignobject":
		p.w.Fact(inspect.PageFrame, "foreignObject")
	}
	return nil
}

func (p *page) add(code string) {
	if p.code.Len() < maxScript {
		p.code.WriteString(code)
		p.code.WriteByte('\n')
	}
}

// squeeze is the beginning of a URL without what browsers drop.
func squeeze(s string) string {
	s = strings.ToLower(s[:min(len(s), 64)])
	return strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, s)
}

// link states an address that leads out of the page.
func (p *page) link(via inspect.Via, u string) {
	low := squeeze(u)
	for _, s := range []string{"http:", "https:", "ftp:", "//", `\\`, "file:", "ms-", "search-ms:", "search:", "mhtml:"} {
		if strings.HasPrefix(low, s) {
			l := inspect.Link{URL: u, Via: via}
			if !p.links[l] && len(p.links) < maxLinks {
				p.links[l] = true
				p.w.Link(via, u)
			}
			return
		}
	}
}

// refresh reads the content of <meta http-equiv=refresh>.
func (p *page) refresh(content string) error {
	i := strings.Index(script.Lower(content), "url")
	if i < 0 {
		return nil
	}
	u := strings.TrimLeft(content[i+3:], " \t=")
	u = strings.Trim(strings.TrimSpace(u), `'"`)
	p.w.Fact(inspect.PageRedirects, "refresh: "+u)
	p.link(inspect.ViaAuto, u)
	return p.data(u, "")
}

// data emits what a data: URL holds.
func (p *page) data(u, called string) error {
	if !strings.HasPrefix(squeeze(u), "data:") {
		return nil
	}
	head, body, ok := strings.Cut(u[strings.IndexByte(u, ':')+1:], ",")
	if !ok {
		return nil
	}
	media, _, _ := strings.Cut(strings.ToLower(head), ";")
	if strings.HasPrefix(media, "image/") && !strings.Contains(media, "svg") || strings.HasPrefix(media, "font/") || strings.HasPrefix(media, "text/css") {
		return nil
	}
	plain, err := url.PathUnescape(body)
	if err != nil {
		plain = body
	}
	content := []byte(plain)
	if strings.Contains(strings.ToLower(head), "base64") {
		if d, ok := script.Base64(plain); ok {
			content = d
		}
	}
	if called == "" {
		called = "data"
	}
	e := child.Entry{Name: called, Declared: strings.TrimSpace(media), Method: "data", Size: -1, Bytes: content}
	if media == "text/html" {
		e.Type = inspect.HTML
	}
	if media == "image/svg+xml" {
		e.Type = inspect.SVG
	}
	return p.emit(e)
}

func (p *page) emit(e child.Entry) error {
	if len(e.Bytes) == 0 {
		return nil
	}
	if p.emitted++; p.emitted > maxEmitted {
		return p.w.Steps()
	}
	_, err := p.w.Emit(e)
	return err
}

// seen returns those of the words that stand in the code.
func seen(low string, words ...string) (out []string) {
	for _, w := range words {
		if strings.Contains(low, w) {
			out = append(out, strings.Trim(w, ".( "))
		}
	}
	return slices.Compact(out)
}
