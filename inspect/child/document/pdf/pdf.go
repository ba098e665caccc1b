// Package pdf opens PDF files: what they do by themselves and on a click, where
// their links lead, what they carry, and what a reader sees. It needs no table of
// cross references: it reads every object that stands in the file, whether the file
// lists it or not, so an update that hides something hides nothing here.
package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/message/charset"
)

// Decoder opens PDF files.
type Decoder struct{}

// Name is "pdf".
func (Decoder) Name() string { return "pdf" }

// Types is PDF alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.PDF} }

// Open lists the objects, then reads actions, files, pages and pictures.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	w.Mark(inspect.Document)
	f := &file{w: w, last: map[int]*object{}, emitted: map[*object]bool{}, said: map[*object]bool{}, linked: map[inspect.Link]bool{}, known: map[*object]*font{}, room: inspect.MaxText,
		parser: &parser{escaped: map[string]bool{}}}
	if at := bytes.Index(b[:min(len(b), 1024)], []byte("%PDF")); at > 0 {
		w.Fact(inspect.LeadingData, fmt.Sprintf("%d bytes before %%PDF", at))
	}
	if err := f.scan(b); err != nil {
		return err
	}
	if len(f.objects) == 0 {
		return errors.New("pdf: no objects")
	}
	if locked := f.encryption(); locked {
		// Links of an encrypted file are encrypted; the names of actions are not.
		f.crypt = &crypt{none: true}
		return f.actions(true)
	}
	if err := f.unpackObjects(); err != nil {
		return err
	}
	for n := range f.parser.escaped {
		switch n {
		case "JavaScript", "JS", "OpenAction", "Launch", "URI", "EmbeddedFile", "AA", "SubmitForm", "Action", "ObjStm", "RichMedia", "XFA", "Encrypt", "FlateDecode":
			w.Fact(inspect.PDFObfuscated, "name written as numbers: "+n)
		}
	}
	if end := bytes.LastIndex(b, []byte("%%EOF")); end >= 0 {
		if rest := bytes.TrimSpace(b[end+5:]); len(rest) > 16 {
			w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes behind %%%%EOF", len(rest)))
		}
	}
	if err := f.actions(false); err != nil {
		return err
	}
	if err := f.pages(); err != nil {
		return err
	}
	return f.pictures()
}

// encryption looks for a handler and tries the empty password and those of the
// message. It says whether the file stays locked.
func (f *file) encryption() (locked bool) {
	var d, trailer dict
	for _, t := range f.trailers {
		if e := f.dict(t["Encrypt"]); e != nil {
			d, trailer = e, t
		}
	}
	if d == nil {
		return false
	}
	h := &handler{version: f.int(d["V"]), revision: f.int(d["R"]), length: f.int(d["Length"]), permissions: uint32(int64(f.number(d["P"]))), metadata: true}
	for _, s := range []struct {
		key name
		to  *[]byte
	}{{"O", &h.owner}, {"U", &h.user}, {"OE", &h.oe}, {"UE", &h.ue}} {
		t, _ := f.deref(d[s.key]).(text)
		*s.to = []byte(t)
	}
	if m, ok := f.deref(d["EncryptMetadata"]).(bool); ok {
		h.metadata = m
	}
	if id := f.array(trailer["ID"]); len(id) > 0 {
		t, _ := f.deref(id[0]).(text)
		h.id = []byte(t)
	}
	c := &crypt{version: h.version}
	how := "RC4"
	if h.length == 0 {
		h.length = 40
	}
	if h.version >= 4 {
		filter := f.dict(f.dict(d["CF"])[f.nameOr(d["StmF"], "StdCF")])
		switch f.name(filter["CFM"]) {
		case "AESV2":
			c.aes, how, h.length = true, "AES-128", 128
		case "AESV3":
			c.aes, how = true, "AES-256"
		case "V2":
			h.length = 128
		default:
			c.none = true
		}
	}
	if f.name(d["Filter"]) != "Standard" {
		f.w.Mark(inspect.Encrypted)
		f.w.Fact(inspect.EncryptedDocument, "handler "+string(f.name(d["Filter"])))
		return true
	}
	passwords := append([]string{""}, f.w.Passwords()...)
	for i, p := range passwords {
		if f.w.Err() != nil {
			break
		}
		if c.key = h.unlock(p); c.key != nil {
			f.crypt = c
			// With an empty password it opens for everybody.
			if i > 0 {
				f.w.Mark(inspect.Encrypted)
				f.w.Fact(inspect.EncryptedDocument, how)
				f.w.Fact(inspect.PasswordWorked, p)
			}
			// The handler's own strings are not encrypted; nothing reads them again.
			return false
		}
	}
	f.w.Mark(inspect.Encrypted)
	f.w.Fact(inspect.EncryptedDocument, how)
	return true
}

func (f *file) number(v any) float64 {
	n, _ := f.deref(v).(float64)
	return n
}

func (f *file) nameOr(v any, n name) name {
	if s := f.name(v); s != "" {
		return s
	}
	return n
}

// str is a string as a reader shows it: decrypted, from PDFDocEncoding or UTF-16.
func (f *file) str(v any, o *object) string {
	if r := f.target(v); r != nil {
		o = r
	}
	t, ok := f.deref(v).(text)
	if !ok {
		return ""
	}
	b := []byte(t)
	if f.crypt != nil && o != nil && !o.packed {
		b = f.crypt.stream(o.number, o.gen, b)
	}
	return decodeText(b)
}

func decodeText(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xFE\xFF")):
		var u []uint16
		for i := 2; i+1 < len(b); i += 2 {
			u = append(u, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(u))
	case bytes.HasPrefix(b, []byte("\xFF\xFE")):
		s, _ := charset.Decode("utf-16le", b[2:])
		return s
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		return strings.ToValidUTF8(string(b[3:]), "\uFFFD")
	}
	s, _ := charset.Decode("windows-1252", b)
	return s
}
