// Package listing reads the directories of archives that are rare today and loved by
// attackers for it: ARJ, LHA, ACE, XAR and CHM. What is stored in them without
// compression (in XAR: also with zlib and bzip2) becomes a file, the rest is named.
package listing

import (
	"bytes"
	"compress/bzip2"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder lists.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "listing".
func (Decoder) Name() string { return "listing" }

// Types lists the formats.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.Arj, inspect.LHA, inspect.Ace, inspect.Xar, inspect.CHM}
}

// Open reads the directory.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	switch w.Type() {
	case inspect.Arj:
		return arj(w)
	case inspect.LHA:
		return lha(w)
	case inspect.Ace:
		return ace(w)
	case inspect.Xar:
		return xar(w)
	}
	return chm(w)
}

// entry emits what a directory says of a file; content is nil where it is packed.
func entry(w *child.Work, name, method string, size int64, locked bool, content []byte) error {
	e := child.Entry{Name: name, Method: method, Size: size, Encrypted: locked}
	if !locked && content != nil && int64(len(content)) == size {
		e.Bytes = content
	}
	_, err := w.Emit(e)
	if locked {
		w.Mark(inspect.Encrypted)
	}
	return err
}

// slice is b[at:at+n] as far as it is there; never nil.
func slice(b []byte, at, n int64) []byte {
	if at < 0 || n < 0 || at >= int64(len(b)) {
		return []byte{}
	}
	return b[at:min(at+n, int64(len(b)))]
}

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

var errNone = errors.New("no header")

// arj reads headers of ARJ's technical notes: a main one, then one for each file.
func arj(w *child.Work) error {
	b := w.Bytes()
	at := int64(0)
	for n := 0; at+4 <= int64(len(b)); n++ {
		if b[at] != 0x60 || b[at+1] != 0xea {
			if n == 0 {
				return errNone
			}
			return errors.New("no header where one should be")
		}
		size := int64(binary.LittleEndian.Uint16(b[at+2:]))
		if size == 0 { // the end
			return nil
		}
		h := slice(b, at+4, size)
		if size < 30 || int64(len(h)) < size {
			return io.ErrUnexpectedEOF
		}
		at += 4 + size + 4
		for at+2 <= int64(len(b)) { // further headers
			k := int64(binary.LittleEndian.Uint16(b[at:]))
			at += 2
			if k == 0 {
				break
			}
			at += k + 4
		}
		if n == 0 {
			continue
		}
		packed, full := int64(binary.LittleEndian.Uint32(h[12:])), int64(binary.LittleEndian.Uint32(h[16:]))
		name := cString(h[min(int64(h[0]), size):])
		var content []byte
		if h[5] == 0 {
			content = slice(b, at, packed)
		}
		at += packed
		if h[6] == 3 { // folder
			continue
		}
		if h[4]&4 != 0 || h[4]&8 != 0 {
			w.Fact(inspect.SplitVolume, name)
		}
		if err := entry(w, name, "arj "+strconv.Itoa(int(h[5])), full, h[4]&1 != 0, content); err != nil {
			return err
		}
	}
	return nil
}

// lha reads headers of levels 0 to 2.
func lha(w *child.Work) error {
	b := w.Bytes()
	at := int64(0)
	for n := 0; at+22 <= int64(len(b)) && b[at] != 0; n++ {
		h := b[at:]
		if h[2] != '-' || h[6] != '-' || h[20] > 2 {
			if n == 0 {
				return errNone
			}
			w.Fact(inspect.TrailingData, strconv.Itoa(len(h))+" bytes")
			return nil
		}
		method := string(h[2:7])
		packed, full := int64(binary.LittleEndian.Uint32(h[7:])), int64(binary.LittleEndian.Uint32(h[11:]))
		var name string
		var data int64
		switch h[20] {
		case 2:
			data = int64(binary.LittleEndian.Uint16(h))
			if data < 26 {
				return errNone
			}
			name, _ = lhaFields(h, 24, data)
		default:
			base := int64(h[0]) + 2
			if base < 24 || base > int64(len(h)) || 22+int64(h[21]) > base {
				return errNone
			}
			name = cString(h[22 : 22+int64(h[21])])
			data = base
			if h[20] == 1 {
				long, used := lhaFields(h, base-2, int64(len(h)))
				if long != "" {
					name = long
				}
				packed -= used
				data += used
			}
		}
		if packed < 0 {
			return errNone
		}
		content := slice(h, data, packed)
		at += data + packed
		if method == "-lhd-" {
			continue
		}
		if method != "-lh0-" && method != "-lz4-" && method != "-pm0-" {
			content = nil
		}
		if err := entry(w, name, strings.Trim(method, "-"), full, false, content); err != nil {
			return err
		}
	}
	return nil
}

// lhaFields walks the chain of fields whose first length stands at from; it returns
// the name they give, and how many bytes they take.
func lhaFields(h []byte, from, end int64) (name string, used int64) {
	dir, file := "", ""
	at := from
	for at+2 <= min(end, int64(len(h))) {
		n := int64(binary.LittleEndian.Uint16(h[at:]))
		at += 2
		if n < 3 || at+n-2 > int64(len(h)) {
			break
		}
		f := h[at : at+n-2]
		switch f[0] {
		case 1:
			file = cString(f[1:])
		case 2:
			dir = strings.ReplaceAll(string(f[1:]), "\xff", "/")
		}
		at += n - 2
		used += n
	}
	return dir + file, used
}

// ace reads the blocks that unace's sources describe.
func ace(w *child.Work) error {
	b := w.Bytes()
	for at, n := int64(0), 0; at+7 <= int64(len(b)); n++ {
		size := int64(binary.LittleEndian.Uint16(b[at+2:]))
		h := slice(b, at+4, size)
		if size < 3 || int64(len(h)) < size {
			if n == 0 {
				return errNone
			}
			return io.ErrUnexpectedEOF
		}
		at += 4 + size
		kind, flags := h[0], binary.LittleEndian.Uint16(h[1:])
		var more int64
		if flags&1 != 0 && len(h) >= 7 {
			more = int64(binary.LittleEndian.Uint32(h[3:]))
		}
		if kind == 1 && len(h) >= 31 {
			full := int64(binary.LittleEndian.Uint32(h[7:]))
			name := string(slice(h, 31, int64(binary.LittleEndian.Uint16(h[29:]))))
			var content []byte
			if h[23] == 0 {
				content = slice(b, at, more)
			}
			if err := entry(w, name, "ace "+strconv.Itoa(int(h[23])), full, flags&0x4000 != 0, content); err != nil {
				return err
			}
		}
		at += more
	}
	return nil
}

// maxTOC bounds the table of contents of XAR when it is unpacked.
const maxTOC = 8 << 20

// item is a file in the table of contents of XAR.
type item struct {
	name           string
	offset, length int64
	size           int64
	style          string
	data           bool
}

func xar(w *child.Work) error {
	b := w.Bytes()
	if len(b) < 28 {
		return io.ErrUnexpectedEOF
	}
	head, packed := int64(binary.BigEndian.Uint16(b[4:])), binary.BigEndian.Uint64(b[8:])
	if packed > uint64(len(b)) {
		return errors.New("the table of contents lies behind the end")
	}
	z, err := zlib.NewReader(bytes.NewReader(slice(b, head, int64(packed))))
	if err != nil {
		return err
	}
	toc, err := w.ReadAll(z, maxTOC)
	if err != nil {
		return err
	}
	heap := head + int64(packed)
	return xarFiles(w, toc, func(f *item) error {
		e := child.Entry{Name: f.name, Size: f.size, Method: f.style}
		raw := slice(b, heap+f.offset, f.length)
		switch {
		case strings.Contains(f.style, "gzip"):
			if r, err := zlib.NewReader(bytes.NewReader(raw)); err == nil {
				e.Body = r
			}
		case strings.Contains(f.style, "bzip2"):
			e.Body = bzip2.NewReader(bytes.NewReader(raw))
		case strings.Contains(f.style, "octet-stream"):
			e.Bytes = raw
		}
		_, err := w.Emit(e)
		return err
	})
}

// xarFiles reads the table of contents: files in files, with their data.
func xarFiles(w *child.Work, toc []byte, found func(*item) error) error {
	d := xml.NewDecoder(bytes.NewReader(toc))
	d.Strict = false
	var stack []*item
	field := ""
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := w.Err(); err != nil {
				return err
			}
		}
		t, err := d.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			field = t.Name.Local
			if field == "file" {
				if len(stack) >= 64 {
					return errors.New("folders in folders")
				}
				stack = append(stack, &item{})
			}
			if len(stack) == 0 {
				continue
			}
			cur := stack[len(stack)-1]
			switch field {
			case "data":
				cur.data = true
			case "encoding":
				for _, a := range t.Attr {
					if a.Name.Local == "style" {
						cur.style = a.Value
					}
				}
			}
		case xml.CharData:
			if len(stack) == 0 {
				continue
			}
			cur := stack[len(stack)-1]
			s := strings.TrimSpace(string(t))
			v, _ := strconv.ParseInt(s, 10, 63)
			switch {
			case s == "":
			case field == "name" && cur.name == "":
				cur.name = s
			case field == "offset" && cur.data:
				cur.offset = v
			case field == "length" && cur.data:
				cur.length = v
			case field == "size" && cur.data:
				cur.size = v
			}
		case xml.EndElement:
			field = ""
			if t.Name.Local != "file" || len(stack) == 0 {
				continue
			}
			cur := *stack[len(stack)-1]
			path := ""
			for _, s := range stack[:len(stack)-1] {
				path += s.name + "/"
			}
			stack = stack[:len(stack)-1]
			cur.name = path + cur.name
			if cur.data {
				if err := found(&cur); err != nil {
					return err
				}
			}
		}
	}
}

// chm reads the directory of compiled help: chunks of entries with packed numbers.
func chm(w *child.Work) error {
	b := w.Bytes()
	if len(b) < 0x60 {
		return io.ErrUnexpectedEOF
	}
	dir := int64(binary.LittleEndian.Uint64(b[0x48:]))
	content := int64(binary.LittleEndian.Uint64(b[0x58:]))
	h := slice(b, dir, 0x54)
	if len(h) < 0x54 || string(h[:4]) != "ITSP" {
		return errNone
	}
	size := int64(binary.LittleEndian.Uint32(h[0x10:]))
	at := dir + int64(binary.LittleEndian.Uint32(h[8:]))
	if size < 64 || size > 1<<20 {
		return errNone
	}
	for ; at+size <= int64(len(b)); at += size {
		c := b[at : at+size]
		if string(c[:4]) != "PMGL" {
			if string(c[:4]) == "PMGI" {
				continue
			}
			return nil
		}
		free := int64(binary.LittleEndian.Uint32(c[4:]))
		rest := c[0x14:max(0x14, size-min(free, size))]
		for len(rest) > 0 {
			var v [4]uint64
			var ok bool
			if v[0], rest, ok = number(rest); !ok || v[0] > uint64(len(rest)) {
				break
			}
			name := string(rest[:v[0]])
			rest = rest[v[0]:]
			for i := 1; i < 4 && ok; i++ {
				v[i], rest, ok = number(rest)
			}
			if !ok {
				break
			}
			// The format's own files begin with ::, folders end with a slash.
			if strings.HasPrefix(name, "::") || strings.HasSuffix(name, "/") || strings.HasPrefix(name, "/#") || strings.HasPrefix(name, "/$") {
				continue
			}
			var data []byte
			method := "lzx"
			if v[1] == 0 && v[2] < 1<<40 && v[3] < 1<<40 {
				method, data = "store", slice(b, content+int64(v[2]), int64(v[3]))
			}
			if err := entry(w, strings.TrimPrefix(name, "/"), method, int64(min(v[3], 1<<62)), false, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// number reads a packed number: seven bits a byte, the highest first.
func number(b []byte) (v uint64, rest []byte, ok bool) {
	for i, c := range b {
		if i == 9 {
			break
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}
