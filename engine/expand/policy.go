package expand

import "net/netip"

// closed are the networks that nothing is sent to, beside what is no global unicast
// address: whoever wrote the link must not reach through us what he can't reach himself.
var closed = prefixes(
	"0.0.0.0/8",        // RFC 1122 3.2.1.3: this network
	"10.0.0.0/8",       // RFC 1918
	"100.64.0.0/10",    // RFC 6598: carriers' translators, and a cloud's metadata
	"127.0.0.0/8",      // RFC 1122: loopback
	"168.63.129.16/32", // Azure's wire server: a public address that is a host's own
	"169.254.0.0/16",   // RFC 3927: link-local; clouds' metadata (169.254.169.254)
	"172.16.0.0/12",    // RFC 1918
	"192.0.0.0/24",     // RFC 6890; a cloud's metadata (192.0.0.192)
	"192.0.2.0/24",     // RFC 5737: documentation
	"192.31.196.0/24",  // RFC 7535: AS112
	"192.52.193.0/24",  // RFC 7450
	"192.88.99.0/24",   // RFC 7526: 6to4 relays, gone
	"192.168.0.0/16",   // RFC 1918
	"192.175.48.0/24",  // RFC 7534: AS112
	"198.18.0.0/15",    // RFC 2544: benchmarks
	"198.51.100.0/24",  // RFC 5737
	"203.0.113.0/24",   // RFC 5737
	"224.0.0.0/3",      // multicast, reserved, broadcast
	"64:ff9b::/96",     // RFC 6052: an IPv4 address, which may be an inner one
	"64:ff9b:1::/48",   // RFC 8215
	"100::/64",         // RFC 6666: discard
	"2001::/23",        // RFC 2928: Teredo, ORCHID and others
	"2001:db8::/32",    // RFC 3849: documentation
	"2002::/16",        // RFC 3056: 6to4, an IPv4 address
	"3fff::/20",        // RFC 9637: documentation
	"5f00::/16",        // RFC 9602
	"fc00::/7",         // RFC 4193: unique local; a cloud's metadata (fd00:ec2::254)
	"fe80::/10",        // link-local
	"fec0::/10",        // RFC 3879: site-local
	"ff00::/8",         // multicast
)

// global is what IPv6 has in use (RFC 4291 2.4).
var global = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Public says whether an address is one of the open Internet: no loopback, private,
// link-local, shared, multicast, documentation or metadata address, and none that holds
// another inside (RFC 6890).
func Public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if !a.IsValid() || a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
