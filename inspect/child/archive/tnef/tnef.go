// Package tnef opens winmail.dat, the form in which Outlook sends what MIME has no
// words for (MS-OXTNEF): attachments, bodies, and messages in messages.
package tnef

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder opens winmail.dat.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "tnef".
func (Decoder) Name() string { return "tnef" }

// Types is tnef alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.TNEF} }

const signature = 0x223e9f78

// Attributes. MS-OXTNEF 2.1.3.2
const (
	attBody       = 0x0002800c
	attTitle      = 0x00018010
	attData       = 0x0006800f
	attProperties = 0x00069003
	attRendData   = 0x00069002
	attAttachment = 0x00069005
)

// file is an attachment as it comes together.
type file struct {
	any   bool
	title string
	props map[uint16]value
	data  []byte
}

// Open goes through the attributes.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if len(b) < 6 || binary.LittleEndian.Uint32(b) != signature {
		return errors.New("no signature")
	}
	t := &reader{w: w}
	b = b[6:]
	for len(b) > 0 {
		if len(b) < 9 {
			return t.end(fmt.Sprintf("%d bytes behind the last attribute", len(b)))
		}
		level, id, size := b[0], binary.LittleEndian.Uint32(b[1:]), uint64(binary.LittleEndian.Uint32(b[5:]))
		if level != 1 && level != 2 {
			return t.end(fmt.Sprintf("%d bytes that are no attribute", len(b)))
		}
		if size > uint64(len(b)-9) {
			t.attribute(id, b[9:])
			return t.end("the last attribute is cut short")
		}
		data := b[9 : 9+size]
		if err := t.attribute(id, data); err != nil {
			return err
		}
		if uint64(len(b)) < 9+size+2 {
			return t.end("the last attribute is cut short")
		}
		if sum := binary.LittleEndian.Uint16(b[9+size:]); sum != checksum(data) {
			w.Fact(inspect.Damaged, fmt.Sprintf("tnef: checksum of attribute %#x is wrong", id))
		}
		b = b[9+size+2:]
	}
	return t.flush()
}

func checksum(b []byte) uint16 {
	var s uint16
	for _, c := range b {
		s += uint16(c)
	}
	return s
}

type reader struct {
	w   *child.Work
	cur file
}

// end states what is wrong behind what could be read.
func (t *reader) end(trouble string) error {
	if err := t.flush(); err != nil {
		return err
	}
	return errors.New(trouble)
}

func (t *reader) attribute(id uint32, data []byte) error {
	switch id {
	case attRendData:
		err := t.flush()
		t.cur.any = true
		return err
	case attTitle:
		t.cur.any = true
		t.cur.title = Narrow(data)
	case attData:
		t.cur.any = true
		t.cur.data = data
	case attAttachment:
		t.cur.any = true
		t.cur.props = properties(t.w, data)
	case attBody:
		return t.emit("body.txt", "", data)
	case attProperties:
		return t.body(properties(t.w, data))
	}
	return t.w.Err()
}

// body emits the forms of the message's text.
func (t *reader) body(p map[uint16]value) error {
	if v, ok := p[propHTML]; ok && len(v.data) > 0 {
		if err := t.emit("body.html", "text/html", []byte(v.data)); err != nil {
			return err
		}
	}
	if v, ok := p[propRTF]; ok && len(v.data) > 0 {
		rtf, err := DecompressRTF(v.data, int(t.w.Budget().File))
		if err != nil {
			t.w.Fact(inspect.Damaged, "tnef: "+err.Error())
		}
		if len(rtf) > 0 {
			if err := t.emit("body.rtf", "", rtf); err != nil {
				return err
			}
		}
	}
	if v, ok := p[propBody]; ok && len(v.data) > 0 {
		if err := t.emit("body.txt", "", []byte(v.text())); err != nil {
			return err
		}
	}
	return nil
}

// flush emits the attachment that is complete.
func (t *reader) flush() error {
	f := t.cur
	t.cur = file{}
	if !f.any {
		return nil
	}
	name := f.title
	for _, id := range []uint16{propLongName, propFileName, propDisplayName} {
		if v, ok := f.props[id]; ok && v.text() != "" {
			name = v.text()
			break
		}
	}
	data := f.data
	var typ inspect.Type
	if v, ok := f.props[propData]; ok && (v.object || data == nil) {
		data = v.data
		if v.object && len(data) >= 16 {
			// An interface's id stands in front. MS-OXTNEF 2.1.3.4.1
			if string(data[:4]) == "\x07\x03\x02\x00" { // IMessage
				typ = inspect.TNEF
			}
			data = data[16:]
		}
	}
	if data == nil && name == "" {
		return nil
	}
	declared := ""
	if v, ok := f.props[propMIMEType]; ok {
		declared = strings.ToLower(v.text())
	}
	if data == nil {
		data = []byte{}
	}
	_, err := t.w.Emit(child.Entry{Name: name, Declared: declared, Type: typ, Method: "store", Size: -1, Bytes: data})
	return err
}

func (t *reader) emit(name, declared string, data []byte) error {
	_, err := t.w.Emit(child.Entry{Name: name, Declared: declared, Method: "body", Size: -1, Bytes: data})
	return err
}

// Properties. MS-OXPROPS
const (
	propBody        = 0x1000
	propRTF         = 0x1009
	propHTML        = 0x1013
	propDisplayName = 0x3001
	propData        = 0x3701
	propFileName    = 0x3704
	propLongName    = 0x3707
	propMIMEType    = 0x370e
)

// value is one property: strings and binaries only.
type value struct {
	data   []byte
	wide   bool // UTF-16
	object bool
}

func (v value) text() string {
	if v.wide {
		return Wide(v.data)
	}
	return Narrow(v.data)
}

// Wide reads a string of UTF-16 up to a zero.
func Wide(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		c := binary.LittleEndian.Uint16(b)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// Narrow reads a string of one byte a character up to a zero: UTF-8 where it is valid, else the
// code page of western Windows.
func Narrow(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	if utf8.ValidString(s) {
		return s
	}
	if d, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
		return d
	}
	return s
}

// maxProperties bounds those of one list.
const maxProperties = 4096

// properties reads a list of MAPI properties. What is broken ends it: those in
// front of that stand.
func properties(w *child.Work, b []byte) map[uint16]value {
	out := map[uint16]value{}
	p := &cursor{b: b}
	count := p.uint32()
	for i := uint32(0); i < count && i < maxProperties && !p.bad; i++ {
		typ, id := p.uint16(), p.uint16()
		if id >= 0x8000 {
			p.take(16)
			if p.uint32() == 0 {
				p.uint32()
			} else {
				p.padded(uint64(p.uint32()))
			}
		}
		many := typ&0x1000 != 0
		typ &^= 0x1000
		n := uint32(1)
		if many {
			n = p.uint32()
		}
		switch typ {
		case 0x0d, 0x1e, 0x1f, 0x102:
			if !many {
				n = p.uint32()
			}
			for k := uint32(0); k < n && !p.bad; k++ {
				data := p.padded(uint64(p.uint32()))
				if _, ok := out[id]; !ok && data != nil {
					out[id] = value{data, typ == 0x1f, typ == 0x0d}
				}
			}
		default:
			size, ok := fixed[typ]
			if !ok {
				p.bad = true
				break
			}
			p.take(uint64(size) * uint64(n))
		}
	}
	if p.bad {
		w.Fact(inspect.Damaged, "tnef: a list of properties is broken")
	}
	return out
}

// fixed are the sizes of values that have one, with their padding.
var fixed = map[uint16]int{1: 0, 2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xa: 4, 0xb: 4, 0x14: 8, 0x40: 8, 0x48: 16}

type cursor struct {
	b   []byte
	bad bool
}

func (p *cursor) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		// The last value of a list may lack its end.
		p.bad = true
		p.b = nil
		return nil
	}
	v := p.b[:n]
	p.b = p.b[n:]
	return v
}

func (p *cursor) padded(n uint64) []byte {
	v := p.take(n)
	p.b = p.b[min(uint64(len(p.b)), (4-n%4)%4):]
	return v
}

func (p *cursor) uint16() uint16 {
	if v := p.take(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (p *cursor) uint32() uint32 {
	if v := p.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// rtfStart is what the dictionary of compressed RTF begins with. MS-OXRTFCP 2.1.2.1
const rtfStart = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// DecompressRTF unpacks the form in which Outlook keeps RTF, at most limit bytes.
// MS-OXRTFCP 3.1
func DecompressRTF(b []byte, limit int) ([]byte, error) {
	if len(b) < 16 {
		return nil, errors.New("compressed rtf has no header")
	}
	raw, magic := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	b = b[16:]
	switch magic {
	case 0x414c454d: // "MELA": not compressed
		return b[:min(uint64(len(b)), uint64(raw), uint64(limit))], nil
	case 0x75465a4c: // "LZFu"
	default:
		return nil, errors.New("compressed rtf of an unknown kind")
	}
	var dict [4096]byte
	at := copy(dict[:], rtfStart)
	var out []byte
	put := func(c byte) {
		out = append(out, c)
		dict[at] = c
		at = (at + 1) % len(dict)
	}
	limit = int(min(uint64(limit), uint64(raw)))
	for len(b) > 0 && len(out) < limit {
		flags := b[0]
		b = b[1:]
		for range 8 {
			if len(b) == 0 {
				break
			}
			if flags&1 == 0 {
				put(b[0])
				b = b[1:]
			} else {
				if len(b) < 2 {
					return out, errors.New("compressed rtf is cut short")
				}
				v := int(binary.BigEndian.Uint16(b))
				b = b[2:]
				from := v >> 4
				if from == at {
					return out[:min(len(out), limit)], nil
				}
				for range v&15 + 2 {
					put(dict[from])
					from = (from + 1) % len(dict)
				}
			}
			flags >>= 1
		}
	}
	if len(out) < limit {
		return out, errors.New("compressed rtf is cut short")
	}
	return out[:limit], nil
}
