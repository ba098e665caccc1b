// Package documenttest compares what a decoder finds in a document with what a
// test expects, for documents that carry something and for their harmless twins.
package documenttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
)

// Case is a file and what is to be found in it.
type Case struct {
	Name string
	Type inspect.Type
	Body string
	// Want are lines as Lines writes them; all of them, in any order.
	Want []string
	// Has are lines that must be there among others; used where Want is nil.
	Has []string
	// Clean says that no fact and no link may be there.
	Clean bool
}

// Run runs a decoder on each case.
func Run(t *testing.T, d child.Decoder, cases []Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			r := childtest.One(t, d, c.Name, c.Type, []byte(c.Body))
			got := Lines(r)
			switch {
			case c.Clean:
				if len(got) > 0 {
					t.Errorf("found in a harmless file:\n%s", strings.Join(got, "\n"))
				}
			case c.Want != nil:
				want := slices.Sorted(slices.Values(c.Want))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
			for _, h := range c.Has {
				if !slices.Contains(got, h) {
					t.Errorf("no %q in\n%s", h, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// Lines writes facts ("KIND detail"), links ("link via url") and contained files
// ("file name type size") as sorted lines.
func Lines(r *inspect.Report) []string {
	var out []string
	for _, f := range r.Facts {
		out = append(out, fmt.Sprintf("%s %s", f.Kind, f.Detail))
	}
	for _, l := range r.Links {
		out = append(out, fmt.Sprintf("link %s %s", l.Via, l.URL))
	}
	for _, f := range r.Files {
		if f.Parent >= 0 {
			out = append(out, fmt.Sprintf("file %s %s %d", f.Name, f.Type, f.Size))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Text joins the texts of one origin.
func Text(r *inspect.Report, o inspect.Origin) string {
	var b strings.Builder
	for _, t := range r.Texts {
		if t.Origin == o {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}
