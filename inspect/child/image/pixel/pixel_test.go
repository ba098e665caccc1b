package pixel_test

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/inspect/child/image/imagetest"
	"sluice/inspect/child/image/pixel"
)

// The hashes of a picture are the same on every machine and for ever: what was
// remembered of them must be found again.
func TestHashesStay(t *testing.T) {
	g := pixel.New(50, 40)
	for y := range 40 {
		for x := range 50 {
			g.Row(y)[x] = byte(x*y + 3*x + 5*(y/7)*(x/9))
		}
	}
	if p, d := g.Hashes(); p != 0x1f7e38786167464c || d != 0xfce2d9b5addac2b2 {
		t.Errorf("%#x, %#x", p, d)
	}
}

// Whatever form pixels are stored in, they look the same.
func TestLuma(t *testing.T) {
	from := imagetest.Photo(31, 17, 4)
	want := pixel.Luma(from, 1, false)
	r := from.Bounds()
	forms := map[string]interface {
		image.Image
		Set(x, y int, c color.Color)
	}{"nrgba": image.NewNRGBA(r), "rgba64": image.NewRGBA64(r), "nrgba64": image.NewNRGBA64(r), "cmyk": image.NewCMYK(r)}
	for name, m := range forms {
		for y := range r.Dy() {
			for x := range r.Dx() {
				m.Set(x, y, from.At(x, y))
			}
		}
		got := pixel.Luma(m, 1, false)
		for i := range want.Pix {
			if d := int(got.Pix[i]) - int(want.Pix[i]); d < -2 || d > 2 {
				t.Fatalf("%s: pixel %d is %d, want %d", name, i, got.Pix[i], want.Pix[i])
			}
		}
	}
}

// What is transparent shows what is behind it.
func TestTransparent(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	m.SetNRGBA(1, 0, color.NRGBA{0, 0, 0, 255})
	p := image.NewPaletted(m.Rect, color.Palette{color.Transparent, color.Black})
	p.SetColorIndex(1, 0, 1)
	for _, m := range []image.Image{m, p} {
		white, black := pixel.Luma(m, 1, false), pixel.Luma(m, 1, true)
		if !slices.Equal(white.Pix, []byte{255, 0}) || !slices.Equal(black.Pix, []byte{0, 0}) {
			t.Errorf("%T: %v on white, %v on black", m, white.Pix, black.Pix)
		}
	}
}

func TestScale(t *testing.T) {
	g := pixel.New(4, 2)
	copy(g.Pix, []byte{0, 100, 200, 200, 100, 200, 200, 200})
	if s := g.Shrink(2); s.W != 2 || s.H != 1 || s.Pix[0] != 100 || s.Pix[1] != 200 {
		t.Errorf("%+v", s)
	}
	if d := g.Double(); d.W != 8 || d.H != 4 || d.Pix[0] != 0 || d.Pix[7] != 200 || d.Pix[1] != 25 {
		t.Errorf("%+v", d)
	}
	if e := g.Enlarge(2, 1, 7); e.W != 12 || e.H != 8 || e.Pix[0] != 7 || e.Row(2)[4] != 100 || e.Row(7)[11] != 7 {
		t.Errorf("%+v", e)
	}
	if g.Shrink(3) != g {
		t.Error("it shrinks to nothing")
	}
}

// Two colours of one brightness are told apart by their hue.
func TestHue(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 20, 20))
	for y := range 20 {
		for x := range 20 {
			m.SetRGBA(x, y, color.RGBA{230, 60, 60, 255})
			if x < 10 {
				m.SetRGBA(x, y, color.RGBA{60, 145, 60, 255})
			}
		}
	}
	h := pixel.Hue(m, 800)
	if d := int(h.Pix[0]) - int(h.Pix[19]); d > -100 && d < 100 {
		t.Errorf("they differ by %d", d)
	}
	if pixel.Hue(image.NewRGBA(image.Rect(0, 0, 9, 9)), 800) != nil {
		t.Error("a black picture has a hue")
	}
}

// drawn is a picture like a logo: a sign and letters, dark on white.
func drawn(seed uint64) *image.RGBA {
	r := rand.New(rand.NewPCG(seed, 9))
	n := 4 + r.IntN(7)
	m := image.NewRGBA(image.Rect(0, 0, 80+n*24, 56))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	ink := func() image.Image {
		return image.NewUniform(color.RGBA{uint8(r.IntN(200)), uint8(r.IntN(160)), uint8(r.IntN(200)), 255})
	}
	round, sign := r.IntN(2) == 0, ink()
	for y := range 40 {
		for x := range 40 {
			if dx, dy := x-20, y-20; !round || dx*dx+dy*dy < 400 {
				draw.Draw(m, image.Rect(8+x, 8+y, 9+x, 9+y), sign, image.Point{}, draw.Src)
			}
		}
	}
	letters := ink()
	for l := range n {
		g := rand.New(rand.NewPCG(r.Uint64N(26), 4)) // a letter is the same everywhere
		for at := range 35 {
			if x, y := 58+l*24+at%5*4, 14+at/5*4; g.IntN(2) == 0 {
				draw.Draw(m, image.Rect(x, y, x+4, y+4), letters, image.Point{}, draw.Src)
			}
		}
	}
	return m
}

// TestLogosHash: copies of a logo, recoded or smaller, differ in few bits; of two logos
// few are as alike. learn/copycat relies on the ten.
func TestLogosHash(t *testing.T) {
	const n, most = 150, 10
	hash := func(g *pixel.Gray) uint64 {
		p, _ := g.Hashes()
		return p
	}
	var all []uint64
	small, coarse := 0, 0
	for seed := range uint64(n) {
		m := drawn(seed)
		p := hash(pixel.Luma(m, 1, false))
		if bits.OnesCount64(p^hash(pixel.Luma(m, 2, false))) <= most {
			small++
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 40}); err != nil {
			t.Fatal(err)
		}
		again, err := jpeg.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		if bits.OnesCount64(p^hash(pixel.Luma(again, 1, false))) <= most {
			coarse++
		}
		all = append(all, p)
	}
	alike := 0
	for i, p := range all {
		for _, o := range all[:i] {
			if bits.OnesCount64(p^o) <= most {
				alike++
			}
		}
	}
	t.Logf("of %d: half the size %d, as a coarse JPEG %d; %d of %d pairs of different ones", n, small, coarse, alike, n*(n-1)/2)
	if small < n*97/100 || coarse < n*99/100 || alike > n*(n-1)/2/50 {
		t.Error("the hash tells logos apart no longer")
	}
}
