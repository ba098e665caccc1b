package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/image/imagetest"
	"sluice/internal/qr"
)

var bothDecoders = child.Config{Decoders: Decoders()}

const site = "https://login.example.com/a"

func codes(r *inspect.Report) (out []string) {
	for _, m := range r.Images {
		for _, c := range m.Codes {
			out = append(out, c.Text)
		}
	}
	return out
}

// Every format that is decoded yields a code, its size and the same hashes.
func TestFormats(t *testing.T) {
	m := imagetest.Paint(imagetest.Must(t, site, qr.Medium), imagetest.Look{})
	var g, b, f bytes.Buffer
	if err := gif.Encode(&g, m, nil); err != nil {
		t.Fatal(err)
	}
	if err := bmp.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if err := tiff.Encode(&f, m, &tiff.Options{Compression: tiff.Deflate}); err != nil {
		t.Fatal(err)
	}
	files := map[inspect.Type][]byte{inspect.PNG: imagetest.PNG(t, m), inspect.JPEG: imagetest.JPEG(t, m, 90),
		inspect.GIF: g.Bytes(), inspect.BMP: b.Bytes(), inspect.TIFF: f.Bytes()}
	for typ, body := range files {
		r := childtest.One(t, pictures{}, "x", typ, body)
		if got := codes(r); len(got) != 1 || got[0] != site || len(r.Facts) > 0 {
			t.Errorf("%s: %v %v", typ, got, r.Facts)
		}
		if i := r.Images[0]; i.Width != m.Bounds().Dx() || i.Height != m.Bounds().Dy() || i.PHash == 0 || i.DHash == 0 {
			t.Errorf("%s: %+v", typ, i)
		}
	}
}

// A picture keeps its hashes when it is scaled and compressed, and others differ.
func TestHashes(t *testing.T) {
	hash := func(typ inspect.Type, b []byte) (p, d uint64) {
		r := childtest.One(t, pictures{}, "x", typ, b)
		return r.Images[0].PHash, r.Images[0].DHash
	}
	photo := imagetest.Photo(600, 400, 1)
	half := image.NewRGBA(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			half.Set(x, y, photo.At(2*x, 2*y))
		}
	}
	p, d := hash(inspect.PNG, imagetest.PNG(t, photo))
	for name, b := range map[string][]byte{"quality 40": imagetest.JPEG(t, photo, 40), "half the size": imagetest.JPEG(t, half, 70)} {
		p2, d2 := hash(inspect.JPEG, b)
		if n, o := bits.OnesCount64(p^p2), bits.OnesCount64(d^d2); n > 4 || o > 6 {
			t.Errorf("%s: %d and %d bits differ", name, n, o)
		}
	}
	for seed := range uint64(6) {
		p2, d2 := hash(inspect.PNG, imagetest.PNG(t, imagetest.Photo(600, 400, seed+2)))
		if n, o := bits.OnesCount64(p^p2), bits.OnesCount64(d^d2); n < 12 || o < 10 {
			t.Errorf("another picture: only %d and %d bits differ", n, o)
		}
	}
	if p, d := hash(inspect.PNG, imagetest.PNG(t, image.NewGray(image.Rect(0, 0, 50, 50)))); p != 0 || d != 0 {
		t.Errorf("one shade has hashes %x %x", p, d)
	}
}

// Several codes in one picture, some of them inverted.
func TestSeveral(t *testing.T) {
	page := image.NewRGBA(image.Rect(0, 0, 900, 700))
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src)
	var want []string
	for i := range 6 {
		text := fmt.Sprintf("https://site%d.example.net/", i)
		want = append(want, text)
		l := imagetest.Look{Module: 4 + i%3}
		if i%2 == 1 {
			l.Ink, l.Ground = color.White, color.Black
		}
		m := imagetest.Paint(imagetest.Must(t, text, qr.Low), l)
		draw.Draw(page, m.Bounds().Add(image.Pt(20+i%3*290, 30+i/3*330)), m, image.Point{}, draw.Src)
	}
	r := childtest.One(t, pictures{}, "x", inspect.PNG, imagetest.PNG(t, page))
	got := strings.Join(codes(r), " ")
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s is missing in %s", w, got)
		}
	}
	if len(codes(r)) != len(want) {
		t.Errorf("%d codes", len(codes(r)))
	}
}

// A code in the transparency of a picture, whose colour is one.
func TestTransparent(t *testing.T) {
	c := imagetest.Must(t, site, qr.Medium)
	for name, ink := range map[string]uint8{"black": 0, "white": 255} {
		m := image.NewNRGBA(image.Rect(0, 0, c.Size*4+32, c.Size*4+32))
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				if c.Dark(x/4-4, y/4-4) {
					m.SetNRGBA(x, y, color.NRGBA{ink, ink, ink, 255})
				}
			}
		}
		r := childtest.One(t, pictures{}, "x", inspect.PNG, imagetest.PNG(t, m))
		if got := codes(r); len(got) != 1 || got[0] != site {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A code in a later frame of an animation, which only people see.
func TestFrames(t *testing.T) {
	m := imagetest.Paint(imagetest.Must(t, site, qr.Medium), imagetest.Look{})
	for at := range 6 {
		g := &gif.GIF{}
		for i := range 6 {
			p := image.NewPaletted(m.Bounds(), palette.Plan9)
			draw.Draw(p, p.Bounds(), image.White, image.Point{}, draw.Src)
			if i == at {
				draw.Draw(p, p.Bounds(), m, image.Point{}, draw.Src)
			}
			g.Image, g.Delay = append(g.Image, p), append(g.Delay, 10)
		}
		var b bytes.Buffer
		if err := gif.EncodeAll(&b, g); err != nil {
			t.Fatal(err)
		}
		r := childtest.One(t, pictures{}, "x", inspect.GIF, b.Bytes())
		seen := at < maxFrames-1 || at == 5
		if got := codes(r); seen != (len(got) == 1) || !childtest.Has(r, inspect.ImageAnimated, "6 frames") {
			t.Errorf("frame %d: %v %v", at, got, r.Facts)
		}
		if seen && (at > 0) != childtest.Has(r, inspect.CodeDisguised, "later frame") {
			t.Errorf("frame %d: %v", at, r.Facts)
		}
	}
}

func chunk(id string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, id...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// Metadata and what stands behind the end.
func TestExtras(t *testing.T) {
	plain := imagetest.PNG(t, image.NewGray(image.Rect(0, 0, 30, 30)))
	text := func(s string) []byte {
		return bytes.Join([][]byte{plain[:33], chunk("tEXt", []byte("Comment\x00"+s)), plain[33:]}, nil)
	}
	r := childtest.One(t, pictures{}, "x", inspect.PNG, text(`see https://evil.example/x. <a xmlns:b="http://b.example/ns" c="http://www.w3.org/1999/02/22">`))
	if len(r.Links) != 1 || r.Links[0].URL != "https://evil.example/x" || r.Links[0].Via != inspect.ViaMetadata {
		t.Errorf("links: %v", r.Links)
	}
	for _, f := range []struct {
		typ  inspect.Type
		body []byte
	}{
		{inspect.PNG, plain},
		{inspect.JPEG, imagetest.JPEG(t, image.NewGray(image.Rect(0, 0, 30, 30)), 80)},
	} {
		r = childtest.One(t, pictures{}, "x", f.typ, f.body)
		if len(r.Files) != 1 || len(r.Facts) > 0 {
			t.Errorf("%s: %v %v", f.typ, r.Files, r.Facts)
		}
		r = childtest.One(t, pictures{}, "x", f.typ, append(f.body[:len(f.body):len(f.body)], "PK\x03\x04 and more"...))
		if len(r.Files) != 2 || r.Files[1].Size != 13 || !childtest.Has(r, inspect.TrailingData, "13 bytes") {
			t.Errorf("%s: %v %v", f.typ, r.Files, r.Facts)
		}
	}
}

// A picture that claims more than the budget is not decoded, whatever claims it.
func TestPixels(t *testing.T) {
	ihdr := func(w, h uint32, depth, kind byte) []byte {
		d := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(d, depth, kind, 0, 0, 0))...)
	}
	vp8x := []byte("RIFF\x30\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x10\x00\x00" + "VP8L\x0e\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	jpg := imagetest.JPEG(t, image.NewRGBA(image.Rect(0, 0, 16, 16)), 80)
	sof := bytes.Index(jpg, []byte{0xFF, 0xC0})
	large := bytes.Clone(jpg)
	copy(large[sof+5:], "\x7f\xff\x7f\xff")
	progressive := bytes.Clone(jpg)
	progressive[sof+1] = 0xC2
	copy(progressive[sof+5:], "\x17\x70\x17\x70") // 36 million pixels: too many coefficients
	for name, f := range map[string]struct {
		typ  inspect.Type
		body []byte
	}{
		"png":              {inspect.PNG, ihdr(100_000, 100_000, 8, 2)},
		"png of 16 bits":   {inspect.PNG, ihdr(6000, 6000, 16, 6)},
		"webp in disguise": {inspect.WebP, vp8x},
		"jpeg":             {inspect.JPEG, large},
		"jpeg progressive": {inspect.JPEG, progressive},
		"bmp":              {inspect.BMP, append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\x00\x00\xff\xff\x00\x00\x01\x00\x18\x00"), make([]byte, 60)...)},
	} {
		r := childtest.One(t, pictures{}, "x", f.typ, f.body)
		if !r.Exhausted.Has(inspect.LimitPixels) || len(r.Images) != 1 || r.Images[0].PHash != 0 {
			t.Errorf("%s: %v %v %v", name, r.Exhausted, r.Images, r.Facts)
		}
	}
}

// Broken files are facts, and what was known stands.
func TestDamaged(t *testing.T) {
	m := imagetest.PNG(t, imagetest.Photo(60, 60, 1))
	for name, b := range map[string][]byte{"cut": m[:len(m)/2], "no header": m[:20], "nothing": []byte("x")} {
		r := childtest.One(t, pictures{}, "x", inspect.PNG, b)
		if !childtest.Has(r, inspect.Damaged, "image: ") {
			t.Errorf("%s: %v", name, r.Facts)
		}
	}
}

// Pieces of a code in several images, as a table shows them.
func TestSplit(t *testing.T) {
	m := imagetest.Paint(imagetest.Must(t, site, qr.Medium), imagetest.Look{Module: 5})
	w := m.Bounds().Dx()
	cut := func(r image.Rectangle) inspect.Input {
		return inspect.Input{DeclaredType: "png", Body: imagetest.PNG(t, m.SubImage(r))}
	}
	other := inspect.Input{DeclaredType: "png", Body: imagetest.PNG(t, imagetest.Photo(90, 70, 3))}
	wide := inspect.Input{DeclaredType: "png", Body: imagetest.PNG(t, imagetest.Photo(w, 70, 3))}
	h := w / 2
	left, right := cut(image.Rect(0, 0, h, w)), cut(image.Rect(h, 0, w, w))
	top, bottom := cut(image.Rect(0, 0, w, h)), cut(image.Rect(0, h, w, w))
	var quarters, thirds []inspect.Input
	for i := range 4 {
		x, y := i%2*h, i/2*h
		quarters = append(quarters, cut(image.Rect(x, y, x+h+i%2*(w-2*h), y+h+i/2*(w-2*h))))
	}
	for i := range 3 {
		thirds = append(thirds, cut(image.Rect(0, i*w/3, w, (i+1)*w/3)))
	}
	for name, in := range map[string][]inspect.Input{
		"left and right":       {left, right},
		"right before left":    {right, left},
		"top and bottom":       {top, bottom},
		"quarters":             quarters,
		"thirds":               thirds,
		"behind another":       {other, top, bottom},
		"below a wide picture": {wide, top, bottom},
		"between":              {other, left, right, other},
	} {
		r := childtest.Run(t, child.Config{Decoders: Decoders()}, &inspect.Request{Inputs: in})
		if got := codes(r); len(got) != 1 || got[0] != site || !childtest.Has(r, inspect.CodeSplit, site) {
			t.Errorf("%s: %v %v", name, got, r.Facts)
		}
	}
	// Whole codes beside each other are not split.
	whole := func(s string) inspect.Input {
		return inspect.Input{DeclaredType: "png", Body: imagetest.PNG(t, imagetest.Paint(imagetest.Must(t, s, qr.Medium), imagetest.Look{}))}
	}
	r := childtest.Run(t, child.Config{Decoders: Decoders()}, &inspect.Request{Inputs: []inspect.Input{whole(site), whole("https://b.example/"), whole(site + "b")}})
	if len(codes(r)) != 3 || len(r.Facts) > 0 {
		t.Errorf("%v %v", codes(r), r.Facts)
	}
}

// TestQuiet: pictures without a code state none.
func TestQuiet(t *testing.T) {
	size := 800
	if testing.Short() {
		size = 300
	}
	for seed := range uint64(4) {
		r := childtest.One(t, pictures{}, "x", inspect.JPEG, imagetest.JPEG(t, imagetest.Photo(size, size*3/4, seed), 80))
		if len(r.Facts) > 0 || len(codes(r)) > 0 {
			t.Errorf("photo %d: %v %v", seed, r.Facts, codes(r))
		}
	}
}

func TestPayload(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example/x":            "code https://a.example/x",
		"HTTP://A.EXAMPLE/X":             "code HTTP://A.EXAMPLE/X",
		"a.example/x?y=1":                "code http://a.example/x?y=1",
		"www.a.example":                  "code http://www.a.example",
		"URLTO:title:https://a.example/": "code https://a.example/",
		"URLTO:ȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺȺ:https://a.example/": "code https://a.example/",
		`MEBKM:URL:http\://a.example/;;`:       "code http://a.example/",
		"some words. and more":                 "",
		"12.50":                                "",
		"user@a.example":                       "",
		"upi://pay?pa=x@y":                     "code upi://pay?pa=x@y CODE_PAYMENT upi",
		"bitcoin:1abc?amount=1":                "code bitcoin:1abc?amount=1 CODE_PAYMENT bitcoin",
		"BCD\n001\n1\nSCT":                     " CODE_PAYMENT bcd",
		"WIFI:T:WPA;S:Free Cafe;P:x;;":         " CODE_NETWORK Free Cafe",
		"otpauth://totp/x?secret=A":            "code otpauth://totp/x?secret=A CODE_LOGIN otpauth",
		"mailto:a@b.example":                   "code mailto:a@b.example CODE_CONTACT mailto",
		"BEGIN:VCARD\nURL:https://v.example/1": "code https://v.example/1 CODE_CONTACT begin:vcard",
	} {
		c, err := qr.Encode(text, qr.Low)
		if err != nil {
			t.Fatal(err)
		}
		r := childtest.One(t, pictures{}, "x", inspect.PNG, imagetest.PNG(t, imagetest.Paint(c, imagetest.Look{})))
		got := ""
		for _, l := range r.Links {
			got += string(l.Via) + " " + l.URL
		}
		for _, f := range r.Facts {
			got += " " + string(f.Kind) + " " + f.Detail
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestPhotographs reads the pictures that gozxing brings along, taken by cameras:
// how many of a folder hold a code that is read. Pictures of other codes are here to
// be mistaken.
func TestPhotographs(t *testing.T) {
	if testing.Short() {
		t.Skip("180 photographs")
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/makiuchi-d/gozxing").Output()
	if err != nil {
		t.Skip("the module's folder is not at hand")
	}
	dir := strings.TrimSpace(string(out))
	for _, f := range []struct {
		folder       string
		least, total int
	}{{"qrcode/testdata/qrcode-1", 19, 20}, {"qrcode/testdata/qrcode-6", 15, 15}, {"multi/qrcode/testdata", 2, 2}, {"aztec/testdata/aztec-1", 12, 14},
		{"oned/testdata/code128", 0, 42}, {"oned/testdata/ean13", 0, 35}, {"oned/rss/testdata", 0, 30}} {
		files, err := os.ReadDir(filepath.Join(dir, f.folder))
		if err != nil {
			t.Skip(err)
		}
		n, read := 0, 0
		for _, e := range files {
			typ, ok := map[string]inspect.Type{".png": inspect.PNG, ".jpg": inspect.JPEG}[filepath.Ext(e.Name())]
			if !ok {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, f.folder, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			n++
			r := childtest.One(t, pictures{}, "x", typ, b)
			if len(codes(r)) > 0 {
				read++
			}
			if f.least == 0 && (len(codes(r)) > 0 || childtest.Has(r, inspect.CodeUnread, "")) {
				t.Errorf("%s/%s: %v %v", f.folder, e.Name(), codes(r), r.Facts)
			}
		}
		t.Logf("%-26s %2d of %2d", f.folder, read, n)
		if n != f.total || read < f.least {
			t.Errorf("%s: %d of %d read, want %d of %d", f.folder, read, n, f.least, f.total)
		}
	}
}

func FuzzImage(f *testing.F) {
	m := imagetest.Paint(imagetest.Must(f, "a", qr.Low), imagetest.Look{Module: 1})
	types := []inspect.Type{inspect.PNG, inspect.JPEG, inspect.GIF, inspect.BMP, inspect.TIFF, inspect.WebP}
	var g, b, tf bytes.Buffer
	if gif.Encode(&g, m, nil) != nil || bmp.Encode(&b, m) != nil || tiff.Encode(&tf, m, nil) != nil {
		f.Fatal("a seed can't be made")
	}
	f.Add(byte(5), []byte("RIFF\x00\x00\x00\x00WEBP")) // a size that leaves no room for the header
	for i, s := range [][]byte{imagetest.PNG(f, m), imagetest.JPEG(f, m, 50), g.Bytes(), b.Bytes(), tf.Bytes(),
		[]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0e\x00\x00\x00\x2f\x00\x00\x00\x00\x07\x10\xfd\x8f\xfe\x07\x22\xa2\xff\x01\x00")} {
		f.Add(byte(i), s)
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		childtest.Bytes(t, pictures{}, types[int(kind)%len(types)], body)
	})
}

func BenchmarkImage(b *testing.B) {
	logo := imagetest.Paint(imagetest.Must(b, site, qr.Medium), imagetest.Look{})
	small := imagetest.Photo(300, 100, 5)
	screen := image.NewRGBA(image.Rect(0, 0, 1000, 1400))
	draw.Draw(screen, screen.Bounds(), image.White, image.Point{}, draw.Src)
	for y := 40; y < 1300; y += 16 {
		for x := 60; x < 900; x++ {
			if (x*7+y*13)%11 < 5 && x/5%7 < 5 {
				draw.Draw(screen, image.Rect(x, y, x+2, y+9), image.Black, image.Point{}, draw.Src)
			}
		}
	}
	for _, c := range []struct {
		name string
		typ  inspect.Type
		body []byte
	}{
		{"logo 300x100 png", inspect.PNG, imagetest.PNG(b, small)},
		{"photo 800x600 jpeg", inspect.JPEG, imagetest.JPEG(b, imagetest.Photo(800, 600, 1), 80)},
		{"photo 1600x1200 jpeg", inspect.JPEG, imagetest.JPEG(b, imagetest.Photo(1600, 1200, 1), 80)},
		{"page of text 1000x1400 png", inspect.PNG, imagetest.PNG(b, screen)},
		{"code 148x148 png", inspect.PNG, imagetest.PNG(b, logo)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			began := cpu()
			defer func() { b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "cpu-µs/op") }()
			for b.Loop() {
				r := childtest.One(b, pictures{}, "x", c.typ, c.body)
				if len(r.Images) != 1 {
					b.Fatal(r.Facts)
				}
			}
		})
	}
}

// BenchmarkDecode is what decoding alone costs, to compare.
func BenchmarkDecode(b *testing.B) {
	body := imagetest.JPEG(b, imagetest.Photo(1600, 1200, 1), 80)
	for b.Loop() {
		h, err := readHeader(inspect.JPEG, body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := h.decode(0, body, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
