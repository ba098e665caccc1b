package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// tree writes files; a name that ends in "/" is a folder, a text that begins with
// "->" a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, ok := strings.CutPrefix(text, "->"); ok {
			err = os.Symlink(to, path)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// list walks and describes each item in a line.
func list(dir string, c Config) []string {
	var out []string
	for i := range Sources(c) {
		s := strings.ReplaceAll(i.ID, dir, "")
		if m, err := i.Open(); err != nil {
			s += " ! " + strings.ReplaceAll(err.Error(), dir, "")
		} else {
			s += fmt.Sprintf(" %d %q %q", i.Index, m.FromLine, m.Raw)
		}
		out = append(out, s)
	}
	return out
}

const mbox = "From a@example.com Tue Jan  2 10:00:00 2024\nSubject: 1\n\nFrom here on\n>From there\n>>From far\n\nFrom b\n\n" +
	"From b at example.com  Tue Jan  2 10:00:00 +0000 2024\nSubject: 2\n\nFrom c Tue Jan  2 10:00:00 2024\nno header\n\n" +
	"From c Tue Jan  2 10:00:00 2024\nno header follows\n\n" +
	"From MAILER-DAEMON Tue Jan  2 10:00:00 2024\nSubject: 3\n\nlast"

func TestSources(t *testing.T) {
	dir := tree(t, map[string]string{
		"b.eml":                   "Subject: b\n\nb\n",
		"a/one":                   "From x Tue Jan  2 10:00:00 2024\nSubject: one\n\n>From us\n",
		"a/two.eml":               mbox, // by its name one message
		"a/box":                   mbox,
		"a/README":                "nothing like mail\n",
		"a/empty":                 "",
		"a/.hidden":               "Subject: hidden\n\n",
		"a/.git/x":                "Subject: hidden\n\n",
		"a/loop":                  "->../a",
		"a/dangling":              "->nowhere",
		"a/link":                  "->../b.eml",
		"Maildir/cur/2:2,S":       "Subject: read\r\n\r\nx\ny\r\n",
		"Maildir/cur/1":           mbox, // one message, for a Maildir has no mailboxes
		"Maildir/new/3":           "Subject: new\n\n",
		"Maildir/tmp/4":           "Subject: not delivered yet\n\n",
		"Maildir/dovecot.index":   "Subject: no message\n\n",
		"Maildir/.Junk/cur/5":     "Subject: junk\n\n",
		"Maildir/.Junk/new/":      "",
		"Maildir/.Junk/tmp/6":     "Subject: not delivered yet\n\n",
		"Maildir/.nomaildir/new/": "",
	})
	one := fmt.Sprintf("%q", strings.ReplaceAll(mbox[strings.IndexByte(mbox, '\n')+1:], "\n", "\r\n"))
	box := []string{
		`/a/box#1 1 "a@example.com Tue Jan  2 10:00:00 2024" "Subject: 1\r\n\r\nFrom here on\r\nFrom there\r\n>From far\r\n\r\nFrom b\r\n"`,
		`/a/box#2 2 "b at example.com  Tue Jan  2 10:00:00 +0000 2024" "Subject: 2\r\n\r\nFrom c Tue Jan  2 10:00:00 2024\r\nno header\r\n\r\nFrom c Tue Jan  2 10:00:00 2024\r\nno header follows\r\n"`,
		`/a/box#3 3 "MAILER-DAEMON Tue Jan  2 10:00:00 2024" "Subject: 3\r\n\r\nlast"`,
	}
	want := []string{
		"/Maildir/.Junk/cur/5 0 \"\" \"Subject: junk\\r\\n\\r\\n\"",
		"/Maildir/cur/1 0 \"a@example.com Tue Jan  2 10:00:00 2024\" " + one,
		`/Maildir/cur/2:2,S 0 "" "Subject: read\r\n\r\nx\ny\r\n"`,
		"/Maildir/new/3 0 \"\" \"Subject: new\\r\\n\\r\\n\"",
		"/a/README ! scan: /a/README: doesn't look like mail: no header field near its beginning",
	}
	want = append(want, box...)
	want = append(want,
		"/a/dangling ! scan: stat /a/dangling: no such file or directory",
		"/a/empty ! scan: /a/empty: doesn't look like mail: no header field near its beginning",
		"/a/link 0 \"\" \"Subject: b\\r\\n\\r\\nb\\r\\n\"",
		`/a/one 0 "x Tue Jan  2 10:00:00 2024" "Subject: one\r\n\r\nFrom us\r\n"`,
		"/a/two.eml 0 \"a@example.com Tue Jan  2 10:00:00 2024\" "+one,
		"/b.eml 0 \"\" \"Subject: b\\r\\n\\r\\nb\\r\\n\"",
	)
	if d := cmp.Diff(want, list(dir, Config{Paths: []string{dir}})); d != "" {
		t.Errorf("folder (-want +got):\n%s", d)
	}

	// What the user names is mail whatever it looks like; order is as given.
	paths := []string{dir + "/b.eml", dir + "/a/README", dir + "/a/empty", dir + "/absent", "-"}
	want = []string{
		"/b.eml 0 \"\" \"Subject: b\\r\\n\\r\\nb\\r\\n\"",
		"/a/README 0 \"\" \"nothing like mail\\r\\n\"",
		"/a/empty 0 \"\" \"\"",
		"/absent ! scan: stat /absent: no such file or directory",
		"- 0 \"\" \"Subject: s\\r\\n\\r\\n\"",
	}
	if d := cmp.Diff(want, list(dir, Config{Paths: paths, Stdin: strings.NewReader("Subject: s\n\n")})); d != "" {
		t.Errorf("named (-want +got):\n%s", d)
	}

	// A stream and a file give the same messages.
	for i, s := range list(dir, Config{Paths: []string{"-"}, Stdin: iotest.OneByteReader(strings.NewReader(mbox))}) {
		if got := "/a/box" + s[1:]; i >= len(box) || got != box[i] {
			t.Errorf("stream, message %d: %s", i, got)
		}
	}
}

func TestSourcesErrors(t *testing.T) {
	dir := tree(t, map[string]string{"big": "Subject: x\n\n" + strings.Repeat("x", 200),
		"box": "From a Tue Jan  2 10:00:00 2024\nSubject: 1\n\n" + strings.Repeat("x", 200) + "\n\nFrom a Tue Jan  2 10:00:00 2024\nSubject: 2\n\n"})
	big := fmt.Sprintf("scan: %%s: %s of 100 bytes", ErrTooLarge)
	for _, tc := range []struct {
		what string
		c    Config
		want []string
	}{
		{"file", Config{Paths: []string{dir + "/big"}}, []string{"/big ! " + fmt.Sprintf(big, "/big")}},
		{"mailbox", Config{Paths: []string{dir + "/box"}}, []string{"/box#1 ! " + fmt.Sprintf(big, "/box#1"), `/box#2 2 "a Tue Jan  2 10:00:00 2024" "Subject: 2\r\n\r\n"`}},
		{"stream", Config{Paths: []string{"-"}, Stdin: strings.NewReader(strings.Repeat("x", 101))}, []string{"- ! " + fmt.Sprintf(big, "-")}},
		{"no stream", Config{Paths: []string{"-"}}, []string{"- ! scan: no standard input"}},
		{"broken stream", Config{Paths: []string{"-"}, Stdin: iotest.ErrReader(io.ErrClosedPipe)}, []string{"- ! scan: -: io: read/write on closed pipe"}},
		{"broken mailbox", Config{Paths: []string{"-"}, Stdin: io.MultiReader(strings.NewReader(mbox), iotest.ErrReader(io.ErrClosedPipe))}, nil},
	} {
		tc.c.MaxSize = 100
		got := list(dir, tc.c)
		if tc.want == nil {
			if last := got[len(got)-1]; !strings.Contains(last, "closed pipe") {
				t.Errorf("%s: ends with %s", tc.what, last)
			}
			continue
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.what, d)
		}
	}
	for i := range Sources(Config{Paths: []string{dir + "/big"}, MaxSize: 100}) {
		if !errors.Is(i.Err, ErrTooLarge) {
			t.Errorf("errors.Is doesn't find ErrTooLarge in %v", i.Err)
		}
	}
}

// A file that changes or goes away between walk and Open is an error, no crash.
func TestOpenLater(t *testing.T) {
	dir := tree(t, map[string]string{"a": "Subject: a\n\n"})
	for i := range Sources(Config{Paths: []string{dir + "/a"}, MaxSize: 20}) {
		if err := os.WriteFile(dir+"/a", bytes.Repeat([]byte("x"), 50), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := i.Open(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("grown file: %v", err)
		}
		if err := os.Remove(dir + "/a"); err != nil {
			t.Fatal(err)
		}
		if _, err := i.Open(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("removed file: %v", err)
		}
	}
}

func TestPipes(t *testing.T) {
	dir := tree(t, map[string]string{"a.eml": "Subject: a\n\n"})
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no named pipes here: ", err)
	}
	// In a folder a pipe is never opened: that would wait for a writer.
	want := []string{`/a.eml 0 "" "Subject: a\r\n\r\n"`, "/pipe ! scan: /pipe: neither a file nor a folder"}
	if d := cmp.Diff(want, list(dir, Config{Paths: []string{dir}})); d != "" {
		t.Errorf("folder (-want +got):\n%s", d)
	}
	go func() {
		_ = os.WriteFile(pipe, []byte("Subject: p\n\n"), 0) // the reader below notices a failure
	}()
	if d := cmp.Diff([]string{`/pipe 0 "" "Subject: p\r\n\r\n"`}, list(dir, Config{Paths: []string{pipe}})); d != "" {
		t.Errorf("named (-want +got):\n%s", d)
	}
}

// Stopping early stops the walk.
func TestStop(t *testing.T) {
	dir := tree(t, map[string]string{"a/1.eml": "Subject: a\n\n", "a/2.eml": "Subject: a\n\n", "b": mbox})
	n := 0
	for i := range Sources(Config{Paths: []string{dir + "/b", dir}}) {
		if n++; i.Index == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("walked on to %d items", n)
	}
}

func TestNewMail(t *testing.T) {
	for _, tc := range []struct{ in, raw, from string }{
		{"A: b\r\nC: d\n\r\n", "A: b\r\nC: d\n\r\n", ""}, // the sender's own bare LF
		{"A: b\nC: d\r\n\r\n\n", "A: b\r\nC: d\r\n\r\n\r\n", ""},
		{"A: b\rC\n", "A: b\rC\r\n", ""},
		{"From x\nA: b\n", "A: b\r\n", "x"},
		{"From x\r\nA: b\r\nc\n", "A: b\r\nc\n", "x"},
		{"From x\nA: b\r\nc\n", "A: b\r\nc\n", "x"}, // a CRLF message put into a mailbox
		{"From x", "", "x"},
		{"From: x\n", "From: x\r\n", ""},
		{"\n", "\r\n", ""},
		{"", "", ""},
	} {
		m := NewMail([]byte(tc.in))
		if string(m.Raw) != tc.raw || m.FromLine != tc.from {
			t.Errorf("NewMail(%q) = %q, %q, want %q, %q", tc.in, m.Raw, m.FromLine, tc.raw, tc.from)
		}
	}
}

func FuzzMailbox(f *testing.F) {
	f.Add([]byte(mbox))
	f.Add([]byte(strings.ReplaceAll(mbox, "\n", "\r\n")))
	f.Add([]byte("From a Tue Jan  2 10:00:00 2024\nA:"))
	f.Add([]byte("\n\nFrom a Tue Jan  2 10:00:00 2024\nA:\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The extents cover the input without gaps.
		var at int64
		var cut []string
		if err := split(newReader(b), 0, func(e extent, _ bool) bool {
			if e.start != at {
				t.Fatalf("gap at %d: message begins at %d", at, e.start)
			}
			at = e.end
			m := fromMailbox(bytes.Clone(b[e.start:e.end]))
			if m.Unix && bytes.Count(m.Raw, []byte("\n")) != bytes.Count(m.Raw, []byte("\r\n")) {
				t.Fatalf("a bare LF is left in %q", m.Raw)
			}
			cut = append(cut, m.FromLine+"\n"+string(m.Raw))
			return true
		}); err != nil || at != int64(len(b)) {
			t.Fatalf("covers %d of %d bytes, error %v", at, len(b), err)
		}
		if !isMailbox(b[:min(len(b), bufferSize)]) {
			return
		}
		// A stream gives the same messages.
		n := 0
		for i := range Sources(Config{Paths: []string{"-"}, Stdin: bytes.NewReader(b)}) {
			m, err := i.Open()
			if err != nil {
				t.Fatal(err)
			}
			if got := m.FromLine + "\n" + string(m.Raw); n >= len(cut) || got != cut[n] {
				t.Fatalf("message %d of a stream is %q", n, got)
			}
			n++
		}
		if n != len(cut) {
			t.Fatalf("%d messages of a stream, want %d", n, len(cut))
		}
	})
}

func BenchmarkMailbox(b *testing.B) {
	box := bytes.Repeat([]byte(mbox+"\n\n"), 10_000)
	b.SetBytes(int64(len(box)))
	for b.Loop() {
		n := 0
		if err := split(newReader(box), 0, func(extent, bool) bool { n++; return true }); err != nil || n != 30_000 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkNewMail(b *testing.B) {
	in := bytes.Repeat([]byte(strings.Repeat("x", 70)+"\n"), 150)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		NewMail(in)
	}
}
