package archive

import (
	"archive/tar"
	stdzip "archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"go/build"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/tape"
	"sluice/inspect/child/archive/zip"
	"sluice/inspect/child/childtest"
)

// source is a file of the standard library's tests, which are read where they are.
func source(t *testing.T, parts ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{build.Default.GOROOT, "src"}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the standard library's tests are absent: %v", err)
	}
	return p
}

// dump takes the bytes out of a function that holds them as a dump in hex: offsets,
// bytes, and a star for lines that repeat.
func dump(t *testing.T, function string) []byte {
	t.Helper()
	text := string(must(os.ReadFile(source(t, "archive", "zip", "reader_test.go"))))
	_, text, ok := strings.Cut(text, "func "+function+"()")
	if !ok {
		t.Skipf("%s isn't there any more", function)
	}
	text = strings.Split(text, "`")[1]
	var out, last []byte
	star := false
	for line := range strings.Lines(text) {
		offset, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if offset == "*" {
			star = true
			continue
		}
		if offset == "" {
			continue
		}
		at := 0
		for _, c := range must(hex.DecodeString(pad(offset))) {
			at = at<<8 | int(c)
		}
		for star && len(out) < at {
			out = append(out, last...)
		}
		star = false
		last = must(hex.DecodeString(strings.ReplaceAll(rest, " ", "")))
		out = append(out, last...)
	}
	return out
}

func pad(s string) string { return strings.Repeat("0", len(s)%2) + s }

// An archive that holds itself is opened once and told.
func TestQuine(t *testing.T) {
	r := run(t, "r.zip", dump(t, "rZipBytes"), inspect.Budget{})
	if len(r.Files) != 2 || r.Files[1].Same != 0 || !childtest.Has(r, inspect.ContainsItself, "r.zip") {
		t.Errorf("%+v", r)
	}
}

// Three zips in each other with four gigabytes of zeros at the bottom.
func TestBiggest(t *testing.T) {
	r := run(t, "biggest.zip", dump(t, "biggestZipBytes"), inspect.Budget{})
	if len(r.Files) != 4 || r.Exhausted == 0 || r.Took > inspect.DefaultBudget().Time {
		t.Errorf("%d files, exhausted %v in %v, %v", len(r.Files), r.Exhausted, r.Took, r.Facts)
	}
}

// What the standard library finds in its test archives is found, with the same
// content; this reader may find more.
func TestAgainstStandardLibrary(t *testing.T) {
	compared := 0
	compare := func(file string, typ inspect.Type, d child.Decoder, b []byte, name string, content []byte) {
		t.Helper()
		r := childtest.One(t, d, filepath.Base(file), typ, b)
		sum := sha256.Sum256(content)
		for _, f := range r.Files[1:] {
			// The base alone: the library honours a prefix that GNU tar doesn't.
			if f.SHA256 == sum && path.Base(f.Name) == path.Base(strings.ToValidUTF8(name, "\uFFFD")) {
				compared++
				return
			}
		}
		t.Errorf("%s: %q of %d bytes is missing (%v)", filepath.Base(file), name, len(content), r.Facts)
	}
	for _, p := range must(filepath.Glob(filepath.Join(source(t, "archive", "zip", "testdata"), "*.zip"))) {
		b := must(os.ReadFile(p))
		z, err := stdzip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			continue
		}
		for _, f := range z.File {
			if f.FileInfo().IsDir() {
				continue
			}
			rc, err := f.Open()
			if err != nil {
				continue
			}
			content, err := io.ReadAll(rc)
			if err == nil {
				compare(p, inspect.Zip, zip.New(), b, f.Name, content)
			}
		}
	}
	for _, p := range must(filepath.Glob(filepath.Join(source(t, "archive", "tar", "testdata"), "*.tar"))) {
		if strings.Contains(p, "sparse") {
			continue // unpacked here as they are stored
		}
		b := must(os.ReadFile(p))
		z := tar.NewReader(bytes.NewReader(b))
		for {
			h, err := z.Next()
			if err != nil {
				break
			}
			if h.Typeflag != tar.TypeReg || h.Size > 1<<20 {
				continue
			}
			content, err := io.ReadAll(z)
			if err == nil {
				compare(p, inspect.Tar, tape.New(), b, h.Name, content)
			}
		}
	}
	t.Logf("%d files compared", compared)
}
