package spf

import (
	"strings"
	"testing"
)

func TestIsRecord(t *testing.T) {
	for txt, want := range map[string]bool{
		"v=spf1": true, "V=SPF1 -all": true, "v=spf1 ": true,
		"v=spf1-all": false, "v=spf10 -all": false, "v=spf1\t-all": false, " v=spf1 -all": false, "spf1": false, "": false, "v=ſpf1 -all": false,
	} {
		if got := isRecord(txt); got != want {
			t.Errorf("isRecord(%q) = %v", txt, got)
		}
	}
}

func TestParseGood(t *testing.T) {
	for _, txt := range []string{
		"v=spf1",
		"v=spf1   ",
		"v=spf1  a  -ALL ",
		"v=spf1 A/24//64 Mx:example.com//0 ip4:192.0.2.0/0 ip6:2001:db8::/0 ip6:::1.1.1.1/128",
		"v=spf1 a:foo:bar/baz.example.com/24",
		"v=spf1 a:example.com./24",
		"v=spf1 a:%{d}/24 a:x%{ir}.example.xn--zckzah",
		"v=spf1 a:a%% a:b%_ a:c%-",
		"v=spf1 a:%{d1r-.+,/_=} exists:%{L128R}.x.com",
		"v=spf1 x.y-z_1=%{d} unknown= ?all",
		"v=spf1 Redirect=Example.COM",
		"v=spf1 include:%{o2}",
		"v=spf1 ptr ptr:%{d} ?ptr:a.b",
	} {
		if _, err := parse(txt, Limits{}.withDefaults()); err != nil {
			t.Errorf("%q: %v", txt, err)
		}
	}
}

func TestParseBad(t *testing.T) {
	for _, tc := range []struct{ terms, want string }{
		{"foo", `"foo": there is no such mechanism`},
		{"-", `"-": the mechanism has no name`},
		{"--all", `"--all": there is no such mechanism`},
		{"-all -all/0", `all takes no argument`},
		{"all:", `all takes no argument`},
		{"-all:foo=bar", `all takes no argument`},
		{"ip:192.0.2.1", `an IPv4 address is written "ip4:"`},
		{"ipv4:192.0.2.1", `an IPv4 address is written "ip4:"`},
		{"ipv6:::1", `an IPv6 address is written "ip6:"`},
		{"192.0.2.1", `an address needs "ip4:" before it`},
		{"192.0.2.0/24", `an address needs "ip4:" before it`},
		{"redirect:example.com", `it is written with "="`},
		{"exp:example.com", `it is written with "="`},
		{"include=example.com", ""}, // an unknown modifier, to our regret
		{"include", "a domain is missing"},
		{"include:", "the domain is empty"},
		{"include/24", "a domain is missing"},
		{"include:a.example/24", "doesn't end in a top-level domain"},
		{"exists", "a domain is missing"},
		{"exists:com", "doesn't end in a top-level domain"},
		{"a:", "the domain is empty"},
		{"a:/24", "the domain is empty"},
		{"a:192.0.2.1", `an address stands where a domain belongs; it is written "ip4:"`},
		{"a:192.0.2.1/32", `an address stands where a domain belongs`},
		{"a:example.-com", "doesn't end in a top-level domain"},
		{"a:example.com-", "doesn't end in a top-level domain"},
		{"a:example.123", "doesn't end in a top-level domain"},
		{"a:example.com..", "doesn't end in a top-level domain"},
		{"a:example.com:25", "doesn't end in a top-level domain"},
		{"a:%{d}com", "doesn't end in a top-level domain"},
		{"a/", "prefix length is malformed"},
		{"a//", "prefix length is malformed"},
		{"a/24/64", "written /24//64"},
		{"a:example.com/24/64", "written /24//64"},
		{"a/24//", "prefix length is malformed"},
		{"a//64/24", "written /24//64"},
		{"a///64", "prefix length is malformed"},
		{"a/033", "no number from 0 to 32"},
		{"a/33", "no number from 0 to 32"},
		{"a//129", "no number from 0 to 128"},
		{"a//00", "no number from 0 to 128"},
		{"mx/99999999999999999999", "no number from 0 to 32"},
		{"mx/-1", "prefix length is malformed"},
		{"ptr/24", "ptr takes no prefix length"},
		{"ptr:", "the domain is empty"},
		{"ip4", "an address is missing"},
		{"ip4:", "not an IPv4 address"},
		{"ip4:1.2.3", "not an IPv4 address"},
		{"ip4:1.2.3.04", "not an IPv4 address"},
		{"ip4:1.2.3.4/", "no number from 0 to 32"},
		{"ip4:1.2.3.4/33", "no number from 0 to 32"},
		{"ip4:1.2.3.4//24", "no number from 0 to 32"},
		{"ip4:2001:db8::1", `an IPv6 address is written "ip6:"`},
		{"ip4:example.com", "not an IPv4 address"},
		{"ip6:1.2.3.4", `an IPv4 address is written "ip4:"`},
		{"ip6:fe80::1%{d}", "not an IPv6 address"},
		{"ip6:2001:db8::/129", "no number from 0 to 128"},
		{"ip6", "an address is missing"},
		{"redirect=", "the domain is empty"},
		{"redirect=a.example redirect=b.example", "redirect stands twice"},
		{"exp=a.example EXP=b.example", "exp stands twice"},
		{"exp=com", "doesn't end in a top-level domain"},
		{"1x=foo", "there is no such mechanism"},
		{"x=%", "a single % ends the text"},
		{"x=%a", "a single % stands in the text"},
		{"x=%{d", "a macro has no closing brace"},
		{"x=%{}", "it is empty"},
		{"x=%{x}", "there is no such letter"},
		{"x=%{1}", "there is no such letter"},
		{"x=%{\x12}", "the octet 0x12"},
		{"x=%{d0}", "the number of parts is 0"},
		{"x=%{d00}", "the number of parts is 0"},
		{"x=%{dr1}", "it is malformed"},
		{"x=%{drr}", "it is malformed"},
		{"x=%{d;}", "it is malformed"},
		{"x=%{c}", "for explanations only"},
		{"x=%{R}", "for explanations only"},
		{"exists:%{t}.example.com", "for explanations only"},
		{"a\tmx", "the octet 0x09"},
		{"a\x00", "the octet 0x00"},
		{"a:b\u00fccher.example", "the octet 0xc3"},
		{"\u2212all", "the octet 0xe2"},
	} {
		_, err := parse("v=spf1 ip4:192.0.2.1 "+tc.terms, Limits{}.withDefaults())
		if tc.want == "" {
			if err != nil {
				t.Errorf("%q: %v", tc.terms, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want %s", tc.terms, err, tc.want)
		}
	}
}

func TestParseBounds(t *testing.T) {
	lim := Limits{}.withDefaults()
	if _, err := parse("v=spf1"+strings.Repeat(" a", 1024), lim); err != nil {
		t.Error(err)
	}
	for _, txt := range []string{"v=spf1" + strings.Repeat(" a", 1025), "v=spf1 x=" + strings.Repeat("a", 16384)} {
		if _, err := parse(txt, lim); err == nil || !strings.Contains(err.Error(), "than 1") {
			t.Errorf("%d octets: %v", len(txt), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"v=spf1", "v=spf1 -all", "v=spf1 a/24//64 mx:example.com ip4:192.0.2.0/24 ip6:2001:db8::/32 include:_spf.example.com ?all",
		"v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d} redirect=%{d2}.example.com", "v=spf1 x=%% exp=e.%{o} ~ptr:a.b.", "v=spf1 a:%{d0}", "v=spf1 a:foo:bar/baz.example.com",
	} {
		f.Add(s)
	}
	lim := Limits{}.withDefaults()
	f.Fuzz(func(t *testing.T, s string) {
		if !isRecord(s) {
			s = version + " " + s
		}
		rec, err := parse(s, lim)
		if err != nil {
			if len(err.Error()) > 1000 || err.Error() == "" {
				t.Fatalf("%q: error %q", s, err)
			}
			return
		}
		if len(rec.directives) > lim.Terms {
			t.Fatalf("%d directives", len(rec.directives))
		}
		// What was read says the same when written again, one space apart.
		var b strings.Builder
		b.WriteString(version)
		for _, d := range rec.directives {
			b.WriteString(" " + d.text)
			if d.bits4 < 0 || d.bits4 > 32 || d.bits6 < 0 || d.bits6 > 128 {
				t.Fatalf("%q: %+v", s, d)
			}
			if (d.kind == ip4 || d.kind == ip6) != d.network.IsValid() {
				t.Fatalf("%q: network of %+v", s, d)
			}
		}
		for _, m := range []string{rec.redirectText, rec.expText} {
			if m != "" {
				b.WriteString(" " + m)
			}
		}
		again, err := parse(b.String(), lim)
		if err != nil || len(again.directives) != len(rec.directives) || again.redirectText != rec.redirectText || again.expText != rec.expText {
			t.Fatalf("%q: read again as %+v, %v", s, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	const txt = "v=spf1 include:_spf.example.net include:mail.example.org ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx exists:%{ir}._spf.%{d} ~all"
	lim := Limits{}.withDefaults()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(txt, lim); err != nil {
			b.Fatal(err)
		}
	}
}
