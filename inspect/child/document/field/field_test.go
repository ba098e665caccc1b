package field_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/field"
)

// codes takes a file for the code of one field.
type codes struct{}

func (codes) Name() string          { return "field" }
func (codes) Types() []inspect.Type { return []inspect.Type{"field"} }
func (codes) Open(_ context.Context, w *child.Work) error {
	field.State(w, string(w.Bytes()))
	return nil
}

func TestState(t *testing.T) {
	for _, c := range []struct {
		code  string
		facts []inspect.Kind
		link  string
	}{
		{` DDEAUTO c:\\windows\\system32\\cmd.exe "/k calc.exe" `, []inspect.Kind{inspect.DDECommand, inspect.CodeRuns}, ""},
		{`HYPERLINK "https://example.org/a" \o "tip"`, nil, "https://example.org/a"},
		{`HYPERLINK \l "chapter2"`, nil, ""},
		{`INCLUDEPICTURE "\\\\evil.example\\share\\a.png" \d`, []inspect.Kind{inspect.RemoteObject}, `\\evil.example\share\a.png`},
		{`INCLUDEPICTURE "C:\\pictures\\a.png"`, nil, ""},
		{`PAGE \* MERGEFORMAT`, nil, ""},
		{`MACROBUTTON NoMacro [Click here]`, nil, ""},
		{`MACROBUTTON Start Click here`, []inspect.Kind{inspect.ActionRuns}, ""},
		{"QUOTE 68 68 69 65 85 84 79 32 99 109 100 46 101 120 101", []inspect.Kind{inspect.CodeObfuscated, inspect.DDECommand, inspect.CodeRuns}, ""},
	} {
		r := childtest.One(t, codes{}, "f", "field", []byte(c.code))
		var got []inspect.Kind
		for _, f := range r.Facts {
			if len(got) == 0 || got[len(got)-1] != f.Kind {
				got = append(got, f.Kind)
			}
		}
		var link string
		if len(r.Links) > 0 {
			link = r.Links[0].URL
		}
		if d := cmp.Diff(c.facts, got[:min(len(got), len(c.facts))]); d != "" || link != c.link || c.facts == nil && got != nil {
			t.Errorf("%s: %s %q %v", c.code, d, link, r.Facts)
		}
	}
}

func TestReader(t *testing.T) {
	var r field.Reader
	r.Write("before \x13HYPERLINK \"u\"\x14words\x15 \x13 DDE \x13 QUOTE x \x14y\x15 z \x15after\r\x15\x14")
	if d := cmp.Diff([]string{`HYPERLINK "u"`, " DDE  QUOTE x   z "}, r.Codes); d != "" || r.Plain() != "before words yafter\n" {
		t.Errorf("%s %q", d, r.Plain())
	}
	r = field.Reader{}
	r.Write(strings.Repeat("\x13a", 100_000) + strings.Repeat("\x15", 100_000))
}

func FuzzReader(f *testing.F) {
	f.Add("a\x13 HYPERLINK \"http://x.example\" \x14b\x15\x13\x13\x15")
	f.Fuzz(func(t *testing.T, s string) {
		var r field.Reader
		r.Write(s)
		childtest.Bytes(t, codes{}, "field", []byte(s))
	})
}
