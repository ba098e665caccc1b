package nullmx

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/dns"
	"sluice/dns/dnstest"
)

const zone = `{
"mail.example": {"MX": ["20 b.example.", "10 a.example."]},
"null.example": {"MX": ["0 ."], "A": ["192.0.2.1"]},
"oddnull.example": {"MX": ["10 ."]},
"mixed.example": {"MX": ["0 .", "10 a.example."]},
"four.example": {"A": ["192.0.2.1"]},
"six.example": {"AAAA": ["2001:db8::1"]},
"empty.example": {"TXT": ["nothing here"]},
"slow.example": "TIMEOUT",
"slowmx.example": {"MX": "TIMEOUT", "A": ["192.0.2.1"]},
"slowa.example": {"A": "SERVFAIL"},
"slowsix.example": {"AAAA": "SERVFAIL"},
"slowfour.example": {"A": "SERVFAIL", "AAAA": ["2001:db8::1"]},
"xn--bcher-kva.example": {"MX": ["10 a.example."]},
"alias.example": {"CNAME": ["mail.example."]},
"dangling.example": {"CNAME": ["gone.example."]}
}`

func TestSender(t *testing.T) {
	z, err := dnstest.Parse("zone", strings.NewReader(zone))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		domain string
		want   Answer
		hosts  string
		mixed  bool
		asked  int
	}{
		{"mail.example", Hosts, "a.example b.example", false, 1},
		{"MAIL.example.", Hosts, "a.example b.example", false, 1},
		{"bücher.example", Hosts, "a.example", false, 1},
		{"alias.example", Hosts, "a.example b.example", false, 1},
		{"null.example", Null, "", false, 1},
		{"oddnull.example", Null, "", false, 1},
		{"mixed.example", Hosts, "a.example", true, 1},
		{"four.example", Address, "", false, 2},
		{"six.example", Address, "", false, 3},
		{"empty.example", Nothing, "", false, 3},
		{"gone.example", NXDomain, "", false, 1},
		{"dangling.example", NXDomain, "", false, 1},
		{"slow.example", Unknown, "", false, 1},
		{"slowmx.example", Unknown, "", false, 1},
		{"slowa.example", Unknown, "", false, 3},
		{"slowsix.example", Unknown, "", false, 3},
		{"slowfour.example", Address, "", false, 3},
		{"", Bad, "", false, 0},
		{".", Bad, "", false, 0},
		{"[192.0.2.1]", Bad, "", false, 0},
		{"a..example", Bad, "", false, 0},
		{"a b.example", Bad, "", false, 0},
	} {
		r := Sender(t.Context(), z, tc.domain)
		if r.Answer != tc.want || strings.Join(r.Hosts, " ") != tc.hosts || r.Mixed != tc.mixed || len(r.Trace) != tc.asked {
			t.Errorf("Sender(%q) = %+v", tc.domain, r)
		}
		if (r.Problem != "") != (r.Answer == Bad || r.Answer == Unknown) {
			t.Errorf("Sender(%q): problem %q of %s", tc.domain, r.Problem, r.Answer)
		}
	}
	want := []Step{{"slowa.example MX", "no record of this type"}, {"slowa.example A", "server failure"}, {"slowa.example AAAA", "no record of this type"}}
	if d := cmp.Diff(want, Sender(t.Context(), z, "slowa.example").Trace); d != "" {
		t.Errorf("trace (-want +got):\n%s", d)
	}
}

// answers gives each type its number of records and says NXDOMAIN to the rest.
type answers map[dns.Type]int

func (a answers) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	n, ok := a[t]
	if !ok {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNXDomain}
	}
	var ans dns.Answer
	for i := range n {
		ans.Records = append(ans.Records, dns.Record{Type: t, Host: fmt.Sprintf("h%d.example", i)})
	}
	return ans, nil
}

func TestOddServers(t *testing.T) {
	if r := Sender(t.Context(), answers{dns.MX: 5000}, "a.example"); r.Answer != Hosts || len(r.Hosts) != maxHosts {
		t.Errorf("many hosts: %s, %d", r.Answer, len(r.Hosts))
	}
	// Nothing for MX, and then there is no such name: both can't be.
	if r := Sender(t.Context(), answers{dns.MX: 0}, "a.example"); r.Answer != NXDomain || len(r.Trace) != 2 {
		t.Errorf("a server that contradicts itself: %+v", r)
	}
}
