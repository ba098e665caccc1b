package lint

import (
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// The most that is read of the HTML of a message, in octets and pictures.
const (
	maxMarkup   = 2 << 20
	maxPictures = 1000
	maxToken    = 256 << 10
)

// markup is what a sender's designer wants to know of the HTML.
type markup struct {
	pictures []picture
	left     bool // there is more than was read
	lang     bool // <html lang> is set
	viewport bool // <meta name=viewport>
}

// picture is an <img>.
type picture struct {
	host          string // "" where it is inside the message
	secure        bool
	data          bool // data: URI
	alt           bool // has an alt text, be it empty: an ornament's is
	width, height int  // −1 where it isn't said
}

// pixel says whether nobody can see it: it is there to be fetched.
func (p *picture) pixel() bool {
	return p.width >= 0 && p.width <= 2 && p.height >= 0 && p.height <= 2
}

// readMarkup reads the HTML that shows, of all inline parts.
func readMarkup(m *message.Message) markup {
	var out markup
	room := maxMarkup
	for _, p := range m.Parts {
		if p.Type != "text/html" || p.IsFile() || p.Ghost || p.Embedded {
			continue
		}
		text := m.Text(p)
		if len(text) > room {
			text, out.left = text[:room], true
		}
		room -= len(text)
		out.read(text)
	}
	return out
}

func (k *markup) read(src string) {
	z := html.NewTokenizer(strings.NewReader(src))
	z.SetMaxBuf(maxToken)
	for {
		switch z.Next() {
		case html.ErrorToken:
			k.left = k.left || z.Err() != io.EOF
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			switch string(name) {
			case "img":
				if len(k.pictures) >= maxPictures {
					k.left = true
					return
				}
				k.pictures = append(k.pictures, newPicture(attributes(z, more)))
			case "html":
				k.lang = k.lang || attributes(z, more)["lang"] != ""
			case "meta":
				k.viewport = k.viewport || header.EqualFold(attributes(z, more)["name"], "viewport")
			}
		}
	}
}

// attributes are those of a tag; of two of one name the first counts, as in browsers.
func attributes(z *html.Tokenizer, more bool) map[string]string {
	out := map[string]string{}
	for n := 0; more && n < 100; n++ {
		var k, v []byte
		k, v, more = z.TagAttr()
		if _, ok := out[string(k)]; !ok {
			out[string(k)] = string(v)
		}
	}
	return out
}

func newPicture(a map[string]string) picture {
	p := picture{width: size(a["width"]), height: size(a["height"])}
	_, p.alt = a["alt"]
	src := strings.TrimSpace(a["src"])
	l := links.Parse(src)
	switch l.Scheme {
	case "http", "https":
		p.host, p.secure = l.Host, l.Scheme == "https"
	case "data":
		p.data = true
	}
	for style := range strings.SplitSeq(a["style"], ";") {
		name, value, _ := strings.Cut(style, ":")
		switch header.Lower(strings.TrimSpace(name)) {
		case "width":
			p.width = size(value)
		case "height":
			p.height = size(value)
		case "display":
			if header.EqualFold(strings.TrimSpace(value), "none") {
				p.width, p.height = 0, 0
			}
		}
	}
	return p
}

// size reads a length in pixels, −1 for none and for other units.
func size(s string) int {
	s = strings.TrimSuffix(strings.TrimSpace(header.Lower(s)), "px")
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > 100_000 {
		return -1
	}
	return n
}
