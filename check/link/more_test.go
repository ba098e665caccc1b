package link_test

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/link"
)

// targets are the checks of where links lead, without those of whose they are.
func targets() []check.Checker {
	return slices.DeleteFunc(link.Checks(), func(c check.Checker) bool {
		return c.Info().Name == "link/owner" || c.Info().Name == "link/image"
	})
}

func TestTargets(t *testing.T) {
	html := func(body string) string {
		return checktest.Mail("Content-Type: text/html; charset=utf-8", `<p><a href="https://www.example.org/">Us</a> `+"These are the minutes of our meeting of last week.</p>"+body)
	}
	plain := func(body string) string { return checktest.Mail("Content-Type: text/plain; charset=utf-8", body) }
	a := func(href string) string { return html(`<a href="` + href + `">here</a>`) }
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	const ann = "ann@example.net"
	checktest.Table(t, targets(), []checktest.Case{
		{"free space", a("https://garden-club.pages.dev/plants"), "LINK_FREE_HOST"},
		{"free space with a login", a("https://login-bank.pages.dev/"), "LINK_FREE_HOST LINK_FREE_HOST_LOGIN"},
		{"free space with a login in the path", a("https://me.weebly.com/webmail-verify.html"), "LINK_FREE_HOST LINK_FREE_HOST_LOGIN"},
		{"a login elsewhere", a("https://www.example.org/login"), ""},

		{"google in another country", a("https://www.google.co.nz/url?q=https%3A%2F%2Fevil.example.com%2F"), "LINK_REDIRECT"},
		{"encoded twice", a("https://www.google.com/url?q=https%253A%252F%252Fevil.example.com%252F"), "LINK_REDIRECT"},
		{"bing's base64", a("https://www.bing.com/ck/a?!&amp;&amp;p=1&amp;u=a1" + b64("https://evil.example.com/login") + "&amp;ntb=1"), "LINK_REDIRECT"},
		{"amp", a("https://www.google.com/amp/s/https://evil.example.com/x"), "LINK_REDIRECT"},
		{"away", a("https://vk.com/away.php?to=https%3A%2F%2Fevil.example.com"), "LINK_REDIRECT"},
		{"to itself", a("https://www.youtube.com/redirect?q=https%3A%2F%2Fm.youtube.com%2F"), ""},

		{"recipient in base64url", a("https://news.example.com/u/" + b64(ann)), "LINK_RECIPIENT_ENCODED"},
		{"recipient in base64 with more", a("https://news.example.com/?d=" + b64("id=7&email="+ann+"&x=1")), "LINK_RECIPIENT_ENCODED"},
		{"recipient in base64 at another place", a("https://news.example.com/?d=" + b64("u="+ann)), "LINK_RECIPIENT_ENCODED"},
		{"recipient in hexadecimal", a("https://news.example.com/?d=" + strings.ToUpper(hex.EncodeToString([]byte(ann)))), "LINK_RECIPIENT_ENCODED"},
		{"recipient in rot13", a("https://news.example.com/?d=naa@rknzcyr.arg"), "LINK_RECIPIENT_ENCODED"},
		{"recipient backwards", a("https://news.example.com/?d=ten.elpmaxe@nna"), "LINK_RECIPIENT_ENCODED"},
		{"recipient plain in the query", a("https://news.example.com/?e=ann@example.net"), ""},
		{"recipient in hexadecimal behind #", a("https://login.example.com/#" + hex.EncodeToString([]byte(ann))), "LINK_HOLDS_RECIPIENT"},
		{"recipient encoded behind #", a("https://login.example.com/#e=ann%2540example.net"), "LINK_HOLDS_RECIPIENT"},
		{"another's in base64", a("https://news.example.com/u/" + b64("bob@example.net")), ""},

		{"script in a form", html(`<form action="javascript:go()"><input name=q></form>`), "LINK_SCRIPT_URL"},
		{"script in an area", html(`<map><area href="vbscript:go()" alt="here"></map>`), "LINK_SCRIPT_URL"},
		{"data in an area", html(`<map><area href="data:text/html,x" alt="here"></map>`), "LINK_SCRIPT_URL"},

		{"base elsewhere", checktest.Mail("Content-Type: text/html", `<base href="https://evil.example.com/"><a href="login.html">here</a>`), "LINK_BASE_ELSEWHERE"},
		{"base at home", checktest.Mail("Content-Type: text/html", `<base href="https://www.example.org/"><a href="login.html">here</a>`), ""},
		{"base, and links in full", checktest.Mail("Content-Type: text/html", `<base href="https://evil.example.com/"><a href="https://www.example.org/x">here</a>`), ""},
		{"a style sheet, and links in full", checktest.Mail("Content-Type: text/html", `<link rel=stylesheet href="https://evil.example.com/x.css"><a href="https://www.example.org/x">here</a>`), ""},

		{"written around", plain("Go to evil-shop[.]com/x today\n"), "LINK_WRITTEN_AROUND"},
		{"written around in words", plain("Go to evil-shop (dot) com today\n"), "LINK_WRITTEN_AROUND"},
		{"broken scheme", plain("Go to hxxps://evil-shop[.]com/x today\n"), "LINK_WRITTEN_AROUND"},
		{"an index", plain("a[.]x and f(.) and {.} and [dot]\n"), ""},
		{"a sentence", plain("We met. (.) is a smile\n"), ""},

		// Read as a browser would.
		{"tab in the host", html("<a href=\"https://www.google\t.com/url?q=https://evil.example.com/\">here</a>"), "LINK_ODD_SPELLING LINK_REDIRECT"},
		{"full-width dots", a("https://192．0．2．7/x"), "LINK_IP_HOST LINK_ODD_SPELLING"},
		{"entities", a("https&#58;&#47;&#47;0xc0000207/x"), "LINK_NUMBER_HOST"},
		{"without a scheme", a("//bit.ly/x"), "LINK_SHORTENER"},
		{"backslashes without a scheme", a(`\\192.0.2.7\x`), "LINK_IP_HOST LINK_ODD_SPELLING"},
	})
}
