package pdf_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/documenttest"
	"sluice/inspect/child/document/pdf"
	"sluice/internal/shared"
)

// file writes objects, numbered from 1, without a table: readers find them.
func file(objects ...string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	return b.String() + "trailer\n<</Root 1 0 R>>\n%%EOF\n"
}

func stream(dict, body string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(body), body)
}

func deflate(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func a85(s string) string {
	b := make([]byte, ascii85.MaxEncodedLen(len(s)))
	return string(b[:ascii85.Encode(b, []byte(s))]) + "~>"
}

const page = "<</Type/Page/MediaBox[0 0 600 800]/Contents 3 0 R/Resources<</Font<</F1 4 0 R>>>>/Annots[<</Subtype/Link/Rect[10 10 100 30]/A<</S/URI/URI(https://example.org/a)>>>>]>>"

func TestCarriersAndTwins(t *testing.T) {
	const catalog = "<</Type/Catalog>>"
	opens := func(action string) string { return file("<</Type/Catalog/OpenAction 2 0 R>>", action) }
	plainPage := file(catalog, page, stream("", "BT /F1 12 Tf (Hello) Tj ET"), "<</Type/Font/Subtype/Type1>>")
	documenttest.Run(t, pdf.Decoder{}, []documenttest.Case{
		{Name: "a page with a link", Type: "pdf", Body: plainPage, Want: []string{"link anchor https://example.org/a"}},
		{Name: "opens at page two", Type: "pdf", Body: file("<</Type/Catalog/OpenAction[2 0 R/Fit]>>", "<<>>"), Clean: true},
		{Name: "script on opening", Type: "pdf", Body: opens("<</S/JavaScript/JS(app.launchURL\\(\"http://drop.example/\"\\))>>"), Want: []string{
			"PDF_OPEN_ACTION JavaScript", `PDF_SCRIPT app.launchURL("http://drop.example/")`, "CODE_FETCHES app.launchURL", "CODE_FETCHES launchURL", "link script http://drop.example/"}},
		{Name: "script that checks a field", Type: "pdf", Body: file(catalog, "<</S/JavaScript/JS(AFNumber_Format\\(2, 0\\))>>"), Want: []string{"PDF_SCRIPT AFNumber_Format(2, 0)"}},
		{Name: "script in a stream", Type: "pdf", Body: file(catalog, "<</S/JavaScript/JS 3 0 R>>", stream("/Filter/FlateDecode", deflate("this.exportDataObject({nLaunch:2})"))), Want: []string{
			"PDF_SCRIPT this.exportDataObject({nLaunch:2})", "CODE_RUNS exportDataObject", "CODE_RUNS nLaunch"}},
		{Name: "names as numbers", Type: "pdf", Body: file(catalog, "<</#53/J#61vaScript/J#53(x)>>"), Want: []string{"PDF_SCRIPT x", "PDF_OBFUSCATED name written as numbers: JavaScript", "PDF_OBFUSCATED name written as numbers: JS"}},
		{Name: "names with blanks", Type: "pdf", Body: file(catalog, "<</Type/Font/BaseFont/Times#20New>>"), Clean: true},
		{Name: "launch", Type: "pdf", Body: opens("<</S/Launch/Win<</F(cmd.exe)/P(/c start http://drop.example/)>>>>"), Want: []string{
			"PDF_OPEN_ACTION Launch", "PDF_LAUNCH cmd.exe /c start http://drop.example/", "CODE_RUNS cmd.exe", "link script http://drop.example/"}},
		{Name: "address on opening", Type: "pdf", Body: opens("<</S/URI/URI(http://drop.example/)>>"), Want: []string{"PDF_OPEN_ACTION URI", "link auto http://drop.example/"}},
		{Name: "additional action", Type: "pdf", Body: file("<</Type/Catalog/AA<</WC<</S/JavaScript/JS(x)>>>>>>"), Want: []string{"PDF_OPEN_ACTION WC: JavaScript", "PDF_SCRIPT x"}},
		{Name: "form", Type: "pdf", Body: file(catalog, "<</S/SubmitForm/F<</FS/URL/F(https://drop.example/form)>>>>"), Want: []string{"PDF_SUBMIT https://drop.example/form", "link form https://drop.example/form"}},
		{Name: "form without a target", Type: "pdf", Body: file(catalog, "<</FT/Tx/T(name)>>"), Clean: true},
		{Name: "share of windows", Type: "pdf", Body: file(catalog, `<</S/GoToE/F(\\\\drop.example\\s)/D[0/Fit]>>`), Want: []string{`PDF_REMOTE \\drop.example\s`, `link anchor \\drop.example\s`}},
		{Name: "document beside it", Type: "pdf", Body: file(catalog, "<</S/GoToR/F(annex.pdf)>>"), Want: []string{"PDF_REMOTE annex.pdf"}},
		{Name: "embedded file", Type: "pdf", Body: file(catalog, "<</Type/Filespec/UF(bill.docm)/EF<</F 3 0 R>>>>", stream("/Type/EmbeddedFile/Filter/FlateDecode", deflate("inert"))), Want: []string{"PDF_ATTACHMENT bill.docm", "file bill.docm docm 5"}},
		{Name: "page that is a link", Type: "pdf", Body: file(catalog, strings.Replace(page, "10 10 100 30", "0 0 600 700", 1), stream("", "q Q"), "<<>>"), Want: []string{"PDF_PAGE_LINK https://example.org/a", "link anchor https://example.org/a"}},
		{Name: "xfa", Type: "pdf", Body: file("<</AcroForm<</XFA 2 0 R>>>>", stream("", `<xdp><script contentType="application/x-javascript">xfa.host.gotoURL("http://drop.example/")</script></xdp>`)), Has: []string{"PDF_SCRIPT XFA form", "link form http://drop.example/"}},
		{Name: "xfa without script", Type: "pdf", Body: file("<</AcroForm<</XFA 2 0 R>>>>", stream("", `<xdp><field name="a"/></xdp>`)), Clean: true},
		{Name: "filters", Type: "pdf", Body: file(catalog, "<</S/JavaScript/JS 3 0 R>>", stream("/Filter[/ASCIIHexDecode/ASCII85Decode/FlateDecode]", hex.EncodeToString([]byte(a85(deflate("code"))))+">")), Want: []string{"PDF_SCRIPT code", "PDF_OBFUSCATED a stream behind three filters or more"}},
		{Name: "run lengths", Type: "pdf", Body: file(catalog, "<</S/JavaScript/JS 3 0 R>>", stream("/Filter/RL", "\x03code\xfe!\x80")), Want: []string{"PDF_SCRIPT code!!!"}},
		{Name: "lzw", Type: "pdf", Body: file(catalog, "<</S/JavaScript/JS 3 0 R>>", stream("/Filter/LZWDecode", "\x80\x0B\x60\x50\x22\x0C\x0C\x85\x01")), Want: []string{"PDF_SCRIPT -----A---B"}},
		{Name: "objects in a stream", Type: "pdf", Body: file(catalog, stream("/Type/ObjStm/N 1/First 5/Filter/FlateDecode", deflate("9 0  <</S/URI/URI(http://drop.example/)>>"))), Want: []string{"link anchor http://drop.example/"}},
		{Name: "wrong length", Type: "pdf", Body: file(catalog, "<</S/JavaScript/JS 3 0 R>>", "<</Length 99999>>stream\r\ncode\r\nendstream"), Want: []string{"PDF_SCRIPT code"}},
		{Name: "cut short", Type: "pdf", Body: "%PDF-1.4\n1 0 obj<</S/URI/URI(http://drop.example/)>>endobj 2 0 obj<</S/JavaScript/JS 3 0 R>> 3 0 obj<<>>stream\ncode", Want: []string{"link anchor http://drop.example/", "PDF_SCRIPT code"}},
		{Name: "something in front and behind", Type: "pdf", Body: "MZ......" + plainPage + "and another file behind it", Want: []string{"LEADING_DATA 8 bytes before %PDF", "TRAILING_DATA 26 bytes behind %%EOF", "link anchor https://example.org/a"}},
		{Name: "picture", Type: "pdf", Body: file(catalog, stream("/Subtype/Image/Width 32/Height 32/BitsPerComponent 1/ColorSpace/DeviceGray", strings.Repeat("\xAA\xAA\xAA\xAA", 32)), stream("/Subtype/Image/Width 99/Height 99/Filter/DCTDecode", "\xFF\xD8jpeg")), Has: []string{"file image-3.jpg jpeg 6"}},
		{Name: "rich media", Type: "pdf", Body: file(catalog, "<</Subtype/RichMedia>>"), Want: []string{"ACTIVE_CONTROL RichMedia"}},
	})
}

// The example of ISO 32000-1 7.4.4.2 is among the carriers above; text is tested
// here.
func TestText(t *testing.T) {
	cmap := "begincmap 1 beginbfchar <0001> <0048> endbfchar 1 beginbfrange <0002> <0003> <0065> endbfrange 1 beginbfrange <0004> <0005> [<006C> <006F>] endbfrange endcmap"
	for _, c := range []struct{ name, content, font, want string }{
		{"one byte", "BT /F1 1 Tf (Hel) Tj 5 0 Td (lo) Tj 0 -9 Td [(wor) -20 (ld) -300 (!)] TJ ET", "<</Type/Font/Subtype/Type1>>", "Hel lo\nworld !\n"},
		{"by a map", "BT /F1 1 Tf <0001000200040004 0005> Tj ET", "<</Type/Font/Subtype/Type0/ToUnicode 5 0 R>>", "Hello\n"},
		{"glyphs without a map", "BT /F1 1 Tf <00010002> Tj ET", "<</Type/Font/Subtype/Type0>>", ""},
		{"picture in line", "BI /W 2 ID (((\xff EI BT /F1 1 Tf (x) Tj ET", "<</Type/Font/Subtype/Type1>>", "x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := file("<<>>", page, stream("", c.content), c.font, stream("", cmap))
			if got := documenttest.Text(childtest.One(t, pdf.Decoder{}, "a.pdf", "pdf", []byte(body)), inspect.OriginBody); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Files that want to keep us busy end in a bound.
func TestHostile(t *testing.T) {
	bomb := deflate(string(make([]byte, 32<<20)))
	for name, body := range map[string]string{
		"deep arrays":          "1 0 obj" + strings.Repeat("[", 1<<20),
		"deep dictionaries":    "1 0 obj" + strings.Repeat("<</A", 1<<18),
		"strings without end":  strings.Repeat("1 0 obj(", 1<<17),
		"objects without end":  strings.Repeat("1 0 obj<</A ", 1<<17),
		"streams without end":  strings.Repeat("1 0 obj<<>>stream\n", 1<<16),
		"references in a ring": file("<</OpenAction 2 0 R>>", "3 0 R", "2 0 R"),
		"parents in a ring":    file("<<>>", "<</Type/Page/Parent 2 0 R/Contents 2 0 R>>"),
		"bomb":                 file("<</S/JavaScript/JS 2 0 R>>", stream("/Filter/FlateDecode", bomb)),
		"bombs":                file(stream("/Type/ObjStm/First 5/Filter/FlateDecode", bomb), stream("/Type/ObjStm/First 5/Filter/FlateDecode", bomb), stream("/Type/ObjStm/First 5/Filter/FlateDecode", bomb)),
		"filters":              file(stream("/Subtype/Image/Width 99/Height 99/Filter["+strings.Repeat("/AHx", 1000)+"]", strings.Repeat("30", 1<<16))),
		"huge picture":         file(stream("/Subtype/Image/Width 99999999/Height 99999999/BitsPerComponent 8/ColorSpace/DeviceRGB", "x")),
		"wide picture":         file(stream("/Subtype/Image/Width 200000/Height 100/BitsPerComponent 1/ColorSpace/DeviceGray", strings.Repeat("x", 1<<17))),
		"predictor":            file(stream("/Type/ObjStm/First 1/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 999999999/Colors 99999>>", deflate("xxx"))),
		"map":                  file("<<>>", page, stream("", "BT /F1 1 Tf (x) Tj"), "<</Subtype/Type0/ToUnicode 5 0 R>>", stream("", strings.Repeat("<0000><ffff><0000>", 1000)+" endbfrange")),
		"actions in a ring":    file("<</OpenAction 2 0 R>>", "<</S/JavaScript/JS(x)/Next 2 0 R>>"),
		"only endobj":          strings.Repeat("endobj ", 1<<16),
		"percent":              "1 0 obj" + strings.Repeat("%", 1<<20),
		"trailers":             strings.Repeat("trailer<</A(", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			r := childtest.One(t, pdf.Decoder{}, "a.pdf", "pdf", []byte(body))
			if childtest.Has(r, inspect.DecoderPanic, "") {
				t.Error(r.Facts)
			}
			if r.Exhausted.Has(inspect.LimitTime) {
				t.Errorf("took all its time: %s", r.Took)
			}
		})
	}
}

// Pictures of every kind of colour are drawn as a reader draws them.
func TestPictures(t *testing.T) {
	for _, c := range []struct {
		name, dict, samples string
		want                color.Color
	}{
		{"black and white", "/BitsPerComponent 1/ColorSpace/DeviceGray", strings.Repeat("\x00\x00\x00\x00", 32), color.Gray{0}},
		{"mask the other way", "/ImageMask true/Decode[1 0]", strings.Repeat("\x00\x00\x00\x00", 32), color.Gray{255}},
		{"grey", "/BitsPerComponent 8/ColorSpace/DeviceGray", strings.Repeat("\x80", 32*32), color.Gray{128}},
		{"colours", "/BitsPerComponent 8/ColorSpace/DeviceRGB", strings.Repeat("\x01\x02\x03", 32*32), color.RGBA{1, 2, 3, 255}},
		{"profile", "/BitsPerComponent 8/ColorSpace[/ICCBased 9 0 R]", strings.Repeat("\x01\x02\x03", 32*32), nil},
		{"palette", "/BitsPerComponent 4/ColorSpace[/Indexed/DeviceRGB 1<0000000A0B0C>]", strings.Repeat("\x11", 16*32), color.RGBA{10, 11, 12, 255}},
		{"print", "/BitsPerComponent 8/ColorSpace/DeviceCMYK", strings.Repeat("\x00\x00\x00\xFF", 32*32), color.RGBA{0, 0, 0, 255}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got color.Color
			look := looker(func(b []byte) {
				m, err := png.Decode(bytes.NewReader(b))
				if err != nil {
					t.Fatal(err)
				}
				got = m.At(5, 5)
			})
			childtest.Run(t, child.Config{Decoders: []child.Decoder{pdf.Decoder{}, look}}, &inspect.Request{Inputs: []inspect.Input{{Name: "a.pdf", DeclaredType: "pdf",
				Body: []byte(file("<<>>", stream("/Subtype/Image/Width 32/Height 32"+c.dict, c.samples)))}}})
			if c.want == nil && got != nil || c.want != nil && (got == nil || color.RGBAModel.Convert(got) != color.RGBAModel.Convert(c.want)) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// looker is a decoder of pictures that hands them to a function.
type looker func(b []byte)

func (looker) Name() string          { return "looker" }
func (looker) Types() []inspect.Type { return []inspect.Type{inspect.PNG} }
func (l looker) Open(_ context.Context, w *child.Work) error {
	l(w.Bytes())
	return nil
}

func TestSuite(t *testing.T) {
	dir := shared.Dir(t, "suites")
	for name, want := range map[string][]string{
		"eicar/eicar-adobe-acrobat-attachment.pdf":     {"PDF_ATTACHMENT document.txt", "file document.txt txt 68"},
		"pdfinfo-sa-plugin/t/spam/Bitcoin.pdf":         {"PDF_PAGE_LINK https://clck.ru/33KW7h", "link anchor https://clck.ru/33KW7h", "file image-8.jpg jpeg 65519"},
		"pdfinfo-sa-plugin/t/spam/Bitcoin2.pdf":        {"PDF_PAGE_LINK https://nikytap.de/04yb/#81zo"},
		"pdfinfo-sa-plugin/t/spam/Dating.pdf":          {"link anchor https://sites.google.com/view/m4w801/2"},
		"pdfinfo-sa-plugin/t/spam/Encrypted_AESV2.pdf": {"link anchor http://rot.come-over-here.site/?s1=ptt1"},
		"pdfinfo-sa-plugin/t/spam/Encrypted_AESV3.pdf": {"link anchor https://lovedat.me/?s1=bgs1&userid=uni#SJmpxDc8F9fl0"},
		"pdfinfo-sa-plugin/t/spam/Encrypted_RC4.pdf":   {"link anchor https://bit.ly/3PVE5IZ"},
		"pdfinfo-sa-plugin/t/spam/GeekSquad.pdf":       {"file image-1.png png 664372"},
		"pdfinfo-sa-plugin/t/spam/Phishing.pdf":        {"link anchor https://s.id/1tzdg"},
		"pdfinfo-sa-plugin/t/spam/Phishing2.pdf":       {"PDF_PAGE_LINK http://gkjdepok.org/docdir/SCANS_PP2849.zip"},
		"pdfinfo-sa-plugin/t/spam/SchemelessURI.pdf":   {"link anchor example.test"},
		"pdfinfo-sa-plugin/t/spam/sample.pdf":          {"link anchor http://www.google.com"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got := documenttest.Lines(childtest.One(t, pdf.Decoder{}, filepath.Base(name), "pdf", b))
		for _, w := range want {
			if w = strings.TrimSuffix(w, " 664372"); !strings.Contains("\n"+strings.Join(got, "\n"), "\n"+w) {
				t.Errorf("%s: no %q in\n%s", name, w, strings.Join(got, "\n"))
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(file("<</OpenAction 2 0 R/AA<</O 2 0 R>>>>", page, stream("", "BT /F1 1 Tf (x) Tj [(a) -300 <62>] TJ ET BI ID EI"), "<</Subtype/Type0/ToUnicode 5 0 R>>", stream("", "<00> <01> <0041> endbfrange"))))
	f.Add([]byte(file("<</S/Launch/Win<</F(a)/P(b)>>>>", stream("/Filter[/AHx/A85/LZW/RL/Fl]/DecodeParms[null null<</Predictor 12/Columns 2>>]", "3c7e>"), stream("/Subtype/Image/Width 30/Height 30/BitsPerComponent 2/ColorSpace[/Indexed/DeviceRGB 3(abcdefghijkl)]", strings.Repeat("z", 300)))))
	f.Add([]byte("1 0 obj<</Filter/Standard/V 2/R 3/Length 128/P -4/O(o)/U(u)>>endobj 2 0 obj<</S/URI/URI(x)>>endobj trailer<</Encrypt 1 0 R/ID[(a)(b)]>>"))
	f.Add([]byte("5 0 obj<</Type/ObjStm/First 4/N 1>>stream\n1 0 <</JS(x)>>\nendstream"))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, pdf.Decoder{}, "pdf", b) })
}

func BenchmarkOpen(b *testing.B) {
	objects := []string{"<</Type/Catalog>>"}
	text := strings.Repeat("BT /F1 12 Tf 72 700 Td (A line of an honest report with numbers 1234) Tj ET\n", 400)
	for i := range 50 {
		objects = append(objects, strings.ReplaceAll(page, "3 0 R", fmt.Sprint(3+2*i)+" 0 R"), stream("/Filter/FlateDecode", deflate(text)))
	}
	body := []byte(file(objects...) + "%" + strings.Repeat("padding ", 1<<16))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, pdf.Decoder{}, "a.pdf", "pdf", body)
	}
}
