package archive

import (
	"archive/tar"
	stdzip "archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/testfile"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/cfb/cfbtest"
	"sluice/inspect/child/identify"
	"sluice/internal/shared"
)

// config is how the process sets its frame up, as far as this folder goes.
func config() child.Config {
	return child.Config{Decoders: Decoders(Config{}), Identify: identify.Identify, Remark: identify.Remarks}
}

func run(t testing.TB, name string, body []byte, budget inspect.Budget) *inspect.Report {
	t.Helper()
	return childtest.Run(t, config(), &inspect.Request{Inputs: []inspect.Input{{Name: name, Body: body}}, Budget: budget})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func zipOf(name string, content []byte) []byte {
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	must(must(w.Create(name)).Write(content))
	w.Close()
	return b.Bytes()
}

func der(tag byte, body ...[]byte) []byte {
	s := bytes.Join(body, nil)
	h := []byte{tag, 0x84}
	return append(binary.BigEndian.AppendUint32(h, uint32(len(s))), s...)
}

// wrappers put a file into a container, one each.
var wrappers = map[string]func(name string, content []byte) []byte{
	"zip": zipOf,
	"gz": func(_ string, content []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(content)
		w.Close()
		return b.Bytes()
	},
	"tar": func(name string, content []byte) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644})
		w.Write(content)
		w.Close()
		return b.Bytes()
	},
	"a": func(name string, content []byte) []byte {
		return fmt.Appendf(nil, "!<arch>\n%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", "f/", 0, 0, 0, "100644", len(content), content)
	},
	"eml": func(name string, content []byte) []byte {
		return []byte("From: a@one.example\r\nSubject: x\r\nContent-Type: application/octet-stream; name=" + name +
			"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(content) + "\r\n")
	},
	"tnef": func(name string, content []byte) []byte {
		b := []byte("\x78\x9f\x3e\x22\x01\x00")
		for _, a := range []struct {
			id   uint32
			data []byte
		}{{0x69002, []byte("x")}, {0x18010, []byte(name + "\x00")}, {0x6800f, content}} {
			b = binary.LittleEndian.AppendUint32(append(b, 2), a.id)
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(a.data))), a.data...)
			var sum uint16
			for _, c := range a.data {
				sum += uint16(c)
			}
			b = binary.LittleEndian.AppendUint16(b, sum)
		}
		return b
	},
	"msg": func(name string, content []byte) []byte {
		at := "__attach_version1.0_#00000000/__substg1.0_"
		return cfbtest.Build(map[string]string{"__properties_version1.0": "x", at + "37010102": string(content), at + "3707001E": name})
	},
	"one": func(name string, content []byte) []byte {
		b := []byte("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3" + "\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac")
		return append(append(binary.LittleEndian.AppendUint64(b, uint64(len(content))), make([]byte, 12)...), content...)
	},
	"p7m": func(name string, content []byte) []byte {
		oid := func(last byte) []byte {
			return der(6, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07"+string([]byte{last})))
		}
		// Short lengths in front, as signers write them.
		inner := der(0x30, der(2, []byte{1}), der(0x31), der(0x30, oid(1), der(0xa0, der(4, content))))
		b := append([]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"), der(0xa0, inner)...)
		return der(0x30, b)
	},
	"iso": func(name string, content []byte) []byte {
		b := make([]byte, 20*2048)
		record := func(at, size int, name string, flags byte) []byte {
			r := make([]byte, 34+len(name)/2*2)
			r[0], r[25], r[32] = byte(len(r)), flags, byte(len(name))
			binary.LittleEndian.PutUint32(r[2:], uint32(at))
			binary.LittleEndian.PutUint32(r[10:], uint32(size))
			copy(r[33:], name)
			return r
		}
		copy(b[16*2048:], "\x01CD001\x01")
		copy(b[16*2048+156:], record(18, 2048, "\x00", 2))
		copy(b[17*2048:], "\xffCD001\x01")
		copy(b[18*2048:], record(20, len(content), name, 0))
		return append(b, append(content, make([]byte, 2048)...)...)
	},
	"png": func(name string, content []byte) []byte {
		return append([]byte("\x89PNG\r\n\x1a\n"), zipOf(name, content)...)
	},
}

// eicar reads the test file from the suite, so that it isn't in this program.
func eicar(t *testing.T) []byte {
	b, err := os.ReadFile(filepath.Join(shared.Dir(t, "suites", "eicar"), "eicar-com.com"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every container in every other one, three deep, and a benign twin of each.
func TestNesting(t *testing.T) {
	bad := eicar(t)
	good := []byte("an inert file of the same length as the other one, more or less, not more.\n")
	var names []string
	for n := range wrappers {
		names = append(names, n)
	}
	slices.Sort(names)
	missed, tried := 0, 0
	for _, a := range names {
		for _, b := range names {
			for i, c := range names {
				if testing.Short() && i > 0 {
					break
				}
				tried++
				wrap := func(content []byte) []byte {
					return wrappers[c]("x."+b, wrappers[b]("x."+a, wrappers[a]("x.com", content)))
				}
				r := run(t, "x."+c, wrap(bad), inspect.Budget{})
				if !childtest.Has(r, inspect.TestFile, "EICAR") {
					missed++
					t.Errorf("%s in %s in %s: not found (%v)", a, b, c, r.Facts)
				}
				// A section in a section is found by its mark, without the steps between.
				if deepest := r.Files[len(r.Files)-1]; deepest.Depth < 3 && (b != "one" || c != "one") {
					t.Errorf("%s in %s in %s: depth %d only", a, b, c, deepest.Depth)
				}
				if r := run(t, "x."+c, wrap(good), inspect.Budget{}); childtest.Has(r, inspect.TestFile, "") {
					t.Errorf("%s in %s in %s: the twin has it", a, b, c)
				}
			}
		}
	}
	t.Logf("%d nestings of %d containers, %d missed", tried, len(names), missed)
}

// documents are the carriers whose string is inside of a document's own structure:
// macros, formulas and PDF streams, which the decoders of documents read.
var documents = []string{".pdf", ".xls", ".xlsx", ".xlsm", ".ppt", ".pptx", ".pptm", ".doc", ".docm"}

// The published carriers. Those of documents are listed with what is found without
// the decoders of documents.
func TestCarriers(t *testing.T) {
	dir := shared.Dir(t, "suites", "eicar")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "eicar-") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, f.Name(), b, inspect.Budget{})
		found := childtest.Has(r, inspect.TestFile, "EICAR")
		by := "document"
		if !slices.Contains(documents, filepath.Ext(f.Name())) {
			by = "container"
			if !found {
				t.Errorf("%s: not found", f.Name())
			}
		}
		t.Logf("%-55s %-9s found=%-5v type=%s class=%q files=%d", f.Name(), by, found, r.Files[0].Type, r.Files[0].Class, len(r.Files))
		if by == "document" && r.Files[0].Class&(inspect.Document|inspect.Macro) == 0 {
			t.Errorf("%s: is no document: %v", f.Name(), r.Files[0])
		}
		if strings.Contains(f.Name(), "macro") && !r.Files[0].Class.Has(inspect.Macro) && !strings.HasSuffix(f.Name(), ".ppt") {
			t.Errorf("%s: class %v lacks the macro", f.Name(), r.Files[0].Class)
		}
	}
}

func TestSuiteHasNoCopyHere(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if testfile.Contains(must(os.ReadFile(f))) {
			t.Errorf("%s holds the test file", f)
		}
	}
}
