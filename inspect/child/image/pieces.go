package image

import (
	"bytes"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/image/code"
	"sluice/inspect/child/image/pixel"
)

// A code can be cut into several images that a table puts side by side again. The
// last image of a row of neighbours of equal height or width is looked at together
// with those in front of it.

const (
	traitSplit   = "split"
	maxPieces    = 9
	maxPiecePix  = 4 << 20 // pixels of all pieces
	maxJoinedPix = 8 << 20 // pixels of all arrangements that are looked at
	sameSide     = 2       // by how many pixels equal sides may differ
)

type piece struct {
	index int // input
	h     *header
	gray  *pixel.Gray
}

// join looks for a code over this image and those in front of it.
func (f *findings) join(w *child.Work, h *header) error {
	if w.Depth() > 0 || h.frames > 1 {
		return nil
	}
	run, err := row(w, h)
	if len(run) < 2 || err != nil {
		return err
	}
	budget := maxJoinedPix
	for _, p := range arrangements(run) {
		g := arrange(p)
		if g == nil {
			continue
		}
		if budget -= len(g.Pix); budget < 0 {
			return w.Steps()
		}
		r, err := code.Find(g, w.Err)
		if err != nil {
			return err
		}
		for _, c := range r.Codes {
			if !alone(run, c.Text, w.Err) {
				f.add([]code.Code{c}, traitSplit)
			}
		}
		if len(f.codes) > 0 {
			return nil
		}
	}
	return nil
}

// row are this image and its neighbours in front, decoded, in their order; none where
// another one follows, which will do it.
func row(w *child.Work, h *header) ([]piece, error) {
	in := w.Inputs()
	i := w.Index()
	if i+1 < len(in) {
		if next, _ := sizeOf(in[i+1].Body); next != nil && beside(h, next) {
			return nil, nil
		}
	}
	run := []piece{{index: i, h: h}}
	pixels := h.width * h.height
	for i--; i >= 0 && len(run) < maxPieces; i-- {
		o, _ := sizeOf(in[i].Body)
		if o == nil || !beside(h, o) || o.frames > 1 {
			break
		}
		if pixels += o.width * o.height; pixels > maxPiecePix {
			break
		}
		if w.Pixels(o.width*o.weight, o.height) != nil {
			break
		}
		run = append(run, piece{index: i, h: o})
	}
	if len(run) < 2 {
		return nil, nil
	}
	for l, r := 0, len(run)-1; l < r; l, r = l+1, r-1 {
		run[l], run[r] = run[r], run[l]
	}
	for k := range run {
		p := &run[k]
		m, err := p.h.decode(0, in[p.index].Body, w.Err)
		if err != nil {
			return nil, w.Err() // a damaged piece is the fact of its own file
		}
		p.gray = pixel.Luma(m, 1, false)
	}
	return run, nil
}

// sizeOf reads the header of a neighbour.
func sizeOf(b []byte) (*header, error) {
	for _, m := range []struct {
		magic string
		typ   inspect.Type
	}{
		{"\x89PNG\r\n", inspect.PNG}, {"\xff\xd8\xff", inspect.JPEG}, {"GIF8", inspect.GIF}, {"BM", inspect.BMP}, {"RIFF", inspect.WebP},
	} {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			return readHeader(m.typ, b)
		}
	}
	return nil, errTooSmall
}

func beside(a, b *header) bool { return near(a.width, b.width) || near(a.height, b.height) }

func near(a, b int) bool { return a-b <= sameSide && b-a <= sameSide }

// arrangements are the ways in which pieces may stand: rows of columns.
func arrangements(run []piece) [][][]piece {
	column := func(p []piece) (out [][]piece) {
		for i := range p {
			out = append(out, p[i:i+1])
		}
		return out
	}
	out := [][][]piece{{run}, column(run)}
	for columns := 2; columns <= len(run)/2; columns++ {
		if len(run)%columns != 0 {
			continue
		}
		var grid [][]piece
		for i := 0; i < len(run); i += columns {
			grid = append(grid, run[i:i+columns])
		}
		out = append(out, grid)
	}
	for i := range len(run) - 1 {
		pair, back := run[i:i+2], []piece{run[i+1], run[i]}
		if len(run) > 2 {
			out = append(out, [][]piece{pair}, column(pair))
		}
		out = append(out, [][]piece{back}, column(back))
	}
	return out
}

// arrange puts pieces together; nil where they don't fit, or make no square in which
// a code has room.
func arrange(rows [][]piece) *pixel.Gray {
	width, height := 0, 0
	for _, row := range rows {
		w, h := 0, row[0].gray.H
		for _, p := range row {
			w += p.gray.W
			if !near(p.gray.H, h) {
				return nil
			}
			h = min(h, p.gray.H)
		}
		if width > 0 && !near(w, width) {
			return nil
		}
		width = max(width, w)
		height += h
	}
	if min(width, height) < 2*21 || width > 4*height || height > 4*width {
		return nil
	}
	out := pixel.New(width, height)
	out.Fill(0, 0, width, height, 255)
	y := 0
	for _, row := range rows {
		x, h := 0, row[0].gray.H
		for _, p := range row {
			h = min(h, p.gray.H)
			for i := range min(p.gray.H, height-y) {
				copy(out.Row(y + i)[x:], p.gray.Row(i))
			}
			x += p.gray.W
		}
		y += h
	}
	return out.Shrink(pixel.Factor(width, height, quickSide))
}

// alone says whether one piece holds the code by itself.
func alone(run []piece, text string, stop func() error) bool {
	for _, p := range run {
		r, _ := code.Find(p.gray, stop)
		for _, c := range r.Codes {
			if c.Text == text {
				return true
			}
		}
	}
	return false
}
