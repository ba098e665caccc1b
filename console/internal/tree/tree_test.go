package tree

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

func TestNew(t *testing.T) {
	sum := sluice.Digest{1, 2}
	got := New(&sluice.Record{FilesLeft: 3, Files: []sluice.FileSeen{
		{Name: "a.zip", Type: "zip", Class: "archive, encrypted", Size: 5, SHA256: sum, Content: "whole", Marked: true},
		{Name: "fdp\u202egpj.exe", Type: "pe", Class: "executable", Depth: 99, Content: "locked"},
		{Type: "profile", Class: "profile", Depth: -1, Content: "\x1b"},
		{Name: strings.Repeat("x", 1000)},
	}})
	if n := len(got.Rows[3].Name); n > maxName+4 {
		t.Errorf("a name of %d octets", n)
	}
	got.Rows = got.Rows[:3]
	want := Tree{Left: 3, Rows: []Row{
		{Name: "a.zip", Type: "zip", Classes: []string{"archive", "encrypted"}, Size: 5, SHA256: sum.String(), Marked: true},
		{Name: `fdp\u{202e}gpj.exe`, Type: "pe", Classes: []string{"executable"}, Depth: MaxDepth, Note: "locked by a password"},
		{Type: "profile"},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(New(nil).Rows) != 0 {
		t.Error("a tree of nothing")
	}
}
