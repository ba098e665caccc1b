// Package ole opens the binary documents of Office: macros, fields, formulas of
// Excel 4, actions of PowerPoint, objects, encryption, text. All of them are
// compound files; a file may be several at once, so streams are read by their names
// wherever they stand.
package ole

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/cfb"
	"sluice/inspect/child/document/field"
	"sluice/inspect/child/document/object"
	"sluice/inspect/child/document/script"
	"sluice/inspect/child/document/vba"
)

// Bounds.
const (
	maxStream   = 32 << 20 // bytes of one stream
	maxText     = 256 << 10
	maxEmbedded = 200
	maxStreams  = 1000 // that are read by their names
)

// Decoder opens compound files that are documents.
type Decoder struct{}

// Name is "ole".
func (Decoder) Name() string { return "ole" }

// Types are those of binary Office and of compound files of no closer kind.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.OLE, inspect.DOC, inspect.XLS, inspect.PPT}
}

// file is a compound file on the table.
type file struct {
	*cfb.File
	w       *child.Work
	emitted int
	streams int // that were read by their names
}

// Open reads macros first, then stream by stream.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	c, err := cfb.Open(w.Bytes())
	if err != nil {
		return err
	}
	f := &file{File: c, w: w}
	f.refine()
	projects, err := vba.Read(c, w)
	for i := range projects {
		projects[i].State(w)
	}
	if err != nil {
		return err
	}
	for _, e := range c.Entries {
		object.StateClass(w, e.CLSID)
		if e.Storage {
			continue
		}
		if err := f.stream(e); err != nil {
			return err
		}
	}
	if c.Broken != "" {
		return errors.New(c.Broken)
	}
	return nil
}

// refine names the document by its main stream.
func (f *file) refine() {
	if f.w.Type() != inspect.OLE {
		return
	}
	for _, k := range []struct {
		stream string
		t      inspect.Type
	}{{"WordDocument", inspect.DOC}, {"Workbook", inspect.XLS}, {"Book", inspect.XLS}, {"PowerPoint Document", inspect.PPT}} {
		if e, ok := f.Find(k.stream); ok && !e.Storage {
			f.w.Refine(k.t)
			f.w.Mark(inspect.Document)
			return
		}
	}
}

// stream reads one stream by its name.
func (f *file) stream(e cfb.Entry) error {
	name := strings.ToLower(e.Name)
	switch name {
	case "worddocument", "workbook", "book", "powerpoint document", "\x01ole10native", "package", "contents", "\x01ole", "equation native", "encryptedpackage", "current user", "content":
	default:
		return f.w.Err()
	}
	if f.streams++; f.streams > maxStreams {
		return f.w.Steps()
	}
	b := f.Read(e, maxStream)
	if err := f.w.Charge(len(b)); err != nil {
		return err
	}
	dir := strings.TrimSuffix(e.Path, e.Name)
	switch name {
	case "worddocument":
		return f.word(dir, b)
	case "workbook", "book":
		return f.excel(b)
	case "powerpoint document":
		return f.powerpoint(b)
	case "current user":
		// [MS-PPT] 2.3.2: this token marks an encrypted document.
		if len(b) >= 16 && binary.LittleEndian.Uint32(b[12:]) == 0xF3D1C4DF {
			f.encrypted("PowerPoint")
		}
	case "\x01ole10native":
		p, err := object.ParseStream(b)
		if err != nil {
			// Programs other than the packager keep what they like there.
			return f.emit(child.Entry{Name: "Ole10Native", Size: -1, Bytes: rest(b, 4)})
		}
		if f.emitted++; f.emitted > maxEmbedded {
			return f.w.Steps()
		}
		return p.State(f.w)
	case "package", "contents", "content":
		return f.emit(child.Entry{Name: e.Name, Size: -1, Bytes: b})
	case "\x01ole":
		f.link(b)
	case "equation native":
		f.w.Fact(inspect.EquationObject, "Equation Native")
	case "encryptedpackage":
		return f.package_(dir, b)
	}
	return nil
}

func (f *file) emit(e child.Entry) error {
	if len(e.Bytes) == 0 {
		return nil
	}
	if f.emitted++; f.emitted > maxEmbedded {
		return f.w.Steps()
	}
	_, err := f.w.Emit(e)
	return err
}

func (f *file) encrypted(how string) {
	f.w.Mark(inspect.Encrypted)
	f.w.Fact(inspect.EncryptedDocument, how)
}

// link reads the stream of an object that is linked: its monikers name where the
// object comes from. [MS-OLEDS] 2.3.3
func (f *file) link(b []byte) {
	if len(b) < 8 || binary.LittleEndian.Uint32(b[4:])&1 == 0 {
		return
	}
	text := vba.Strings(b, 4)
	for _, u := range script.FindURLs(text, 20) {
		f.w.Fact(inspect.RemoteObject, u)
		f.w.Link(inspect.ViaAuto, u)
	}
	for l := range strings.Lines(text) {
		if low := strings.ToLower(l); strings.HasPrefix(low, "script:") || strings.HasPrefix(low, "mhtml:") {
			f.w.Fact(inspect.RemoteObject, strings.TrimSpace(l))
		}
	}
}

func rest(b []byte, n int) []byte { return b[min(n, len(b)):] }

// fields states what field codes say, and the text around them.
func (f *file) fields(r *field.Reader) {
	for _, c := range r.Codes {
		field.State(f.w, c)
	}
	f.w.Text(inspect.OriginBody, r.Plain())
}
