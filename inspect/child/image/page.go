package image

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"sluice/inspect/child/image/pixel"
)

// page reads HTML as far as drawing needs: lines of characters with their colours,
// boxes of colour, and tables of coloured cells.
type page struct {
	d      *drawn
	styles sheet
	stack  []element
	lines  [][]glyph
	line   []glyph
	dense  bool // the line may still belong to a drawing
	tables []*table
	cells  int
	steps  int
}

// element is an open one, with what its contents inherit.
type element struct {
	tag    atom.Atom
	fg, bg byte
	pre    bool
	inline bool
	box    bool // coloured, of a stated size, and empty so far
	width  int
	at     int // length of the line where it began
}

const (
	maxOpen   = 256
	maxTables = 8 // in each other
	maxSide   = 200
	maxCells  = 200_000
)

// page looks at an HTML file.
func (d *drawn) page(b []byte) error {
	p := &page{d: d, dense: true}
	p.styles.read(b)
	z := html.NewTokenizer(bytes.NewReader(b))
	z.SetMaxBuf(maxDrawn)
	for {
		if p.steps++; p.steps%4096 == 0 {
			if err := d.w.Err(); err != nil {
				return err
			}
		}
		var err error
		switch z.Next() {
		case html.ErrorToken:
			p.breakLine()
			for len(p.tables) > 0 && err == nil {
				err = p.endTable()
			}
			if err == nil {
				err = d.flush(&p.lines)
			}
			return err
		case html.TextToken:
			p.text(z.Text())
		case html.StartTagToken, html.SelfClosingTagToken:
			err = p.start(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			err = p.end(atom.Lookup(name))
		}
		if err != nil {
			return err
		}
	}
}

func (p *page) top() element {
	if len(p.stack) == 0 {
		return element{bg: 255}
	}
	return p.stack[len(p.stack)-1]
}

var (
	voids  = []atom.Atom{atom.Br, atom.Img, atom.Hr, atom.Input, atom.Meta, atom.Link, atom.Col, atom.Wbr, atom.Base}
	blocky = []atom.Atom{atom.P, atom.Div, atom.Tr, atom.Li, atom.Pre, atom.Center, atom.Table, atom.Ul, atom.Ol, atom.H1, atom.H2, atom.H3, atom.Blockquote, atom.Section, atom.Body}
)

func in(a atom.Atom, list []atom.Atom) bool {
	for _, l := range list {
		if a == l {
			return true
		}
	}
	return false
}

func (p *page) start(z *html.Tokenizer) error {
	name, more := z.TagName()
	tag := atom.Lookup(name)
	at := attributes{}
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		at.take(k, v)
	}
	switch tag {
	case atom.Script, atom.Style, atom.Title, atom.Head, atom.Template:
		// Their text is none that is shown: z gives it as raw text, dropped in text().
	case atom.Br:
		return p.newLine()
	}
	e := p.top()
	e.tag, e.box, e.width, e.at = tag, false, 0, len(p.line)
	look := p.styles.of(tag, at)
	if look.fg.set {
		e.fg = look.fg.shade
		if look.fg.clear {
			e.fg = e.bg
		}
	}
	if look.bg.set && !look.bg.clear {
		e.bg = look.bg.shade
	}
	if look.hidden {
		e.fg = e.bg
	}
	e.pre = e.pre || tag == atom.Pre || look.pre
	e.inline = !in(tag, blocky) || look.inline
	e.box = e.inline && look.bg.set && (look.width > 0 || tag != atom.Td && look.inline)
	e.width = look.width
	switch tag {
	case atom.Table:
		if len(p.tables) < maxTables {
			p.tables = append(p.tables, &table{})
		}
	case atom.Tr:
		if t := p.table(); t != nil {
			t.row()
		}
	case atom.Td, atom.Th:
		if t := p.table(); t != nil {
			if p.cells++; p.cells > maxCells {
				return p.d.w.Steps()
			}
			t.add(cell{shade: e.bg, width: look.width, height: look.height, columns: at.colspan, rows: at.rowspan})
		}
	}
	if !e.inline {
		if err := p.newLineIfAny(); err != nil {
			return err
		}
	}
	if in(tag, voids) {
		return nil
	}
	if len(p.stack) >= maxOpen {
		// Deeper ones look like the last: what matters is that none is lost when they end.
		p.stack = p.stack[:maxOpen-1]
	}
	p.stack = append(p.stack, e)
	return nil
}

func (p *page) end(tag atom.Atom) error {
	inline := !in(tag, blocky)
	// Closes the nearest open one of that name, and all that were left open in it.
	for i := len(p.stack) - 1; i >= 0 && i >= len(p.stack)-32; i-- {
		e := p.stack[i]
		if e.tag != tag {
			continue
		}
		p.stack = p.stack[:i]
		inline = e.inline
		if e.box && len(p.line) == e.at && tag != atom.Td {
			p.put(glyph{bg: e.bg, fg: e.bg, wide: byte(min(max(e.width, 1), 250))})
		}
		break
	}
	if tag == atom.Table {
		if err := p.endTable(); err != nil {
			return err
		}
	}
	if !inline {
		return p.newLineIfAny()
	}
	return nil
}

func (p *page) table() *table {
	if len(p.tables) == 0 {
		return nil
	}
	return p.tables[len(p.tables)-1]
}

func (p *page) endTable() error {
	t := p.table()
	if t == nil {
		return nil
	}
	p.tables = p.tables[:len(p.tables)-1]
	g := t.draw()
	if g == nil {
		return nil
	}
	if p.d.tried++; p.d.tried > maxDrawings {
		return p.d.w.Steps()
	}
	_, err := p.d.look(g, "table cells")
	return err
}

func (p *page) text(b []byte) {
	e := p.top()
	switch e.tag {
	case atom.Script, atom.Style, atom.Title, atom.Template, atom.Head, atom.Textarea:
		return
	}
	if !e.pre && len(bytes.TrimLeft(b, " \t\r\n\f")) == 0 {
		return // between elements
	}
	if !p.dense && !(e.pre && bytes.IndexByte(b, '\n') >= 0) {
		return // in a line of words
	}
	space := false
	for _, r := range string(b) {
		switch {
		case e.pre && r == '\n':
			p.breakLine()
		case r == '\r':
		case !e.pre && (r == ' ' || r == '\t' || r == '\n'):
			space = len(p.line) > 0
		default:
			if space {
				p.put(glyph{r: ' ', fg: e.fg, bg: e.bg})
				space = false
			}
			p.put(glyph{r: r, fg: e.fg, bg: e.bg})
		}
	}
}

func (p *page) put(g glyph) {
	if !p.dense || len(p.line) >= maxColumns {
		p.dense = false
		return
	}
	// Words draw nothing, whatever their colours.
	if 'a' <= g.r|0x20 && g.r|0x20 <= 'z' && g.fg != g.bg {
		letters := 0
		for i := max(0, len(p.line)-12); i < len(p.line); i++ {
			if l := p.line[i].r; l != g.r && 'a' <= l|0x20 && l|0x20 <= 'z' {
				letters++
			}
		}
		if letters > 6 {
			p.dense = false
		}
	}
	p.line = append(p.line, g)
}

// breakLine ends a line, also an empty one.
func (p *page) breakLine() {
	switch {
	case !p.dense:
		// A line of words ends a drawing.
		p.lines = append(p.lines, nil)
	default:
		p.lines = append(p.lines, append([]glyph(nil), p.line...))
	}
	p.line, p.dense = p.line[:0], true
}

func (p *page) newLineIfAny() error {
	if len(p.line) == 0 && p.dense {
		return nil
	}
	return p.newLine()
}

func (p *page) newLine() error {
	words := !p.dense
	p.breakLine()
	if words || len(p.lines) > 4*maxLines {
		return p.d.flush(&p.lines)
	}
	return nil
}

// boxes counts the widths of boxes in the smallest one, which is a module.
func boxes(lines [][]glyph) {
	least := byte(255)
	for _, l := range lines {
		for _, g := range l {
			if g.r == 0 && g.wide > 0 {
				least = min(least, g.wide)
			}
		}
	}
	for _, l := range lines {
		for i := range l {
			if g := &l[i]; g.r == 0 && g.wide > 0 {
				// A box is as high as wide: two columns.
				g.wide = byte(min(2*((int(g.wide)+int(least)/2)/int(least)), 250))
			}
		}
	}
}

// table collects the cells of one.
type table struct{ rows [][]cell }

type cell struct {
	shade         byte
	width, height int // in pixels, 0 where not stated
	columns, rows int // that it spans
}

func (t *table) row() {
	if len(t.rows) < 4*maxSide {
		t.rows = append(t.rows, nil)
	}
}

func (t *table) add(c cell) {
	if len(t.rows) == 0 {
		t.row()
	}
	if r := &t.rows[len(t.rows)-1]; len(*r) < 4*maxSide {
		*r = append(*r, c)
	}
}

// draw paints the cells, each a module; nil where there are too few, or all are of
// one colour.
func (t *table) draw() *pixel.Gray {
	if len(t.rows) < 21 {
		return nil
	}
	// Where cells state no span but their width, the width counts.
	least, spans, even := 1<<30, false, true
	for _, r := range t.rows {
		even = even && len(r) == len(t.rows[0])
		for _, c := range r {
			if c.width > 0 {
				least = min(least, c.width)
			}
			spans = spans || c.columns > 1 || c.rows > 1
		}
	}
	byWidth := !spans && !even && least < 1<<30
	g := pixel.New(maxSide, min(len(t.rows), maxSide))
	g.Fill(0, 0, g.W, g.H, 255)
	taken := make([]bool, g.W*g.H)
	width, shades := 0, [256]int{}
	for y, r := range t.rows[:g.H] {
		x := 0
		for _, c := range r {
			for x < g.W && taken[y*g.W+x] {
				x++
			}
			w, h := min(max(c.columns, 1), maxSide), min(max(c.rows, 1), maxSide)
			if byWidth && c.width > 0 {
				w = min((c.width+least/2)/least, maxSide)
			}
			g.Fill(x, y, w, h, c.shade)
			shades[c.shade]++
			if h > 1 {
				for yy := y; yy < min(y+h, g.H); yy++ {
					for xx := x; xx < min(x+w, g.W); xx++ {
						taken[yy*g.W+xx] = true
					}
				}
			}
			x += w
		}
		width = max(width, min(x, g.W))
	}
	different := 0
	for _, n := range shades {
		if n > 0 {
			different++
		}
	}
	if width < 21 || different < 2 {
		return nil
	}
	cut := pixel.New(width, g.H)
	for y := range g.H {
		copy(cut.Row(y), g.Row(y))
	}
	return cut.Enlarge(4, 0, 255)
}

// attributes are those of an element that matter here.
type attributes struct {
	style, class, id, bgcolor, color string
	width, height, colspan, rowspan  int
}

const maxAttribute = 4096

func (a *attributes) take(k, v []byte) {
	v = v[:min(len(v), maxAttribute)]
	switch string(k) {
	case "style":
		a.style = string(v)
	case "class":
		a.class = string(v)
	case "id":
		a.id = string(v)
	case "bgcolor":
		a.bgcolor = string(v)
	case "color":
		a.color = string(v)
	case "width":
		a.width = number(string(v))
	case "height":
		a.height = number(string(v))
	case "colspan":
		a.colspan = number(string(v))
	case "rowspan":
		a.rowspan = number(string(v))
	}
}

// number reads the whole number that a value begins with.
func number(s string) int {
	n := 0
	for _, c := range strings.TrimSpace(s) {
		if c < '0' || c > '9' || n > 10_000 {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}
