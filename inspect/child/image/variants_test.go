package image

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/image/imagetest"
	"sluice/internal/qr"
)

func gray(v uint8) color.Color { return color.RGBA{v, v, v, 255} }

// payloads differ in length, so that codes have several sizes.
func payloads() []string {
	var out []string
	for i := range 12 {
		out = append(out, fmt.Sprintf("https://login%d.example.com/%s", i, strings.Repeat("a1B2", i)))
	}
	return out
}

// variants are the ways to show a code, and how many of the payloads must be read
// that way, in percent.
var variants = []struct {
	name  string
	look  imagetest.Look
	least int
	trait string
	jpeg  int // quality; 0: PNG
}{
	{name: "plain", least: 100},
	{name: "one pixel a module", look: imagetest.Look{Module: 1}, least: 100},
	{name: "two pixels a module", look: imagetest.Look{Module: 2}, least: 100},
	{name: "large modules", look: imagetest.Look{Module: 30}, least: 100},
	{name: "jpeg 60", look: imagetest.Look{Module: 3}, jpeg: 60, least: 100},
	{name: "jpeg 20", look: imagetest.Look{Module: 5}, jpeg: 20, least: 100},
	{name: "inverted", look: imagetest.Look{Ink: color.White, Ground: color.Black}, trait: "inverted", least: 100},
	{name: "inverted, no margin", look: imagetest.Look{Ink: color.White, Ground: color.Black, Quiet: -1}, trait: "inverted", least: 100},
	{name: "inverted on a white page", look: imagetest.Look{Ink: color.White, Ground: color.Black, Page: image.Pt(600, 500), On: image.Pt(80, 60)}, trait: "inverted", least: 100},
	{name: "pale", look: imagetest.Look{Ink: gray(225), Ground: gray(245)}, trait: "pale", least: 100},
	{name: "pale, jpeg", look: imagetest.Look{Ink: gray(215), Ground: gray(240)}, jpeg: 80, trait: "pale", least: 100},
	{name: "pale on black", look: imagetest.Look{Ink: gray(30), Ground: gray(5)}, trait: "inverted, pale", least: 100},
	{name: "coloured, one brightness", look: imagetest.Look{Ink: color.RGBA{230, 60, 60, 255}, Ground: color.RGBA{60, 145, 60, 255}}, jpeg: 85, trait: "coloured", least: 100},
	{name: "blue on orange", look: imagetest.Look{Ink: color.RGBA{0, 60, 200, 255}, Ground: color.RGBA{255, 165, 0, 255}}, least: 100},
	{name: "no margin", look: imagetest.Look{Quiet: -1}, least: 100},
	{name: "margin of one", look: imagetest.Look{Quiet: 1}, least: 100},
	{name: "small on a page", look: imagetest.Look{Module: 3, Page: image.Pt(1240, 1754), On: image.Pt(900, 1500)}, least: 100},
	{name: "tiny on a page", look: imagetest.Look{Module: 2, Page: image.Pt(1240, 1754), On: image.Pt(900, 1500)}, least: 100},
	{name: "small on a scan", look: imagetest.Look{Module: 8, Page: image.Pt(2480, 3508), On: image.Pt(1700, 2900)}, least: 100},
	{name: "turned by 90", look: imagetest.Look{Turn: 90}, least: 100},
	{name: "turned by 30", look: imagetest.Look{Module: 5, Turn: 30}, least: 90},
	{name: "turned by 45", look: imagetest.Look{Module: 5, Turn: 45}, least: 100},
	{name: "turned by 200", look: imagetest.Look{Module: 6, Turn: 200}, least: 90},
	{name: "tilted", look: imagetest.Look{Module: 6, Tilt: 0.15}, least: 90},
	{name: "mirrored", look: imagetest.Look{Mirror: true}, least: 100},
	{name: "blurred 1 of 4", look: imagetest.Look{Module: 4, Blur: 1}, least: 100},
	{name: "blurred 2 of 4", look: imagetest.Look{Module: 4, Blur: 2}, least: 90},
	{name: "blurred 4 of 8", look: imagetest.Look{Module: 8, Blur: 4}, least: 90},
	{name: "noise", look: imagetest.Look{Module: 6, Noise: 60}, least: 90},
	{name: "pale with noise", look: imagetest.Look{Module: 6, Ink: gray(190), Ground: gray(230), Noise: 10}, trait: "pale", least: 90},
	{name: "light falling off", look: imagetest.Look{Module: 5, Gradient: true}, least: 100},
	{name: "dots", look: imagetest.Look{Module: 8, Round: true}, least: 90},
	{name: "logo in the middle", look: imagetest.Look{Module: 5, Logo: true}, least: 90},
}

// TestVariants prints how many codes are read of each kind.
func TestVariants(t *testing.T) {
	all := payloads()
	if testing.Short() {
		all = all[:1]
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			read, traits := 0, 0
			for _, p := range all {
				level := qr.Medium
				if v.look.Logo {
					level = qr.High
				}
				m := imagetest.Paint(imagetest.Must(t, p, level), v.look)
				typ, b := inspect.PNG, []byte(nil)
				if v.jpeg > 0 {
					typ, b = inspect.JPEG, imagetest.JPEG(t, m, v.jpeg)
				} else {
					b = imagetest.PNG(t, m)
				}
				r := childtest.One(t, pictures{}, "x", typ, b)
				if len(r.Images) == 1 && len(r.Images[0].Codes) == 1 && r.Images[0].Codes[0].Text == p {
					read++
					if r.Images[0].Codes[0].Trait == v.trait {
						traits++
					} else {
						t.Logf("trait %q", r.Images[0].Codes[0].Trait)
					}
					if len(r.Links) != 1 || r.Links[0].URL != p || r.Links[0].Via != inspect.ViaCode {
						t.Errorf("links: %v", r.Links)
					}
				}
			}
			t.Logf("%-26s %3d of %d read, %d with the trait %q", v.name, read, len(all), traits, v.trait)
			if 100*read < v.least*len(all) || traits < read {
				t.Fail()
			}
		})
	}
}

var _ child.Decoder = pictures{}
