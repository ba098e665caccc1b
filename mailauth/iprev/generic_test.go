package iprev

import (
	"net/netip"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		host, ip string
		want     Kind
	}{
		// Names that people chose for hosts.
		{"mail1.example.com", "192.0.2.1", ""},
		{"mail.dsl.example", "192.0.2.1", ""},
		{"example.com", "192.0.2.1", ""},
		{"dsl.co.uk", "192.0.2.1", ""},
		{"www1.dsl.co.uk", "192.0.2.1", ""},
		{"client1.example.com", "192.0.2.1", ""},
		{"mobile3.example.com", "192.0.2.1", ""},
		{"smtp-out-1-2-3.example.com", "192.0.2.1", ""},
		{"smtp-out-192-0-2-1.example.com", "192.0.2.1", ""},
		{"mta-192-0-2-1.example.com", "192.0.2.1", ""},
		{"o192-0-2-1.mailer.example.com", "192.0.2.1", ""},
		{"mail-ej1-f54.google.com", "209.85.218.54", ""},
		{"mx0a-00123402.pphosted.com", "192.0.2.1", ""},
		{"a8-31.smtp-out.amazonses.com", "54.240.8.31", ""},
		{"mx1.dyn.example.com", "192.0.2.1", ""},
		{"mail.cable.example.com", "192.0.2.1", ""},
		{"pool3.relay.example.com", "192.0.2.1", ""},
		{"server17.example.com", "192.0.2.17", ""},
		{"host.example.com", "192.0.2.17", ""},
		{"cable.example.com", "192.0.2.17", ""},
		{"www.home.example.com", "192.0.2.17", ""},
		{"vps-0-2.example.com", "192.0.2.17", ""},
		{"node-1-192-0.example.com", "192.0.2.1", ""},
		{"db-10-1-2.example.com", "10.0.1.2", ""},
		{"", "192.0.2.1", ""},
		{".", "192.0.2.1", ""},
		{"localhost", "127.0.0.1", ""},
		{"co.uk", "192.0.2.1", ""},
		{"192.0.2.1", "192.0.2.1", ""},
		{strings.Repeat("dsl-", 100) + ".example.com", "192.0.2.1", ""},
		// Pools.
		{"192-0-2-1.dsl.example.net", "192.0.2.1", Dynamic},
		{"dslb-192-000-002-001.192.000.pools.example-ip.de", "192.0.2.1", Dynamic},
		{"pc0000201.dip0.t-ipconnect.de", "192.0.2.1", Dynamic},
		{"c-73-1-2-3.hsd1.ma.comcast.net", "73.1.2.3", Dynamic},
		{"pool-192-0-2-1.nycmny.fios.example.net", "192.0.2.1", Dynamic},
		{"cpe-192-0-2-1.example.com", "192.0.2.1", Dynamic},
		{"1.2.0.192.dynamic.example.net", "192.0.2.1", Dynamic},
		{"dhcp-17.example.edu", "192.0.2.1", Dynamic},
		{"dyn.example.net", "192.0.2.1", Dynamic},
		{"adsl123.example.net", "192.0.2.1", Dynamic},
		{"host-192-0-2-1.example.net", "192.0.2.1", Numbered},
		{"client-192-0-2-1.example.net", "192.0.2.1", Dynamic},
		{"192.0.2.1.cable.example.com.br", "192.0.2.1", Dynamic},
		{"mail.192-0-2-1.dsl.example.net", "192.0.2.1", Dynamic},
		{"ppp91-122-2-1.pppoe.example.ru", "91.122.2.1", Dynamic},
		{"PPP-17.Example.NET.", "192.0.2.17", Dynamic},
		{"unassigned.example.net", "192.0.2.17", Dynamic},
		{"2001-db8--1.dyn6.example.net", "2001:db8::1", Dynamic},
		// The address, but no word of a pool; or a fixed line.
		{"ec2-192-0-2-1.compute-1.amazonaws.com", "192.0.2.1", Numbered},
		{"ec2-192-0-2-1.eu-west-1.compute.amazonaws.com", "192.0.2.1", Numbered},
		{"static.192.0.2.1.clients.your-server.de", "192.0.2.1", Numbered},
		{"ip-192-0-2-1.example.net", "192.0.2.1", Numbered},
		{"1.2.0.192.example.net", "192.0.2.1", Numbered},
		{"192-0-2-1.static.dsl.example.net", "192.0.2.1", Numbered},
		{"static-192-0-2-1.business.example.net", "192.0.2.1", Numbered},
		{"x192000002001.example.net", "192.0.2.1", Numbered},
		{"ip3221225985.example.net", "192.0.2.1", Numbered},
		{"c0000201.example.net", "192.0.2.1", Numbered},
		{"c0-00-02-01.example.net", "192.0.2.1", Numbered},
		{"h0-2-1.example.net", "192.0.2.1", Numbered},
		{"h1-2-0.example.net", "192.0.2.1", Numbered},
		{"2-0-192-1.example.net", "192.0.2.1", Numbered},
		{"ol2-157.example.com.ar", "192.0.2.157", Numbered},
		{"157.c2.example.tw", "192.0.2.157", Numbered},
		{"awork002157.example.com", "192.0.2.157", Numbered},
		{"c157.h192000002.example.tw", "192.0.2.157", Numbered},
		{"node1-2.example.com", "192.0.1.2", ""},
		{"a2-157.smtp-out.example.com", "192.0.2.157", ""},
		{"2001-db8-0-0-0-0-0-1.example.net", "2001:db8::1", Numbered},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.v6.example.net", "2001:db8::1", Numbered},
		{"g02005efffe001234.example.net", "2001:db8::200:5eff:fe00:1234", Numbered},
		{"g02005efffe001235.example.net", "2001:db8::200:5eff:fe00:1234", ""},
		{"x-02005efffe001234.example.net", "2001:db8::0200:5eff:fe00:1234", Numbered},
	} {
		ip := netip.MustParseAddr(tc.ip)
		got := Classify(tc.host, ip)
		if got.Kind != tc.want || (got.Why == "") != (tc.want == "") {
			t.Errorf("Classify(%q, %s) = %+v, want %q", tc.host, tc.ip, got, tc.want)
		}
		if again := Classify(tc.host, netip.AddrFrom16(ip.As16())); again != got {
			t.Errorf("Classify(%q, %s in 16 octets) = %+v", tc.host, tc.ip, again)
		}
	}
	if got := Classify("192-0-2-1.dsl.example.net", netip.Addr{}); got.Kind != Dynamic {
		t.Errorf("without an address: %+v", got)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("192-0-2-1.dsl.example.net", []byte{192, 0, 2, 1})
	f.Add("2001-db8--1.dyn6.example.net", []byte("0123456789abcdef"))
	f.Add("a.compute-1.amazonaws.com.", []byte{})
	f.Add("....", []byte{0, 0, 0, 0})
	f.Add(strings.Repeat("1-", 120)+"x.example", []byte{1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, host string, addr []byte) {
		ip, _ := netip.AddrFromSlice(addr)
		g := Classify(host, ip)
		if (g.Kind == "") != (g.Why == "") || len(g.Why) > 2*maxHost {
			t.Errorf("%q: %+v", host, g)
		}
		if again := Classify(strings.ToUpper(host), ip); isASCII(host) && again != g {
			t.Errorf("%q: case matters: %+v, %+v", host, g, again)
		}
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

func BenchmarkClassify(b *testing.B) {
	ip := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		Classify("dslb-192-000-002-001.192.000.pools.example-ip.de", ip)
	}
}
