package bomb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// pdf writes objects, numbered from 1, and a table of where they are. Trailer is what
// stands in its dictionary beside the root.
func pdf(trailer string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, strings.ReplaceAll(trailer, "START", fmt.Sprint(start)), start)
	return b.Bytes()
}

const (
	catalog = "<< /Type /Catalog /Pages 2 0 R >>"
	onePage = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
	page    = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources 5 0 R >>"
)

// content is a document whose page has the stream given.
func content(dict string, body []byte, more ...string) []byte {
	return pdf("", append([]string{catalog, onePage, page, fmt.Sprintf("<< /Length %d %s >>\nstream\n%s\nendstream", len(body), dict, body)}, more...)...)
}

// lzwZeros is a stream of zeros as PDF packs them: codes that each repeat the one in
// front and an octet, until the table is full and begins anew.
func lzwZeros(tables int) []byte {
	var out []byte
	var acc, bits uint32
	put := func(code, width uint32) {
		acc, bits = acc<<width|code, bits+width
		for bits >= 8 {
			out = append(out, byte(acc>>(bits-8)))
			bits -= 8
		}
	}
	for range tables {
		put(256, 9)
		width := uint32(9)
		for code := uint32(257); code < 4094; code++ {
			if code == 257 {
				put(0, width)
			} else {
				put(code, width)
			}
			if code+2 == 1<<width {
				width++
			}
		}
		for width < 12 {
			width++
		}
	}
	put(256, 12)
	put(257, 9)
	return append(out, byte(acc<<(8-bits)))
}

func pdfs() []Case {
	one := func(name string, ends bool, f func() []byte) Case {
		return Case{Name: name, File: "a.pdf", Make: f, Ends: ends}
	}
	return []Case{
		one("flate of 1 GB", false, func() []byte { return content("/Filter /FlateDecode", zlibZeros(1024)) }),
		one("flate in flate in flate", false, func() []byte {
			b := nest(2, zlibZeros(1024), func(b []byte) []byte {
				return append(append([]byte{0x78, 0x9c}, pack(b)...), 0, 0, 0, 0)
			})
			return content("/Filter [/FlateDecode /FlateDecode /FlateDecode]", b)
		}),
		one("1,000 filters", true, func() []byte {
			return content("/Filter ["+strings.Repeat("/ASCIIHexDecode ", 1000)+"]", repeat("30", 1<<20))
		}),
		one("lzw of zeros", false, func() []byte { return content("/Filter /LZWDecode", lzwZeros(300)) }),
		one("predictor of 2,000,000,000 columns", true, func() []byte {
			return content("/Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 2000000000 /Colors 32 /BitsPerComponent 16 >>", zlibZeros(64))
		}),
		one("objects that hold themselves", true, func() []byte {
			return pdf("", "<< /Type /Catalog /Pages 2 0 R /OpenAction 6 0 R /Names 7 0 R >>", "<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 2 /Parent 2 0 R >>", page,
				"<< /Length 4 0 R /Filter 4 0 R >>\nstream\nBT (a) Tj ET\nendstream", "<< /XObject << /X 8 0 R >> >>",
				"<< /S /JavaScript /JS 6 0 R /Next [6 0 R 6 0 R] >>", "<< /EmbeddedFiles 7 0 R /Kids [7 0 R 7 0 R] /Names [7 0 R 7 0 R] >>",
				"<< /Subtype /Form /Length 6 /Resources 5 0 R >>\nstream\n/X Do /X Do\nendstream")
		}),
		one("pages in a tree of cycles, 64 wide", true, func() []byte {
			kids := strings.Repeat("2 0 R 3 0 R ", 32)
			return pdf("", catalog, "<< /Type /Pages /Kids ["+kids+"] /Count 1 >>", "<< /Type /Pages /Kids ["+kids+"] /Count 1 >>")
		}),
		one("100,000 pages", true, func() []byte {
			o := []string{catalog, "<< /Type /Pages /Count 100000 /Kids [" + numbered(100_000, "3 0 R %.0s") + "] >>"}
			return pdf("", append(o, page, "<< /Length 12 >>\nstream\nBT (a) Tj ET\nendstream")...)
		}),
		one("forms that draw two forms, 40 deep", true, func() []byte {
			o := []string{catalog, onePage, page, "<< /Length 5 >>\nstream\n/X Do\nendstream", "<< /XObject << /X 6 0 R >> >>"}
			for i := range 40 {
				o = append(o, fmt.Sprintf("<< /Subtype /Form /Length 11 /Resources << /XObject << /X %d 0 R >> >> >>\nstream\n/X Do /X Do\nendstream", 7+i))
			}
			return pdf("", append(o, "<< /Subtype /Form /Length 12 >>\nstream\nBT (a) Tj ET\nendstream")...)
		}),
		one("tables that follow each other in a ring", true, func() []byte { return pdf("/Prev START", catalog, onePage, page) }),
		one("1,000,000 arrays in each other", true, func() []byte {
			return pdf("", "<< /Type /Catalog /Pages "+strings.Repeat("[", 1_000_000)+" >>")
		}),
		one("1,000,000 dictionaries in each other", true, func() []byte { return pdf("", strings.Repeat("<< /A ", 1_000_000)) }),
		one("1,000,000 heads of objects without an end", true, func() []byte { return []byte("%PDF-1.4\n" + numbered(1_000_000, "%d 0 obj ")) }),
		one("streams of objects in each other", true, func() []byte {
			stream := func(next int) string {
				return fmt.Sprintf("<< /Type /ObjStm /N 100000 /First 0 /Extends %d 0 R /Length 400000 >>\nstream\n%s\nendstream", next, repeat("9 0 ", 100_000))
			}
			return pdf("", catalog, stream(3), stream(2))
		}),
		one("text of 10,000,000 strings", true, func() []byte { return content("", repeat("(a)'", 2_500_000)) }),
		one("picture of 40,000 × 40,000", true, func() []byte {
			return pdf("", catalog, onePage, page, "<< /Length 5 >>\nstream\n/X Do\nendstream", "<< /XObject << /X 6 0 R >> >>",
				fmt.Sprintf("<< /Subtype /Image /Width 40000 /Height 40000 /BitsPerComponent 1 /ColorSpace /DeviceGray /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", len(zlibZeros(192)), zlibZeros(192)))
		}),
		one("a scale of 10^300", true, func() []byte {
			return content("", repeat("1"+strings.Repeat("0", 300)+" 0 0 -1"+strings.Repeat("0", 300)+" 0 0 cm BT (a) Tj ET ", 2000))
		}),
	}
}

const (
	contentTypes = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/%s" ContentType="application/vnd.openxmlformats-officedocument.%s+xml"/></Types>`
	relations    = `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="%s"/>%s</Relationships>`
)

func office(main, kind, body string, more ...[2]string) []byte {
	return plainZip(append([][2]string{{"[Content_Types].xml", fmt.Sprintf(contentTypes, main, kind)}, {"_rels/.rels", fmt.Sprintf(relations, main, "")}, {main, body}}, more...)...)
}

func word(body string, more ...[2]string) []byte {
	return office("word/document.xml", "wordprocessingml.document.main", body, more...)
}

// compound is a compound file ([MS-CFB]) of n folders; ring makes the table of sectors a
// circle, and each folder the child and neighbour of others.
func compound(n int) []byte {
	n = (n + 3) &^ 3
	sectors := n / 4
	h := make([]byte, 512)
	copy(h, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	le := binary.LittleEndian
	copy(h[24:], "\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00")
	tables := (sectors + 127) / 128
	le.PutUint32(h[44:], uint32(min(tables, 109)))
	le.PutUint32(h[48:], uint32(tables))
	le.PutUint32(h[56:], 4096)
	le.PutUint32(h[60:], 0xFFFFFFFE)
	le.PutUint32(h[68:], 0)
	le.PutUint32(h[72:], 1<<30)
	for i := range 109 {
		v := uint32(0xFFFFFFFF)
		if i < tables {
			v = uint32(i)
		}
		le.PutUint32(h[76+4*i:], v)
	}
	b := h
	for i := range tables * 128 {
		next := i + 1
		if i == tables+sectors-1 || i >= tables+sectors {
			next = tables // round again
		}
		b = le32(b, next)
	}
	for i := range n {
		e := make([]byte, 128)
		for k, u := range utf16.Encode([]rune(fmt.Sprintf("S%07d", i))) {
			le.PutUint16(e[2*k:], u)
		}
		e[64], e[66], e[67] = 18, 1, 1
		if i == 0 {
			e[66] = 5
		}
		le.PutUint32(e[68:], uint32((i+1)%n))
		le.PutUint32(e[72:], uint32((i+n/2)%n))
		le.PutUint32(e[76:], uint32((i+n/3)%n))
		le.PutUint32(e[116:], uint32(tables))
		le.PutUint32(e[120:], 0xFFFFFFF0)
		b = append(b, e...)
	}
	return b
}

func documents() []Case {
	const table = `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`
	laughs := `<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a0 "ha">`
	for i := range 30 {
		laughs += fmt.Sprintf(`<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	laughs += `]>`
	return []Case{
		{Name: "workbook whose strings are 1 GB", File: "a.xlsx", Make: func() []byte {
			return zipOf(entry{"[Content_Types].xml", pack([]byte(fmt.Sprintf(contentTypes, "xl/workbook.xml", "spreadsheetml.sheet.main"))), 0},
				entry{"_rels/.rels", pack([]byte(fmt.Sprintf(relations, "xl/workbook.xml", ""))), 0},
				entry{"xl/workbook.xml", pack([]byte(`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>`)), 0},
				entry{"xl/sharedStrings.xml", append(flushed([]byte(table+"<si><t>")), deflated(1024)...), 0})
		}},
		{Name: "workbook of 2,000,000 strings", File: "a.xlsx", Ends: true, Make: func() []byte {
			return office("xl/workbook.xml", "spreadsheetml.sheet.main", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>`,
				[2]string{"xl/sharedStrings.xml", table + numbered(2_000_000, "<si><t>%d</t></si>") + "</sst>"})
		}},
		{Name: "document of entities of entities", File: "a.docx", Ends: true, Make: func() []byte {
			return word(laughs + `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&a30;</w:t></w:r></w:p></w:body></w:document>`)
		}},
		{Name: "document of 2,000,000 elements in each other", File: "a.docx", Ends: true, Make: func() []byte { return word("<w:document>" + strings.Repeat("<w:p>", 2_000_000)) }},
		{Name: "document of an element with 1,000,000 attributes", File: "a.docx", Ends: true, Make: func() []byte { return word("<w:document " + numbered(1_000_000, `a%d="" `) + ">") }},
		{Name: "document of 300,000 relations", File: "a.docx", Ends: true, Make: func() []byte {
			return word("<w:document/>", [2]string{"word/_rels/document.xml.rels", fmt.Sprintf(relations, "a", numbered(300_000, `<Relationship Id="r%d" TargetMode="External" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="http://a.example/"/>`))})
		}},
		{Name: "document with 20,000 parts", File: "a.docx", Make: func() []byte {
			var more [][2]string
			for i := range 20_000 {
				more = append(more, [2]string{fmt.Sprintf("word/p%d.xml", i), fmt.Sprintf("<p>%d</p>", i)})
			}
			return word("<w:document/>", more...)
		}},
		{Name: "rtf of 5,000,000 groups in each other", File: "a.rtf", Ends: true, Make: func() []byte { return append([]byte(`{\rtf1`), repeat("{", 5_000_000)...) }},
		{Name: "rtf of 100,000 objects", File: "a.rtf", Ends: true, Make: func() []byte {
			return []byte(`{\rtf1` + numbered(100_000, `{\object\objemb{\*\objdata 0105000002000000%08x}}`) + "}")
		}},
		{Name: "rtf that claims binary of 2 GB", File: "a.rtf", Ends: true, Make: func() []byte {
			return append([]byte(`{\rtf1{\object{\*\objdata \bin2147483647 `), repeat("\\bin999999999 A", 500_000)...)
		}},
		{Name: "compound file in circles", File: "a.doc", Ends: true, Make: func() []byte { return compound(40_000) }},
		{Name: "calendar of 300,000 entries", File: "a.ics", Ends: true, Make: func() []byte {
			return []byte("BEGIN:VCALENDAR\r\n" + numbered(300_000, "BEGIN:VEVENT\r\nURL:https://a.example/%d\r\n") + "END:VCALENDAR\r\n")
		}},
		{Name: "calendar of a line folded 1,000,000 times", File: "a.ics", Ends: true, Make: func() []byte {
			return []byte("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDESCRIPTION:" + strings.Repeat("a\r\n ", 1_000_000) + "\r\nEND:VEVENT\r\n")
		}},
	}
}

func pages() []Case {
	html := func(name, body string, n int) Case {
		return Case{Name: name, File: "a.html", Ends: true, Make: func() []byte { return append([]byte("<html><body>"), repeat(body, n)...) }}
	}
	script := func(name string, f func() string) Case {
		return Case{Name: name, File: "a.js", Ends: true, Make: func() []byte { return []byte(f()) }}
	}
	return []Case{
		html("2,000,000 elements in each other", "<div>", 2_000_000),
		html("1,000,000 forms with a password", "<form action=//a.example/><input type=password>", 200_000),
		html("500,000 tables in each other", "<table><tr><td>", 500_000),
		html("a comment opened 2,000,000 times", "<!--", 2_000_000),
		html("a script opened 500,000 times", "<script>a", 500_000),
		html("an attribute of 10 MB", "<a href='", 1_000_000),
		{Name: "an element with 1,000,000 attributes", File: "a.html", Ends: true, Make: func() []byte { return []byte("<html><a " + numbered(1_000_000, "a%d=1 ") + ">") }},
		{Name: "svg of entities of entities", File: "a.svg", Ends: true, Make: func() []byte {
			s := `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "ha">`
			for i := range 30 {
				s += fmt.Sprintf(`<!ENTITY a%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
			}
			return []byte(s + `]><svg xmlns="http://www.w3.org/2000/svg"><text>&a30;</text></svg>`)
		}},
		script("a string in 1,000,000 pieces", func() string { return "var a=" + strings.Repeat("'a'+", 1_000_000) + "'';eval(a)" }),
		script("calls in each other, 500,000 deep", func() string { return strings.Repeat("eval(unescape(", 500_000) + "'%61'" }),
		script("escapes of escapes", func() string {
			s := "alert(1)"
			for range 40 {
				s = strings.ReplaceAll(s, "%", "%25") + "%25%2525"
			}
			return strings.Repeat("eval(unescape('"+s+"'));", 5000)
		}),
		script("letters and braces that expressions stumble over", func() string {
			return strings.Repeat("a", 1<<20) + "!" + strings.Repeat("{(", 500_000) + strings.Repeat("\\", 1<<20) + strings.Repeat("/*", 500_000) + strings.Repeat(" ", 1<<20) + strings.Repeat("http://", 300_000) + strings.Repeat("\"'`", 300_000)
		}),
		script("String.fromCharCode of 2,000,000 numbers", func() string { return "eval(String.fromCharCode(" + strings.Repeat("97,", 2_000_000) + "97))" }),
		script("a literal of 20 MB in base64", func() string { return "atob('" + strings.Repeat("UEsDBAoA", 2_500_000) + "')" }),
		{Name: "settings of 1,000,000 dictionaries in each other", File: "a.mobileconfig", Ends: true, Make: func() []byte {
			return []byte(`<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist version="1.0">` + strings.Repeat("<dict><key>PayloadContent</key><array>", 1_000_000))
		}},
	}
}
