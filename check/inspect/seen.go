package inspect

import (
	"slices"
	"strings"
	"unicode/utf8"

	"sluice"
	"sluice/inspect"
)

// How much of a name, and of the way to a file, the record keeps, in octets.
const (
	maxName = 255
	maxWay  = 511
)

// mark notes that evidence speaks of a file.
func (l *Looked) mark(file int) {
	if l.Marked == nil {
		l.Marked = map[int]bool{}
	}
	l.Marked[file] = true
}

// Seen is what the message's record tells of its files, as a tree, and how many files
// it leaves out. Those that evidence speaks of are told before those that are dangerous
// by their class, and those before all others; each comes with the files that hold it.
func (l *Looked) Seen() (list []sluice.FileSeen, left int) {
	files := l.Report.Files
	chosen := l.choose(sluice.MaxFilesSeen)
	links, signs := l.inside(chosen)
	for _, i := range inOrder(files, chosen) {
		f := &files[i]
		list = append(list, sluice.FileSeen{Name: cut(f.Name, maxName), In: l.way(f.Parent), Depth: f.Depth, Type: string(f.Type),
			Class: f.Class.String(), Size: f.Size, SHA256: f.SHA256, Content: f.Content.String(), Marked: l.Marked[i], Links: links[i], Signs: signs[i]})
	}
	return list, len(files) - len(list)
}

// maxInside bounds an address in the record, in octets.
const maxInside = 200

// inside lists where the chosen files lead, and the kinds of what was found in them, each
// once for a file.
func (l *Looked) inside(chosen map[int]bool) (links, signs map[int][]string) {
	links, signs = map[int][]string{}, map[int][]string{}
	add := func(to map[int][]string, file int, s string, left *int) {
		if *left == 0 || !chosen[file] || s == "" || slices.Contains(to[file], s) {
			return
		}
		to[file] = append(to[file], s)
		*left--
	}
	left := sluice.MaxLinksSeen
	for _, k := range l.Report.Links {
		add(links, k.File, cut(k.URL, maxInside), &left)
	}
	left = sluice.MaxSignsSeen
	for _, f := range l.Report.Facts {
		add(signs, f.File, string(f.Kind), &left)
	}
	return links, signs
}

// dangerous are classes that a search for the cause of harm begins with.
const dangerous = inspect.Executable | inspect.Script | inspect.Shortcut | inspect.DiskImage | inspect.Installer | inspect.Macro |
	inspect.Encrypted | inspect.ActivePage | inspect.Notebook | inspect.Profile

// rank is lower for what has to be told.
func (l *Looked) rank(i int) int {
	f := &l.Report.Files[i]
	switch {
	case l.Marked[i]:
		return 0
	case f.Class&dangerous != 0:
		return 1
	case f.Parent < 0:
		return 2
	}
	return 3
}

// choose picks at most most files, each with all that hold it.
func (l *Looked) choose(most int) map[int]bool {
	files := l.Report.Files
	chosen := make(map[int]bool, min(most, len(files)))
	for rank := range 4 {
		for i := range files {
			if l.rank(i) != rank {
				continue
			}
			var way []int
			for k := i; k >= 0 && !chosen[k]; k = files[k].Parent { // a parent's index is the lower one
				way = append(way, k)
			}
			if len(chosen)+len(way) > most {
				continue
			}
			for _, k := range way {
				chosen[k] = true
			}
		}
	}
	return chosen
}

// inOrder lists the chosen files so that what a file holds follows it.
func inOrder(files []inspect.File, chosen map[int]bool) []int {
	holds := map[int][]int{} // by parent, the last first
	for i := len(files) - 1; i >= 0; i-- {
		if chosen[i] {
			holds[files[i].Parent] = append(holds[files[i].Parent], i)
		}
	}
	var out []int
	for next := holds[-1]; len(next) > 0; {
		i := next[len(next)-1]
		next = append(next[:len(next)-1], holds[i]...)
		out = append(out, i)
	}
	return out
}

// way names the files that hold one, given the innermost of them.
func (l *Looked) way(holder int) string {
	var names []string
	for n := 0; holder >= 0; holder = l.Report.Files[holder].Parent {
		name := cut(l.Report.Files[holder].Name, maxName)
		if name == "" {
			name = "unnamed"
		}
		if n += len(name) + len(" › "); n > maxWay {
			names = append(names, "…")
			break
		}
		names = append(names, name)
	}
	slices.Reverse(names)
	return strings.Join(names, " › ")
}

// cut bounds s to n octets and doesn't leave half a rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
