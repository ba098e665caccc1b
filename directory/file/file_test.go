package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice"
	"sluice/directory"
	"sluice/directory/directorytest"
	"sluice/directory/file"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	directorytest.Run(t, func(t *testing.T) directorytest.Fixture {
		path := filepath.Join(t.TempDir(), "recipients")
		write(t, path, strings.Join(directorytest.Mailboxes, "\n")+"\n@"+directorytest.CatchAll+"\n")
		f, err := file.New(file.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return directorytest.Fixture{Source: f, Lists: true}
	})
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		bad  string
	}{
		"one a line":     {text: "alice@example.com\r\nBob@Example.COM\n", want: []string{"alice@example.com", "bob@example.com"}},
		"no end of line": {text: "alice@example.com", want: []string{"alice@example.com"}},
		"comments":       {text: "# all of us\n\n  \nalice@example.com # the boss\n", want: []string{"alice@example.com"}},
		"forms":          {text: "@example.com\nalice\n", want: []string{"@example.com", "alice"}},
		"postfix map":    {text: "alice@example.com\tOK\nbob@example.com alice@example.com,\n\tcarol@example.com\n", want: []string{"alice@example.com", "bob@example.com"}},
		"aliases":        {text: "postmaster: root\nroot:\talice@example.com\n", want: []string{"postmaster", "root"}},
		"quoted":         {text: "\"john doe\"@example.com x\n\"plain\"@example.com\n", want: []string{`"john doe"@example.com`, "plain@example.com"}},
		"quoted local":   {text: "\"a@b\"\n", want: []string{`"a@b"`}},
		"u-label":        {text: "alice@bücher.example\n", want: []string{"alice@xn--bcher-kva.example"}},
		"mark at start":  {text: "\xef\xbb\xbfalice@example.com\n", want: []string{"alice@example.com"}},
		"empty":          {text: "", bad: "no entry in it"},
		"comments only":  {text: "# nobody\n", bad: "no entry in it"},
		"indented":       {text: "  alice@example.com\n", bad: "line 1: it starts with white space"},
		"zeros":          {text: "alice@example.com\n\x00\x00\x00\n", bad: `line 2: "\x00\x00\x00" is neither an address`},
		"comma":          {text: "alice@example.com,bob@example.com\n", bad: "line 1: "},
		"at alone":       {text: "@\n", bad: "line 1: "},
		"no domain":      {text: "alice@\n", bad: "line 1: "},
		"long":           {text: strings.Repeat("x", 70_000) + "\n", bad: "line 1: over 65536 octets"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := file.Parse([]byte(c.text), false)
			if c.bad != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.bad) {
					t.Fatalf("%v; want %s", err, c.bad)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for k := range got {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			if !slices.Equal(keys, c.want) {
				t.Errorf("%q, want %q", keys, c.want)
			}
		})
	}
	if got, err := file.Parse([]byte("Alice@Example.com\n"), true); err != nil || !got.Match([]directory.Form{{Address: "Alice@example.com"}}) {
		t.Errorf("case-sensitive: %v, %v", got, err)
	}
}

// TestReload runs in a bubble, so that seconds pass at once; the file's times are
// set to match.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "recipients")
		put := func(text string) {
			write(t, path, text)
			if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		put("alice@example.com\n")
		f, err := file.New(file.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		d := directorytest.Directory(t, f)
		want := func(address string, p sluice.Presence, words string) {
			t.Helper()
			l, err := d.Lookup(t.Context(), address)
			if l.Presence != p || (err != nil) != (p == sluice.CantTell) {
				t.Errorf("%s: %s, %v; want %s", address, l.Presence, err, p)
			}
			h := d.Health()[0]
			if (words == "") != (h.Trouble == "") || !strings.Contains(h.Trouble, words) {
				t.Errorf("trouble %q, want %q", h.Trouble, words)
			}
		}
		want("alice@example.com", sluice.Present, "")
		want("bob@example.com", sluice.Absent, "")

		put("alice@example.com\nbob@example.com\n")
		want("bob@example.com", sluice.Absent, "") // looked at a moment ago
		time.Sleep(2 * time.Second)
		want("bob@example.com", sluice.Present, "")

		// One that is being written isn't read.
		put("alice@exa")
		time.Sleep(100 * time.Millisecond)
		for range 3 {
			put("alice@example.com\ncarol@exa")
			time.Sleep(900 * time.Millisecond)
			want("bob@example.com", sluice.Present, "")
		}
		put("alice@example.com\ncarol@example.com\n")
		time.Sleep(2100 * time.Millisecond)
		want("carol@example.com", sluice.Present, "")
		want("bob@example.com", sluice.Absent, "")

		for _, c := range []struct{ text, words string }{
			{"", "no entry in it; what it held at 2000-01-01"}, {"what, ever\n", "line 1: \"what,\" is neither"}} {
			put(c.text)
			time.Sleep(3 * time.Second)
			want("carol@example.com", sluice.Present, c.words)
			want("bob@example.com", sluice.Absent, c.words)
			if got := d.Health()[0].State; got != directory.Doubtful {
				t.Errorf("state %s", got)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		want("carol@example.com", sluice.Present, "no such file")
		put("dave@example.com\n")
		time.Sleep(3 * time.Second)
		want("dave@example.com", sluice.Present, "")
		want("carol@example.com", sluice.Absent, "")
	})
}

// A file that was never there makes nobody unknown.
func TestMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recipients")
	f, err := file.New(file.Config{Path: path, MaxSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	check := func(words string) {
		t.Helper()
		l, err := f.Lookup(t.Context(), &directory.Query{})
		if l.Presence != sluice.CantTell || err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s, %v; want %s", l.Presence, err, words)
		}
	}
	check("no such file")
	write(t, path, strings.Repeat("alice@example.com\n", 10))
	if f, err = file.New(file.Config{Path: path, MaxSize: 100}); err != nil {
		t.Fatal(err)
	}
	check("has 180 octets; 100 are allowed")
	if f, err = file.New(file.Config{Path: filepath.Dir(path)}); err != nil {
		t.Fatal(err)
	}
	check("is no regular file")
	if _, err := file.New(file.Config{}); err == nil {
		t.Error("no path, no error")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"alice@example.com\n", "# x\n@example.com\nbob OK\n\tmore\n", "root: alice\n", "\"a b\"@c d", "\"a\\", "ä@bücher.example", "\xff", "@", "a@b@c", "\"@\"@x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := file.Parse(b, false)
		if err != nil {
			return
		}
		if len(entries) > 1+strings.Count(string(b), "\n") {
			t.Fatalf("%d entries of %d octets", len(entries), len(b))
		}
		// What was read reads the same again.
		var text strings.Builder
		for e := range entries {
			if e[0] == '#' {
				return // it came in quotes, and is a comment without them
			}
			fmt.Fprintf(&text, "%s\n", e)
			if strings.ContainsAny(e, "\r\n\x00") {
				t.Fatalf("entry %q", e)
			}
		}
		again, err := file.Parse([]byte(text.String()), false)
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%q: %d of %d, %v", text.String(), len(again), len(entries), err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	path := filepath.Join(b.TempDir(), "recipients")
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "user%d@example.com\n", i)
	}
	write(b, path, text.String())
	f, err := file.New(file.Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	d := directorytest.Directory(b, f)
	b.ReportAllocs()
	for b.Loop() {
		if l, _ := d.Lookup(b.Context(), "user4711@example.com"); l.Presence != sluice.Present {
			b.Fatal(l)
		}
	}
}
