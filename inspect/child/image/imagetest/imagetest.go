// Package imagetest paints codes as senders do who want phones to read them and
// programs not to.
package imagetest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"sluice/internal/qr"
)

// Look is how a code is painted. The zero value is black on white, four pixels a
// module, with the margin of four modules that the standard asks for.
type Look struct {
	Module   int // pixels
	Quiet    int // modules; below 0: none
	Ink      color.Color
	Ground   color.Color
	Round    bool    // modules are dots
	Turn     float64 // degrees
	Tilt     float64 // how much narrower the top is than the bottom, 0 to 1
	Blur     int     // pixels to each side
	Noise    int     // shades
	Logo     bool    // a square in the middle is covered
	Gradient bool    // the light falls off from corner to corner
	On       image.Point
	Page     image.Point // size of a page that the code stands on, at On
	Mirror   bool
}

// Must encodes a text or fails the test.
func Must(t testing.TB, text string, l qr.Level) *qr.Code {
	t.Helper()
	c, err := qr.Encode(text, l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Paint paints a code.
func Paint(c *qr.Code, l Look) *image.RGBA {
	if l.Module == 0 {
		l.Module = 4
	}
	switch {
	case l.Quiet == 0:
		l.Quiet = 4
	case l.Quiet < 0:
		l.Quiet = 0
	}
	if l.Ink == nil {
		l.Ink = color.Black
	}
	if l.Ground == nil {
		l.Ground = color.White
	}
	side := (c.Size + 2*l.Quiet) * l.Module
	m := fill(image.Pt(side, side), l.Ground)
	for y := range side {
		for x := range side {
			mx, my := x/l.Module-l.Quiet, y/l.Module-l.Quiet
			if l.Mirror {
				mx = c.Size - 1 - mx
			}
			ink := c.Dark(mx, my)
			if ink && l.Round {
				dx, dy := float64(x%l.Module)+0.5-float64(l.Module)/2, float64(y%l.Module)+0.5-float64(l.Module)/2
				ink = math.Hypot(dx, dy) <= 0.46*float64(l.Module) || finder(c, mx, my)
			}
			if l.Logo && abs(2*mx-c.Size) < c.Size/5 && abs(2*my-c.Size) < c.Size/5 {
				m.Set(x, y, color.RGBA{200, 30, 30, 255})
				continue
			}
			if ink {
				m.Set(x, y, l.Ink)
			}
		}
	}
	if l.Turn != 0 || l.Tilt != 0 {
		m = warp(m, l.Turn, l.Tilt, l.Ground)
	}
	if l.Page != (image.Point{}) {
		p := fill(l.Page, color.White)
		draw.Draw(p, m.Bounds().Add(l.On), m, image.Point{}, draw.Src)
		m = p
	}
	if l.Blur > 0 {
		m = blur(m, l.Blur)
	}
	if l.Noise > 0 || l.Gradient {
		shade(m, l)
	}
	return m
}

func finder(c *qr.Code, x, y int) bool {
	return x < 7 && y < 7 || x >= c.Size-7 && y < 7 || x < 7 && y >= c.Size-7
}

func abs(n int) int { return max(n, -n) }

func fill(size image.Point, c color.Color) *image.RGBA {
	m := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return m
}

// warp turns a picture around its middle and makes its top narrower.
func warp(m *image.RGBA, degrees, tilt float64, ground color.Color) *image.RGBA {
	w := m.Bounds().Dx()
	side := int(float64(w) * 1.45)
	out := fill(image.Pt(side, side), ground)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	for y := range side {
		for x := range side {
			u, v := float64(x)-float64(side)/2, float64(y)-float64(side)/2
			u /= 1 - tilt*(0.5-(v/float64(w)+0.5)/2)
			sx, sy := cos*u+sin*v+float64(w)/2, -sin*u+cos*v+float64(w)/2
			if sx >= 0 && sy >= 0 && int(sx) < w && int(sy) < w {
				out.SetRGBA(x, y, m.RGBAAt(int(sx), int(sy)))
			}
		}
	}
	return out
}

func blur(m *image.RGBA, r int) *image.RGBA {
	b := m.Bounds()
	out := image.NewRGBA(b)
	for y := range b.Dy() {
		for x := range b.Dx() {
			var sum [3]int
			n := 0
			for dy := -r; dy <= r; dy++ {
				for dx := -r; dx <= r; dx++ {
					if p := image.Pt(x+dx, y+dy); p.In(b) {
						c := m.RGBAAt(p.X, p.Y)
						sum[0] += int(c.R)
						sum[1] += int(c.G)
						sum[2] += int(c.B)
						n++
					}
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
		}
	}
	return out
}

func shade(m *image.RGBA, l Look) {
	r := rand.New(rand.NewPCG(1, 2))
	b := m.Bounds()
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := m.RGBAAt(x, y)
			d := 0
			if l.Noise > 0 {
				d = r.IntN(2*l.Noise+1) - l.Noise
			}
			dim := 100
			if l.Gradient {
				dim = 100 - 65*(x+y)/(b.Dx()+b.Dy())
			}
			at := func(v uint8) uint8 { return uint8(min(max(int(v)*dim/100+d, 0), 255)) }
			m.SetRGBA(x, y, color.RGBA{at(c.R), at(c.G), at(c.B), 255})
		}
	}
}

// PNG encodes a picture.
func PNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// JPEG encodes a picture.
func JPEG(t testing.TB, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Photo is a picture with much detail and no code: soft shapes, edges and grain.
func Photo(w, h int, seed uint64) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 7))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	type blob struct{ x, y, r, cr, cg, cb float64 }
	blobs := make([]blob, 60)
	for i := range blobs {
		blobs[i] = blob{r.Float64() * float64(w), r.Float64() * float64(h), (0.01 + 0.15*r.Float64()*r.Float64()) * float64(w),
			r.Float64() * 255, r.Float64() * 255, r.Float64() * 255}
	}
	for y := range h {
		for x := range w {
			c := [3]float64{120 + 60*math.Sin(float64(x)/90), 110 + 50*math.Cos(float64(y)/70), 100}
			for i := range blobs {
				b := &blobs[i]
				dx, dy := (float64(x)-b.x)/b.r, (float64(y)-b.y)/b.r
				if d := dx*dx + dy*dy; d < 1 {
					k := 0.8
					if i%2 == 0 {
						k *= 1 - d
					}
					c[0], c[1], c[2] = c[0]*(1-k)+b.cr*k, c[1]*(1-k)+b.cg*k, c[2]*(1-k)+b.cb*k
				}
			}
			n := r.NormFloat64() * 6
			at := func(v float64) uint8 { return uint8(min(max(v+n, 0), 255)) }
			m.SetRGBA(x, y, color.RGBA{at(c[0]), at(c[1]), at(c[2]), 255})
		}
	}
	return m
}
