// Package eval measures: it reads the split of a mail corpus into parts, judges
// scores by the area under the curve and by recall at fixed rates of false
// positives, with exact intervals, and prints what it found by corpus.
package eval

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Entry is one message of the corpora.
type Entry struct {
	Path   string // corpus/label/name.eml, slashes
	Group  string // near duplicates share it; no group is in two parts
	Year   int    // 0 where unknown
	Part   string // "train" or "test"
	Corpus string
	Label  string // ham, hardham, spam, phish, fraud, unknown
}

// Class says what a label means.
type Class int

// The classes.
const (
	Unlabelled Class = iota
	Good
	Bad
)

// Class returns the class of the entry's label.
func (e *Entry) Class() Class {
	switch e.Label {
	case "ham", "hardham":
		return Good
	case "spam", "phish", "fraud":
		return Bad
	}
	return Unlabelled
}

// Pool names the corpus and label that are reported together.
func (e *Entry) Pool() string { return e.Corpus + "/" + e.Label }

// splitHead is the first line of a split file.
const splitHead = "path\tgroup\tyear\tpart"

// ReadSplit reads a split file: tab-separated path, group, year, part, under a
// line that names them.
func ReadSplit(r io.Reader) ([]Entry, error) {
	var out []Entry
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSuffix(sc.Text(), "\r")
		if n == 1 {
			if line != splitHead {
				return nil, fmt.Errorf("eval: split: line 1 is %q, not %q", line, splitHead)
			}
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("eval: split: line %d has %d columns, not 4", n, len(f))
		}
		e := Entry{Path: f[0], Group: f[1], Part: f[3]}
		e.Year, _ = strconv.Atoi(f[2]) // some have none
		p := strings.Split(f[0], "/")
		if len(p) != 3 || !filepath.IsLocal(f[0]) || e.Part != "train" && e.Part != "test" {
			return nil, fmt.Errorf("eval: split: line %d: %q in part %q", n, f[0], f[3])
		}
		e.Corpus, e.Label = p[0], p[1]
		out = append(out, e)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("eval: split: %w", err)
	}
	return out, nil
}

// Corpora reads SPLIT.tsv in the folder of the corpora.
func Corpora(dir string) ([]Entry, error) {
	f, err := os.Open(filepath.Join(dir, "SPLIT.tsv"))
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	defer f.Close()
	return ReadSplit(f)
}

// ReadMail reads one message of the corpora as it came from the wire: without
// the "From " line of an mbox and without lines of a console that one corpus has
// before the first header field.
func ReadMail(dir string, e *Entry) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.Path)))
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	return Front(b), nil
}

// Front takes off what stands before the first header field: the "From " line of an
// mbox, and lines of a console, twenty at most. Bytes that don't begin like mail
// stay as they are.
func Front(b []byte) []byte {
	const most = 20 // lines
	rest := b
	for range most {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return b
		}
		if name, _, found := bytes.Cut(line, []byte(":")); found && fieldName(name) {
			return rest
		}
		rest = after
	}
	return b
}

// fieldName: RFC 5322 3.6.8.
func fieldName(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 0
}
