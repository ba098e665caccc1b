package iprev

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dns"
	"sluice/dns/dnstest"
)

const zone = `{
"192.0.2.1": {"PTR": ["mail.example.com."]},
"mail.example.com": {"A": ["198.51.100.1", "192.0.2.1"], "AAAA": ["2001:db8::1"]},
"2001:db8::1": {"PTR": ["mail.example.com."]},
"192.0.2.2": {"PTR": ["192-0-2-2.dsl.example.net.", "smtp.example.org."]},
"192-0-2-2.dsl.example.net": {"A": ["192.0.2.2"]},
"smtp.example.org": {"A": ["192.0.2.2"]},
"192.0.2.3": {"PTR": ["192-0-2-3.dsl.example.net."]},
"192-0-2-3.dsl.example.net": {"A": ["192.0.2.3"]},
"192.0.2.4": {"PTR": ["mail.example.com."]},
"192.0.2.5": {"PTR": ["gone.example.com.", "slow.example.com."]},
"slow.example.com": "TIMEOUT",
"192.0.2.6": {"PTR": ["slow.example.com.", "six.example.com."]},
"six.example.com": {"A": ["192.0.2.6"]},
"192.0.2.7": "SERVFAIL",
"192.0.2.8": {"TXT": ["no pointer"]},
"192.0.2.9": {"PTR": ["localhost.", "192-0-2-9.dyn.example.net."]},
"192.0.2.10": {"PTR": ["mail.example.com.", "alias.example.com."]},
"alias.example.com": {"CNAME": ["ten.example.com."]},
"ten.example.com": {"A": ["192.0.2.10"]}
}`

func TestCheck(t *testing.T) {
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ip     string
		want   Value
		class  Class
		name   string
		kind   Kind
		traces int
	}{
		{"192.0.2.1", Pass, Confirmed, "mail.example.com", "", 2},
		{"::ffff:192.0.2.1", Pass, Confirmed, "mail.example.com", "", 2},
		{"2001:db8::1", Pass, Confirmed, "mail.example.com", "", 2},
		{"192.0.2.2", Pass, Confirmed, "smtp.example.org", "", 3},
		{"192.0.2.3", Pass, Confirmed, "192-0-2-3.dsl.example.net", Dynamic, 2},
		{"192.0.2.4", Fail, Unconfirmed, "", "", 2},
		{"192.0.2.5", TempError, Unknown, "", "", 3},
		{"192.0.2.6", Pass, Confirmed, "six.example.com", "", 3},
		{"192.0.2.7", TempError, Unknown, "", "", 1},
		{"192.0.2.8", PermError, NoName, "", "", 1},
		{"192.0.2.9", Fail, Unconfirmed, "", "", 3},
		{"192.0.2.10", Pass, Confirmed, "alias.example.com", "", 3},
		{"192.0.2.99", PermError, NoName, "", "", 1},
	} {
		r := Check(t.Context(), z, netip.MustParseAddr(tc.ip))
		if r.Result != tc.want || r.Class != tc.class || r.Name != tc.name || r.Generic.Kind != tc.kind || len(r.Trace) != tc.traces {
			t.Errorf("%s: %+v", tc.ip, r)
		}
		if (r.Problem == "") != (r.Result == Pass) {
			t.Errorf("%s: problem %q of %s", tc.ip, r.Problem, r.Result)
		}
	}
	if r := Check(t.Context(), z, netip.Addr{}); r.Result != PermError || len(r.Trace) > 0 {
		t.Errorf("no address: %+v", r)
	}
}

func TestTrace(t *testing.T) {
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	r := Check(t.Context(), z, netip.MustParseAddr("192.0.2.5"))
	want := []Step{
		{"5.2.0.192.in-addr.arpa PTR", "gone.example.com, slow.example.com", "names"},
		{"gone.example.com A", "no such name", "doesn't lead back"},
		{"slow.example.com A", "no answer in time", "no answer"},
	}
	if d := cmp.Diff(want, r.Trace); d != "" {
		t.Errorf("trace (-want +got):\n%s", d)
	}
	if want := "slow.example.com A: no answer in time"; r.Problem != want {
		t.Errorf("problem %q, want %q", r.Problem, want)
	}
}

// many answers PTR with so many names, none of which leads anywhere.
type many struct{ names, asked int }

func (m *many) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	m.asked++
	var a dns.Answer
	if t == dns.PTR {
		for i := range m.names {
			a.Records = append(a.Records, dns.Record{Type: dns.PTR, Host: fmt.Sprintf("h%d.example.com", i)})
		}
		return a, nil
	}
	return a, &dns.Error{Name: name, Type: t, Kind: dns.ErrNoData}
}

func TestBound(t *testing.T) {
	m := &many{names: 5000}
	r := Check(t.Context(), m, netip.MustParseAddr("192.0.2.1"))
	if m.asked != 11 || len(r.Names) != 10 || r.More != 4990 || r.Result != Fail {
		t.Errorf("asked %d, %d names, %d more, %s", m.asked, len(r.Names), r.More, r.Result)
	}
	m = &many{}
	if r := Check(t.Context(), m, netip.MustParseAddr("192.0.2.1")); r.Result != PermError || m.asked != 1 {
		t.Errorf("no names and no error: %+v", r)
	}
}
