// Package rtf reads Rich Text Format as Word does, which forgives nearly everything:
// objects whose data is cut up by words that mean nothing, templates and objects
// from elsewhere, fields, pictures, text. It goes through the file once; groups cost
// a byte each.
package rtf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/cfb"
	"sluice/inspect/child/document/field"
	"sluice/inspect/child/document/object"
	"sluice/message/charset"
)

// Bounds.
const (
	maxGroups  = 10_000
	maxData    = 32 << 20 // bytes of one object or picture
	maxObjects = 200
	maxText    = 256 << 10
	maxWord    = 64
)

// Decoder opens RTF.
type Decoder struct{}

// Name is "rtf".
func (Decoder) Name() string { return "rtf" }

// Types is RTF alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.RTF} }

// place is where the text of a group goes.
type place uint8

const (
	body     place = iota
	nowhere        // tables of fonts, styles and the like
	data           // of an object
	picture        // hex
	class          // an object's class
	template       // where the template is
	code           // of a field
)

// destinations are words that say where a group's text goes.
var destinations = map[string]place{
	"fonttbl": nowhere, "colortbl": nowhere, "stylesheet": nowhere, "info": nowhere, "generator": nowhere, "listtable": nowhere, "listoverridetable": nowhere,
	"themedata": nowhere, "colorschememapping": nowhere, "latentstyles": nowhere, "datastore": data, "rsidtbl": nowhere, "xmlnstbl": nowhere, "filetbl": nowhere, "revtbl": nowhere,
	"objdata": data, "pict": picture, "objclass": class, "template": template, "fldinst": code,
	"header": body, "footer": body, "footnote": body, "annotation": body, "result": body, "fldrslt": body, "shptxt": body, "objname": nowhere,
	"sp": nowhere, "sn": nowhere, "sv": nowhere, "bkmkstart": nowhere, "bkmkend": nowhere, "pntext": nowhere, "mmathPr": nowhere, "wgrffmtfilter": nowhere,
}

// reader is the state of one file.
type reader struct {
	w       *child.Work
	b       []byte
	i       int
	places  []place
	text    strings.Builder
	gather  strings.Builder // of the class, template or field
	hex     []byte          // of the object or picture
	half    byte
	have    bool
	junk    int // what stands in an object's data and is none
	kind    string
	objects int
	skip    int  // characters that stand for one given as \u
	star    bool // \* came
}

// Open goes through the file.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	w.Mark(inspect.Document)
	at := bytes.Index(b[:min(len(b), 4096)], []byte("{\\rt"))
	if at < 0 {
		return errors.New("rtf: no header")
	}
	if head := b[at:]; at > 0 && len(bytes.TrimSpace(b[:at])) > 0 || len(head) < 6 || head[4] != 'f' || head[5] < '0' || head[5] > '9' {
		w.Fact(inspect.HeaderDisguised, fmt.Sprintf("begins with %q", b[:min(len(b), at+8, 40)]))
	}
	r := &reader{w: w, b: b, i: at, places: []place{body}}
	err := r.read()
	w.Text(inspect.OriginBody, r.text.String())
	return err
}

func (r *reader) now() place { return r.places[len(r.places)-1] }

func (r *reader) read() error {
	for n := 0; r.i < len(r.b); n++ {
		if n&0xFFFF == 0 {
			if err := r.w.Err(); err != nil {
				return err
			}
		}
		c := r.b[r.i]
		r.i++
		switch c {
		case '{':
			if len(r.places) >= maxGroups {
				return r.w.Steps()
			}
			r.places = append(r.places, r.now())
			r.star = false
		case '}':
			if err := r.close(); err != nil {
				return err
			}
		case '\\':
			if err := r.control(); err != nil {
				return err
			}
		case '\r', '\n':
		default:
			r.put(c)
		}
	}
	// A file may end before its groups do; Word reads what is there.
	for len(r.places) > 1 {
		if err := r.close(); err != nil {
			return err
		}
	}
	return nil
}

// put takes one byte of text.
func (r *reader) put(c byte) {
	switch r.now() {
	case data, picture:
		v := byte(0)
		switch {
		case '0' <= c && c <= '9':
			v = c - '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			v = c | 0x20 - 'a' + 10
		case c <= ' ':
			return
		default:
			r.junk++
			return
		}
		if r.have && len(r.hex) < maxData {
			r.hex = append(r.hex, r.half<<4|v)
		}
		r.half, r.have = v, !r.have
	case class, template, code:
		if r.gather.Len() < 64<<10 {
			r.gather.WriteByte(c)
		}
	case body:
		if r.skip > 0 {
			r.skip--
			return
		}
		if r.text.Len() < maxText {
			if c < 0x80 {
				r.text.WriteByte(c)
			} else {
				s, _ := charset.Decode("windows-1252", []byte{c})
				r.text.WriteString(s)
			}
		}
	}
}

// control reads a control word or symbol behind the backslash.
func (r *reader) control() error {
	if r.i >= len(r.b) {
		return nil
	}
	c := r.b[r.i]
	if !letter(c) {
		r.i++
		switch c {
		case '\'':
			v, err := strconv.ParseUint(string(r.b[r.i:min(r.i+2, len(r.b))]), 16, 8)
			r.i = min(r.i+2, len(r.b))
			if err == nil && r.now() != data && r.now() != picture {
				r.put(byte(v))
			} else if err == nil {
				r.junk++
			}
		case '*':
			r.star = true
		case '\r', '\n':
			r.newline()
		case '\\', '{', '}':
			r.put(c)
		case '~':
			r.put(' ')
		}
		return nil
	}
	from := r.i
	for r.i < len(r.b) && letter(r.b[r.i]) {
		r.i++
	}
	word := string(r.b[from:min(r.i, from+maxWord)])
	from = r.i
	if r.i < len(r.b) && r.b[r.i] == '-' {
		r.i++
	}
	for r.i < len(r.b) && r.i-from < 12 && '0' <= r.b[r.i] && r.b[r.i] <= '9' {
		r.i++
	}
	param, _ := strconv.Atoi(string(r.b[from:r.i]))
	if r.i < len(r.b) && r.b[r.i] == ' ' {
		r.i++
	}
	return r.word(word, param)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func (r *reader) newline() {
	if r.now() == body && r.text.Len() < maxText {
		r.text.WriteByte('\n')
	}
}

func (r *reader) word(word string, param int) error {
	star := r.star
	r.star = false
	at := r.now()
	if p, ok := destinations[word]; ok {
		// Within data a destination is a word like any other to Word, which goes on.
		if at != data || p == data {
			r.places[len(r.places)-1] = p
			if p != at {
				r.begin(p)
			}
			if p == data {
				r.kind = word
			}
		}
		return nil
	}
	switch word {
	case "par", "line", "row", "page", "sect":
		r.newline()
	case "tab", "cell":
		r.put(' ')
	case "u":
		if at == body && r.text.Len() < maxText {
			if param < 0 {
				param += 65536
			}
			r.text.WriteString(strings.ToValidUTF8(string(rune(param)), "\uFFFD"))
			r.skip = 1
		} else if at == code {
			r.gather.WriteRune(rune(param))
		}
	case "bin":
		n := min(max(param, 0), len(r.b)-r.i)
		if at == data || at == picture {
			r.hex = append(r.hex, r.b[r.i:r.i+min(n, maxData-min(len(r.hex), maxData))]...)
		}
		r.i += n
	case "objupdate", "objautlink":
		r.w.Fact(inspect.ObjectUpdates, word)
	case "objocx":
		r.w.Fact(inspect.ActiveControl, "objocx")
	case "pngblip", "jpegblip":
		r.kind = word
	default:
		if at == data {
			r.junk++
		} else if star && at == body {
			r.places[len(r.places)-1] = nowhere
		}
	}
	return nil
}

// begin gets ready for what a destination gathers.
func (r *reader) begin(p place) {
	switch p {
	case data, picture:
		r.hex, r.have, r.junk, r.kind = r.hex[:0], false, 0, ""
	case class, template:
		r.gather.Reset()
	case code:
		if r.gather.Len() > 0 {
			r.gather.Reset()
		}
	}
}

// close ends a group; a destination is complete when the group that opened it ends.
func (r *reader) close() error {
	if len(r.places) == 1 {
		return nil
	}
	p := r.now()
	r.places = r.places[:len(r.places)-1]
	if p == r.now() || p == body {
		return nil
	}
	s := r.gather.String()
	switch p {
	case class:
		object.StateName(r.w, strings.TrimSpace(s))
	case template:
		if u := strings.TrimSpace(s); field.Elsewhere(u) {
			r.w.Fact(inspect.RemoteTemplate, u)
			r.w.Link(inspect.ViaAuto, u)
		}
	case code:
		field.State(r.w, s)
	case data:
		return r.object()
	case picture:
		return r.picture()
	default:
		return nil
	}
	r.gather.Reset()
	return nil
}

// leastJunk is how many words in an object's data are no accident.
const leastJunk = 8

// object emits what stands in an object's data.
func (r *reader) object() error {
	b := bytes.Clone(r.hex)
	r.hex, r.have = r.hex[:0], false
	if len(b) == 0 || r.kind == "datastore" {
		return nil
	}
	if r.objects++; r.objects > maxObjects {
		return r.w.Steps()
	}
	if err := r.w.Charge(len(b)); err != nil {
		return err
	}
	if r.junk >= leastJunk {
		r.w.Fact(inspect.ObjectObfuscated, strconv.Itoa(r.junk)+" words within the data")
	}
	o, err := object.ParseOLE1(b)
	if err != nil || len(o.Data) == 0 && !o.Linked {
		// Broken on purpose or not: what can be used of it is a compound file.
		if i := bytes.Index(b, []byte(cfb.Magic)); i >= 0 {
			r.w.Fact(inspect.ObjectObfuscated, "broken header")
			return r.emit("object", inspect.OLE, b[i:])
		}
		r.w.Fact(inspect.EmbeddedObject, "unreadable")
		return r.emit("object", "", b)
	}
	object.StateName(r.w, o.Class)
	if o.Linked {
		r.w.Fact(inspect.RemoteObject, o.Topic)
		if field.Elsewhere(o.Topic) {
			r.w.Link(inspect.ViaAuto, o.Topic)
		}
		return nil
	}
	if p, err := object.Parse(o.Data); err == nil {
		return p.State(r.w)
	}
	if bytes.HasPrefix(o.Data, []byte(cfb.Magic)) {
		return r.emit(o.Class, inspect.OLE, o.Data)
	}
	return r.emit(o.Class, "", o.Data)
}

func (r *reader) picture() error {
	b := bytes.Clone(r.hex)
	r.hex, r.have = r.hex[:0], false
	if r.kind == "" || len(b) < 64 {
		return nil
	}
	if r.objects++; r.objects > maxObjects {
		return nil // many pictures are no attack
	}
	if r.kind == "pngblip" {
		return r.emit("picture.png", inspect.PNG, b)
	}
	return r.emit("picture.jpg", inspect.JPEG, b)
}

func (r *reader) emit(name string, t inspect.Type, b []byte) error {
	if name == "" {
		name = "object"
	}
	_, err := r.w.Emit(child.Entry{Name: name, Type: t, Method: "hex", Size: -1, Bytes: b})
	return err
}
