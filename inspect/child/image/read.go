package image

import (
	"fmt"
	"image"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/image/pixel"
)

// What a picture of text measures, in pixels: below it are icons and lines.
const (
	textWidth  = 120
	textHeight = 30
	textArea   = 8000
	// smallText is the width below which letters are likely to be as small as on a
	// screen, and readers of scanned pages want them at twice the size.
	smallText = 1200
)

// offer hands over a picture that looks as if it carried text, where the request asks
// for such: grey, and of a size at which it can be read.
func offer(w *child.Work, m image.Image) {
	b := m.Bounds()
	if !w.WantsPicture() || b.Dx() < textWidth || b.Dy() < textHeight || b.Dx()*b.Dy() < textArea {
		return
	}
	f := 1
	for (b.Dx()/f)*(b.Dy()/f) > mostPixels {
		f++
	}
	g := pixel.Luma(m, f, false)
	if !lettered(g) {
		return
	}
	if g.W < smallText && 4*g.W*g.H <= mostPixels {
		g = g.Double()
	}
	w.KeepPicture(append(fmt.Appendf(nil, "P5\n%d %d\n255\n", g.W, g.H), g.Pix...))
}

// mostPixels is the largest picture that is handed over.
const mostPixels = inspect.MaxPixels - 64

// What a row that crosses letters looks like: steep edges, many, and in both directions.
const (
	steep = 60 // shades
	edges = 6  // of each direction, in a row
)

// lettered says whether rows with many edges come in bands, with quiet rows between, as
// lines of text do. It is lenient: a false alarm costs a look, no more.
func lettered(g *pixel.Gray) bool {
	bands, busy, run := 0, 0, 0
	for y := range g.H {
		up, down := 0, 0
		row := g.Row(y)
		for x := 2; x < len(row); x++ {
			switch d := int(row[x]) - int(row[x-2]); { // across what smoothing blurs
			case d >= steep:
				up++
				x++
			case d <= -steep:
				down++
				x++
			}
		}
		if min(up, down) >= edges {
			busy++
			run++
			continue
		}
		if 3 <= run && run <= 200 {
			bands++
		}
		run = 0
	}
	if 3 <= run && run <= 200 {
		bands++
	}
	// A texture is busy everywhere, in one band.
	return bands >= 2 || bands == 1 && busy*4 <= g.H*3
}
