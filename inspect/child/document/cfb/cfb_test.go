package cfb_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect/child/document/cfb"
	"sluice/inspect/child/document/cfb/cfbtest"
)

func TestRead(t *testing.T) {
	streams := map[string]string{
		"WordDocument":    strings.Repeat("large ", 2000),
		"Macros/VBA/dir":  "small",
		"Macros/VBA/This": strings.Repeat("x", 65),
		"\x01CompObj":     "",
	}
	f, err := cfb.Open(cfbtest.Build(streams))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range f.Entries {
		if !e.Storage {
			got[e.Path] = string(f.Read(e, 1<<20))
		}
	}
	if d := cmp.Diff(streams, got); d != "" || f.Broken != "" {
		t.Error(d, f.Broken)
	}
	e, ok := f.Find("macros/vba/DIR")
	if !ok || string(f.Read(e, 3)) != "sma" {
		t.Errorf("find: %v %v", e, ok)
	}
}

// What is broken ends where it is broken.
func TestBroken(t *testing.T) {
	whole := cfbtest.Build(map[string]string{"a/b": "in the mini stream", "c": strings.Repeat("y", 9000)})
	le := binary.LittleEndian
	fat := int(le.Uint32(whole[76:])+1) * 512
	dir := int(le.Uint32(whole[48:])+1) * 512
	for _, c := range []struct {
		name   string
		break_ func(b []byte) []byte
		want   string // a path that is still found
	}{
		{"cut in the middle of the header", func(b []byte) []byte { return b[:300] }, ""},
		{"header only", func(b []byte) []byte { return b[:512] }, ""},
		{"all chains loop", func(b []byte) []byte {
			for i := range 128 {
				le.PutUint32(b[fat+4*i:], 0)
			}
			return b
		}, ""},
		{"a storage is its own child", func(b []byte) []byte {
			le.PutUint32(b[dir+128+76:], 1)
			return b
		}, "?/b"},
		{"siblings in a circle", func(b []byte) []byte {
			le.PutUint32(b[dir+3*128+72:], 1)
			return b
		}, "c"},
		{"no root kind", func(b []byte) []byte { b[dir+66] = 0; return b }, "a/b"},
		{"sizes beyond the file", func(b []byte) []byte {
			le.PutUint32(b[dir+3*128+120:], 0xFFFFFFFF)
			return b
		}, "c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.break_(append([]byte(nil), whole...))
			f, err := cfb.Open(b)
			if c.want == "" {
				if err == nil {
					for _, e := range f.Entries {
						f.Read(e, 1<<20)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			e, ok := f.Find(c.want)
			if !ok {
				t.Fatalf("%q is gone: %+v", c.want, f.Entries)
			}
			if n := len(f.Read(e, 1<<20)); n == 0 || n > len(b) {
				t.Errorf("%d bytes", n)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(cfbtest.Build(map[string]string{"a/b": "mini", "c": strings.Repeat("y", 5000)}))
	f.Add([]byte(cfb.Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := cfb.Open(b)
		if err != nil {
			return
		}
		for _, e := range c.Entries {
			if n := len(c.Read(e, 1<<20)); n > 1<<20 || n > len(b) {
				t.Fatalf("%d bytes from a file of %d", n, len(b))
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	file := cfbtest.Build(map[string]string{"a/b": "mini", "c": strings.Repeat("y", 1<<20)})
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		f, err := cfb.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range f.Entries {
			f.Read(e, 2<<20)
		}
	}
}
