package tnef

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/internal/shared"
)

// build writes attributes.
func build(parts ...any) []byte {
	b := binary.LittleEndian.AppendUint32(nil, signature)
	b = append(b, 1, 0)
	for i := 0; i < len(parts); i += 2 {
		data := []byte(parts[i+1].(string))
		b = append(b, 2)
		b = binary.LittleEndian.AppendUint32(b, uint32(parts[i].(int)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		b = binary.LittleEndian.AppendUint16(b, checksum(data))
	}
	return b
}

// prop writes a list with one property of variable length.
func prop(typ, id uint16, data string) string {
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = binary.LittleEndian.AppendUint16(b, typ)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return string(b) + data + strings.Repeat("\x00", (4-len(data)%4)%4)
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want string
		fact inspect.Kind
	}{
		{"file", build(attRendData, "x", attTitle, "a.txt\x00", attData, "hello"), "a.txt 5", ""},
		{"long name", build(attRendData, "x", attTitle, "A~1.EXE\x00", attData, "hello", attAttachment, prop(0x1f, propLongName, "l\x00o\x00n\x00g\x00.\x00e\x00x\x00e\x00\x00\x00")), "long.exe 5", ""},
		{"two", build(attRendData, "x", attTitle, "a\x00", attData, "1", attRendData, "x", attTitle, "b\x00", attData, "22"), "a 1, b 2", ""},
		{"data as property", build(attRendData, "x", attTitle, "a\x00", attAttachment, prop(0x102, propData, "hello")), "a 5", ""},
		{"message in message", build(attRendData, "x", attTitle, "m\x00", attAttachment, prop(0x0d, propData, "\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"+string(build(attRendData, "x", attTitle, "in\x00", attData, "1")))), "m 44, in 1", ""},
		{"html", build(attProperties, prop(0x102, propHTML, "<html>")), "body.html 6", ""},
		{"rtf", build(attProperties, prop(0x102, propRTF, "\x00\x00\x00\x00\x05\x00\x00\x00MELA\x00\x00\x00\x00{\\rt}")), "body.rtf 5", ""},
		{"cut", build(attRendData, "x", attTitle, "a\x00", attData, "hello")[:44], "a 4", inspect.Damaged},
		{"sum", append(build(attRendData, "x", attTitle, "a\x00", attData, "hello")[:44], "o\x00\x00"...), "a 5", inspect.Damaged},
		{"nothing", []byte("\x78\x9f\x3e\x22\x00\x00"), "", ""},
	} {
		r := childtest.One(t, New(), "winmail.dat", inspect.TNEF, c.b)
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name+" "+string(rune('0' + f.Size/10))[:min(1, int(f.Size/10))]+string(rune('0'+f.Size%10)))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %q", c.name, r.Facts, c.fact)
		}
	}
}

func TestRTF(t *testing.T) {
	if len(rtfStart) != 207 {
		t.Fatalf("the dictionary starts with %d bytes", len(rtfStart))
	}
	// The example of MS-OXRTFCP 4.1.
	packed := "\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3 hel\x09\x00\x20bw\x05\xb0ld}\x0a\x80\x0f\xa0"
	got, err := DecompressRTF([]byte(packed), 1000)
	if want := "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"; err != nil || string(got) != want {
		t.Errorf("%q %v", got, err)
	}
}

// plainName is how the tnef program writes names to disk.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ()", r) {
			return '_'
		}
		return r
	}, s)
}

// The listings of the tnef program's test suite, and the contents it gives.
func TestListings(t *testing.T) {
	dir := shared.Dir(t, "suites", "tnef-verdammelt", "tests", "files")
	files, err := filepath.Glob(filepath.Join(dir, "datafiles", "*.tnef"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	compared := 0
	for _, p := range files {
		base := strings.TrimSuffix(filepath.Base(p), ".tnef")
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadFile(strings.TrimSuffix(p, ".tnef") + ".list")
		if err != nil {
			t.Fatal(err)
		}
		r := childtest.Run(t, child.Config{Decoders: []child.Decoder{New()}},
			&inspect.Request{Inputs: []inspect.Input{{Name: "winmail.dat", DeclaredType: "tnef", Body: b}}})
		got := map[string]inspect.File{}
		var attached []string
		for _, f := range r.Files[1:] {
			n := plainName(f.Name)
			if f.Method == "body" {
				n = base + "-" + n
			} else if f.Parent == 0 {
				attached = append(attached, n)
			}
			got[n] = f
		}
		var want []string
		for _, n := range strings.Fields(string(list)) {
			if !strings.Contains(n, "-body.") {
				want = append(want, n)
			}
			f, ok := got[n]
			if !ok {
				t.Errorf("%s: %s is missing; there are %v (%v)", base, n, attached, r.Facts)
				continue
			}
			baseline, err := os.ReadFile(filepath.Join(dir, "baselines", n+".baseline"))
			if err != nil {
				continue
			}
			compared++
			// The program leaves the id of an object's interface in front of it.
			if f.SHA256 != sha256.Sum256(baseline) && f.SHA256 != sha256.Sum256(baseline[min(16, len(baseline)):]) {
				t.Errorf("%s: %s has %d bytes, the baseline %d", base, n, f.Size, len(baseline))
			}
		}
		slices.Sort(want)
		slices.Sort(attached)
		// Some lists name the bodies only.
		if len(want) > 0 && !slices.Equal(attached, want) {
			t.Errorf("%s: attached are %v, want %v (%v)", base, attached, want, r.Facts)
		}
		t.Logf("%s: %v, facts %v", base, attached, r.Facts)
	}
	t.Logf("%d files, %d contents compared", len(files), compared)
}

// What made ytnef crash, and what it yields for the others.
func TestYTNEF(t *testing.T) {
	dir := shared.Dir(t, "suites", "tnef-ytnef", "test-data")
	results := map[[32]byte]string{}
	files, err := os.ReadDir(filepath.Join(dir, "results"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, "results", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		results[sha256.Sum256(b)] = f.Name()
	}
	inputs, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range inputs {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		r := childtest.One(t, New(), e.Name(), inspect.TNEF, b)
		for _, f := range r.Files[1:] {
			if n, ok := results[f.SHA256]; ok {
				if !strings.HasPrefix(plainName(f.Name), plainName(n)[:3]) {
					t.Errorf("%s: %q is %s", e.Name(), f.Name, n)
				}
				delete(results, f.SHA256)
			}
		}
	}
	for _, n := range results {
		t.Errorf("%s was not found", n)
	}
}

func FuzzTNEF(f *testing.F) {
	f.Add(build(attRendData, "x", attTitle, "a.txt\x00", attData, "hello"))
	f.Add(build(attRendData, "x", attAttachment, prop(0x1f, propLongName, "l\x00")))
	f.Add(build(attProperties, prop(0x102, propRTF, "\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125")))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.TNEF, b) })
}

func BenchmarkTNEF(b *testing.B) {
	body := build(attRendData, "x", attTitle, "a.txt\x00", attData, string(bytes.Repeat([]byte("content "), 1<<17)))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.TNEF, body)
	}
}
