package inspect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRule(t *testing.T) {
	for _, row := range []struct {
		rule Rule
		text string
	}{
		{Rule{Namespace: "own", Name: "A"}, "own:A"},
		{Rule{Name: "A"}, ":A"},
		{Rule{Namespace: "own", Name: "A", Tags: []string{"x", "y"}}, "own:A [x,y]"},
		{Rule{Namespace: "own", Name: "A", Tags: []string{"x"}, Meta: []Meta{{"score", "80"}, {"description", `a "b" = [c]` + "\n\x1b"}}},
			`own:A [x] score="80" description="a \"b\" = [c]\n\x1b"`},
	} {
		if got := row.rule.String(); got != row.text {
			t.Errorf("got %s, want %s", got, row.text)
		}
		got, ok := ParseRule(row.text)
		if d := cmp.Diff(row.rule, got); !ok || d != "" {
			t.Errorf("%s: %v %s", row.text, ok, d)
		}
	}
	for _, s := range []string{"", "A", "own:", "own:A [x", "own:A []", "own:A score", "own:A score=80", `own:A score="80`, "own:A \x1b", "ow n:A", "own:A score='8'"} {
		if r, ok := ParseRule(s); ok {
			t.Errorf("%q is taken: %+v", s, r)
		}
	}
	long := Rule{Namespace: strings.Repeat("n", 500), Name: strings.Repeat("r", 500), Tags: []string{strings.Repeat("t", 500), "u"},
		Meta: []Meta{{"description", strings.Repeat("\xff", 500)}, {"score", "9"}}}
	if s := long.String(); len(s) > MaxDetail {
		t.Errorf("%d bytes", len(s))
	} else if r, ok := ParseRule(s); !ok {
		t.Errorf("a long one is not read: %s", s)
	} else if r.Value("score") != "9" {
		t.Errorf("a long text took the score's place: %s", s)
	}
}

func FuzzParseRule(f *testing.F) {
	f.Add(`own:A [x,y] score="80" description="a \"b\""`)
	f.Add("a:b")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := ParseRule(s)
		if !ok {
			return
		}
		out := r.String()
		if len(out) > MaxDetail {
			t.Fatalf("%d bytes", len(out))
		}
		if again, ok := ParseRule(out); !ok || again.Name != r.Name || again.Namespace != r.Namespace {
			t.Fatalf("%q became %q: %v", s, out, again)
		}
	})
}
