package image

import (
	"bytes"
	"encoding/binary"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/image/imagetest"
	"sluice/internal/qr"
)

// TestBombs: files that want much work end within bounds, and say so. The figures are
// of processor time.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("much work")
	}
	large := imagetest.PNG(t, image.NewGray(image.Rect(0, 0, 6000, 6000)))
	frames := []byte("GIF89a\x40\x00\x40\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	for range 100_000 {
		frames = append(frames, ",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"...)
	}
	frames = append(frames, ';')
	jpg := imagetest.JPEG(t, image.NewGray(image.Rect(0, 0, 3000, 3000)), 50)
	jpg[bytes.Index(jpg, []byte{0xFF, 0xC0})+1] = 0xC2
	sos := bytes.Index(jpg, []byte{0xFF, 0xDA})
	scans := bytes.Clone(jpg[:sos])
	for range 5000 {
		scans = append(scans, "\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00\x00"...) // a first pass over DC, without data
	}
	var chunks []byte
	for range 50_000 {
		chunks = append(chunks, "\x00\x00\x00\x00tEXt\x00\x00\x00\x00"...)
	}
	small := imagetest.PNG(t, image.NewGray(image.Rect(0, 0, 30, 30)))
	cells := "<table>" + strings.Repeat("<tr>"+strings.Repeat("<td bgcolor=#000 rowspan=999 colspan=999>", 300), 300)
	tables := strings.Repeat("<table>"+strings.Repeat("<tr>"+strings.Repeat("<td bgcolor=black><td>", 15), 30)+"</table>", 300)
	for _, f := range []struct {
		name string
		typ  inspect.Type
		body []byte
	}{
		{"36 million pixels", inspect.PNG, large},
		{"100,000 frames", inspect.GIF, frames},
		{"5,000 scans", inspect.JPEG, scans},
		{"50,000 chunks", inspect.PNG, append(append(small[:33:33], chunks...), small[33:]...)},
		{"opening tags", inspect.HTML, []byte(strings.Repeat("<div style=color:red>", 100_000))},
		{"cells with spans", inspect.HTML, []byte(cells)},
		{"tables", inspect.HTML, []byte(tables)},
		{"lines of blocks", inspect.PlainText, []byte(strings.Repeat(strings.Repeat("▀▄█ ", 90)+"\n", 5000))},
		{"stars", inspect.PlainText, []byte(strings.Repeat("* ** * *** ** * ** *\n", 100_000))},
		{"rules", inspect.HTML, []byte("<style>" + strings.Repeat(".a,.b,#c{background:#111}", 10_000) + "</style>" + strings.Repeat("<b class='a b c d e f g h i'>", 50_000))},
	} {
		began := cpu()
		r := childtest.Run(t, bothDecoders, &inspect.Request{Inputs: []inspect.Input{{DeclaredType: string(f.typ), Body: f.body}}, Budget: inspect.Budget{Time: 20 * time.Second}})
		took := cpu() - began
		t.Logf("%-18s %8d bytes %6d ms, %s", f.name, len(f.body), took.Milliseconds(), r.Exhausted)
		if took > 15*time.Second {
			t.Errorf("%s took %v", f.name, took)
		}
		for _, x := range r.Facts {
			if x.Kind == inspect.DecoderPanic {
				t.Errorf("%s: %s", f.name, x.Detail)
			}
		}
	}
}

// WebP can't be written here: pictures of golang.org/x/image are read, and one of them
// as the frame of an animation.
func TestWebP(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/image").Output()
	if err != nil {
		t.Skip("the module's folder is not at hand")
	}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "testdata", "*.webp"))
	if len(files) == 0 {
		t.Skip("the module comes without its pictures")
	}
	animated := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := childtest.One(t, pictures{}, "x", inspect.WebP, b)
		if len(r.Images) != 1 || r.Images[0].PHash == 0 || len(r.Facts) > 0 {
			t.Errorf("%s: %v %v", filepath.Base(name), r.Images, r.Facts)
			continue
		}
		first := b[12:]
		if id := string(first[:4]); id != "VP8 " && id != "VP8L" {
			continue
		}
		animated++
		frame := append(make([]byte, 16), first...)
		head := make([]byte, 10)
		head[0] = 2
		head[4], head[7] = 255, 255
		var a []byte
		for _, c := range []struct {
			id   string
			data []byte
		}{{"VP8X", head}, {"ANIM", make([]byte, 6)}, {"ANMF", frame}, {"ANMF", frame}} {
			a = binary.LittleEndian.AppendUint32(append(a, c.id...), uint32(len(c.data)))
			a = append(a, c.data...)
			if len(c.data)%2 == 1 {
				a = append(a, 0)
			}
		}
		a = append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(a)+4)), "WEBP"...), a...)
		moving := childtest.One(t, pictures{}, "x", inspect.WebP, a)
		if len(moving.Images) != 1 || moving.Images[0].PHash != r.Images[0].PHash || !childtest.Has(moving, inspect.ImageAnimated, "2 frames") {
			t.Errorf("%s as an animation: %v %v", filepath.Base(name), moving.Images, moving.Facts)
		}
	}
	if animated == 0 {
		t.Error("none could be a frame")
	}
}

// A code whose parts the header lies about, cut short, is damaged and no more.
func TestCut(t *testing.T) {
	b := imagetest.PNG(t, imagetest.Paint(imagetest.Must(t, site, qr.Low), imagetest.Look{}))
	for i := 0; i < len(b); i += 7 {
		childtest.Bytes(t, pictures{}, inspect.PNG, b[:i])
	}
}
