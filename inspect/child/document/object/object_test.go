package object_test

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect/child/document/object"
)

func pack(label, path, data string) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, 2)
	b = append(b, label+"\x00"+path+"\x00"...)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint16(b, 3)
	b = le.AppendUint32(b, uint32(len(path)+1))
	b = append(b, path+"\x00"...)
	b = le.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func TestPackage(t *testing.T) {
	whole := pack("bill.js", `C:\tmp\bill.js`, "WScript.Echo(1)")
	p, err := object.Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	want := object.Package{Label: "bill.js", Path: `C:\tmp\bill.js`, Temp: `C:\tmp\bill.js`, Size: 15, Data: []byte("WScript.Echo(1)")}
	if d := cmp.Diff(want, p); d != "" || p.Name() != "bill.js" {
		t.Error(d, p.Name())
	}
	for i := range whole {
		p, err := object.Parse(whole[:i])
		if err == nil && len(p.Data) >= 15 {
			t.Errorf("%d bytes gave all", i)
		}
	}
}

func TestOLE1(t *testing.T) {
	le := binary.LittleEndian
	b := le.AppendUint32(le.AppendUint32(nil, 0x501), 2)
	for _, s := range []string{"Equation.3\x00", "", ""} {
		b = append(le.AppendUint32(b, uint32(len(s))), s...)
	}
	b = append(le.AppendUint32(b, 4), "data and more"...)
	o, err := object.ParseOLE1(b)
	if err != nil || o.Class != "Equation.3" || string(o.Data) != "data" || o.Linked {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestID(t *testing.T) {
	if got := object.ID([16]byte{0x02, 0xCE, 0x02, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46}); got != "0002CE02-0000-0000-C000-000000000046" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pack("a", "b", "c"))
	f.Add([]byte("\x01\x05\x00\x00\x02\x00\x00\x00\x08\x00\x00\x00Package\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		object.ParseStream(b)
		if o, err := object.ParseOLE1(b); err == nil {
			object.Parse(o.Data)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	whole := pack("a", "b", string(make([]byte, 1<<20)))
	b.SetBytes(int64(len(whole)))
	for b.Loop() {
		object.Parse(whole)
	}
}
