package links

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/shared"
)

// TestSuitePSL runs the public suffix list's own cases.
func TestSuitePSL(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(shared.Dir(t, "suites", "psl"), "tests", "test_psl.txt"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^checkPublicSuffix\('([^']*)', (?:'([^']*)'|null)\);`)
	n := 0
	for _, c := range line.FindAllStringSubmatch(string(b), -1) {
		if strings.HasPrefix(c[1], ".") {
			continue // no host name
		}
		n++
		host := Parse("http://" + c[1]).Host
		want := host // a suffix has no registrable domain: it stands for itself
		if c[2] != "" {
			want = Parse("http://" + c[2]).Host
		}
		if got := OrgDomain(host); got != want {
			t.Errorf("OrgDomain(%q) = %q, want %q", host, got, want)
		}
	}
	if n < 50 {
		t.Errorf("only %d cases", n)
	}
}
