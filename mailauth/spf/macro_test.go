package spf

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/dns/dnstest"
)

func newEvaluation(t testing.TB, ip, local, domain, helo string) *evaluation {
	t.Helper()
	return &evaluation{
		ctx: t.Context(), r: &dnstest.Zone{}, ip: netip.MustParseAddr(ip), local: local, domain: domain, lim: Limits{}.withDefaults(),
		in: Input{HELO: helo, Receiver: "mx.receiver.example", Now: time.Unix(1700000000, 0)},
	}
}

// TestMacros has the examples of RFC 7208 7.4, and more.
func TestMacros(t *testing.T) {
	for _, tc := range []struct{ macro, want string }{
		{"%{s}", "strong-bad@email.example.com"},
		{"%{o}", "email.example.com"},
		{"%{d}", "email.example.com"},
		{"%{d4}", "email.example.com"},
		{"%{d3}", "email.example.com"},
		{"%{d2}", "example.com"},
		{"%{d1}", "com"},
		{"%{dr}", "com.example.email"},
		{"%{d2r}", "example.email"},
		{"%{l}", "strong-bad"},
		{"%{l-}", "strong.bad"},
		{"%{lr}", "strong-bad"},
		{"%{lr-}", "bad.strong"},
		{"%{l1r-}", "strong"},
		{"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{"%{D99999999999999999999}", "email.example.com"},
		{"%{S}", "strong-bad%40email.example.com"},
		{"%{S-}", "strong.bad%40email.example.com"},
		{"%{p}", "unknown"},
		{"%{h1}", "com"},
		{"a%%b%_c%-d", "a%b c%20d"},
		{"%{c} %{C} %{r} %{t}", "192.0.2.3 192.0.2.3 mx.receiver.example 1700000000"},
	} {
		e := newEvaluation(t, "192.0.2.3", "strong-bad", "email.example.com", "mail.example.com")
		m, err := parseMacros(tc.macro, inExplanation)
		if err != nil {
			t.Errorf("%s: %v", tc.macro, err)
			continue
		}
		if got, err := e.text(m, "email.example.com"); err != nil || got != tc.want {
			t.Errorf("%s = %q, %v, want %q", tc.macro, got, err, tc.want)
		}
	}
	e := newEvaluation(t, "2001:db8::cb01", "strong-bad", "email.example.com", "mail.example.com")
	m, err := parseMacros("%{ir}.%{v}._spf.%{d2}", inRecord)
	if err != nil {
		t.Fatal(err)
	}
	want := "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
	if got, ok, err := e.target(m, "email.example.com"); err != nil || !ok || got != want {
		t.Errorf("IPv6: %q, %v, %v", got, ok, err)
	}
}

func TestTarget(t *testing.T) {
	long := strings.Repeat("a.", 100)
	for _, tc := range []struct {
		local, helo, macro string
		want               string
		ok                 bool
	}{
		{"user", "h", "%{l}.Example.COM.", "user.example.com", true},
		{"a.b", "h", "%{l}.example.com", "a.b.example.com", true},
		{"a..b", "h", "%{l}.example.com", "a..b.example.com", false},
		{".a", "h", "%{l}.example.com", ".a.example.com", false},
		{"a b", "h", "%{l}.example.com", "a b.example.com", true},
		{"a\x00b", "h", "%{l}.example.com", "a\x00b.example.com", false},
		{"a\r\nb", "h", "%{l}.example.com", "a\r\nb.example.com", false},
		{`a"b\c`, "h", "%{l}.example.com", `a"b\c.example.com`, true},
		{"jürgen", "h", "%{l}.example.com", "jürgen.example.com", false}, // RFC 8616 4
		{"\u212a", "h", "%{s}", "\u212a@example.com", false},
		{"x", "bücher.example", "%{h}", "xn--bcher-kva.example", true},
		{"x", "\xff\xfe", "%{h}.example.com", "\xff\xfe.example.com", false},
		{"x", "", "%{h}", "", false},
		{"x", "[192.0.2.1]", "%{h}", "[192.0.2.1]", true},
		{strings.Repeat("a", 63), "h", "%{l}.example.com", strings.Repeat("a", 63) + ".example.com", true},
		{strings.Repeat("a", 64), "h", "%{l}.example.com", strings.Repeat("a", 64) + ".example.com", false},
		// RFC 7208 7.3: labels go from the left; 253 octets stay at most.
		{long + "b", "h", "%{l}.%{l}.example.com", (long + "b." + long + "b.example.com")[162:], true},
		{strings.Repeat("a", 500), "h", "%{l}.example.com", "example.com", true},
	} {
		e := newEvaluation(t, "192.0.2.3", tc.local, "example.com", tc.helo)
		m, err := parseDomain(tc.macro)
		if err != nil {
			t.Errorf("%s: %v", tc.macro, err)
			continue
		}
		got, ok, err := e.target(m, "example.com")
		if err != nil || ok != tc.ok || got != tc.want {
			t.Errorf("%.20q %.20q %s = %q, %v, %v, want %q, %v", tc.local, tc.helo, tc.macro, got, ok, err, tc.want, tc.ok)
		}
	}
}

func FuzzMacro(f *testing.F) {
	for _, s := range []string{"%{d}", "%{ir}.%{v}.arpa", "%{L1r-.+,/_=}%%%_%-", "%{s}.example.com.", "%{h128R}", "see %{c} %{t} %{r}", strings.Repeat("%{S}", 900)} {
		f.Add(s, "a.b-c+d", "mail.example.com", []byte{192, 0, 2, 1})
	}
	f.Add("%{l}.x.com", "ü\xff\x00\r\n", "bücher.example", []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, s, local, helo string, addr []byte) {
		ip, ok := netip.AddrFromSlice(addr)
		if !ok || len(local) > maxArgument || len(helo) > maxArgument || len(s) > 16384 {
			t.Skip()
		}
		e := newEvaluation(t, ip.Unmap().String(), local, "example.com", helo)
		if m, err := parseMacros(s, inExplanation); err == nil {
			if text, err := e.text(m, "sub.example.com"); err == nil && len(text) > e.lim.Explain {
				t.Fatalf("%q: %d octets", s, len(text))
			}
		}
		m, err := parseDomain(s)
		if err != nil {
			return
		}
		name, ok, err := e.target(m, "sub.example.com")
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if ok && (!askable(name) || name != strings.ToLower(name)) {
			t.Fatalf("%q: can't ask for %q", s, name)
		}
		// The bound on memory must not change what the name is.
		var whole strings.Builder
		for i := range m {
			v := m[i].text
			if m[i].letter != 0 {
				v, _ = e.value(m[i].letter, "sub.example.com", inRecord)
				v = m[i].apply(v)
			}
			if whole.Len() > 1<<22 {
				return
			}
			whole.WriteString(v)
		}
		if want := truncate(strings.TrimSuffix(whole.String(), ".")); askable(want) != ok || ok && strings.ToLower(want) != name {
			t.Fatalf("%q: %q, %v, want %q", s, name, ok, want)
		}
	})
}

func BenchmarkMacro(b *testing.B) {
	m, err := parseDomain("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}")
	if err != nil {
		b.Fatal(err)
	}
	e := newEvaluation(b, "192.0.2.3", "strong-bad", "email.example.com", "mail.example.com")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := e.target(m, "email.example.com"); !ok || err != nil {
			b.Fatal(err)
		}
	}
}
