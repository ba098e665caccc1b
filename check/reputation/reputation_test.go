package reputation_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	reputationcheck "sluice/check/reputation"
	"sluice/dns/dnstest"
	"sluice/internal/golden"
	"sluice/learn/network"
	"sluice/learn/reputation"
	"sluice/mailauth"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/spf"
	"sluice/reason"
)

const zone = `{
"192.0.2.7":    {"PTR": ["mail.example.org."]},
"mail.example.org": {"A": ["192.0.2.7"]},
"example.org":  {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"], "A": ["192.0.2.7"]},
"_dmarc.example.org": {"TXT": ["v=DMARC1; p=none"]},

"198.51.100.9": {"PTR": ["box9.hoster.com."]},
"box9.hoster.com": {"A": ["198.51.100.9"]},
"mail.customer.org": {"TXT": ["v=spf1 ip4:198.51.100.9 -all"], "A": ["198.51.100.9"]},

"203.0.113.5":  {"PTR": ["203-0-113-5.dsl.isp.net."]},
"203-0-113-5.dsl.isp.net": {"A": ["203.0.113.5"]},

"203.0.113.6":  {"PTR": ["mail.liar.com."]},
"mail.liar.com": {"A": ["203.0.113.99"]}
}`

// world is a table with a past, and the DNS around it.
type world struct {
	table *reputation.Table
	nets  *network.DB
	auth  *mailauth.Verifier
}

func newWorld(t testing.TB) *world {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	return &world{table: reputation.New(reputation.Config{}), auth: mailauth.New(mailauth.Config{Resolver: z, Hostname: "mx.example.net"})}
}

// input is a message of a client that greets with a name.
func (w *world) input(client, hello, from string) *check.Input {
	in := checktest.Input(checktest.Mail("From: "+from, "Hello\n"))
	in.Conn.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4711)
	in.Conn.Hello.Name = hello
	in.Envelope.From = from
	in.Auth = w.auth.Open(in.Conn).Begin(in.Envelope)
	return in
}

func (w *world) checks() []check.Checker {
	return reputationcheck.Checks(reputationcheck.Config{Table: w.table, Networks: w.nets})
}

// run runs all checks and holds them to their declarations; learned reasons bring
// their own points.
func (w *world) run(t *testing.T, in *check.Input) []sluice.Evidence {
	t.Helper()
	var out []sluice.Evidence
	for _, c := range w.checks() {
		info := c.Info()
		ev, err := c.Check(context.Background(), in)
		if err != nil {
			t.Errorf("%s: %v", info.Name, err)
		}
		for _, e := range ev {
			entry, ok := reason.Lookup(string(e.Reason))
			if !ok || !slices.Contains(info.Reasons, e.Reason) || e.Phase != info.Phase || e.Group != info.Group || e.Group.String() != entry.Group {
				t.Errorf("%s breaks its declaration with %+v", info.Name, e)
			}
			if e.Raw > 6 || e.Raw < -6 || e.Raw < 0 != strings.HasSuffix(string(e.Reason), "_GOOD") {
				t.Errorf("%s: %s has %v dB", info.Name, e.Reason, e.Raw)
			}
		}
		out = append(out, ev...)
	}
	return out
}

func write(b *strings.Builder, title string, ev []sluice.Evidence) {
	fmt.Fprintf(b, "%s\n", title)
	for _, e := range ev {
		fmt.Fprintf(b, "  %-8s %-24s %+.1f  %s\n", e.Phase, e.Reason, e.Raw, e.Detail)
	}
}

// past counts outcomes as the gate does, some days ago.
func (w *world) past(days, n int, o reputation.Outcome, in *check.Input, ask bool) {
	if ask {
		in.Auth.Reverse(context.Background())
		in.Auth.HELO(context.Background(), in.Now)
		in.Auth.DMARC(context.Background(), in.Message, in.Now)
	}
	for i := range n {
		at := checktest.Now.Add(-time.Duration(days) * 24 * time.Hour / time.Duration(n) * time.Duration(n-i))
		w.table.Observe(at, o, reputationcheck.Keys(in.Conn, in.Auth.Known(), w.nets)...)
	}
}

// TestLedger prints what an admin reads of clients with a past.
func TestLedger(t *testing.T) {
	good, bad := reputation.Outcome{Good: 1}, reputation.Outcome{Bad: 1}
	var b strings.Builder
	strangers := newWorld(t)
	write(&b, "a stranger", strangers.run(t, strangers.input("192.0.2.7", "mail.example.org", "bob@example.org")))

	w := newWorld(t)
	w.past(5, 40, good, w.input("192.0.2.7", "mail.example.org", "bob@example.org"), true)
	write(&b, "a good sender", w.run(t, w.input("192.0.2.7", "mail.example.org", "bob@example.org")))
	write(&b, "its neighbour, with its greeting and domain", w.run(t, w.input("192.0.2.8", "mail.example.org", "bob@example.org")))
	write(&b, "somebody else with its name", w.run(t, w.input("203.0.113.77", "mail.example.org", "bob@example.org")))

	w = newWorld(t)
	w.past(5, 41, bad, w.input("203.0.113.5", "mail.isp.net", "x@isp.net"), true)
	w.past(3, 3, good, w.input("203.0.113.5", "mail.isp.net", "x@isp.net"), true)
	write(&b, "a bad sender", w.run(t, w.input("203.0.113.5", "mail.isp.net", "x@isp.net")))
	write(&b, "its neighbour", w.run(t, w.input("203.0.113.50", "other.example", "x@isp.net")))
	write(&b, "another line of its provider that greets so", w.run(t, w.input("198.51.100.77", "MAIL.isp.NET", "x@isp.net")))
	write(&b, "a hostile greeting", w.run(t, w.input("203.0.113.50", "x\x1b[31m\xff.isp.net", "x@isp.net")))

	for _, c := range []struct {
		name string
		set  func(*sluice.Conn)
	}{
		{"the bad one, but trusted", func(c *sluice.Conn) { c.Trusted = true }},
		{"logged in", func(c *sluice.Conn) { c.Auth = "anna" }},
		{"read from disk", func(c *sluice.Conn) { c.Stored = true }},
	} {
		in := w.input("203.0.113.5", "mail.isp.net", "x@isp.net")
		c.set(in.Conn)
		write(&b, c.name, w.run(t, in))
	}
	golden.Check(t, "testdata/ledger.golden", []byte(b.String()))
}

// TestPrivate: inside nobody has a reputation.
func TestPrivate(t *testing.T) {
	w := newWorld(t)
	for _, client := range []string{"127.0.0.1", "10.0.0.7", "192.168.1.1", "::1", "fe80::1", "fd00::1"} {
		in := w.input(client, "mail.example.org", "bob@example.org")
		w.past(5, 40, reputation.Outcome{Bad: 1}, in, false)
		if ev := w.run(t, in); len(ev) > 0 {
			t.Errorf("%s: %+v", client, ev)
		}
	}
}

// TestOperator: with an mmdb file the operator's networks have a reputation.
func TestOperator(t *testing.T) {
	w := newWorld(t)
	var err error
	path := filepath.Join(t.TempDir(), "asn.mmdb")
	if err := os.WriteFile(path, oneNetwork(), 0o600); err != nil {
		t.Fatal(err)
	}
	if w.nets, err = network.Open(path); err != nil {
		t.Fatal(err)
	}
	for i := range 120 { // many networks of one operator
		w.past(3, 2, reputation.Outcome{Bad: 1}, w.input(fmt.Sprintf("20.1.%d.7", i), "a.example.com", "x@example.com"), false)
	}
	var b strings.Builder
	write(&b, "a new network of a bad operator", w.run(t, w.input("20.1.250.1", "b.example.com", "y@example.com")))
	golden.Check(t, "testdata/operator.golden", []byte(b.String()))
}

// oneNetwork is an mmdb file with IPv4's 0.0.0.0/1 in it: one node (MaxMind DB
// File Format Specification 2.0).
func oneNetwork() []byte {
	str := func(s string) string {
		if len(s) >= 29 {
			return string([]byte{2<<5 | 29, byte(len(s) - 29)}) + s
		}
		return string([]byte{byte(2<<5 | len(s))}) + s
	}
	u16 := func(v byte) string { return string([]byte{5<<5 | 2, 0, v}) }
	u32 := func(v uint16) string { return string([]byte{6<<5 | 4, 0, 0, byte(v >> 8), byte(v)}) }
	data := string([]byte{7<<5 | 2}) + str("autonomous_system_number") + u32(64500) + str("autonomous_system_organization") + str("Example Net")
	tree := string([]byte{0, 0, 0, 17, 0, 0, 0, 1}) // left: data at 0; right: nothing
	meta := string([]byte{7<<5 | 9}) + str("binary_format_major_version") + u16(2) + str("binary_format_minor_version") + u16(0) +
		str("build_epoch") + string([]byte{8, 9 - 7, 0, 0, 0, 0, 0x65, 0, 0, 0}) + str("database_type") + str("GeoLite2-ASN") +
		str("description") + string([]byte{7 << 5}) + str("languages") + string([]byte{0, 11 - 7}) +
		str("ip_version") + u16(4) + str("node_count") + u32(1) + str("record_size") + u16(32)
	return []byte(tree + strings.Repeat("\x00", 16) + data + "\xab\xcd\xefMaxMind.com" + meta)
}

func TestReverseName(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ name, client, hello, want string }{
		{"the same owner", "192.0.2.7", "smtp.example.org", ""},
		{"the same owner, in capitals", "192.0.2.7", "SMTP.Example.ORG.", ""},
		{"another owner", "192.0.2.7", "mail.example.com", `"mail.example.com" is not of example.org (mail.example.org)`},
		{"another owner whose SPF permits it", "198.51.100.9", "mail.customer.org", ""},
		{"another owner without SPF", "198.51.100.9", "www.customer.org", `"www.customer.org" is not of hoster.com (box9.hoster.com)`},
		{"a line of a pool", "203.0.113.5", "mail.example.com", ""},
		{"a name that doesn't lead back", "203.0.113.6", "mail.example.com", ""},
		{"no name", "203.0.113.7", "mail.example.com", ""},
		{"a greeting without domain", "192.0.2.7", "localhost", ""},
		{"a private greeting", "192.0.2.7", "server.lan", ""},
		{"a literal", "192.0.2.7", "[192.0.2.7]", ""},
		{"a bare address", "192.0.2.7", "192.0.2.7", ""},
		{"no greeting", "192.0.2.7", "", ""},
		{"loopback", "127.0.0.1", "mail.example.com", ""},
	} {
		got := ""
		for _, e := range w.run(t, w.input(test.client, test.hello, "bob@example.org")) {
			if e.Reason == reason.HeloIprevMismatch {
				got = e.Detail
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestConfirmed: which greetings are the client's by the DNS.
func TestConfirmed(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		client, hello string
		want          bool
	}{
		{"192.0.2.7", "mail.example.org", true},
		{"192.0.2.7", "MX.example.org.", true},           // another host of the same owner
		{"192.0.2.7", "mail.example.com", false},         // of another
		{"192.0.2.8", "mail.example.org", false},         // no name
		{"198.51.100.9", "mail.customer.org", true},      // by its SPF
		{"203.0.113.5", "203-0-113-5.dsl.isp.net", true}, // the line itself
		{"203.0.113.5", "mail.isp.net", false},           // a line isn't its provider
		{"203.0.113.6", "mail.liar.com", false},          // doesn't lead back
		{"203.0.113.6", "", false},
	} {
		in := w.input(test.client, test.hello, "bob@example.org")
		if reputationcheck.Confirmed(test.hello, in.Auth.Known()) {
			t.Errorf("%s %q: confirmed before anybody asked", test.client, test.hello)
		}
		in.Auth.Reverse(t.Context())
		in.Auth.HELO(t.Context(), in.Now)
		if got := reputationcheck.Confirmed(test.hello, in.Auth.Known()); got != test.want {
			t.Errorf("%s %q: %v, want %v", test.client, test.hello, got, test.want)
		}
	}
}

func TestAuthenticated(t *testing.T) {
	signed := func(status dkim.Status, domains ...string) (out []dkim.Result) {
		for _, d := range domains {
			out = append(out, dkim.Result{Status: status, Domain: d})
		}
		return out
	}
	sent := func(result spf.Value, domain string) *spf.Result {
		return &spf.Result{Result: result, Identity: spf.MailFrom, Domain: domain}
	}
	author := &dmarc.Result{Value: dmarc.None, Domain: "news.example.org"}
	for _, test := range []struct {
		name    string
		k       mailauth.Known
		want    string
		aligned bool
	}{
		{"not asked", mailauth.Known{SPF: sent(spf.Pass, "example.org")}, "", false},
		{"nothing", mailauth.Known{DMARC: author}, "", false},
		{"DMARC", mailauth.Known{DMARC: &dmarc.Result{Value: dmarc.Pass, Domain: "example.org"}}, "example.org", true},
		{"SPF without a policy", mailauth.Known{DMARC: author, SPF: sent(spf.Pass, "bounce.example.org")}, "bounce.example.org", true},
		{"a service and the author signed", mailauth.Known{DMARC: author, DKIM: signed(dkim.Pass, "esp.com", "example.org"), SPF: sent(spf.Pass, "bounce.esp.com")}, "example.org", true},
		{"a service signed", mailauth.Known{DMARC: author, DKIM: signed(dkim.Pass, "esp.com", "other.com"), SPF: sent(spf.Pass, "bounce.esp.com")}, "esp.com", false},
		{"a service sent", mailauth.Known{DMARC: author, SPF: sent(spf.Pass, "esp.com")}, "esp.com", false},
		{"the null sender", mailauth.Known{DMARC: author, SPF: &spf.Result{Result: spf.Pass, Identity: spf.HELO, Domain: "example.org"}}, "", false},
		{"all failed", mailauth.Known{DMARC: author, DKIM: signed(dkim.Fail, "example.org"), SPF: sent(spf.Fail, "example.org")}, "", false},
		{"an upstream's word", mailauth.Known{DMARC: &dmarc.Result{Domain: "example.org", Identifiers: []dmarc.Identifier{
			{Method: "spf", Result: "fail", Domain: "x.com"}, {Method: "dkim", Result: "pass", Domain: "example.org"}}}}, "example.org", true},
		{"no author", mailauth.Known{DMARC: &dmarc.Result{}, DKIM: signed(dkim.Pass, "esp.com")}, "esp.com", false},
	} {
		if got, aligned := reputationcheck.Authenticated(test.k); got != test.want || aligned != test.aligned {
			t.Errorf("%s: %q %v, want %q %v", test.name, got, aligned, test.want, test.aligned)
		}
	}
}

// TestForeignGoodName: the good name of a service isn't that of the author it sends
// for; its bad name is.
func TestForeignGoodName(t *testing.T) {
	for _, o := range []reputation.Outcome{{Good: 1}, {Bad: 1}} {
		w := newWorld(t)
		w.past(5, 40, o, w.input("192.0.2.7", "mail.example.org", "bob@example.org"), true)
		in := w.input("192.0.2.7", "mail.example.org", "bob@example.org")
		in.Message = checktest.Input(checktest.Mail("From: ceo@bank.com", "Hello\n")).Message
		got := strings.Join(checktest.Reasons(w.run(t, in)), " ")
		if strings.Contains(got, "DOMAIN_GOOD") || (o.Bad > 0) != strings.Contains(got, "DOMAIN_BAD") {
			t.Errorf("%+v: %s", o, got)
		}
	}
}

// TestWithoutTable: what needs no memory works without one.
func TestWithoutTable(t *testing.T) {
	var names []string
	for _, c := range reputationcheck.Checks(reputationcheck.Config{}) {
		names = append(names, c.Info().Name)
	}
	if !slices.Equal(names, []string{"reputation/reverse-name"}) {
		t.Errorf("%v", names)
	}
}

// BenchmarkClient is what the check at connect costs.
func BenchmarkClient(b *testing.B) {
	w := newWorld(b)
	in := w.input("192.0.2.7", "mail.example.org", "bob@example.org")
	w.past(5, 40, reputation.Outcome{Good: 1}, in, false)
	c := w.checks()[1]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
