package trial

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sluice/eval"
	"sluice/scan"
)

// Source is one labelled message that can be read.
type Source struct {
	ID     string
	Corpus string
	Label  string
	Group  string // near duplicates share it; "" where nobody has looked for them
	Part   string // train, test; "" where there is no split
	Year   int    // 0 where unknown
	Open   func() (*scan.Mail, error)
}

// Spam says whether the label is a bad one.
func (s *Source) Spam() bool {
	e := eval.Entry{Label: s.Label}
	return e.Class() == eval.Bad
}

// Folders lists wanted and unwanted mail as it is stored, in turns: in the given
// order a learner would otherwise see all of the one before any of the other. Each
// path is a corpus of its own in the report. stdin may be nil.
func Folders(ham, spam []string, stdin io.Reader) []Source {
	lists := [2][]Source{stored(ham, "ham", stdin), stored(spam, "spam", stdin)}
	h, s := lists[0], lists[1]
	out := make([]Source, 0, len(h)+len(s))
	for len(h)+len(s) > 0 {
		// Whichever has the larger share left.
		if len(s) == 0 || len(h) > 0 && len(h)*len(lists[1]) >= len(s)*len(lists[0]) {
			out, h = append(out, h[0]), h[1:]
		} else {
			out, s = append(out, s[0]), s[1:]
		}
	}
	return out
}

func stored(paths []string, label string, stdin io.Reader) (out []Source) {
	for _, p := range paths {
		name := shortName(p)
		for it := range scan.Sources(scan.Config{Paths: []string{p}, Stdin: stdin}) {
			out = append(out, Source{ID: it.ID, Corpus: name, Label: label, Open: it.Open})
		}
	}
	return out
}

// shortName is what a table has room for: the last two elements of a path.
func shortName(p string) string {
	f := strings.Split(strings.Trim(path.Clean(filepath.ToSlash(p)), "/"), "/")
	return strings.Join(f[max(0, len(f)-2):], "/")
}

// maxIndex is how many lines of an index are read.
const maxIndex = 10 << 20

// Index reads an index of the TREC spam track: on each line "spam" or "ham" and a
// file, relative to the index.
func Index(file string) ([]Source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	defer f.Close()
	return readIndex(f, filepath.Dir(file))
}

func readIndex(r io.Reader, dir string) ([]Source, error) {
	var out []Source
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" {
			continue
		}
		label, name, ok := strings.Cut(text, " ")
		label, name = strings.ToLower(label), strings.TrimSpace(name)
		if !ok || name == "" || label != "spam" && label != "ham" {
			return nil, fmt.Errorf(`trial: index: line %d is %.60q, not "spam FILE" or "ham FILE"`, n, text)
		}
		if n > maxIndex {
			return nil, fmt.Errorf("trial: index: more than %d lines", maxIndex)
		}
		full := name
		if !filepath.IsAbs(name) {
			full = filepath.Join(dir, filepath.FromSlash(name))
		}
		out = append(out, Source{ID: name, Corpus: "index", Label: label, Open: opener(full, scan.NewMail)})
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("trial: index: %w", err)
	}
	return out, nil
}

// opener reads a file when it is called.
func opener(file string, mail func([]byte) *scan.Mail) func() (*scan.Mail, error) {
	return func() (*scan.Mail, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("trial: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, scan.MaxSize+1))
		if err == nil && len(b) > scan.MaxSize {
			err = scan.ErrTooLarge
		}
		if err != nil {
			return nil, fmt.Errorf("trial: %s: %w", file, err)
		}
		return mail(b), nil
	}
}

// Corpora lists the labelled messages of a folder with a SPLIT.tsv: of one part,
// "train" or "test", or of both where part is "all"; of some corpora, or of all
// where none is named.
func Corpora(dir, part string, only []string) ([]Source, error) {
	split, err := eval.Corpora(dir)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	var out []Source
	for i := range split {
		e := &split[i]
		known[e.Corpus] = true
		if e.Class() == eval.Unlabelled || part != "all" && e.Part != part || len(only) > 0 && !slices.Contains(only, e.Corpus) {
			continue
		}
		out = append(out, Source{ID: e.Path, Corpus: e.Corpus, Label: e.Label, Group: e.Group, Part: e.Part, Year: e.Year,
			Open: opener(filepath.Join(dir, filepath.FromSlash(e.Path)), corpusMail)})
	}
	for _, c := range only {
		if !known[c] {
			return nil, fmt.Errorf("trial: there is no corpus %q in %s", c, dir)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("trial: the corpora have no labelled message of that part")
	}
	return out, nil
}

// corpusMail knows that some files have lines of a console before the message.
func corpusMail(b []byte) *scan.Mail {
	m := scan.NewMail(b)
	m.Raw = eval.Front(m.Raw)
	return m
}
