package link_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"sluice/check/checktest"
	"sluice/check/link"
)

func TestMessages(t *testing.T) {
	html := func(body string) string {
		return checktest.Mail("Content-Type: text/html; charset=utf-8", `<p><a href="https://www.example.org/">Us</a> `+"These are the minutes of our meeting of last week; please read them with care before Friday.</p>"+body)
	}
	from := func(from, body string) string {
		return checktest.Mail("From: "+from+"\nContent-Type: text/html; charset=utf-8", `<p>Hello <a href="https://www.`+from[strings.IndexByte(from, '@')+1:len(strings.TrimSuffix(from, ">"))]+`/">from us</a></p>`+body)
	}
	plain := func(body string) string { return checktest.Mail("Content-Type: text/plain; charset=utf-8", body) }
	a := func(href, text string) string { return `<a href="` + href + `">` + text + `</a>` }
	stranger := a("https://a.example.com/1", "The offer of the week for all who read this letter to the end") + a("https://a.example.com/2", "Leave")
	at64 := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("ann@example.net")), "=")
	checktest.Table(t, link.Checks(), []checktest.Case{
		{"no links", html(""), ""},
		{"honest link", html(a("https://www.example.org/x", "www.example.org")), ""},
		{"another host of the site", html(a("https://cdn.example.org/x", "https://www.example.org/y")), ""},
		{"words as text", html(a("https://elsewhere.example.com/", "Read more.")), ""},

		{"another site", html(a("https://evil.example.com/login", "https://www.bank.com/login")), "LINK_TEXT_MISMATCH"},
		{"another site, bare name", html(a("https://evil.example.com/login", "bank.com")), "LINK_TEXT_MISMATCH"},
		{"another site, in space and bold", html(a("https://evil.example.com/login", " <b>WWW.Bank.com</b>\n")), "LINK_TEXT_MISMATCH"},
		{"look-alike letters in the text", html(a("https://evil.example.com/", "https://b\u0430nk.com/")), "LINK_TEXT_MISMATCH"},
		{"own site shown, another behind", from("Bank <x@bank.com>", a("https://evil.example.com/", "www.bank.com")), "LINK_TEXT_MISMATCH"},
		{"sender counts at its own host", from("Shop <x@shop.com>", a("https://click.shop.com/?u=1", "www.maker.com")), "LINK_TEXT_TRACKED"},
		{"sender counts all clicks at a service", from("Shop <x@shop.com>", strings.Repeat(a("https://t.mailer.com/1", "A new lamp"), 4)+a("https://t.mailer.com/2", "www.maker.com")), "LINK_TEXT_TRACKED"},
		{"counting at a bare address", from("Shop <x@shop.com>", strings.Repeat(a("http://198.51.100.9/1", "A new lamp"), 4)+a("http://198.51.100.9/2", "www.maker.com")), "LINK_IP_HOST LINK_TEXT_MISMATCH"},
		{"a gateway's rewritten link", html(a("https://eur01.safelinks.protection.outlook.com/?url=x", "www.maker.com")), ""},
		{"a file name is no site", html(a("https://git.example.com/x", "report.py")), ""},
		{"Node.js is no site", html(a("https://git.example.com/x", "Node.js")), ""},
		{"ASP.NET is no site", html(a("https://git.example.com/x", "ASP.NET")), ""},
		{"a version is no site", html(a("https://git.example.com/x", "v1.2.3")), ""},
		{"an address is no site", html(a("https://git.example.com/x", "ann@bank.com")), ""},
		{"hidden link", html(`<div style="display:none">` + a("https://evil.example.com/login", "https://www.bank.com/login") + `</div>`), ""},

		{"script", html(a("javascript:go()", "here")), "LINK_SCRIPT_URL"},
		{"script in odd letters", html(a("jAvA&#9;script:go()", "here")), "LINK_SCRIPT_URL"},
		{"page in a link", html(a("data:text/html;base64,PGI+", "here")), "LINK_SCRIPT_URL"},
		{"address", html(a("http://198.51.100.9/x", "here")), "LINK_IP_HOST"},
		{"private address", html(a("http://192.168.1.1/x", "here")), ""},
		{"address in plain text", plain("See http://198.51.100.9/x\n"), ""},
		{"decimal", html(a("http://3325256713/x", "here")), "LINK_NUMBER_HOST"},
		{"hex", html(a("http://0xc6336409/x", "here")), "LINK_NUMBER_HOST"},
		{"octal in plain text", plain("See http://0306.0063.0144.0011/x\n"), "LINK_NUMBER_HOST"},
		{"user as a host", html(a("https://www.bank.com@evil.example.com/", "here")), "LINK_USER"},
		{"user", html(a("https://ann@git.example.com/", "here")), ""},
		{"mixed script", html(a("https://p\u0430ypal.com/", "here")), "LINK_MIXED_SCRIPT"},
		{"other script", html(a("https://пример.рф/", "here")), ""},
		{"percent in the host", html(a("https://%65vil.example.com/", "here")), "LINK_ODD_SPELLING"},
		{"full-width host", html(a("https://ｅｖｉｌ.example.com/", "here")), "LINK_ODD_SPELLING"},
		{"backslashes", html(a(`https:\\evil.example.com\x`, "here")), "LINK_ODD_SPELLING"},
		{"backslashes typed", plain(`See http:\\server.example.com\x` + "\n"), ""},
		{"percent in the path", html(a("https://www.example.org/%65", "here")), ""},
		{"odd port", html(a("https://www.example.org:4443/", "here")), "LINK_PORT"},
		{"usual port", html(a("https://www.example.org:8443/", "here")), ""},

		{"password", html(`<form action="https://www.example.org/"><input type=password></form>`), "FORM_PASSWORD"},
		{"form for another", html(`<form action="https://evil.example.com/"><input name=q></form>`), "FORM_POSTS_OFF"},
		{"form for the sender", html(`<form action="https://www.example.org/"><input name=q></form>`), ""},

		{"shortener", plain("See https://bit.ly/abc\n"), "LINK_SHORTENER"},
		{"free space", html(a("https://login-bank.pages.dev/", "here")), "LINK_FREE_HOST LINK_FREE_HOST_LOGIN"},
		{"its own free space", from("x@me.weebly.com", a("https://me.weebly.com/", "here")), ""},
		{"cheap top-level domain", html(a("https://win.click/", "here")), "LINK_RISKY_TLD"},
		{"the sender's own cheap domain", checktest.Mail("From: x@win.click\nContent-Type: text/html", "<p>Hello</p>"+a("https://win.click/", "here")), ""},
		{"a file in plain text", plain("Edit sendmail.cf and see.\n"), ""},
		{"redirector", html(a("https://www.google.com/url?q=https%3A%2F%2Fevil.example.com%2F&sa=D", "here")), "LINK_REDIRECT"},
		{"redirector to itself", html(a("https://www.google.com/url?q=https://mail.google.com/", "here")), ""},
		{"a search", html(a("https://www.google.com/search?q=https://evil.example.com", "here")), ""},

		{"recipient behind #", html(a("https://login.example.com/#ann@example.net", "here")), "LINK_HOLDS_RECIPIENT"},
		{"recipient behind # in other letters", html(a("https://login.example.com/#ANN@Example.net", "here")), "LINK_HOLDS_RECIPIENT"},
		{"recipient behind # in base64", html(a("https://login.example.com/#"+at64, "here")), "LINK_HOLDS_RECIPIENT"},
		{"recipient in the query", html(a("https://news.example.com/u?e=ann@example.net", "here")), ""},
		{"another behind #", html(a("https://login.example.com/#bob@example.net", "here")), ""},

		{"a picture to click on", checktest.Mail("Content-Type: text/html", `<a href="https://www.example.org/"><img src="https://x.example.com/a.png"></a>`), "IMAGE_ONLY"},

		{"one stranger", checktest.Mail("Content-Type: text/html", stranger), "LINK_ONE_STRANGER"},
		{"a service that counts clicks", checktest.Mail("Content-Type: text/html", a("https://u1.ct.sendgrid.net/x", "The offer of the week for all who read this letter to the end")), ""},
		{"a shown site behind such a service", html(a("https://u1.ct.sendgrid.net/x", "www.maker.com")), "LINK_TEXT_TRACKED"},
		{"two strangers", checktest.Mail("Content-Type: text/html", stranger+a("https://b.example.net/", "b")), ""},
		{"one stranger and the sender", checktest.Mail("Content-Type: text/html", stranger+a("https://b.example.org/", "b")), ""},
		{"one stranger from free mail", checktest.Mail("From: x@gmail.com\nContent-Type: text/html", stranger), ""},
		{"one stranger on a list", checktest.Mail("List-Id: <l.example.org>\nList-Post: <mailto:l@example.org>\nContent-Type: text/html", stranger), ""},
		{"one stranger in plain text", plain("See https://a.example.com/\n"), ""},
		{"a picture without link", checktest.Mail("Content-Type: text/html", `<img src="https://x.example.com/a.png">`), ""},
		{"a picture with text", html(`<a href="https://x.example.com/"><img src="https://x.example.com/a.png"></a>`), ""},
	})
}

// Work is bounded whatever the number of links.
func TestManyLinks(t *testing.T) {
	in := checktest.Input(checktest.Mail("Content-Type: text/html", strings.Repeat(`<a href="https://evil.example.com/">www.bank.com</a> `, 5000)))
	if got := strings.Join(checktest.Reasons(checktest.Run(t, link.Checks(), in)), " "); got != "LINK_ONE_STRANGER LINK_TEXT_TRACKED" {
		t.Error(got)
	}
}

func FuzzLinks(f *testing.F) {
	f.Add("https://www.bank.com@0x7f.1:99/#a", "http://bank.com")
	f.Add("jav\tascript:x", "\u202ewww.bank.com")
	f.Add("https://www.google.com/url?q=%", "xn--")
	checks := link.Checks()
	f.Fuzz(func(t *testing.T, href, text string) {
		checktest.Run(t, checks, checktest.Input(checktest.Mail("Content-Type: text/html", `<a href="`+href+`">`+text+`</a> <form action="`+href+`"><input></form>`)))
	})
}
