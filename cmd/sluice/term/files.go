package term

import (
	"fmt"
	"io"
	"strings"

	"sluice"
)

// maxFileName bounds the name of a file on a line, in octets.
const maxFileName = 160

// maxInside bounds the line of what was found in a file, in octets, maxShown how many
// addresses are shown.
const (
	maxInside = 400
	maxShown  = 5
)

// Files writes what was found in the files of a message, as a tree: a line with name,
// type, classes and size, and one with the digest, by which it can be found again.
func (p Paint) Files(w io.Writer, list []sluice.FileSeen, left int) {
	for i := range list {
		f := &list[i]
		indent := strings.Repeat("  ", 1+min(f.Depth, 12))
		name := Plain(f.Name, maxFileName)
		if name == "" {
			name = "(no name)"
		}
		if f.Marked {
			name = p.In("1;31", name)
		}
		fmt.Fprintf(w, "%s%s  %s\n", indent, name, strings.Join(fileWords(f), ", "))
		if !f.SHA256.IsZero() {
			fmt.Fprintf(w, "%s  %s\n", indent, p.Dim("sha256 "+f.SHA256.String()))
		}
		if len(f.Signs) > 0 {
			fmt.Fprintf(w, "%s  found %s\n", indent, Plain(strings.Join(f.Signs, ", "), maxInside))
		}
		for _, u := range f.Links[:min(len(f.Links), maxShown)] {
			fmt.Fprintf(w, "%s  leads to %s\n", indent, Plain(u, maxFileName))
		}
		if n := len(f.Links) - maxShown; n > 0 {
			fmt.Fprintf(w, "%s  and to %d more\n", indent, n)
		}
	}
	if left > 0 {
		fmt.Fprintf(w, "  %s\n", p.Dim(fmt.Sprintf("and %d more", left)))
	}
}

func fileWords(f *sluice.FileSeen) (out []string) {
	kind := "unknown type"
	if f.Type != "" {
		kind = Plain(f.Type, maxFileName)
	}
	out = append(out, kind)
	if f.Class != "" && f.Class != f.Type {
		out = append(out, Plain(f.Class, maxFileName))
	}
	out = append(out, fmt.Sprintf("%d octets", f.Size))
	if f.Content != "" && f.Content != "whole" {
		out = append(out, contentWords[f.Content])
	}
	return out
}

// contentWords say how much of a file was read.
var contentWords = map[string]string{"partial": "read in part", "listed": "only listed by what holds it", "locked": "locked by a password"}
