package stream

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

const text = "inert text, again: inert text, again"

func zipped(name, content string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	w.Write([]byte(content))
	w.Close()
	return b.Bytes()
}

func run(t testing.TB, content []byte, program string, args ...string) []byte {
	t.Helper()
	c := exec.Command(program, args...)
	c.Stdin = bytes.NewReader(content)
	out, err := c.Output()
	if err != nil {
		t.Skipf("%s isn't installed: %v", program, err)
	}
	return out
}

// frame is an LZ4 frame with one stored block and one packed one: five bytes, then
// a match of them.
func frame() []byte {
	b := []byte("\x04\x22\x4d\x18\x40\x40\x00")
	b = binary.LittleEndian.AppendUint32(b, 1<<31|5)
	b = append(b, "hello"...)
	packed := "\x11 \x06\x00\x00"
	b = binary.LittleEndian.AppendUint32(b, uint32(len(packed)))
	b = append(b, packed...)
	return append(b, 0, 0, 0, 0)
}

// squeeze writes what compress would, for up to 16 bits and without clearing.
func squeeze(content []byte, max uint) []byte {
	out := []byte{0x1f, 0x9d, 0x80 | byte(max)}
	var bits []byte
	put := func(c int, n uint) {
		for i := range n {
			bits = append(bits, byte(c>>i&1))
		}
	}
	type key struct {
		prev int
		c    byte
	}
	table := map[key]int{}
	next, width, group := 257, uint(9), 0
	emit := func(c int) {
		put(c, width)
		group++
		if next > 1<<width-1 && width < max {
			for ; group%8 != 0; group++ {
				put(0, width)
			}
			width++
			group = 0
		}
	}
	prev := -1
	for _, c := range content {
		if prev < 0 {
			prev = int(c)
			continue
		}
		if n, ok := table[key{prev, c}]; ok {
			prev = n
			continue
		}
		emit(prev)
		if next < 1<<max {
			table[key{prev, c}] = next
			next++
		}
		prev = int(c)
	}
	if prev >= 0 {
		put(prev, width)
	}
	for i, v := range bits {
		if i%8 == 0 {
			out = append(out, 0)
		}
		out[len(out)-1] |= v << (i % 8)
	}
	return out
}

func TestStreams(t *testing.T) {
	var z bytes.Buffer
	zw, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	zw.Write([]byte(text))
	zw.Close()
	many := append(zipped("a", "one "), zipped("b", "two")...)
	for _, c := range []struct {
		name string
		typ  inspect.Type
		b    []byte
		as   string
		want string
		fact inspect.Kind
	}{
		{"a.txt.gz", inspect.Gzip, zipped("", text), "a.txt", text, ""},
		{"a.gz", inspect.Gzip, zipped("inner.js", text), "inner.js", text, ""},
		{"a.tgz", inspect.Gzip, zipped("", text), "a.tar", text, ""},
		{"a.gz", inspect.Gzip, many, "a", "one two", inspect.TwoReadings},
		{"a.gz", inspect.Gzip, append(zipped("", text), "tail"...), "a", text, inspect.TrailingData},
		{"a.gz", inspect.Gzip, zipped("", text)[:30], "a", text[:8], inspect.Damaged},
		{"a.zst", inspect.Zstd, z.Bytes(), "a", text, ""},
		{"a.lz4", inspect.LZ4, frame(), "a", "hello hello", ""},
		{"a.lz4", inspect.LZ4, append(frame(), frame()...), "a", "hello hellohello hello", ""},
		{"a.lz4", inspect.LZ4, append(frame(), "tail"...), "a", "hello hello", inspect.TrailingData},
		{"a.lz4", inspect.LZ4, frame()[:14], "a", "", inspect.Damaged},
		{"a.txt.Z", inspect.Compress, squeeze([]byte(text), 16), "a.txt", text, ""},
	} {
		r := childtest.One(t, New(), c.name, c.typ, c.b)
		if len(r.Files) != 2 {
			t.Errorf("%s: %+v", c.name, r)
			continue
		}
		if f := r.Files[1]; f.Name != c.as || f.Size != int64(len(c.want)) && c.fact != inspect.Damaged {
			t.Errorf("%s: %q of %d bytes, want %q of %d (%v)", c.name, f.Name, f.Size, c.as, len(c.want), r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %s", c.name, r.Facts, c.fact)
		}
	}
}

// What the usual programs write is read.
func TestPrograms(t *testing.T) {
	content := bytes.Repeat([]byte("some words 0123456789 and others, "), 20_000)
	sum := childtest.One(t, New(), "a.gz", inspect.Gzip, zipped("", string(content))).Files[1].SHA256
	for _, c := range []struct {
		typ     inspect.Type
		command string
	}{{inspect.Bzip2, "bzip2 -c"}, {inspect.XZ, "xz -c"}, {inspect.LZMA, "xz --format=lzma -c"}, {inspect.LZ4, "lz4 -c"}, {inspect.LZ4, "lz4 -l -c"}, {inspect.LZ4, "lz4 -9 -BD -c"}, {inspect.Zstd, "zstd -19 -c"}} {
		t.Run(c.command, func(t *testing.T) {
			args := strings.Fields(c.command)
			b := run(t, content, args[0], args[1:]...)
			r := childtest.One(t, New(), "a", c.typ, b)
			if len(r.Files) != 2 || r.Files[1].SHA256 != sum || len(r.Facts) > 0 {
				t.Errorf("%+v", r)
			}
		})
	}
	for _, max := range []uint{9, 10, 12, 16} {
		r := childtest.One(t, New(), "a", inspect.Compress, squeeze(content, max))
		if len(r.Files) != 2 || r.Files[1].SHA256 != sum || len(r.Facts) > 0 {
			t.Errorf("compress with %d bits: %+v", max, r)
		}
	}
}

func FuzzStream(f *testing.F) {
	for _, b := range [][]byte{zipped("a", text), frame(), squeeze([]byte(text), 12), []byte("\x28\xb5\x2f\xfd\x04\x00\x29\x00\x00hello"), []byte("BZh91AY&SY"), []byte("\x02\x21\x4c\x18\x02\x00\x00\x00\x10a")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range New().Types() {
			childtest.Bytes(t, New(), typ, b)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	content := bytes.Repeat([]byte("some words 0123456789 and others, that pack neither well nor badly; "), 20_000)
	for _, c := range []struct {
		typ  inspect.Type
		body []byte
	}{{inspect.Gzip, zipped("", string(content))}, {inspect.Compress, squeeze(content, 16)}, {inspect.LZ4, run(b, content, "lz4", "-c")}, {inspect.Bzip2, run(b, content, "bzip2", "-c")}} {
		b.Run(string(c.typ), func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				childtest.One(b, New(), "a", c.typ, c.body)
			}
		})
	}
}
