// Package onenote takes the embedded files out of OneNote sections (MS-ONESTORE).
// The file's own tree is not followed: the objects that hold files are found by
// their marks, so that damaged and hidden ones are found too.
package onenote

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/identify"
)

// Decoder opens sections.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "onenote".
func (Decoder) Name() string { return "onenote" }

// Types is onenote alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.OneNote} }

// mark begins a FileDataStoreObject. MS-ONESTORE 2.6.13
const mark = "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac"

// headLen is the mark, the length, and twelve bytes without a meaning.
const headLen = 36

// Open emits the embedded files. Where as many names as files stand in the section,
// they belong to each other in that order; else the names are listed on their own,
// since a name tells what a script is.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	var objects [][]byte
	var cut []bool
	for at := 0; len(objects) < w.Budget().Entries; {
		i := bytes.Index(b[at:], []byte(mark))
		if i < 0 {
			break
		}
		at += i
		if at+headLen > len(b) {
			break
		}
		size := binary.LittleEndian.Uint64(b[at+16:])
		at += headLen
		n := min(size, uint64(len(b)-at))
		objects = append(objects, b[at:at+int(n)])
		cut = append(cut, n < size)
		// Objects don't overlap in an honest file; looking on from the start of the
		// content finds those that are hidden by a wrong length.
	}
	names := fileNames(b)
	paired := len(names) == len(objects)
	for i, o := range objects {
		e := child.Entry{Name: fmt.Sprintf("embedded %d", i+1), Method: "embedded", Size: -1, Bytes: o}
		if paired {
			e.Name = names[i]
		}
		if cut[i] {
			e.Bytes, e.Body = nil, io.MultiReader(bytes.NewReader(o), broken{})
		}
		if _, err := w.Emit(e); err != nil {
			return err
		}
	}
	if paired {
		return nil
	}
	for _, n := range names {
		if _, err := w.Emit(child.Entry{Name: n, Method: "named", Size: -1}); err != nil {
			return err
		}
	}
	return nil
}

// broken ends a file that its section cuts off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Bounds of the names that are looked for.
const (
	maxNames = 256
	maxRunes = 200
)

// fileNames finds strings of UTF-16 that look like names of files with an extension
// that is known to do something or to hold something.
func fileNames(b []byte) []string {
	var out []string
	for at := 0; at+8 <= len(b) && len(out) < maxNames; {
		// A name has ASCII at its dot: only places with a zero at every other byte
		// are looked at.
		if b[at+1] != 0 || b[at] < ' ' || b[at] > '~' {
			at++
			continue
		}
		var name []byte
		end := at
		for end+1 < len(b) && b[end+1] == 0 && b[end] >= ' ' && b[end] <= '~' {
			if len(name) <= maxRunes {
				name = append(name, b[end])
			}
			end += 2
		}
		if s := string(name); len(name) >= 4 && len(name) <= maxRunes && looksLikeName(s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
		at = end + 1
	}
	return out
}

func looksLikeName(s string) bool {
	for _, c := range s {
		switch c {
		case '<', '>', '"', '|', '?', '*', '/':
			return false
		}
	}
	return identify.ByName(s) != 0
}
