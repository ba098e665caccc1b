package image

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"sluice/inspect"
)

// header is what a file says before any pixel is decoded.
type header struct {
	typ           inspect.Type
	width, height int
	weight        int // bytes of memory that decoding takes for a pixel, in units of 4
	frames        int
	parts         [][]byte // single frames to decode, where the whole file isn't what is given to the decoder
	end           int      // where the format ends in the file; 0 where unknown
	texts         []string // metadata
}

// Bounds on what a header is read for.
const (
	maxSteps  = 1 << 17 // chunks, segments, blocks
	maxTexts  = 32
	maxMeta   = 64 << 10 // bytes of one text
	maxScans  = 100      // of a progressive JPEG: each costs a pass over all pixels
	maxFrames = 4        // that are looked at: the first ones and the last
)

func (h *header) text(b []byte) {
	if len(h.texts) < maxTexts && len(b) > 0 {
		h.texts = append(h.texts, string(b[:min(len(b), maxMeta)]))
	}
}

// pictures is how many there are to decode.
func (h *header) pictures() int { return max(len(h.parts), 1) }

// readHeader reads sizes and metadata. Sizes are those that the pixels' decoder
// will allocate for.
func readHeader(t inspect.Type, b []byte) (*header, error) {
	h := &header{typ: t, weight: 1, frames: 1}
	var config func(io.Reader) (image.Config, error)
	var walk func(*header, []byte)
	switch t {
	case inspect.PNG:
		config, walk = png.DecodeConfig, walkPNG
	case inspect.JPEG:
		config, walk = jpeg.DecodeConfig, walkJPEG
	case inspect.GIF:
		config, walk = gif.DecodeConfig, walkGIF
	case inspect.BMP:
		config, walk = bmp.DecodeConfig, walkBMP
	case inspect.TIFF:
		config, walk = tiff.DecodeConfig, walkTIFF
	case inspect.WebP:
		config, walk = webp.DecodeConfig, walkWebP
	default:
		return nil, errors.New("no picture")
	}
	c, err := config(bytes.NewReader(b))
	if err != nil {
		// An animated WebP has no still picture; its walk finds the frames.
		if t != inspect.WebP {
			return nil, err
		}
		c = image.Config{}
	}
	h.width, h.height = c.Width, c.Height
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model:
		h.weight = 2
	}
	walk(h, b)
	if h.width <= 0 || h.height <= 0 {
		return nil, errTooSmall
	}
	return h, nil
}

// decode decodes one of the pictures; stop ends it.
func (h *header) decode(i int, b []byte, stop func() error) (image.Image, error) {
	if len(h.parts) > 0 {
		b = h.parts[i]
	}
	r := &stoppable{r: bytes.NewReader(b), stop: stop}
	var m image.Image
	var err error
	switch h.typ {
	case inspect.PNG:
		m, err = png.Decode(r)
	case inspect.JPEG:
		m, err = jpeg.Decode(r)
	case inspect.GIF:
		m, err = gif.Decode(r)
	case inspect.BMP:
		m, err = bmp.Decode(r)
	case inspect.TIFF:
		// TIFF is read at random places, so from memory.
		m, err = tiff.Decode(bytes.NewReader(b))
	case inspect.WebP:
		m, err = webp.Decode(r)
	}
	if r.err != nil {
		err = r.err
	}
	if err != nil {
		return nil, err
	}
	if m.Bounds().Empty() {
		return nil, errTooSmall
	}
	return m, nil
}

// stoppable is a reader that ends when the time is up.
type stoppable struct {
	r    io.Reader
	stop func() error
	err  error
	n    int
}

func (s *stoppable) Read(p []byte) (int, error) {
	if s.n++; s.n%8 == 1 {
		if s.err = s.stop(); s.err != nil {
			return 0, s.err
		}
	}
	return s.r.Read(p[:min(len(p), 512)])
}

// walkPNG reads the chunks (W3C PNG 5).
func walkPNG(h *header, b []byte) {
	at := 8
	for range maxSteps {
		if at+12 > len(b) {
			return
		}
		n := int(binary.BigEndian.Uint32(b[at:]))
		if n < 0 || n > len(b)-at-12 {
			return
		}
		data := b[at+8 : at+8+n]
		switch string(b[at+4 : at+8]) {
		case "acTL":
			if n >= 4 {
				h.frames = clampFrames(binary.BigEndian.Uint32(data))
			}
		case "tEXt", "eXIf":
			h.text(data)
		case "zTXt":
			if key, z, ok := bytes.Cut(data, []byte{0}); ok && len(z) > 1 {
				h.text(append(key[:len(key):len(key)], inflate(z[1:])...))
			}
		case "iTXt":
			// Keyword, flag, method, language, translated keyword, text.
			if _, rest, ok := bytes.Cut(data, []byte{0}); ok && len(rest) > 2 {
				zipped := rest[0] == 1
				_, rest, _ = bytes.Cut(rest[2:], []byte{0})
				_, rest, _ = bytes.Cut(rest, []byte{0})
				if zipped {
					rest = inflate(rest)
				}
				h.text(rest)
			}
		case "IEND":
			h.end = at + 12 + n
			return
		}
		at += 12 + n
	}
}

func clampFrames(n uint32) int { return int(min(n, 1<<20)) }

func inflate(b []byte) []byte {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(z, maxMeta))
	return out
}

// walkJPEG reads the segments (ITU T.81 B.1).
func walkJPEG(h *header, b []byte) {
	at, scans, progressive := 2, 0, false
	for range maxSteps {
		// A marker is FF and a byte that is neither 0, FF nor a restart.
		for at+1 < len(b) && (b[at] != 0xFF || b[at+1] == 0 || b[at+1] == 0xFF || 0xD0 <= b[at+1] && b[at+1] <= 0xD7) {
			next := bytes.IndexByte(b[at+1:], 0xFF)
			if next < 0 {
				return
			}
			at += 1 + next
		}
		if at+4 > len(b) {
			if at+2 <= len(b) && b[at+1] == 0xD9 {
				h.end = at + 2
			}
			return
		}
		marker := b[at+1]
		if marker == 0xD9 {
			h.end = at + 2
			return
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || at+2+n > len(b) {
			return
		}
		data := b[at+4 : at+2+n]
		switch {
		case marker == 0xFE:
			h.text(data)
		case marker == 0xE1:
			h.text(data) // Exif or XMP
		case marker == 0xC2:
			progressive = true
			fallthrough
		case marker == 0xC0 || marker == 0xC1:
			h.weight = weightJPEG(data, marker == 0xC2)
		case marker == 0xDA:
			if scans++; progressive && scans > maxScans {
				// More than any encoder writes: cut off what follows.
				h.parts = [][]byte{b[:at]}
				return
			}
		}
		at += 2 + n
	}
}

// weightJPEG is the memory for a pixel: samples, and with progressive ones the
// coefficients, four bytes each.
func weightJPEG(frame []byte, progressive bool) int {
	if len(frame) < 6 {
		return 1
	}
	n := min(int(frame[5]), 4)
	sum, most := 0, 1
	for i := range n {
		if o := 6 + 3*i + 1; o < len(frame) {
			area := int(frame[o]>>4) * int(frame[o]&15)
			sum += area
			most = max(most, area)
		}
	}
	bytes := (sum + most - 1) / most
	if progressive {
		bytes *= 5
	}
	return max((bytes+3)/4, 1)
}

// walkGIF reads the blocks (GIF89a), and takes some frames apart.
func walkGIF(h *header, b []byte) {
	if len(b) < 13 {
		return
	}
	start := 13
	if b[10]&0x80 != 0 {
		start += 3 << (b[10]&7 + 1)
	}
	type part struct{ from, to int }
	var firsts []part
	var last part
	at, from, n := start, start, 0
	for range maxSteps {
		if at >= len(b) {
			break
		}
		switch b[at] {
		case ';':
			h.end = at + 1
		case '!':
			if at+2 > len(b) {
				break
			}
			to, data := subBlocks(b, at+2, b[at+1] == 0xFE || b[at+1] == 0xFF)
			h.text(data)
			if b[at+1] == 0xF9 {
				from = at // the control block belongs to the frame that follows
			}
			at = to
			continue
		case ',':
			if at+10 > len(b) {
				break
			}
			to := at + 10
			if b[at+9]&0x80 != 0 {
				to += 3 << (b[at+9]&7 + 1)
			}
			to, _ = subBlocks(b, to+1, false)
			n++
			last = part{min(from, len(b)), min(to, len(b))}
			if len(firsts) < maxFrames-1 {
				firsts = append(firsts, last)
			}
			at, from = to, to
			continue
		}
		break
	}
	h.frames = max(n, 1)
	if n > len(firsts) {
		firsts = append(firsts, last)
	}
	if start > len(b) {
		return
	}
	for _, p := range firsts {
		if p.from <= p.to {
			h.parts = append(h.parts, append(append(b[:start:start], b[p.from:p.to]...), ';'))
		}
	}
}

// subBlocks skips to what follows the empty block, and joins the data where asked to.
func subBlocks(b []byte, at int, keep bool) (next int, data []byte) {
	for range maxSteps {
		if at >= len(b) || b[at] == 0 {
			return min(at+1, len(b)), data
		}
		n := int(b[at])
		if keep && len(data) < maxMeta {
			data = append(data, b[at+1:min(at+1+n, len(b))]...)
		}
		at += 1 + n
	}
	return len(b), data
}

// walkBMP takes the size that the file states, where it can be true.
func walkBMP(h *header, b []byte) {
	if len(b) < 26 {
		return
	}
	size, pixels := int(binary.LittleEndian.Uint32(b[2:])), int(binary.LittleEndian.Uint32(b[10:]))
	bits := 0
	if len(b) >= 30 {
		bits = int(binary.LittleEndian.Uint16(b[28:]))
	}
	if need := int64(pixels) + (int64(h.width)*int64(bits)+31)/32*4*int64(h.height); int64(size) >= need && size < len(b) {
		h.end = size
	}
}

// walkTIFF reads the texts of the first directory (TIFF 6.0 section 2).
func walkTIFF(h *header, b []byte) {
	if len(b) < 8 {
		return
	}
	var o binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		o = binary.BigEndian
	}
	at := int64(o.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return
	}
	for i := range int64(o.Uint16(b[at:])) {
		e := at + 2 + 12*i
		if e+12 > int64(len(b)) {
			return
		}
		if o.Uint16(b[e+2:]) != 2 { // ASCII
			continue
		}
		n, p := int64(o.Uint32(b[e+4:])), int64(o.Uint32(b[e+8:]))
		if n <= 4 {
			p = e + 8
		}
		if p+n <= int64(len(b)) {
			h.text(b[p : p+n])
		}
	}
}

// walkWebP reads the chunks (RFC 9649). The picture's own size counts too: it is
// what is allocated, whatever the extended header says.
func walkWebP(h *header, b []byte) {
	if len(b) < 12 {
		return
	}
	if size := int64(binary.LittleEndian.Uint32(b[4:])) + 8; 12 <= size && size <= int64(len(b)) {
		h.end = int(size)
		b = b[:size]
	}
	frames := 0
	chunks(b[12:], func(id string, whole, data []byte) {
		switch id {
		case "VP8 ", "VP8L":
			h.grow(id, data)
		case "VP8X":
			if len(data) >= 10 {
				h.width = max(h.width, 1+int(data[4])+int(data[5])<<8+int(data[6])<<16)
				h.height = max(h.height, 1+int(data[7])+int(data[8])<<8+int(data[9])<<16)
			}
		case "EXIF", "XMP ":
			h.text(data)
		case "ANMF":
			frames++
			if len(h.parts) > 0 || len(data) < 16 {
				return
			}
			chunks(data[16:], func(id string, whole, data []byte) {
				if (id == "VP8 " || id == "VP8L") && len(h.parts) == 0 {
					h.grow(id, data)
					still := append([]byte("RIFF\x00\x00\x00\x00WEBP"), whole...)
					binary.LittleEndian.PutUint32(still[4:], uint32(len(still)-8))
					h.parts = [][]byte{still}
				}
			})
		}
	})
	if frames > 0 {
		h.frames = frames
	}
}

// grow takes the size from a chunk of pixels.
func (h *header) grow(id string, data []byte) {
	switch {
	case id == "VP8 " && len(data) >= 10:
		h.width = max(h.width, int(binary.LittleEndian.Uint16(data[6:]))&0x3FFF)
		h.height = max(h.height, int(binary.LittleEndian.Uint16(data[8:]))&0x3FFF)
	case id == "VP8L" && len(data) >= 5:
		v := binary.LittleEndian.Uint32(data[1:])
		h.width = max(h.width, int(v&0x3FFF)+1)
		h.height = max(h.height, int(v>>14&0x3FFF)+1)
	}
}

// chunks walks over those of a RIFF file; whole is the chunk with its head.
func chunks(b []byte, visit func(id string, whole, data []byte)) {
	for range maxSteps {
		if len(b) < 8 {
			return
		}
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		if n > int64(len(b)-8) {
			return
		}
		padded := min(8+n+n&1, int64(len(b)))
		visit(string(b[:4]), b[:padded], b[8:8+n])
		b = b[padded:]
	}
}
