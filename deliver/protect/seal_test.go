package protect

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var exact = cmp.AllowUnexported(Link{})

func TestSealOpen(t *testing.T) {
	s := sealer(t, 1)
	rapid.Check(t, func(rt *rapid.T) {
		l := Link{
			URL:  rapid.SampledFrom([]string{"http://", "https://", "HTTPS://", ""}).Draw(rt, "scheme") + rapid.StringN(0, -1, 2000).Draw(rt, "url"),
			Ref:  rapid.StringN(0, -1, maxRef).Draw(rt, "ref"),
			Time: noon.Add(time.Duration(rapid.IntRange(-1e6, 1e6).Draw(rt, "time")) * time.Second), form: form(rapid.IntRange(0, 15).Draw(rt, "form")),
			written: rapid.StringN(0, -1, 2000).Draw(rt, "written"),
		}
		path := s.Seal(l)
		if path != s.Seal(l) {
			rt.Fatal("sealed in two ways")
		}
		got, err := s.Open(path)
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(l, got, exact); d != "" {
			rt.Fatal(d)
		}
		_, token, _ := strings.Cut(path, "/")
		if n, ok := tokenLen(token); !ok || n != len(token) {
			rt.Fatalf("a token of %d says %d", len(token), n)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	s := sealer(t, 1)
	path := s.Seal(Link{URL: "https://shop.example/a?b=c", Ref: ref, Time: noon})
	if !strings.HasPrefix(path, "shop.example/") || len(path) > 120 {
		t.Errorf("%s", path)
	}
	for i := range path {
		for _, c := range []byte{'A', 'b', '-', path[i] ^ 1} {
			changed := path[:i] + string(c) + path[i+1:]
			if changed == path {
				continue
			}
			if l, err := s.Open(changed); err == nil {
				t.Fatalf("changed at %d: %+v", i, l)
			}
		}
	}
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"empty": {"", ErrLink}, "host alone": {"shop.example", ErrLink}, "no token": {"shop.example/", ErrLink}, "short": {"shop.example/AAA", ErrLink},
		"cut": {path[:len(path)-5], ErrCut}, "longer": {path + "A", ErrLink}, "line end": {path[:40] + "\n" + path[40:], ErrLink},
		"another host": {"bank.example" + strings.TrimPrefix(path, "shop.example"), ErrLink}, "huge": {"a/" + strings.Repeat("A", 1<<20), ErrLink},
	} {
		if _, err := s.Open(c.path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := sealer(t, 2).Open(path); !errors.Is(err, ErrLink) {
		t.Errorf("another key: %v", err)
	}
}

func TestRotation(t *testing.T) {
	old := sealer(t, 1).Seal(Link{URL: "https://a.example/"})
	both := sealer(t, 2, 1)
	if _, err := both.Open(old); err != nil {
		t.Errorf("old link: %v", err)
	}
	if _, err := sealer(t, 2).Open(both.Seal(Link{URL: "https://a.example/"})); err != nil {
		t.Errorf("the new key doesn't seal: %v", err)
	}
	for _, keys := range [][][]byte{nil, {make([]byte, 16)}} {
		if _, err := NewSealer(keys); err == nil {
			t.Errorf("%d keys are taken", len(keys))
		}
	}
}

func TestShown(t *testing.T) {
	for u, want := range map[string]string{
		"https://Shop.Example/x": "shop.example", "https://user@shop.example:8443/": "shop.example", "https://münchen.example": "xn--mnchen-3ya.example",
		"https://[::1]/": "-", "https://a..b/": "-", "https://../": "-", "https://" + strings.Repeat("a", 70) + ".example/": "-", "x": "-", "": "-", "http://0x7f.1/": "127.0.0.1",
	} {
		if got := shown(u); got != want {
			t.Errorf("%s: %q, want %q", u, got, want)
		}
	}
}

// An address whose letters compress doesn't grow by more than its seal.
func TestCompact(t *testing.T) {
	s := sealer(t, 1)
	for _, u := range []string{
		"https://click.news.example/track?u=" + base64.RawURLEncoding.EncodeToString(derivedBytes(900)),
		"https://click.news.example/track?u=" + strings.Repeat("https%3A%2F%2Fshop.example%2F", 40),
	} {
		if n := len(s.Seal(Link{URL: u, Ref: ref, Time: noon})); n > len(u)+150 {
			t.Errorf("%d became %d", len(u), n)
		}
	}
}

// derivedBytes are reproducible and don't compress.
func derivedBytes(n int) (out []byte) {
	for i := byte(0); len(out) < n; i++ {
		out = append(out, derived([]byte{i}, "test")...)
	}
	return out[:n]
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1)
	l := Link{URL: "https://shop.example/", Ref: ref, Time: noon}
	f.Add(s.Seal(l))
	f.Add("shop.example/AAAA")
	f.Add("")
	f.Fuzz(func(t *testing.T, path string) {
		if got, err := s.Open(path); err == nil {
			// Nobody can make one without the key, but for what was seeded.
			if d := cmp.Diff(l, got, exact); d != "" {
				t.Errorf("forged: %s", d)
			}
		}
	})
}

// FuzzDecode takes the seal away: what another version sealed must not hurt.
func FuzzDecode(f *testing.F) {
	f.Add(encode(Link{URL: "https://shop.example/" + strings.Repeat("a", 100), Ref: ref, Time: noon, written: "x"}))
	f.Add(encode(Link{}))
	f.Add([]byte{16, codePacked, 0, 0, 0, 0, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, ok := decode(b)
		if !ok || len(l.Ref) > maxRef {
			return
		}
		if len(l.URL)+len(l.written) > maxSealed+20 {
			t.Fatalf("%d octets", len(l.URL)+len(l.written))
		}
		again, ok := decode(encode(l))
		if d := cmp.Diff(l, again, exact); !ok || d != "" {
			t.Errorf("round trip: %v %s", ok, d)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, l := sealer(b, 1), Link{URL: "https://shop.example/click?id=0123456789abcdef&u=" + strings.Repeat("x", 60), Ref: ref, Time: noon}
	b.ReportAllocs()
	for b.Loop() {
		s.Seal(l)
	}
}
