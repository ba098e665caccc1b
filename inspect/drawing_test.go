package inspect_test

import (
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/internal/qr"
)

func TestMayDraw(t *testing.T) {
	c, err := qr.Encode("https://a.example/", qr.Low)
	if err != nil {
		t.Fatal(err)
	}
	draw := func(light, dark, end string) string {
		var b strings.Builder
		for y := range c.Size {
			for x := range c.Size {
				if c.Dark(x, y) {
					b.WriteString(dark)
				} else {
					b.WriteString(light)
				}
			}
			b.WriteString(end)
		}
		return b.String()
	}
	words := strings.Repeat("> and so we met on Tuesday, and spoke\n", 50)
	for _, tt := range []struct {
		typ, body string
		want      bool
	}{
		{"text/plain", words, false},
		{"text/plain", strings.Repeat("----------------------------\n", 50), false},
		{"text/plain", strings.Repeat("| a | 12 | b |\n", 50), false},
		{"text/plain", "", false},
		{"text/plain", words + draw("  ", "##", "\n") + words, true},
		{"text/plain", words + draw("0", "1", "\r\n\r\n"), true},
		{"text/plain", words + draw("  ", "██", "\n"), true},
		{"text/plain", words + draw("⬜", "⬛", "\n"), true},
		{"text/html", "<p>" + words, false},
		{"text/html", "<table>" + draw("<td></td>", "<td class=d></td>", "<tr>"), true},
		{"text/html", "<pre>\n" + draw("..", "@@", "\n"), true},
		{"text/html", draw("&nbsp;", "&#9608;", "<br>"), true},
		{"text/html", strings.Repeat("<table><tr><td style='padding:4px'>words</td><td></td></tr></table>", 40), false},
	} {
		if got := inspect.MayDraw(tt.typ, []byte(tt.body)); got != tt.want {
			t.Errorf("%s %.60q: %v", tt.typ, tt.body, got)
		}
	}
}

func BenchmarkMayDraw(b *testing.B) {
	text := []byte(strings.Repeat("> and so we met on Tuesday, and spoke of it\n", 2000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if inspect.MayDraw("text/plain", text) {
			b.Fatal("words draw")
		}
	}
}

func FuzzMayDraw(f *testing.F) {
	f.Add(true, []byte("<td></td><td>&nbsp;</td><pre>##  ##"))
	f.Add(false, []byte("##  ##\r\n\r\n██  ██"))
	f.Fuzz(func(t *testing.T, page bool, body []byte) {
		typ := "text/plain"
		if page {
			typ = "text/html"
		}
		if inspect.MayDraw(typ, body) && len(body) < minDrawing {
			t.Fatal("so few octets draw nothing")
		}
	})
}

// minDrawing is less than any drawing takes.
const minDrawing = 80
