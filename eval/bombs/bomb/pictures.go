package bomb

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
)

func chunkPNG(b []byte, kind string, data []byte) []byte {
	b = append(be32(b, len(data)), kind...)
	b = append(b, data...)
	return be32(b, int(crc32.ChecksumIEEE(b[len(b)-len(data)-4:])))
}

// png is a picture of one bit for a pixel, whose rows are the zeros of a stream.
func png(width, height int, depth, kind, interlace byte, rows []byte) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	b = chunkPNG(b, "IHDR", append(be32(nil, width, height), depth, kind, 0, 0, interlace))
	b = chunkPNG(b, "IDAT", rows)
	return chunkPNG(b, "IEND", nil)
}

// zlibZeros is n megabytes, with a wrong sum at its end.
func zlibZeros(n int) []byte {
	return append(append([]byte{0x78, 0x9c}, deflated(n)...), 0, 0, 0, 0)
}

// apng is a PNG of n frames, all of them the same.
func apng(n, size int) []byte {
	var rows bytes.Buffer
	w := zlib.NewWriter(&rows)
	must(w.Write(make([]byte, (size/8+1)*size)))
	_ = w.Close()
	b := []byte("\x89PNG\r\n\x1a\n")
	b = chunkPNG(b, "IHDR", append(be32(nil, size, size), 1, 0, 0, 0, 0))
	b = chunkPNG(b, "acTL", be32(nil, n, 0))
	b = chunkPNG(b, "IDAT", rows.Bytes())
	for i := range n {
		b = chunkPNG(b, "fcTL", append(be32(nil, 2*i, size, size, 0, 0), 0, 1, 0, 1, 0, 0))
		b = chunkPNG(b, "fdAT", append(be32(nil, 2*i+1), rows.Bytes()...))
	}
	return chunkPNG(b, "IEND", nil)
}

// gif is one of n frames of one point each on a screen of the size given.
func gif(n, width, height int) []byte {
	b := append(le16([]byte("GIF89a"), width, height), 0x80, 0, 0, 0, 0, 0, 255, 255, 255)
	frame := append(le16([]byte{0x2C}, 0, 0, 1, 1), 0, 2, 2, 0x44, 0x01, 0)
	return append(append(b, bytes.Repeat(frame, n)...), 0x3B)
}

// jpegOf is a real picture whose header claims another size; scans says how often its
// scan is repeated.
func jpegOf(width, height, scans int, progressive bool) []byte {
	m := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range m.Pix {
		m.Pix[i] = color.Gray{Y: uint8(i)}.Y
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		panic(err)
	}
	b := out.Bytes()
	frame := bytes.Index(b, []byte{0xFF, 0xC0})
	if progressive {
		b[frame+1] = 0xC2
	}
	binary.BigEndian.PutUint16(b[frame+5:], uint16(height))
	binary.BigEndian.PutUint16(b[frame+7:], uint16(width))
	at := bytes.Index(b, []byte{0xFF, 0xDA})
	scan := bytes.Clone(b[at : len(b)-2])
	if progressive { // the direct coefficients alone
		scan[len(scan)-1] = 0
		n := int(binary.BigEndian.Uint16(scan[2:])) + 2
		scan[n-3], scan[n-2], scan[n-1] = 0, 0, 0
	}
	return append(append(b[:at:at], bytes.Repeat(scan, scans)...), 0xFF, 0xD9)
}

func webp(width, height int) []byte {
	bits := uint32(width-1) | uint32(height-1)<<14
	data := append(le32([]byte{0x2F}, int(bits)), make([]byte, 4096)...)
	b := append(le32([]byte("VP8L"), len(data)), data...)
	b = append(b, make([]byte, len(data)&1)...)
	return append(append(le32([]byte("RIFF"), len(b)+4), "WEBP"...), b...)
}

func bmp(width, height int) []byte {
	b := le32(append(le32([]byte("BM"), 1<<20), 0, 0, 0, 0), 54, 40, width, height)
	return append(le32(le16(b, 1, 24), 0, 0, 0, 0, 0, 0), make([]byte, 1<<16)...)
}

func tiff(n int) []byte {
	b := le32([]byte("II*\x00"), 8)
	for i := range n { // folders in a ring
		at := 8 + i*(2+4*12+4)
		next := at + 2 + 4*12 + 4
		if i == n-1 {
			next = 8
		}
		b = le16(b, 4)
		for _, e := range [][2]int{{256, 60_000}, {257, 60_000}, {262, 1}, {273, 8}} {
			b = le32(le16(b, e[0], 4), 1, e[1])
		}
		b = le32(b, next)
	}
	return b
}

func pictures() []Case {
	claims := func(name, file string, b func() []byte) Case { return Case{Name: name, File: file, Make: b} }
	return []Case{
		claims("png of 100,000 × 100,000", "a.png", func() []byte { return png(100_000, 100_000, 1, 0, 0, zlibZeros(1024)) }),
		{Name: "png of 6,400 × 6,400, interlaced, 16 bits in 4 channels", File: "a.png", Ends: true, Make: func() []byte { return png(6400, 6400, 16, 6, 1, zlibZeros(336)) }},
		{Name: "zip of 60 png of 6,400 × 6,400", File: "a.zip", Ends: true, Make: func() []byte {
			var e [][2]string
			for i := range 60 {
				e = append(e, [2]string{fmt.Sprint(i, ".png"), string(append(png(6400, 6400, 8, 0, 0, zlibZeros(48)), fmt.Sprint(i)...))})
			}
			return plainZip(e...)
		}},
		{Name: "png of 3,000 frames", File: "a.png", Ends: true, Make: func() []byte { return apng(3000, 800) }},
		claims("gif of 65,535 × 65,535", "a.gif", func() []byte { return gif(1, 65_535, 65_535) }),
		{Name: "gif of 100,000 frames", File: "a.gif", Ends: true, Make: func() []byte { return gif(100_000, 2000, 2000) }},
		claims("jpeg of 65,500 × 65,500", "a.jpg", func() []byte { return jpegOf(65_500, 65_500, 1, false) }),
		{Name: "jpeg of 6,000 × 6,000, 500 scans", File: "a.jpg", Ends: true, Make: func() []byte { return jpegOf(6000, 6000, 500, true) }},
		claims("webp of 16,384 × 16,384", "a.webp", func() []byte { return webp(16_384, 16_384) }),
		{Name: "webp of 6,400 × 6,400 in 4 kB", File: "a.webp", Ends: true, Make: func() []byte { return webp(6400, 6400) }},
		{Name: "bmp of 2,000,000,000 × 2,000,000,000", File: "a.bmp", Ends: true, Make: func() []byte { return bmp(2_000_000_000, 2_000_000_000) }},
		{Name: "tiff of 1,000 folders in a ring", File: "a.tif", Ends: true, Make: func() []byte { return tiff(1000) }},
	}
}
