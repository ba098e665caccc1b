// Package pixel turns decoded images into small grey pictures, and those into
// hashes that survive scaling and recompression. It holds no decoder of a file
// format.
package pixel

import (
	"image"
	"image/color"
	"math"
	"slices"
)

// Gray is a picture of one byte a pixel, row by row, 0 black.
type Gray struct {
	W, H int
	Pix  []byte // W*H
}

// New is a black picture.
func New(w, h int) *Gray { return &Gray{w, h, make([]byte, w*h)} }

// Row is one row.
func (g *Gray) Row(y int) []byte { return g.Pix[y*g.W : (y+1)*g.W] }

// Fill sets a rectangle, cut to the picture.
func (g *Gray) Fill(x, y, w, h int, v byte) {
	for yy := max(y, 0); yy < min(y+h, g.H); yy++ {
		row := g.Row(yy)
		for xx := max(x, 0); xx < min(x+w, g.W); xx++ {
			row[xx] = v
		}
	}
}

// Enlarge repeats each pixel n times both ways, and adds a border of that many of
// the small pixels.
func (g *Gray) Enlarge(n, border int, v byte) *Gray {
	out := New((g.W+2*border)*n, (g.H+2*border)*n)
	out.Fill(0, 0, out.W, out.H, v)
	for y := range out.H - 2*border*n {
		row, dst := g.Row(y/n), out.Row(y + border*n)[border*n:]
		for x := range g.W * n {
			dst[x] = row[x/n]
		}
	}
	return out
}

// Shrink is the picture with f times f pixels averaged into one. What is left over
// at the right and the bottom is dropped.
func (g *Gray) Shrink(f int) *Gray {
	if f <= 1 || g.W < f || g.H < f {
		return g
	}
	b := newBoxes(g.W, g.H, f)
	for y := range g.H / f * f {
		b.add(y, g.Row(y))
	}
	return b.out
}

// Double is the picture at twice its size, between pixels interpolated.
func (g *Gray) Double() *Gray {
	out := New(2*g.W, 2*g.H)
	for y := range out.H {
		// The centre of a new pixel lies a quarter from the nearer old one.
		near := g.Row(y / 2)
		far := g.Row(min(max((y-1)/2+(y&1), 0), g.H-1))
		if y == 0 {
			far = near
		}
		dst := out.Row(y)
		for x := range dst {
			n := x / 2
			o := min(max(n-1+2*(x&1), 0), g.W-1)
			dst[x] = byte((9*int(near[n]) + 3*int(near[o]) + 3*int(far[n]) + int(far[o]) + 8) / 16)
		}
	}
	return out
}

// boxes averages rows into a smaller picture.
type boxes struct {
	out *Gray
	f   int
	sum []uint32
}

func newBoxes(w, h, f int) *boxes {
	f = max(f, 1)
	out := New(max(w/f, 1), max(h/f, 1))
	return &boxes{out: out, f: f, sum: make([]uint32, out.W)}
}

func (b *boxes) add(y int, row []byte) {
	if b.f == 1 {
		copy(b.out.Row(y), row)
		return
	}
	i := 0
	for x := range b.sum {
		var s uint32
		for _, v := range row[i : i+b.f] {
			s += uint32(v)
		}
		b.sum[x] += s
		i += b.f
	}
	if y%b.f == b.f-1 {
		area := uint32(b.f * b.f)
		dst := b.out.Row(y / b.f)
		for x, s := range b.sum {
			dst[x] = byte((s + area/2) / area)
			b.sum[x] = 0
		}
	}
}

// Factor is by how much a picture must shrink so that no side is longer than most.
func Factor(w, h, most int) int { return max((max(w, h)+most-1)/most, 1) }

// Luma is the brightness of an image, shrunk by f, as a reader sees it on white, or
// on black, which matters where the image is transparent.
func Luma(m image.Image, f int, onBlack bool) *Gray {
	r := m.Bounds()
	f = shrinkable(r, f)
	b := newBoxes(r.Dx(), r.Dy(), f)
	if y, ok := m.(*image.YCbCr); ok {
		for i := range r.Dy() / f * f {
			o := y.YOffset(r.Min.X, r.Min.Y+i)
			b.add(i, y.Y[o:o+r.Dx()])
		}
		return b.out
	}
	row, rgb := make([]byte, r.Dx()), make([]byte, 3*r.Dx())
	read := reader(m, onBlack)
	for i := range r.Dy() / f * f {
		read(r.Min.Y+i, rgb)
		for x := range row {
			p := rgb[3*x : 3*x+3 : 3*x+3]
			row[x] = luma(p[0], p[1], p[2])
		}
		b.add(i, row)
	}
	return b.out
}

// chroma are the two differences of colour of an image, of every f-th pixel both
// ways; nil where the image can't have colour.
func chroma(m image.Image, f int) (cb, cr *Gray) {
	switch m := m.(type) {
	case *image.Gray, *image.Gray16:
		return nil, nil
	case *image.Paletted:
		if grey(m.Palette) {
			return nil, nil
		}
	}
	r := m.Bounds()
	f = shrinkable(r, f)
	cb, cr = New(r.Dx()/f, r.Dy()/f), New(r.Dx()/f, r.Dy()/f)
	ycc, isYCC := m.(*image.YCbCr)
	read, rgb := reader(m, false), make([]byte, 3*r.Dx())
	for y := range cb.H {
		at := r.Min.Y + y*f + f/2
		rowB, rowR := cb.Row(y), cr.Row(y)
		if isYCC {
			for x := range rowB {
				o := ycc.COffset(r.Min.X+x*f+f/2, at)
				rowB[x], rowR[x] = ycc.Cb[o], ycc.Cr[o]
			}
			continue
		}
		read(at, rgb)
		for x := range rowB {
			p := rgb[3*(x*f+f/2):]
			_, rowB[x], rowR[x] = color.RGBToYCbCr(p[0], p[1], p[2])
		}
	}
	return cb, cr
}

func shrinkable(r image.Rectangle, f int) int { return max(min(f, r.Dx(), r.Dy()), 1) }

func grey(p color.Palette) bool {
	for _, c := range p {
		if r, g, b, _ := c.RGBA(); r != g || g != b {
			return false
		}
	}
	return true
}

func luma(r, g, b uint8) byte {
	return byte((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// Even says whether a fifth of the picture has one shade, as the ground of a page has
// and a photo has not.
func (g *Gray) Even() bool {
	var count [256]int
	for _, v := range g.Pix {
		count[v]++
	}
	return 5*slices.Max(count[:]) >= len(g.Pix)
}

// Opaque says whether an image hides all of what is behind it.
func Opaque(m image.Image) bool {
	o, ok := m.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// reader gives the pixels of a row, three bytes each, laid on white or black.
func reader(m image.Image, onBlack bool) func(y int, rgb []byte) {
	r := m.Bounds()
	var ground uint32 = 0xffff
	if onBlack {
		ground = 0
	}
	on := func(c, a uint32) uint8 { return uint8((c + (0xffff-a)*ground/0xffff) >> 8) } // c is premultiplied
	switch m := m.(type) {
	case *image.Gray:
		return func(y int, rgb []byte) {
			o := m.PixOffset(r.Min.X, y)
			for x, v := range m.Pix[o : o+r.Dx()] {
				rgb[3*x], rgb[3*x+1], rgb[3*x+2] = v, v, v
			}
		}
	case *image.Paletted:
		var table [256][3]byte
		for i, c := range m.Palette[:min(len(m.Palette), 256)] {
			cr, cg, cb, ca := c.RGBA()
			table[i] = [3]byte{on(cr, ca), on(cg, ca), on(cb, ca)}
		}
		return func(y int, rgb []byte) {
			o := m.PixOffset(r.Min.X, y)
			for x, v := range m.Pix[o : o+r.Dx()] {
				copy(rgb[3*x:3*x+3], table[v][:])
			}
		}
	case *image.NRGBA:
		return func(y int, rgb []byte) {
			o := m.PixOffset(r.Min.X, y)
			for x := range r.Dx() {
				p, q := m.Pix[o+4*x:o+4*x+4:o+4*x+4], rgb[3*x:3*x+3:3*x+3]
				a := uint32(p[3])
				if a == 0xff {
					q[0], q[1], q[2] = p[0], p[1], p[2]
					continue
				}
				rest := (255-a)*(ground>>8) + 127
				for i := range q {
					q[i] = byte((uint32(p[i])*a + rest) / 255)
				}
			}
		}
	case *image.RGBA:
		return func(y int, rgb []byte) {
			o := m.PixOffset(r.Min.X, y)
			for x := range r.Dx() {
				p, q := m.Pix[o+4*x:o+4*x+4:o+4*x+4], rgb[3*x:3*x+3:3*x+3]
				if p[3] == 0xff {
					q[0], q[1], q[2] = p[0], p[1], p[2]
					continue
				}
				rest := (255 - uint32(p[3])) * (ground >> 8) / 255
				for i := range q {
					q[i] = byte(min(uint32(p[i])+rest, 255))
				}
			}
		}
	case image.RGBA64Image:
		return func(y int, rgb []byte) {
			for x := range r.Dx() {
				c := m.RGBA64At(r.Min.X+x, y)
				a := uint32(c.A)
				rgb[3*x], rgb[3*x+1], rgb[3*x+2] = on(uint32(c.R), a), on(uint32(c.G), a), on(uint32(c.B), a)
			}
		}
	}
	return func(y int, rgb []byte) {
		for x := range r.Dx() {
			cr, cg, cb, ca := m.At(r.Min.X+x, y).RGBA()
			rgb[3*x], rgb[3*x+1], rgb[3*x+2] = on(cr, ca), on(cg, ca), on(cb, ca)
		}
	}
}

// Hue shows what is lost in brightness: an image along the axis on which its colours
// differ most, no side longer than most; nil where they hardly differ.
func Hue(m image.Image, most int) *Gray {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if b, r := chroma(m, Factor(w, h, 100)); b == nil || !colourful(b) && !colourful(r) {
		return nil
	}
	cb, cr := chroma(m, Factor(w, h, most))
	// Means, and the moments of second order.
	n := len(cb.Pix)
	var sb, sr, bb, rr, br int
	for i, b := range cb.Pix {
		v, w := int(b)-128, int(cr.Pix[i])-128
		sb += v
		sr += w
		bb += v * v
		rr += w * w
		br += v * w
	}
	mb, mr := float64(sb)/float64(n), float64(sr)/float64(n)
	vb, vr := float64(bb)/float64(n)-mb*mb, float64(rr)/float64(n)-mr*mr
	c := float64(br)/float64(n) - mb*mr
	// The axis of the greatest variance, in 1/1024.
	angle := math.Atan2(2*c, vb-vr) / 2
	x, y := int(math.Round(1024*math.Cos(angle))), int(math.Round(1024*math.Sin(angle)))
	off := (x*int(math.Round(mb)) + y*int(math.Round(mr)))
	out := New(cb.W, cb.H)
	for i, b := range cb.Pix {
		v := (x*(int(b)-128) + y*(int(cr.Pix[i])-128) - off) / 1024
		out.Pix[i] = byte(min(max(128+v, 0), 255))
	}
	return out
}

// colourful says whether some of the shades are off the middle, which is grey.
func colourful(g *Gray) bool {
	for _, v := range g.Pix {
		if v < 128-10 || v > 128+10 {
			return true
		}
	}
	return false
}
