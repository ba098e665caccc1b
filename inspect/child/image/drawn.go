package image

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/image/code"
	"sluice/inspect/child/image/pixel"
)

// drawings finds codes where no image is: drawn with characters, or with the cells
// of a table and other coloured boxes.
type drawings struct{}

// Name implements child.Decoder.
func (drawings) Name() string { return "drawn" }

// Types implements child.Decoder.
func (drawings) Types() []inspect.Type {
	return []inspect.Type{inspect.PlainText, inspect.HTML, inspect.XHTML}
}

// Bounds on what is drawn.
const (
	minLines    = 9       // 21 modules take 11 lines of half blocks, 6 of braille
	maxColumns  = 400     // characters of a line
	maxLines    = 400     // of one drawing
	maxDrawn    = 2 << 20 // bytes of a file that are looked at
	maxDrawings = 64      // that are looked at in one file
)

// Open implements child.Decoder.
func (drawings) Open(ctx context.Context, w *child.Work) error {
	b := w.Bytes()
	b = b[:min(len(b), maxDrawn)]
	d := &drawn{w: w}
	if w.Type() == inspect.PlainText {
		return d.text(b)
	}
	return d.page(b)
}

// drawn collects what one file draws.
type drawn struct {
	w     *child.Work
	told  []string // texts of the codes found so far
	tried int
}

// glyph is a character, or a box where r is 0, with its colours as shades.
type glyph struct {
	r      rune
	fg, bg byte
	wide   byte // columns of a box
}

// text looks at the lines of a plain text.
func (d *drawn) text(b []byte) error {
	// Nearly every text ends here: few have many lines of signs that draw.
	var lines [][]glyph
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		g, ok := drawing(line)
		if !ok {
			if err := d.flush(&lines); err != nil {
				return err
			}
			continue
		}
		lines = append(lines, g)
	}
	return d.flush(&lines)
}

// drawing reads a line that may belong to a drawing: not words.
func drawing(line []byte) ([]glyph, bool) {
	if len(line) == 0 {
		return nil, true // lines may stand apart
	}
	if len(line) > 4*maxColumns {
		return nil, false
	}
	letters, kinds := 0, 0
	var seen [128]bool
	for _, c := range line {
		if c < 0x80 && !seen[c] {
			seen[c] = true
			if kinds++; kinds > 6 {
				return nil, false
			}
		}
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			letters++
		}
	}
	g := make([]glyph, 0, len(line))
	for _, r := range string(line) {
		g = append(g, glyph{r: r, bg: 255})
	}
	return g, len(g) <= maxColumns
}

// flush looks at the lines gathered, and drops them.
func (d *drawn) flush(lines *[][]glyph) error {
	l := *lines
	*lines = l[:0]
	boxes(l)
	// Blank lines at the ends, and those between all others, draw nothing.
	l = trimBlank(l)
	if len(l) < minLines {
		return nil
	}
	if halves := everySecondBlank(l); halves != nil {
		l = halves
	}
	for len(l) > 0 {
		part := l[:min(len(l), maxLines)]
		l = l[len(part):]
		if err := d.raster(part); err != nil {
			return err
		}
	}
	return nil
}

func blank(l []glyph) bool {
	for _, g := range l {
		if g.r != ' ' && g.r != '\u00a0' || g.bg != l[0].bg {
			return false
		}
	}
	return true
}

func trimBlank(l [][]glyph) [][]glyph {
	for len(l) > 0 && blank(l[0]) {
		l = l[1:]
	}
	for len(l) > 0 && blank(l[len(l)-1]) {
		l = l[:len(l)-1]
	}
	return l
}

func everySecondBlank(l [][]glyph) (out [][]glyph) {
	for i, g := range l {
		if i%2 == 1 && !blank(g) {
			return nil
		}
		if i%2 == 0 {
			out = append(out, g)
		}
	}
	return out
}

// raster draws lines of characters, at the shape that a terminal gives them and as
// squares, and looks for a code.
func (d *drawn) raster(lines [][]glyph) error {
	columns, inked, with := 0, 0, "characters"
	for _, l := range lines {
		n := 0
		for _, g := range l {
			n += g.columns()
			if g.r != ' ' || g.bg != 255 {
				inked++
			}
			if g.r == 0 {
				with = "boxes"
			}
		}
		columns = max(columns, n)
	}
	if columns < 10 || columns > maxColumns || inked < 40 {
		return nil
	}
	if d.tried++; d.tried > maxDrawings {
		return d.w.Steps()
	}
	// Each character is two points wide and four high.
	fine := pixel.New(columns*2, len(lines)*4)
	fine.Fill(0, 0, fine.W, fine.H, 255)
	for y, l := range lines {
		x := 0
		for _, g := range l {
			g.draw(fine, 2*x, 4*y)
			x += g.columns()
		}
	}
	for _, g := range []*pixel.Gray{scale(fine, 2, 2), scale(fine, 4, 2), scale(fine, 2, 4)} {
		done, err := d.look(g, with)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// look searches a drawing and tells what it found.
func (d *drawn) look(g *pixel.Gray, with string) (bool, error) {
	r, err := code.Find(g, d.w.Err)
	if len(r.Codes) == 0 {
		return false, err
	}
	var f findings
	f.add(r.Codes, "drawn with "+with)
	out := inspect.Image{Width: g.W, Height: g.H}
	for _, c := range f.codes {
		if slices.Contains(d.told, c.Text) {
			continue
		}
		d.told = append(d.told, c.Text)
		out.Codes = append(out.Codes, c)
		d.w.Fact(inspect.CodeDrawn, c.Format+", "+c.Trait+": "+c.Text)
		payload(d.w, c.Text)
	}
	if len(out.Codes) > 0 {
		d.w.Image(out)
	}
	return true, err
}

func scale(g *pixel.Gray, x, y int) *pixel.Gray {
	out := pixel.New(g.W*x, g.H*y)
	for i := range out.H {
		src, dst := g.Row(i/y), out.Row(i)
		for j := range dst {
			dst[j] = src[j/x]
		}
	}
	return out
}

// columns is how wide a character stands: squares and pictures take two columns.
func (g glyph) columns() int {
	switch {
	case g.r == 0:
		return int(g.wide)
	case g.r == '⬛', g.r == '⬜', 0x1F000 <= g.r && g.r <= 0x1FBFF, 0x3000 <= g.r && g.r <= 0x30FF, 0xFF00 <= g.r && g.r <= 0xFF60:
		return 2
	case g.r == 0xFE0F, g.r == 0x200B, g.r == 0x200D, g.r == 0xFEFF:
		return 0
	}
	return 1
}

// draw puts a character's ink into two by four points a column.
func (g glyph) draw(to *pixel.Gray, x, y int) {
	ink := func(share int) byte { return byte(int(g.bg) + (int(g.fg)-int(g.bg))*share/100) }
	to.Fill(x, y, 2*g.columns(), 4, g.bg)
	switch r := g.r; {
	case 0x2800 <= r && r <= 0x28FF: // braille: a bit a dot
		for i, at := range [8][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
			if r>>i&1 == 1 {
				to.Fill(x+at[0], y+at[1], 1, 1, g.fg)
			}
		}
	case 0x2580 <= r && r <= 0x259F:
		b := blocks[r-0x2580]
		to.Fill(x+int(b.x), y+int(b.y), int(b.w), int(b.h), ink(int(b.share)))
		if b.also {
			to.Fill(x+int(b.x2), y+int(b.y2), int(b.w2), int(b.h2), g.fg)
		}
	default:
		if s := share(r); s > 0 {
			to.Fill(x, y, 2*g.columns(), 4, ink(s))
		}
	}
}

// block is the ink of U+2580 to U+259F: one rectangle, or two.
type block struct {
	x, y, w, h     byte
	share          byte // of the ink in it, in percent
	also           bool
	x2, y2, w2, h2 byte
}

func part(x, y, w, h byte) block { return block{x: x, y: y, w: w, h: h, share: 100} }

func two(x, y, w, h, x2, y2, w2, h2 byte) block {
	return block{x: x, y: y, w: w, h: h, share: 100, also: true, x2: x2, y2: y2, w2: w2, h2: h2}
}

var blocks = [32]block{
	part(0, 0, 2, 2),            // ▀
	part(0, 3, 2, 1),            // ▁
	part(0, 3, 2, 1),            // ▂
	part(0, 2, 2, 2),            // ▃
	part(0, 2, 2, 2),            // ▄
	part(0, 1, 2, 3),            // ▅
	part(0, 1, 2, 3),            // ▆
	part(0, 0, 2, 4),            // ▇
	part(0, 0, 2, 4),            // █
	part(0, 0, 2, 4),            // ▉
	part(0, 0, 2, 4),            // ▊
	part(0, 0, 1, 4),            // ▋
	part(0, 0, 1, 4),            // ▌
	part(0, 0, 1, 4),            // ▍
	part(0, 0, 1, 4),            // ▎
	{},                          // ▏
	part(1, 0, 1, 4),            // ▐
	{w: 2, h: 4, share: 25},     // ░
	{w: 2, h: 4, share: 50},     // ▒
	{w: 2, h: 4, share: 75},     // ▓
	{},                          // ▔
	{},                          // ▕
	part(0, 2, 1, 2),            // ▖
	part(1, 2, 1, 2),            // ▗
	part(0, 0, 1, 2),            // ▘
	two(0, 0, 1, 4, 1, 2, 1, 2), // ▙
	two(0, 0, 1, 2, 1, 2, 1, 2), // ▚
	two(0, 0, 2, 2, 0, 2, 1, 2), // ▛
	two(0, 0, 2, 2, 1, 2, 1, 2), // ▜
	part(1, 0, 1, 2),            // ▝
	two(1, 0, 1, 2, 0, 2, 1, 2), // ▞
	two(1, 0, 1, 4, 0, 2, 1, 2), // ▟
}

// inkOrder are the printable signs of ASCII from the least ink to the most.
const inkOrder = " `.-':_,^=;><+!rc*/z?sLTv)J7(|Fi{C}fI31tlu[neoZ5Yxjya]2ESwqkP6h9d4VpOGbUAKXHm8RD#$Bg0MNWQ%&@"

// share is how much of its cell a sign inks, in percent.
func share(r rune) int {
	if r < utf8.RuneSelf {
		return 100 * max(strings.IndexRune(inkOrder, r), 0) / len(inkOrder)
	}
	switch r {
	case '⬛', '■', '●', '◼', '▪', '◾', '⚫':
		return 100
	case '⬜', '□', '○', '◻', '▫', '◽', '⚪', '\u00a0', '\u3000', '\u2002', '\u2003', '\u2007':
		return 0
	}
	if 0x1F7E0 <= r && r <= 0x1F7EB || r == 0x1F534 || r == 0x1F535 { // coloured circles and squares
		return 60
	}
	return 50
}
