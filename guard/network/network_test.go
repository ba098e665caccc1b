package network

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestKeys(t *testing.T) {
	for _, test := range []struct{ addr, host, prefix, wide string }{
		{"192.0.2.77", "192.0.2.77/32", "192.0.2.0/24", "192.0.0.0/16"},
		{"::ffff:192.0.2.77", "192.0.2.77/32", "192.0.2.0/24", "192.0.0.0/16"},
		{"0.0.0.0", "0.0.0.0/32", "0.0.0.0/24", "0.0.0.0/16"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"},
		{"fe80::1%eth0", "fe80::/64", "fe80::/48", "fe80::/32"},
		{"::1", "::/64", "::/48", "::/32"},
	} {
		a := netip.MustParseAddr(test.addr)
		for i, k := range []Key{Host(a), Prefix(a), Wide(a)} {
			if want := []string{test.host, test.prefix, test.wide}[i]; k.String() != want {
				t.Errorf("%s: %v, want %s", test.addr, k, want)
			}
		}
	}
	if k := Host(netip.Addr{}); k != (Key{}) || k.Netip().IsValid() {
		t.Errorf("no address: %v", k)
	}
}

func TestParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a netip.Addr
		if rapid.Bool().Draw(t, "v4") {
			a = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "a")))
		} else {
			a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a")))
		}
		for _, k := range []Key{Host(a), Prefix(a), Wide(a)} {
			back, err := Parse(k.String())
			if err != nil || back != k {
				t.Fatalf("%v: %v %v", k, back, err)
			}
			if !Host(a).Within(k) || k != Host(a) && k.Within(Host(a)) {
				t.Fatalf("%v within %v", Host(a), k)
			}
		}
	})
	for _, bad := range []string{"", "192.0.2.1", "2001:db8::/65", "::ffff:192.0.2.0/120", "192.0.2.1/33", "invalid Prefix"} {
		if k, err := Parse(bad); err == nil {
			t.Errorf("%q: %v", bad, k)
		}
	}
}
