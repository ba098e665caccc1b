package sevenzip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

// build writes an archive whose files stand one after the other in a folder of the
// given coder.
func build(coder string, packed []byte, contents map[string]string, order ...string) []byte {
	var plain []byte
	for _, n := range order {
		plain = append(plain, contents[n]...)
	}
	if packed == nil {
		packed = plain
	}
	h := []byte{idHeader, idMainStreams, idPackInfo, 0, 1, idSize}
	h = append(h, num(uint64(len(packed)))...)
	h = append(h, idEnd, idUnpackInfo, idFolder, 1, 0)
	h = append(h, coder...)
	h = append(h, idCodersSize)
	h = append(h, num(uint64(len(plain)))...)
	h = append(h, idEnd, idSubStreams, idNumUnpack, byte(len(order)), idSize)
	for _, n := range order[:len(order)-1] {
		h = append(h, num(uint64(len(contents[n])))...)
	}
	h = append(h, idCRC, 1)
	for _, n := range order {
		h = binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE([]byte(contents[n])))
	}
	h = append(h, idEnd, idEnd, idFiles, byte(len(order)), idNames)
	names := []byte{0}
	for _, n := range order {
		for _, u := range append(utf16.Encode([]rune(n)), 0) {
			names = binary.LittleEndian.AppendUint16(names, u)
		}
	}
	h = append(append(append(h, num(uint64(len(names)))...), names...), idEnd, idEnd)
	return seal(packed, h)
}

// seal puts the start header in front.
func seal(packed, header []byte) []byte {
	var start []byte
	start = binary.LittleEndian.AppendUint64(start, uint64(len(packed)))
	start = binary.LittleEndian.AppendUint64(start, uint64(len(header)))
	start = binary.LittleEndian.AppendUint32(start, crc32.ChecksumIEEE(header))
	b := binary.LittleEndian.AppendUint32([]byte(Magic+"\x00\x04"), crc32.ChecksumIEEE(start))
	return append(append(append(b, start...), packed...), header...)
}

func num(v uint64) []byte {
	if v < 0x80 {
		return []byte{byte(v)}
	}
	return append([]byte{0xff}, binary.LittleEndian.AppendUint64(nil, v)...)
}

const stored = "\x01\x01\x00"

// locked is the coder of AES with 2^4 rounds and no salt, and what it makes.
const locked = "\x01\x24\x06\xf1\x07\x01\x01\x04"

func lock(plain, password string) []byte {
	var pass []byte
	for _, u := range utf16.Encode([]rune(password)) {
		pass = binary.LittleEndian.AppendUint16(pass, u)
	}
	h := sha256.New()
	for i := range uint64(16) {
		h.Write(pass)
		h.Write(binary.LittleEndian.AppendUint64(nil, i))
	}
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		panic(err)
	}
	b := make([]byte, (len(plain)+15)/16*16)
	copy(b, plain)
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(b, b)
	return b
}

func TestArchives(t *testing.T) {
	files := map[string]string{"a.txt": "hello", "b.exe": "inert program"}
	honest := build(stored, nil, files, "a.txt", "b.exe")
	broken := bytes.Clone(honest)
	broken[33]++
	for _, c := range []struct {
		name string
		b    []byte
		want []inspect.Content
		fact inspect.Kind
	}{
		{"honest", honest, []inspect.Content{inspect.Whole, inspect.Whole}, ""},
		{"behind", append(bytes.Clone(honest), "tail"...), []inspect.Content{inspect.Whole, inspect.Whole}, inspect.TrailingData},
		{"wrong sum", broken, []inspect.Content{inspect.Partial, inspect.Whole}, inspect.Damaged},
		{"unknown method", build("\x01\x03\x03\x04\x01", nil, files, "a.txt", "b.exe"), []inspect.Content{inspect.Listed, inspect.Listed}, inspect.Unsupported},
		{"cut", honest[:len(honest)-20], nil, inspect.Damaged},
		{"locked", build(locked, lock("helloinert program", "secret"), files, "a.txt", "b.exe"), []inspect.Content{inspect.Locked, inspect.Locked}, ""},
		{"opened", build(locked, lock("helloinert program", "infected"), files, "a.txt", "b.exe"), []inspect.Content{inspect.Whole, inspect.Whole}, inspect.PasswordWorked},
		{"costly key", build(strings.Replace(locked, "\x04", "\x3e", 1), lock("helloinert program", "infected"), files, "a.txt", "b.exe"), []inspect.Content{inspect.Locked, inspect.Locked}, ""},
	} {
		r := childtest.One(t, New(), "x.7z", inspect.SevenZip, c.b, "wrong", "infected")
		var got []inspect.Content
		for _, f := range r.Files[1:] {
			got = append(got, f.Content)
		}
		if len(got) != len(c.want) || len(got) > 0 && (got[0] != c.want[0] || got[1] != c.want[1]) {
			t.Errorf("%s: %v, want %v (%v)", c.name, got, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %s", c.name, r.Facts, c.fact)
		}
		if enc := strings.Contains(string(c.b), "\x06\xf1\x07\x01"); enc != r.Files[0].Class.Has(inspect.Encrypted) {
			t.Errorf("%s: class %v", c.name, r.Files[0].Class)
		}
	}
}

// Numbers in a header cost nothing: a million folders, files or a huge dictionary.
func TestHugeNumbers(t *testing.T) {
	big := "\xe0\xff\xff\x7f"
	for name, h := range map[string]string{
		"folders": "\x01\x04\x06\x00\x01\x09\x05\x00\x07\x0b" + big + "\x00",
		"files":   "\x01\x05" + big + "\x0e\x01\x80",
		"packs":   "\x01\x04\x06\x00" + big + "\x09",
		"streams": "\x01\x04\x06\x00\x01\x09\x05\x00\x07\x0b\x01\x00\x01\x01\x00\x0c\x05\x00\x08\x0d" + big,
	} {
		b := seal([]byte("hello"), []byte(h))
		n := testing.AllocsPerRun(1, func() { childtest.One(t, New(), "x.7z", inspect.SevenZip, b) })
		r := childtest.One(t, New(), "x.7z", inspect.SevenZip, b)
		if !childtest.Has(r, inspect.Damaged, "") || n > 3000 {
			t.Errorf("%s: %v allocations, %v", name, n, r.Facts)
		}
	}
	dict := build("\x01\x23\x03\x01\x01\x05\x5d\xff\xff\xff\xff", []byte("\x00nonsense that is no range code"), map[string]string{"a": strings.Repeat("x", 100)}, "a")
	if r := childtest.One(t, New(), "x.7z", inspect.SevenZip, dict); len(r.Files) != 2 {
		t.Errorf("%+v", r)
	}
}

// What 7-Zip packs is unpacked, by each of its methods.
func TestProgram(t *testing.T) {
	program := ""
	for _, n := range []string{"7zz", "7z", "7za"} {
		if p, err := exec.LookPath(n); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		t.Skip("7-Zip isn't installed")
	}
	body, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	body = body[:min(len(body), 1<<20)]
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"-m0=copy", "-m0=lzma", "-m0=lzma2", "-m0=bzip2", "-m0=deflate", "-m0=deflate64", "-mf=BCJ", "-mf=ARM64", "-mf=DELTA:4",
		"-m0=BCJ2 -m1=LZMA:d23 -m2=LZMA:d19 -m3=LZMA:d19 -mb0:1 -mb0s1:2 -mb0s2:3", "-mx9 -psecret -mhe=on"} {
		out := filepath.Join(t.TempDir(), "x.7z")
		c := exec.Command(program, append([]string{"a", "-bd", out, "a"}, strings.Fields(args)...)...)
		c.Dir = dir
		if msg, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", args, err, msg)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		r := childtest.One(t, New(), "x.7z", inspect.SevenZip, b, "secret")
		if len(r.Files) != 2 || r.Files[1].SHA256 != sha256.Sum256(body) || r.Files[1].Content != inspect.Whole {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

func FuzzSevenZip(f *testing.F) {
	files := map[string]string{"a.txt": "hello", "b.exe": "inert program"}
	f.Add(build(stored, nil, files, "a.txt", "b.exe"))
	f.Add(build(locked, lock("helloinert program", "infected"), files, "a.txt", "b.exe"))
	f.Add(build("\x01\x23\x03\x01\x01\x05\x5d\x00\x00\x01\x00", []byte("\x00\x05\x41\xfb"), files, "a.txt", "b.exe"))
	f.Add(build("\x02\x01\x21\x01\x18\x04\x03\x03\x01\x03\x01\x00", []byte("\x01\x00\x04hello\x00"), files, "a.txt"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 32 { // headers are looked at whatever their sum is
			childtest.Bytes(t, New(), inspect.SevenZip, b)
		}
	})
}

func BenchmarkSevenZip(b *testing.B) {
	content := strings.Repeat("content ", 1<<17)
	body := build(stored, nil, map[string]string{"a": content}, "a")
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.SevenZip, body)
	}
}
