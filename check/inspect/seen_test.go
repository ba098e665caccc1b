package inspect

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/inspect"
)

func TestSeen(t *testing.T) {
	l := &Looked{Report: &inspect.Report{Files: []inspect.File{
		{Parent: -1, Name: "a.zip", Type: inspect.Zip, Class: inspect.Archive, Size: 5, SHA256: [32]byte{1}},
		{Parent: -1, Name: "logo.png", Type: inspect.PNG, Class: inspect.Picture},
		{Parent: 0, Depth: 1, Name: "", Type: inspect.Zip, Class: inspect.Archive | inspect.Encrypted, Content: inspect.Locked},
		{Parent: 0, Depth: 1, Name: "read.txt"},
		{Parent: 2, Depth: 2, Name: strings.Repeat("ö", 200), Type: inspect.PE, Class: inspect.Executable, Content: inspect.Listed},
	}}}
	l.mark(4)
	want := []sluice.FileSeen{
		{Name: "a.zip", Type: "zip", Class: "archive", Size: 5, SHA256: [32]byte{1}, Content: "whole"},
		{In: "a.zip", Depth: 1, Type: "zip", Class: "archive, encrypted", Content: "locked"},
		{Name: strings.Repeat("ö", 127), In: "a.zip › unnamed", Depth: 2, Type: "pe", Class: "executable", Content: "listed", Marked: true},
		{Name: "read.txt", In: "a.zip", Depth: 1, Content: "whole"},
		{Name: "logo.png", Type: "png", Class: "picture", Content: "whole"},
	}
	got, left := l.Seen()
	if d := cmp.Diff(want, got); d != "" || left != 0 {
		t.Errorf("%d left; (-want +got):\n%s", left, d)
	}
}

// Of many files those that matter are told, with what holds them.
func TestSeenOfMany(t *testing.T) {
	r := &inspect.Report{Files: []inspect.File{{Parent: -1, Name: "a.zip"}}}
	for i := range 1000 {
		r.Files = append(r.Files, inspect.File{Parent: 0, Depth: 1, Name: fmt.Sprintf("%d.txt", i)})
	}
	r.Files[900].Class = inspect.Archive
	r.Files = append(r.Files, inspect.File{Parent: 900, Depth: 2, Name: "evil.exe", Class: inspect.Executable},
		inspect.File{Parent: 900, Depth: 2, Name: "named"})
	l := &Looked{Report: r}
	l.mark(len(r.Files) - 1)
	list, left := l.Seen()
	if len(list) != sluice.MaxFilesSeen || left != len(r.Files)-sluice.MaxFilesSeen {
		t.Fatalf("%d files, %d left", len(list), left)
	}
	var names []string
	for _, f := range list {
		if f.Depth == 2 || f.Marked {
			names = append(names, f.In+" › "+f.Name)
		}
	}
	if d := cmp.Diff([]string{"a.zip › 899.txt › evil.exe", "a.zip › 899.txt › named"}, names); d != "" {
		t.Error(d)
	}
}

// Whatever the tree: bounded, each file once, below what holds it.
func TestSeenIsATree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &Looked{Report: &inspect.Report{}}
		for i := range rapid.IntRange(0, 150).Draw(t, "files") {
			parent := rapid.IntRange(-1, i-1).Draw(t, "parent")
			f := inspect.File{Parent: parent, Name: fmt.Sprint(i)}
			if parent >= 0 {
				f.Depth = l.Report.Files[parent].Depth + 1
			}
			l.Report.Files = append(l.Report.Files, f)
			if rapid.Bool().Draw(t, "marked") {
				l.mark(i)
			}
		}
		list, left := l.Seen()
		if len(list) > sluice.MaxFilesSeen || len(list)+left != len(l.Report.Files) {
			t.Fatalf("%d files, %d left of %d", len(list), left, len(l.Report.Files))
		}
		depth := -1
		for _, f := range list {
			if f.Depth > depth+1 {
				t.Fatalf("%s at depth %d follows one at %d", f.Name, f.Depth, depth)
			}
			if len(f.In) > maxWay+len("…") {
				t.Fatalf("a way of %d octets", len(f.In))
			}
			depth = f.Depth
		}
	})
}

// TestSeenInside: addresses and signs are told, each once, within their bounds.
func TestSeenInside(t *testing.T) {
	r := &inspect.Report{Files: []inspect.File{{Parent: -1, Name: "a.docm"}, {Parent: -1, Name: "b.txt"}}}
	for i := range 2 * sluice.MaxLinksSeen {
		r.Links = append(r.Links, inspect.Link{File: i % 2, URL: fmt.Sprintf("https://x.example/%d/%s", i/4, strings.Repeat("é", 200))})
		r.Facts = append(r.Facts, inspect.Fact{File: 0, Kind: inspect.MacroAutorun}, inspect.Fact{File: 0, Kind: inspect.Kind(fmt.Sprint("K", i))})
	}
	list, _ := (&Looked{Report: r}).Seen()
	links := len(list[0].Links) + len(list[1].Links)
	if links != sluice.MaxLinksSeen || len(list[0].Links[0]) > maxInside || !utf8.ValidString(list[0].Links[0]) || list[0].Links[0] == list[0].Links[1] {
		t.Errorf("%d links, the first %q", links, list[0].Links[0])
	}
	if s := list[0].Signs; len(s) != sluice.MaxSignsSeen || s[0] != "MACRO_AUTORUN" || s[1] != "K0" || len(list[1].Signs) > 0 {
		t.Errorf("signs %v, %v", s, list[1].Signs)
	}
}
