package listing

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

type member struct {
	name, content string
	method        byte
	locked        bool
}

func arjOf(members ...member) []byte {
	var b []byte
	header := func(h []byte) {
		b = append(b, 0x60, 0xea)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(h)))
		b = append(append(b, h...), 0, 0, 0, 0, 0, 0)
	}
	h := make([]byte, 30)
	h[0], h[6] = 30, 2
	header(append(h, "x.arj\x00\x00"...))
	for _, m := range members {
		h := make([]byte, 30)
		h[0], h[5] = 30, m.method
		if m.locked {
			h[4] = 1
		}
		binary.LittleEndian.PutUint32(h[12:], uint32(len(m.content)))
		binary.LittleEndian.PutUint32(h[16:], uint32(len(m.content)))
		header(append(append(h, m.name...), 0, 0))
		b = append(b, m.content...)
	}
	return append(b, 0x60, 0xea, 0, 0)
}

func lhaOf(level byte, members ...member) []byte {
	var b []byte
	for _, m := range members {
		method := "-lh0-"
		if m.method != 0 {
			method = fmt.Sprintf("-lh%d-", m.method)
		}
		h := []byte("\x00\x00" + method)
		h = binary.LittleEndian.AppendUint32(h, uint32(len(m.content)))
		h = binary.LittleEndian.AppendUint32(h, uint32(len(m.content)))
		h = append(h, 0, 0, 0, 0, 0x20, level)
		if level == 2 {
			h = append(h, 0, 0, 'U')
			h = binary.LittleEndian.AppendUint16(h, uint16(len(m.name)+3))
			h = append(append(append(h, 1), m.name...), 0, 0)
			binary.LittleEndian.PutUint16(h, uint16(len(h)))
		} else {
			h = append(append(append(h, byte(len(m.name))), m.name...), 0, 0)
			h[0] = byte(len(h) - 2)
		}
		b = append(append(b, h...), m.content...)
	}
	return append(b, 0)
}

func aceOf(members ...member) []byte {
	var b []byte
	block := func(h []byte) {
		b = append(b, 0, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(h)))
		b = append(b, h...)
	}
	block([]byte("\x00\x00\x00**ACE**\x14\x14 and more"))
	for _, m := range members {
		h := make([]byte, 31)
		h[0], h[1], h[23] = 1, 1, m.method
		if m.locked {
			h[2] = 0x40
		}
		binary.LittleEndian.PutUint32(h[3:], uint32(len(m.content)))
		binary.LittleEndian.PutUint32(h[7:], uint32(len(m.content)))
		binary.LittleEndian.PutUint16(h[29:], uint16(len(m.name)))
		block(append(h, m.name...))
		b = append(b, m.content...)
	}
	return b
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func xarOf() []byte {
	content := deflated("hello hello")
	toc := deflated(fmt.Sprintf(`<?xml version="1.0"?><xar><toc><file id="1"><name>d</name><file id="2"><name>a.txt</name><data><offset>0</offset><size>11</size><length>%d</length><encoding style="application/x-gzip"/></data></file></file>`+
		`<file id="3"><name>b</name><data><encoding style="application/octet-stream"/><offset>%d</offset><length>5</length><size>5</size></data></file></toc></xar>`, len(content), len(content)))
	b := []byte("xar!\x00\x1c\x00\x01")
	b = binary.BigEndian.AppendUint64(b, uint64(len(toc)))
	b = append(b, make([]byte, 12)...)
	return append(append(append(b, toc...), content...), "inert"...)
}

func chmOf() []byte {
	b := make([]byte, 0x60)
	copy(b, "ITSF\x03")
	binary.LittleEndian.PutUint64(b[0x48:], 0x60)
	binary.LittleEndian.PutUint64(b[0x58:], 0x60+0x54+128)
	h := make([]byte, 0x54)
	copy(h, "ITSP")
	h[8], h[0x10] = 0x54, 128
	c := make([]byte, 128)
	copy(c, "PMGL")
	list := ""
	for _, e := range []string{"/a.htm\x00\x00\x05", "/evil.exe\x01\x00\x81\x00", "::DataSpace\x00\x00\x05", "/#SYSTEM\x00\x00\x05"} {
		n := strings.IndexAny(e, "\x00\x01")
		list += string(rune(n)) + e
	}
	binary.LittleEndian.PutUint32(c[4:], uint32(128-0x14-len(list)))
	copy(c[0x14:], list)
	return append(append(append(b, h...), c...), "inert"...)
}

func TestListings(t *testing.T) {
	members := []member{{name: "a.txt", content: "hello"}, {name: "d/b.exe", content: "packed", method: 1}}
	locked := []member{{name: "a.exe", content: "hello", locked: true}}
	for _, c := range []struct {
		name string
		typ  inspect.Type
		b    []byte
		want string
	}{
		{"arj", inspect.Arj, arjOf(members...), "a.txt whole, d/b.exe listed"},
		{"arj, locked", inspect.Arj, arjOf(locked...), "a.exe locked"},
		{"lha 0", inspect.LHA, lhaOf(0, members...), "a.txt whole, d/b.exe listed"},
		{"lha 2", inspect.LHA, lhaOf(2, members...), "a.txt whole, d/b.exe listed"},
		{"ace", inspect.Ace, aceOf(members...), "a.txt whole, d/b.exe listed"},
		{"ace, locked", inspect.Ace, aceOf(locked...), "a.exe locked"},
		{"xar", inspect.Xar, xarOf(), "d/a.txt whole, b whole"},
		{"chm", inspect.CHM, chmOf(), "a.htm whole, evil.exe listed"},
	} {
		r := childtest.One(t, New(), "x", c.typ, c.b)
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name+" "+f.Content.String())
		}
		if s := strings.Join(got, ", "); s != c.want || len(r.Facts) > 0 {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
	}
}

// What the arj program packs is listed.
func TestProgram(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.arj")
	if msg, err := exec.Command("arj", "a", "-m0", out, "listing.go", "listing_test.go").CombinedOutput(); err != nil {
		t.Skipf("arj doesn't run: %v %.100s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	r := childtest.One(t, New(), "x.arj", inspect.Arj, b)
	if len(r.Files) != 3 || r.Files[2].Content != inspect.Whole || len(r.Facts) > 0 {
		t.Errorf("%+v", r)
	}
}

func FuzzListing(f *testing.F) {
	members := []member{{name: "a.txt", content: "hello"}, {name: "d/b.exe", content: "packed", method: 1}}
	for _, b := range [][]byte{arjOf(members...), lhaOf(0, members...), lhaOf(1, members...), lhaOf(2, members...), aceOf(members...), xarOf(), chmOf()} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range New().Types() {
			childtest.Bytes(t, New(), typ, b)
		}
	})
}
