package rtf_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/cfb/cfbtest"
	"sluice/inspect/child/document/documenttest"
	"sluice/inspect/child/document/rtf"
)

var le = binary.LittleEndian

// ole1 is an object of OLE 1 in hex.
func ole1(class, content string) string {
	b := le.AppendUint32(le.AppendUint32(nil, 0x501), 2)
	for _, s := range []string{class + "\x00", "", ""} {
		b = append(le.AppendUint32(b, uint32(len(s))), s...)
	}
	b = append(le.AppendUint32(b, uint32(len(content))), content...)
	return hex.EncodeToString(b)
}

func pack(name, content string) string {
	b := append(le.AppendUint16(nil, 2), name+"\x00C:\\"+name+"\x00\x00\x00\x03\x00"...)
	b = append(le.AppendUint32(b, uint32(len(name)+4)), "C:\\"+name+"\x00"...)
	return string(append(le.AppendUint32(b, uint32(len(content))), content...))
}

func object(words, data string) string {
	return `{\rtf1\ansi Dear reader {\object\objemb` + words + `{\*\objdata ` + data + `}{\result x}}}`
}

func TestCarriersAndTwins(t *testing.T) {
	box := string(cfbtest.Build(map[string]string{"Equation Native": "x"}))
	bill := ole1("Package", pack("bill.js", "WScript.Echo(1)"))
	documenttest.Run(t, rtf.Decoder{}, []documenttest.Case{
		{Name: "letter", Type: "rtf", Body: `{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\*\generator Riched20;}\f0 Dear \b reader\b0,\par hello {\field{\*\fldinst PAGE}{\fldrslt 7}}}`, Clean: true},
		{Name: "package", Type: "rtf", Body: object("", bill), Want: []string{"EMBEDDED_OBJECT Package", "EMBEDDED_OBJECT bill.js", "file bill.js js 15"}},
		{Name: "data in lines", Type: "rtf", Body: object("", bill[:40]+"\r\n"+bill[40:80]+" "+bill[80:]), Want: []string{"EMBEDDED_OBJECT Package", "EMBEDDED_OBJECT bill.js", "file bill.js js 15"}},
		{Name: "data cut up", Type: "rtf", Body: object(`\objupdate`, cut(bill)), Has: []string{"OBJECT_UPDATES objupdate", "EMBEDDED_OBJECT bill.js", "file bill.js js 15"}},
		{Name: "equation", Type: "rtf", Body: object("", ole1("Equation.3", box)), Has: []string{"EQUATION_OBJECT Equation.3", fmt.Sprintf("file Equation.3 ole %d", len(box))}},
		{Name: "broken object", Type: "rtf", Body: object("", "0105000099"+hex.EncodeToString([]byte(box))), Want: []string{"OBJECT_OBFUSCATED broken header", fmt.Sprintf("file object ole %d", len(box))}},
		{Name: "raw bytes", Type: "rtf", Body: object("", `\bin`+fmt.Sprint(len(bill)/2)+" "+unhex(bill)), Has: []string{"file bill.js js 15"}},
		{Name: "template from elsewhere", Type: "rtf", Body: `{\rtf1{\*\template http://drop.example/t.dotm}x}`, Want: []string{"REMOTE_TEMPLATE http://drop.example/t.dotm", "link auto http://drop.example/t.dotm"}},
		{Name: "template at home", Type: "rtf", Body: `{\rtf1{\*\template C:\\Normal.dotm}x}`, Clean: true},
		{Name: "dde", Type: "rtf", Body: `{\rtf1{\field{\*\fldinst {DDEAUTO cmd.exe "/c calc"}}{\fldrslt x}}}`, Want: []string{`DDE_COMMAND cmd.exe "/c calc"`, "CODE_RUNS cmd.exe"}},
		{Name: "hyperlink", Type: "rtf", Body: `{\rtf1{\field{\*\fldinst HYPERLINK "https://example.org/"}{\fldrslt here}}}`, Want: []string{"link anchor https://example.org/"}},
		{Name: "short header", Type: "rtf", Body: `{\rt{\field{\*\fldinst HYPERLINK "https://example.org/"}}}`, Want: []string{`HEADER_DISGUISED begins with "{\\rt{\\fi"`, "link anchor https://example.org/"}},
		{Name: "not closed", Type: "rtf", Body: `{\rtf1{\object{\*\objdata ` + bill, Has: []string{"file bill.js js 15"}},
		{Name: "picture", Type: "rtf", Body: `{\rtf1{\pict\pngblip ` + strings.Repeat("89504e47", 20) + `}}`, Want: []string{"file picture.png png 80"}},
	})
}

// cut puts words between the digits that Word passes over.
func cut(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 7 {
		b.WriteString(s[i:min(i+7, len(s))] + `{\xx9 }\yy`)
		b.WriteString("\r\n")
	}
	return b.String()
}

func unhex(s string) string { b, _ := hex.DecodeString(s); return string(b) }

func TestText(t *testing.T) {
	r := childtest.One(t, rtf.Decoder{}, "a.rtf", "rtf", []byte(`{\rtf1{\info{\title no}}Dear \u8222?reader\'94\par\{hello\}}`))
	if got := documenttest.Text(r, inspect.OriginBody); got != "Dear „reader”\n{hello}" {
		t.Errorf("%q", got)
	}
}

func TestHostile(t *testing.T) {
	for name, body := range map[string]string{
		"groups":      `{\rtf1` + strings.Repeat("{", 1<<20),
		"closed":      `{\rtf1` + strings.Repeat("}", 1<<20),
		"objects":     `{\rtf1` + strings.Repeat(`{\objdata 0105}`, 1<<15),
		"huge bin":    `{\rtf1{\objdata\bin999999999 x`,
		"no end":      `{\rtf1\`,
		"long word":   `{\rtf1\` + strings.Repeat("a", 1<<20),
		"long number": `{\rtf1\bin` + strings.Repeat("9", 1<<20),
		"fields":      `{\rtf1` + strings.Repeat(`{\fldinst DDE x `, 5000),
	} {
		t.Run(name, func(t *testing.T) {
			r := childtest.One(t, rtf.Decoder{}, "a.rtf", "rtf", []byte(body))
			if childtest.Has(r, inspect.DecoderPanic, "") || r.Exhausted.Has(inspect.LimitTime) {
				t.Error(r.Facts, r.Exhausted)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(object(`\objupdate`, ole1("Package", pack("a", "b")))))
	f.Add([]byte(`{\rtf1{\field{\*\fldinst DDE a}}{\*\template http://a.example}{\pict\pngblip 00}\u-1?\'ff\bin2 xx}`))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, rtf.Decoder{}, "rtf", b) })
}

func BenchmarkOpen(b *testing.B) {
	body := []byte(`{\rtf1\ansi ` + strings.Repeat(`{\b A line} of an honest report.\par`+"\n", 20_000) + `{\object{\*\objdata ` + ole1("Package", pack("a.bin", strings.Repeat("x", 1<<18))) + `}}}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, rtf.Decoder{}, "a.rtf", "rtf", body)
	}
}
