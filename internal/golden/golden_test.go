package golden

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a.txt")
	if err := check(path, []byte("one\n"), false); err == nil || !strings.Contains(err.Error(), "-update") {
		t.Errorf("missing file: %v, want advice to use -update", err)
	}
	if err := check(path, []byte("one\n"), true); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "one\n" {
		t.Errorf("wrote %q", got)
	}
	if err := check(path, []byte("one\n"), false); err != nil {
		t.Errorf("equal: %v", err)
	}
	err := check(path, []byte("two\n"), false)
	if err == nil || !strings.Contains(err.Error(), "-    1 one") || !strings.Contains(err.Error(), "+    1 two") {
		t.Errorf("different: %v", err)
	}
	if err := check(path, []byte("one"), false); err == nil {
		t.Error("a missing last line end is no difference")
	}
	if got, _ := os.ReadFile(path); string(got) != "one\n" {
		t.Errorf("comparing changed the file to %q", got)
	}
}

func TestDiff(t *testing.T) {
	for _, tc := range []struct{ want, got, diff string }{
		{"a\nb\nc\n", "a\nx\nc\n", "     1 a\n-    2 b\n+    2 x\n     3 c\n"},
		{"a\n", "", "-    1 a\n"},
		{"", "a\n", "+    1 a\n"},
		{"a\r\n", "a\n", "-    1 \"a\\r\"\n+    1 a\n"},
		{"a\n", "a", "-    1 a\n+    1 a (no line end)\n"},
		{"a\na\n", "a\n", "     1 a\n-    2 a\n"},
	} {
		if got := Diff([]byte(tc.want), []byte(tc.got)); got != tc.diff {
			t.Errorf("Diff(%q, %q) =\n%swant\n%s", tc.want, tc.got, got, tc.diff)
		}
	}
	text := strings.Repeat("x\n", 50)
	got := Diff([]byte("one\n"+text+"two\n"), []byte(text+"three\n"))
	want := "-    1 one\n     1 x\n     2 x\n     3 x\n  …\n    48 x\n    49 x\n    50 x\n-   52 two\n+   51 three\n"
	if got != want {
		t.Errorf("two changes give\n%swant\n%s", got, want)
	}
	for _, n := range []int{most + 1, 5000} { // the second is over maxTable
		a, b := strings.Repeat("a\n", n), strings.Repeat("b\n", n)
		d := Diff([]byte(a), []byte(b))
		if got := strings.Count(d, "\n"); got != most+2 || !strings.HasSuffix(d, "more lines differ)\n") {
			t.Errorf("%d different lines give %d lines, want %d", n, got, most+2)
		}
	}
}

// What Diff says rebuilds both texts.
func TestCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SampledFrom([]string{"a", "b", "c"})
		w, g := rapid.SliceOf(line).Draw(t, "want"), rapid.SliceOf(line).Draw(t, "got")
		var w2, g2 []string
		for _, e := range compare(w, g) {
			if e.sign != '+' {
				w2 = append(w2, e.text)
			}
			if e.sign != '-' {
				g2 = append(g2, e.text)
				if e.n != len(g2) {
					t.Fatalf("line %d of got has the number %d", len(g2), e.n)
				}
			} else if e.n != len(w2) {
				t.Fatalf("line %d of want has the number %d", len(w2), e.n)
			}
		}
		if !slices.Equal(w, w2) || !slices.Equal(g, g2) {
			t.Fatalf("%v and %v become %v and %v", w, g, w2, g2)
		}
	})
}
