package qr

import (
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// Another implementation reads every version and level.
func TestEncode(t *testing.T) {
	for l := Low; l <= High; l++ {
		for n := 1; n <= 100; n += 9 {
			text := strings.Repeat("https://example.com/?", 10)[:n]
			c, err := Encode(text, l)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := gozxing.NewSquareBitMatrix(c.Size)
			for y := range c.Size {
				for x := range c.Size {
					if c.Dark(x, y) {
						m.Set(x, y)
					}
				}
			}
			r, err := decoder.NewDecoder().Decode(m, nil)
			if err != nil || r.GetText() != text {
				t.Fatalf("level %d, %d bytes, size %d: %v %v", l, n, c.Size, r, err)
			}
		}
	}
	if _, err := Encode(strings.Repeat("x", 300), Low); err == nil {
		t.Fatal("a text that is too long was taken")
	}
}
