package links

import (
	"net/url"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for raw, want := range map[string]string{
		"https://a.example":                          "https://a.example/",
		"HTTP:\\\\A.example\\b\\c?d\\e#f g":          "http://a.example/b/c?d\\e#f%20g",
		"https://münchen.example/ü?ü=%C3%BC":         "https://xn--mnchen-3ya.example/%C3%BC?%C3%BC=%C3%BC",
		" ht\ntps://a.example/\r\nSet-Cookie: x\x00": "https://a.example/Set-Cookie:%20x",
		"https://paypal.com@0x7f.1:443/":             "https://paypal.com@127.0.0.1/",
		"https://a@b@c.example:8443?q":               "https://a%40b@c.example:8443/?q",
		"https://[::1]/":                             "https://[::1]/",
		"https://a b.example/":                       "",
		"javascript:alert(1)":                        "",
		"https:///":                                  "",
		"/path":                                      "",
	} {
		l := Parse(raw)
		if got, ok := l.Canonical(); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// FuzzCanonical: what comes out is one line of ASCII that leads to the same host for
// everybody.
func FuzzCanonical(f *testing.F) {
	f.Add("https://a@b.example:1/\\?x#y")
	f.Add("http:\\\\0x7f.1\\é")
	f.Fuzz(func(t *testing.T, raw string) {
		l := Parse(raw)
		u, ok := l.Canonical()
		if !ok {
			return
		}
		if strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q", u)
		}
		again := Parse(u)
		if again.Host != l.Host || again.Scheme != l.Scheme || again.Port != l.Port {
			t.Fatalf("%q leads to %s, %q to %s", raw, l.Host, u, again.Host)
		}
		if p, err := url.Parse(u); err == nil && strings.ToLower(p.Host) != strings.TrimSuffix(l.Host+":"+l.Port, ":") {
			t.Fatalf("%q: net/url reads %q", u, p.Host)
		}
		if v, ok := again.Canonical(); !ok || v != u {
			t.Fatalf("%q, again %q", u, v)
		}
	})
}
