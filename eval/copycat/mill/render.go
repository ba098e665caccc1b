package mill

import (
	"encoding/base64"
	"fmt"
	"html"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"strings"
)

// Layouts is how many layouts there are: eight frames with six orders of their content.
const Layouts = 48

// page lays a mail out.
type page struct {
	m      *Mail
	b      strings.Builder
	r      *rand.Rand // of the look
	ink    string
	accent string
	font   string
	prefix string
}

var accents = strings.Fields("#c8102e #0057b8 #00843d #6d2077 #e87722 #0b7285 #212529 #b5179e #2b8a3e #1864ab")

// HTML writes the mail's HTML.
func (m *Mail) HTML() string {
	r := seeded(m.Look, uint64(m.Layout))
	p := &page{m: m, r: r, ink: pick(r, []string{"#222222", "#333333", "#1a1a1a", "#444444"}), accent: pick(r, accents),
		font: pick(r, []string{"Arial,Helvetica,sans-serif", "Georgia,serif", "'Open Sans',Arial,sans-serif", "Verdana,sans-serif"}), prefix: pick(r, []string{"mc", "em", "es", "u-", "x_", "tpl"})}
	frames := [8]func(*page){
		func(p *page) {
			p.frame(`<table width="100%" bgcolor="#f4f4f4"><tr><td align="center"><table width="600" bgcolor="#ffffff">`, `</table></td></tr></table>`)
		},
		func(p *page) {
			p.frame(`<div style="background-color:#eeeeee"><div style="max-width:600px;margin:0 auto;background-color:#ffffff"><table width="100%">`, `</table></div></div>`)
		},
		func(p *page) {
			p.frame(`<center><table border="0" cellpadding="0" cellspacing="0" width="640"><tr><td><table width="100%"><tbody>`, `</tbody></table></td></tr></table></center>`)
		},
		func(p *page) {
			p.frame(`<table role="presentation" width="100%"><tbody><tr><td></td><td width="580"><div><table role="presentation" width="100%">`, `</table></div></td><td></td></tr></tbody></table>`)
		},
		func(p *page) {
			p.frame(`<div><div><div><table align="center" width="620" style="border:1px solid #dddddd">`, `</table></div></div></div>`)
		},
		func(p *page) {
			p.frame(`<table width="100%"><tr><td bgcolor="`+p.accent+`" height="8"></td></tr><tr><td><table width="600" align="center">`, `</table></td></tr></table>`)
		},
		func(p *page) {
			p.frame(`<section><article><table width="100%" style="max-width:560px">`, `</table></article></section>`)
		},
		func(p *page) {
			p.frame(`<table width="100%" height="100%"><tr><td valign="top" align="center"><span><table width="600"><thead><tr><th></th></tr></thead>`, `</table></span></td></tr></table>`)
		},
	}
	frames[m.Layout%8](p)
	return p.b.String()
}

func (p *page) class(name string) string {
	if !p.m.Brand.Habit.Classes {
		return ""
	}
	return ` class="` + p.prefix + name + `"`
}

func (p *page) put(s ...string) {
	for _, x := range s {
		p.b.WriteString(x)
	}
}

func (p *page) frame(open, end string) {
	p.put("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>", html.EscapeString(p.m.Subject), "</title>")
	if p.m.Brand.Habit.Classes {
		p.put("<style>.", p.prefix, "btn{background-color:", p.accent, ";color:#ffffff;font-size:18px;padding:12px 24px}.", p.prefix, "t{font-family:", p.font, "}@media(max-width:480px){.", p.prefix, "t{width:100%}}</style>")
	}
	p.put("</head><body style=\"margin:0;color:", p.ink, "\">", p.m.Above)
	if p.m.Hidden != "" {
		p.put("<div style=\"display:none;font-size:1px;max-height:0\">", html.EscapeString(p.m.Hidden), "</div>")
	}
	if p.m.Before != "" && p.m.Brand.Habit.Before {
		p.put("<div style=\"display:none;max-height:0;overflow:hidden\">", html.EscapeString(p.m.Before), strings.Repeat("&zwnj;&nbsp;", 20), "</div>")
	}
	p.put(open)
	p.head()
	switch p.m.Layout / 8 % 6 {
	case 0:
		for i := range p.m.Blocks {
			p.row(&p.m.Blocks[i])
		}
	case 1: // cards in two columns
		p.columns(2)
	case 2: // a column at the side
		p.put("<tr><td><table width=\"100%\"><tr><td width=\"70%\" valign=\"top\"><table>")
		for i := range p.m.Blocks {
			p.row(&p.m.Blocks[i])
		}
		p.put("</table></td><td width=\"30%\" valign=\"top\"><p", p.class("t"), ">", html.EscapeString(p.m.Brand.Name), "</p><hr></td></tr></table></td></tr>")
	case 3:
		p.columns(3)
	case 4: // a letter
		p.put("<tr><td style=\"padding:24px\">")
		for i := range p.m.Blocks {
			p.block(&p.m.Blocks[i])
		}
		p.put("</td></tr>")
	case 5: // boxes
		for i := range p.m.Blocks {
			p.put("<tr><td style=\"padding:8px\"><table width=\"100%\" style=\"border:1px solid #eeeeee\">")
			p.row(&p.m.Blocks[i])
			p.put("</table></td></tr>")
		}
	}
	p.foot()
	p.put(end, p.m.Below, "</body></html>")
}

func (p *page) head() {
	if p.m.Logo == "" && !p.m.Cid {
		return
	}
	src := p.m.Logo
	if p.m.Cid {
		src = "cid:logo"
	}
	p.put("<tr><td", p.class("logo"), " align=\"center\"><a href=\"", p.m.Home, "\"><img src=\"", src, "\" width=\"160\" height=\"48\" alt=\"", html.EscapeString(p.m.Brand.Name), "\"></a></td></tr>\n")
}

func (p *page) row(b *Block) {
	p.put("<tr><td", p.class("cell"), " style=\"padding:10px 20px\">")
	p.block(b)
	p.put("</td></tr>\n")
}

// columns puts cards side by side.
func (p *page) columns(n int) {
	in := 0
	for i := range p.m.Blocks {
		b := &p.m.Blocks[i]
		if b.Kind != Card {
			if in > 0 {
				p.put("</tr></table></td></tr>\n")
				in = 0
			}
			p.row(b)
			continue
		}
		if in%n == 0 {
			if in > 0 {
				p.put("</tr><tr>")
			} else {
				p.put("<tr><td><table width=\"100%\"><tr>")
			}
		}
		p.put("<td valign=\"top\" width=\"", fmt.Sprint(100/n), "%\">")
		p.block(b)
		p.put("</td>")
		in++
	}
	if in > 0 {
		p.put("</tr></table></td></tr>\n")
	}
}

func (p *page) picture(name string) string {
	if p.m.Brand.Habit.Pictures == nil {
		return "cid:hero"
	}
	if strings.HasPrefix(name, "https://") {
		return name
	}
	return p.m.Brand.Habit.Pictures(p.m.Brand, name)
}

func (p *page) block(b *Block) {
	text := html.EscapeString(b.Text)
	style := "font-family:" + p.font + ";color:" + p.ink
	switch b.Kind {
	case Heading:
		p.put("<h1", p.class("t"), " style=\"", style, ";font-size:28px\">", text, "</h1>")
	case Para:
		p.put("<p", p.class("t"), " style=\"", style, ";font-size:15px;line-height:22px\">", text, "</p>")
	case Small:
		p.put("<p style=\"", style, ";font-size:11px\">", text, "</p>")
	case Picture:
		p.put("<a href=\"", b.Link, "\"><img src=\"", p.picture(b.Value), "\" width=\"600\" height=\"220\" alt=\"", text, "\"></a>")
	case Row:
		p.put("<table width=\"100%\"><tr><td>", text, "</td><td align=\"right\">", b.Value, " EUR</td></tr></table>")
	case Card:
		p.put("<a href=\"", b.Link, "\"><img src=\"", p.picture(b.Value), "\" width=\"180\" height=\"120\" alt=\"\"></a><p style=\"", style, "\"><a href=\"", b.Link, "\" style=\"color:", p.accent, "\">", text, "</a></p>")
	case Button:
		p.button(b, text)
	}
}

func (p *page) button(b *Block, text string) {
	switch p.m.Layout * 7 % 5 {
	case 0:
		p.put("<a", p.class("btn"), " href=\"", b.Link, "\" style=\"background-color:", p.accent, ";color:#ffffff;font-size:18px;padding:12px 24px;display:inline-block\">", text, "</a>")
	case 1:
		p.put("<table align=\"center\"><tr><td bgcolor=\"", p.accent, "\" style=\"border-radius:4px;padding:12px\"><a href=\"", b.Link, "\" style=\"color:#ffffff;text-decoration:none\"><strong>", text, "</strong></a></td></tr></table>")
	case 2:
		p.put("<!--[if mso]><v:roundrect href=\"", b.Link, "\" fillcolor=\"", p.accent, "\"><center>", text, "</center></v:roundrect><![endif]--><!--[if !mso]><!--><a href=\"", b.Link,
			"\" style=\"background:", p.accent, ";color:#ffffff;padding:14px\">", text, "</a><!--<![endif]-->")
	case 3:
		p.put("<p><a href=\"", b.Link, "\" style=\"font-size:22px;color:", p.accent, "\">", text, " &raquo;</a></p>")
	case 4:
		p.put("<a href=\"", b.Link, "\"><span style=\"background-color:", p.accent, ";color:#ffffff;font-size:17px\">&nbsp;", text, "&nbsp;</span></a>")
	}
}

func (p *page) foot() {
	p.put("<tr><td", p.class("foot"), " bgcolor=\"#f0f0f0\" style=\"font-size:11px\">")
	n := 0
	for i := range p.m.Footer {
		b := &p.m.Footer[i]
		if b.Link == "" {
			p.block(b)
			continue
		}
		if n++; n > 1 {
			p.put(" | ")
		}
		p.put("<a href=\"", b.Link, "\" style=\"color:#666666;font-size:11px\">", html.EscapeString(b.Text), "</a>")
	}
	p.put("<img src=\"", p.m.pixel(), "\" width=\"1\" height=\"1\"></td></tr>\n")
}

// pixel counts who opens the mail.
func (m *Mail) pixel() string {
	return "https://open." + m.Brand.Domain + "/" + token(seeded(m.Look, uint64(len(m.To)), uint64(m.To[len(m.To)/4])), 16) + ".gif"
}

// Plain writes the mail as text.
func (m *Mail) Plain() string {
	var b strings.Builder
	for _, k := range m.Blocks {
		switch {
		case k.Kind == Heading:
			b.WriteString(strings.ToUpper(k.Text) + "\r\n\r\n")
		case k.Kind == Button:
			b.WriteString(k.Text + ": " + k.Link + "\r\n\r\n")
		case k.Kind == Picture:
		case k.Kind == Row:
			fmt.Fprintf(&b, "%-40s %s EUR\r\n", k.Text, k.Value)
		case k.Kind == Card:
			b.WriteString(k.Text + "\r\n" + k.Link + "\r\n\r\n")
		default:
			b.WriteString(wrap(k.Text) + "\r\n\r\n")
		}
	}
	for _, k := range m.Footer {
		b.WriteString(wrap(k.Text))
		if k.Link != "" {
			b.WriteString(": " + k.Link)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

func wrap(s string) string {
	var b strings.Builder
	n := 0
	for w := range strings.FieldsSeq(s) {
		if n+len(w) > 74 && n > 0 {
			b.WriteString("\r\n")
			n = 0
		} else if n > 0 {
			b.WriteString(" ")
			n++
		}
		b.WriteString(w)
		n += len(w)
	}
	return b.String()
}

// encode writes a part.
func encode(b *strings.Builder, typ, encoding, body string) {
	b.WriteString("Content-Type: " + typ + "; charset=utf-8\r\n")
	switch encoding {
	case "base64":
		b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
		b.WriteString(folded(base64.StdEncoding.EncodeToString([]byte(body))))
	case "qp":
		b.WriteString("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
		w := quotedprintable.NewWriter(b)
		w.Write([]byte(body))
		w.Close()
	default:
		b.WriteString("Content-Transfer-Encoding: 8bit\r\n\r\n" + body)
	}
	b.WriteString("\r\n")
}

func folded(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s
}

// Bytes writes the whole message.
func (m *Mail) Bytes() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Mon, 12 Jan 2026 09:00:00 +0000\r\nMessage-ID: <%s@%s>\r\n%sMIME-Version: 1.0\r\n",
		mime.QEncoding.Encode("utf-8", m.FromName), m.From, m.To, mime.QEncoding.Encode("utf-8", m.Subject), token(seeded(m.Look, uint64(len(m.Subject)), uint64(len(m.To))), 12), m.Brand.Domain, m.Fields)
	switch {
	case m.Only:
		encode(&b, "text/plain", m.Encoding, m.Plain())
		return []byte(b.String())
	case m.Cid:
		b.WriteString("Content-Type: multipart/related; boundary=rel\r\n\r\n--rel\r\n")
	}
	if m.Text {
		b.WriteString("Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt\r\n")
		encode(&b, "text/plain", m.Encoding, m.Plain())
		b.WriteString("--alt\r\n")
	}
	encode(&b, "text/html", m.Encoding, m.HTML())
	if m.Text {
		b.WriteString("--alt--\r\n")
	}
	if m.Cid {
		b.WriteString("--rel\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\n" + picture(m.Brand.id) + "\r\n--rel--\r\n")
	}
	return []byte(b.String())
}

// picture is a file of noise.
func picture(id uint64) string {
	r := seeded(id, 5)
	b := make([]byte, 2000)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return folded(base64.StdEncoding.EncodeToString(append([]byte("\x89PNG\r\n\x1a\n"), b...)))
}
