package archive

import (
	"archive/tar"
	stdzip "archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

// zeros compresses n zero bytes once, into w.
func zeros(w io.Writer, n int64) {
	z := must(flate.NewWriter(w, flate.BestSpeed))
	must(io.CopyN(z, zero{}, n))
	z.Close()
}

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// raw writes a zip entry from packed bytes, with the sizes that it is told.
func raw(w *stdzip.Writer, name string, method uint16, packed []byte, size uint64, crc uint32) {
	f := must(w.CreateRaw(&stdzip.FileHeader{Name: name, Method: method, CRC32: crc, CompressedSize64: uint64(len(packed)), UncompressedSize64: size}))
	must(f.Write(packed))
}

// layered is in the manner of 42.zip: archives in archives, at the bottom of which
// are files of zeros. vary makes every one of them different.
func layered(depth, width int, size int64, vary bool) []byte {
	var packed bytes.Buffer
	zeros(&packed, size)
	level := func(n int) []byte {
		var b bytes.Buffer
		w := stdzip.NewWriter(&b)
		w.SetComment(fmt.Sprint(n))
		raw(w, "0.dll", stdzip.Deflate, packed.Bytes(), uint64(size), 0)
		w.Close()
		return b.Bytes()
	}
	content := level(0)
	for d := range depth {
		var b bytes.Buffer
		w := stdzip.NewWriter(&b)
		for i := range width {
			c := content
			if vary {
				// Another comment makes another file of it, and keeps it a zip.
				c = append(bytes.Clone(content[:len(content)-1]), byte('a'+i))
			}
			must(must(w.Create(fmt.Sprintf("lib %d.zip", i))).Write(c))
		}
		w.SetComment(fmt.Sprint(d))
		w.Close()
		content = b.Bytes()
	}
	return content
}

// overlapping lets n entries of the directory share one kernel of zeros. The files
// have names of their own, so that all of them count.
func overlapping(n int, size int64) []byte {
	var kernel bytes.Buffer
	zeros(&kernel, size)
	var b []byte
	local := func(name string) []byte {
		h := make([]byte, 30)
		copy(h, "PK\x03\x04\x14\x00")
		h[8] = 8
		binary.LittleEndian.PutUint32(h[18:], uint32(kernel.Len()))
		binary.LittleEndian.PutUint32(h[22:], uint32(size))
		h[26] = byte(len(name))
		return append(h, name...)
	}
	b = append(local("0000000"), kernel.Bytes()...)
	start := len(b)
	for i := range n {
		name := fmt.Sprintf("%07d", i)
		h := make([]byte, 46)
		copy(h, "PK\x01\x02\x14\x00\x14\x00")
		h[10] = 8
		binary.LittleEndian.PutUint32(h[20:], uint32(kernel.Len()))
		binary.LittleEndian.PutUint32(h[24:], uint32(size))
		h[28] = byte(len(name))
		b = append(append(b, h...), name...)
	}
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(n))
	binary.LittleEndian.PutUint16(end[10:], uint16(n))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(b)-start))
	binary.LittleEndian.PutUint32(end[16:], uint32(start))
	return append(b, end...)
}

func manyEntries(n int) []byte {
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	for i := range n {
		raw(w, fmt.Sprint(i), stdzip.Store, []byte("x"), 1, crc32.ChecksumIEEE([]byte("x")))
	}
	w.Close()
	return b.Bytes()
}

func manyInTar(n int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range n {
		w.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Size: 0})
	}
	w.Close()
	return b.Bytes()
}

func deep(n int, kind string) []byte {
	b := []byte("the bottom")
	for range n {
		b = wrappers[kind]("x."+kind, b)
	}
	return b
}

func gzipped(n int64) []byte {
	var b bytes.Buffer
	w := must(gzip.NewWriterLevel(&b, gzip.BestSpeed))
	must(io.CopyN(w, zero{}, n))
	w.Close()
	return b.Bytes()
}

func hugeTar() []byte {
	b := manyInTar(1)[:512]
	copy(b[124:], "\x80\x00\x00\x00\x00\x3f\xff\xff\xff\xff\xff\xff")
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return append(b, "little"...)
}

// sevenZip has one folder of LZMA with the dictionary of four gigabytes.
func sevenZip() []byte {
	packed := append([]byte{0, 0, 0, 0, 0}, make([]byte, 200)...)
	h := []byte("\x01\x04\x06\x00\x01\x09\x80\xcd\x00\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05\x5d\xff\xff\xff\xff\x0c\xf0\xff\xff\xff\xff\x00\x00\x05\x01\x11\x05\x00a\x00\x00\x00\x00\x00")
	b := []byte("7z\xbc\xaf\x27\x1c\x00\x04\x00\x00\x00\x00")
	b = binary.LittleEndian.AppendUint64(b, uint64(len(packed)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(h)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(h))
	return append(append(b, packed...), h...)
}

// lzmaZeros asks for a dictionary of four gigabytes; an input of zeros decodes to
// very many of them.
func lzmaZeros() []byte {
	return append([]byte("\x5d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), make([]byte, 4<<20)...)
}

// watch measures the most memory that the heap holds while f runs.
func watch(f func()) (took time.Duration, peak uint64) {
	runtime.GC()
	done := make(chan struct{})
	result := make(chan uint64)
	go func() {
		var most uint64
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-done:
				result <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	f()
	took = time.Since(began)
	close(done)
	return took, <-result
}

// Each bomb ends within the budget: on the clock, and in memory.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("bombs take seconds each")
	}
	const mostMemory = 400 << 20
	budget := inspect.DefaultBudget()
	for _, c := range []struct {
		name string
		file string
		make func() []byte
		met  inspect.Limit // at least one of them; 0: it ends by itself
	}{
		{"zips in zips, 16 wide, 5 deep, 64 MB each", "42.zip", func() []byte { return layered(5, 16, 64<<20, false) }, inspect.LimitRatio | inspect.LimitBytes | inspect.LimitFile},
		{"the same, all different", "42.zip", func() []byte { return layered(3, 16, 64<<20, true) }, inspect.LimitRatio | inspect.LimitBytes | inspect.LimitEntries},
		{"60,000 entries over one kernel of 10 MB", "x.zip", func() []byte { return overlapping(60_000, 10<<20) }, inspect.LimitRatio | inspect.LimitBytes},
		{"zip of 100,000 entries", "x.zip", func() []byte { return manyEntries(100_000) }, inspect.LimitEntries},
		{"tar of 100,000 entries", "x.tar", func() []byte { return manyInTar(100_000) }, inspect.LimitEntries},
		{"100 zips in each other", "x.zip", func() []byte { return deep(100, "zip") }, inspect.LimitDepth},
		{"25 messages in each other", "x.eml", func() []byte { return deep(25, "eml") }, inspect.LimitDepth},
		{"gzip of 1 GB of zeros", "x.gz", func() []byte { return gzipped(1 << 30) }, inspect.LimitRatio | inspect.LimitFile},
		{"gzip of many empty members", "x.gz", func() []byte { return bytes.Repeat(gzipped(0), 200_000) }, 0},
		{"gzip in gzip of zeros", "x.gz", func() []byte { return wrappers["gz"]("", gzipped(1<<30)) }, inspect.LimitRatio | inspect.LimitFile},
		{"tar that declares an exabyte", "x.tar", hugeTar, 0},
		{"7z with a dictionary of 4 GB", "x.7z", sevenZip, 0},
		{"lzma with a dictionary of 4 GB, 4 MB of zeros", "x.lzma", lzmaZeros, 0},
		{"iso whose folders are one another", "x.iso", func() []byte {
			b := wrappers["iso"]("A", []byte(strings.Repeat("x", 2048)))
			for at := 18 * 2048; at+40 < 20*2048; at += 36 {
				copy(b[at:], "\x24\x00\x12\x00\x00\x00\x00\x00\x00\x00\x00\x08")
				b[at+25], b[at+32], b[at+33] = 2, 1, 'A'
			}
			return b
		}, 0},
	} {
		body := c.make()
		var r *inspect.Report
		took, peak := watch(func() { r = run(t, c.file, body, budget) })
		t.Logf("| %s | %d kB | %d files | %v | %.2f s | %d MB |", c.name, len(body)>>10, len(r.Files), r.Exhausted, took.Seconds(), peak>>20)
		if took > budget.Time+2*time.Second {
			t.Errorf("%s: took %v", c.name, took)
		}
		if peak > mostMemory {
			t.Errorf("%s: %d MB", c.name, peak>>20)
		}
		if c.met != 0 && r.Exhausted&c.met == 0 {
			t.Errorf("%s: exhausted %v, want one of %v", c.name, r.Exhausted, c.met)
		}
		if childtest.Has(r, inspect.DecoderPanic, "") {
			t.Errorf("%s: %v", c.name, r.Facts)
		}
	}
}
