package image

import (
	"fmt"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/image/imagetest"
	"sluice/internal/qr"
)

// pairs draws two rows with one line of characters: both light, upper dark, lower
// dark, both dark.
func pairs(c *qr.Code, quiet int, signs [4]string, end string) string {
	var b strings.Builder
	for y := -quiet; y < c.Size+quiet; y += 2 {
		for x := -quiet; x < c.Size+quiet; x++ {
			i := 0
			if c.Dark(x, y) {
				i |= 1
			}
			if c.Dark(x, y+1) {
				i |= 2
			}
			b.WriteString(signs[i])
		}
		b.WriteString(end)
	}
	return b.String()
}

// single draws a row with a line.
func single(c *qr.Code, quiet int, light, dark, end string) string {
	var b strings.Builder
	for y := -quiet; y < c.Size+quiet; y++ {
		for x := -quiet; x < c.Size+quiet; x++ {
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

func braille(c *qr.Code) string {
	var b strings.Builder
	for y := -2; y < c.Size+2; y += 4 {
		for x := -2; x < c.Size+2; x += 2 {
			r := rune(0x2800)
			for i, at := range [8][2]int{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
				if c.Dark(x+at[0], y+at[1]) {
					r |= 1 << i
				}
			}
			b.WriteRune(r)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func quarters(c *qr.Code) string {
	signs := []rune(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")
	var b strings.Builder
	for y := -2; y < c.Size+2; y += 2 {
		for x := -2; x < c.Size+2; x += 2 {
			i := 0
			for k := range 4 {
				if c.Dark(x+k%2, y+k/2) {
					i |= 1 << k
				}
			}
			b.WriteRune(signs[i])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cells(c *qr.Code, dark, light string) string {
	var b strings.Builder
	b.WriteString("<table cellspacing=0 cellpadding=0>")
	for y := -1; y < c.Size+1; y++ {
		b.WriteString("<tr>")
		for x := -1; x < c.Size+1; x++ {
			if c.Dark(x, y) {
				b.WriteString("<td " + dark + "></td>")
			} else {
				b.WriteString("<td " + light + "></td>")
			}
		}
		b.WriteString("</tr>")
	}
	return b.String() + "</table>"
}

// spans draws runs of cells of one colour as one, with a span or a width.
func spans(c *qr.Code, format string) string {
	var b strings.Builder
	b.WriteString("<table>")
	for y := -1; y < c.Size+1; y++ {
		b.WriteString("<tr>")
		for x := -1; x < c.Size+1; {
			n := 1
			for x+n < c.Size+1 && c.Dark(x+n, y) == c.Dark(x, y) {
				n++
			}
			colour := "#ffffff"
			if c.Dark(x, y) {
				colour = "#112233"
			}
			fmt.Fprintf(&b, format, n, colour)
			x += n
		}
		b.WriteString("</tr>")
	}
	return b.String() + "</table>"
}

func boxesOf(c *qr.Code, open, dark, light, end string) string {
	return single(c, 1, light, dark, end+open)
}

// TestDrawn is the table of drawings that are read.
func TestDrawn(t *testing.T) {
	const pre, post = "<html><body><p>Dear customer, please scan this:</p><pre>", "</pre><p>Thank you very much indeed</p></body></html>"
	long := site + strings.Repeat("x1Y2", 8)
	for _, url := range []string{site, long} {
		c := imagetest.Must(t, url, qr.Medium)
		half := pairs(c, 2, [4]string{" ", "▀", "▄", "█"}, "\n")
		around := func(s string) string {
			return "Dear customer,\n\nplease scan this code with your phone:\n\n" + s + "\n\nThank you\nThe team\n"
		}
		td := `bgcolor="#000000" width=5 height=5`
		lt := `bgcolor="#ffffff" width=5 height=5`
		for _, f := range []struct {
			name string
			typ  inspect.Type
			body string
			with string
		}{
			{"half blocks", inspect.PlainText, around(half), "characters"},
			{"half blocks, crlf", inspect.PlainText, strings.ReplaceAll(around(half), "\n", "\r\n"), "characters"},
			{"half blocks, inverted", inspect.PlainText, around(pairs(c, 2, [4]string{"█", "▄", "▀", " "}, "\n")), "characters, inverted"},
			{"half blocks, no margin", inspect.PlainText, around(pairs(c, 0, [4]string{" ", "▀", "▄", "█"}, "\n")), "characters"},
			{"full blocks", inspect.PlainText, around(single(c, 2, "  ", "██", "\n")), "characters"},
			{"full blocks, spaced", inspect.PlainText, around(single(c, 2, "  ", "██", "\n\n")), "characters"},
			{"hashes", inspect.PlainText, around(single(c, 2, "  ", "##", "\n")), "characters"},
			{"one hash a module", inspect.PlainText, around(single(c, 2, " ", "#", "\n")), "characters"},
			{"ones and zeros", inspect.PlainText, around(single(c, 2, "00", "11", "\n")), "characters, inverted"}, // a 0 has more ink
			{"at and dot", inspect.PlainText, around(single(c, 2, "..", "@@", "\n")), "characters"},
			{"letters", inspect.PlainText, around(single(c, 2, "..", "XX", "\n")), "characters"},
			{"shades", inspect.PlainText, around(single(c, 2, "░░", "▓▓", "\n")), "characters"},
			{"squares", inspect.PlainText, around(single(c, 2, "⬜", "⬛", "\n")), "characters"},
			{"coloured squares", inspect.PlainText, around(single(c, 2, "⬜", "🟥", "\n")), "characters"},
			{"quarters", inspect.PlainText, around(quarters(c)), "characters"},
			{"braille", inspect.PlainText, around(braille(c)), "characters"},
			{"pre", inspect.HTML, pre + half + post, "characters"},
			{"lines and entities", inspect.HTML, "<p>Scan</p><div style='font-family:monospace'>" + pairs(c, 2, [4]string{"&nbsp;", "&#9600;", "&#9604;", "&#x2588;"}, "<br>") + "</div>", "characters"},
			{"colours of blocks", inspect.HTML, "<div>" + single(c, 2, "<b style='color:white'>██</b>", "<b style='color:#000080'>██</b>", "<br>") + "</div>", "characters"},
			{"transparent blocks", inspect.HTML, "<div>" + single(c, 2, "<span style='color: rgba(0,0,0,0)'>█</span>", "<span>█</span>", "<br>") + "</div>", "characters"},
			{"ground of spaces", inspect.HTML, "<pre>" + single(c, 2, "<i class=l>  </i>", "<i class=d>  </i>", "\n") + "</pre><style>.d{background:#000}</style>", "characters"},
			{"cells", inspect.HTML, "<p>Scan</p>" + cells(c, td, lt), "table cells"},
			{"cells in a table", inspect.HTML, "<table><tr><td>Words here</td></tr><tr><td>" + cells(c, td, lt) + "</td></tr></table>", "table cells"},
			{"cells, inverted", inspect.HTML, cells(c, lt, td), "table cells, inverted"},
			{"cells by style", inspect.HTML, cells(c, `style="background-color:rgb(20, 20, 90);width:4px"`, `style="width:4px"`), "table cells"},
			{"cells by class", inspect.HTML, "<style type=text/css>td.a , .x{background:navy}</style>" + cells(c, "class=a", "class=b"), "table cells"},
			{"cells with spans", inspect.HTML, spans(c, `<td colspan="%d" bgcolor="%s"></td>`), "table cells"},
			{"cells with widths", inspect.HTML, spans(c, `<td style="width:%d0px;height:10px;background:%s"></td>`), "table cells"},
			{"pale cells", inspect.HTML, cells(c, `bgcolor="#dddddd"`, `bgcolor="#f4f4f4"`), "table cells, pale"},
			{"inline boxes", inspect.HTML, "<div>" + boxesOf(c, "<div>", "<span style='display:inline-block;width:4px;height:4px;background:#000'></span>", "<span style='display:inline-block;width:4px;height:4px;background:#fff'></span>", "</div>"), "boxes"},
			{"floating boxes", inspect.HTML, "<div>" + boxesOf(c, "<div>", "<div class=k style='background:#000'></div>", "<div class=k style='background:#fff'></div>", "</div>") + "<style>.k{float:left;width:4px;height:4px}</style>", "boxes"},
		} {
			r := childtest.One(t, drawings{}, "x", f.typ, []byte(f.body))
			got := codes(r)
			if len(got) != 1 || got[0] != url {
				t.Errorf("%s (%d modules): %v", f.name, c.Size, got)
				continue
			}
			if want := "qr, drawn with " + f.with + ": " + url; !childtest.Has(r, inspect.CodeDrawn, want) || len(r.Links) != 1 {
				t.Errorf("%s: %v %v, want %s", f.name, r.Facts, r.Links, want)
			}
		}
	}
}

// Honest texts and tables draw nothing.
func TestDrawnNothing(t *testing.T) {
	var words, tbl, rules strings.Builder
	for i := range 400 {
		fmt.Fprintf(&words, "> line %d of a message about the meeting on Tuesday\n", i)
		fmt.Fprintf(&tbl, "<tr bgcolor=%s>", []string{"white", "#eee"}[i%2])
		for j := range 30 {
			fmt.Fprintf(&tbl, "<td bgcolor=%s>%d</td>", []string{"#ffffff", "#ffe0e0", "#000"}[(i*j+i)%3], i*j)
		}
		tbl.WriteString("</tr>")
		rules.WriteString("+-----+------+---+\n|  1  |  22  | 3 |\n")
	}
	for _, f := range []struct {
		typ  inspect.Type
		body string
	}{{inspect.PlainText, words.String()}, {inspect.PlainText, rules.String()}, {inspect.HTML, "<table>" + tbl.String() + "</table>"},
		{inspect.HTML, "<pre>" + words.String() + rules.String() + "</pre>"}} {
		if r := childtest.One(t, drawings{}, "x", f.typ, []byte(f.body)); len(r.Facts) > 0 || len(r.Images) > 0 {
			t.Errorf("%.40q: %v", f.body, r.Facts)
		}
	}
}

func FuzzDrawn(f *testing.F) {
	c := imagetest.Must(f, "a", qr.Low)
	f.Add(true, []byte(pairs(c, 1, [4]string{" ", "▀", "▄", "█"}, "\n")))
	f.Add(false, []byte(cells(c, "bgcolor=#000", "style='background:#fff;width:3px'")))
	f.Add(false, []byte("<style>.a,b c{background:rgb(1 2 3/50%);float:left}</style><div class=a style='width:5px'></div><br><pre>██\n"+braille(c)))
	f.Add(false, []byte(spans(c, `<td colspan="%d" rowspan=9 bgcolor="%s">`)))
	f.Fuzz(func(t *testing.T, text bool, body []byte) {
		typ := inspect.HTML
		if text {
			typ = inspect.PlainText
		}
		childtest.Bytes(t, drawings{}, typ, body)
	})
}

func BenchmarkDrawn(b *testing.B) {
	var words, page strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&words, "line %d of a message about the meeting on Tuesday, and the minutes\n", i)
		fmt.Fprintf(&page, "<tr><td style=\"padding:4px;background:#f%df\" width=100><p>row %d</p></td><td>the <b>meeting</b> on Tuesday</td></tr>\n", i%10, i)
	}
	for _, c := range []struct {
		name string
		typ  inspect.Type
		body string
	}{{"text", inspect.PlainText, words.String()}, {"html", inspect.HTML, "<table>" + page.String() + "</table>"}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				childtest.One(b, drawings{}, "x", c.typ, []byte(c.body))
			}
		})
	}
}
