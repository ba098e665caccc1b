package htmlview

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/message/links"
)

func TestVisibleAndHidden(t *testing.T) {
	cases := []struct {
		name, html, visible, hidden string
		why                         Why
	}{
		{"plain", "<p>Hello <b>world</b></p>", "Hello world", "", 0},
		{"blocks and breaks", "<div>a</div><div>b<br>c</div>d", "a\nb\nc\nd", "", 0},
		{"entities", "a &amp; b &#x43; &lt;d&gt;", "a & b C <d>", "", 0},
		{"white space", "  a \n\t b  ", "a b", "", 0},
		{"cells", "<table><tr><td>a<td>b</table>", "a b", "", 0},
		{"pre", "<pre>a\nb</pre>", "a\nb", "", 0},
		{"script and style", "a<script>var x='no'</script><style>.q{}</style>b", "ab", "", 0},
		{"head text shows", "<head>shown</head>", "shown", "", 0},
		{"title", "<head><title>The title</title></head><body>b", "b", "The title", 0},
		{"noscript shows without scripts", "<noscript>a<b>b</b></noscript>", "ab", "", 0},
		{"template", "a<template>no</template>b", "ab", "no", WhyElement},
		{"comment", "a<!-- secret words -->b", "ab", "secret words", 0},

		{"display none", `a<div style="display:none">no</div>b`, "a\nb", "no", WhyDisplay},
		{"display none, spaced and loud", `<div style=" DISPLAY : None !important ">no</div>b`, "b", "no", WhyDisplay},
		{"display none, escaped", `<div style="d\69splay:none">no</div>b`, "b", "no", WhyDisplay},
		{"display none, comment inside", `<div style="display:/**/none">no</div>b`, "b", "no", WhyDisplay},
		{"last declaration wins", `<div style="display:none;display:block">yes</div>`, "yes", "", 0},
		{"display none, nested", `<div style="display:none"><p style="display:block">no</p></div>b`, "b", "no", WhyDisplay},
		{"hidden attribute", `<p hidden>no</p>b`, "b", "no", WhyDisplay},
		{"mso-hide", `<p style="mso-hide:all">no</p>b`, "b", "no", WhyDisplay},
		{"visibility", `<span style="visibility:hidden">no <b style="visibility:visible">yes</b></span>`, "yes", "no", WhyVisibility},
		{"opacity", `<span style="opacity:0">no</span>b`, "b", "no", WhyOpacity},
		{"font size 0", `<span style="font-size:0">no</span>b`, "b", "no", WhyFont},
		{"font size 1px", `<span style="font-size:1px">no</span>b`, "b", "no", WhyFont},
		{"font size em of nothing", `<span style="font-size:.01em">no</span>b`, "b", "no", WhyFont},
		{"font shorthand", `<span style="font:0/0 a">no</span>b`, "b", "no", WhyFont},
		{"font size restored", `<div style="font-size:0"><span style="font-size:14px">yes</span></div>`, "yes", "", 0},
		{"white on white", `<span style="color:#fff">no</span>b`, "b", "no", WhyColour},
		{"nearly white on white", `<span style="color:rgb(252, 253,254)">no</span>b`, "b", "no", WhyColour},
		{"font tag", `<font color=white>no</font>b`, "b", "no", WhyColour},
		{"white on dark", `<td bgcolor="#000080"><font color="white">yes</font></td>`, "yes", "", 0},
		{"dark on dark", `<div style="background:#111;color:#0a0a0a">no</div>b`, "b", "no", WhyColour},
		{"white on picture", `<div style="background:url(x.png)"><span style="color:#fff">yes</span></div>`, "yes", "", 0},
		{"body colours", `<body bgcolor=black text=white>yes<span style="color:black">no</span>`, "yes", "no", WhyColour},
		{"link keeps its own colour", `<div style="color:#fff"><a href="http://a.example/">yes</a>no</div>`, "yes", "no", WhyColour},
		{"transparent", `<p style="color:transparent">no</p>b`, "b", "no", WhyColour},
		{"off screen", `<p style="position:absolute;left:-9999px">no</p>b`, "b", "no", WhyOffScreen},
		{"text indent", `<p style="text-indent:-9999px">no</p>b`, "b", "no", WhyOffScreen},
		{"preheader", `<div style="max-height:0;overflow:hidden">no</div>b`, "b", "no", WhySize},
		{"zero width", `<div style="width:0px;overflow:hidden">no</div>b`, "b", "no", WhySize},
		{"zero height alone shows", `<div style="height:0">yes</div>`, "yes", "", 0},

		{"class rule", `<style>.x{display:none}</style><p class="a x">no</p>b`, "b", "no", WhyDisplay},
		{"rule behind its use", `<p id=q>no</p>b<style>#q{visibility:hidden}</style>`, "b", "no", WhyVisibility},
		{"element rule", `<style>i,em{font-size:0}</style><i>no</i>b`, "b", "no", WhyFont},
		{"inline beats rule", `<style>.x{display:none}</style><p class=x style="display:block">yes</p>`, "yes", "", 0},
		{"important inline beats all", `<style>.x{display:none!important}</style><p class=x style="display:block!important;display:none">yes</p>b`, "yes\nb", "", 0},
		{"important beats inline", `<style>.x{display:none!important}</style><p class=x style="display:block">no</p>b`, "b", "no", WhyDisplay},
		{"body rule without body tag", `<style>body{background:#000}</style><p style="color:#000">no</p><p style="color:#fff">yes</p>`, "yes", "no", WhyColour},
		{"media for small screens", `<style>@media (max-width:600px){.x{display:none}} .y{display:none}</style><p class=x>yes</p><p class=y>no</p>`, "yes", "no", WhyDisplay},
		{"media for all", `<style>@media screen{.x{display:none}}.y{color:#fff}</style><p class=x>no</p><p class=y>no</p>b`, "b", "no\nno", WhyDisplay | WhyColour},
		{"rule in Outlook's comment", `<!--[if mso]><style>.x{display:none}</style><![endif]--><p class=x>yes</p>`, "yes", "", 0},
		{"combinators are left out", `<style>div .x{display:none}</style><p class=x>yes</p>`, "yes", "", 0},

		{"p closes p", `<p style="display:none">no<p>yes`, "yes", "no", WhyDisplay},
		{"inline end tag doesn't close a block", `<span style="display:none"><div></span>no</div></span>b`, "b", "no", WhyDisplay},
		{"block end tag closes inline", `<div style="display:none"><span>no</div>b`, "b", "no", WhyDisplay},
		{"stray end tags", `</div></p></b>a`, "a", "", 0},
		{"cell end closes all inside", `<table><tr><td><div style="display:none">no</td><td>yes</td></table>`, "yes", "no", WhyDisplay},
		{"formatting closed across blocks", `<font color=white>no<p>no</font>yes</p>`, "yes", "no\nno", WhyColour},
		{"plaintext swallows", `a<plaintext><b>c`, "a\n<b>c", "", 0},
		{"downlevel-revealed in comments", `<!--[if !mso]><!-->yes<!--<![endif]-->`, "yes", "", 0},
		{"downlevel-revealed", `<![if !mso]>yes<![endif]>`, "yes", "", 0},
		{"unclosed tag", `a<div`, "a", "", 0},
		{"unclosed comment", `a<!-- b`, "a", "b", 0},
		{"button words", `<input type=submit value="Log in"><input type=text value=x>`, "Log in", "", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := Render(c.html, DefaultLimits())
			if r.Visible != c.visible || r.Hidden != c.hidden || r.Why != c.why {
				t.Errorf("visible %q, hidden %q, why %b; want %q, %q, %b", r.Visible, r.Hidden, r.Why, c.visible, c.hidden, c.why)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	type link struct {
		Host, Path, Text string
		Source           links.Source
		Hidden           bool
	}
	cases := []struct {
		name, html string
		want       []link
	}{
		{"anchor", `<a href="http://evil.example/x">https://bank.example</a>`, []link{{"evil.example", "/x", "https://bank.example", links.FromAnchor, false}}},
		{"anchor over blocks", `<a href="http://a.example"><div>one</div> <p>two</a>three`, []link{{"a.example", "", "one two", links.FromAnchor, false}}},
		{"unclosed anchors", `<a href="http://a.example">one<a href="http://b.example">two`, []link{{"a.example", "", "one", links.FromAnchor, false}, {"b.example", "", "two", links.FromAnchor, false}}},
		{"picture as words", `<a href="http://a.example"><img src="http://b.example/i.png" alt="Pay now"></a>`, []link{{"a.example", "", "Pay now", links.FromAnchor, false}, {"b.example", "/i.png", "", links.FromImage, false}}},
		{"hidden anchor", `<div style="display:none"><a href="http://a.example">x</a></div>`, []link{{"a.example", "", "x", links.FromAnchor, true}}},
		{"base", `<base href="http://b.example/d/e"><a href="f?g">x</a>`, []link{{"b.example", "/d/e", "", links.FromOther, true}, {"b.example", "/d/f?g", "x", links.FromAnchor, false}}},
		{"base without slashes", `<base href="//b.example/"><a href="/f">x</a>`, []link{{"b.example", "/", "", links.FromOther, true}, {"b.example", "/f", "x", links.FromAnchor, false}}},
		{"form", `<form action="https://f.example/p"><input type=password></form>`, []link{{"f.example", "/p", "", links.FromForm, false}}},
		{"refresh", `<meta http-equiv="Refresh" content="0; URL='http://r.example/'">`, []link{{"r.example", "/", "", links.FromOther, false}}},
		{"css", `<div style="background-image: URL( 'http://i.example/b' )">`, []link{{"i.example", "/b", "", links.FromImage, false}}},
		{"background", `<table background="http://i.example/b">`, []link{{"i.example", "/b", "", links.FromImage, false}}},
		{"area", `<map><area href="http://a.example/" alt="here"></map>`, []link{{"a.example", "/", "here", links.FromAnchor, false}}},
		{"entities in href", `<a href="http&#58;//a.example/&#x2e;">x</a>`, []link{{"a.example", "/.", "x", links.FromAnchor, false}}},
		{"line end in href", "<a href=\"ht\ntp://a.exa\tmple/\">x</a>", []link{{"a.example", "/", "x", links.FromAnchor, false}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []link
			for _, l := range Render(c.html, DefaultLimits()).Links {
				got = append(got, link{l.Host, l.Path, l.Text, l.Source, l.Hidden})
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	r := Render(`<form><input><input type=password><input type=hidden></form><img src=cid:1 onerror="x()"><script>1</script>
<a href="javascript:void(0)">j</a><iframe src="http://a.example"></iframe><!--[if mso]><xml><o:x>96</o:x></xml><style>p{}</style><a href="http://o.example/">Outlook words</a><![endif]-->`, DefaultLimits())
	got := []int{r.Forms, r.Inputs, r.Passwords, r.Images, r.Scripts, r.Frames, r.Comments}
	if d := cmp.Diff([]int{1, 2, 1, 1, 3, 1, 1}, got); d != "" {
		t.Error(d)
	}
	if r.Conditional != "Outlook words" || strings.Contains(r.Visible, "Outlook") {
		t.Errorf("conditional %q, visible %q", r.Conditional, r.Visible)
	}
	last := r.Links[len(r.Links)-1]
	if !last.Conditional || last.Host != "o.example" || last.Text != "Outlook words" {
		t.Errorf("conditional link %+v", last)
	}
}

// TestLinear feeds shapes that make careless readers quadratic or deep.
func TestLinear(t *testing.T) {
	const n = 75_000
	for name, src := range map[string]string{
		"open divs":        strings.Repeat("<div>", n),
		"stray ends":       strings.Repeat("<b>", 200) + strings.Repeat("</i>", n),
		"table in p":       "<p><table><tr><td>" + strings.Repeat("<span>", 200) + strings.Repeat("<div></div>", n/2),
		"open comments":    strings.Repeat("<!--", n),
		"style starts":     strings.Repeat("<style", n),
		"style blocks":     strings.Repeat("<style>.a{color:red", n/10),
		"nested comments":  strings.Repeat("<!--[if mso]><!--[if mso]>-->", n/10),
		"anchors":          strings.Repeat("<a href=x>", n),
		"font and p":       strings.Repeat("<font color=red><p></font>", n/5),
		"attributes":       "<a " + strings.Repeat("b=c ", n) + ">",
		"css brackets":     `<p style="` + strings.Repeat("a:url((", n) + `">`,
		"css comments":     `<p style="` + strings.Repeat("/*", n) + `">`,
		"rules":            "<style>" + strings.Repeat(".a{color:red}", n/10) + "</style>" + strings.Repeat("<p class='a a a a a a a a'>", n/10),
		"less-than":        strings.Repeat("<", n),
		"unclosed title":   strings.Repeat("<title>", n),
		"ampersands":       strings.Repeat("&", n),
		"formatting marks": strings.Repeat("<b><i><u><div>", 60) + strings.Repeat("</b></i></u>", n/10),
	} {
		start := time.Now()
		r := Render(src, DefaultLimits())
		if took := time.Since(start); took > 3*time.Second { // milliseconds where linear
			t.Errorf("%s: %d bytes took %v", name, len(src), took)
		}
		if len(r.Visible) > DefaultLimits().Text {
			t.Errorf("%s: %d bytes visible", name, len(r.Visible))
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"", "<p>a", `<a href="http://x.example">y</a>`, `<div style="display:none">x</div>`, "<!--[if mso]><p>x<![endif]-->",
		"<style>.a{color:#fff}</style><b class=a>x", "<table><tr><td>a<td>b</table>", "<plaintext>", "<svg><a xlink:href=x>y</a></svg>", "&#xd800;&#0;&notit;",
		`<font color=white><p>x</font>`, `<base href="//b/"><form action=x>`, `<meta http-equiv=refresh content="0;url=x">`,
	} {
		f.Add(s)
	}
	lim := Limits{Input: 64 << 10, Text: 4 << 10, Links: 50}
	f.Fuzz(func(t *testing.T, src string) {
		r := Render(src, lim)
		if len(r.Visible) > 3*lim.Text || len(r.Hidden) > 3*lim.Text || len(r.Links) > lim.Links {
			t.Errorf("%d visible, %d hidden, %d links", len(r.Visible), len(r.Hidden), len(r.Links))
		}
		for _, l := range r.Links {
			if len(l.Text) > 8192 {
				t.Errorf("link text of %d bytes", len(l.Text))
			}
		}
		if r2 := Render(src, lim); r2.Visible != r.Visible || len(r2.Links) != len(r.Links) {
			t.Error("not deterministic")
		}
	})
}

func BenchmarkRender(b *testing.B) {
	src := `<html><head><style>.pre{display:none} td{font-family:Arial}</style></head><body>` +
		strings.Repeat(`<table width="600" style="border:0;background-color:#ffffff"><tr><td style="font-size:14px;color:#333333">Dear customer, see <a href="https://www.shop.example/path?x=1">our offers</a> &amp; more.</td></tr></table>`, 40) + `</body></html>`
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		Render(src, DefaultLimits())
	}
}
