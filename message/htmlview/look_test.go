package htmlview

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/message/links"
)

// TestLook: what a person takes for the button is one, however it was made.
func TestLook(t *testing.T) {
	for _, tt := range []struct {
		name, html string
		want       []links.Look
	}{
		{"plain", `<p>See <a href=https://a.org>here</a> for more`, []links.Look{{Size: 16}}},
		{"own background", `<a href=https://a.org style="background:#c00;color:#fff;font-size:18px">Go</a>`, []links.Look{{Size: 18, Button: true}}},
		{"span inside", `<a href=https://a.org><span style="background:#c00;color:#fff">Go</span></a>`, []links.Look{{Size: 16, Button: true}}},
		{"cell around", `<table><tr><td bgcolor=#cc0000><p><a href=https://a.org style="color:#fff">Go on</a></p></td></tr></table>`, []links.Look{{Size: 16, Button: true}}},
		{"cell with more in it", `<table><tr><td bgcolor=#cc0000><a href=https://a.org style="color:#fff">Go on</a> <font color=#ffffff>or stay</font></td></tr></table>`, []links.Look{{Size: 16}}},
		{"dark footer", `<div style="background:#222;color:#ddd">Ours. <a style="color:#fff" href=https://a.org>Terms</a></div>`, []links.Look{{Size: 16}}},
		{"class", `<style>.b{background-color:#0a0;font-size:20px}</style><a class=b href=https://a.org style="color:#fff">Go</a>`, []links.Look{{Size: 20, Button: true}}},
		{"picture", `<a href=https://a.org><img src=https://a.org/x.png width=600 height="200"></a>`, []links.Look{{Area: 120000}, {}}},
		{"picture of any size", `<a href=https://a.org><img src=https://a.org/x.png width="100%"></a>`, []links.Look{{Area: links.Unsized}, {}}},
		{"bad size", `<a href=https://a.org><img src=https://a.org/x.png width=99999999999 height=-4></a>`, []links.Look{{Area: links.Unsized}, {}}},
	} {
		var got []links.Look
		for _, l := range Render(tt.html, Limits{}).Links {
			got = append(got, l.Look)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}
