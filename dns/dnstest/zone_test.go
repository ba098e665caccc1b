package dnstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	wire "github.com/miekg/dns"
	"go.uber.org/goleak"

	"sluice/dns"
	"sluice/internal/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const master = `$ORIGIN example.com.
$TTL 10m
@       IN SOA ns hostmaster 1 2 3 4 5
        IN MX 10 mail
        IN TXT "v=spf1 " "mx -all"
mail    60 IN A 192.0.2.1
mail    IN AAAA 2001:db8::1
www     IN CNAME mail
loop    IN CNAME pool
pool    IN CNAME loop
away    IN CNAME nowhere.example.net.
*.wild  IN A 192.0.2.2
a.b.deep IN A 192.0.2.3
bücher   IN CNAME käse
käse     IN A 192.0.2.4
`

const jsonZone = `{
  "Example.com.": {"MX": ["10 mail.example.com", [20, "backup.example.com"]], "TXT": ["v=spf1 \"mx\" \\ -all", ["two", " strings"]], "SPF": "TIMEOUT", "A": []},
  "mail.example.com": {"A": ["192.0.2.1"], "AAAA": "SERVFAIL"},
  "www.example.com": {"CNAME": ["mail.example.com"]},
  "slow.example.com": "TIMEOUT",
  "alias.example.com": {"CNAME": "TIMEOUT"},
  "bücher.example": {"A": ["192.0.2.9"]},
  "192.0.2.1": {"PTR": ["mail.example.com"]},
  "$include.example": {"TXT": [""]},
  "x.deep.example": {"TYPE65280": ["\\# 2 abcd"]}
}`

func mustParse(t testing.TB, text string) *Zone {
	t.Helper()
	z, err := Parse("zone", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// say is an answer in one line.
func say(a dns.Answer, err error) string {
	var b strings.Builder
	for _, r := range a.Records {
		v := r.Host + r.Text
		if r.Addr.IsValid() {
			v = r.Addr.String()
		}
		if r.Type == dns.MX {
			v = fmt.Sprint(r.Pref, " ", v)
		}
		fmt.Fprintf(&b, "%s %s %s; ", r.Name, r.Type, v)
	}
	if e, ok := errors.AsType[*dns.Error](err); ok {
		fmt.Fprintf(&b, "%v; ", e.Kind)
	}
	fmt.Fprintf(&b, "canonical %s, code %d, ttl %v", a.Canonical, a.RCode, a.TTL)
	return b.String()
}

func TestLookup(t *testing.T) {
	m, j := mustParse(t, master), mustParse(t, jsonZone)
	for _, tc := range []struct {
		zone *Zone
		name string
		t    dns.Type
		want string
	}{
		{m, "EXAMPLE.com.", dns.TXT, "example.com TXT v=spf1 mx -all; canonical example.com, code 0, ttl 10m0s"},
		{m, "example.com", dns.MX, "example.com MX 10 mail.example.com; canonical example.com, code 0, ttl 10m0s"},
		{m, "www.example.com", dns.A, "mail.example.com A 192.0.2.1; canonical mail.example.com, code 0, ttl 1m0s"},
		{m, "www.example.com", dns.CNAME, "www.example.com CNAME mail.example.com; canonical www.example.com, code 0, ttl 10m0s"},
		{m, "www.example.com", dns.TXT, "no record of this type; canonical mail.example.com, code 0, ttl 5m0s"},
		{m, "loop.example.com", dns.A, "server failure; canonical pool.example.com, code 2, ttl 0s"},
		{m, "away.example.com", dns.A, "no such name; canonical nowhere.example.net, code 3, ttl 5m0s"},
		{m, "any.wild.example.com", dns.A, "any.wild.example.com A 192.0.2.2; canonical any.wild.example.com, code 0, ttl 10m0s"},
		{m, "very.any.wild.example.com", dns.A, "very.any.wild.example.com A 192.0.2.2; canonical very.any.wild.example.com, code 0, ttl 10m0s"},
		{m, "b.deep.example.com", dns.A, "no record of this type; canonical b.deep.example.com, code 0, ttl 5m0s"},
		{m, "x.deep.example.com", dns.A, "no such name; canonical x.deep.example.com, code 3, ttl 5m0s"},
		{m, "bücher.example.com", dns.A, "xn--kse-qla.example.com A 192.0.2.4; canonical xn--kse-qla.example.com, code 0, ttl 10m0s"},
		{m, "example.org", dns.A, "no such name; canonical example.org, code 3, ttl 5m0s"},
		{m, "a..b", dns.A, "not a domain name; canonical , code 0, ttl 0s"},

		{j, "example.com", dns.MX, "example.com MX 10 mail.example.com; example.com MX 20 backup.example.com; canonical example.com, code 0, ttl 1h0m0s"},
		{j, "example.com", dns.TXT, `example.com TXT v=spf1 "mx" \ -all; example.com TXT two strings; canonical example.com, code 0, ttl 1h0m0s`},
		{j, "example.com", dns.SPF, "no answer in time; canonical example.com, code 0, ttl 0s"},
		{j, "example.com", dns.A, "no record of this type; canonical example.com, code 0, ttl 5m0s"},
		{j, "mail.example.com", dns.AAAA, "server failure; canonical mail.example.com, code 2, ttl 0s"},
		{j, "www.example.com", dns.A, "mail.example.com A 192.0.2.1; canonical mail.example.com, code 0, ttl 1h0m0s"},
		{j, "www.example.com", dns.AAAA, "server failure; canonical mail.example.com, code 2, ttl 0s"},
		{j, "slow.example.com", dns.TXT, "no answer in time; canonical slow.example.com, code 0, ttl 0s"},
		{j, "alias.example.com", dns.TXT, "no answer in time; canonical alias.example.com, code 0, ttl 0s"},
		{j, "xn--bcher-kva.example", dns.A, "xn--bcher-kva.example A 192.0.2.9; canonical xn--bcher-kva.example, code 0, ttl 1h0m0s"},
		{j, "1.2.0.192.in-addr.arpa", dns.PTR, "1.2.0.192.in-addr.arpa PTR mail.example.com; canonical 1.2.0.192.in-addr.arpa, code 0, ttl 1h0m0s"},
		{j, "$include.example", dns.TXT, "$include.example TXT ; canonical $include.example, code 0, ttl 1h0m0s"},
		{j, "x.deep.example", 65280, `x.deep.example TYPE65280 \# 2 abcd; canonical x.deep.example, code 0, ttl 1h0m0s`},
		{j, "deep.example", dns.A, "no such name; canonical deep.example, code 3, ttl 5m0s"}, // absent is absent
		{new(Zone), "example.com", dns.A, "no such name; canonical example.com, code 3, ttl 5m0s"},
	} {
		if got := say(tc.zone.Lookup(t.Context(), tc.name, tc.t)); got != tc.want {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.t, got, tc.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Lookup(ctx, "example.com", dns.MX); !errors.Is(err, dns.ErrTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context gives %v", err)
	}
}

// TestBadZones reads every testdata/*.zone and compares its error with the
// golden file beside it.
func TestBadZones(t *testing.T) {
	files, err := filepath.Glob("testdata/*.zone")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad zones: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(filepath.Base(file), strings.NewReader(string(b)))
		if err == nil {
			t.Errorf("%s: no error", file)
			continue
		}
		golden.Check(t, strings.TrimSuffix(file, ".zone")+".error", []byte(err.Error()+"\n"))
	}
}

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		in   io.Reader
		want string
	}{
		{strings.NewReader("$GENERATE 1-11 a$ A 192.0.2.1\n"), "dnstest: zone: too many records"},
		{strings.NewReader(`{"a": {"TXT": [` + strings.Repeat(`"",`, 10) + `""]}}`), "dnstest: zone:1:46: too many records"},
		{endless{}, "dnstest: zone: over 1000 bytes"},
		{iotest.ErrReader(io.ErrClosedPipe), "dnstest: zone: io: read/write on closed pipe"},
	} {
		if _, err := parse("zone", tc.in, 1000, 10); err == nil || err.Error() != tc.want {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
	if _, err := parse("zone", strings.NewReader("$GENERATE 1-10 a$ A 192.0.2.1\n"), 1000, 10); err != nil {
		t.Errorf("just as many records as allowed: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '\n'
	}
	return len(b), nil
}

func TestServer(t *testing.T) {
	s, err := Serve(mustParse(t, `{"example.com": {"A": ["192.0.2.1"], "TXT": ["`+strings.Repeat("x", 3000)+`"], "MX": "SERVFAIL", "NS": "TIMEOUT"},
		"www.example.com": {"CNAME": ["example.com"]}, "*.list.example": {"A": ["127.0.0.2"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(network, name string, typ uint16) *wire.Msg {
		t.Helper()
		c := wire.Client{Net: network, Timeout: 200 * time.Millisecond}
		m, _, err := c.Exchange(new(wire.Msg).SetQuestion(name, typ), s.Addr().String())
		if err != nil {
			return nil
		}
		return m
	}
	for _, network := range []string{"udp", "tcp"} {
		m := ask(network, "WWW.example.com.", wire.TypeA)
		if m == nil || len(m.Answer) != 2 || m.Answer[0].Header().Name != "WWW.example.com." || m.Answer[1].(*wire.A).A.String() != "192.0.2.1" {
			t.Errorf("%s: A: %v", network, m)
		}
		if m := ask(network, "example.com.", wire.TypeMX); m == nil || m.Rcode != wire.RcodeServerFailure {
			t.Errorf("%s: MX: %v", network, m)
		}
		if m := ask(network, "example.com.", wire.TypeNS); m != nil {
			t.Errorf("%s: NS: %v, want silence", network, m)
		}
		if m := ask(network, "example.com.", wire.TypeAAAA); m == nil || m.Rcode != wire.RcodeSuccess || len(m.Answer) != 0 {
			t.Errorf("%s: AAAA: %v", network, m)
		}
		if m := ask(network, "example.org.", wire.TypeA); m == nil || m.Rcode != wire.RcodeNameError {
			t.Errorf("%s: absent name: %v", network, m)
		}
		if m := ask(network, "2.0.0.127.list.example.", wire.TypeA); m == nil || len(m.Answer) != 1 || m.Answer[0].Header().Name != "2.0.0.127.list.example." {
			t.Errorf("%s: wildcard: %v", network, m)
		}
	}
	if m := ask("udp", "example.com.", wire.TypeTXT); m == nil || !m.Truncated || m.Len() > 512 {
		t.Errorf("long answer over UDP: %v", m)
	}
	if m := ask("tcp", "example.com.", wire.TypeTXT); m == nil || m.Truncated || len(strings.Join(m.Answer[0].(*wire.TXT).Txt, "")) != 3000 {
		t.Errorf("long answer over TCP: %v", m)
	}
	if n := s.Asked()[Question{"www.example.com", dns.A, "udp"}]; n != 1 {
		t.Errorf("counted %d questions, want 1", n)
	}
	if !s.Addr().Addr().IsLoopback() {
		t.Errorf("listens on %v", s.Addr())
	}
}

func fuzzZone(f *testing.F, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		z, err := Parse("zone", strings.NewReader(text))
		if err != nil {
			if z != nil || !strings.HasPrefix(err.Error(), "dnstest: zone") {
				t.Fatalf("zone %v, error %v", z, err)
			}
			return
		}
		for name, n := range z.names {
			if again, err := dns.Normalize(name); err == nil && again != name {
				t.Fatalf("stands under %q, is looked up as %q", name, again)
			}
			for typ, set := range n.sets {
				a, err := z.Lookup(t.Context(), name, typ)
				if (err == nil) != (len(a.Records) > 0) {
					t.Fatalf("%q %s: %d records and error %v", name, typ, len(a.Records), err)
				}
				if _, bad := dns.Normalize(name); bad == nil && n.all == nil && n.fault[typ] == nil && len(a.Records) != len(set) && len(set) > 0 {
					t.Fatalf("%q %s: %d of %d records", name, typ, len(a.Records), len(set))
				}
			}
		}
	})
}

func FuzzMasterZone(f *testing.F) {
	fuzzZone(f, master, "0㵵000000 A 192.0.2.1\n", "$GENERATE 1-3 a$ A 192.0.2.$\n", "$INCLUDE /etc/passwd\n", "a\\.b.example. TXT \"\\000\"\n", "@ A 192.0.2.1\n", "(\n", "a 1 IN TYPE65280 \\# 1 00\n", "\xe3\xb5.㵵 A ")
}

func FuzzJSONZone(f *testing.F) {
	fuzzZone(f, jsonZone, `{}`, `{"a":{}}`, `{"a":"TIMEOUT"}`, `{"a":{"A":[["192.0.2.1"]]}}`, `{"a":{"MX":[[[]]]}}`, `{"::1":{"PTR":["a."]}}`)
}

func BenchmarkLookup(b *testing.B) {
	z := mustParse(b, master)
	for b.Loop() {
		if _, err := dns.LookupA(b.Context(), z, "www.example.com"); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleZone() {
	z, err := Parse("zone", strings.NewReader(`{"192.0.2.1": {"PTR": ["mail.example.com"]}}`))
	if err != nil {
		panic(err)
	}
	names, err := dns.LookupPTR(context.Background(), z, netip.MustParseAddr("192.0.2.1"))
	fmt.Println(names, err)
	// Output: [mail.example.com] <nil>
}
