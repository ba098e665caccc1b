package ooxml

import (
	"bytes"
	"compress/zlib"
	"encoding/xml"
	"net/url"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/field"
	"sluice/inspect/child/document/ole"
	"sluice/inspect/child/document/script"
)

// reader is the state within one part.
type reader struct {
	*pack
	name   string
	rels   map[string]relation
	fields field.Reader
	in     string          // the element whose text counts
	buf    strings.Builder // its text
	macro  bool            // a sheet of macros
}

// maxElementText bounds the text of one element.
const maxElementText = 4 << 20

// part reads one part. Names of elements are told apart well enough without their
// prefixes.
func (p *pack) part(name string, b []byte) error {
	r := &reader{pack: p, name: name, rels: p.rels[name], macro: strings.Contains(name, "macrosheets/")}
	err := p.tokens(b, func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			r.start(t)
		case xml.CharData:
			if r.in != "" && r.buf.Len() < maxElementText {
				r.buf.Write(t)
			}
		case xml.EndElement:
			return r.end(t.Name.Local)
		}
		return nil
	})
	for _, c := range r.fields.Codes {
		field.State(p.w, c)
	}
	if s := r.fields.Plain(); p.text.Len() < maxText {
		p.text.WriteString(s[:min(len(s), maxText)])
	}
	return err
}

func (r *reader) start(t xml.StartElement) {
	switch t.Name.Local {
	case "t", "f", "instrText", "binData", "binaryData", "p", "h", "a", "module":
		if t.Name.Local == "p" || t.Name.Local == "h" || t.Name.Local == "a" {
			// Text of OpenDocument stands right in the paragraph.
			if t.Name.Space != "text" {
				break
			}
			if t.Name.Local == "a" {
				r.away(inspect.ViaAnchor, attr(t, "href"))
			}
			if r.in == "p" {
				break // the paragraph goes on
			}
			r.in = "p"
			break
		}
		r.in = t.Name.Local
		r.buf.Reset()
	case "tab", "br", "cr":
		r.fields.Write(" ")
	case "fldSimple":
		field.State(r.w, attr(t, "instr"))
	case "fldChar":
		switch attr(t, "fldCharType") {
		case "begin":
			r.fields.Write("\x13")
		case "separate":
			r.fields.Write("\x14")
		case "end":
			r.fields.Write("\x15")
		}
	case "sheet":
		r.sheet(t)
	case "definedName":
		if n := strings.ToLower(strings.TrimPrefix(attr(t, "name"), "_xlnm.")); strings.HasPrefix(n, "auto_open") || strings.HasPrefix(n, "auto_close") || strings.HasPrefix(n, "auto_activate") {
			r.w.Fact(inspect.MacroAutorun, attr(t, "name"))
		}
	case "ddeLink":
		field.DDE(r.w, attr(t, "ddeService")+"|"+attr(t, "ddeTopic"))
	case "dde-source", "dde-connection-decl":
		field.DDE(r.w, attr(t, "dde-application")+"|"+attr(t, "dde-topic")+"!"+attr(t, "dde-item"))
	case "hlinkClick", "hlinkHover", "hlinkMouseOver":
		r.action(t)
	case "OLEObject", "oleObj":
		if id := attr(t, "ProgID") + attr(t, "progId"); strings.HasPrefix(strings.ToLower(id), "equation") {
			r.w.Fact(inspect.EquationObject, id)
		}
	case "dbPr", "webPr", "oledbPr":
		for _, u := range script.FindURLs(attr(t, "connection")+" "+attr(t, "url"), 4) {
			r.w.Fact(inspect.RemoteObject, u)
			r.link(inspect.ViaAuto, u)
		}
	case "customUI":
		if f := attr(t, "onLoad"); f != "" {
			r.w.Fact(inspect.MacroAutorun, "customUI "+f)
		}
	case "event-listener":
		if h := attr(t, "href"); h != "" {
			r.w.Fact(inspect.MacroAutorun, attr(t, "event-name")+" "+h)
		}
	case "object-ole", "object", "image", "plugin", "floating-frame":
		if r.name == "content.xml" {
			if h := attr(t, "href"); field.Elsewhere(h) {
				if t.Name.Local != "image" {
					r.w.Fact(inspect.RemoteObject, h)
				}
				r.away(inspect.ViaAuto, h)
			}
		}
	}
}

func (r *reader) away(via inspect.Via, u string) {
	if field.Elsewhere(u) {
		r.link(via, u)
	}
}

// sheet reads a row of workbook.xml: a sheet of macros, and whether it is seen.
func (r *reader) sheet(t xml.StartElement) {
	kind := strings.ToLower(r.rels[attr(t, "id")].kind)
	if kind != "xlmacrosheet" && kind != "xlintlmacrosheet" {
		return
	}
	name := attr(t, "name")
	r.w.Mark(inspect.Macro)
	r.w.Fact(inspect.SheetMacro, name)
	switch attr(t, "state") {
	case "hidden":
		r.w.Fact(inspect.SheetHidden, "hidden: "+name)
	case "veryHidden":
		r.w.Fact(inspect.SheetHidden, "very hidden: "+name)
	}
}

// action reads what a click or the mouse does on a slide.
func (r *reader) action(t xml.StartElement) {
	a := attr(t, "action")
	target := r.rels[attr(t, "id")].target
	if plain, err := url.PathUnescape(target); err == nil {
		target = plain
	}
	switch low := strings.ToLower(a); {
	case strings.HasPrefix(low, "ppaction://program"):
		r.w.Fact(inspect.ActionRuns, "program "+target)
		script.Look(target).State(r.w)
	case strings.HasPrefix(low, "ppaction://macro"):
		r.w.Fact(inspect.ActionRuns, "macro "+a[strings.IndexByte(a, ':')+3:])
	}
	if t.Name.Local != "hlinkClick" && field.Elsewhere(target) {
		r.w.Fact(inspect.ActionRuns, "mouse over: "+target)
	}
}

func (r *reader) end(local string) error {
	if local == "p" || local == "h" || local == "si" || local == "row" {
		if r.in == "p" {
			r.fields.Write(r.buf.String())
			r.buf.Reset()
			r.in = ""
		}
		r.fields.Write("\n")
		return nil
	}
	if local != r.in || r.in == "" || r.in == "p" {
		return nil
	}
	s := r.buf.String()
	r.buf.Reset()
	r.in = ""
	switch local {
	case "t", "instrText":
		r.fields.Write(s)
	case "f":
		r.formula(s)
	case "module":
		if r.basic.Len() < maxElementText {
			r.basic.WriteString(s)
		}
	case "binData", "binaryData":
		return r.binary(s)
	}
	return nil
}

// formula reads a cell's formula.
func (r *reader) formula(s string) {
	if r.macro {
		if r.formulas.Len() < maxText {
			r.formulas.WriteString(s)
			r.formulas.WriteByte('\n')
		}
		return
	}
	if app, _, ok := strings.Cut(s, "|"); ok && strings.Contains(s, "!") && strings.ContainsAny(s, "'") && len(app) < 64 {
		field.DDE(r.w, s)
	}
	low := strings.ToUpper(s[:min(len(s), 8192)])
	for _, f := range []string{"WEBSERVICE(", "IMPORTXML(", "IMPORTDATA("} {
		if strings.Contains(low, f) {
			r.w.Fact(inspect.CodeFetches, strings.TrimSuffix(f, "("))
		}
	}
	via := inspect.ViaAnchor
	if strings.Contains(low, "WEBSERVICE(") {
		via = inspect.ViaAuto
	}
	for _, u := range script.FindURLs(s, 8) {
		r.link(via, u)
	}
}

// binary reads base64 within flat XML: macros are in an ActiveMime container.
func (r *reader) binary(s string) error {
	b, ok := script.Base64(strings.TrimSpace(s))
	if !ok || len(b) < 64 {
		return r.w.Err()
	}
	e := child.Entry{Name: "data.bin", Method: "base64", Size: -1, Bytes: b}
	if i := bytes.Index(b[:min(len(b), 128)], []byte{0x78, 0x9C}); bytes.HasPrefix(b, []byte("ActiveMime")) && i > 0 {
		if z, err := zlib.NewReader(bytes.NewReader(b[i:])); err == nil {
			e = child.Entry{Name: "macros.mso", Type: inspect.OLE, Method: "deflate", Size: -1, Body: z}
			r.w.Mark(inspect.Macro)
		}
	}
	_, err := r.w.Emit(e)
	return err
}

func (p *pack) stateFormulas() {
	if p.formulas.Len() > 0 {
		ole.StateFormulas(p.w, p.formulas.String())
	}
}

func (p *pack) stateBasic() {
	if p.basic.Len() == 0 {
		return
	}
	p.w.Mark(inspect.Macro)
	p.w.Fact(inspect.MacroCode, "Basic")
	script.Look(p.basic.String()).State(p.w)
	p.w.Text(inspect.OriginScript, p.basic.String())
}
