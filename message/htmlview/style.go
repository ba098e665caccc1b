package htmlview

import (
	"strconv"
	"strings"

	"sluice/message/header"
)

// Why is a set of reasons for which text can't be seen.
type Why uint32

// The ways to hide text.
const (
	WhyDisplay    Why = 1 << iota // display:none, hidden attribute, mso-hide:all, closed dialog
	WhyVisibility                 // visibility:hidden or collapse
	WhyOpacity                    // opacity 0
	WhyFont                       // font size of at most 1px
	WhyColour                     // colour like its background, or transparent
	WhyOffScreen                  // moved or clipped out of sight
	WhySize                       // no width or height with overflow hidden
	WhyElement                    // inside an element that isn't shown: title, template, …
	WhyComment                    // inside a comment
)

// colour is 0xRRGGBB; the flags say more.
type colour struct {
	rgb         uint32
	unknown     bool // a picture or something not understood
	transparent bool
}

// prop is a set of properties that a declaration block sets.
type prop uint32

const (
	propDisplay prop = 1 << iota
	propVisibility
	propOpacity
	propFont
	propColour
	propBack
	propOverflow
	propWidth
	propHeight
	propOff
	propPosition
	propMso
)

// decl is what we understand of a declaration block.
type decl struct {
	set      prop
	none     bool // display:none
	invis    bool // visibility:hidden
	clear    bool // opacity 0
	font     float32
	fontRel  bool // font is a factor of the parent's
	fg, bg   colour
	overflow bool // overflow:hidden
	zeroW    bool
	zeroH    bool
	off      bool // far outside the page, when positioned or indented
	offAbs   bool // off needs position
	absolute bool
	mso      bool
}

// merge puts o over d.
func (d *decl) merge(o *decl) {
	if o.set&propDisplay != 0 {
		d.none = o.none
	}
	if o.set&propVisibility != 0 {
		d.invis = o.invis
	}
	if o.set&propOpacity != 0 {
		d.clear = o.clear
	}
	if o.set&propFont != 0 {
		d.font, d.fontRel = o.font, o.fontRel
	}
	if o.set&propColour != 0 {
		d.fg = o.fg
	}
	if o.set&propBack != 0 {
		d.bg = o.bg
	}
	if o.set&propOverflow != 0 {
		d.overflow = o.overflow
	}
	if o.set&propWidth != 0 {
		d.zeroW = o.zeroW
	}
	if o.set&propHeight != 0 {
		d.zeroH = o.zeroH
	}
	if o.set&propOff != 0 {
		d.off, d.offAbs = o.off, o.offAbs
	}
	if o.set&propPosition != 0 {
		d.absolute = o.absolute
	}
	if o.set&propMso != 0 {
		d.mso = o.mso
	}
	d.set |= o.set
}

// computed is an element's style after inheritance.
type computed struct {
	gone  Why // hides the whole subtree
	invis bool
	font  float32 // px
	fg    colour
	bg    colour
}

var rootStyle = computed{font: 16, fg: colour{}, bg: colour{rgb: 0xffffff}}

// apply computes a child's style.
func (c computed) apply(d *decl) computed {
	if d.set == 0 {
		return c
	}
	if d.set&propDisplay != 0 && d.none || d.mso {
		c.gone |= WhyDisplay
	}
	if d.set&propVisibility != 0 {
		c.invis = d.invis
	}
	if d.clear {
		c.gone |= WhyOpacity
	}
	if d.set&propFont != 0 {
		if d.fontRel {
			c.font *= d.font
		} else {
			c.font = d.font
		}
	}
	if d.set&propColour != 0 {
		c.fg = d.fg
	}
	if d.set&propBack != 0 && !d.bg.transparent {
		c.bg = d.bg
	}
	if d.overflow && (d.zeroW || d.zeroH) {
		c.gone |= WhySize
	}
	if d.off && (d.absolute || !d.offAbs) {
		c.gone |= WhyOffScreen
	}
	return c
}

// why says why text in this style can't be seen; 0 where it can.
func (c *computed) why() Why {
	w := c.gone
	if c.invis {
		w |= WhyVisibility
	}
	if c.font <= 1 {
		w |= WhyFont
	}
	if c.fg.transparent || !c.fg.unknown && !c.bg.unknown && near(c.fg.rgb, c.bg.rgb) {
		w |= WhyColour
	}
	return w
}

// near says whether the eye can't tell text from its background.
func near(a, b uint32) bool {
	const most = 12 // per channel of 255
	for range 3 {
		d := int(a&0xff) - int(b&0xff)
		if d > most || d < -most {
			return false
		}
		a >>= 8
		b >>= 8
	}
	return true
}

// parseDecls reads a declaration block. Normal declarations go to d, those with
// !important to imp, which may be d. Text inside quotes and brackets isn't split.
func parseDecls(s string, d, imp *decl) {
	if strings.Contains(s, "/*") {
		s = stripComments(s)
	}
	if strings.IndexByte(s, '\\') >= 0 {
		s = unescape(s)
	}
	for s != "" {
		one := s
		if i := splitAt(s, ';'); i >= 0 {
			one, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		name, value, ok := strings.Cut(one, ":")
		if !ok || len(name) > 64 {
			continue
		}
		name = strings.ToLower(strings.Trim(name, " \t\r\n\f"))
		to := d
		if i := strings.LastIndexByte(value, '!'); i >= 0 && header.EqualFold(strings.Trim(value[i+1:], " \t\r\n\f"), "important") {
			value = value[:i]
			to = imp
		}
		if len(value) > 4096 {
			value = value[:4096]
		}
		to.property(name, strings.ToLower(strings.Trim(value, " \t\r\n\f")))
	}
}

// splitAt finds c outside quotes and round brackets.
func splitAt(s string, c byte) int {
	var quote byte
	depth := 0
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '(':
			depth++
		case b == ')' && depth > 0:
			depth--
		case b == c && depth == 0:
			return i
		}
	}
	// An open quote or bracket swallows the rest in a browser only up to the
	// end of the block, so there is nothing left to split.
	return -1
}

func stripComments(s string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "/*")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if _, s, ok = strings.Cut(after, "*/"); !ok {
			return b.String()
		}
	}
}

// unescape decodes CSS escapes (CSS Syntax 3, 4.3.7).
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		j := i + 1
		for j < len(s) && j-i <= 6 && isHex(s[j]) {
			j++
		}
		if j == i+1 {
			b.WriteByte(s[j])
			i = j
			continue
		}
		n, _ := strconv.ParseUint(s[i+1:j], 16, 32)
		b.WriteRune(rune(n))
		if j < len(s) && (s[j] == ' ' || s[j] == '\t' || s[j] == '\n') {
			j++
		}
		i = j - 1
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// property takes one declaration.
func (d *decl) property(name, v string) {
	switch name {
	case "display":
		d.set |= propDisplay
		d.none = v == "none"
	case "visibility":
		d.set |= propVisibility
		d.invis = v == "hidden" || v == "collapse"
	case "opacity":
		n, ok := number(v)
		if ok {
			d.set |= propOpacity
			d.clear = n <= 0.02
		}
	case "filter":
		if strings.Contains(v, "opacity(0)") || strings.Contains(v, "opacity(0%)") || strings.Contains(v, "opacity=0)") {
			d.set |= propOpacity
			d.clear = true
		}
	case "font-size":
		d.fontSize(v)
	case "font":
		d.fontShorthand(v)
	case "color", "-webkit-text-fill-color":
		if c, ok := parseColour(v); ok {
			d.set |= propColour
			d.fg = c
		}
	case "background-color":
		if c, ok := parseColour(v); ok {
			d.set |= propBack
			d.bg = c
		}
	case "background", "background-image":
		d.background(v)
	case "overflow", "overflow-x", "overflow-y":
		d.set |= propOverflow
		d.overflow = v == "hidden" || v == "clip"
	case "width", "max-width":
		if n, _, ok := length(v); ok {
			d.set |= propWidth
			d.zeroW = n >= 0 && n <= 1 && !strings.HasSuffix(v, "%")
		}
	case "height", "max-height":
		if n, _, ok := length(v); ok {
			d.set |= propHeight
			d.zeroH = n >= 0 && n <= 1 && !strings.HasSuffix(v, "%")
		}
	case "position":
		d.set |= propPosition
		d.absolute = v == "absolute" || v == "fixed" || v == "relative"
	case "left", "top", "right", "bottom":
		d.offScreen(v, true)
	case "text-indent", "margin-left", "margin-top", "margin":
		d.offScreen(v, false)
	case "clip":
		v = strings.ReplaceAll(strings.ReplaceAll(v, ",", " "), "px", "")
		if strings.Contains(v, "rect(0 0 0 0)") || strings.Contains(v, "rect(0  0  0  0)") || strings.Contains(v, "rect(1 1 1 1)") || strings.Contains(v, "rect(1  1  1  1)") {
			d.set |= propOff
			d.off, d.offAbs = true, true
		}
	case "clip-path":
		if strings.Contains(v, "inset(100%") || strings.Contains(v, "circle(0") || strings.Contains(v, "inset(50%") {
			d.set |= propOff
			d.off, d.offAbs = true, false
		}
	case "transform":
		if strings.Contains(v, "scale(0)") || strings.Contains(v, "scale(0,") {
			d.set |= propOff
			d.off, d.offAbs = true, false
		}
	case "mso-hide":
		d.set |= propMso
		d.mso = v == "all"
	}
}

// offScreen takes a distance; one of 500px or more to the outside hides. At
// "right" and "bottom" browsers may scroll there, so only negative ones count.
func (d *decl) offScreen(v string, needsPosition bool) {
	if i := strings.IndexByte(v, ' '); i >= 0 {
		v = v[:i]
	}
	n, rel, ok := length(v)
	if !ok {
		return
	}
	if rel {
		n *= 16
	}
	if n <= -500 {
		d.set |= propOff
		d.off, d.offAbs = true, needsPosition
	}
}

func (d *decl) fontSize(v string) {
	n, rel, ok := length(v)
	switch {
	case ok:
		d.set |= propFont
		d.font, d.fontRel = n, rel
	case v == "inherit":
		d.set |= propFont
		d.font, d.fontRel = 1, true
	case v == "":
	default: // small, large, larger, calc(…): big enough to read
		d.set |= propFont
		d.font, d.fontRel = 14, false
	}
}

// fontShorthand finds the size in "italic bold 12px/30px Georgia".
func (d *decl) fontShorthand(v string) {
	for _, w := range strings.Fields(v) {
		size, _, _ := strings.Cut(w, "/")
		if size == "" || size[0] != '.' && (size[0] < '0' || size[0] > '9') {
			continue
		}
		if n, err := strconv.Atoi(size); err == nil && n >= 100 {
			continue // a weight
		}
		d.fontSize(size)
		return
	}
}

// background takes the shorthand: a picture makes the colour unknown.
func (d *decl) background(v string) {
	if strings.Contains(v, "url(") || strings.Contains(v, "gradient(") {
		d.set |= propBack
		d.bg = colour{unknown: true}
		return
	}
	if strings.ContainsAny(v, "(") {
		if c, ok := parseColour(v); ok {
			d.set |= propBack
			d.bg = c
		}
		return
	}
	for _, w := range strings.Fields(v) {
		if c, ok := parseColour(w); ok {
			d.set |= propBack
			d.bg = c
			return
		}
	}
}

// number reads a number, a percentage as its fraction.
func number(v string) (float32, bool) {
	v, percent := strings.CutSuffix(v, "%")
	n, err := strconv.ParseFloat(v, 32)
	if err != nil {
		return 0, false
	}
	if percent {
		n /= 100
	}
	return float32(n), true
}

// length reads a length in px; rel means a factor of the font size.
func length(v string) (px float32, rel, ok bool) {
	i := len(v)
	for i > 0 && (v[i-1] >= 'a' && v[i-1] <= 'z' || v[i-1] == '%') {
		i--
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v[:i]), 32)
	if err != nil {
		return 0, false, false
	}
	f := float32(n)
	switch v[i:] {
	case "", "px":
		return f, false, true
	case "pt":
		return f * 4 / 3, false, true
	case "em", "ex", "ch":
		return f, true, true
	case "%":
		return f / 100, true, true
	case "rem":
		return f * 16, false, true
	case "cm":
		return f * 38, false, true
	case "mm":
		return f * 3.8, false, true
	case "in":
		return f * 96, false, true
	case "pc":
		return f * 16, false, true
	case "vw", "vh", "vmin", "vmax":
		return f * 8, false, true
	}
	return 0, false, false
}
