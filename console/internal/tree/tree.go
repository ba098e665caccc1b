// Package tree shows what was found in the files of a message, as lines of a tree.
package tree

import (
	"strings"

	"sluice"
	"sluice/explain"
)

// Tree is the files of a message, ready for a page: names are escaped, and bounded.
type Tree struct {
	Rows []Row
	Left int // files that aren't told
}

// Row is one file.
type Row struct {
	Name    string // "" where it has none
	Depth   int    // at most MaxDepth
	Type    string
	Classes []string
	Size    int64
	SHA256  string // "" where nothing was read
	Note    string // how much of it was read, "" for all
	Marked  bool   // evidence speaks of it
}

// MaxDepth is how deep rows are set in; deeper ones stand there too.
const MaxDepth = 8

// maxName bounds a name, in octets before it is escaped.
const maxName = 255

var notes = map[string]string{"partial": "read in part", "listed": "named, not read", "locked": "locked by a password"}

// New makes the tree of a record; r may be nil.
func New(r *sluice.Record) Tree {
	if r == nil {
		return Tree{}
	}
	t := Tree{Left: r.FilesLeft}
	for i := range r.Files {
		f := &r.Files[i]
		row := Row{Name: explain.Escape(f.Name, maxName), Depth: max(0, min(f.Depth, MaxDepth)), Type: explain.Escape(f.Type, maxName),
			Size: f.Size, SHA256: f.SHA256.String(), Note: notes[f.Content], Marked: f.Marked}
		for c := range strings.SplitSeq(f.Class, ", ") {
			if c != "" && c != f.Type {
				row.Classes = append(row.Classes, explain.Escape(c, maxName))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
