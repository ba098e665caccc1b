package links

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	cases := []struct {
		raw, scheme, host, port, path, user string
		odd                                 Odd
	}{
		{"http://a.example/b?c#d", "http", "a.example", "", "/b?c#d", "", 0},
		{"HTTPS://A.Example:8443", "https", "a.example", "8443", "", "", 0},
		{"https://a.example:443/", "https", "a.example", "", "/", "", 0},
		{"http://bank.example@evil.example/", "http", "evil.example", "", "/", "bank.example", OddUser},
		{"http://a@b@evil.example/", "http", "evil.example", "", "/", "a@b", OddUser},
		{`http:\\evil.example\x`, "http", "evil.example", "", `/x`, "", OddBackslash},
		{`http://good.example\@evil.example/`, "http", "good.example", "", `/@evil.example/`, "", OddBackslash},
		{"http:evil.example", "http", "evil.example", "", "", "", OddSlashes},
		{"http:/evil.example", "http", "evil.example", "", "", "", OddSlashes},
		{"http:////evil.example", "http", "evil.example", "", "", "", OddSlashes},
		{"ht\ttp://ev\nil.example/", "http", "evil.example", "", "/", "", OddControl},
		{"\x01 http://evil.example/ ", "http", "evil.example", "", "/", "", OddControl},
		{" http://evil.example/ ", "http", "evil.example", "", "/", "", 0},
		{"http://3232235777/", "http", "192.168.1.1", "", "/", "", OddNumber},
		{"http://0xC0A80101", "http", "192.168.1.1", "", "", "", OddNumber},
		{"http://0300.0250.1.1", "http", "192.168.1.1", "", "", "", OddNumber},
		{"http://192.168.257", "http", "192.168.1.1", "", "", "", OddNumber},
		{"http://1.2.3.4", "http", "1.2.3.4", "", "", "", 0},
		{"http://1.2.3.4./", "http", "1.2.3.4", "", "/", "", OddDot},
		{"http://[::0001]:80/", "http", "[::1]", "", "/", "", 0},
		{"http://ev%69l.example/", "http", "evil.example", "", "/", "", OddPercent},
		{"http://ｅｖｉｌ．example/", "http", "evil.example", "", "/", "", OddWidth},
		{"http://evil。example/", "http", "evil.example", "", "/", "", OddWidth},
		{"http://bücher.example/", "http", "xn--bcher-kva.example", "", "/", "", OddIDN},
		{"http://xn--bcher-kva.example/", "http", "xn--bcher-kva.example", "", "/", "", OddIDN},
		{"http://pаypal.example/", "http", "xn--pypal-4ve.example", "", "/", "", OddIDN | OddMixed},
		{"http://a..b/", "http", "a..b", "", "/", "", OddHost},
		{"http://a b/", "http", "a b", "", "/", "", OddHost},
		{"http://a_b.example", "http", "a_b.example", "", "", "", 0},
		{"http://a.example:99999/", "http", "a.example", "99999", "/", "", OddHost},
		{"http://", "http", "", "", "", "", 0},
		{"javascript:alert(1)", "javascript", "", "", "alert(1)", "", 0},
		{"data:text/html,x", "data", "", "", "text/html,x", "", 0},
		{"mailto:Joe@A.Example?subject=x", "mailto", "a.example", "", "Joe@A.Example?subject=x", "Joe", 0},
		{"tel:+123", "tel", "", "", "+123", "", 0},
		{"//evil.example/x", "", "evil.example", "", "/x", "", 0},
		{`\\evil.example\x`, "", "evil.example", "", "/x", "", OddBackslash},
		{"/path", "", "", "", "/path", "", 0},
		{"", "", "", "", "", "", 0},
		{"cid:part1@x", "cid", "", "", "part1@x", "", 0},
		{"x-app://host/p", "x-app", "host", "", "/p", "", 0},
	}
	for _, c := range cases {
		l := Parse(c.raw)
		if l.Scheme != c.scheme || l.Host != c.host || l.Port != c.port || l.Path != c.path || l.User != c.user || l.Odd != c.odd {
			t.Errorf("Parse(%q) = %q %q %q %q %q %b; want %q %q %q %q %q %b", c.raw, l.Scheme, l.Host, l.Port, l.Path, l.User, l.Odd, c.scheme, c.host, c.port, c.path, c.user, c.odd)
		}
	}
}

func TestFindInText(t *testing.T) {
	cases := []struct {
		text string
		want []string // raw → host
	}{
		{"see http://a.example/x.", []string{"http://a.example/x a.example"}},
		{"(https://a.example/b_(c)) and <http://b.example>", []string{"https://a.example/b_(c) a.example", "http://b.example b.example"}},
		{"go to www.shop.com/offer?x=1, now", []string{"www.shop.com/offer?x=1 www.shop.com"}},
		{"paypal.com and example.co.uk", []string{"paypal.com paypal.com", "example.co.uk example.co.uk"}},
		{"write to joe@mail.com or mailto:ann@b.org", []string{"joe@mail.com mail.com", "mailto:ann@b.org b.org"}},
		{"readme.md, script.sh, e.g. this, 3.14, a.b.c, end.Next", nil},
		{"http://a.example\nhttp://b.example", []string{"http://a.example a.example", "http://b.example b.example"}},
		{"xhttp://a.example", []string{"http://a.example a.example"}},
		{"hxxp://a.example", nil},
		{"http://xn--e1afmkfd.example ok", []string{"http://xn--e1afmkfd.example xn--e1afmkfd.example"}},
		{"..........", nil},
		{"http://", nil},
	}
	for _, c := range cases {
		var got []string
		for _, l := range FindInText(c.text, 100) {
			got = append(got, l.Raw+" "+l.Host)
			if s := c.text[l.Range.Off : l.Range.Off+l.Range.Len]; s != l.Text {
				t.Errorf("%q: range gives %q, text %q", c.text, s, l.Text)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%q: %s", c.text, d)
		}
	}
}

func TestOrgDomain(t *testing.T) {
	for host, want := range map[string]string{
		"a.b.example.com": "example.com", "example.co.uk": "example.co.uk", "x.y.example.co.uk": "example.co.uk",
		"com": "com", "1.2.3.4": "1.2.3.4", "[::1]": "[::1]", "": "", "a.github.io": "a.github.io", "localhost": "localhost", "b.example.com.": "example.com",
	} {
		if got := OrgDomain(host); got != want {
			t.Errorf("OrgDomain(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestFindLinear(t *testing.T) {
	const n = 1 << 20
	for _, s := range []string{".", "a.", "a@", "http:", "http://", "www.", ":", "a.b@c.", "é.", "(", "http://("} {
		FindInText(strings.Repeat(s, n/len(s)), 1000)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"http://a@b:80/c", `\\x`, "http://0x7f.1", "http://%41", "javascript:1", "http://ａ。b", "mailto:a@b", "http://[::1]/", "http://xn--a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l := Parse(raw)
		if l.Raw != raw {
			t.Error("Raw changed")
		}
		if l.Host != strings.ToLower(l.Host) && l.Odd&OddHost == 0 {
			t.Errorf("host %q isn't lower case", l.Host)
		}
		// What a browser would fetch must mean the same when read again.
		if special(l.Scheme) && l.Host != "" && l.Odd&OddHost == 0 {
			if again := Parse(l.Scheme + "://" + l.Host); again.Host != l.Host {
				t.Errorf("%q: host %q reads again as %q", raw, l.Host, again.Host)
			}
		}
		OrgDomain(l.Host)
		Resolve(Parse("http://base.example/a/b"), raw)
	})
}

func FuzzFindInText(f *testing.F) {
	for _, s := range []string{"see http://a.example/x.", "a@b.com www.x.org (http://y)", "....", "mailto:a@b.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, l := range FindInText(text, 50) {
			if l.Range.Off < end || l.Range.Off+l.Range.Len > len(text) {
				t.Fatalf("range %v behind %d in %d bytes", l.Range, end, len(text))
			}
			end = l.Range.Off + l.Range.Len
			if text[l.Range.Off:end] != l.Text {
				t.Errorf("text %q", l.Text)
			}
		}
	})
}

func BenchmarkFindInText(b *testing.B) {
	text := strings.Repeat("Dear customer, please visit https://www.shop.example/a/b?c=d for offers. Write to help@shop.example.\n", 100)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		FindInText(text, 1000)
	}
}
