package message

import (
	"bytes"
	"strings"

	"sluice/message/charset"
	"sluice/message/header"
)

// describe reads the MIME fields of a part's header. The first of duplicate
// fields counts; the others become Readings.
func (p *parser) describe(part *Part) {
	part.Type = "text/plain" // RFC 2045 5.2
	if part.Parent != nil && part.Parent.Type == "multipart/digest" {
		part.Type = "message/rfc822" // RFC 2046 5.1.5
	}
	part.Encoding = "7bit" // RFC 2045 6.1
	var ctype, enc, disp *header.Field
	for i := range part.Header.Fields {
		f := &part.Header.Fields[i]
		if len(f.Name) < 12 || f.Name[0]|0x20 != 'c' {
			continue
		}
		switch {
		case f.Is("Content-Type"):
			if ctype == nil {
				ctype = f
				p.contentType(part, f)
			} else {
				p.secondType(part, ctype, f)
			}
		case f.Is("Content-Transfer-Encoding"):
			if enc == nil {
				enc = f
				part.Encoding = p.encoding(part, f)
			} else {
				other, _ := cleanEncoding(f.Value)
				p.defect(DuplicateEncoding, f.Range, part.Index, f.Value, other != part.Encoding)
				if other != part.Encoding {
					part.reading(Reading{Why: DuplicateEncoding, Type: part.Type, Filename: part.Filename, Encoding: other})
				}
			}
		case f.Is("Content-Disposition"):
			if disp == nil {
				disp = f
			} else {
				p.secondDisposition(part, f)
			}
		}
	}
	p.names(part, ctype, disp)
	for i := range part.Readings { // fields come in any order
		r := &part.Readings[i]
		if r.Why != DuplicateEncoding && r.Why != OddEncoding {
			r.Encoding = part.Encoding
		}
		if r.Filename == "" {
			r.Filename = part.Filename
		}
	}
	if (part.IsMultipart() || part.IsMessage()) && !identity(part.Encoding) {
		p.defect(EncodedComposed, fieldRange(enc), part.Index, part.Encoding, true) // RFC 2045 6.4
	}
	switch part.Type {
	case "message/partial":
		p.defect(PartialMessage, fieldRange(ctype), part.Index, "", true)
	case "message/external-body":
		p.defect(ExternalBody, fieldRange(ctype), part.Index, "", true)
	}
}

func fieldRange(f *header.Field) Range {
	if f == nil {
		return Range{}
	}
	return f.Range
}

// relocate moves the defects of one field's value to the field; offsets inside an
// unfolded value don't map back.
func (p *parser) relocate(defects []Defect, f *header.Field, part *Part) {
	for _, d := range defects {
		p.defect(d.Code, f.Range, part.Index, d.Detail, d.Ambiguous)
	}
}

// contentType fills Type, Params and Charset.
func (p *parser) contentType(part *Part, f *header.Field) {
	main, list, defects := header.ParseParamList(f.Value)
	p.relocate(defects, f, part)
	if !validType(main) {
		main = repairType(main)
		if validType(main) {
			p.defect(BadContentType, f.Range, part.Index, f.Value, true)
		}
	}
	switch {
	case validType(main):
		part.Type = main
	case main == "text":
		p.defect(BadContentType, f.Range, part.Index, f.Value, false)
	default: // RFC 2045 5.2: text/plain; others call it octet-stream or guess
		p.defect(BadContentType, f.Range, part.Index, f.Value, true)
		part.reading(Reading{Why: BadContentType, Type: "application/octet-stream"})
	}
	if strings.IndexByte(f.Value, '(') >= 0 && strings.IndexByte(f.Value, '(') < len(main)+2 {
		p.defect(TypeComment, f.Range, part.Index, f.Value, true)
	}
	part.Params = header.ParamMap(list)
	part.Charset = header.Lower(strings.Trim(part.Params["charset"], " \t\"'"))
	part.Charset = clip(part.Charset, 64)
	if part.Charset != "" && isText(part.Type) && !charset.Known(part.Charset) {
		p.defect(UnknownCharset, f.Range, part.Index, part.Charset, false)
	}
	if !part.IsMultipart() {
		return
	}
	for _, q := range list {
		if q.Name != "boundary" {
			continue
		}
		if !q.Plain || q.Value != q.Raw {
			p.defect(BoundaryOdd, f.Range, part.Index, q.Value, true)
			if q.Raw != q.Value {
				part.reading(Reading{Why: BoundaryOdd, Type: part.Type, Boundary: q.Raw})
			}
		}
		if q.Value != part.Params["boundary"] {
			p.defect(DuplicateBoundary, f.Range, part.Index, q.Value, true)
			part.reading(Reading{Why: DuplicateBoundary, Type: part.Type, Boundary: q.Value})
		}
	}
}

// repairType cuts what stands around a type: spaces beside the slash, quotes, and
// text behind it.
func repairType(s string) string {
	s = strings.Trim(s, " \t\"'<>")
	if major, minor, ok := strings.Cut(s, "/"); ok {
		s = strings.TrimRight(major, " \t") + "/" + strings.TrimLeft(minor, " \t")
	}
	if i := strings.IndexAny(s, " \t\r\n,"); i > 0 {
		s = s[:i]
	}
	return s
}

// secondType turns a further Content-Type field into a second reading.
func (p *parser) secondType(part *Part, first, f *header.Field) {
	main, params, _ := header.ParseParams(f.Value)
	differ := f.Value != first.Value
	p.defect(DuplicateContentType, f.Range, part.Index, f.Value, differ)
	if differ {
		part.reading(Reading{Why: DuplicateContentType, Type: main, Filename: params["name"], Boundary: params["boundary"], Encoding: part.Encoding})
	}
}

func (p *parser) secondDisposition(part *Part, f *header.Field) {
	_, params, _ := header.ParseParams(f.Value)
	p.defect(DuplicateDisposition, f.Range, part.Index, f.Value, true)
	if name := params["filename"]; name != "" {
		part.reading(Reading{Why: DuplicateDisposition, Type: part.Type, Filename: name, Encoding: part.Encoding})
	}
}

// names fills Disposition and Filename.
func (p *parser) names(part *Part, ctype, disp *header.Field) {
	name := part.Params["name"]
	if disp == nil {
		part.Filename = name
		if name != "" && !ascii(ctype.Value) {
			p.defect(FilenameEightBit, ctype.Range, part.Index, name, false)
		}
		return
	}
	main, list, defects := header.ParseParamList(disp.Value)
	p.relocate(defects, disp, part)
	params := header.ParamMap(list)
	switch {
	case main == "inline":
		part.Disposition = "inline"
	case strings.IndexByte(main, '=') > 0: // the word is missing: "filename=x"
		_, more, _ := header.ParseParamList("x;" + disp.Value)
		list = append(list, more...)
		params = header.ParamMap(list)
		part.Disposition = "attachment"
		p.defect(header.ParamSyntax, disp.Range, part.Index, disp.Value, true)
	case main != "": // RFC 2183 2.8: unknown ones are attachments
		part.Disposition = "attachment"
	}
	part.Filename = params["filename"]
	if part.Filename == "" {
		part.Filename = params["name"] // not defined; clients take it
	}
	if part.Filename != "" && !ascii(disp.Value) {
		p.defect(FilenameEightBit, disp.Range, part.Index, part.Filename, false)
	}
	for _, q := range list {
		if q.Name == "filename" && q.Value != part.Filename {
			part.reading(Reading{Why: FilenameConflict, Type: part.Type, Filename: q.Value, Encoding: part.Encoding})
		}
	}
	switch {
	case part.Filename == "":
		part.Filename = name
	case name != "" && name != part.Filename:
		p.defect(FilenameConflict, disp.Range, part.Index, part.Filename+" / "+name, true)
		part.reading(Reading{Why: FilenameConflict, Type: part.Type, Filename: name, Encoding: part.Encoding})
	}
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// validType says whether s is "token/token" (RFC 2045 5.1).
func validType(s string) bool {
	slash := -1
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '/' && slash < 0 {
			slash = i
			continue
		}
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return slash > 0 && slash < len(s)-1
}

// encoding reads Content-Transfer-Encoding.
func (p *parser) encoding(part *Part, f *header.Field) string {
	enc, odd := cleanEncoding(f.Value)
	if odd {
		p.defect(OddEncoding, f.Range, part.Index, f.Value, true)
		part.reading(Reading{Why: OddEncoding, Type: part.Type, Filename: part.Filename, Encoding: "7bit"})
	}
	switch enc {
	case "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode":
	default:
		p.defect(UnknownEncoding, f.Range, part.Index, f.Value, true) // RFC 2045 6.4
	}
	return enc
}

// cleanEncoding removes comments, quotes and parameters, which clients forgive in
// different ways.
func cleanEncoding(v string) (enc string, odd bool) {
	enc = header.Lower(strings.Trim(v, " \t\r\n"))
	switch enc {
	case "7bit", "8bit", "binary", "base64", "quoted-printable":
		return enc, false
	case "":
		return "7bit", false
	case "x-uuencode", "uuencode", "x-uue", "uue":
		return "x-uuencode", false
	}
	main, _, _ := header.ParseParams(v)
	main = strings.Trim(main, " \t\"'.,:")
	if i := strings.IndexAny(main, " \t"); i > 0 {
		main = main[:i]
	}
	switch main {
	case "7bit", "8bit", "binary", "base64", "quoted-printable":
		return main, true
	case "7-bit":
		return "7bit", true
	case "8-bit", "8bits":
		return "8bit", true
	case "quotedprintable", "quoted_printable", "qp":
		return "quoted-printable", true
	case "base-64", "b64":
		return "base64", true
	}
	return clip(strings.ToValidUTF8(enc, "\uFFFD"), 64), false
}

// identity says whether the encoding leaves the bytes as they are.
func identity(enc string) bool {
	switch enc {
	case "base64", "quoted-printable", "x-uuencode":
		return false
	}
	return true
}

// boundary returns a multipart's boundary, or "" where it has none. Without a
// usable parameter it is guessed from the first line that looks like a
// delimiter, as some readers do; the parts it makes are ghosts.
func (p *parser) boundary(part *Part) string {
	b, given := part.Params["boundary"]
	at := part.Header.Range
	if f := part.Header.Field("Content-Type"); f != nil {
		at = f.Range
	}
	if t := strings.TrimRight(b, " \t"); t != b {
		p.defect(BoundarySpace, at, part.Index, b, true) // RFC 2046 5.1.1 forbids it
		b = t
	}
	switch {
	case len(b) > maxBoundary:
		p.defect(LongBoundary, at, part.Index, b, true)
		return ""
	case b != "":
		if len(b) > 70 {
			p.defect(LongBoundary, at, part.Index, b, false)
		}
		return b
	case given:
		p.defect(EmptyBoundary, at, part.Index, "", true)
	default:
		p.defect(MissingBoundary, at, part.Index, "", true)
	}
	guess := p.guessBoundary(part.Body.Off)
	if guess != "" {
		part.guessed = true
		part.reading(Reading{Why: MissingBoundary, Type: part.Type, Boundary: guess})
	}
	return guess
}

// guessBoundary looks for a line "--x" followed by a header field.
func (p *parser) guessBoundary(at int) string {
	for range 50 {
		if at >= len(p.raw) {
			return ""
		}
		end := p.lineEnd(at)
		line := bytes.TrimRight(p.raw[at:end], " \t\r\n")
		if len(line) > 2 && len(line) < 200 && line[0] == '-' && line[1] == '-' && line[2] != ' ' && end < len(p.raw) {
			next := p.raw[end:p.lineEnd(end)]
			if header.IsField(next) {
				return string(line[2:])
			}
		}
		at = end
	}
	return ""
}
