package lure

import (
	"strings"
	"testing"
)

// TestIndex holds the bounds of the tables, and the one pass to the plain search.
func TestIndex(t *testing.T) {
	if len(themes) > maxThemes || len(baits) > 256 {
		t.Fatalf("%d themes, %d beginnings", len(themes), len(baits))
	}
	for i := range themes {
		if n := len(themes[i].phrases); n > maxPhrases {
			t.Errorf("%s has %d phrases", themes[i].id, n)
		}
		for _, p := range themes[i].phrases {
			if len(p) < 3 || p != string(appendFolded(nil, p)) {
				t.Errorf("%s: %q isn't folded, or too short", themes[i].id, p)
			}
		}
	}
}

// FuzzLook compares with the functions of package strings.
func FuzzLook(f *testing.F) {
	f.Add("You’ve WON a free\u00a0gift card, PARABÉNS")
	f.Add("cb\u200bd gummies\nfree\tquote")
	f.Add("\xff\u0130 İk free gift")
	apostrophes := strings.NewReplacer("’", "'", "‘", "'", "\u00a0", " ", "\n", " ", "\t", " ", "\u200b", "", "\u200c", "", "\u00ad", "")
	f.Fuzz(func(t *testing.T, s string) {
		want := apostrophes.Replace(strings.ToLower(s))
		got := appendFolded(nil, s)
		if string(got) != want {
			t.Fatalf("%q is folded to %q, want %q", s, got, want)
		}
		var seen sightings
		seen.look(got, inText)
		for i := range themes {
			for n, p := range themes[i].phrases {
				if met := seen[i][n] != 0; met != strings.Contains(want, p) {
					t.Errorf("%q in %q: %v", p, want, met)
				}
			}
		}
	})
}
