package code

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix"

	"sluice/inspect/child/image/imagetest"
	"sluice/inspect/child/image/pixel"
	"sluice/internal/qr"
)

func never() error { return nil }

func painted(t testing.TB, text string, l imagetest.Look) *pixel.Gray {
	return pixel.Luma(imagetest.Paint(imagetest.Must(t, text, qr.Medium), l), 1, false)
}

func TestFind(t *testing.T) {
	f, err := Find(painted(t, "hello", imagetest.Look{}), never)
	if err != nil || len(f.Codes) != 1 || f.Codes[0] != (Code{Format: "qr", Text: "hello"}) || f.Unread {
		t.Fatal(f, err)
	}
}

// A code whose data is destroyed is seen and not read.
func TestUnread(t *testing.T) {
	c := imagetest.Must(t, "https://login.example.com/abcdefgh", qr.Low)
	g := pixel.Luma(imagetest.Paint(c, imagetest.Look{}), 1, false)
	r := rand.New(rand.NewPCG(3, 4))
	for y := 9; y < c.Size; y++ {
		for x := 9; x < c.Size; x++ {
			if r.IntN(2) == 0 {
				g.Fill((x+4)*4, (y+4)*4, 4, 4, byte(255*r.IntN(2)))
			}
		}
	}
	if f, err := Find(g, never); err != nil || len(f.Codes) > 0 || !f.Unread {
		t.Fatal(f, err)
	}
	if f, _ := Find(pixel.New(300, 300), never); f.Unread {
		t.Fatal("a black picture looks like a code")
	}
}

func TestRelatives(t *testing.T) {
	m, err := datamatrix.NewDataMatrixWriter().Encode("https://a.example/", gozxing.BarcodeFormat_DATA_MATRIX, 200, 200, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := pixel.New(260, 260)
	g.Fill(0, 0, 260, 260, 255)
	for y := range m.GetHeight() {
		for x := range m.GetWidth() {
			if m.Get(x, y) {
				g.Fill(x+30, y+30, 1, 1, 0)
			}
		}
	}
	f, err := Find(g, never)
	if err != nil || len(f.Codes) != 1 || f.Codes[0].Format != "datamatrix" || f.Codes[0].Text != "https://a.example/" {
		t.Fatal(f, err)
	}
}

// hostile is a picture of nothing but corners.
func hostile(size, apart int) *pixel.Gray {
	g := pixel.New(size, size)
	g.Fill(0, 0, size, size, 255)
	for y := 2; y+14 < size; y += apart {
		for x := 2; x+14 < size; x += apart {
			g.Fill(x, y, 14, 14, 0)
			g.Fill(x+2, y+2, 10, 10, 255)
			g.Fill(x+4, y+4, 6, 6, 0)
		}
	}
	return g
}

// The work for pictures of corners is bounded, and it ends where it is told to.
func TestHostile(t *testing.T) {
	asked := 0
	for _, apart := range []int{16, 18, 28, 60} {
		if _, err := Find(hostile(1000, apart), func() error { asked++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if asked > 4*2*5*500_000 {
		t.Error("asked", asked)
	}
	enough := errors.New("enough")
	if _, err := Find(hostile(1000, 28), func() error { return enough }); err != enough {
		t.Error("it goes on:", err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	g := pixel.New(1000, 1000)
	for i := range g.Pix {
		g.Pix[i] = byte(255 * r.IntN(2))
	}
	if f, err := Find(g, never); err != nil || len(f.Codes) > 0 || f.Unread {
		t.Error("noise:", f, err)
	}
}

func FuzzFind(f *testing.F) {
	g := painted(f, "a", imagetest.Look{Module: 1})
	f.Add(g.W, g.Pix)
	f.Add(64, hostile(64, 16).Pix)
	f.Fuzz(func(t *testing.T, w int, pix []byte) {
		if w < 1 || w > 2000 || len(pix) < w || len(pix) > 1<<16 {
			return
		}
		h := len(pix) / w
		if _, err := Find(&pixel.Gray{W: w, H: h, Pix: pix[:w*h]}, never); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	noise := pixel.New(1000, 1000)
	for i := range noise.Pix {
		noise.Pix[i] = byte(255 * r.IntN(2))
	}
	for _, c := range []struct {
		name string
		g    *pixel.Gray
	}{
		{"code", painted(b, "https://login.example.com/a", imagetest.Look{})},
		{"photo", pixel.Luma(imagetest.Photo(1000, 750, 1), 1, false)},
		{"noise", noise},
		{"corners", hostile(1000, 16)},
		{"corners apart", hostile(1000, 60)},
		{"blank", pixel.New(1000, 1000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.g.Pix)))
			for b.Loop() {
				if _, err := Find(c.g, never); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
