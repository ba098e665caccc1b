package ole

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
)

// powerpoint reads a PowerPoint Document stream, [MS-PPT]. Containers are stepped
// into by reading on, so nesting costs nothing.
func (f *file) powerpoint(b []byte) error {
	le := binary.LittleEndian
	var text strings.Builder
	var action string // what is to be run; its name follows
	for i := 0; len(b) >= 8; i++ {
		if i > maxRecords {
			return f.w.Steps()
		}
		if i&0xFFF == 0 {
			if err := f.w.Err(); err != nil {
				return err
			}
		}
		if action != "" && le.Uint16(b[2:]) != 4026 {
			f.w.Fact(inspect.ActionRuns, action)
			action = ""
		}
		head, kind, n := le.Uint16(b), le.Uint16(b[2:]), int64(le.Uint32(b[4:]))
		b = b[8:]
		if head&0xF == 0xF {
			continue // a container: its records follow
		}
		data := b[:min(n, int64(len(b)))]
		b = b[len(data):]
		switch kind {
		case 4000: // TextCharsAtom
			if text.Len() < maxText {
				text.WriteString(wide(data[:min(len(data), maxText)]) + "\n")
			}
		case 4008: // TextBytesAtom
			if text.Len() < maxText {
				text.WriteString(latin(data[:min(len(data), maxText)]) + "\n")
			}
		case 4026: // CString: among others the targets of links
			s := wide(data[:min(len(data), 8192)&^1])
			if action != "" {
				f.w.Fact(inspect.ActionRuns, action+" "+s)
				script.Look(s).State(f.w)
				action = ""
			}
			for _, u := range script.FindURLs(s, 4) {
				f.w.Link(inspect.ViaAnchor, u)
			}
		case 4083: // InteractiveInfoAtom, [MS-PPT] 2.8.2
			if len(data) >= 9 {
				switch data[8] {
				case 1:
					action = "macro"
				case 2:
					action = "program"
				}
			}
		case 0x0400: // VBAInfoAtom, [MS-PPT] 2.4.11
			if len(data) >= 8 && le.Uint32(data[4:]) == 1 {
				f.w.Mark(inspect.Macro)
			}
		case 0x1011: // ExOleObjStg, [MS-PPT] 2.10.34: macros and objects
			if err := f.storage(head>>4, data); err != nil {
				return err
			}
		case 0x2F14: // CryptSession10Container
			f.encrypted("PowerPoint")
		}
	}
	f.w.Text(inspect.OriginBody, strings.ReplaceAll(text.String(), "\r", "\n"))
	return nil
}

// storage emits a compound file within the presentation.
func (f *file) storage(instance uint16, data []byte) error {
	if instance == 0 {
		return f.emit(child.Entry{Name: "object.ole", Type: inspect.OLE, Size: -1, Bytes: data})
	}
	if len(data) < 6 {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(data[4:]))
	if err != nil {
		return nil
	}
	if f.emitted++; f.emitted > maxEmbedded {
		return f.w.Steps()
	}
	// PowerPoint leaves out the end of the stream: it ends where the size says.
	size := int64(binary.LittleEndian.Uint32(data))
	_, err = f.w.Emit(child.Entry{Name: "object.ole", Type: inspect.OLE, Method: "deflate", Size: size, Body: io.LimitReader(z, size)})
	return err
}
