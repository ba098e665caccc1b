package yara

import (
	"fmt"
	"strings"
	"testing"

	"sluice/inspect"
)

// The lines are those that yara 4.2.3 prints.
const printed = `test_ns:Sluice_Test [doc,loader] [malware="Emo\"tet\n\001x",score =80,b=true,neg =-5,description="a b [c], \377"] /proc/self/fd/5
test_ns:Sl2 [] [] /proc/self/fd/6
own:Family [] [family="Q\\",SEVERITY="high"] /proc/self/fd/5
`

func TestParse(t *testing.T) {
	got := strings.Trim(fmt.Sprint(parse([]byte(printed))), "[]")
	want := `2 test_ns:Sluice_Test [doc,loader] malware="Emo\"tet\n\x01x" score="80" description="a b [c], \xff" 3 test_ns:Sl2 2 own:Family family="Q\\" severity="high"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, s := range []string{"", "error scanning /proc/self/fd/5", "a:b [] [] /etc/passwd", "a:b [] [] /proc/self/fd/2", "a:b [] [] /proc/self/fd/", "a:b [] [k=\"v] /proc/self/fd/5",
		"a:b [] [k=\"v\\", "a:b [] [k=v /proc/self/fd/5", "a [] [] /proc/self/fd/5", ":[] [] x", "a:b [] [k] /proc/self/fd/5"} {
		if m, ok := parseLine(s); ok {
			t.Errorf("%q is taken: %v", s, m)
		}
	}
	if n := len(parse([]byte(strings.Repeat("a:b [] [] /proc/self/fd/5\n", 2*maxMatches)))); n != maxMatches {
		t.Errorf("%d matches", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(printed))
	f.Add([]byte("a:b [] [] /proc/self/fd/5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list := parse(b)
		if len(list) > maxMatches {
			t.Fatal(len(list))
		}
		for _, m := range list {
			s := m.rule.String()
			if _, ok := inspect.ParseRule(s); !ok || len(s) > inspect.MaxDetail || m.file < 0 {
				t.Fatalf("%v", m)
			}
		}
	})
}
