package image

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// look is what style says about an element, as far as it matters for drawing.
type look struct {
	fg, bg        shade
	width, height int
	pre, inline   bool
	hidden        bool
}

// shade is a colour's brightness.
type shade struct {
	set, clear bool
	shade      byte
}

// sheet are the rules of a page's style elements, by their last simple selector.
type sheet struct{ rules map[string]look }

const (
	maxSheet = 256 << 10
	maxRules = 2000
)

// read takes the rules of all style elements.
func (s *sheet) read(b []byte) {
	s.rules = map[string]look{}
	lower := bytes.ToLower(b)
	if len(lower) != len(b) {
		lower = b // some capitals change their length
	}
	for at, total := 0, 0; total < maxSheet; {
		i := bytes.Index(lower[at:], []byte("<style"))
		if i < 0 {
			return
		}
		at += i + 6
		open := bytes.IndexByte(b[at:], '>')
		if open < 0 {
			return
		}
		at += open + 1
		end := bytes.Index(lower[at:], []byte("</style"))
		if end < 0 {
			end = len(b) - at
		}
		css := b[at : at+min(end, maxSheet-total)]
		total += len(css)
		at += end
		for rule := range bytes.SplitSeq(css, []byte("}")) {
			selectors, body, ok := bytes.Cut(rule, []byte("{"))
			if !ok {
				continue
			}
			for sel := range strings.SplitSeq(string(selectors), ",") {
				words := strings.Fields(strings.ReplaceAll(sel, ">", " "))
				if len(words) == 0 || len(s.rules) >= maxRules {
					continue
				}
				key := words[len(words)-1]
				if i := strings.LastIndexAny(key, ".#"); i > 0 {
					key = key[i:]
				}
				l := s.rules[key]
				l.declare(string(body[:min(len(body), maxAttribute)]))
				s.rules[key] = l
			}
		}
	}
}

// of is how an element looks: rules, then attributes, then its own style.
func (s *sheet) of(tag atom.Atom, a attributes) look {
	var l look
	if len(s.rules) > 0 {
		l.over(s.rules[tag.String()])
		n := 0
		for c := range strings.FieldsSeq(a.class) {
			if n++; n > 8 {
				break
			}
			l.over(s.rules["."+c])
		}
		if a.id != "" {
			l.over(s.rules["#"+a.id])
		}
	}
	if c := colour(a.bgcolor); c.set {
		l.bg = c
	}
	if c := colour(a.color); c.set {
		l.fg = c
	}
	if a.width > 0 {
		l.width = a.width
	}
	if a.height > 0 {
		l.height = a.height
	}
	if a.style != "" {
		l.declare(a.style)
	}
	return l
}

func (l *look) over(o look) {
	if o.fg.set {
		l.fg = o.fg
	}
	if o.bg.set {
		l.bg = o.bg
	}
	if o.width > 0 {
		l.width = o.width
	}
	if o.height > 0 {
		l.height = o.height
	}
	l.pre = l.pre || o.pre
	l.inline = l.inline || o.inline
	l.hidden = l.hidden || o.hidden
}

// declare reads declarations of CSS.
func (l *look) declare(css string) {
	for d := range strings.SplitSeq(css, ";") {
		name, value, ok := strings.Cut(d, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(strings.ToLower(value))
		switch strings.TrimSpace(strings.ToLower(name)) {
		case "background-color", "background":
			if c := colour(value); c.set {
				l.bg = c
			}
		case "color":
			if c := colour(value); c.set {
				l.fg = c
			}
		case "width":
			l.width = number(value)
		case "height":
			l.height = number(value)
		case "white-space":
			l.pre = strings.HasPrefix(value, "pre") || value == "break-spaces"
		case "display":
			l.inline = l.inline || strings.HasPrefix(value, "inline") || value == "table-cell"
			l.hidden = value == "none"
		case "float":
			l.inline = l.inline || value == "left"
		case "opacity":
			l.hidden = value == "0" || value == "0.0"
		case "visibility":
			l.hidden = value == "hidden"
		}
	}
}

// colour reads the first colour of a value.
func colour(v string) shade {
	v = strings.ToLower(strings.TrimSpace(v))
	if v == "" {
		return shade{}
	}
	if open := strings.IndexByte(v, '('); open > 0 && strings.HasPrefix(v, "rgb") {
		end := strings.IndexByte(v, ')')
		if end < open {
			return shade{}
		}
		f := strings.FieldsFunc(v[open+1:end], func(r rune) bool { return r == ',' || r == ' ' || r == '/' })
		if len(f) < 3 {
			return shade{}
		}
		var c [3]int
		for i := range c {
			c[i] = min(number(f[i]), 255)
			if strings.HasSuffix(f[i], "%") {
				c[i] = min(number(f[i])*255/100, 255)
			}
		}
		return shade{set: true, clear: len(f) > 3 && strings.Trim(f[3], "0.%") == "", shade: bright(c[0], c[1], c[2])}
	}
	v, _, _ = strings.Cut(v, " ")
	if hex, ok := strings.CutPrefix(v, "#"); ok {
		return fromHex(hex)
	}
	if s, ok := colours[v]; ok {
		return s
	}
	if len(v) == 6 { // an old attribute without its sign
		return fromHex(v)
	}
	return shade{}
}

func fromHex(h string) shade {
	n, err := strconv.ParseUint(h, 16, 32)
	if err != nil {
		return shade{}
	}
	switch len(h) {
	case 3, 4:
		if len(h) == 4 {
			if n&15 == 0 {
				return shade{set: true, clear: true}
			}
			n >>= 4
		}
		return shade{set: true, shade: bright(int(n>>8&15)*17, int(n>>4&15)*17, int(n&15)*17)}
	case 8:
		if n&255 == 0 {
			return shade{set: true, clear: true}
		}
		n >>= 8
		fallthrough
	case 6:
		return shade{set: true, shade: bright(int(n>>16&255), int(n>>8&255), int(n&255))}
	}
	return shade{}
}

func bright(r, g, b int) byte { return byte((299*r + 587*g + 114*b + 500) / 1000) }

// colours are the names that pages use.
var colours = map[string]shade{
	"transparent": {set: true, clear: true},
	"black":       {set: true}, "white": {set: true, shade: 255}, "gray": {set: true, shade: 128}, "grey": {set: true, shade: 128},
	"silver": {set: true, shade: 192}, "navy": {set: true, shade: 15}, "blue": {set: true, shade: 29}, "darkblue": {set: true, shade: 16},
	"red": {set: true, shade: 76}, "darkred": {set: true, shade: 42}, "maroon": {set: true, shade: 38}, "green": {set: true, shade: 75},
	"darkgreen": {set: true, shade: 59}, "lime": {set: true, shade: 150}, "yellow": {set: true, shade: 226}, "orange": {set: true, shade: 173},
	"purple": {set: true, shade: 53}, "indigo": {set: true, shade: 37}, "teal": {set: true, shade: 90}, "aqua": {set: true, shade: 179},
	"cyan": {set: true, shade: 179}, "fuchsia": {set: true, shade: 105}, "magenta": {set: true, shade: 105}, "brown": {set: true, shade: 79},
	"whitesmoke": {set: true, shade: 245}, "lightgray": {set: true, shade: 211}, "lightgrey": {set: true, shade: 211}, "ivory": {set: true, shade: 253},
	"snow": {set: true, shade: 252}, "beige": {set: true, shade: 242}, "darkslategray": {set: true, shade: 69}, "midnightblue": {set: true, shade: 35},
}
