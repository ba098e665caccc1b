package said

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sluice/dns"
)

func TestError(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&dns.Error{Name: "example.com", Kind: dns.ErrTimeout, Err: errors.New("socket")}, "no answer in time"},
		{fmt.Errorf("x: %w", &dns.Error{Kind: dns.ErrNXDomain}), "no such name"},
		{errors.New(strings.Repeat("a", 1000)), strings.Repeat("a", 200)},
	} {
		if got := Error(tc.err); got != tc.want {
			t.Errorf("Error(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}

func TestRecords(t *testing.T) {
	var many []dns.Record
	for i := range 20 {
		many = append(many, dns.Record{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})})
	}
	for _, tc := range []struct {
		in   []dns.Record
		want string
	}{
		{nil, ""},
		{[]dns.Record{{Host: "a.example"}, {Addr: netip.MustParseAddr("2001:db8::1")}}, "a.example, 2001:db8::1"},
		{many[:3], "192.0.2.0, 192.0.2.1, 192.0.2.2"},
	} {
		if got := Records(tc.in); got != tc.want {
			t.Errorf("Records = %q, want %q", got, tc.want)
		}
	}
	if got := Records(many); !strings.HasSuffix(got, "192.0.2.11, 8 more") {
		t.Errorf("Records of many = %q", got)
	}
	if got := Records([]dns.Record{{Host: strings.Repeat("a", 9999)}}); len(got) != Max {
		t.Errorf("a long host gives %d octets", len(got))
	}
}
