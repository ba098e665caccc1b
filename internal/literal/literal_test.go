package literal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/internal/literal"
)

func find(patterns []string, text string) []string {
	var out []string
	literal.New(patterns).Scan([]byte(text), func(p, start, end int) bool {
		if text[start:end] != patterns[p] {
			out = append(out, "WRONG RANGE")
		}
		out = append(out, fmt.Sprintf("%d:%s", start, patterns[p]))
		return true
	})
	return out
}

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		patterns []string
		text     string
		want     []string
	}{
		{[]string{"he", "she", "his", "hers"}, "ushers", []string{"1:she", "2:he", "2:hers"}},
		{[]string{"a", "aa"}, "aaa", []string{"0:a", "0:aa", "1:a", "1:aa", "2:a"}},
		{[]string{"", "x"}, "x", []string{"0:x"}},
		{[]string{"abcd", "bc"}, "abce", []string{"1:bc"}},
		{[]string{"geld", "überweisung"}, "die überweisung", []string{"4:überweisung"}},
		{nil, "anything", nil},
		{[]string{"x"}, "", nil},
	} {
		got := find(tc.patterns, tc.text)
		slices.Sort(got)
		slices.Sort(tc.want)
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%q in %q: %s", tc.patterns, tc.text, d)
		}
	}
}

func TestScanStops(t *testing.T) {
	n := 0
	literal.New([]string{"a"}).Scan([]byte("aaaa"), func(int, int, int) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("called %d times, want 2", n)
	}
}

// Any set of patterns finds what strings.Index finds.
func TestScanLikeIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfNDistinct(rapid.StringMatching(`[abc]{1,4}`), 0, 8, rapid.ID).Draw(t, "patterns")
		text := rapid.StringMatching(`[abcd]{0,40}`).Draw(t, "text")
		var want []string
		for _, p := range patterns {
			for i := 0; i+len(p) <= len(text); i++ {
				if strings.HasPrefix(text[i:], p) {
					want = append(want, fmt.Sprintf("%d:%s", i, p))
				}
			}
		}
		got := find(patterns, text)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Fatalf("want %q, got %q", want, got)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	var patterns []string
	for i := range 400 {
		patterns = append(patterns, fmt.Sprintf("pattern number %d of many", i))
	}
	m := literal.New(patterns)
	text := []byte(strings.Repeat("the quick brown fox jumps over a pattern that is not there. ", 170))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m.Scan(text, func(int, int, int) bool { return true })
	}
}

func TestAppendLower(t *testing.T) {
	for _, s := range []string{"", "Plain Text-1[\\]^", "ÄÖÜ Straße", "A\u212A\u0130", "X\xff\xc3", "ABC\xffDEF"} {
		if got, want := string(literal.AppendLower([]byte("x"), s)), "x"+strings.ToLower(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
