package htmlview

import (
	"strconv"
	"strings"
)

// parseColour reads a CSS colour, or the looser colours of HTML attributes
// ("ffffff"). v is lower case. ok is false for what isn't a colour at all.
func parseColour(v string) (c colour, ok bool) {
	v = strings.Trim(v, " \t\r\n")
	switch {
	case v == "":
		return colour{}, false
	case v == "transparent":
		return colour{transparent: true}, true
	case v[0] == '#':
		return hexColour(v[1:])
	case strings.HasPrefix(v, "rgb"):
		return rgbColour(v)
	case strings.HasPrefix(v, "hsl"):
		return hslColour(v)
	}
	if rgb, found := named[v]; found {
		return colour{rgb: rgb}, true
	}
	switch v {
	case "inherit", "initial", "unset", "currentcolor", "none":
		return colour{}, false
	}
	if strings.HasPrefix(v, "var(") || v == "window" || v == "windowtext" || v == "canvas" || v == "canvastext" {
		return colour{unknown: true}, true
	}
	return colour{}, false
}

// attrColour reads bgcolor="…" and the like.
func attrColour(v string) (colour, bool) {
	v = strings.ToLower(strings.Trim(v, " \t\r\n"))
	if c, ok := parseColour(v); ok {
		return c, true
	}
	if len(v) == 6 {
		return hexColour(v)
	}
	return colour{}, false
}

func hexColour(h string) (colour, bool) {
	n, err := strconv.ParseUint(h, 16, 32)
	if err != nil {
		return colour{}, false
	}
	rgb := uint32(n)
	alpha := uint32(0xff)
	switch len(h) {
	case 3, 4:
		if len(h) == 4 {
			alpha = rgb & 0xf * 0x11
			rgb >>= 4
		}
		rgb = rgb&0xf00*0x1100 | rgb&0xf0*0x110 | rgb&0xf*0x11
	case 6:
	case 8:
		alpha = rgb & 0xff
		rgb >>= 8
	default:
		return colour{}, false
	}
	return colour{rgb: rgb, transparent: alpha <= 5}, true
}

// arguments splits "f(1, 2 3 / 4)" at commas, spaces and slashes.
func arguments(v string) []string {
	_, v, ok := strings.Cut(v, "(")
	if !ok {
		return nil
	}
	v, _, _ = strings.Cut(v, ")")
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '/' || r == '\t' })
}

func rgbColour(v string) (colour, bool) {
	a := arguments(v)
	if len(a) < 3 {
		return colour{}, false
	}
	var rgb uint32
	for _, s := range a[:3] {
		n, ok := number(s)
		if !ok {
			return colour{unknown: true}, true
		}
		if strings.HasSuffix(s, "%") {
			n *= 255
		}
		rgb = rgb<<8 | uint32(max(0, min(255, n)))
	}
	return colour{rgb: rgb, transparent: faint(a)}, true
}

// faint says whether the fourth argument makes a colour invisible.
func faint(a []string) bool {
	if len(a) < 4 {
		return false
	}
	n, ok := number(a[3])
	return ok && n <= 0.02
}

// hslColour knows black and white, and that the rest is neither.
func hslColour(v string) (colour, bool) {
	a := arguments(v)
	if len(a) < 3 {
		return colour{}, false
	}
	l, ok := number(a[2])
	switch {
	case ok && l >= 0.99:
		return colour{rgb: 0xffffff, transparent: faint(a)}, true
	case ok && l <= 0.01:
		return colour{transparent: faint(a)}, true
	}
	return colour{unknown: true, transparent: faint(a)}, true
}

// named holds the CSS names that mail uses.
var named = map[string]uint32{
	"white": 0xffffff, "black": 0, "red": 0xff0000, "green": 0x8000, "blue": 0xff, "yellow": 0xffff00, "gray": 0x808080, "grey": 0x808080,
	"silver": 0xc0c0c0, "maroon": 0x800000, "purple": 0x800080, "fuchsia": 0xff00ff, "magenta": 0xff00ff, "lime": 0xff00, "olive": 0x808000,
	"navy": 0x80, "teal": 0x8080, "aqua": 0xffff, "cyan": 0xffff, "orange": 0xffa500, "pink": 0xffc0cb, "brown": 0xa52a2a, "gold": 0xffd700,
	"darkblue": 0x8b, "darkred": 0x8b0000, "darkgreen": 0x6400, "darkgray": 0xa9a9a9, "darkgrey": 0xa9a9a9, "dimgray": 0x696969, "dimgrey": 0x696969,
	"lightgray": 0xd3d3d3, "lightgrey": 0xd3d3d3, "gainsboro": 0xdcdcdc, "whitesmoke": 0xf5f5f5, "snow": 0xfffafa, "ivory": 0xfffff0,
	"ghostwhite": 0xf8f8ff, "floralwhite": 0xfffaf0, "mintcream": 0xf5fffa, "azure": 0xf0ffff, "aliceblue": 0xf0f8ff, "honeydew": 0xf0fff0,
	"seashell": 0xfff5ee, "lightyellow": 0xffffe0, "lightcyan": 0xe0ffff, "beige": 0xf5f5dc, "linen": 0xfaf0e6, "oldlace": 0xfdf5e6,
	"lavender": 0xe6e6fa, "lavenderblush": 0xfff0f5, "cornsilk": 0xfff8dc, "lemonchiffon": 0xfffacd, "lightblue": 0xadd8e6, "skyblue": 0x87ceeb,
	"steelblue": 0x4682b4, "royalblue": 0x4169e1, "slategray": 0x708090, "crimson": 0xdc143c, "tomato": 0xff6347, "coral": 0xff7f50, "salmon": 0xfa8072,
	"khaki": 0xf0e68c, "tan": 0xd2b48c, "wheat": 0xf5deb3, "chocolate": 0xd2691e, "indigo": 0x4b0082, "violet": 0xee82ee, "turquoise": 0x40e0d0,
	"midnightblue": 0x191970, "darkslategray": 0x2f4f4f, "darkorange": 0xff8c00, "orangered": 0xff4500, "deepskyblue": 0xbfff, "dodgerblue": 0x1e90ff,
}
