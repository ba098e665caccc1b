// Package tape opens archives that are files in a row without compression: tar,
// cpio, ar, and with it Debian packages.
package tape

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder opens archives in a row.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "tape".
func (Decoder) Name() string { return "tape" }

// Types lists the formats.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.Tar, inspect.Cpio, inspect.Ar, inspect.Deb}
}

// Open emits the files.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	switch w.Type() {
	case inspect.Tar:
		return openTar(w)
	case inspect.Cpio:
		return openCpio(w)
	default:
		return openAr(w)
	}
}

// emit adds a file whose bytes are at hand. Those that its container cuts off are
// missing, which is told.
func emit(w *child.Work, name, method string, content []byte, size int64) (int, error) {
	if content == nil {
		content = []byte{}
	}
	e := child.Entry{Name: name, Method: method, Size: size, Bytes: content}
	if size > int64(len(content)) {
		e.Size = -1
		e.Bytes = nil
		e.Body = &cutReader{bytes.NewReader(content)}
	}
	return w.Emit(e)
}

// cutReader is a file whose end is missing.
type cutReader struct{ r *bytes.Reader }

var errCut = errors.New("the archive ends within it")

func (c *cutReader) Read(p []byte) (int, error) {
	if c.r.Len() == 0 {
		return 0, errCut
	}
	return c.r.Read(p)
}

// slice is b[at:at+n] as far as it is there.
func slice(b []byte, at, n int64) []byte {
	if at >= int64(len(b)) || n <= 0 {
		return nil
	}
	return b[at:min(at+n, int64(len(b)))]
}

const block = 512

// header is one of tar, with what stands in front of it for it.
type header struct {
	name, link string
	size       int64
	kind       byte
}

func openTar(w *child.Work) error {
	b := w.Bytes()
	var long, longLink string
	var pax map[string]string
	var at int64
	for steps := 0; at+block <= int64(len(b)); steps++ {
		if steps%1024 == 0 {
			if err := w.Err(); err != nil {
				return err
			}
		}
		d := b[at : at+block]
		if allZero(d) {
			at += block
			for at+block <= int64(len(b)) && allZero(b[at:at+block]) {
				at += block
			}
			if rest := int64(len(b)) - at; rest > 0 && !allZero(b[at:]) {
				// tar -i reads on behind zeros.
				if h, ok := tarHeader(slice(b, at, block)); ok && at+block <= int64(len(b)) && h.size >= 0 {
					w.Fact(inspect.TwoReadings, "files behind the end of the archive")
					continue
				}
				w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", rest))
			}
			return nil
		}
		h, ok := tarHeader(d)
		if !ok {
			if at == 0 {
				return errors.New("no header")
			}
			w.Fact(inspect.Damaged, "tar: no header where one should be")
			w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", int64(len(b))-at))
			return nil
		}
		at += block
		if h.kind == 'x' || h.kind == 'g' || h.kind == 'L' || h.kind == 'K' {
			data := slice(b, at, min(h.size, 1<<20))
			switch h.kind {
			case 'x':
				pax = paxRecords(data)
			case 'L':
				long = cString(data)
			case 'K':
				longLink = cString(data)
			}
			at += padded(h.size, block)
			continue
		}
		if long != "" {
			h.name = long
		}
		if longLink != "" {
			h.link = longLink
		}
		if v, ok := pax["path"]; ok {
			h.name = v
		}
		if v, ok := pax["linkpath"]; ok {
			h.link = v
		}
		if v, err := strconv.ParseInt(pax["size"], 10, 63); err == nil && v >= 0 && v != h.size {
			w.Fact(inspect.TwoReadings, h.name+": two sizes")
			h.size = v
		}
		if h.kind == 'S' && d[482] != 0 { // more of the map of a sparse file stands in front of it
			for more := true; more && at+block <= int64(len(b)); at += block {
				more = b[at+504] != 0
			}
		}
		long, longLink, pax = "", "", nil
		if err := tarEntry(w, h, slice(b, at, h.size)); err != nil {
			return err
		}
		if h.kind == '1' || h.kind == '2' || h.kind == '5' || h.kind == '3' || h.kind == '4' || h.kind == '6' {
			continue // what has no content has no length, whatever it says
		}
		at += padded(h.size, block)
		if at > int64(len(b)) {
			return nil // the entry says that it was cut
		}
	}
	return nil
}

func tarEntry(w *child.Work, h header, content []byte) error {
	switch h.kind {
	case '5':
		return nil
	case '1', '2':
		i, err := w.Emit(child.Entry{Name: h.name, Method: "link"})
		if err != nil {
			return err
		}
		w.FactOf(i, inspect.LinkEntry, h.link)
		return nil
	case '3', '4', '6':
		_, err := w.Emit(child.Entry{Name: h.name, Method: "device"})
		return err
	}
	if strings.HasSuffix(h.name, "/") && h.size == 0 {
		return nil
	}
	_, err := emit(w, h.name, "store", content, h.size)
	return err
}

func padded(n, to int64) int64 {
	if n > 1<<60 {
		return 1 << 60
	}
	return (n + to - 1) / to * to
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// tarHeader checks the sum and takes the fields.
func tarHeader(d []byte) (header, bool) {
	if len(d) < block {
		return header{}, false
	}
	// Some programs of old added signed bytes.
	sum, signed, want := int64(8*' '), int64(8*' '), number(d[148:156])
	for i, c := range d {
		if i < 148 || i >= 156 {
			sum += int64(c)
			signed += int64(int8(c))
		}
	}
	if sum != want && signed != want {
		return header{}, false
	}
	h := header{name: cString(d[:100]), link: cString(d[157:257]), size: number(d[124:136]), kind: d[156]}
	if string(d[257:263]) == "ustar\x00" {
		if p := cString(d[345:500]); p != "" {
			h.name = p + "/" + h.name
		}
	}
	return h, h.size >= 0
}

// number reads octal digits, or the binary form of GNU for large ones; -1 for others.
func number(b []byte) int64 {
	if b[0]&0x80 != 0 {
		var v uint64
		for i, c := range b {
			if i == 0 {
				c &= 0x7f
			}
			if v>>54 != 0 {
				return -1
			}
			v = v<<8 | uint64(c)
		}
		return int64(v)
	}
	s := strings.Trim(string(b), " \x00")
	if s == "" {
		return 0
	}
	v, err := strconv.ParseInt(s, 8, 63)
	if err != nil || v < 0 {
		return -1
	}
	return v
}

// paxRecords reads "length key=value" lines.
func paxRecords(b []byte) map[string]string {
	m := map[string]string{}
	for len(b) > 0 && len(m) < 1000 {
		digits, _, ok := bytes.Cut(b, []byte(" "))
		n, err := strconv.Atoi(string(digits[:min(len(digits), 12)]))
		if !ok || err != nil || n <= len(digits)+1 || n > len(b) {
			break
		}
		k, v, _ := strings.Cut(strings.TrimSuffix(string(b[len(digits)+1:n]), "\n"), "=")
		m[k] = v
		b = b[n:]
	}
	return m
}

func openCpio(w *child.Work) error {
	b := w.Bytes()
	for at, n := int64(0), 0; at < int64(len(b)); n++ {
		h, data, next, ok := cpioHeader(b, at)
		if !ok {
			if n == 0 {
				return errors.New("no header")
			}
			w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", int64(len(b))-at))
			return nil
		}
		if h.name == "TRAILER!!!" {
			return nil
		}
		at = next
		var err error
		switch h.kind {
		case 4: // folder
			err = w.Err()
		case 0xa:
			var i int
			if i, err = w.Emit(child.Entry{Name: h.name, Method: "link"}); err == nil {
				w.FactOf(i, inspect.LinkEntry, string(slice(b, data, min(h.size, 300))))
			}
		default:
			_, err = emit(w, h.name, "store", slice(b, data, h.size), h.size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cpioHeader reads one of three forms: new ASCII, old ASCII, binary.
func cpioHeader(b []byte, at int64) (h header, data, next int64, ok bool) {
	d := b[at:]
	var nameLen, mode, length int64
	pad := int64(1)
	num := func(from, n, base int) int64 {
		v, err := strconv.ParseInt(string(d[from:from+n]), base, 63)
		if err != nil || v < 0 {
			return -1
		}
		return v
	}
	switch {
	case len(d) >= 110 && (string(d[:6]) == "070701" || string(d[:6]) == "070702"):
		mode, h.size, nameLen, length, pad = num(14, 8, 16), num(54, 8, 16), num(94, 8, 16), 110, 4
	case len(d) >= 76 && string(d[:6]) == "070707":
		mode, nameLen, h.size, length = num(18, 6, 8), num(59, 6, 8), num(65, 11, 8), 76
	case len(d) >= 26 && d[0] == 0xc7 && d[1] == 0x71:
		le := func(i int) int64 { return int64(binary.LittleEndian.Uint16(d[i:])) }
		mode, nameLen, h.size, length, pad = le(6), le(20), le(22)<<16|le(24), 26, 2
	default:
		return h, 0, 0, false
	}
	if mode < 0 || h.size < 0 || nameLen < 1 || nameLen > 1<<16 {
		return h, 0, 0, false
	}
	h.name = cString(slice(d, length, nameLen))
	h.kind = byte(mode >> 12)
	data = at + padded(length+nameLen, pad)
	return h, data, data + padded(h.size, pad), true
}

func openAr(w *child.Work) error {
	b := w.Bytes()
	var names []byte // the table of long names
	for at := int64(8); at+60 <= int64(len(b)); {
		d := b[at : at+60]
		size, err := strconv.ParseInt(strings.TrimSpace(string(d[48:58])), 10, 63)
		if err != nil || size < 0 || string(d[58:]) != "`\n" {
			w.Fact(inspect.Damaged, "ar: no header where one should be")
			return nil
		}
		name := strings.TrimRight(string(d[:16]), " ")
		content := slice(b, at+60, size)
		at += 60 + padded(size, 2)
		switch {
		case name == "//":
			names = content
			continue
		case name == "/" || name == "/SYM64/" || name == "__.SYMDEF":
			continue
		case strings.HasPrefix(name, "#1/"):
			n, err := strconv.ParseInt(name[3:], 10, 32)
			if err != nil || n < 0 || n > int64(len(content)) {
				return errors.New("ar: a name is longer than its file")
			}
			name, content, size = cString(content[:n]), content[n:], size-n
		case strings.HasPrefix(name, "/"):
			if n, err := strconv.ParseInt(name[1:], 10, 32); err == nil && n >= 0 && n < int64(len(names)) {
				long, _, _ := bytes.Cut(names[n:], []byte("\n"))
				name = string(long)
			}
		}
		if _, err := emit(w, strings.TrimSuffix(name, "/"), "store", content, size); err != nil {
			return err
		}
	}
	return nil
}
