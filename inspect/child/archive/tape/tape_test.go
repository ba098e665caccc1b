package tape

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

type member struct {
	name, content, link string
	kind                byte
}

func tarOf(t testing.TB, format tar.Format, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Size: int64(len(m.content)), Typeflag: m.kind, Linkname: m.link, Mode: 0o644, Format: format}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(m.content))
	}
	w.Close()
	return b.Bytes()
}

func newc(members ...member) []byte {
	var b bytes.Buffer
	for _, m := range append(members, member{name: "TRAILER!!!"}) {
		mode := 0o100644
		if m.kind == tar.TypeDir {
			mode = 0o40755
		}
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode, 0, 0, 1, 0, len(m.content), 0, 0, 0, 0, len(m.name)+1, 0)
		b.WriteString(m.name + "\x00")
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
		b.WriteString(m.content)
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	return b.Bytes()
}

func arOf(members ...member) []byte {
	b := bytes.NewBufferString("!<arch>\n")
	for _, m := range members {
		fmt.Fprintf(b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n%s", m.name, 0, 0, 0, "100644", len(m.content), m.content)
		if b.Len()%2 != 0 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func names(r *inspect.Report) string {
	var out []string
	for _, f := range r.Files[1:] {
		s := fmt.Sprintf("%s %d", f.Name, f.Size)
		if f.Content != inspect.Whole {
			s += " " + f.Content.String()
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestTape(t *testing.T) {
	long := strings.Repeat("folder/", 30) + "a.txt"
	plain := tarOf(t, tar.FormatUSTAR, member{name: "d/", kind: tar.TypeDir}, member{name: "d/a.txt", content: "hello"}, member{name: "b", content: ""})
	huge := bytes.Clone(plain)
	copy(huge[512+124:], "77777777777\x00")
	fix(huge[512:1024])
	for _, c := range []struct {
		name string
		typ  inspect.Type
		b    []byte
		want string
		fact inspect.Kind
	}{
		{"tar", inspect.Tar, plain, "d/a.txt 5, b 0", ""},
		{"tar of gnu", inspect.Tar, tarOf(t, tar.FormatGNU, member{name: long, content: "hello"}), long + " 5", ""},
		{"tar of pax", inspect.Tar, tarOf(t, tar.FormatPAX, member{name: long + "ü", content: "hello"}), long + "ü 5", ""},
		{"link", inspect.Tar, tarOf(t, tar.FormatUSTAR, member{name: "a", kind: tar.TypeSymlink, link: "/etc/passwd"}), "a 0 listed", inspect.LinkEntry},
		{"climbs", inspect.Tar, tarOf(t, tar.FormatUSTAR, member{name: "../a", content: "x"}), "../a 1", inspect.NameClimbs},
		{"huge size", inspect.Tar, huge, "d/a.txt 2048 partial", inspect.Damaged},
		{"behind the end", inspect.Tar, append(bytes.Clone(plain), plain...), "d/a.txt 5, b 0, d/a.txt 5, b 0", inspect.TwoReadings},
		{"data behind", inspect.Tar, append(bytes.Clone(plain), "tail"...), "d/a.txt 5, b 0", inspect.TrailingData},
		{"cpio", inspect.Cpio, newc(member{name: "d", kind: tar.TypeDir}, member{name: "d/a.txt", content: "hello"}), "d/a.txt 5", ""},
		{"ar", inspect.Ar, arOf(member{name: "a.txt/", content: "hello"}, member{name: "b/", content: "12"}), "a.txt 5, b 2", ""},
		{"ar with long names", inspect.Ar, arOf(member{name: "//", content: "a name that is long.txt/\n"}, member{name: "/0", content: "hello"}), "a name that is long.txt 5", ""},
		{"ar of bsd", inspect.Ar, arOf(member{name: "#1/10", content: "name.txt\x00\x00hello"}), "name.txt 5", ""},
		{"deb", inspect.Deb, arOf(member{name: "debian-binary", content: "2.0\n"}, member{name: "data.tar", content: string(plain)}), fmt.Sprintf("debian-binary 4, data.tar %d", len(plain)), ""},
	} {
		r := childtest.One(t, New(), "x", c.typ, c.b)
		if c.typ == inspect.Deb { // the member is opened as well
			r.Files = r.Files[:3]
		}
		if got := names(r); got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.name, got, c.want, r.Facts)
		}
		if c.fact == "" && len(r.Facts) > 0 || c.fact != "" && !childtest.Has(r, c.fact, "") {
			t.Errorf("%s: facts %v, want %s", c.name, r.Facts, c.fact)
		}
	}
}

// fix writes the sum of a header anew.
func fix(h []byte) {
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// The forms of the cpio program.
func TestCpioProgram(t *testing.T) {
	for _, form := range []string{"newc", "crc", "odc", "bin"} {
		c := exec.Command("cpio", "-o", "--quiet", "-H", form)
		c.Stdin = strings.NewReader("tape.go\ntape_test.go\n")
		b, err := c.Output()
		if err != nil {
			t.Skipf("cpio isn't installed: %v", err)
		}
		r := childtest.One(t, New(), "x", inspect.Cpio, b)
		if len(r.Files) != 3 || r.Files[2].Name != "tape_test.go" || len(r.Facts) > 0 {
			t.Errorf("%s: %s %v", form, names(r), r.Facts)
		}
	}
}

func FuzzTape(f *testing.F) {
	f.Add(tarOf(f, tar.FormatGNU, member{name: strings.Repeat("long/", 30) + "a", content: "hello"}))
	f.Add(tarOf(f, tar.FormatPAX, member{name: strings.Repeat("long/", 60) + "ü", content: "hello"}))
	f.Add(newc(member{name: "a", content: "hello"}))
	f.Add([]byte("\xc7\x71" + strings.Repeat("\x00\x00", 9) + "\x02\x00\x00\x00\x01\x00a\x00x\x00"))
	f.Add(arOf(member{name: "//", content: "name/\n"}, member{name: "/0", content: "hello"}, member{name: "#1/2", content: "nnhello"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range New().Types() {
			childtest.Bytes(t, New(), typ, b)
		}
	})
}

func BenchmarkTar(b *testing.B) {
	body := tarOf(b, tar.FormatUSTAR, member{name: "a", content: strings.Repeat("content ", 1<<17)})
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.Tar, body)
	}
}
