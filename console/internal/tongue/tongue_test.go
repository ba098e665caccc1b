package tongue

import (
	"net/http/httptest"
	"strings"
	"testing"
)

var have = []string{"en", "de", "fr", "es"}

func TestChoose(t *testing.T) {
	for _, tt := range []struct{ query, header, want string }{
		{"", "", "en"},
		{"", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"", "en;q=0.5,fr-CA;q=0.9", "fr"},
		{"", "pt,es;q=0.7", "es"},
		{"", "ja,zh;q=0.5", "en"},
		{"", "*", "en"},
		{"", "de;q=0,fr", "fr"},
		{"?lang=es", "de", "es"},
		{"?lang=xx", "de", "de"},
		{"?lang=../../de", "", "en"},
		{"", ";;;q=,,", "en"},
		{"", strings.Repeat("de,", 1000), "en"},
	} {
		r := httptest.NewRequest("GET", "/"+tt.query, nil)
		if tt.header != "" {
			r.Header.Set("Accept-Language", tt.header)
		}
		if got := Choose(r, have); got != tt.want {
			t.Errorf("%q %q: %s, want %s", tt.query, tt.header, got, tt.want)
		}
	}
	if got := Choose(httptest.NewRequest("GET", "/", nil), nil); got != "" {
		t.Errorf("of none: %q", got)
	}
}

// FuzzChoose: whatever a client asks for, the page has a language that exists.
func FuzzChoose(f *testing.F) {
	f.Add("de-AT,de;q=0.9", "fr")
	f.Add("", "")
	f.Add("x-klingon,*;q=0.00001", "%zz")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = "lang=" + query
		r.Header["Accept-Language"] = []string{header}
		got := Choose(r, have)
		for _, h := range have {
			if got == h {
				return
			}
		}
		t.Errorf("%q", got)
	})
}
