package bimi

import (
	"strings"
	"testing"

	"sluice/dns/dnstest"
)

func TestLookup(t *testing.T) {
	z, err := dnstest.Parse("zone", strings.NewReader(`{
		"default._bimi.example.com": {"TXT": ["v=BIMI1; l=https://example.com/logo.svg; a=https://example.com/vmc.pem"]},
		"season._bimi.example.com": {"TXT": ["other", "v=BIMI1; l=https://example.com/s.svg;"]},
		"default._bimi.no.example": {"TXT": ["v=BIMI1; l=; a=;"]},
		"default._bimi.two.example": {"TXT": ["v=BIMI1; l=https://a.example/", "v=BIMI1; l=https://b.example/"]},
		"default._bimi.http.example": {"TXT": ["v=BIMI1; l=http://a.example/x.svg"]},
		"default._bimi.text.example": {"TXT": ["hello"]},
		"default._bimi.slow.example": "TIMEOUT"
	}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ domain, org, selector, want string }{
		{"example.com", "example.com", "", "pass example.com https://example.com/logo.svg"},
		{"news.example.com", "example.com", "", "pass example.com https://example.com/logo.svg"},
		{"example.com", "", "season", "pass example.com https://example.com/s.svg"},
		{"no.example", "", "", "declined no.example "},
		{"two.example", "", "", "permerror two.example "},
		{"http.example", "", "", "permerror http.example "},
		{"text.example", "", "", "none text.example "},
		{"nothing.example", "", "", "none nothing.example "},
		{"slow.example", "", "", "temperror slow.example "},
		{"example.com", "", "a b", "permerror example.com "},
		{"example.com", "", "x.", "permerror example.com "},
	}
	for _, tt := range tests {
		r := Lookup(t.Context(), z, tt.domain, tt.org, tt.selector)
		if got := string(r.Value) + " " + r.Domain + " " + r.Record.Logo; got != tt.want {
			t.Errorf("%s: got %s, want %s (%s)", tt.domain, got, tt.want, r.Why)
		}
	}
}

func TestParse(t *testing.T) {
	for in, ok := range map[string]bool{
		"v=BIMI1; l=https://a.example/x": true, "v=bimi1;l=https://a.example/x;avp=brand": true, "v=BIMI1": false, "l=https://a.example/x; v=BIMI1": false,
		"v=BIMI1; l=https://": false, "v=BIMI1; l=https:///x": false, "v=BIMI1; l=https://a.example/\"": false, "v=BIMI1; l=; l=": false, "v=BIMI1; l": false,
		"v=BIMI1; l=javascript:x": false, "v=BIMI1; l=https://" + strings.Repeat("a", 3000): false,
	} {
		if _, err := Parse(in); (err == nil) != ok {
			t.Errorf("%.60q: %v", in, err)
		}
	}
}

func TestSelector(t *testing.T) {
	for in, want := range map[string]string{"v=BIMI1; s=brand": "brand", "v=BIMI1; s=a.b;": "a.b", "v=BIMI1; s=a b": "", "s=x": "", "v=BIMI1": "", "v=BIMI1; s=": ""} {
		got, ok := Selector(in)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=BIMI1; l=https://a.example/x.svg; a=", "v=BIMI1;;l=;a=", "v=bimi1; s=brand"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err == nil && (r.Logo != "" && !strings.HasPrefix(r.Logo, "https://") || r.Declined && r.Logo+r.Authority != "") {
			t.Fatalf("%+v", r)
		}
		if sel, ok := Selector(s); ok && !ValidSelector(sel) {
			t.Fatal(sel)
		}
	})
}
