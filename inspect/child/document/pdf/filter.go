package pdf

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"sluice/inspect"
	"sluice/inspect/child"
)

// maxFilters bounds the filters of one stream.
const maxFilters = 10

// maxShort is what is read of streams of which the beginning is enough.
const maxShort = 1 << 20

// filters are the names and parameters of a stream's filters.
func (f *file) filters(d dict) (names []name, params []dict) {
	v := f.deref(first(d, "Filter", "F"))
	p := f.deref(first(d, "DecodeParms", "DP"))
	switch v := v.(type) {
	case name:
		names = []name{v}
		if a, ok := p.(array); ok && len(a) > 0 {
			p = a[0]
		}
		params = []dict{f.dict(p)}
	case array:
		a, _ := p.(array)
		for i, n := range v[:min(len(v), maxFilters)] {
			names = append(names, f.name(n))
			var d dict
			if i < len(a) {
				d = f.dict(a[i])
			}
			params = append(params, d)
		}
	}
	return names, params
}

func first(d dict, keys ...name) any {
	for _, k := range keys {
		if v, ok := d[k]; ok {
			return v
		}
	}
	return nil
}

// content unpacks a stream through all of its filters, at most limit bytes. What
// can't be unpacked ends it early. The error is the budget's.
func (f *file) content(o *object, limit int) ([]byte, error) {
	b, rest, err := f.unpack(o, limit)
	if len(b) >= limit && limit >= maxShort {
		_ = f.w.Steps() // there may be more
	}
	if len(rest) > 0 {
		return nil, err
	}
	return b, err
}

// unpack goes through a stream's filters as far as they can be undone here; rest
// are those left over: the formats of pictures.
func (f *file) unpack(o *object, limit int) (b []byte, rest []name, err error) {
	d, _ := o.value.(dict)
	names, params := f.filters(d)
	b = o.raw
	if f.crypt != nil && !o.packed && !(len(names) > 0 && names[0] == "Crypt") && f.name(d["Type"]) != "XRef" {
		b = f.crypt.stream(o.number, o.gen, b)
		if err := f.w.Charge(len(b)); err != nil {
			return nil, nil, err
		}
	}
	if len(names) >= 3 {
		f.w.Fact(inspect.PDFObfuscated, "a stream behind three filters or more")
	}
	for i, n := range names {
		switch n {
		case "FlateDecode", "Fl":
			b, err = f.read(flateReader(b), limit)
			b = predict(b, params[i], f)
		case "LZWDecode", "LZW":
			early := 1
			if v, ok := f.deref(params[i]["EarlyChange"]).(float64); ok {
				early = int(v)
			}
			b = unlzw(b, early, limit)
			err = f.w.Charge(len(b))
			b = predict(b, params[i], f)
		case "ASCIIHexDecode", "AHx":
			b, _ = unhex(b, limit)
			err = f.w.Charge(len(b))
		case "ASCII85Decode", "A85":
			b = un85(b, limit)
			err = f.w.Charge(len(b))
		case "RunLengthDecode", "RL":
			b = unrun(b, limit)
			err = f.w.Charge(len(b))
		case "Crypt":
		default:
			return b, names[i:], nil
		}
		if err != nil {
			return b, nil, err
		}
	}
	return b, nil, nil
}

// read takes what comes until something breaks; only the budget is an error.
func (f *file) read(r io.Reader, limit int) ([]byte, error) {
	b, err := f.w.ReadAll(r, limit)
	if errors.Is(err, child.ErrBudget) {
		return b, err
	}
	return b, nil
}

// flateReader leaves the header and checksum of zlib alone: readers of PDF do.
func flateReader(b []byte) io.Reader {
	if len(b) >= 2 && b[0]&0x0F == 8 && (int(b[0])<<8|int(b[1]))%31 == 0 {
		b = b[2:]
	}
	return flate.NewReader(bytes.NewReader(b))
}

// predict undoes the predictors of PNG, 7.4.4.4.
func predict(b []byte, p dict, f *file) []byte {
	if p == nil || f.int(p["Predictor"]) < 10 {
		return b
	}
	def := func(k name, v int) int {
		if n := f.int(p[k]); n > 0 {
			return n
		}
		return v
	}
	colors, bits, columns := min(def("Colors", 1), 32), min(def("BitsPerComponent", 8), 16), min(def("Columns", 1), 1<<20)
	width := (colors*bits*columns + 7) / 8
	if width >= len(b) {
		return b
	}
	pixel := max(colors*bits/8, 1)
	out := make([]byte, 0, len(b))
	prev := make([]byte, width)
	for len(b) > 1 {
		kind := b[0]
		row := b[1:min(1+width, len(b))]
		b = b[1+len(row):]
		from := len(out)
		for i, c := range row {
			var left, up, corner byte
			if i >= pixel {
				left, corner = out[from+i-pixel], prev[i-pixel]
			}
			up = prev[i]
			switch kind {
			case 1:
				c += left
			case 2:
				c += up
			case 3:
				c += byte((int(left) + int(up)) / 2)
			case 4:
				c += paeth(left, up, corner)
			}
			out = append(out, c)
		}
		copy(prev, out[from:])
	}
	return out
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int { return max(n, -n) }

// un85 undoes ASCII85, 7.4.3.
func un85(b []byte, limit int) []byte {
	var out []byte
	var v uint32
	n := 0
	for _, c := range b {
		if len(out) >= limit {
			break
		}
		switch {
		case c == '~':
			b = nil
		case c == 'z' && n == 0:
			out = append(out, 0, 0, 0, 0)
		case '!' <= c && c <= 'u':
			v = v*85 + uint32(c-'!')
			if n++; n == 5 {
				out = append(out, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
				v, n = 0, 0
			}
		}
		if b == nil {
			break
		}
	}
	if n > 1 {
		for i := n; i < 5; i++ {
			v = v*85 + 84
		}
		out = append(out, []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8)}[:n-1]...)
	}
	return out
}

// unrun undoes run lengths, 7.4.5.
func unrun(b []byte, limit int) []byte {
	var out []byte
	for len(b) >= 2 && len(out) < limit && b[0] != 128 {
		n := int(b[0])
		if n < 128 {
			k := min(n+2, len(b))
			out = append(out, b[1:k]...)
			b = b[k:]
			continue
		}
		for range 257 - n {
			out = append(out, b[1])
		}
		b = b[2:]
	}
	return out[:min(len(out), limit)]
}

// unlzw undoes LZW, 7.4.4.2.
func unlzw(b []byte, early, limit int) []byte {
	const clear, end = 256, 257
	type entry struct {
		prev int
		last byte
		len  int
	}
	table := make([]entry, 258, 4096)
	for i := range 256 {
		table[i] = entry{-1, byte(i), 1}
	}
	var out []byte
	width, prev := 9, -1
	bits, have := uint32(0), 0
	for {
		for have < width && len(b) > 0 {
			bits = bits<<8 | uint32(b[0])
			b = b[1:]
			have += 8
		}
		if have < width || len(out) >= limit {
			return out[:min(len(out), limit)]
		}
		code := int(bits >> (have - width) & (1<<width - 1))
		have -= width
		switch {
		case code == end:
			return out
		case code == clear:
			table, width, prev = table[:258], 9, -1
			continue
		case code > len(table) || code == len(table) && prev < 0:
			return out
		}
		// Write the entry from its end.
		from := len(out)
		e := code
		if code == len(table) {
			e = prev
		}
		n := table[e].len
		out = append(out, make([]byte, n)...)
		for i, at := from+n-1, e; i >= from && at >= 0; i-- {
			out[i] = table[at].last
			at = table[at].prev
		}
		if code == len(table) {
			out = append(out, out[from])
		}
		if prev >= 0 && len(table) < 4096 {
			table = append(table, entry{prev, out[from], table[prev].len + 1})
		}
		prev = code
		if len(table)+early >= 1<<width && width < 12 {
			width++
		}
	}
}
