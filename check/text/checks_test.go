package text_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sluice"
	"sluice/check/checktest"
	"sluice/check/text"
)

// gtube is written in two halves, so that no filter stops at this file.
var gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

func TestGTUBE(t *testing.T) {
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"in the text", checktest.Mail("", "Hello\n"+gtube+"\n"), "GTUBE"},
		{"in the subject", checktest.Mail("Subject: "+gtube, "Hello\n"), "GTUBE"},
		{"in base64", checktest.Mail("Content-Transfer-Encoding: base64", base64.StdEncoding.EncodeToString([]byte(gtube))), "GTUBE"},
		{"in HTML", checktest.Mail("Content-Type: text/html", "<b>"+gtube[:20]+"</b>"+gtube[20:]), "GTUBE"},
		{"the name alone", checktest.Mail("", "GTUBE-STANDARD\n"), ""},
		{"in small letters", checktest.Mail("", strings.ToLower(gtube)+"\n"), ""},
	})
	ev := checktest.Run(t, text.Checks(), checktest.Input(checktest.Mail("", gtube)))
	if len(ev) != 1 || ev[0].Hard != sluice.HardStop || ev[0].Threat != sluice.ThreatSpam {
		t.Errorf("GTUBE must be a hard stop for spam: %+v", ev)
	}
}

func TestDisguise(t *testing.T) {
	utf8 := func(s string) string { return checktest.Mail("Content-Type: text/plain; charset=utf-8", s+"\n") }
	html := func(s string) string { return checktest.Mail("Content-Type: text/html; charset=utf-8", s) }
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"plain", utf8("Please see the minutes."), ""},
		{"invisible", utf8("ve\u200brify your ac\u200bcou\u200bnt"), "TEXT_INVISIBLE"},
		{"one by copying", utf8("see foo\u200bbar"), ""},
		{"mixed scripts", utf8("v\u0435rify your p\u0430ssword"), "TEXT_MIXED_SCRIPT"},
		{"one mixed word", utf8("the variable \u0441orrect"), ""},
		{"styled", utf8("𝐏𝐚𝐲 𝐲𝐨𝐮𝐫 𝐛𝐢𝐥𝐥"), "TEXT_STYLED"},
		{"tags", utf8("hello\U000e0041\U000e0042"), "TEXT_TAG_CHARACTERS"},
		{"letters apart", utf8("v i a g r a, c-i-a-l-i-s and p.i.l.l.s"), "TEXT_SPACED_LETTERS"},
		{"a heading", utf8("C O N T E N T S\n\nN E W S of the day"), ""},
		{"initials", utf8("J. R. R. of the U.S.A., e.g. at 9 a.m., or i.e. p.m."), ""},
		{"spelled letters", html("<p>v&#105;agr&#97; and c&#x69;al&#x69;s, p&#105;&#108;ls, c&#97;s&#105;no</p>"), "TEXT_SPELLED_LETTERS"},
		{"a spelled link", html("<a href='https://x.example/?to=&#37;&#50;&#69;&#37;&#55;&#54;&#37;&#54;&#52;&#37;&#51;&#49;'>go</a>"), "TEXT_SPELLED_LETTERS"},
		{"an address kept from harvesters", html("<a href='&#109;&#97;&#105;&#108;&#116;&#111;&#58;a&#110;n&#64;g&#97;r&#100;&#101;n.example'>write</a>"), ""},
		{"a whole label", html("<p>&#87;&#114;&#105;&#116;&#101;&#32;&#116;&#111;&#32;&#117;&#115;</p>"), ""},
		{"accents", html("<p>caf&#233;, na&#239;ve, Z&#252;rich, &#8220;gar&#231;on&#8221;, d&#233;j&#224; vu, &#338;uvre</p>"), ""},
		{"Russian", utf8("Добрый день, коллеги! Прошу прочитать протокол."), ""},
	})
}

func TestHidden(t *testing.T) {
	prose := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "word%c%c ", 'a'+i%26, 'a'+i/26)
		}
		return b.String()
	}
	html := func(s string) string { return checktest.Mail("Content-Type: text/html; charset=utf-8", s) }
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"nothing hidden", html("<p>" + prose(200) + "</p>"), ""},
		{"preheader", html(`<div style="display:none">` + prose(20) + `</div><p>Hello</p>`), ""},
		{"prose", html(`<div style="display:none">` + prose(200) + `</div><p>Buy now</p>`), "TEXT_HIDDEN"},
		{"the same for small screens", html(`<div style="display:none">` + prose(200) + `</div><p>` + prose(200) + `</p>`), ""},
		{"little beside much", html(`<div style="display:none">` + prose(100) + `</div><p>` + strings.Repeat("other words ", 200) + `</p>`), ""},
		{"padding", html(`<div style="display:none">` + strings.Repeat("a b ", 500) + `</div><p>Hello</p>`), ""},
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"1,000,000.00 mill $", "$ 1 million", "+1 (808) 555-0142 call invoice cancel", "1Boat bc1q", "p\u0430y\u200bpal", "1,000,", "808 555 014", "\xff\u0130\ufb03"} {
		f.Add(s)
	}
	checks := text.Checks()
	f.Fuzz(func(t *testing.T, s string) {
		checktest.Run(t, checks, checktest.Input(checktest.Mail("Content-Type: text/plain; charset=utf-8", s)))
	})
}
