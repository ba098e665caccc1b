package cab

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

type member struct{ name, content string }

// build writes a cabinet of one folder.
func build(method uint16, members ...member) []byte {
	var all []byte
	var list []byte
	for _, m := range members {
		list = binary.LittleEndian.AppendUint32(list, uint32(len(m.content)))
		list = binary.LittleEndian.AppendUint32(list, uint32(len(all)))
		list = append(list, 0, 0, 0, 0, 0, 0, 0x20, 0)
		list = append(append(list, m.name...), 0)
		all = append(all, m.content...)
	}
	var data []byte
	blocks := 0
	for at := 0; at < len(all); at += maxBlock {
		piece := all[at:min(at+maxBlock, len(all))]
		packed := piece
		if method == 1 {
			var z bytes.Buffer
			w, err := flate.NewWriterDict(&z, 9, all[max(0, at-maxBlock):at])
			if err != nil {
				panic(err)
			}
			w.Write(piece)
			w.Close()
			packed = append([]byte("CK"), z.Bytes()...)
		}
		data = append(data, 0, 0, 0, 0)
		data = binary.LittleEndian.AppendUint16(data, uint16(len(packed)))
		data = binary.LittleEndian.AppendUint16(data, uint16(len(piece)))
		data = append(data, packed...)
		blocks++
	}
	h := make([]byte, 36+8)
	copy(h, "MSCF")
	binary.LittleEndian.PutUint32(h[8:], uint32(len(h)+len(list)+len(data)))
	binary.LittleEndian.PutUint32(h[16:], uint32(len(h)))
	h[24], h[25], h[26] = 3, 1, 1
	binary.LittleEndian.PutUint16(h[28:], uint16(len(members)))
	binary.LittleEndian.PutUint32(h[36:], uint32(len(h)+len(list)))
	binary.LittleEndian.PutUint16(h[40:], uint16(blocks))
	binary.LittleEndian.PutUint16(h[42:], method)
	return append(append(h, list...), data...)
}

func TestCabinets(t *testing.T) {
	long := strings.Repeat("some words, ", 9000)
	honest := build(1, member{"a.txt", "hello"}, member{"d\\long.txt", long})
	for _, c := range []struct {
		name string
		b    []byte
		want string
		fact inspect.Kind
	}{
		{"mszip", honest, "a.txt whole, d\\long.txt whole", ""},
		{"stored", build(0, member{"a.txt", "hello"}, member{"b", long}), "a.txt whole, b whole", ""},
		{"lzx", build(0x1503, member{"a.exe", "hello"}), "a.exe listed", inspect.Unsupported},
		{"behind", append(bytes.Clone(honest), "tail"...), "a.txt whole, d\\long.txt whole", inspect.TrailingData},
		{"cut", honest[:len(honest)-30], "a.txt whole, d\\long.txt partial", inspect.Damaged},
		{"damaged", bytes.Replace(honest, []byte("CK"), []byte("XX"), 1), "a.txt partial, d\\long.txt partial", inspect.Damaged},
		{"other cabinet", func() []byte { b := build(0, member{"a", "hello"}); b[44+8], b[44+9] = 0xfe, 0xff; return b }(), "a listed", inspect.SplitVolume},
	} {
		r := childtest.One(t, New(), "x.cab", inspect.Cab, c.b)
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name+" "+f.Content.String())
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %q", c.name, r.Facts, c.fact)
		}
	}
}

// What gcab packs is unpacked.
func TestProgram(t *testing.T) {
	if _, err := exec.LookPath("gcab"); err != nil {
		t.Skip("gcab isn't installed")
	}
	out := filepath.Join(t.TempDir(), "x.cab")
	if msg, err := exec.Command("gcab", "-zc", out, "cab.go", "cab_test.go").CombinedOutput(); err != nil {
		t.Skipf("gcab doesn't run: %v %s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	r := childtest.One(t, New(), "x.cab", inspect.Cab, b)
	if len(r.Files) != 3 || r.Files[2].Content != inspect.Whole || len(r.Facts) > 0 {
		t.Errorf("%+v", r)
	}
}

func FuzzCab(f *testing.F) {
	f.Add(build(1, member{"a.txt", "hello"}, member{"b", strings.Repeat("x", 40000)}))
	f.Add(build(0, member{"a.txt", "hello"}))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.Cab, b) })
}

func BenchmarkCab(b *testing.B) {
	content := strings.Repeat("some words that pack neither well nor badly 0123456789 ", 40_000)
	body := build(1, member{"a", content})
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.Cab, body)
	}
}
