package onenote

import (
	"encoding/binary"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

const magic = "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3"

func object(content string, size int) string {
	b := binary.LittleEndian.AppendUint64([]byte(mark), uint64(size))
	return string(append(b, make([]byte, 12)...)) + content
}

func wide(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(0)
	}
	return b.String()
}

func TestSections(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"none", "nothing here", ""},
		{"named", "\x01\x01" + wide("invoice.hta") + "\x01\x01" + object("<hta:application>", 17), "invoice.hta whole"},
		{"two files, one name", wide("a.cmd") + "\x01\x01" + object("1", 1) + object("2", 1), "embedded 1 whole, embedded 2 whole, a.cmd listed"},
		{"cut", object("inert", 500), "embedded 1 partial"},
		{"huge", object("inert", -1), "embedded 1 partial"},
		{"hidden in another", object("x"+object("inert", 5), 42), "embedded 1 whole, embedded 2 whole"},
		{"words are no names", wide("See the notes. They say it all") + object("1", 1), "embedded 1 whole"},
	} {
		r := childtest.One(t, New(), "x.one", inspect.OneNote, []byte(magic+c.in))
		var got []string
		for _, f := range r.Files[1:] {
			got = append(got, f.Name+" "+f.Content.String())
		}
		if s := strings.Join(got, ", "); !strings.HasPrefix(s, c.want) || c.want == "" && s != "" {
			t.Errorf("%s: %s, want %s (%v)", c.name, s, c.want, r.Facts)
		}
	}
}

func FuzzOneNote(f *testing.F) {
	f.Add([]byte(magic + wide("a.hta") + object("inert", 5)))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.OneNote, b) })
}

func BenchmarkOneNote(b *testing.B) {
	body := []byte(magic + object(strings.Repeat("content ", 1<<17), 1<<20))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.OneNote, body)
	}
}
