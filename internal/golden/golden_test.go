package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	long := strings.Repeat("x\n", 10*most)
	if n := strings.Count(Diff([]byte(long), nil), "\n"); n != most+1 {
		t.Errorf("a long difference has %d lines, want %d", n, most+1)
	}
}
