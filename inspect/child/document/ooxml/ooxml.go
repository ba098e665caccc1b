// Package ooxml reads the documents that are packages of XML: those of Office since
// 2007, OpenDocument, and the flat XML of Word. It states what the parts do, and
// leaves the parts themselves (pictures, objects, VBA projects) to the decoder of
// archives, which emits them all.
package ooxml

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/field"
)

// Bounds.
const (
	maxParts    = 5000
	maxPart     = 16 << 20 // bytes of one part
	maxElements = 3_000_000
	maxText     = 256 << 10
	maxLinks    = 500
)

// Decoder opens packages.
type Decoder struct{}

// Name is "ooxml".
func (Decoder) Name() string { return "ooxml" }

// Types are those of Office and OpenDocument.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.DOCX, inspect.XLSX, inspect.XLSB, inspect.PPTX, inspect.VSDX, inspect.ODF, inspect.WordXML}
}

// relation is a row of a .rels part.
type relation struct {
	kind, target string
	external     bool
}

// pack is a package on the table.
type pack struct {
	w        *child.Work
	parts    []*zip.File
	rels     map[string]map[string]relation // part → id
	links    map[inspect.Link]bool
	text     strings.Builder
	formulas strings.Builder // of macro sheets
	basic    strings.Builder
	elements int
}

// Open reads the relations, then the parts.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	p := &pack{w: w, rels: map[string]map[string]relation{}, links: map[inspect.Link]bool{}}
	w.Mark(inspect.Document)
	var err error
	if w.Type() == inspect.WordXML {
		err = p.part("word/flat.xml", w.Bytes())
	} else {
		err = p.open()
	}
	p.finish()
	return err
}

func (p *pack) open() error {
	z, err := zip.NewReader(bytes.NewReader(p.w.Bytes()), int64(len(p.w.Bytes())))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil // the archive's decoder says what is wrong, and reads what there is
	}
	p.parts = z.File[:min(len(z.File), maxParts)]
	for _, f := range p.parts {
		if strings.HasSuffix(strings.ToLower(f.Name), ".rels") {
			b, err := p.read(f)
			if err != nil {
				return err
			}
			if err := p.relations(f.Name, b); err != nil {
				return err
			}
		}
	}
	for _, f := range p.parts {
		low := strings.ToLower(f.Name)
		if !strings.HasSuffix(low, ".xml") || strings.HasPrefix(low, "docprops/") || strings.Contains(low, "/theme/") || strings.HasSuffix(low, "styles.xml") {
			continue
		}
		b, err := p.read(f)
		if err != nil {
			return err
		}
		if err := p.part(low, b); err != nil {
			return err
		}
	}
	return nil
}

// read unpacks a part; what is broken ends early, only the budget is an error.
func (p *pack) read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, p.w.Err()
	}
	defer r.Close()
	b, err := p.w.ReadAll(r, maxPart)
	if errors.Is(err, child.ErrBudget) {
		return b, err
	}
	return b, nil
}

// finish states what was gathered from all parts.
func (p *pack) finish() {
	p.stateFormulas()
	p.stateBasic()
	p.w.Text(inspect.OriginBody, p.text.String())
}

func (p *pack) link(via inspect.Via, u string) {
	l := inspect.Link{Via: via, URL: u}
	if u != "" && !p.links[l] && len(p.links) < maxLinks {
		p.links[l] = true
		p.w.Link(via, u)
	}
}

// tokens calls each for the tokens of a part, until it is over or can't be read.
func (p *pack) tokens(b []byte, each func(t xml.Token) error) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		if p.elements++; p.elements > maxElements {
			return p.w.Steps()
		}
		if p.elements&0xFFF == 0 {
			if err := p.w.Err(); err != nil {
				return err
			}
		}
		t, err := d.RawToken()
		if err != nil {
			return nil
		}
		if err := each(t); err != nil {
			return err
		}
	}
}

func attr(t xml.StartElement, local string) string {
	for _, a := range t.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// relations reads one .rels part. word/_rels/document.xml.rels belongs to
// word/document.xml.
func (p *pack) relations(name string, b []byte) error {
	dir, base := path.Split(strings.ToLower(name))
	owner := path.Join(path.Dir(path.Clean(dir)), strings.TrimSuffix(base, ".rels"))
	list := p.rels[owner]
	if list == nil {
		list = map[string]relation{}
		p.rels[owner] = list
	}
	return p.tokens(b, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "Relationship" || len(list) > 20_000 {
			return nil
		}
		kind := attr(e, "Type")
		r := relation{kind: kind[strings.LastIndexByte(kind, '/')+1:], target: strings.TrimSpace(attr(e, "Target")), external: strings.EqualFold(attr(e, "TargetMode"), "External")}
		list[attr(e, "Id")] = r
		p.relation(r)
		return nil
	})
}

// relation states what a relation alone does.
func (p *pack) relation(r relation) {
	kind := strings.ToLower(r.kind)
	away := field.Elsewhere(r.target)
	switch {
	case kind == "hyperlink":
		if r.external && away {
			p.link(inspect.ViaAnchor, r.target)
		}
	case kind == "attachedtemplate" && r.external && away:
		p.w.Fact(inspect.RemoteTemplate, r.target)
		p.link(inspect.ViaAuto, r.target)
	case (kind == "image" || kind == "video" || kind == "audio" || kind == "media") && r.external && away:
		if !strings.HasPrefix(strings.ToLower(r.target), "http") {
			p.w.Fact(inspect.RemoteObject, r.target)
		}
		p.link(inspect.ViaAuto, r.target)
	case r.external && away:
		p.w.Fact(inspect.RemoteObject, r.target)
		p.link(inspect.ViaAuto, r.target)
	case r.external:
	case kind == "vbaproject":
		p.w.Mark(inspect.Macro)
	case kind == "xlmacrosheet" || kind == "xlintlmacrosheet":
		p.w.Mark(inspect.Macro)
	case kind == "control" || kind == "activexcontrol" || kind == "activexcontrolbinary":
		p.w.Fact(inspect.ActiveControl, path.Base(r.target))
	case kind == "oleobject" || kind == "package" || kind == "afchunk":
		p.w.Fact(inspect.EmbeddedObject, path.Base(r.target))
	}
}
