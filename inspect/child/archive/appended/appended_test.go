package appended

import (
	stdzip "archive/zip"
	"bytes"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/zip"
	"sluice/inspect/child/childtest"
)

func archive(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	f, err := w.Create("a.exe")
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("inert"))
	w.Close()
	return b.Bytes()
}

func TestAppended(t *testing.T) {
	cab := make([]byte, 60)
	copy(cab, "MSCF")
	cab[8], cab[16], cab[25] = 60, 44, 1
	for _, c := range []struct {
		name string
		b    []byte
		want []inspect.Type
	}{
		{"nothing", []byte("\x89PNG\r\n\x1a\n and a picture"), nil},
		{"zip", append([]byte("\x89PNG\r\n\x1a\n"), archive(t)...), []inspect.Type{inspect.Zip, ""}},
		{"rar", []byte("MZ program Rar!\x1a\x07\x01\x00 and so on"), []inspect.Type{inspect.Rar}},
		{"7z", []byte("MZ program 7z\xbc\xaf\x27\x1c\x00\x04 and so on"), []inspect.Type{inspect.SevenZip}},
		{"cab", append([]byte("MZ program "), cab...), []inspect.Type{inspect.Cab}},
		{"words of a cab", []byte("MZ program MSCF\x00\x00\x00\x00 is what a cabinet begins with, as we know"), nil},
	} {
		r := childtest.Run(t, child.Config{Decoders: []child.Decoder{New(), zip.New()}, Identify: func(string, string, []byte) (inspect.Type, inspect.Class) { return "", 0 }},
			&inspect.Request{Inputs: []inspect.Input{{Name: "x", Body: c.b}}})
		if len(r.Files) != 1 {
			t.Errorf("%s: an unknown type was opened", c.name)
		}
		r = childtest.Run(t, child.Config{Decoders: []child.Decoder{New(), zip.New()}}, &inspect.Request{Inputs: []inspect.Input{{Name: "x", DeclaredType: "pe", Body: c.b}}})
		var got []inspect.Type
		for _, f := range r.Files[1:] {
			got = append(got, f.Type)
		}
		if len(got) < len(c.want) || len(c.want) == 0 && len(got) > 0 || len(got) > 0 && got[0] != c.want[0] {
			t.Errorf("%s: %v, want %v (%v)", c.name, got, c.want, r.Facts)
		}
		if (len(c.want) > 0) != childtest.Has(r, inspect.AppendedArchive, "") {
			t.Errorf("%s: facts %v", c.name, r.Facts)
		}
	}
}

func FuzzAppended(f *testing.F) {
	f.Add(append([]byte("\x89PNG\r\n\x1a\n"), archive(f)...))
	f.Add([]byte("MZ Rar!\x1a\x07\x01\x00 7z\xbc\xaf\x27\x1c\x00\x04 MSCF\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.PE, b) })
}
