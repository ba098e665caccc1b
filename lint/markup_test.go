package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarkup(t *testing.T) {
	var k markup
	k.read(`<html lang=de><meta name="Viewport" content="width=1"><img src="https://img.example.org/a.png" alt="" width=600 height="200">
<IMG SRC=http://t.example.net/p.gif WIDTH=1 HEIGHT=1><img src="data:image/png;base64,AA=="><img src=cid:x alt=x style="width: 20px;display: none"><img`)
	want := []picture{
		{host: "img.example.org", secure: true, alt: true, width: 600, height: 200},
		{host: "t.example.net", width: 1, height: 1},
		{data: true, width: -1, height: -1},
		{alt: true},
	}
	if diff := cmp.Diff(want, k.pictures, cmp.AllowUnexported(picture{})); diff != "" {
		t.Error(diff)
	}
	if !k.lang || !k.viewport || k.left {
		t.Errorf("lang %v, viewport %v, left %v", k.lang, k.viewport, k.left)
	}
	for i, pixel := range []bool{false, true, false, true} {
		if k.pictures[i].pixel() != pixel {
			t.Errorf("picture %d: pixel %v", i, !pixel)
		}
	}
}

// TestMarkupBounds: what is counted is bounded, and what is left out is told.
func TestMarkupBounds(t *testing.T) {
	var k markup
	k.read(strings.Repeat("<img>", 3*maxPictures))
	if len(k.pictures) != maxPictures || !k.left {
		t.Errorf("%d pictures, left %v", len(k.pictures), k.left)
	}
	k = markup{}
	k.read("<img alt='" + strings.Repeat("x", 2*maxToken))
	if !k.left {
		t.Error("a token over the limit isn't told")
	}
}

func FuzzMarkup(f *testing.F) {
	for _, s := range []string{"<img src=https://a.example/x.png alt=x width=1px>", "<img style='width:1;height:9999999999999px'>", "<html lang=x><meta name=viewport>", "<!--", "<img src=\"\x00javascript:1\">"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var k markup
		k.read(s)
		if len(k.pictures) > maxPictures {
			t.Errorf("%d pictures", len(k.pictures))
		}
	})
}

func FuzzBracketed(f *testing.F) {
	f.Add("<https://a.example/x>, <mailto:a@b.example>")
	f.Add("<<<>>><")
	f.Fuzz(func(t *testing.T, s string) {
		for _, u := range bracketed(s) {
			if strings.Contains(u, ">") {
				t.Errorf("%q holds an end", u)
			}
		}
	})
}
