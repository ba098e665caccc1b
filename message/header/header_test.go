package header

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func codes(ds []Defect) string {
	var out []string
	for _, d := range ds {
		if len(out) == 0 || out[len(out)-1] != d.Code {
			out = append(out, d.Code)
		}
	}
	return strings.Join(out, " ")
}

func TestParse(t *testing.T) {
	cases := []struct{ name, in, fields, defects string }{
		{"plain", "A: b\r\nC: d\r\n", "A=b|C=d", ""},
		{"bare LF", "A: b\nC: d\n", "A=b|C=d", ""},
		{"fold", "A: b\r\n c\r\n\td\r\n", "A=b c\td", ""},
		{"fold at once", "A:\r\n b\r\n", "A=b", ""},
		{"blank fold", "A: b\r\n \r\n c\r\nD: e\r\n", "A=b  c|D=e", HeaderBlankFold},
		{"no colon", "A: b\r\njunk\r\nC: d\r\n", "A=b|C=d", HeaderJunkLine},
		{"space before colon", "A : b\r\n", "A=b", HeaderNameSpace},
		{"empty name", ": b\r\n", "", HeaderJunkLine},
		{"empty value", "A:\r\nB:\r\n", "A=|B=", ""},
		{"continuation first", " x\r\nA: b\r\n", "A=b", HeaderJunkLine},
		{"bare CR", "A: b\rC: d\r\n", "A=b\rC: d", BareCRHeader},
		{"NUL", "A: b\x00c\r\n", "A=b\x00c", NULHeader},
		{"8-bit", "A: \xe4\r\n", "A=\xe4", EightBitHeader},
		{"no line end", "A: b", "A=b", ""},
		{"colon in value", "A: b:c\r\n", "A=b:c", ""},
	}
	for _, c := range cases {
		h, ds := Parse([]byte(c.in), 10, 0)
		var got []string
		for _, f := range h.Fields {
			got = append(got, f.Name+"="+f.Value)
			if raw := c.in[f.Range.Off-10 : f.Range.End()-10]; !strings.HasPrefix(raw, f.Name) {
				t.Errorf("%s: range holds %q", c.name, raw)
			}
		}
		if g := strings.Join(got, "|"); g != c.fields || codes(ds) != c.defects {
			t.Errorf("%s: %q %q, want %q %q", c.name, g, codes(ds), c.fields, c.defects)
		}
	}
	if h, ds := Parse([]byte("A: 1\nB: 2\nC: 3\n"), 0, 2); len(h.Fields) != 2 || codes(ds) != TooManyFields {
		t.Errorf("%d fields, %s", len(h.Fields), codes(ds))
	}
}

func TestLookup(t *testing.T) {
	h, _ := Parse([]byte("Subject: =?utf-8?q?=C3=A4?=\nTo: a\nTO: b\nLa\xc5\xbft: x\n"), 0, 0)
	if h.Get("subject") == "" || h.Decoded("SUBJECT") != "ä" || h.Count("to") != 2 || len(h.Values("To")) != 2 || h.Field("Cc") != nil {
		t.Errorf("%+v", h)
	}
	if h.Get("last") != "" {
		t.Error("Unicode folding: ſ isn't s")
	}
}

func TestDecodeWords(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                      "plain",
		"=?utf-8?q?a_b?=":                            "a b",
		"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=":            "ä", // a character over two words
		"=?utf-8?B?w6Q=?=":                           "ä",
		"=?UTF-8?b?w6Q?=":                            "ä", // no padding
		"x=?utf-8?q?y?=z":                            "xyz",
		"=?utf-8?q?a?= b =?utf-8?q?c?=":              "a b c",
		"=?iso-8859-1?q?=E4?= =?koi8-r?b?8NLJ18XU?=": "äПривет",
		"=?x-nonsense?q?abc?=":                       "abc",
		"=?utf-8?q?a b?=":                            "a b",
		"=?utf-8?x?a?=":                              "=?utf-8?x?a?=",
		"=?utf-8?q?a":                                "=?utf-8?q?a",
		"=?utf-8?q??=":                               "",
		"=?utf-8*en?q?a?=":                           "a",
		"=?gb2312?B?xOO6ww==?=":                      "你好",
		"=?iso-2022-jp?B?GyRCJDMbKEI=?=":             "こ",
		"=?utf-8?q?a=ZZ?=":                           "a=ZZ",
		"\xe4":                                       "ä",
		"=?=?=?=?":                                   "=?=?=?=?",
		"=?utf-7?q?+AOQ-?=":                          "ä",
	} {
		if got := DecodeWords(in); got != want {
			t.Errorf("DecodeWords(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseAddressList(t *testing.T) {
	cases := []struct{ in, want, defects string }{
		{"a@b.example", "<a@b.example>", ""},
		{"Joe Q. Public <j@B.Example>", "Joe Q. Public<j@b.example>", ""},
		{`"boss@bank.example" <x@evil.example>`, "boss@bank.example<x@evil.example>", ""},
		{"boss@bank.example <x@evil.example>", "boss@bank.example<x@evil.example>", AddressUnquotedAt},
		{"<boss@bank.example> <x@evil.example>", "<boss@bank.example>, <x@evil.example>", AddressTwoBrackets},
		{"=?utf-8?q?boss=40bank.example=2C?= <x@evil.example>", "boss@bank.example,<x@evil.example>", ""},
		{"a@b, c@d", "<a@b>, <c@d>", ""},
		{"a@b; c@d", "<a@b>, <c@d>", AddressSemicolon},
		{"G: a@b, c@d;, e@f", "[G]<a@b>, [G]<c@d>, <e@f>", ""},
		{"undisclosed-recipients:;", "", ""},
		{"<@r1,@r2:a@b>", "<a@b>", AddressRoute},
		{"Joe <a@b", "Joe<a@b>", AddressNoBracket},
		{"Joe <a@b, c@d", "Joe<a@b>, <c@d>", AddressNoBracket},
		{`"a b"@c`, "<a b@c>", ""},
		{`"a@b"@c`, "<a@b@c>", ""},
		{`"a\"b"@c`, `<a"b@c>`, ""},
		{"a@b (Joe)", "Joe<a@b>", ""},
		{"a(x)@(y)b", "y<a@b>", ""},
		{"a@[1.2.3.4]", "<a@[1.2.3.4]>", ""},
		{"a@bücher.example", "<a@xn--bcher-kva.example>", ""},
		{"Joe a@b", "Joe<a@b>", AddressSyntax},
		{"nobody", "<nobody>", AddressSyntax},
		{`"open`, "<open>", AddressOpenQuote + " " + AddressSyntax},
		{"a@b (open", "open<a@b>", AddressOpenComment},
		{"", "", ""},
		{",,,", "", ""},
		{"<>", "<>", ""},
		{"a@b.", "<a@b>", ""},
		{"J\xe4n <a@b>", "Jän<a@b>", ""},
	}
	for _, c := range cases {
		list, ds := ParseAddressList(c.in)
		var got []string
		for _, a := range list {
			s := a.Name + "<" + a.String() + ">"
			if a.Group != "" {
				s = "[" + a.Group + "]" + s
			}
			got = append(got, s)
		}
		if g := strings.Join(got, ", "); g != c.want || codes(ds) != c.defects {
			t.Errorf("%q: %q %q, want %q %q", c.in, g, codes(ds), c.want, c.defects)
		}
	}
}

func TestParseParams(t *testing.T) {
	cases := []struct {
		in, main string
		params   map[string]string
		defects  string
	}{
		{"text/plain", "text/plain", nil, ""},
		{"Text/HTML; Charset=UTF-8", "text/html", map[string]string{"charset": "UTF-8"}, ""},
		{`multipart/mixed; boundary="a b"`, "multipart/mixed", map[string]string{"boundary": "a b"}, ""},
		{`a/b; x="q\"r\\s\t"`, "a/b", map[string]string{"x": `q"r\s\t`}, ""},
		{`a/b; x=1; x=2`, "a/b", map[string]string{"x": "1"}, ParamDuplicate},
		{`a/b; x=1; x=1`, "a/b", map[string]string{"x": "1"}, ""},
		{`a/b (c); x=1`, "a/b", map[string]string{"x": "1"}, ParamComment},
		{`a/b; x*0="1"; x*1="2"`, "a/b", map[string]string{"x": "12"}, ParamContinued},
		{`a/b; x*1="2"; x*0="1"`, "a/b", map[string]string{"x": "12"}, ParamContinued + " " + ParamGap},
		{`a/b; x*0="1"; x*2="3"`, "a/b", map[string]string{"x": "13"}, ParamContinued + " " + ParamGap},
		{`a/b; x*=utf-8'de'%C3%A4.exe`, "a/b", map[string]string{"x": "ä.exe"}, ""},
		{`a/b; x*=utf-8''evil.exe; x=good.txt`, "a/b", map[string]string{"x": "evil.exe"}, ParamConflict},
		{`a/b; x="=?utf-8?q?=C3=A4?=.exe"`, "a/b", map[string]string{"x": "ä.exe"}, ParamEncodedWord},
		{`a/b; name=my file.exe`, "a/b", map[string]string{"name": "my file.exe"}, ParamUnquoted},
		{`a/b; name="open`, "a/b", map[string]string{"name": "open"}, ParamOpenQuote},
		{`a/b charset=x`, "a/b", map[string]string{"charset": "x"}, ParamSyntax},
		{`a/b; charset=x name=y`, "a/b", map[string]string{"charset": "x", "name": "y"}, ParamSyntax},
		{`a/b;;; x=1;`, "a/b", map[string]string{"x": "1"}, ""},
		{`attachment; filename="a.txt" b.exe`, "attachment", map[string]string{"filename": "a.txt"}, ParamSyntax},
		{"", "", nil, ""},
		{";", "", nil, ""},
		{"=;=;=", "=", nil, ParamSyntax},
	}
	for _, c := range cases {
		main, params, ds := ParseParams(c.in)
		if main != c.main || cmp.Diff(c.params, params) != "" || codes(ds) != c.defects {
			t.Errorf("%q: %q %v %q, want %q %v %q", c.in, main, params, codes(ds), c.main, c.params, c.defects)
		}
	}
}

// TestLinear feeds shapes that make careless readers quadratic; each takes
// milliseconds here and would take minutes there.
func TestLinear(t *testing.T) {
	const n = 100_000
	for _, s := range []string{"=?", "=?a?q?", "=?a?q?x ", "=?a?q?x?= ", "<", ">", "(", "((", "\"", "\\", "[", "a@", "a:", "a,", "a;", "<@a,", "@", " (", "a (b) ", ";x=", ";x*0=", "; a*1*=%", "x=\"", "a b=", " ", "%"} {
		in := strings.Repeat(s, n/len(s))
		DecodeWords(in)
		HasEncodedWord(in)
		ParseAddressList(in)
		ParseAddressList("<" + in)
		ParseParams(in)
		ParseParams("a/b; x=" + in)
		Parse([]byte(in), 0, 100)
		Parse([]byte(strings.Repeat(s+"\n", n/len(s))), 0, 100)
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, s := range []string{"A: b\r\nC: d\r\n", "A: b\n c\n", " x\nA:b", "A : b\rC: d\n", ":\n:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const base, most = 7, 100
		h, ds := Parse(b, base, most)
		if len(h.Fields) > most {
			t.Errorf("%d fields", len(h.Fields))
		}
		end := base
		for _, fd := range h.Fields {
			if fd.Range.Off < end || fd.Range.End() > base+len(b) || fd.ValueRange.Off < fd.Range.Off || fd.ValueRange.End() > fd.Range.End() {
				t.Fatalf("field %+v behind %d", fd, end)
			}
			end = fd.Range.End()
		}
		for _, d := range ds {
			if d.Range.Off < base || d.Range.End() > base+len(b) {
				t.Errorf("defect %+v", d)
			}
		}
	})
}

func FuzzDecodeWords(f *testing.F) {
	for _, s := range []string{"=?utf-8?q?a?=", "=?b?B?w6Q=?= =?", "=?utf-7?q?+AOQ-?=", "\xff=?x?q?\xff?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := DecodeWords(s)
		if !utf8.ValidString(out) || len(out) > 4*len(s)+4 {
			t.Errorf("%q: %d bytes from %d", s, len(out), len(s))
		}
	})
}

func FuzzParseAddressList(f *testing.F) {
	for _, s := range []string{"a@b", "G: a <b@c>, d@e;", `"x\"y" <@r:a@b> (c)`, "<", `"`, "a@[1.2.3.4], b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, _ := ParseAddressList(s)
		if len(list) > len(s)+1 {
			t.Errorf("%d addresses from %d bytes", len(list), len(s))
		}
		for _, a := range list {
			if !utf8.ValidString(a.Name) || !utf8.ValidString(a.Local) || !utf8.ValidString(a.Domain) || !utf8.ValidString(a.Group) {
				t.Errorf("%q: %+v", s, a)
			}
		}
	})
}

func FuzzParseParams(f *testing.F) {
	for _, s := range []string{"text/plain; charset=x", `a/b; x*0*=utf-8''%C3; x*1="y"`, `a (b; c="d`, "x=\"\\", ";;=;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, params, _ := ParseParams(s)
		if len(params) > 2*maxParams {
			t.Errorf("%d parameters", len(params))
		}
		for k, v := range params {
			if !utf8.ValidString(v) {
				t.Errorf("%q: %q = %q", s, k, v)
			}
		}
	})
}

func BenchmarkParseAddressList(b *testing.B) {
	s := `"Public, Joe Q." <joe@example.com>, =?utf-8?q?J=C3=A4n?= <jan@example.org>, plain@example.net`
	b.ReportAllocs()
	for b.Loop() {
		ParseAddressList(s)
	}
}
