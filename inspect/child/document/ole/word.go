package ole

import (
	"encoding/binary"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child/document/field"
	"sluice/inspect/child/document/script"
	"sluice/inspect/child/document/vba"
	"sluice/message/charset"
)

// word reads a WordDocument stream by its FIB, [MS-DOC] 2.5.
func (f *file) word(dir string, b []byte) error {
	le := binary.LittleEndian
	if len(b) < 0x20 || le.Uint16(b) != 0xA5EC && le.Uint16(b) != 0xA5DC {
		return nil
	}
	flags := le.Uint16(b[0x0A:])
	if flags&0x0100 != 0 {
		how := "Word"
		if flags&0x8000 != 0 {
			how = "Word, XOR"
		}
		f.encrypted(how)
		return nil
	}
	table := "0Table"
	if flags&0x0200 != 0 {
		table = "1Table"
	}
	var t []byte
	if e, ok := f.Find(dir + table); ok {
		t = f.Read(e, maxStream)
		if err := f.w.Charge(len(t)); err != nil {
			return err
		}
	}
	// Addresses in the tables: hyperlinks' targets and the template's path.
	for _, u := range script.FindURLs(vba.Strings(t, 6), 100) {
		if low := strings.ToLower(u); strings.HasSuffix(low, ".dot") || strings.HasSuffix(low, ".dotm") || strings.HasSuffix(low, ".dotx") {
			f.w.Fact(inspect.RemoteTemplate, u)
			f.w.Link(inspect.ViaAuto, u)
		} else {
			f.w.Link(inspect.ViaMetadata, u)
		}
	}
	var r field.Reader
	if !pieces(b, t, &r) {
		// No piece table: the text stands where the FIB says, in one byte each.
		if from, to := le.Uint32(b[0x18:]), le.Uint32(b[0x1C:]); from < to && int64(from) < int64(len(b)) {
			to = uint32(min(int64(to), int64(len(b)), int64(from)+maxText))
			r.Write(latin(b[from:to]))
		}
	}
	f.fields(&r)
	return nil
}

// pieces reads the piece table, [MS-DOC] 2.4.1.
func pieces(b, t []byte, r *field.Reader) bool {
	le := binary.LittleEndian
	if len(b) < 0x01AA {
		return false
	}
	at, n := int64(le.Uint32(b[0x01A2:])), int64(le.Uint32(b[0x01A6:]))
	if n == 0 || at+n > int64(len(t)) {
		return false
	}
	clx := t[at : at+n]
	for len(clx) >= 3 && clx[0] == 1 { // properties stand before the table
		clx = clx[min(3+int(le.Uint16(clx[1:])), len(clx)):]
	}
	if len(clx) < 5 || clx[0] != 2 {
		return false
	}
	clx = clx[5:]
	count := (len(clx) - 4) / 12
	total := 0
	for i := range count {
		from, to := le.Uint32(clx[4*i:]), le.Uint32(clx[4*i+4:])
		fc := le.Uint32(clx[4*(count+1)+8*i+2:])
		if to <= from || total >= maxText {
			continue
		}
		chars := int64(to - from)
		off := int64(fc & 0x3FFFFFFF)
		if fc&0x40000000 != 0 {
			off /= 2
		} else {
			chars *= 2
		}
		if off >= int64(len(b)) {
			continue
		}
		part := b[off:min(off+chars, off+maxText, int64(len(b)))]
		total += len(part)
		if fc&0x40000000 != 0 {
			r.Write(latin(part))
		} else {
			r.Write(wide(part))
		}
	}
	return total > 0
}

func latin(b []byte) string {
	s, _ := charset.Decode("windows-1252", b)
	return s
}

func wide(b []byte) string {
	s, _ := charset.Decode("utf-16le", b)
	return s
}
