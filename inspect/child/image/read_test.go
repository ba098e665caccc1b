package image

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
)

// lines writes text as on a screen.
func lines(w, h int, ink, ground color.Color, text ...string) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, ground)
	}
	for i, l := range text {
		d := font.Drawer{Dst: m, Src: image.NewUniform(ink), Face: basicfont.Face7x13, Dot: fixed.P(10, 20+18*i)}
		d.DrawString(l)
	}
	return m
}

// TestOffer: pictures of text are handed over as grey pixels, others aren't.
func TestOffer(t *testing.T) {
	noise := image.NewGray(image.Rect(0, 0, 300, 300))
	smooth := image.NewGray(noise.Rect)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i], smooth.Pix[i] = byte(r.Uint32()), byte(i%300/2+i/600)
	}
	text := []string{"Dear customer your account has been suspended", "Please verify your details within 24 hours"}
	for _, row := range []struct {
		name string
		m    image.Image
		want string // head of what is handed over
	}{
		{"text", lines(420, 100, color.Black, color.White, text...), "P5\n840 200\n255\n"},
		{"a line", lines(420, 40, color.Black, color.White, text[0]), "P5\n840 80\n255\n"},
		{"light on dark", lines(420, 100, color.White, color.RGBA{0, 0, 90, 255}, text...), "P5\n840 200\n255\n"},
		{"large", lines(3000, 2000, color.Black, color.White, text...), "P5\n1500 1000\n255\n"},
		{"empty", lines(420, 100, color.Black, color.White), ""},
		{"icon", lines(64, 64, color.Black, color.White, "a b c d"), ""},
		{"noise", noise, ""},
		{"smooth", smooth, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := png.Encode(&b, row.m); err != nil {
				t.Fatal(err)
			}
			for wanted, head := range map[int]string{0: "", 1: row.want} {
				got := childtest.Run(t, child.Config{Decoders: Decoders()}, &inspect.Request{Keep: inspect.Keep{Pictures: wanted},
					Inputs: []inspect.Input{{Name: "a.png", DeclaredType: "png", Body: b.Bytes()}}})
				switch {
				case head == "" && len(got.Kept) != 0:
					t.Errorf("%d wanted: handed over %.20q", wanted, got.Kept[0].Body)
				case head != "" && (len(got.Kept) != 1 || !strings.HasPrefix(string(got.Kept[0].Body), head) || got.Kept[0].Form != inspect.Pixels):
					t.Errorf("%d wanted: %d handed over, want %q", wanted, len(got.Kept), head)
				}
			}
		})
	}
}
