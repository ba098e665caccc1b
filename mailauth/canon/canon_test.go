package canon

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/message/header"
)

func body(t testing.TB, a Algorithm, pieces ...string) string {
	t.Helper()
	var out bytes.Buffer
	b := NewBody(&out, a)
	for _, p := range pieces {
		if _, err := b.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ name, in, simple, relaxed string }{
		{"RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
		{"nothing", "", "\r\n", ""},
		{"one empty line", "\r\n", "\r\n", ""},
		{"empty lines", "\r\n\r\n\r\n", "\r\n", ""},
		{"white lines", " \t\r\n\t\r\n", " \t\r\n\t\r\n", ""},
		{"white space, no line end", " \t", " \t\r\n", ""},
		{"no line end", "a", "a\r\n", "a\r\n"},
		{"inner empty lines", "a\r\n\r\nb\r\n\r\n", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
		{"space at the end, no line end", "a ", "a \r\n", "a\r\n"},
		{"bare LF is data", "a \nb\n", "a \nb\n\r\n", "a \nb\n\r\n"},
		{"bare CR is data", "a \rb\r", "a \rb\r\r\n", "a \rb\r\r\n"},
		{"CR CR LF", "a\r\r\n", "a\r\r\n", "a\r\r\n"},
		{"leading tab", "\ta\t\tb\r\n", "\ta\t\tb\r\n", " a b\r\n"},
		{"double space after single", "a b  c d\r\n", "a b  c d\r\n", "a b c d\r\n"},
		{"space then tab", "a \tb\r\n", "a \tb\r\n", "a b\r\n"},
		{"other white space is data", "a\f\v\u00a0b \r\n", "a\f\v\u00a0b \r\n", "a\f\v\u00a0b\r\n"},
	} {
		if got := body(t, Simple, c.in); got != c.simple {
			t.Errorf("%s: simple %q, want %q", c.name, got, c.simple)
		}
		if got := body(t, Relaxed, c.in); got != c.relaxed {
			t.Errorf("%s: relaxed %q, want %q", c.name, got, c.relaxed)
		}
	}
}

func TestField(t *testing.T) {
	for _, c := range []struct{ in, simple, relaxed string }{
		{"A: X\r\n", "A: X\r\n", "a:X\r\n"}, // RFC 6376 3.4.5
		{"B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
		{"Subject:\r\n", "Subject:\r\n", "subject:\r\n"},
		{"Subject: \r\n \r\n", "Subject: \r\n \r\n", "subject:\r\n"},
		{"Subject: a: b\r\n", "Subject: a: b\r\n", "subject:a: b\r\n"},
		{"Subject: a\n\tb\n", "Subject: a\n\tb\r\n", "subject:a b\r\n"},
		{"Subject: a\rb", "Subject: a\rb\r\n", "subject:a\rb\r\n"},
		{"\u017fubject: \u017f\r\n", "\u017fubject: \u017f\r\n", "\u017fubject:\u017f\r\n"}, // ASCII only is folded
	} {
		if got := string(AppendField(nil, []byte(c.in), Simple)); got != c.simple {
			t.Errorf("simple %q, want %q", got, c.simple)
		}
		if got := string(AppendField(nil, []byte(c.in), Relaxed)); got != c.relaxed {
			t.Errorf("relaxed %q, want %q", got, c.relaxed)
		}
	}
}

// TestSignatureField empties b= with all white space around its value, wherever
// it stands, and nothing else.
func TestSignatureField(t *testing.T) {
	for _, c := range []struct{ in, simple, relaxed string }{
		{"S: a=b; b= x\r\n y ; bh=z\r\n", "S: a=b; b=; bh=z", "s:a=b; b=; bh=z"},
		{"S: bh=b=; b=xy\r\n", "S: bh=b=; b=", "s:bh=b=; b="},
		{"S: b=x;\r\n", "S: b=;", "s:b=;"},
		{"S: b\r\n =\r\n x\r\n", "S: b\r\n =", "s:b ="},
		{"S: B=1; b=2; \r\n", "S: B=1; b=; ", "s:B=1; b=;"},
	} {
		colon := strings.IndexByte(c.in, ':') + 1
		tags, err := ParseTags(c.in[colon:], colon)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendSignature(nil, []byte(c.in), tags.Place("b"), Simple)); got != c.simple {
			t.Errorf("simple %q, want %q", got, c.simple)
		}
		if got := string(AppendSignature(nil, []byte(c.in), tags.Place("b"), Relaxed)); got != c.relaxed {
			t.Errorf("relaxed %q, want %q", got, c.relaxed)
		}
	}
}

func TestTags(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string // name=value|…, or the begin of the error
	}{
		{"a=1; b=2", "a=1|b=2"},
		{" a = 1 ;\r\n\tb=2 ; ", "a=1|b=2"},
		{"a=1;b=x\r\n y;", "a=1|b=x y"},
		{"a=;b=", "a=|b="},
		{"a=b=c", "a=b=c"},
		{"a=1; A=2", "a=1|A=2"},
		{"a=ü", "a=ü"},
		{"a=1; a=1", "error: the tag a= stands twice"},
		{"a=1;;b=2", "error: an empty tag"},
		{";a=1", "error: an empty tag"},
		{"", "error: an empty tag"},
		{"a=1; t; b=2", "error: no = in the tag"},
		{"=1", `error: "" is no name`},
		{"1a=1", `error: "1a" is no name`},
		{"a b=1", `error: "a b" is no name`},
		{"a=\x00", "error: a character"},
		{"a=\xff", "error: a character"},
		{strings.Repeat("a=1;", 2), "error: the tag a= stands twice"},
	} {
		var parts []string
		tags, err := ParseTags(c.in, 0)
		for _, tag := range tags {
			parts = append(parts, tag.Name+"="+tag.Value)
			if v := strings.Trim(strings.NewReplacer("\r", "", "\n", "").Replace(c.in[tag.Off:tag.End]), fws); v != tag.Value {
				t.Errorf("%q: place of %s holds %q", c.in, tag.Name, v)
			}
		}
		got := strings.Join(parts, "|")
		if err != nil {
			got = "error: " + err.Error()
		}
		if !strings.HasPrefix(got, c.want) || err == nil && got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
	var many strings.Builder
	for i := range 100 {
		many.WriteString(strings.Repeat("a", i+1) + "=;")
	}
	if tags, err := ParseTags(many.String(), 0); err != ErrTooMany || len(tags) != maxTags {
		t.Errorf("%d tags, %v", len(tags), err)
	}
}

// TestSelect takes fields from the bottom (RFC 6376 5.4.2).
func TestSelect(t *testing.T) {
	raw := []byte("Sig: own\r\nFrom: 0\r\nTo: a\r\nFROM: 1\r\nSig: other\r\nfrom : 2\r\n\r\n")
	h, _ := header.Parse(raw[:len(raw)-2], 0, 0)
	m := New(raw, h.Fields, nil)
	got := m.Select([]string{"from", "to", "from", "to", "from", "from", "sig", "sig", "none"}, 0)
	if diff := cmp.Diff([]int{5, 2, 3, -1, 1, -1, 4, -1, -1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHashBody(t *testing.T) {
	raw := []byte(strings.Repeat("line of text \r\n", 1000) + "\r\n\r\n")
	m := New(raw, nil, raw)
	simple, relaxed := body(t, Simple, string(raw)), body(t, Relaxed, string(raw))
	var ask []BodyRequest
	var want []BodySum
	for _, n := range []int64{-1, 0, 1, 7, 5000, int64(len(relaxed)) - 1, int64(len(relaxed)), int64(len(relaxed)) + 1, 1 << 60, -1, 7} {
		for _, form := range []Algorithm{Simple, Relaxed} {
			text := map[Algorithm]string{Simple: simple, Relaxed: relaxed}[form]
			for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
				ask = append(ask, BodyRequest{form, h, n})
				w := BodySum{Total: int64(len(text))}
				if n <= int64(len(text)) {
					part := text
					if n >= 0 {
						part = text[:n]
					}
					sum := h.New()
					sum.Write([]byte(part))
					w.Sum = sum.Sum(nil)
				}
				want = append(want, w)
			}
		}
	}
	if diff := cmp.Diff(want, m.HashBody(ask)); diff != "" {
		t.Error(diff)
	}
	// RFC 6376 3.4.3, 3.4.4: the hashes of an empty body.
	empty := New(nil, nil, nil).HashBody([]BodyRequest{{Simple, crypto.SHA256, -1}, {Relaxed, crypto.SHA256, -1}})
	if s := sha256.Sum256([]byte("\r\n")); !bytes.Equal(empty[0].Sum, s[:]) {
		t.Error("simple hash of nothing")
	}
	if s := sha256.Sum256(nil); !bytes.Equal(empty[1].Sum, s[:]) {
		t.Error("relaxed hash of nothing")
	}
}

func TestCRLF(t *testing.T) {
	for in, want := range map[string]string{"a\nb\r\nc": "a\r\nb\r\nc", "\n\n": "\r\n\r\n", "a\r\n": "a\r\n", "\r": "\r", "": "", "\r\r\n": "\r\r\n"} {
		if got := string(CRLF([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// slowBody is the plain reading of RFC 6376 3.4.3 and 3.4.4.
func slowBody(s string, a Algorithm) string {
	lines := strings.Split(s, "\r\n")
	if a == Relaxed {
		for i, l := range lines {
			l = strings.ReplaceAll(l, "\t", " ")
			for strings.Contains(l, "  ") {
				l = strings.ReplaceAll(l, "  ", " ")
			}
			lines[i] = strings.TrimSuffix(l, " ")
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		return map[Algorithm]string{Simple: "\r\n"}[a]
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// checkBody holds the stream against the plain reading, cut at any place, and
// against itself: a canonical body is its own canonical form.
func checkBody(t interface{ Fatalf(string, ...any) }, tb testing.TB, s string, cuts ...int) {
	for _, a := range []Algorithm{Simple, Relaxed} {
		whole := body(tb, a, s)
		if want := slowBody(s, a); whole != want {
			t.Fatalf("%v of %q: %q, want %q", a, s, whole, want)
		}
		var pieces []string
		rest := s
		for _, c := range cuts {
			c = min(max(c, 0), len(rest))
			pieces, rest = append(pieces, rest[:c]), rest[c:]
		}
		if got := body(tb, a, append(pieces, rest)...); got != whole {
			t.Fatalf("%v of %q cut at %v: %q, want %q", a, s, cuts, got, whole)
		}
		if again := body(tb, a, whole); again != whole {
			t.Fatalf("%v of %q is no fixed point: %q", a, s, again)
		}
	}
}

func TestBodyProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bc", " ", "\t", "\r", "\n", "\r\n", "\r\n\r\n", strings.Repeat("x", 5000)}), 0, 30).Draw(r, "s"), "")
		checkBody(r, t, s, rapid.SliceOfN(rapid.IntRange(0, 20), 0, 10).Draw(r, "cuts")...)
	})
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{"", "\r\n", " C \r\nD \t E\r\n\r\n\r\n", "a\r\r\n \r", "a \t\r\nb", "a\nb\r\n"} {
		f.Add(s, 3, 2)
	}
	f.Fuzz(func(t *testing.T, s string, x, y int) { checkBody(t, t, s, x, y) })
}

func FuzzField(f *testing.F) {
	for _, s := range []string{"A: X\r\n", "B : Y\t\r\n\tZ  \r\n", "a", ":", "a:\r \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range []Algorithm{Simple, Relaxed} {
			one := AppendField(nil, []byte(s), a)
			if !bytes.HasSuffix(one, []byte("\r\n")) {
				t.Fatalf("%q has no line end", one)
			}
			if two := AppendField(nil, one, a); !bytes.Equal(one, two) {
				t.Fatalf("%v of %q is no fixed point: %q, %q", a, s, one, two)
			}
		}
	})
}

func FuzzTags(f *testing.F) {
	for _, s := range []string{"v=1; a=rsa-sha256; b=x y;", "a=1;;", "k=rsa; t; p=", "a=\r\n b;", "=;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := ParseTags(s, 0)
		seen := make(map[string]bool)
		for _, tag := range tags {
			if seen[tag.Name] || tag.Off > tag.End || tag.End > len(s) || tag.Off < 2 || s[tag.Off-1] != '=' {
				t.Fatalf("%q: %+v", s, tag)
			}
			seen[tag.Name] = true
			if strings.ContainsAny(tag.Value, ";\r\n") {
				t.Fatalf("%q: value %q", s, tag.Value)
			}
		}
		if err != nil {
			return
		}
		// Written again, the list reads the same.
		var again strings.Builder
		for _, tag := range tags {
			again.WriteString(tag.Name + "=" + tag.Value + ";")
		}
		back, err := ParseTags(again.String(), 0)
		if err != nil || len(back) != len(tags) {
			t.Fatalf("%q: %v", again.String(), err)
		}
	})
}

func BenchmarkBody(b *testing.B) {
	text := []byte(strings.Repeat("The quick  brown fox jumps over the lazy dog, and home again. \r\n", 2000))
	for _, a := range []Algorithm{Simple, Relaxed} {
		b.Run(a.String(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				c := NewBody(discard{}, a)
				c.Write(text)
				c.Close()
			}
		})
	}
	b.Run("relaxed-sha256", func(b *testing.B) {
		m := New(nil, nil, text)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			m.HashBody([]BodyRequest{{Relaxed, crypto.SHA256, -1}})
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
