package pdf

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Bounds of pictures: more of them say nothing new.
const (
	maxPictures = 64
	minSide     = 24       // pixels; no code fits in less
	maxRaster   = 16 << 20 // pixels in all that are drawn anew
)

// pictures emits what stands in the file as pictures, for those who look at pixels.
func (f *file) pictures() error {
	for _, o := range f.objects {
		d, ok := o.value.(dict)
		if !ok || o.raw == nil || f.name(d["Subtype"]) != "Image" || f.emitted[o] {
			continue
		}
		f.emitted[o] = true
		w, h := f.int(d["Width"]), f.int(d["Height"])
		if w < minSide || h < minSide {
			continue
		}
		if f.images++; f.images > maxPictures {
			return nil // many pictures are no attack
		}
		b, rest, err := f.unpack(o, maxStream*4)
		if err != nil {
			return err
		}
		e := child.Entry{Name: fmt.Sprintf("image-%d", o.number), Method: "pdf", Size: -1}
		switch {
		case len(rest) == 1 && (rest[0] == "DCTDecode" || rest[0] == "DCT"):
			e.Name, e.Type, e.Bytes = e.Name+".jpg", inspect.JPEG, b
		case len(rest) == 0:
			if e.Bytes, err = f.raster(d, b, w, h); err != nil {
				return nil // the budget of pixels: noted
			}
			e.Name, e.Type = e.Name+".png", inspect.PNG
		}
		if e.Bytes == nil {
			continue
		}
		if _, err := f.w.Emit(e); err != nil {
			return err
		}
	}
	return nil
}

// raster draws samples as a PNG, 8.9.5. It returns nothing for colours that it
// doesn't know.
func (f *file) raster(d dict, b []byte, w, h int) ([]byte, error) {
	bits := f.int(first(d, "BitsPerComponent", "BPC"))
	if mask, _ := f.deref(first(d, "ImageMask", "IM")).(bool); mask {
		bits = 1
	}
	parts, palette := f.colours(first(d, "ColorSpace", "CS"))
	if parts == 0 || bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return nil, nil
	}
	row := (w*parts*bits + 7) / 8
	if row <= 0 || len(b) < row { // fewer samples than one row
		return nil, nil
	}
	h = min(h, len(b)/row)
	if err := f.w.Pixels(w, h); err != nil {
		return nil, err
	}
	if f.pixels += w * h; f.pixels > maxRaster {
		return nil, nil
	}
	inverted := false
	if a := f.array(first(d, "Decode", "D")); len(a) >= 2 {
		inverted = f.number(a[0]) > f.number(a[1])
	}
	sample := func(line []byte, i int) byte {
		switch bits {
		case 8:
			return line[i]
		default:
			per := 8 / bits
			return line[i/per] >> (8 - bits - i%per*bits) & (1<<bits - 1)
		}
	}
	top := byte(1<<bits - 1)
	full := func(v byte) byte {
		v = byte(int(v) * 255 / int(top))
		if inverted {
			v = ^v
		}
		return v
	}
	var out image.Image
	if parts == 1 && palette == nil { // most codes are such pictures
		grey := image.NewGray(image.Rect(0, 0, w, h))
		for y := range h {
			line, to := b[y*row:(y+1)*row], grey.Pix[y*grey.Stride:]
			for x := range w {
				to[x] = full(sample(line, x))
			}
			if err := f.w.Err(); err != nil {
				return nil, err
			}
		}
		out = grey
	} else {
		rgb := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			line, to := b[y*row:(y+1)*row], rgb.Pix[y*rgb.Stride:]
			for x := range w {
				to[4*x+3] = 255
				switch {
				case palette != nil:
					if i := int(sample(line, x)) * 3; i+3 <= len(palette) {
						copy(to[4*x:], palette[i:i+3])
					}
				case parts == 3:
					for i := range 3 {
						to[4*x+i] = full(sample(line, 3*x+i))
					}
				default:
					to[4*x], to[4*x+1], to[4*x+2] = color.CMYKToRGB(full(sample(line, 4*x)), full(sample(line, 4*x+1)), full(sample(line, 4*x+2)), full(sample(line, 4*x+3)))
				}
			}
			if err := f.w.Err(); err != nil {
				return nil, err
			}
		}
		out = rgb
	}
	var file bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&file, out); err != nil {
		return nil, nil
	}
	return file.Bytes(), nil
}

// colours says how many parts a sample has, and its palette as RGB where it has one.
func (f *file) colours(v any) (parts int, palette []byte) {
	for range maxChain {
		switch c := f.deref(v).(type) {
		case nil:
			return 1, nil // a mask
		case name:
			switch c {
			case "DeviceGray", "CalGray", "G":
				return 1, nil
			case "DeviceRGB", "CalRGB", "RGB":
				return 3, nil
			case "DeviceCMYK", "CMYK":
				return 4, nil
			}
			return 0, nil
		case array:
			if len(c) == 0 {
				return 0, nil
			}
			switch f.name(c[0]) {
			case "ICCBased":
				if len(c) > 1 {
					if n := f.int(f.dict(c[1])["N"]); n == 1 || n == 3 || n == 4 {
						return n, nil
					}
				}
				return 0, nil
			case "Indexed", "I":
				if len(c) < 4 {
					return 0, nil
				}
				base, _ := f.colours(c[1])
				return 1, f.palette(c[3], base)
			case "CalRGB", "Lab":
				return 3, nil
			case "Separation", "CalGray":
				return 1, nil
			default:
				v = c[0]
				continue
			}
		}
		return 0, nil
	}
	return 0, nil
}

func (f *file) palette(v any, base int) []byte {
	var b []byte
	if t := f.target(v); t != nil && t.raw != nil {
		b, _ = f.content(t, 4096)
	} else if s, ok := f.deref(v).(text); ok {
		b = []byte(s)
	}
	switch base {
	case 3:
		return b
	case 1:
		out := make([]byte, 0, 3*len(b))
		for _, c := range b[:min(len(b), 256)] {
			out = append(out, c, c, c)
		}
		return out
	}
	return nil
}
