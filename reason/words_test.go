package reason

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// terms stay as they are in every language: what is written in capitals, the names of
// fields, tags and numbers.
var terms = regexp.MustCompile(`\b(?:[A-Z][A-Z0-9]+|[A-Z][a-z]+-[A-Z][A-Za-z-]+|[0-9]{2,})\b|\b[a-z]+=`)

// TestTranslations holds that whoever is refused reads why in their own language: a new
// reason comes with its words. Those without a code too, as the page shows what spoke for
// a message and what authentication found.
func TestTranslations(t *testing.T) {
	if got := Languages(); !slices.Equal(got, []string{"de", "es", "fr"}) {
		t.Fatalf("languages %v", got)
	}
	for _, lang := range Languages() {
		for _, e := range All() {
			w, ok := In(lang, e.ID)
			switch {
			case !ok:
				t.Errorf("%s: %s isn't translated", lang, e.ID)
				continue
			case w.ID != e.ID || w.Page == "" || w.Page == e.Page || e.Fix != "" && w.Fix == e.Fix:
				t.Errorf("%s: %s: %+v", lang, e.ID, w)
			}
			for _, term := range terms.FindAllString(e.Page+" "+e.Fix, -1) {
				if !strings.Contains(w.Page+" "+w.Fix, term) {
					t.Errorf("%s: %s doesn't say %s", lang, e.ID, term)
				}
			}
		}
	}
	for _, bad := range [][2]string{{"de", "NO_SUCH_REASON"}, {"en", Greylisted}, {"", Greylisted}, {"de", ""}} {
		if w, ok := In(bad[0], bad[1]); ok {
			t.Errorf("In(%q, %q) = %+v", bad[0], bad[1], w)
		}
	}
	if n := testing.AllocsPerRun(100, func() { In("fr", Greylisted) }); n != 0 {
		t.Errorf("In allocates %v times", n)
	}
}
