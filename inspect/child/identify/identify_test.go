package identify

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/document/cfb/cfbtest"
	"sluice/internal/golden"
)

func TestTable(t *testing.T) {
	seen := map[inspect.Type]bool{}
	for _, r := range rows {
		if !r.Type.Valid() || !r.Class.Valid() || r.How == "" || r.What == "" {
			t.Errorf("row %q is not complete", r.Type)
		}
		if r.Type != "" && seen[r.Type] {
			t.Errorf("%s stands twice", r.Type)
		}
		seen[r.Type] = true
	}
	for _, m := range magics {
		if !seen[m.is] {
			t.Errorf("%s has a magic and no row", m.is)
		}
	}
}

// The page for admins is made of the table.
func TestPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Files: types and classes\n\n" +
		"<!-- made by go test ./inspect/child/identify -update -->\n\n" +
		"What a file is, is decided by its content; where that leaves it open (scripts are text), by its name. Policy speaks of classes.\n" +
		"A class in **bold** holds for the extensions whatever the content is, because what opens them reads anything.\n" +
		"Documents with macros are also *macro document*, pages with script *active page*, and what needs a password *encrypted*. [files.md](files.md) says what is done with them.\n\n" +
		"| type | what | classes | extensions | known by |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		class := r.Class.String()
		if r.Loose {
			class = "**" + class + "**"
		}
		name := string(r.Type)
		if name == "" {
			name = "(any)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, r.What, class, r.Exts, r.How)
	}
	golden.Check(t, filepath.Join("..", "..", "..", "docs", "file-types.md"), []byte(b.String()))
}

// pack makes a zip of empty files.
func pack(names ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, n := range names {
		name, content, _ := strings.Cut(n, "=")
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			panic(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// program makes the bare header of a Windows program.
func program() []byte {
	b := make([]byte, 256)
	copy(b, "MZ")
	b[60] = 128
	copy(b[128:], "PE\x00\x00")
	return b
}

func sized(n int, at int, s string) []byte {
	b := make([]byte, n)
	copy(b[at:], s)
	return b
}

func utf16(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, r := range s {
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
	}
	return b
}

func TestIdentify(t *testing.T) {
	page := "<!DOCTYPE html><html><body><p>Hello</p></body></html>"
	for _, c := range []struct {
		name, declared string
		content        []byte
		is             inspect.Type
		class          inspect.Class
	}{
		{"a.exe", "", program(), inspect.PE, executable},
		{"invoice.pdf", "application/pdf", program(), inspect.PE, executable},
		{"MZ.txt", "", []byte("MZ is how programs begin, and this is text about it"), inspect.PlainText, 0},
		{"a", "", []byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 60)), inspect.ELF, executable},
		{"a.zip", "", pack("a.txt"), inspect.Zip, archive},
		{"a.docx", "", pack("[Content_Types].xml", "word/document.xml"), inspect.DOCX, document},
		{"a.docx", "", pack("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), inspect.DOCX, document | macro},
		{"a.xlsx", "", pack("[Content_Types].xml", "xl/workbook.xml", "xl/macrosheets/sheet1.xml"), inspect.XLSX, document | macro},
		{"a.xlsb", "", pack("[Content_Types].xml", "xl/workbook.bin"), inspect.XLSB, document},
		{"a.pptx", "", pack("[Content_Types].xml", "ppt/presentation.xml"), inspect.PPTX, document},
		{"a.zip", "", pack("word/holiday.jpg"), inspect.Zip, archive},
		{"a.epub", "", pack("mimetype=application/epub+zip", "content.opf"), inspect.EPUB, document},
		{"a.odt", "", pack("mimetype=application/vnd.oasis.opendocument.text", "content.xml"), inspect.ODF, document},
		{"a.odt", "", pack("mimetype=application/vnd.oasis.opendocument.text", "Basic/Standard/Module1.xml"), inspect.ODF, document | macro},
		{"a.jar", "", pack("META-INF/MANIFEST.MF", "x/Main.class"), inspect.JAR, executable | archive},
		{"a.zip", "", pack("META-INF/MANIFEST.MF", "x/Main.class"), inspect.JAR, executable | archive},
		{"a.apk", "", pack("AndroidManifest.xml", "classes.dex"), inspect.APK, executable | archive | installer},
		{"a.jpg", "", append([]byte("\x00\x01\x02\x03junk\x00\x00\x00"), pack("a.txt")...), inspect.Zip, archive},
		{"a", "", []byte("From: Ann <a@b.example>\r\nSubject: x\r\n\r\n" + strings.Repeat("\x01\x02\x00", 500)), inspect.Mail, inspect.MailItem},
		{"a.eml", "", []byte("X: y\r\n\r\n" + strings.Repeat("\x01\x02\x00", 500)), inspect.Mail, inspect.MailItem},
		{"a.bin", "", []byte("<html><script>a()</script>" + strings.Repeat("\x00", 500)), inspect.HTML, inspect.Page | inspect.ActivePage},
		{"a.js", "", []byte("a();" + strings.Repeat("\x00", 500)), inspect.JavaScript, script},
		{"a.csv", "", []byte("a,b" + strings.Repeat("\x00", 500)), "", document},
		{"a.img", "", sized(40960, 32769, "CD001"), inspect.ISO, image},
		{"a.iso", "", sized(40960, 32768+2049, "NSR02"), inspect.UDF, image},
		{"a.vhd", "", sized(4096, 4096-512, "conectix"), inspect.VHD, image},
		{"a.htm", "", []byte(page), inspect.HTML, page_},
		{"a.htm", "", []byte("\xef\xbb\xbf  <!-- x --> <HTML><body onload = 'x()'>"), inspect.HTML, page_ | inspect.ActivePage},
		{"a.htm", "", utf16("<html><SCRIPT>x()</script>"), inspect.HTML, page_ | inspect.ActivePage},
		{"a.htm", "", []byte("<html><a href=' javascript:x()'>"), inspect.HTML, page_ | inspect.ActivePage},
		{"a.htm", "", []byte("<html>on = 3, and once = again; <a href='/on=2'>script</a>"), inspect.HTML, page_},
		{"a.svg", "", []byte("<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>"), inspect.SVG, page_ | picture},
		{"a.svg", "", []byte("<svg:svg><svg:script>x()</svg:script>"), inspect.SVG, page_ | picture | inspect.ActivePage},
		{"a.xhtml", "", []byte("<?xml version='1.0'?>\n<!DOCTYPE html><html><script/>"), inspect.XHTML, page_ | inspect.ActivePage},
		{"a.hta", "", []byte(page), inspect.HTA, script | executable},
		{"a.png.hta", "", []byte("\x89PNG\r\n\x1a\n........"), inspect.PNG, picture | script | executable},
		{"a.html", "", []byte("<html><hta:application id=x>"), inspect.HTA, script | executable | page_},
		{"a.js", "", []byte("var x = 1;"), inspect.JavaScript, script},
		{"a.JS. ", "", []byte("var x = 1;"), inspect.JavaScript, script},
		{"a.js", "", []byte("#!/usr/bin/env node\nvar x = 1;"), inspect.JavaScript, script},
		{"a.txt", "", []byte("var x = 1;"), inspect.PlainText, 0},
		{"a.txt", "", []byte("var s = new ActiveXObject('WScript.Shell');"), inspect.JavaScript, script},
		{"a.vbs", "", []byte("MsgBox 1"), inspect.VBScript, script},
		{"a", "", []byte("#@~^DgAAAA==\\ko$K6,JCV^G1Ey"), inspect.JScriptEnc, script},
		{"a.ps1", "", utf16("Write-Host hello"), inspect.PowerShell, script},
		{"a.bat", "", []byte("echo hello"), inspect.Batch, script},
		{"a", "", []byte("@echo off\r\necho"), inspect.Batch, script},
		{"a.wsf", "", []byte("<job><script language='JScript'>x()</script></job>"), inspect.WSF, script},
		{"a.reg", "", []byte("Windows Registry Editor Version 5.00\r\n"), inspect.Registry, script},
		{"a.inf", "", []byte("[Version]\r\nSignature=\"$CHICAGO$\"\r\n"), inspect.Inf, installer | script},
		{"a.url", "", []byte("[InternetShortcut]\r\nURL=https://a.example/"), inspect.InternetLink, shortcut},
		{"a.desktop", "", []byte("[Desktop Entry]\nExec=true"), inspect.Desktop, shortcut},
		{"a.lnk", "", []byte("\x4c\x00\x00\x00\x01\x14\x02\x00" + strings.Repeat("\x00", 80)), inspect.LNK, shortcut},
		{"a.sh", "", []byte("#!/bin/sh\ntrue\n"), inspect.Shell, script},
		{"a.py", "", []byte("#!/usr/bin/env python3\n"), inspect.Python, script},
		{"a.ics", "", []byte("BEGIN:VCALENDAR\r\n"), inspect.ICalendar, document},
		{"a.vcf", "", []byte("BEGIN:VCARD\r\n"), inspect.VCard, document},
		{"a.mobileconfig", "", []byte("<?xml version='1.0'?><!DOCTYPE plist><plist><dict><key>PayloadType</key>"), inspect.MobileConfig, profile},
		{"a.settingcontent-ms", "", []byte("<?xml version='1.0'?><PCSettings>"), inspect.SettingsLink, shortcut},
		{"a.eml", "", []byte("Received: from x\r\nFrom: a@b.example\r\nSubject: x\r\n\r\nhi"), inspect.Mail, mail},
		{"a.mht", "", []byte("From: <Saved by Blink>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\r\n"), inspect.MHTML, page_ | mail},
		{"a.txt", "", []byte("Dear colleague,\nthe minutes are attached.\n"), inspect.PlainText, 0},
		{"a.csv", "", []byte("a,b\n1,2\n"), inspect.CSV, document},
		{"a.json", "", []byte(`{"a": 1}`), inspect.JSON, 0},
		{"a.com", "", []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$ and so on`), inspect.DOSProgram, executable},
		{"a.rtf", "", []byte(`{\rtf1 hello}`), inspect.RTF, document},
		{"a.pdf", "", []byte("junk\x00\x01\x02\x03\x04\n%PDF-1.7\n"), inspect.PDF, document},
		{"a.bz2", "", []byte("BZh91AY&SYxxxx"), inspect.Bzip2, archive},
		{"a.lzma", "", append([]byte("\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00"), make([]byte, 20)...), inspect.LZMA, archive},
		{"a.7z", "", []byte("7z\xbc\xaf\x27\x1c\x00\x04...."), inspect.SevenZip, archive},
		{"a.doc", "", cfbtest.Build(map[string]string{"WordDocument": "x"}), inspect.DOC, document},
		{"a.doc", "", cfbtest.Build(map[string]string{"WordDocument": "x", "Macros/VBA/dir": "x"}), inspect.DOC, document | macro},
		{"a.xls", "", cfbtest.Build(map[string]string{"Workbook": "x"}), inspect.XLS, document},
		{"a.docx", "", cfbtest.Build(map[string]string{"EncryptedPackage": "x", "EncryptionInfo": "x"}), inspect.OLE, document | inspect.Encrypted},
		{"a.msg", "", cfbtest.Build(map[string]string{"__properties_version1.0": "x"}), inspect.Msg, mail},
		{"a.doc", "", cfbtest.BuildClass(map[string]string{"x": "x"}, map[string][16]byte{"": classID(0x84)}), inspect.MSI, executable | installer},
		{"noise", "", []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x90\x91\x92\x93\x94"), "", 0},
		{"noise.scr", "", []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x90\x91\x92\x93\x94"), "", executable},
		{"empty.exe", "", []byte{}, "", 0},
		{"locked.exe", "", nil, "", executable},
	} {
		typ, class := Identify(c.name, c.declared, c.content)
		if typ != c.is || class != c.class {
			t.Errorf("%s (%.40q): %q %v, want %q %v", c.name, c.content, typ, class, c.is, c.class)
		}
	}
}

const page_ = inspect.Page

func TestRemarks(t *testing.T) {
	for _, c := range []struct {
		f    inspect.File
		want []inspect.Kind
	}{
		{inspect.File{Name: "invoice.pdf", Type: inspect.PDF, Class: document}, nil},
		{inspect.File{Name: "invoice.pdf.exe", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.NameDoubleExtension}},
		{inspect.File{Name: "invoice.pdf.exe", Content: inspect.Locked, Class: executable}, []inspect.Kind{inspect.NameDoubleExtension}},
		{inspect.File{Name: "a.tar.gz", Type: inspect.Gzip, Class: archive}, nil},
		{inspect.File{Name: "report.v1.2.docx", Type: inspect.DOCX, Class: document}, nil},
		{inspect.File{Name: "page.html.db", Type: inspect.HTML, Class: page_}, nil},
		{inspect.File{Name: "page.html", Type: inspect.XHTML, Class: page_}, nil},
		{inspect.File{Name: "jquery.min.js", Type: inspect.JavaScript, Class: script}, nil},
		{inspect.File{Name: "photo\u202egpj.exe", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.NameDirectionOverride}},
		{inspect.File{Name: "invoice.pdf                   .exe", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.NamePadded, inspect.NameDoubleExtension}},
		{inspect.File{Name: "setup.exe. .", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.NamePadded}},
		{inspect.File{Name: "Minutes of the meeting.", Type: inspect.PlainText}, nil},
		{inspect.File{Name: "a.txt\x00.exe", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.NameControls, inspect.NameDoubleExtension}},
		{inspect.File{Name: "a.txt:b.exe", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.NameStream, inspect.TypeConflict}},
		{inspect.File{Name: "C:\\temp\\a.txt", Type: inspect.PlainText}, nil},
		{inspect.File{Name: "scan.jpg", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.TypeConflict}},
		{inspect.File{Name: "scan.jpg", Type: inspect.PNG, Class: picture}, nil},
		{inspect.File{Name: "letter.doc", Type: inspect.RTF, Class: document}, []inspect.Kind{inspect.TypeConflict}},
		{inspect.File{Name: "page.txt", Type: inspect.HTML, Class: page_}, []inspect.Kind{inspect.TypeConflict}},
		{inspect.File{Name: "x", Declared: "image/png", Type: inspect.PE, Class: executable}, []inspect.Kind{inspect.TypeConflict}},
		{inspect.File{Name: "x", Declared: "application/octet-stream", Type: inspect.PE, Class: executable}, nil},
		{inspect.File{Name: "x.bat", Declared: "text/plain", Type: inspect.Batch, Class: script}, nil},
	} {
		var got []inspect.Kind
		Remarks(c.f, func(k inspect.Kind, _ string) { got = append(got, k) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%q %s: %v, want %v", c.f.Name, c.f.Type, got, c.want)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("a.exe", "", program())
	f.Add("a.docx", "", pack("[Content_Types].xml", "word/document.xml"))
	f.Add("a.html", "text/html", []byte("<html><script>"))
	f.Add("a.doc", "", sized(2048, 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	f.Fuzz(func(t *testing.T, name, declared string, content []byte) {
		typ, class := Identify(name, declared, content)
		if !typ.Valid() || !class.Valid() {
			t.Fatalf("%q %v", typ, class)
		}
		Remarks(inspect.File{Name: name, Declared: declared, Type: typ, Class: class}, func(k inspect.Kind, _ string) {
			if !k.Valid() {
				t.Fatal(k)
			}
		})
	})
}

func BenchmarkIdentify(b *testing.B) {
	text := bytes.Repeat([]byte("<p class='x'>Some words of a page that holds no script</p>\n"), 20000)
	for _, c := range []struct {
		name    string
		content []byte
	}{{"page.html", append([]byte("<html>"), text...)}, {"noise.bin", bytes.Repeat([]byte{1, 2, 0x93, 0x94}, 1<<18)}, {"a.zip", pack(strings.Fields(strings.Repeat("name ", 200))...)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.content)))
			for b.Loop() {
				Identify(c.name, "", c.content)
			}
		})
	}
}
