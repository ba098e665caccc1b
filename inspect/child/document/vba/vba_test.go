package vba_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/inspect/child/document/vba"
	"sluice/inspect/child/document/vba/vbatest"
)

func TestDecompress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Repeat(rapid.StringMatching(`[a-c\x00-\xff]{0,40}`).Draw(t, "piece"), rapid.IntRange(0, 300).Draw(t, "times"))
		if s == "" || len(s)%4096 == 0 {
			return
		}
		got, err := vba.Decompress([]byte(vbatest.Compress(s)), 1<<20)
		if err != nil || !strings.HasPrefix(string(got), s) {
			t.Fatalf("%q became %q, %v", s, got, err)
		}
	})
}

// The example of [MS-OVBA] 3.2.2: a container as Office writes it.
func TestPublishedExample(t *testing.T) {
	in := "\x01\x2F\xB0\x00\x23\x61\x61\x61\x62\x63\x64\x65\x82\x66\x00\x70\x61\x67\x68\x69\x6A\x01\x38\x08\x61\x6B\x6C\x00\x30\x6D\x6E\x6F\x70\x06\x71\x02\x70\x04\x10\x72\x73\x74\x75\x76\x10\x77\x78\x79\x7A\x00\x3C"
	const want = "#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa"
	if got, err := vba.Decompress([]byte(in), 1<<20); string(got) != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDecompressHostile(t *testing.T) {
	for _, c := range []struct {
		name, in string
		most     int
	}{
		{"nothing", "", 0},
		{"no signature", "\x02\x00\xb0a", 0},
		{"cut in a copy", "\x01\x02\xb0\x01\x00", 0},
		{"copy from before the chunk", "\x01\x03\xb0\x01\x00\x10", 0},
		{"a bomb of copies", "\x01" + strings.Repeat("\x03\xb0\x02a\xff\x0f", 1<<12), 1 << 16},
	} {
		if got, _ := vba.Decompress([]byte(c.in), 1<<16); len(got) > c.most {
			t.Errorf("%s: %d bytes", c.name, len(got))
		}
	}
}

func TestStrings(t *testing.T) {
	if got := vba.Strings([]byte("\x01\x02abc\x00long enough\xffh\x00t\x00t\x00p\x00:\x00"), 4); got != "long enough\nhttp:\n" {
		t.Errorf("%q", got)
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte(vbatest.Compress("Attribute VB_Name = \"This\"\r\nSub AutoOpen()\r\nEnd Sub\r\n")))
	f.Add([]byte("\x01\x03\xb0\x02a\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, _ := vba.Decompress(b, 1<<20); len(out) > 1<<20 {
			t.Fatal(len(out))
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	src := strings.Repeat("Private Sub Workbook_Open()\r\n  Cells(1, 1).Value = \"Report\"\r\nEnd Sub\r\n", 2000)
	packed := []byte(vbatest.Compress(src))
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := vba.Decompress(packed, 4<<20); err != nil {
			b.Fatal(err)
		}
	}
}
