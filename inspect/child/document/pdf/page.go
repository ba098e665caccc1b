package pdf

import (
	"strings"

	"sluice/inspect"
	"sluice/inspect/child/document/script"
)

// Bounds of pages.
const (
	maxPages    = 300
	maxContents = 64
	maxParents  = 16
)

// pages reads what people see, and how much of it is one link.
func (f *file) pages() error {
	var out strings.Builder
	pages := 0
	done := map[*object]bool{}
	for _, o := range f.objects {
		d, ok := o.value.(dict)
		if !ok || f.last[o.number] != o {
			continue
		}
		switch {
		case f.name(d["Type"]) == "Page":
			if pages++; pages > maxPages {
				break
			}
			f.links(d, o)
			var body []byte
			parts := array{d["Contents"]}
			if a := f.array(d["Contents"]); a != nil {
				parts = a
			}
			for _, p := range parts[:min(len(parts), maxContents)] {
				t := f.target(p)
				if t == nil || t.raw == nil || done[t] {
					continue
				}
				done[t] = true
				b, err := f.content(t, maxStream)
				if err != nil {
					return err
				}
				body = append(append(body, b...), '\n')
			}
			if err := f.text(&out, body, f.resources(d)); err != nil {
				return err
			}
		case f.name(d["Subtype"]) == "Form" && o.raw != nil && !done[o]:
			done[o] = true
			b, err := f.content(o, maxStream)
			if err != nil {
				return err
			}
			if err := f.text(&out, b, f.dict(d["Resources"])); err != nil {
				return err
			}
		}
	}
	s := out.String()
	for _, u := range script.FindURLs(s, 100) {
		f.link(inspect.ViaText, u)
	}
	f.w.Text(inspect.OriginBody, s)
	return nil
}

// inherited looks for a key in a page and those above it, 7.7.3.4.
func (f *file) inherited(d dict, k name) any {
	for range maxParents {
		if d == nil {
			return nil
		}
		if v, ok := d[k]; ok {
			return v
		}
		d = f.dict(d["Parent"])
	}
	return nil
}

func (f *file) resources(page dict) dict { return f.dict(f.inherited(page, "Resources")) }

// links says where a page is mostly one link.
func (f *file) links(page dict, o *object) {
	whole := f.area(f.inherited(page, "MediaBox"))
	if whole <= 0 {
		return
	}
	annots := f.array(page["Annots"])
	for _, v := range annots[:min(len(annots), 2000)] {
		a := f.dict(v)
		if f.name(a["Subtype"]) != "Link" || f.area(a["Rect"])*2 < whole {
			continue
		}
		at := f.target(v)
		if at == nil {
			at = o
		}
		if u := f.str(f.dict(a["A"])["URI"], at); u != "" {
			f.w.Fact(inspect.PDFPageLink, u)
		}
	}
}

func (f *file) area(v any) float64 {
	r := f.array(v)
	if len(r) < 4 {
		return 0
	}
	w, h := f.number(r[2])-f.number(r[0]), f.number(r[3])-f.number(r[1])
	return max(w, -w) * max(h, -h)
}

// font turns the bytes of a string into text.
type font struct {
	wide  bool // two bytes are one code
	blind bool // codes are glyphs, and nobody says of what
	codes map[uint16]string
}

func (f *file) fonts(resources dict) map[name]*font {
	out := map[name]*font{}
	for k, v := range f.dict(resources["Font"]) {
		if len(out) < 200 {
			o := f.target(v)
			if known, ok := f.known[o]; ok && o != nil {
				out[k] = known
				continue
			}
			out[k] = f.font(f.dict(v))
			if o != nil {
				f.known[o] = out[k]
			}
		}
	}
	return out
}

func (f *file) font(d dict) *font {
	t := &font{wide: f.name(d["Subtype"]) == "Type0"}
	if u := f.target(d["ToUnicode"]); u != nil && u.raw != nil {
		if b, err := f.content(u, 1<<20); err == nil {
			t.codes = codes(b)
		}
	}
	t.blind = t.wide && len(t.codes) == 0
	return t
}

// maxCodes bounds a font's table.
const maxCodes = 70_000

// codes reads a CMap, 9.10.3: what codes mean.
func codes(b []byte) map[uint16]string {
	out := map[uint16]string{}
	p := &parser{b: b}
	var stack []any
	number := func(t text) (v int) {
		for _, c := range []byte(t[:min(len(t), 2)]) {
			v = v<<8 | int(c)
		}
		return v
	}
	utf := func(t text) string { return decodeText(append([]byte("\xFE\xFF"), t...)) }
	set := 0
	put := func(c int, s string) {
		if set++; set <= maxCodes {
			out[uint16(c)] = s
		}
	}
	for set < maxCodes {
		p.count = 0
		v := p.value(0)
		k, word := v.(keyword)
		switch {
		case v == nil:
			return out
		case !word:
			if len(stack) < maxCodes {
				stack = append(stack, v)
			}
			continue
		case k == "endbfchar":
			for i := 0; i+1 < len(stack); i += 2 {
				from, ok := stack[i].(text)
				to, ok2 := stack[i+1].(text)
				if ok && ok2 && len(to) <= 64 {
					put(number(from), utf(to))
				}
			}
		case k == "endbfrange":
			for i := 0; i+2 < len(stack); i += 3 {
				lo, ok := stack[i].(text)
				hi, ok2 := stack[i+1].(text)
				if !ok || !ok2 {
					continue
				}
				a, z := number(lo), number(hi)
				switch to := stack[i+2].(type) {
				case text:
					if len(to) < 2 || len(to) > 64 {
						continue
					}
					for c := a; c <= z && c-a < 65536 && set < maxCodes; c++ {
						b := []byte(to)
						last := int(b[len(b)-2])<<8 + int(b[len(b)-1]) + (c - a)
						b[len(b)-2], b[len(b)-1] = byte(last>>8), byte(last)
						put(c, utf(text(b)))
					}
				case array:
					for j, x := range to {
						if s, ok := x.(text); ok && a+j <= z && len(s) <= 64 {
							put(a+j, utf(s))
						}
					}
				}
			}
		}
		stack = stack[:0]
	}
	return out
}

func (t *font) decode(s text) string {
	if t == nil {
		return decodeText([]byte(s))
	}
	if t.blind {
		return ""
	}
	if !t.wide && len(t.codes) == 0 {
		return decodeText([]byte(s))
	}
	var out strings.Builder
	step := 1
	if t.wide {
		step = 2
	}
	for i := 0; i+step <= len(s); i += step {
		c := uint16(s[i])
		if t.wide {
			c = c<<8 | uint16(s[i+1])
		}
		if u, ok := t.codes[c]; ok {
			out.WriteString(u)
		} else if !t.wide && c >= ' ' && c < 0x7F {
			out.WriteByte(byte(c))
		}
	}
	return out.String()
}

// text reads the operators of a content stream that show text, 9.4.
func (f *file) text(out *strings.Builder, body []byte, resources dict) error {
	if f.room <= 0 || len(body) == 0 {
		return nil
	}
	var fonts map[name]*font
	var now *font
	var stack []any
	p := &parser{b: body}
	write := func(s string) {
		s = clip(s, f.room)
		f.room -= len(s)
		out.WriteString(s)
	}
	blank := func(s string) {
		if n := out.Len(); n > 0 {
			if c := out.String()[n-1]; c != '\n' && c != ' ' {
				write(s)
			}
		}
	}
	row := 0.0
	for i := 0; f.room > 0; i++ {
		if i&0xFFF == 0 {
			if err := f.w.Err(); err != nil {
				return err
			}
		}
		p.count = 0
		v := p.value(0)
		op, ok := v.(keyword)
		if v == nil {
			break
		}
		if !ok {
			if len(stack) < 1000 {
				stack = append(stack, v)
			}
			continue
		}
		last := func(n int) any {
			if n < len(stack) {
				return stack[len(stack)-1-n]
			}
			return nil
		}
		num := func(n int) float64 { v, _ := last(n).(float64); return v }
		switch op {
		case "Tf":
			if fonts == nil {
				fonts = f.fonts(resources)
			}
			n, _ := last(1).(name)
			now = fonts[n]
		case "Tj", "'", "\"":
			if op != "Tj" {
				blank("\n")
			}
			if s, ok := last(0).(text); ok {
				write(now.decode(s))
			}
		case "TJ":
			a, _ := last(0).(array)
			for _, x := range a {
				switch x := x.(type) {
				case text:
					write(now.decode(x))
				case float64:
					if x < -200 {
						blank(" ")
					}
				}
			}
		case "Td", "TD":
			if num(0) != 0 {
				blank("\n")
			} else {
				blank(" ")
			}
		case "T*", "ET":
			blank("\n")
		case "Tm":
			if y := num(0); y != row {
				row = y
				blank("\n")
			} else {
				blank(" ")
			}
		case "BI":
			p.inline()
		}
		stack = stack[:0]
	}
	return nil
}

// inline passes a picture that stands in the content, 8.9.7.
func (p *parser) inline() {
	for p.i+3 < len(p.b) {
		if p.b[p.i] == 'E' && p.b[p.i+1] == 'I' && space(p.b[p.i+2]) && space(p.b[p.i-1]) {
			p.i += 2
			return
		}
		p.i++
	}
	p.i = len(p.b)
}
