package pdf

import (
	"bytes"
	"slices"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Bounds of a file.
const (
	maxObjects = 200_000
	maxStream  = 16 << 20 // bytes that one stream may unpack to where it is read
	maxChain   = 8        // references that lead to one another
)

// object is an object of the file. Where a number is given twice, both count.
type object struct {
	number int
	gen    int
	value  any
	raw    []byte // of a stream, packed; nil for none
	packed bool   // it came out of an object stream: its strings are not encrypted
}

// file is what was found in the bytes. The table of cross references is not asked:
// what stands there and isn't listed is read all the same.
type file struct {
	w        *child.Work
	objects  []*object
	last     map[int]*object // by number
	trailers []dict
	crypt    *crypt
	parser   *parser // for its counts
	emitted  map[*object]bool
	said     map[*object]bool
	linked   map[inspect.Link]bool
	known    map[*object]*font
	images   int
	pixels   int
	room     int // for text
}

// link states a link once: a file repeats them for each line of a paragraph.
func (f *file) link(via inspect.Via, url string) {
	l := inspect.Link{Via: via, URL: url}
	if !f.linked[l] && len(f.linked) < inspect.MaxLinks {
		f.linked[l] = true
		f.w.Link(via, url)
	}
}

// deref follows references.
func (f *file) deref(v any) any {
	o := f.target(v)
	if o == nil {
		if _, ok := v.(ref); ok {
			return nil
		}
		return v
	}
	return o.value
}

// target is the object that a reference leads to; nil for anything else.
func (f *file) target(v any) *object {
	var o *object
	for range maxChain {
		r, ok := v.(ref)
		if !ok {
			return o
		}
		if o = f.last[int(r)]; o == nil {
			return nil
		}
		v = o.value
	}
	return nil
}

func (f *file) dict(v any) dict {
	d, _ := f.deref(v).(dict)
	return d
}

func (f *file) array(v any) array {
	a, _ := f.deref(v).(array)
	return a
}

func (f *file) name(v any) name {
	n, _ := f.deref(v).(name)
	return n
}

func (f *file) int(v any) int {
	n, _ := f.deref(v).(float64)
	return int(n)
}

// scan finds the objects: "12 0 obj", wherever it stands.
func (f *file) scan(b []byte) error {
	spent := 0
	trailer := -1 // the next one; looked for again when it is passed
	for at := 0; at < len(b); {
		n := bytes.Index(b[at:], []byte("obj"))
		if trailer < at {
			if trailer = bytes.Index(b[at:], []byte("trailer")); trailer >= 0 {
				trailer += at
			} else {
				trailer = len(b)
			}
		}
		if trailer < len(b) && (n < 0 || trailer < at+n) {
			at = trailer + 7
			f.parser.b, f.parser.i, f.parser.count = b, at, 0
			if d, ok := f.parser.value(0).(dict); ok && len(f.trailers) < 1000 {
				f.trailers = append(f.trailers, d)
			}
			spent += f.parser.i - at
		} else if n < 0 {
			break
		} else {
			pos := at + n
			at = pos + 3
			number, gen, ok := numbers(b[:pos])
			if !ok {
				continue
			}
			o, next := f.object(b, at)
			o.number, o.gen = number, gen
			spent += next - at
			at = max(at, f.resume(o, at, next))
			f.add(o)
		}
		// Values that don't end are read again and again: no more than that.
		if spent > 4*len(b)+1<<20 || len(f.objects) > maxObjects {
			return f.w.Steps()
		}
		if len(f.objects)&0x3FF == 0 {
			if err := f.w.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume is where the search goes on: behind the object where it ended well.
func (f *file) resume(o *object, at, next int) int {
	if o.raw != nil || next-at < 64<<10 {
		return next
	}
	return at
}

func (f *file) add(o *object) {
	f.objects = append(f.objects, o)
	f.last[o.number] = o
	if d, ok := o.value.(dict); ok && o.raw != nil && d["Type"] == name("XRef") {
		f.trailers = append(f.trailers, d)
	}
}

// numbers reads "12 0 " from the end.
func numbers(b []byte) (number, gen int, ok bool) {
	back := func() (v int, ok bool) {
		end := len(b)
		for len(b) > 0 && space(b[len(b)-1]) && end-len(b) < 32 {
			b = b[:len(b)-1]
		}
		if len(b) == end {
			return 0, false
		}
		digits := b
		for len(b) > 0 && '0' <= b[len(b)-1] && b[len(b)-1] <= '9' && len(digits)-len(b) < 10 {
			b = b[:len(b)-1]
		}
		for _, c := range digits[len(b):] {
			v = v*10 + int(c-'0')
		}
		return v, len(b) < len(digits)
	}
	if gen, ok = back(); !ok {
		return 0, 0, false
	}
	number, ok = back()
	return number, gen, ok
}

// object reads the value behind "obj", and a stream behind that.
func (f *file) object(b []byte, at int) (*object, int) {
	p := f.parser
	p.b, p.i, p.count = b, at, 0
	o := &object{value: p.value(0)}
	d, ok := o.value.(dict)
	if !ok {
		return o, p.i
	}
	p.skip()
	if !bytes.HasPrefix(b[p.i:], []byte("stream")) {
		return o, p.i
	}
	i := p.i + len("stream")
	if i < len(b) && b[i] == '\r' {
		i++
	}
	if i < len(b) && b[i] == '\n' {
		i++
	}
	// The length is believed where the stream's end stands there.
	if n, ok := d["Length"].(float64); ok && n >= 0 && n <= float64(len(b)-i) {
		end := i + int(n)
		if bytes.Contains(b[end:min(end+20, len(b))], []byte("endstream")) {
			o.raw = b[i:end:end]
			return o, end
		}
	}
	end := len(b)
	if n := bytes.Index(b[i:], []byte("endstream")); n >= 0 {
		end = i + n
		if end > i && b[end-1] == '\n' {
			end--
		}
		if end > i && b[end-1] == '\r' {
			end--
		}
	}
	o.raw = b[i:end:end]
	return o, end
}

// unpackObjects reads the objects within object streams, 7.5.7.
func (f *file) unpackObjects() error {
	for _, o := range slices.Clone(f.objects) {
		d, ok := o.value.(dict)
		if !ok || o.raw == nil || f.name(d["Type"]) != "ObjStm" {
			continue
		}
		body, err := f.content(o, maxStream)
		if err != nil {
			return err
		}
		first := f.int(d["First"])
		if first <= 0 || first > len(body) {
			continue
		}
		head := &parser{b: body[:first]}
		for {
			number, ok := head.value(0).(float64)
			off, ok2 := head.value(0).(float64)
			if !ok || !ok2 {
				break
			}
			if len(f.objects) > maxObjects {
				return f.w.Steps()
			}
			if off < 0 || int(off) >= len(body)-first {
				continue
			}
			f.parser.b, f.parser.i, f.parser.count = body, first+int(off), 0
			f.add(&object{number: int(number), value: f.parser.value(0), packed: true})
		}
	}
	return nil
}
