package testfile

import (
	"bytes"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

func TestKnown(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"file", eicar, "EICAR"},
		{"in other bytes", append(append([]byte("echo "), eicar...), " > x"...), "EICAR"},
		{"escaped", bytes.Replace(eicar, []byte(`\`), []byte(`\\`), 1), "EICAR"},
		{"utf-16", wide(eicar), "EICAR"},
		{"gtube", gtube, "GTUBE"},
		{"talk of it", []byte("the EICAR-STANDARD-ANTIVIRUS-TEST-FILE is known to all"), ""},
		{"nothing", []byte("hello"), ""},
	} {
		r := childtest.One(t, New(), "x", "", c.b)
		if (c.want != "") != childtest.Has(r, inspect.TestFile, c.want) || c.want == "" && len(r.Facts) > 0 {
			t.Errorf("%s: %v, want %q", c.name, r.Facts, c.want)
		}
	}
}

func FuzzContains(f *testing.F) {
	f.Add([]byte("x"), []byte("y"), true)
	f.Fuzz(func(t *testing.T, before, after []byte, there bool) {
		b := bytes.Clone(before)
		if there {
			b = append(b, eicar...)
		}
		if b = append(b, after...); there && !Contains(b) {
			t.Fatal("not found")
		}
	})
}
