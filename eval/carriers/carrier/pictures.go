package carrier

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"

	"sluice/inspect/child/image/imagetest"
	"sluice/internal/qr"
)

const codeSite = "https://login.evil.example/renew"

func code(text string) *qr.Code {
	c, err := qr.Encode(text, qr.Medium)
	must(err)
	return c
}

func pngOf(m image.Image) []byte {
	var b bytes.Buffer
	must(png.Encode(&b, m))
	return b.Bytes()
}

// halfBlocks draws two rows of modules with a line.
func halfBlocks(c *qr.Code) string {
	var b strings.Builder
	for y := -2; y < c.Size+2; y += 2 {
		for x := -2; x < c.Size+2; x++ {
			i := 0
			if c.Dark(x, y) {
				i |= 1
			}
			if c.Dark(x, y+1) {
				i |= 2
			}
			b.WriteString([]string{" ", "▀", "▄", "█"}[i])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func tableOf(dark func(x, y int) bool, size int) string {
	var b strings.Builder
	b.WriteString("<html><body><p>Dear Bob, scan this with your phone to keep your account.</p><table cellspacing=0 cellpadding=0>")
	for y := range size {
		b.WriteString("<tr>")
		for x := range size {
			shade := "#ffffff"
			if dark(x, y) {
				shade = "#000000"
			}
			b.WriteString(`<td width=5 height=5 bgcolor="` + shade + `"></td>`)
		}
		b.WriteString("</tr>")
	}
	return b.String() + "</table></body></html>"
}

// pictures hold codes that phones read.
func pictures() []Case {
	const typ = "image/png"
	c := code(codeSite)
	photo := with("photo.png", typ, pngOf(imagetest.Photo(200, 150, 1)))
	one := func(l imagetest.Look) Mail { return with("code.png", typ, pngOf(imagetest.Paint(c, l))) }
	found := []string{"link:" + codeSite}
	black, white := color.Color(color.Black), color.Color(color.White)
	grey := func(v uint8) color.Color { return color.RGBA{v, v, v, 255} }
	whole := imagetest.Paint(c, imagetest.Look{})
	half := whole.Bounds().Dx() / 2
	sides := func(m *image.RGBA) Mail {
		r := m.Bounds()
		return Mail{Files: []File{{"left.png", typ, pngOf(m.SubImage(image.Rect(0, 0, half, r.Dy())))}, {"right.png", typ, pngOf(m.SubImage(image.Rect(half, 0, r.Dx(), r.Dy())))}}}
	}
	two := image.NewRGBA(image.Rect(0, 0, 400, 200))
	draw.Draw(two, two.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(two, whole.Bounds().Add(image.Pt(10, 10)), imagetest.Paint(code("https://www.example.com/"), imagetest.Look{}), image.Point{}, draw.Src)
	draw.Draw(two, whole.Bounds().Add(image.Pt(200, 10)), whole, image.Point{}, draw.Src)
	text := func(s string) Mail { return Mail{Text: "Dear Bob,\n\nscan this with your phone:\n\n" + s + "\nAnn\n"} }
	art := strings.Repeat("▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄▀▄\n██  ██  ██  ██  ██  ██  ██  ██\n", 8)
	page := pdfOfPicture(whole)
	return []Case{
		{Name: "qr", Want: found, Carrier: one(imagetest.Look{}), Twin: photo},
		{Name: "qr-inverted", Want: []string{"CODE_DISGUISED"}, Carrier: one(imagetest.Look{Ink: white, Ground: black}), Twin: one(imagetest.Look{})},
		{Name: "qr-pale", Want: []string{"CODE_DISGUISED"}, Carrier: one(imagetest.Look{Ink: grey(222), Ground: grey(244)}), Twin: one(imagetest.Look{Ink: grey(40), Ground: grey(244)})},
		{Name: "qr-turned", Want: found, Carrier: one(imagetest.Look{Module: 6, Turn: 33}), Twin: photo},
		{Name: "qr-second-of-two", Want: found, Carrier: with("code.png", typ, pngOf(two)), Twin: photo},
		{Name: "qr-split", Want: []string{"CODE_SPLIT"}, Carrier: sides(whole), Twin: sides(imagetest.Photo(whole.Bounds().Dx(), whole.Bounds().Dy(), 2))},
		{Name: "qr-in-text", Want: []string{"CODE_DRAWN"}, Carrier: text(halfBlocks(c)), Twin: text(art)},
		{Name: "qr-in-cells", Want: []string{"CODE_DRAWN"}, Carrier: Mail{HTML: tableOf(c.Dark, c.Size)}, Twin: Mail{HTML: tableOf(func(x, y int) bool { return (x/3+y/3)%2 == 0 }, c.Size)}},
		{Name: "qr-in-zip", Want: found, Carrier: with("a.zip", "application/zip", zipOf(member{"code.png", string(pngOf(whole))})), Twin: with("a.zip", "application/zip", zipOf(member{"photo.png", string(photo.Files[0].Body)}))},
		{Name: "qr-in-docx", Want: found, Carrier: with("a.docx", "", docx(kindDocx, words, "", member{"word/media/image1.png", string(pngOf(whole))})), Twin: with("a.docx", "", docx(kindDocx, words, "", member{"word/media/image1.png", string(photo.Files[0].Body)}))},
		{Name: "qr-in-pdf", Want: found, Carrier: with("a.pdf", "application/pdf", page), Twin: with("a.pdf", "application/pdf", plainPDF())},
		{Name: "qr-payment", Want: []string{"CODE_PAYMENT"}, Carrier: with("code.png", typ, pngOf(imagetest.Paint(code("bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT"), imagetest.Look{}))), Twin: one(imagetest.Look{})},
		{Name: "qr-login", Want: []string{"CODE_LOGIN"}, Carrier: with("code.png", typ, pngOf(imagetest.Paint(code("sgnl://linkdevice?uuid=a&pub_key=b"), imagetest.Look{}))), Twin: one(imagetest.Look{})},
		{Name: "trailing-archive", Want: []string{"class:executable"}, Carrier: with("photo.png", typ, append(pngOf(whole), zipOf(member{"setup.exe", exe()})...)), Twin: photo},
	}
}

// pdfOfPicture is a page that shows a grey picture, uncompressed.
func pdfOfPicture(m *image.RGBA) []byte {
	var pix strings.Builder
	r := m.Bounds()
	for y := range r.Dy() {
		for x := range r.Dx() {
			pix.WriteByte(m.RGBAAt(x, y).R)
		}
	}
	content := "q 180 0 0 180 10 10 cm /I Do Q"
	return pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources << /XObject << /I 4 0 R >> >> /Contents 5 0 R >>",
		"<< /Type /XObject /Subtype /Image /Width "+digits(r.Dx(), 0)+" /Height "+digits(r.Dy(), 0)+" /ColorSpace /DeviceGray /BitsPerComponent 8 /Length "+digits(pix.Len(), 0)+" >>\nstream\n"+pix.String()+"\nendstream",
		"<< /Length "+digits(len(content), 0)+" >>\nstream\n"+content+"\nendstream")
}
