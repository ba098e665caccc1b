package htmlview

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// FuzzAttrs holds our reading of raw tags to the tokenizer's.
func FuzzAttrs(f *testing.F) {
	for _, s := range []string{`a href="x" HREF='y' style = z`, `a/href=x/src=y/`, `img =a=b src`, `p style="" style=x`, `A hREF=">" b`, "p\thidden\nopen\f/", `p title="a`, "", "/a b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > maxAttrs { // both stop at a number of attributes, repeated ones or not
			return
		}
		src := "<" + s + ">"
		ours, theirs := html.NewTokenizer(strings.NewReader(src)), html.NewTokenizer(strings.NewReader(src))
		for range 10 {
			kind := ours.Next()
			theirs.Next()
			if kind == html.ErrorToken {
				return
			}
			if kind != html.StartTagToken && kind != html.SelfClosingTagToken && kind != html.EndTagToken || !plainTag(ours.Raw()) {
				continue
			}
			_, name, raw, hasAttr := tagName(ours, nil)
			want, more := theirs.TagName()
			if string(name) != string(want) {
				t.Errorf("%q: name %q, want %q", src, name, want)
			}
			if kind == html.EndTagToken {
				continue
			}
			var a, b attrs
			if hasAttr {
				a.read(raw, ours)
			}
			if more {
				b.read(nil, theirs)
			}
			a.events, b.events = 0, 0 // the tokenizer drops repeated ones
			if a != b {
				t.Errorf("%q:\n got %+v\nwant %+v", src, a, b)
			}
		}
	})
}
