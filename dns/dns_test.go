package dns

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestNormalize(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"Example.COM.", "example.com"},
		{".", "."},
		{"_dmarc.example.com", "_dmarc.example.com"},
		{"Bücher.example", "xn--bcher-kva.example"},
		{"_dmarc.BÜCHER.example", "_dmarc.xn--bcher-kva.example"},
		{"faß.de", "xn--fa-hia.de"}, // not "fass.de": non-transitional
		{"例え。テスト", "xn--r8jz45g.xn--zckzah"},
		{"ｅｘａｍｐｌｅ．com", "example.com"},
		{"xn--a.example", "xn--a.example"}, // broken, but can be asked for
		{"a@b.example", "a@b.example"},
		{strings.Repeat("a", 63) + ".example", strings.Repeat("a", 63) + ".example"},
		{"K.example", "k.example"}, // the Kelvin sign maps to k
	} {
		got, err := Normalize(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("Normalize(%q) = %q, %v, want %q", tc.in, got, err, tc.want)
		}
	}
	for _, in := range []string{"", "..", ".example", "a..b", "a b.example", "a\x00.example", `a\.b.example`,
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "a", strings.Repeat("ü", 64) + ".example",
		"\xff.example", "℀.example", "a\u200d.example", strings.Repeat("ü.", 100000)} {
		if got, err := Normalize(in); !errors.Is(err, ErrBadName) || got != "" {
			t.Errorf("Normalize(%.40q) = %q, %v, want ErrBadName", in, got, err)
		}
	}
}

func TestReverse(t *testing.T) {
	for _, tc := range []struct{ addr, want string }{
		{"192.0.2.1", "1.2.0.192.in-addr.arpa"},
		{"::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa"},
		{"2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
	} {
		if got := Reverse(netip.MustParseAddr(tc.addr)); got != tc.want {
			t.Errorf("Reverse(%s) = %q, want %q", tc.addr, got, tc.want)
		}
	}
	if got := Reverse(netip.Addr{}); got != "" {
		t.Errorf("Reverse of no address = %q", got)
	}
	if got, want := ReverseUnder(netip.MustParseAddr("192.0.2.1"), "bl.example"), "1.2.0.192.bl.example"; got != want {
		t.Errorf("ReverseUnder = %q, want %q", got, want)
	}
}

func TestFromWire(t *testing.T) {
	const hour = time.Hour
	for _, tc := range []struct {
		rr   string
		want Record
	}{
		{"Example.com. 3600 IN A 192.0.2.1", Record{Name: "example.com", Type: A, TTL: hour, Addr: netip.MustParseAddr("192.0.2.1")}},
		{"example.com. 3600 IN AAAA ::ffff:192.0.2.1", Record{Name: "example.com", Type: AAAA, TTL: hour, Addr: netip.MustParseAddr("::ffff:192.0.2.1")}},
		{"example.com. 3600 IN MX 10 Mail.Example.com.", Record{Name: "example.com", Type: MX, TTL: hour, Host: "mail.example.com", Pref: 10}},
		{"example.com. 3600 IN MX 0 .", Record{Name: "example.com", Type: MX, TTL: hour, Host: "."}},
		{`example.com. 3600 IN TXT "v=spf1 " "-all" "\"\\\007\195\188"`, Record{Name: "example.com", Type: TXT, TTL: hour, Text: "v=spf1 -all\"\\\aü"}},
		{`1.example.com. 3600 IN PTR a\.b\\c\@d\000.example.com.`, Record{Name: "1.example.com", Type: PTR, TTL: hour, Host: `a\.b\\c@d\000.example.com`}},
		{"_25._tcp.example.com. 3600 IN TLSA 3 1 1 abcd", Record{Name: "_25._tcp.example.com", Type: TLSA, TTL: hour, Text: "3 1 1 abcd"}},
	} {
		rr, err := wire.NewRR(tc.rr)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tc.want, FromWire(rr), cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.rr, d)
		}
	}
}

func TestParseType(t *testing.T) {
	for s, want := range map[string]Type{"a": A, "TXT": TXT, "Spf": SPF, "type52": TLSA, "TYPE65280": 65280} {
		if got, ok := ParseType(s); !ok || got != want {
			t.Errorf("ParseType(%q) = %v, %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "ANY", "AXFR", "OPT", "TYPE255", "TYPE0", "TYPE70000", "TYPE1x", "TYPE 1", "NOPE"} {
		if got, ok := ParseType(s); ok {
			t.Errorf("ParseType(%q) = %v, want none", s, got)
		}
	}
}

// fixed answers every question with one answer.
type fixed struct {
	answer Answer
	err    error
	asked  string
}

func (f *fixed) Lookup(_ context.Context, name string, t Type) (Answer, error) {
	f.asked = name + " " + t.String()
	return f.answer, f.err
}

func TestHelpers(t *testing.T) {
	ctx := t.Context()
	r := &fixed{answer: Answer{Records: []Record{{Pref: 20, Host: "b"}, {Pref: 10, Host: "a"}, {Pref: 20, Host: "c"}}}}
	mx, err := LookupMX(ctx, r, "example.com")
	if err != nil || r.asked != "example.com MX" || mx[0].Host+mx[1].Host+mx[2].Host != "abc" {
		t.Errorf("LookupMX asked %q and got %v, %v", r.asked, mx, err)
	}
	if r.answer.Records[0].Host != "b" {
		t.Error("LookupMX has sorted the resolver's own records")
	}
	ptr, err := LookupPTR(ctx, r, netip.MustParseAddr("192.0.2.1"))
	if err != nil || r.asked != "1.2.0.192.in-addr.arpa PTR" || cmp.Diff([]string{"b", "a", "c"}, ptr) != "" {
		t.Errorf("LookupPTR asked %q and got %v, %v", r.asked, ptr, err)
	}
	r.answer.Truncated = true
	if txt, err := LookupTXT(ctx, r, "example.com"); txt != nil || !Temporary(err) {
		t.Errorf("LookupTXT of a part = %v, %v", txt, err)
	}
	r = &fixed{err: &Error{Name: "example.com", Type: TXT, Kind: ErrTimeout, Err: context.DeadlineExceeded}}
	txt, err := LookupTXT(ctx, r, "example.com")
	if txt != nil || !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) || !Temporary(err) || NotFound(err) {
		t.Errorf("LookupTXT = %v, %v", txt, err)
	}
	if want := `dns: "example.com" TXT: no answer in time: context deadline exceeded`; err.Error() != want {
		t.Errorf("error reads %q, want %q", err, want)
	}
}

func TestTemporary(t *testing.T) {
	for kind, temporary := range map[error]bool{ErrNXDomain: false, ErrNoData: false, ErrBadName: false,
		ErrServFail: true, ErrTimeout: true, errors.New("anything else"): true} {
		err := error(&Error{Kind: kind})
		if Temporary(err) != temporary || NotFound(err) == temporary {
			t.Errorf("%v: temporary %v, not found %v", kind, Temporary(err), NotFound(err))
		}
	}
	if Temporary(nil) || NotFound(nil) {
		t.Error("no error is an error")
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"Example.COM.", "_dmarc.Bücher.example", "xn--bcher-kva.example", "例え。テスト", `a\.b`, ".", "", "℀.x", "a\u200db"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Normalize(s)
		if err != nil {
			if !errors.Is(err, ErrBadName) {
				t.Fatalf("%q: %v is not ErrBadName", s, err)
			}
			return
		}
		if again, err := Normalize(n); err != nil || again != n {
			t.Fatalf("%q: %q becomes %q, %v", s, n, again, err)
		}
		// What passes goes through the wire format and comes back as itself.
		var b [300]byte
		off, err := wire.PackDomainName(wire.Fqdn(n), b[:], 0, nil, false)
		if err != nil {
			t.Fatalf("%q: %q can't be packed: %v", s, n, err)
		}
		back, _, err := wire.UnpackDomainName(b[:off], 0)
		if err != nil || plain(back) != n {
			t.Fatalf("%q: %q comes back as %q, %v", s, n, plain(back), err)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for b.Loop() {
		if _, err := Normalize("mail.example.com"); err != nil {
			b.Fatal(err)
		}
	}
}

// byType answers by the type asked for.
type byType map[Type]Answer

func (b byType) Lookup(_ context.Context, name string, t Type) (Answer, error) {
	if a, ok := b[t]; ok {
		return a, nil
	}
	return Answer{}, &Error{Name: name, Type: t, Kind: ErrNoData}
}

func TestLookupAddrs(t *testing.T) {
	four, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, tc := range []struct {
		have byType
		want []netip.Addr
	}{
		{byType{A: {Records: []Record{{Addr: four}}}, AAAA: {Records: []Record{{Addr: six}}}}, []netip.Addr{four, six}},
		{byType{AAAA: {Records: []Record{{Addr: six}}}}, []netip.Addr{six}},
		{byType{}, nil},
	} {
		got, err := LookupAddrs(t.Context(), tc.have, "example.com")
		if !slices.Equal(got, tc.want) || NotFound(err) != (tc.want == nil) {
			t.Errorf("%v: got %v, %v", tc.have, got, err)
		}
	}
}
