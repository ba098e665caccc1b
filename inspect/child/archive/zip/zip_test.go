package zip

import (
	stdzip "archive/zip"
	"bytes"
	"crypto/aes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

// item is one entry as a test wants it; what the headers say can be set apart.
type item struct {
	name    string
	content string
	method  uint16
	flags   uint16
	extra   string
	packed  []byte            // in place of what method makes of content
	central func(h []byte)    // changes the header in the directory
	local   func(h []byte)    // changes the local one
	hidden  bool              // not in the directory
	sum     func(crc *uint32) // changes the sum in both
}

func build(items ...item) []byte {
	var b, dir bytes.Buffer
	count := 0
	for _, it := range items {
		packed := it.packed
		if packed == nil {
			packed = pack(it.method, it.content)
		}
		crc := crc32.ChecksumIEEE([]byte(it.content))
		if it.sum != nil {
			it.sum(&crc)
		}
		h := make([]byte, 46)
		binary.LittleEndian.PutUint16(h[8:], it.flags)
		binary.LittleEndian.PutUint16(h[10:], it.method)
		binary.LittleEndian.PutUint32(h[16:], crc)
		binary.LittleEndian.PutUint32(h[20:], uint32(len(packed)))
		binary.LittleEndian.PutUint32(h[24:], uint32(len(it.content)))
		binary.LittleEndian.PutUint16(h[28:], uint16(len(it.name)))
		binary.LittleEndian.PutUint16(h[30:], uint16(len(it.extra)))
		binary.LittleEndian.PutUint32(h[42:], uint32(b.Len()))
		local := append([]byte("PK\x03\x04\x14\x00"), h[8:32]...)
		copy(h, "PK\x01\x02\x14\x00\x14\x00")
		if it.central != nil {
			it.central(h)
		}
		if it.local != nil {
			it.local(local)
		}
		b.Write(local)
		b.WriteString(it.name)
		b.WriteString(it.extra)
		b.Write(packed)
		if !it.hidden {
			count++
			dir.Write(h)
			dir.WriteString(it.name)
			dir.WriteString(it.extra)
		}
	}
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(count))
	binary.LittleEndian.PutUint16(end[10:], uint16(count))
	binary.LittleEndian.PutUint32(end[12:], uint32(dir.Len()))
	binary.LittleEndian.PutUint32(end[16:], uint32(b.Len()))
	b.Write(dir.Bytes())
	b.Write(end)
	return b.Bytes()
}

func pack(method uint16, content string) []byte {
	var b bytes.Buffer
	switch method {
	case deflate:
		w, err := flate.NewWriter(&b, 9)
		if err != nil {
			panic(err)
		}
		w.Write([]byte(content))
		w.Close()
	case zstandard:
		w, err := zstd.NewWriter(&b)
		if err != nil {
			panic(err)
		}
		w.Write([]byte(content))
		w.Close()
	default:
		return []byte(content)
	}
	return b.Bytes()
}

// lockOld encrypts as APPNOTE 6.1 says.
func lockOld(content, password string) []byte {
	k := newKeys(password)
	head := make([]byte, 12)
	head[11] = byte(crc32.ChecksumIEEE([]byte(content)) >> 24)
	var out []byte
	for _, c := range append(head, content...) {
		out = append(out, c^k.stream())
		k.update(c)
	}
	return out
}

// lockAES encrypts as WinZip does.
func lockAES(content, password string) []byte {
	salt := []byte("0123456789abcdef")
	key, err := pbkdf2.Key(sha1.New, password, salt, 1000, 66)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		panic(err)
	}
	data := []byte(content)
	for i := range data {
		var counter, pad [16]byte
		binary.LittleEndian.PutUint64(counter[:], uint64(i/16+1))
		block.Encrypt(pad[:], counter[:])
		data[i] ^= pad[i%16]
	}
	mac := hmac.New(sha1.New, key[32:64])
	mac.Write(data)
	return append(append(append(salt, key[64:]...), data...), mac.Sum(nil)[:10]...)
}

const aesField = "\x01\x99\x07\x00\x02\x00AE\x03\x00\x00"

// names lists what is in the archive, with how much of it was read.
func names(r *inspect.Report) string {
	var out []string
	for _, f := range r.Files[1:] {
		s := f.Name
		if f.Content != inspect.Whole {
			s += " " + f.Content.String()
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestArchives(t *testing.T) {
	text := strings.Repeat("inert text ", 100)
	put := func(at int, v uint32) func([]byte) {
		return func(h []byte) { binary.LittleEndian.PutUint32(h[at:], v) }
	}
	two := build(item{name: "a.txt", content: text, method: deflate}, item{name: "b.txt", content: "b"})
	for _, c := range []struct {
		name string
		b    []byte
		want string
		fact inspect.Kind // "" for an honest archive
		word string
	}{
		{"honest", two, "a.txt, b.txt", "", ""},
		{"zstd", build(item{name: "a.txt", content: text, method: zstandard}), "a.txt", "", ""},
		{"folder", build(item{name: "d/"}, item{name: "d/a.txt", content: "a"}), "d/a.txt", "", ""},
		{"empty", build(), "", "", ""},
		{"data in front", append([]byte("MZ and more"), two...), "a.txt, b.txt", inspect.LeadingData, "11 bytes"},
		{"data behind", append(bytes.Clone(two), "tail"...), "a.txt, b.txt", inspect.TrailingData, "4 bytes"},
		{"no directory", two[:len(two)-22], "a.txt, b.txt", inspect.Damaged, "no end record"},
		{"hidden entry", build(item{name: "a.txt", content: "a"}, item{name: "evil.exe", content: "inert", hidden: true}, item{name: "b.txt", content: "b"}),
			"a.txt, b.txt, evil.exe", inspect.HiddenEntry, "evil.exe"},
		{"other name", func() []byte {
			b := build(item{name: "a.txt", content: "a"})
			copy(b[30:], "b.exe")
			return b
		}(), "b.exe, a.txt", inspect.TwoReadings, "b.exe"},
		{"other method", build(item{name: "a", content: text, method: deflate, central: func(h []byte) { h[10] = 0 }}), "a, a partial", inspect.TwoReadings, "method"},
		{"encrypted by one header", build(item{name: "a", content: "a", central: func(h []byte) { h[8] = 1 }}), "a, a locked", inspect.TwoReadings, "one header only"},
		{"duplicate", build(item{name: "a", content: "1"}, item{name: "a", content: "2"}), "a, a", inspect.DuplicateName, "a"},
		{"wrong size", build(item{name: "a", content: text, method: deflate, central: put(24, 5), local: put(22, 5)}), "a", inspect.SizeMismatch, "declared 5, is 1100"},
		{"wrong packed size", build(item{name: "a", content: text, method: deflate, central: put(20, 4), local: put(18, 4)}, item{name: "b", content: "b"}),
			"a, b", inspect.SizeMismatch, "declared 4 packed"},
		{"wrong sum", build(item{name: "a", content: text, method: deflate, sum: func(c *uint32) { *c++ }}), "a partial", inspect.Damaged, "checksum"},
		{"damaged", build(item{name: "a", content: text, packed: []byte("\x07not deflate"), method: deflate}), "a partial", inspect.Damaged, ""},
		{"unknown method", build(item{name: "a", content: text, method: 98}), "a listed", inspect.Unsupported, "method"},
		{"overlap", func() []byte {
			return build(item{name: "a", content: text, method: deflate}, item{name: "a", content: text, method: deflate, central: put(42, 0)})
		}(), "a, a, a", inspect.EntriesOverlap, "1 entries"},
		{"climbs", build(item{name: "../../a", content: "a"}), "../../a", inspect.NameClimbs, "../../a"},
		{"old encryption, no password", build(item{name: "a.exe", content: text, flags: 1, packed: lockOld(text, "secret")}), "a.exe locked", "", ""},
		{"old encryption", build(item{name: "a.exe", content: text, flags: 1, packed: lockOld(text, "infected")}), "a.exe", inspect.PasswordWorked, "infected"},
		{"aes, no password", build(item{name: "a.exe", content: text, flags: 1, method: 99, extra: aesField, packed: lockAES(text, "secret")}), "a.exe locked", "", ""},
		{"aes without a sum", build(item{name: "a.exe", content: text, flags: 1, method: 99, extra: aesField, packed: lockAES(text, "infected"), sum: func(c *uint32) { *c = 0 }}),
			"a.exe", inspect.PasswordWorked, "infected"},
		{"aes", build(item{name: "a.exe", content: text, flags: 1, method: 99, extra: aesField, packed: lockAES(text, "infected")}), "a.exe", inspect.PasswordWorked, "infected"},
	} {
		r := childtest.One(t, New(), "x.zip", inspect.Zip, c.b, "wrong", "infected")
		if c.fact == inspect.PasswordWorked && len(r.Facts) != 1 {
			t.Errorf("%s: facts %v", c.name, r.Facts)
		}
		if got := names(r); got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 {
			t.Errorf("%s: facts %v", c.name, r.Facts)
		}
		if c.fact != "" && !childtest.Has(r, c.fact, c.word) {
			t.Errorf("%s: no %s %q in %v", c.name, c.fact, c.word, r.Facts)
		}
		if locked := strings.Contains(c.name, "encryption") || strings.HasPrefix(c.name, "aes"); locked && !r.Files[0].Class.Has(inspect.Encrypted) {
			t.Errorf("%s: not marked as encrypted", c.name)
		}
	}
}

// Passwords are not tried for ever, and what isn't tried is listed.
func TestManyLocked(t *testing.T) {
	locked := lockAES("inert", "secret")
	var items []item
	for i := range 200 {
		items = append(items, item{name: strconv.Itoa(i), content: "inert", flags: 1, method: 99, extra: aesField, packed: locked})
	}
	var words []string
	for i := range inspect.MaxPasswords {
		words = append(words, "word "+strconv.Itoa(i))
	}
	r := childtest.One(t, New(), "x.zip", inspect.Zip, build(items...), words...)
	if len(r.Files) != 201 || r.Files[200].Content != inspect.Locked || !r.Exhausted.Has(inspect.LimitSteps) {
		t.Errorf("%d files, exhausted %v", len(r.Files), r.Exhausted)
	}
}

// What the standard library writes, streamed with sizes behind the data, is honest.
func TestStreamed(t *testing.T) {
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	for _, n := range []string{"a.txt", "päckchen.txt", "empty"} {
		f, err := w.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if n != "empty" {
			f.Write(bytes.Repeat([]byte(n), 1000))
		}
	}
	w.Close()
	r := childtest.One(t, New(), "x.zip", inspect.Zip, b.Bytes())
	if got := names(r); got != "a.txt, päckchen.txt, empty" || len(r.Facts) > 0 {
		t.Errorf("%s %v", got, r.Facts)
	}
	// Without its directory the entries are found by their headers.
	cut := b.Bytes()[:bytes.Index(b.Bytes(), []byte("PK\x01\x02"))]
	r = childtest.One(t, New(), "x.zip", inspect.Zip, cut)
	if got := names(r); got != "a.txt, päckchen.txt, empty" || !childtest.Has(r, inspect.Damaged, "no end record") {
		t.Errorf("%s %v", got, r.Facts)
	}
}

// Deflate64, packed by hand: a stored block, then a fixed one with a long match.
func TestInflate64(t *testing.T) {
	var bits []byte
	put := func(v uint32, n int) {
		for i := range n {
			bits = append(bits, byte(v>>i&1))
		}
	}
	code := func(v uint32, n int) {
		for i := n - 1; i >= 0; i-- {
			bits = append(bits, byte(v>>i&1))
		}
	}
	put(1, 1)
	put(1, 2)
	code('a'+0x30, 8)
	code(0xc5, 8) // symbol 285
	put(5000, 16) // length 5003
	code(0, 5)    // distance 1
	code(0, 7)    // end
	var packed []byte
	for i, v := range bits {
		if i%8 == 0 {
			packed = append(packed, 0)
		}
		packed[i/8] |= v << (i % 8)
	}
	content := strings.Repeat("a", 5004)
	r := childtest.One(t, New(), "x.zip", inspect.Zip, build(item{name: "a", content: content, method: deflate64, packed: packed}))
	if got := names(r); got != "a" || r.Files[1].Size != 5004 || len(r.Facts) > 0 {
		t.Errorf("%s %+v", got, r)
	}
}

func FuzzZip(f *testing.F) {
	text := strings.Repeat("inert text ", 20)
	f.Add(build(item{name: "a.txt", content: text, method: deflate}, item{name: "b", content: "b"}))
	f.Add(build(item{name: "a", content: text, flags: 1, packed: lockOld(text, "infected")}))
	f.Add(build(item{name: "a", content: text, flags: 1, method: 99, extra: aesField, packed: lockAES(text, "infected")}))
	f.Add(build(item{name: "a", content: text, method: deflate64}, item{name: "a", content: text, method: lzma1}, item{name: "c", content: text, method: bzip, hidden: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		childtest.Bytes(t, New(), inspect.Zip, b)
		for range Names(b, 100) {
		}
		First(b, "mimetype", 100)
	})
}

func BenchmarkZip(b *testing.B) {
	content := strings.Repeat("some words that pack neither well nor badly 0123456789 ", 40_000)
	for _, m := range []uint16{stored, deflate, zstandard} {
		body := build(item{name: "a", content: content, method: m})
		b.Run(methodNames[m], func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				childtest.One(b, New(), "x.zip", inspect.Zip, body)
			}
		})
	}
}
