// Package appended finds archives that stand in files of other kinds: installers
// that unpack themselves, pictures and documents with something behind their end.
// The archive becomes a file of its own, which its decoder opens.
package appended

import (
	"bytes"
	"context"
	"encoding/binary"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/zip"
)

// Decoder looks for archives.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "appended".
func (Decoder) Name() string { return "appended" }

// Types are those that programs open from the front, whatever is behind. Old Office
// is not among them: it keeps zips of its own (themes) in honest files.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.PE, inspect.DOSProgram, inspect.ELF, inspect.MachO, inspect.PNG, inspect.JPEG, inspect.GIF, inspect.BMP, inspect.WebP,
		inspect.ICO, inspect.TIFF, inspect.PDF, inspect.RTF, inspect.AudioVideo, inspect.HTML, inspect.HTA, inspect.LNK, inspect.Batch, inspect.Shell,
		inspect.MSI, inspect.Font, inspect.PlainText}
}

// magics are long enough not to stand in other data by chance.
var magics = []struct {
	magic string
	is    inspect.Type
}{
	{"Rar!\x1a\x07\x00", inspect.Rar}, {"Rar!\x1a\x07\x01\x00", inspect.Rar}, {"7z\xbc\xaf\x27\x1c\x00", inspect.SevenZip}, {"MSCF\x00\x00\x00\x00", inspect.Cab},
}

// Open looks for the directory of a zip at the end, and for the first start of
// another archive anywhere.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if zip.AtEnd(b) && w.Type() != inspect.MSI {
		// The zip reader finds its start by itself.
		if first := bytes.Index(b, []byte("PK\x03\x04")); first > 0 {
			if err := emit(w, inspect.Zip, b[first:]); err != nil {
				return err
			}
		}
	}
	for _, m := range magics {
		at := bytes.Index(b, []byte(m.magic))
		if at <= 0 || m.is == inspect.Cab && !cabinet(b[at:]) {
			continue
		}
		if err := emit(w, m.is, b[at:]); err != nil {
			return err
		}
	}
	return w.Err()
}

// cabinet says whether a header that may be there by chance fits.
func cabinet(b []byte) bool {
	return len(b) > 36 && b[25] == 1 && uint64(binary.LittleEndian.Uint32(b[8:])) <= uint64(len(b)) && uint64(binary.LittleEndian.Uint32(b[16:])) < uint64(len(b))
}

func emit(w *child.Work, t inspect.Type, content []byte) error {
	w.Fact(inspect.AppendedArchive, string(t))
	_, err := w.Emit(child.Entry{Name: "appended." + string(t), Type: t, Class: inspect.Archive, Method: "appended", Size: -1, Bytes: content})
	return err
}
