package recipient_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/recipient"
)

func lists(t *testing.T, entries ...recipient.Entry) func() *recipient.Lists {
	t.Helper()
	l, err := recipient.New(entries)
	if err != nil {
		t.Fatal(err)
	}
	return func() *recipient.Lists { return l }
}

func TestLists(t *testing.T) {
	day := 24 * time.Hour
	for _, tc := range []struct {
		name    string
		entries []recipient.Entry
		change  func(*check.Input)
		want    string // reason@phase
	}{
		{"nothing listed", nil, nil, ""},
		{"address blocked", []recipient.Entry{{Kind: recipient.Address, Value: "Bob@Example.ORG"}}, nil, "ADMIN_BLOCK@mail"},
		{"another address blocked", []recipient.Entry{{Kind: recipient.Address, Value: "bobby@example.org"}}, nil, ""},
		{"domain blocked", []recipient.Entry{{Kind: recipient.Domain, Value: "*.example.org"}}, nil, "ADMIN_BLOCK@mail"},
		{"domain above blocked", []recipient.Entry{{Kind: recipient.Domain, Value: "org"}}, nil, "ADMIN_BLOCK@mail"},
		{"domain that ends alike", []recipient.Entry{{Kind: recipient.Domain, Value: "ample.org"}}, nil, ""},
		{"network blocked", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.2.0/24"}}, nil, "ADMIN_BLOCK@connect"},
		{"address of a network blocked", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.2.7"}}, nil, "ADMIN_BLOCK@connect"},
		{"mapped network", []recipient.Entry{{Kind: recipient.Network, Value: "::ffff:192.0.2.0/120"}}, nil, "ADMIN_BLOCK@connect"},
		{"mapped client", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.2.0/24"}},
			func(in *check.Input) { in.Conn.Client = netip.MustParseAddrPort("[::ffff:192.0.2.7]:25") }, "ADMIN_BLOCK@connect"},
		{"client unknown", []recipient.Entry{{Kind: recipient.Network, Value: "0.0.0.0/0"}},
			func(in *check.Input) { in.Conn.Client = netip.AddrPort{} }, ""},
		{"longest prefix wins", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.0.0/8"}, {Kind: recipient.Network, Value: "192.0.2.7/32", Allow: true}}, nil, "ADMIN_ALLOW@connect"},
		{"block wins on one prefix", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.2.7", Allow: true}, {Kind: recipient.Network, Value: "192.0.2.7"}}, nil, "ADMIN_BLOCK@connect"},
		{"expired prefix gives way", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.2.7", Until: checktest.Now.Add(-day)}, {Kind: recipient.Network, Value: "192.0.2.0/24", Allow: true}}, nil, "ADMIN_ALLOW@connect"},
		{"expired", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org", Until: checktest.Now.Add(-time.Second)}}, nil, ""},
		{"not yet expired", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org", Until: checktest.Now.Add(time.Second)}}, nil, "ADMIN_BLOCK@mail"},
		{"greeting blocked", []recipient.Entry{{Kind: recipient.Helo, Value: "mail.example.org"}}, nil, "ADMIN_BLOCK@hello"},
		{"allowed address proves nothing", []recipient.Entry{{Kind: recipient.Address, Value: "bob@example.org", Allow: true}}, nil, "ADMIN_ALLOW_UNAUTHENTICATED@mail"},
		{"address before domain", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org"}, {Kind: recipient.Address, Value: "bob@example.org", Allow: true}}, nil, "ADMIN_ALLOW_UNAUTHENTICATED@mail"},
		{"allowed greeting proves nothing", []recipient.Entry{{Kind: recipient.Helo, Value: "example.org", Allow: true}}, nil, "ADMIN_ALLOW_UNAUTHENTICATED@hello"},
		{"tenant's own", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org", Tenant: "example"}}, nil, "ADMIN_BLOCK@rcpt"},
		{"tenant's own network", []recipient.Entry{{Kind: recipient.Network, Value: "192.0.2.0/24", Tenant: "example", Allow: true}}, nil, "ADMIN_ALLOW@rcpt"},
		{"another tenant's", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org", Tenant: "other"}}, nil, ""},
		{"author, not envelope", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org"}},
			func(in *check.Input) { in.Envelope.From = "bounce@lists.example.com" }, "ADMIN_BLOCK@message"},
		{"author in other letters is the envelope's", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org"}},
			func(in *check.Input) { in.Envelope.From = "BOB@example.org" }, "ADMIN_BLOCK@mail"},
		{"null sender", []recipient.Entry{{Kind: recipient.Domain, Value: "example.com"}},
			func(in *check.Input) { in.Envelope.From = "" }, ""},
		{"very deep name", []recipient.Entry{{Kind: recipient.Domain, Value: "example.org"}},
			func(in *check.Input) { in.Envelope.From = "a@" + strings.Repeat("a.", 200) + "example.com" }, "ADMIN_BLOCK@message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := checktest.Input(checktest.Mail("", ""))
			if tc.change != nil {
				tc.change(in)
			}
			var got []string
			for _, e := range checktest.Run(t, recipient.Checks(lists(t, tc.entries...)), in) {
				got = append(got, string(e.Reason)+"@"+e.Phase.String())
			}
			if g := strings.Join(got, " "); g != tc.want {
				t.Errorf("got %q, want %q", g, tc.want)
			}
		})
	}
}

// The admin reads who decided, why, and until when.
func TestDetail(t *testing.T) {
	in := checktest.Input(checktest.Mail("", ""))
	ev := checktest.Run(t, recipient.Checks(lists(t, recipient.Entry{
		Kind: recipient.Domain, Value: "example.org", Tenant: "example", Why: "does not pay", By: "carol", Until: checktest.Now.AddDate(0, 1, 0),
	})), in)
	const want = "block domain example.org for example: does not pay (by carol) until 2026-04-04"
	if len(ev) != 1 || ev[0].Detail != want || ev[0].Hard != sluice.HardStop {
		t.Errorf("got %+v, want the detail %q", ev, want)
	}
}

func TestNoLists(t *testing.T) {
	in := checktest.Input(checktest.Mail("", ""))
	if ev := checktest.Run(t, recipient.Checks(func() *recipient.Lists { return nil }), in); len(ev) != 0 {
		t.Errorf("%+v", ev)
	}
}

func TestBadEntries(t *testing.T) {
	for _, tc := range []struct {
		entry recipient.Entry
		want  string
	}{
		{recipient.Entry{Kind: recipient.Address, Value: "example.org"}, `recipient: list entry 1: "example.org" is not an address`},
		{recipient.Entry{Kind: recipient.Address, Value: "@example.org"}, `recipient: list entry 1: "@example.org" is not an address`},
		{recipient.Entry{Kind: recipient.Domain, Value: "a@b"}, `recipient: list entry 1: "a@b" is not a domain`},
		{recipient.Entry{Kind: recipient.Domain, Value: "*."}, `recipient: list entry 1: "*." is not a domain`},
		{recipient.Entry{Kind: recipient.Helo, Value: "a b"}, `recipient: list entry 1: "a b" is not a domain`},
		{recipient.Entry{Kind: recipient.Network, Value: "192.0.2.0/33"}, `recipient: list entry 1: "192.0.2.0/33" is not a network: netip.ParsePrefix("192.0.2.0/33"): prefix length out of range`},
		{recipient.Entry{Kind: recipient.Network, Value: "::ffff:192.0.2.0/64"}, `recipient: list entry 1: "::ffff:192.0.2.0/64" is not a network: wider than IPv4`},
		{recipient.Entry{Kind: "subject", Value: "x"}, `recipient: list entry 1: unknown kind "subject"`},
	} {
		_, err := recipient.New([]recipient.Entry{tc.entry})
		if err == nil || err.Error() != tc.want {
			t.Errorf("%+v: got %v, want %s", tc.entry, err, tc.want)
		}
	}
}

// The cost of a lookup must not grow with the lists.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(map[int]string{10: "10 entries", 100_000: "100000 entries"}[n], func(b *testing.B) {
			var entries []recipient.Entry
			for i := range n {
				a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
				entries = append(entries,
					recipient.Entry{Kind: recipient.Network, Value: a.String()},
					recipient.Entry{Kind: recipient.Domain, Value: "d" + strings.ReplaceAll(a.String(), ".", "-") + ".example.com"})
			}
			l, err := recipient.New(entries)
			if err != nil {
				b.Fatal(err)
			}
			checks := recipient.Checks(func() *recipient.Lists { return l })
			in := checktest.Input(checktest.Mail("", ""))
			b.ReportAllocs()
			for b.Loop() {
				for _, c := range checks {
					_, _ = c.Check(b.Context(), in)
				}
			}
		})
	}
}
