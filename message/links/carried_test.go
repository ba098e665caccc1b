package links

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCarried(t *testing.T) {
	const target = "https://evil.example/login?x=1"
	b64 := base64.RawURLEncoding.EncodeToString([]byte(target))
	once := strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "=", "%3D").Replace(target)
	for path, want := range map[string][]string{
		"/": nil, "/a/b?c=d": nil, "/http/https": nil, "/?u=http": nil,
		"/url?q=" + target + "&sa=D":                     {target},
		"/url?q=" + once + "&sa=D":                       {target},
		"/url?q=" + strings.ReplaceAll(once, "%", "%25"): {target},
		"/r/" + b64: {target},
		"/r?x=" + hex.EncodeToString([]byte(target)):        {target},
		"/HTTPS://evil.example/x":                           {"HTTPS://evil.example/x"},
		"/?a=http://a.example/&b=http://b.example/":         {"http://a.example/", "http://b.example/"},
		"/http://a.example/http://b.example/":               {"http://a.example/", "http://b.example/"},
		"/#https://evil.example/x":                          {"https://evil.example/x"},
		"/?" + strings.Repeat("u=http://a.example/&", 500):  nil, // too long to be looked at
		"/?" + strings.Repeat("u=http://a.example/&", 100):  {"http://a.example/"},
		"/aHR0cHM6Ly9-broken-base64-that-cannot-be-decoded": nil,
	} {
		if d := cmp.Diff(want, Carried(path)); d != "" {
			t.Errorf("%.80s: %s", path, d)
		}
	}
}

func FuzzCarried(f *testing.F) {
	f.Add("/url?q=https%3A%2F%2Fevil.example%2F")
	f.Add("/aHR0cHM6Ly9ldmlsLmV4YW1wbGUv/http://")
	f.Add("?%2525253Ahttp://://")
	f.Fuzz(func(t *testing.T, path string) {
		out := Carried(path)
		if len(out) > maxCarried {
			t.Errorf("%d", len(out))
		}
		for _, u := range out {
			Parse(u)
		}
	})
}
